"""Exports are read by others' own programs: the official tool, and the schema of CTRF's package."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from compatibility.real.workplace import from_npm
from compatibility.vendor.official import submitted
from pytest_automation_report.api.models import Json
from pytest_automation_report.export.documents import SPEC_VERSION, JunitPart, ctrf_text, junit_xml
from support.exported import HOSTILE, a_field, a_flaky_item, a_problem, a_run, an_item, exported_from, findings_of

CTRF_PACKAGE = "0.3.0"
SCHEMA = "ctrf-schema-0.0.json"
ITEMS = [
    an_item("test_ok", "passed", a_field("Output", "hello", 4), a_field("Team", "blue")),
    an_item("test_fails[1-ü]", "failed", a_problem("Failure", "assert 1 == 2", "E   assert 1 == 2")),
    an_item("test_error", "failed", a_problem("Error", 'failed on setup with "x"', "E   x", "OSError")),
    an_item("test_both", "failed", a_problem("Failure", "a", "A"), a_problem("Error", "b", "B")),
    an_item("test_skip", "skipped", a_problem("Skipped", "later", "t.py:1: later", "pytest.skip")),
    a_flaky_item("test_flaky"),
    a_flaky_item("test_rerun", "failed", a_problem("Failure", "assert 0", "E   assert 0")),
    an_item("tests.test_broken", "failed", folder="tests.test_broken", file="tests/test_broken.py"),
]


@pytest.mark.slow
def test_the_official_tool_reads_the_same_results(tmp_path: Path) -> None:
    """Of JUnit XML the official tool makes the keys, names, folders, times and statuses that the run has."""
    xml = tmp_path / "run.xml"
    xml.write_text("".join(junit_xml(JunitPart(a_run(), exported_from(*ITEMS)))), encoding="utf-8")
    tests = {test["key"]: test for test in submitted(xml, tmp_path).tests}
    assert tests.keys() == {item["key"] for item in ITEMS}
    assert {test["name"]: test["status"] for test in tests.values()} == {
        "test_ok": "passed", "test_fails[1-ü]": "failure", "test_error": "error", "test_both": "error",
        "test_skip": "skipped", "test_flaky": "passed", "test_rerun": "failure", "tests.test_broken": "failure",
    }  # fmt: skip
    assert {test["elapsed"] for test in tests.values()} == {1_250_000}
    assert {test["folder"] for test in tests.values()} == {"tests.test_a", "Unnamed folder"}
    fields = tests[ITEMS[0]["key"]]["fields"]
    assert [(field["name"], field["value"]) for field in fields] == [("Output", "hello"), ("Team", "blue")]


def ctrf_schema() -> Json:
    """Return the schema of the format's package; skip the test where there is no npm or no registry."""
    folder = from_npm(f"ctrf-{CTRF_PACKAGE}", "the package of CTRF", dependencies={"ctrf": CTRF_PACKAGE})
    schema: Json = json.loads((folder / "node_modules" / "ctrf" / "dist" / SCHEMA).read_text(encoding="utf-8"))
    return schema


def documents() -> Iterator[str]:
    """Yield documents of runs with everything, with nothing, and with hostile texts."""
    steps = a_field("Steps", '<test-steps><test-step status="failed">pay</test-step></test-steps>', 3)
    link = {"name": "a.png", "url": "https://files.example.com/a.png"}
    rich = an_item("test_rich", "failed", steps, a_field("Log", "l", 4), artifacts=[link], fingerprint="ab")
    bare = {"key": "k", "name": "", "folder": "", "status": 1}
    hostile = an_item(HOSTILE, "failed", a_problem("Failure", HOSTILE, HOSTILE), a_field(HOSTILE, HOSTILE))
    yield ctrf_text(a_run(), exported_from(*ITEMS, rich, bare, hostile), findings_of()["base"])
    yield ctrf_text(a_run(name="", created_at=None, completed_at=None, elapsed=None, fields=None, links=[]), [])


@pytest.mark.slow
def test_ctrf_is_valid() -> None:
    """Documents are valid by the schema that CTRF's own package has for this version of the format."""
    schema = ctrf_schema()
    validator = Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)
    for text in documents():
        document = json.loads(text)
        assert document["specVersion"] == SPEC_VERSION
        assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(document)] == []
    assert list(validator.iter_errors({**json.loads(next(documents())), "unknown": 1}))
