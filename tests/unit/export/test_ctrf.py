"""CTRF of a run; `compatibility/vendor` validates it with the schema of the format's own package."""

import json

from pytest_automation_report.api.models import Json
from pytest_automation_report.export.documents import SPEC_VERSION, ctrf_text
from pytest_automation_report.export.results import ExportedTest
from pytest_automation_report.findings.documents import BaseRun
from support.exported import HOSTILE, a_field, a_flaky_item, a_problem, a_run, an_item, exported_from, findings_of

STEPS = '<test-steps><test-step status="passed">log in</test-step></test-steps>'


def _document(tests: list[ExportedTest], base: BaseRun | None = None, run_id: int = 12) -> Json:
    document: Json = json.loads(ctrf_text(a_run(id=run_id), tests, base))
    return document


def test_counts_and_times() -> None:
    """The summary has the numbers of each status, and the run's times in milliseconds."""
    tests = exported_from(an_item("a"), an_item("b", "failed"), an_item("c", "skipped"), an_item("d", "untested"))
    summary = _document([*tests, *exported_from(a_flaky_item("e"))])["results"]["summary"]
    assert summary == {
        "tests": 5, "passed": 2, "failed": 1, "skipped": 1, "pending": 0, "other": 1, "flaky": 1, "suites": 1,
        "start": 1795687200000, "stop": 1795687275000, "duration": 75_000,
    }  # fmt: skip


def test_a_failure() -> None:
    """A failure has message, trace, place, outputs, steps, files and the user's fields as labels."""
    link = {"name": "a.png", "url": "https://files.example.com/a.png", "mime_type": "image/png"}
    fields = [a_problem("Error", "no", "E   no", "OSError"), a_field("Output", "one\ntwo", 4), a_field("Team", "blue")]
    item = an_item("test_x", "failed", *fields, a_field("Steps", STEPS, 3), artifacts=[link], fingerprint="ab")
    (body,) = _document(exported_from(item))["results"]["tests"]
    assert body == {
        "name": "test_x", "status": "failed", "duration": 1250, "suite": ["tests.test_a"], "rawStatus": "error",
        "testId": item["key"], "message": "no", "trace": "E   no", "filePath": "tests/test_a.py", "line": 3,
        "threadId": "7", "stdout": ["one", "two"], "steps": [{"name": "log in", "status": "passed"}],
        "attachments": [{"name": "a.png", "contentType": "image/png", "path": link["url"]}],
        "labels": {"Team": "blue"}, "extra": {"reason": "ab"},
    }  # fmt: skip


def test_attempts_before_the_last() -> None:
    """Retries are counted, and the attempts before the last one are listed; a test that passed then is flaky."""
    (body,) = _document(exported_from(a_flaky_item("test_x")))["results"]["tests"]
    assert (body["retries"], body["flaky"]) == (2, True)
    assert [(attempt["attempt"], attempt["status"]) for attempt in body["retryAttempts"]] == [
        (1, "failed"),
        (2, "failed"),
    ]


def test_environment_and_base() -> None:
    """Branch, commit and CI link have their places, other fields of the run are kept, and the base is named."""
    document = _document([], findings_of()["base"])
    assert document["specVersion"] == SPEC_VERSION
    assert document["results"]["tool"] == {"name": "pytest", "version": "9.2.0"}
    assert document["results"]["environment"] == {
        "reportName": "nightly", "appName": "shop", "branchName": "main", "commit": "0123456789abcdef",
        "buildUrl": "https://ci.example.com/7", "extra": {"pytest": "9.2.0"},
    }  # fmt: skip
    base = _document([], run_id=11)
    assert document["baseline"]["reportId"] == base["reportId"] != document["reportId"]


def test_the_same_run_has_the_same_text() -> None:
    """Nothing depends on the time or on chance, and hostile text is only a JSON string."""
    texts = [
        ctrf_text(a_run(), exported_from(an_item(HOSTILE, "failed", a_problem("Failure", HOSTILE, HOSTILE))))
        for _ in "12"
    ]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["results"]["tests"][0]["message"] == HOSTILE
