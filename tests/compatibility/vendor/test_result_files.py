"""``submit`` sends of a result file what the official tool sends of it: as recorded, and as it does it now."""

import json
from pathlib import Path

import pytest

from compatibility.vendor.official import submitted
from pytest_automation_report.api.models import Json
from pytest_automation_report.junit.results import HOST_FIELD
from support.checked_server import CheckedServer
from support.projects import console

FILES = Path(__file__).parent / "results"
RECORDED: dict[str, Json] = json.loads((FILES / "official.json").read_text(encoding="utf-8"))

_STRING, _TEXT, _URL = 1, 2, 5


def _field(field: Json, *, is_theirs: bool) -> Json:
    """Return a field with its defaults.

    The official tool sends every plain property as one line, and keeps space that is written as a reference.
    """
    value, kind = field["value"].strip(), field["type"]
    if is_theirs and kind == _STRING and value.startswith(("https://", "http://")):
        kind = _URL
    elif is_theirs and kind == _STRING and "\n" in value:
        kind = _TEXT
    meta = {key: each.strip() for key, each in field.get("meta", {}).items()}
    return {"is_highlight": False, **field, "meta": meta, "value": value, "type": kind}


def _test(test: Json, *, is_theirs: bool = False) -> Json:
    """Return a test with its defaults and its fields in one order: the official tool has attachments first."""
    fields = [_field(each, is_theirs=is_theirs) for each in test.get("fields", ())]
    ordered = sorted(fields, key=lambda each: str(each["name"]).lower().startswith("attachment"))
    return {"artifacts": [], **test, "fields": ordered}


def _ordered(tests: list[Json]) -> list[Json]:
    """Return the tests in one order: the official tool sends the cases of inner suites first."""
    return sorted(tests, key=lambda each: str(each["key"]))


def test_every_sample_is_recorded() -> None:
    """The record has each sample, and each holds several kinds of results."""
    assert RECORDED.keys() == {each.name for each in FILES.glob("*.xml")}
    assert {test["status"] for each in RECORDED.values() for test in each["tests"]} == {
        "passed", "failure", "error", "skipped",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_sends_what_the_official_tool_sends(name: str, tmp_path: Path, server: CheckedServer) -> None:
    """Keys, folders, names, statuses, fields, artifacts and times are those that the official tool was seen to send."""
    server.is_testmo = True
    place = [*server.options, "--source", "suite"]
    ran = console(tmp_path, "submit", str(FILES / name), *place)
    assert (ran.exit, ran.out) == (0, "1\n"), ran.text
    # The host of a suite, by which results of two browsers are told apart, is a field that the official tool has not.
    ours = [
        _test({**each, "fields": [field for field in each.get("fields", ()) if field["name"] != HOST_FIELD]})
        for _, each in server.tests()
    ]
    theirs = [_test(each, is_theirs=True) for each in RECORDED[name]["tests"]]
    assert _ordered(ours) == _ordered(theirs)
    threads = [each.body["elapsed_computed"] for each in server.posts("/complete") if "/threads/" in each.path]
    assert sum(threads) == RECORDED[name]["elapsed"]
    assert server.posts("/runs/1/complete")[0].body == {"measure_elapsed": False}
    assert list(tmp_path.glob(".automation-report/spool/*-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECORDED))
def test_official_tool_still_sends_what_was_recorded(name: str, tmp_path: Path) -> None:
    """The record is what the official tool sends today."""
    found = submitted(FILES / name, tmp_path)
    assert {"elapsed": found.elapsed, "tests": found.tests} == RECORDED[name]
