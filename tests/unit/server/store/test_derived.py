"""Columns of runs and results that are derived from their fields."""

import json

import pytest

from pytest_automation_report.server.store.inserts import Derived, derived, run_columns
from pytest_automation_report.server.store.values import ResultClass, StoredAttachment, StoredTest
from support.website import attempts

PASSED, FAILED, NEUTRAL = ResultClass.SUCCESS, ResultClass.FAILURE, ResultClass.NEUTRAL


def a_result(*fields: dict[str, object], name: str = "test_a", folder: str = "tests.test_cart") -> StoredTest:
    return StoredTest("k", name, folder, 3, file="tests/test_cart.py", fields=json.dumps(fields) if fields else None)


def failure(message: str = "assert 3 == 4", name: str = "Failure", **more: object) -> dict[str, object]:
    return {"name": name, "type": 5, "value": "text", "meta": {"message": message}, "is_highlight": True, **more}


def told(message: str, phase: str) -> dict[str, object]:
    return failure(meta={"message": message, "phase": phase})


@pytest.mark.parametrize(
    ("test", "result_class"),
    [(a_result(), PASSED), (a_result(), NEUTRAL), (a_result(attempts("1")), PASSED), (a_result(failure()), NEUTRAL)],
    ids=["passed", "skipped", "one-attempt", "expected-failure"],
)
def test_nothing_is_derived(test: StoredTest, result_class: int) -> None:
    """A test that passed at once, and one that decides nothing, have no derived columns."""
    assert derived(test, result_class) == Derived()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", 1), ("3", 2), ("1", None), ("0", None), ("two", None), ("-2", None), (None, None), ("9" * 40, None)],
)
def test_failed_attempts(value: str, expected: int | None) -> None:
    """The attempts before the last one are those that failed; a value that is no number counts as one attempt.

    A user's field with the name of ours does not make a test flaky.
    """
    users = {"name": "Attempts", "value": "7", "type": 1}
    assert derived(a_result(users, attempts(value)), PASSED) == Derived(expected)


OUTPUT: dict[str, object] = {"name": "Output", "value": "o"}


@pytest.mark.parametrize(
    ("test", "phase", "message"),
    [
        pytest.param(a_result(failure()), "call", "assert 3 == 4", id="call"),
        pytest.param(a_result(failure('failed on setup with "E: x"', "Error")), "setup", "E: x", id="setup"),
        pytest.param(a_result(told('failed on setup with "x"', "call")), "call", "x", id="said-call"),
        pytest.param(a_result(told("E: full", "teardown")), "teardown", "E: full", id="said-teardown"),
        pytest.param(a_result(told("E: full", "lunch")), "call", "E: full", id="said-nothing"),
        pytest.param(a_result(failure("first\nsecond")), "call", "first", id="first-line"),
        pytest.param(a_result(failure("x" * 300)), "call", "x" * 200, id="long"),
        pytest.param(a_result(OUTPUT, failure(is_highlight=False)), "call", "assert 3 == 4", id="not-highlighted"),
        pytest.param(a_result(failure("E: x", "Error"), name="tests.test_cart"), "collection", "E: x", id="collection"),
        pytest.param(a_result(OUTPUT), "call", "", id="no-failure-field"),
        pytest.param(a_result(), "call", "", id="no-fields"),
    ],
)
def test_failure(test: StoredTest, phase: str, message: str) -> None:
    """Each failure has a phase, the first line of its message and a fingerprint of 64 bits."""
    found = derived(test, FAILED)
    assert (found.phase, found.message, found.failed_attempts) == (phase, message, None)
    assert found.fingerprint is not None
    assert -(2**63) <= found.fingerprint < 2**63


def test_a_failure_of_several_attempts_has_both() -> None:
    """A test that failed at its third attempt has its failed attempts and its reason."""
    found = derived(a_result(failure(), attempts("3")), FAILED)
    assert (found.failed_attempts, found.message) == (2, "assert 3 == 4")


def fields(**values: object) -> list[StoredAttachment]:
    names = {name.replace("_", " "): value for name, value in values.items()}
    return [StoredAttachment("fields", json.dumps({"name": name, "value": value})) for name, value in names.items()]


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        (fields(Branch="main", Commit="a1b2"), {"branch": "main", "commit": "a1b2"}),
        (fields(Target_branch="main", Selection="-k cart"), {"target_branch": "main", "selection": "-k cart"}),
        (fields(Branch="", Other="x"), {}),
        (fields(Branch=None), {}),
        ([StoredAttachment("links", json.dumps({"name": "Commit", "url": "https://example.com"}))], {}),
        ([], {}),
    ],
)
def test_run_columns(attachments: list[StoredAttachment], expected: dict[str, object]) -> None:
    """A run's branch, commit and selection are those of its fields; links of the same name are not."""
    assert run_columns(attachments) == expected
