"""Addresses, proxies, certificates, keys of shared runs, stores of files and the names that nobody gave."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Endpoint, file_address, is_bucket, template_for
from pytest_automation_report.ci.facts import BuildInfo, Shard
from pytest_automation_report.errors import SettingError
from pytest_automation_report.settings import servers as artifact_stores
from pytest_automation_report.settings.resolver import project_name
from pytest_automation_report.settings.settings import Settings
from pytest_automation_report.settings.sharing import filled_key, key_tag
from support.settings import REMOTE, resolve


@pytest.mark.parametrize("word", ["local", "Local"])
@pytest.mark.parametrize("project", ["shop", None])
def test_local_is_the_embedded_store(tmp_path: Path, word: str, project: str | None) -> None:
    """The address ``local`` stands for the embedded store, whatever other places name, and asks for nothing more."""
    environ = {"AUTOMATION_REPORT_URL": "https://b.example"}
    ini = {
        "automation_report_url": "https://a.example",
        "automation_report_database": "postgresql://db.example/results",
    }
    root = tmp_path / "checkout"
    found = resolve({"url": word}, environ, ini, project_name=project, root=root)
    assert (found.url, found.endpoint.is_embedded, found.project_id, found.blocking_error) == ("", True, 1, "")
    assert found.database == root / ".automation-report" / "store.sqlite3"
    assert found.origins["url"] == "--url"
    assert found.source == (project or "checkout")


ORIGINS = [
    ("https://a.example", "https://a.example"), ("https://a.example/", "https://a.example"),
    ("https://a.example/api/v1", "https://a.example"), ("https://a.example/api/v1//", "https://a.example"),
    ("  HTTPS://A.Example:443/api/v1/  ", "https://a.example"), ("https://a.example:8443", "https://a.example:8443"),
    ("https://a.example:", "https://a.example"), ("https://my_host", "https://my_host"),
    ("https://bücher.example", "https://xn--bcher-kva.example"), ("https://faß.example", "https://xn--fa-hia.example"),
    ("https://[2001:DB8::1]:444/api/v1", "https://[2001:db8::1]:444"), ("http://[::1]:80", "http://[::1]"),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080"), ("http://127.9.8.7", "http://127.9.8.7"),
    ("http://LOCALHOST:1", "http://localhost:1"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "origin"), ORIGINS)
def test_origins(tmp_path: Path, address: str, origin: str) -> None:
    """An address is parsed once, to scheme, host and port; plain http to another machine works when it is allowed."""
    found = resolve({**REMOTE, "url": address}, root=tmp_path)
    assert (found.endpoint.origin, found.url, found.is_sendable) == (origin, origin, True)
    clear = resolve({**REMOTE, "url": "http://a.example:8080", "allow_http": True}, root=tmp_path)
    assert (clear.url, clear.allow_http) == ("http://a.example:8080", True)


def test_embedded(tmp_path: Path) -> None:
    """Without an address results go to the embedded store, project 1, with no proxy and no complaint about one."""
    found = resolve({}, {"HTTPS_PROXY": "no proxy", "SSL_CERT_FILE": "/none"}, root=tmp_path)
    assert found.endpoint == Endpoint(EMBEDDED_ORIGIN, 1, str(tmp_path / ".automation-report/store.sqlite3"))
    assert (found.url, found.ca_file, found.warnings) == ("", "", ())


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths start from the root folder, also a relative one, those of standard variables from the current one.

    ``~`` is the home folder, and the embedded store gets its own file.
    """
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    found = resolve({"spool": "~/kept", "database": "/data/s.db", "token_file": "~nobody-here/t"}, root=tmp_path)
    assert (str(found.spool), found.token_file) == ("/home/ann/kept", str(tmp_path / "~nobody-here/t"))
    assert (str(found.database), found.endpoint.database) == ("/data/s.db", "/data/s.db")
    found = resolve({**REMOTE, "spool": "kept"}, {"SSL_CERT_FILE": " ca.pem "}, root=Path("root"))
    assert (found.spool, found.ca_file) == (tmp_path / "root/kept", str(tmp_path / "ca.pem"))
    assert found.database == tmp_path / "root/.automation-report/store.sqlite3"


