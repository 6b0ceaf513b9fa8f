"""Templates of addresses of files, and the stores that settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_automation_report.api.urls import address_of, is_bucket, template_for
from pytest_automation_report.ci.facts import BuildInfo, Shard
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import resolver as artifact_stores
from pytest_automation_report.settings.settings import Settings
from support.settings import resolve

FACTS = BuildInfo(
    build="7 b", attempt=2, shard=Shard(3, 5), branch="feature/a", commit="abc", url="https://ci.example/job/1/"
)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("https://a.example/{build}/{attempt}/{shard}", "https://a.example/7%20b/2/3"),
        ("https://a.example/{branch}/{commit}/{path}", "https://a.example/feature%2Fa/abc/{path}"),
        ("{job_url}/file/{name}", "https://ci.example/job/1/file/{name}"),
        ("https://a.example", "https://a.example"),
    ],
)
def test_what_is_known_of_the_run_is_filled_in_once(template: str, filled: str) -> None:
    """Values of the run stand in a template as parts of an address; those of files are left for each file.

    A template that needs more than is known is none.
    """
    assert template_for(template, FACTS.template_values()) == filled
    needs_facts = template != filled
    assert template_for(template, BuildInfo().template_values()) == ("" if needs_facts else filled)


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("https://a.example/x/", "https://a.example/x/a%20b/c%3F.png"),
        ("https://a.example/{path}", "https://a.example/a%20b/c%3F.png"),
        ("https://a.example/{name}?in={path}", "https://a.example/%7Bpath%7D%2Fc?in=a%20b/c%3F.png"),
    ],
)
def test_a_files_own_values_are_filled_in(template: str, address: str) -> None:
    """Paths keep their slashes; what looks like a placeholder in a name is text."""
    assert address_of(template, "a b/c?.png", "{path}/c") == address


def test_buckets_are_told_from_folders() -> None:
    """Only the schemes of buckets make one."""
    assert [is_bucket(each) for each in ("s3://a", "gs://a/b", "az://a", "abfss://a")] == [True] * 4
    assert [is_bucket(each) for each in ("s3", "s3/a", "/s3://a", "https://a", "C:\\a")] == [False] * 5


def resolved(origin: str, **values: str) -> Settings:
    if origin == "command line":
        return resolve(values)
    return resolve({}, {f"AUTOMATION_REPORT_{name.upper()}": value for name, value in values.items()})


def test_a_bucket_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed it is a usage error that says what to install; in the environment it is told, and there is no store."""
    monkeypatch.setattr(artifact_stores, "find_spec", lambda _: None)
    root = Path("/root-folder")
    with pytest.raises(SettingError, match=r"needs packages .*: pip install 'obstore>=0.10'"):
        artifact_stores.artifact_store(resolved("command line", artifact_store="s3://a"), {}, root)
    store, told = artifact_stores.artifact_store(resolved("environment", artifact_store="s3://a"), {}, root)
    assert store is None
    assert told.startswith("AUTOMATION_REPORT_ARTIFACT_STORE: 's3://a' cannot be used: a bucket needs packages")


def test_keys_in_the_address_of_a_bucket_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message names the bucket without the keys that its address has."""
    monkeypatch.setattr(artifact_stores, "find_spec", lambda _: None)
    address = "s3://AKIAQWERTYUIOP:wJalrXUtnFEMI/K7MDENG@shots/run"
    for origin in ("command line", "environment"):
        try:
            _, told = artifact_stores.artifact_store(resolved(origin, artifact_store=address), {}, Path("/r"))
        except SettingError as error:
            told = str(error)
        assert "'s3://***@shots/run' cannot be used" in told
        assert "wJalr" not in told


def test_only_what_opens_buckets_goes_to_the_sender() -> None:
    """Of the environment the sender gets the variables of the providers' tools, and no representation shows them."""
    pytest.importorskip("obstore")
    environ = {
        "AWS_SECRET_ACCESS_KEY": "hidden-1",
        "HOME": "/home/a",
        "https_proxy": "http://p",
        "OTHER": "no",
        "PATH": "/bin",
    }
    store, told = artifact_stores.artifact_store(resolved("command line", artifact_store="s3://a"), environ, Path("/r"))
    assert told == ""
    assert store is not None
    assert sorted(store.environ) == ["AWS_SECRET_ACCESS_KEY", "HOME", "https_proxy"]
    assert "hidden" not in repr(store)
