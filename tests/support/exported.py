"""Runs and results as the API describes them, for the tests of exports."""

from typing import Any

from pytest_automation_report.api.models import Json
from pytest_automation_report.api.responses import Run, run_from
from pytest_automation_report.export.results import ExportedTest
from pytest_automation_report.spool.records import test_key

CONSOLE = 4
CLASSES = {"passed": 2, "failed": 3, "skipped": 1, "untested": 1}
HOSTILE = "</script><script>alert(1)</script>]]>&\"'`|\x1b[31m\x00\u202e@someone #1 ```"
"""A text that ends markup, code, cells and sections of every form, with characters that XML has no place for."""


def a_field(name: str, value: str | None, kind: int = 1, **more: object) -> Json:
    return {"name": name, "value": value, "type": kind, **more}


def a_problem(name: str, message: str, text: str, type_: str = "AssertionError") -> Json:
    return a_field(name, text, CONSOLE, meta={"message": message, "type": type_}, is_highlight=True)


def an_item(name: str, status: str = "passed", *fields: Json, folder: str = "tests.test_a", **more: object) -> Json:
    """Return a result as a server of ours lists it."""
    key = test_key("" if folder == name else folder, name)
    return {
        "automation_test_id": 1, "thread_id": 7, "key": key, "folder": folder, "name": name,
        "status": CLASSES[status], "status_name": status, "elapsed": 1_250_000, "file": "tests/test_a.py", "line": 3,
        "fields": list(fields), "artifacts": [], "fingerprint": None, **more,
    }  # fmt: skip


def a_flaky_item(name: str, status: str = "passed", *more: Json) -> Json:
    attempts = [
        a_field("Attempt 1", "E   assert 0", CONSOLE, meta={"status": "failure", "message": "assert 0"}),
        a_field("Attempt 2", "no server", CONSOLE, meta={"status": "error", "type": "OSError", "message": "no server"}),
    ]
    return an_item(name, status, *more, a_field("Attempts", "3", meta={"counts": "attempts"}), *attempts)


def exported_from(*items: Json) -> list[ExportedTest]:
    return [ExportedTest.from_item(item) for item in items]


def a_run(**more: object) -> Run:
    result = {
        "id": 12, "name": "nightly", "source_id": 3, "is_completed": True,
        "total_count": 4, "failure_count": 1, "success_count": 3,
        "elapsed": 75_000_000, "created_at": "2026-11-26T10:00:00.000Z", "completed_at": "2026-11-26T10:01:15.000Z",
        "fields": [a_field("Branch", "main"), a_field("Commit", "0123456789abcdef"), a_field("pytest", "9.2.0")],
        "links": [{"name": "CI job", "url": "https://ci.example.com/7"}], **more,
    }  # fmt: skip
    expands = {"automation_sources": [{"id": 3, "name": "shop"}]}
    return run_from({"result": result, "expands": expands})


def findings_of(**more: object) -> Any:  # noqa: ANN401 - a part of them
    """Return findings in which one test fails anew, for one of two reasons."""
    entry = {"key": test_key("tests.test_a", "test_new"), "folder": "tests.test_a", "name": "test_new", "kind": "new"}
    names = (
        "newly_failing", "still_failing", "fixed", "new_tests", "gone", "newly_skipped", "passed_again", "flaky",
        "slower", "faster",
    )  # fmt: skip
    reason = {
        "title": "assert 1 == 2", "place": "tests/test_a.py", "phase": "call", "count": 1, "kind": "new",
        "mine": {"new": 1}, "since": None, "keys": [entry["key"]], "fingerprint": "c983aad23679efbf",
    }  # fmt: skip
    return {
        "run": 12,
        "base": {"run": 11, "why": "same branch", "commit": "fedcba9876543210", "changes": None, "at": 1},
        "verdict": {
            "kind": "failed", "tone": "fail", "long": "1 of 4 tests failed, for 2 reasons",
            "short": "1 failed", "part": "",
        },
        "ran": {"finished": 4, "failed": 1, "passed": 3, "skipped": 0, "not_run": 0, "files": 0},
        "mine": {"new": 1, "back": 0, "flaky": 0, "still": 0, "known": 0}, "known": "",
        "counts": {**dict.fromkeys(names, 0), "newly_failing": 1, "fixed": 2, "flaky": 1, "not_run": 0},
        "tests": {**{name: [] for name in names[:7]}, "newly_failing": [entry]},
        "reasons": [reason, {**reason, "title": "no server", "kind": "still", "mine": {"still": 1}, "keys": []}],
        "flaky": [
            {
                "folder": "tests.test_a", "name": "test_often", "key": "often",
                "state": "flaky", "failed": 3, "runs": 20,
                "evidence": {"retries": 0, "states": 0, "isolated": 2},
            }
        ],
        **more,
    }  # fmt: skip