PROXIES: list[tuple[dict[str, str], dict[str, str]]] = [
    ({}, {}),
    ({"HTTPS_PROXY": "http://p.example:3128"}, {"https": "http://p.example:3128"}),
    ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1"}, {"https": "http://small:1"}),
    ({"https_proxy": "", "HTTPS_PROXY": "http://large:1"}, {}),
    ({"http_proxy": "http://p:1", "no_proxy": "a,b"}, {"http": "http://p:1", "no_proxy": "a,b"}),
    ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, {"http": "http://p:1", "no_proxy": "*"}),
    ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {}),
    ({"HTTPS_PROXY": " p.example:3128 "}, {"https": "http://p.example:3128"}),
    ({"HTTPS_PROXY": "http://ann:pw@p.example:3128/"}, {"https": "http://ann:pw@p.example:3128/"}),
    ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, {"http": "http://p:1", "https": "http://q:1"}),
    ({"HTTP_PROXY": "socks5://p:1", "HTTPS_PROXY": "http://q:1"}, {"https": "http://q:1"}),
]


@pytest.mark.parametrize(("environ", "proxies"), PROXIES)
def test_proxies(tmp_path: Path, environ: dict[str, str], proxies: dict[str, str]) -> None:
    """Proxies come from the standard variables, spelled small before spelled large; a password in one is not shown."""
    found = resolve(REMOTE, environ, root=tmp_path)
    assert (found.endpoint.proxies, found.warnings) == (proxies, ())
    assert "pw" not in repr(found.endpoint)
    for local in ("http://[::1]:81", "https://127.0.0.1:8080", "http://localhost"):
        assert resolve({**REMOTE, "url": local}, environ, root=tmp_path).endpoint.proxies == {}
    assert resolve({**REMOTE, "url": "https://[2001:db8::1]:81"}, environ, root=tmp_path).endpoint.proxies == proxies


@pytest.mark.parametrize(
    "value",
    [
        "http://ann:geheim@p.example:99999", "ftp://geheim", "http://", "http://geh eim:x@p:1", "socks5://geheim:1",
        "geheim/x",
    ],
)  # fmt: skip
def test_a_wrong_proxy_is_told_without_its_value(tmp_path: Path, value: str) -> None:
    """A proxy that cannot be used keeps results from being sent; its text may hold a password and stays unseen."""
    found = resolve(REMOTE, {"HTTPS_PROXY": value}, root=tmp_path)
    assert found.warnings == ("HTTPS_PROXY: its value is not a proxy URL: write http://HOST:PORT",)
    assert (found.is_sendable, found.endpoint.proxies) == (False, {})


def test_certificates(tmp_path: Path) -> None:
    """The setting goes before the standard variables, those in their order; plain http needs none."""
    for name in ("ours", "first", "second"):
        (tmp_path / name).touch()
    environ = {"REQUESTS_CA_BUNDLE": str(tmp_path / "first"), "SSL_CERT_FILE": str(tmp_path / "second")}
    assert resolve({**REMOTE, "ca_file": "ours"}, environ, root=tmp_path).ca_file == str(tmp_path / "ours")
    assert resolve(REMOTE, environ, root=tmp_path).ca_file == str(tmp_path / "first")
    assert resolve(REMOTE, {**environ, "REQUESTS_CA_BUNDLE": ""}, root=tmp_path).ca_file == str(tmp_path / "second")
    assert resolve(REMOTE, {"CURL_CA_BUNDLE": str(tmp_path)}, root=tmp_path).ca_file == str(tmp_path)
    assert resolve({**REMOTE, "url": "http://localhost"}, environ, root=tmp_path).ca_file == ""


def test_missing_certificates(tmp_path: Path) -> None:
    """A missing file is an error where it was typed, and told where a variable names it; nothing is sent then."""
    missing = str(tmp_path / "none")
    with pytest.raises(SettingError):
        resolve({"ca_file": missing}, root=tmp_path)
    hint = "name a file of certificates that can be read"
    found = resolve(REMOTE, {"CURL_CA_BUNDLE": missing}, root=tmp_path)
    assert found.warnings == (f"CURL_CA_BUNDLE: {missing!r} cannot be used: {hint}, or unset it",)
    assert not found.is_sendable
    found = resolve(REMOTE, {"AUTOMATION_REPORT_CA_FILE": missing, "CURL_CA_BUNDLE": missing}, root=tmp_path)
    assert found.warnings == (f"AUTOMATION_REPORT_CA_FILE: {missing!r} cannot be used: {hint}; {missing} cannot",)


@pytest.mark.parametrize(
    ("project", "folder", "source"),
    [
        ("shop", "x", "shop"), ("my_shop.web", "x", "my-shop-web"), ("--3d Größe--", "x", "d-Gro-e"),
        ("x", "folder", "folder"), ("ab", "x", "ab"), (None, "my tests", "my-tests"), (None, "42", "pytest"),
        (None, "日本", "pytest"), ("a" * 800, "x", "a" * 750),
    ],
)  # fmt: skip
def test_default_source(tmp_path: Path, project: str | None, folder: str, source: str) -> None:
    """The source is the project's name made valid, else, for the embedded server, the folder's."""
    assert resolve(project_name=project, root=tmp_path / folder).source == source


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "shop 2026-03-04 12:30:15"),
        ({"CI": "true"}, "shop 2026-03-04 12:30:15"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "main", "GITHUB_RUN_NUMBER": "7"}, "shop main #7"),
        ({"TEAMCITY_VERSION": "1", "BUILD_NUMBER": "7"}, "shop #7"),
        ({"CIRCLECI": "true", "CIRCLE_BRANCH": "a\x1bb"}, "shop a\\x1bb"),
        ({"AUTOMATION_REPORT_NAME": "given\nname", "CIRCLECI": "true", "CIRCLE_BRANCH": "x"}, "given\\nname"),
    ],
)
def test_default_name(tmp_path: Path, environ: dict[str, str], name: str) -> None:
    """A run is named after source, branch and build in CI, after source and local time elsewhere, in 750 units."""
    found = resolve({}, environ, root=tmp_path)
    assert (found.name, found.warnings) == (name, ())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[project]\nname = "shop"\n', "shop"), ("[project]\nname = 3\n", None), ("[tool]\n", None),
        ("project = 1\n", None), ("[project\n", None), ("\udcff\udcfe", None), (None, None),
    ],
)  # fmt: skip
def test_project_name(tmp_path: Path, text: str | None, name: str | None) -> None:
    """The project's name is read from pyproject.toml; a file without one, or a broken one, has none."""
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8", errors="surrogateescape")
    assert project_name(tmp_path) == name


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "PostgreSQL"])
def test_a_database_server_is_for_the_server(tmp_path: Path, scheme: str) -> None:
    """A session cannot write into it; the error says what to do instead and shows no password."""
    address = f"{scheme}://reports:secret@db.example:5433/reports?sslkey=secret"
    with pytest.raises(SettingError) as typed:
        resolve({"database": address}, root=tmp_path)
    told = str(typed.value)
    assert "--database: 'postgresql://reports@db.example:5433/reports' cannot be used: start `automation-" in told
    assert "`automation-report serve`" in told
    assert "--url" in told
    assert "secret" not in told
    kept = resolve({}, {"AUTOMATION_REPORT_DATABASE": address}, root=tmp_path)
    assert (kept.is_sendable, "secret" in kept.blocking_error) == (False, False)
    assert "AUTOMATION_REPORT_URL" in kept.blocking_error
    assert kept.database == tmp_path / ".automation-report" / "store.sqlite3"


def test_a_database_server_does_no_harm_to_who_reports_to_an_address(tmp_path: Path) -> None:
    """The ini file or environment of a server may be that of a session, too: with an address no store is used here."""
    found = resolve(REMOTE, {"AUTOMATION_REPORT_DATABASE": "postgresql://reports:secret@db/reports"}, root=tmp_path)
    assert (found.is_sendable, found.warnings) == (True, ())
    assert "secret" not in repr(found)


@pytest.mark.parametrize("address", ["mysql://u:secret@h/d", "postgresql://u:secret@@h/d", "postgresql+psycopg://h/d"])
def test_an_address_of_no_database_is_refused(tmp_path: Path, address: str) -> None:
    """What is neither a file nor a PostgreSQL address is told without what may be a password."""
    with pytest.raises(
        SettingError, match=r"--database: '[a-z+]+://' cannot be used: .*postgresql://USER@HOST"
    ) as told:
        resolve({"database": address}, root=tmp_path)
    assert "secret" not in str(told.value)


def test_a_tag_is_of_one_source_and_one_key() -> None:
    """Two suites of one build have tags of their own, and so have keys that look the same as tags."""
    pairs = [("suite", "build-7"), ("other", "build-7"), ("suite", "build 7"), ("suite", "build-7" * 20)]
    tags = [key_tag(source, key) for source, key in pairs]
    assert len(set(tags)) == len(tags)
    assert all(re.fullmatch(r"run-key-build-7[a-z0-9-]*-[0-9a-f]{10}", each) for each in tags)
    assert max(map(len, tags)) <= 80
    assert key_tag("suite", "build-7") == tags[0]


def test_a_key_with_a_place_that_nobody_knows_is_none() -> None:
    """Places are filled with what is known, an empty key is told with what is missing, each once."""
    facts = BuildInfo(build="7", pull_request=12)
    assert filled_key("b{build}-{pull_request}", facts) == ("b7-12", ())
    assert filled_key("{build}{tag}{branch}{tag}", facts) == ("", ("tag", "branch"))
    assert filled_key("nightly", facts) == ("nightly", ())
    # The jobs of a provider that does not number attempts share the first.
    assert filled_key("{pipeline}-{attempt}", BuildInfo(pipeline="99")) == ("99-1", ())
    assert filled_key("{pipeline}-{attempt}", BuildInfo(pipeline="99", attempt=2)) == ("99-2", ())


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
    assert file_address(template, "a b/c?.png", "{path}/c") == address


def test_buckets_are_told_from_folders() -> None:
    """Only the schemes of buckets make one."""
    assert [is_bucket(each) for each in ("s3://a", "gs://a/b", "az://a", "abfss://a")] == [True] * 4
    assert [is_bucket(each) for each in ("s3", "s3/a", "/s3://a", "https://a", "C:\\a")] == [False] * 5


def resolved(origin: str, **values: str) -> Settings:
    if origin == "command line":
        return resolve(values)
    return resolve({}, {f"AUTOMATION_REPORT_{name.upper()}": value for name, value in values.items()})


def test_a_bucket_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed it is a usage error that says what to install; in the environment it is told, and there is no store.

    Neither message shows the keys that the bucket's address has.
    """
    monkeypatch.setattr(artifact_stores, "find_spec", lambda _: None)
    address = "s3://AKIAQWERTYUIOP:wJalrXUtnFEMI/K7MDENG@shots/run"
    says = "'s3://***@shots/run' cannot be used: a bucket needs packages"
    with pytest.raises(SettingError, match=r"needs packages .*: pip install 'obstore>=0.10'") as typed:
        artifact_stores.artifact_store(resolved("command line", artifact_store=address), {}, Path("/r"))
    assert str(typed.value).startswith(f"--artifact-store: {says}")
    store, told = artifact_stores.artifact_store(resolved("environment", artifact_store=address), {}, Path("/r"))
    assert (store, told.startswith(f"AUTOMATION_REPORT_ARTIFACT_STORE: {says}")) == (None, True)
    assert "wJalr" not in f"{typed.value}{told}"


def test_only_what_opens_buckets_goes_to_the_sender() -> None:
    """Of the environment the sender gets the variables of the providers' tools, and no representation shows them."""
    pytest.importorskip("obstore")
    environ = {"AWS_SECRET_ACCESS_KEY": "hidden-1", "HOME": "/a", "https_proxy": "http://p", "OTHER": "", "PATH": "/b"}
    store, told = artifact_stores.artifact_store(resolved("command line", artifact_store="s3://a"), environ, Path("/r"))
    assert told == ""
    assert store is not None
    assert sorted(store.environ) == ["AWS_SECRET_ACCESS_KEY", "HOME", "https_proxy"]
    assert "hidden" not in repr(store)
