"""The attempts of a test, and the failures of one of them."""

from typing import Any

from pytest_automation_report.failures.reading import Fold
from pytest_automation_report.server.pages.test.failure import Attempt, attempts_of, sections_of
from pytest_automation_report.server.pages.words import Status, with_defaults
from support.website import TRACEBACK

FAILED = Status(3, "Failed", "fail")


def field(
    name: str, value: str = "", meta: dict[str, str] | None = None, *, is_highlight: bool = False
) -> dict[str, Any]:
    """Return a console field with all properties."""
    return with_defaults({"type": 4, "name": name, "value": value, "meta": meta or {}, "is_highlight": is_highlight})


def failure(name: str = "Failure", message: str = "assert 90 == 89", **meta: str) -> dict[str, Any]:
    """Return the field of a failure."""
    return field(name, TRACEBACK, {"message": message, "type": "AssertionError", **meta}, is_highlight=True)


def test_attempts_are_in_their_order() -> None:
    """Each earlier attempt has its own status and time, and the last one those of the test."""
    fields = [
        field("Attempt 2", meta={"status": "passed", "elapsed": "x"}),
        field("Attempt 1", meta={"status": "error", "elapsed": "7"}),
    ]
    assert attempts_of(fields, FAILED, 5, 2) == [
        Attempt(1, "fail", "failed", 7),
        Attempt(2, "pass", "passed", None),
        Attempt(3, "fail", "failed", 5),
    ]


def test_phases_and_subtests_have_their_titles() -> None:
    """Setup and teardown are named, by the client's own word or by pytest's message; a subtest by its arguments."""
    fields = [
        failure("Error", 'failed on setup with "refused"'),
        failure("Error [teardown]", "assert 1", phase="teardown"),
        failure("Failure [i=1]"),
    ]
    setup, teardown, subtest = sections_of(fields, None)
    assert (setup.phase_words, teardown.phase_words) == ("in its setup", "in its teardown")
    assert (subtest.title, subtest.phase_words) == ("Subtest i=1", "")


def test_skips_and_unexpected_passes_are_no_tracebacks() -> None:
    """The reason of a skip, of an expected failure and of an unexpected pass is shown as its text."""
    skipped = field("Skipped", "a.py:3: no ice", {"message": "no ice", "type": "pytest.skip"}, is_highlight=True)
    expected = field("Skipped", "bug 7", {"message": "bug 7", "type": "pytest.xfail"}, is_highlight=True)
    unexpected = with_defaults({"type": 1, "name": "Unexpected pass", "value": "bug 7"})
    sections = [section for entry in (skipped, expected, unexpected) for section in sections_of([entry], None)]
    assert [section.title for section in sections] == [
        "Why it was skipped",
        "Failed, as its xfail mark expects",
        "Passed, although it is marked xfail",
    ]
    assert [section.exceptions for section in sections] == [(), (), ()]
    assert [section.text for section in sections] == ["no ice", "bug 7", "bug 7"]


def test_failures_of_other_clients() -> None:
    """A client that highlights no field has its failure in the first field with a message."""
    (section,) = sections_of([field("stack", "boom", {"message": "it broke"}), field("x", "", {"message": "y"})], None)
    assert section.exceptions[0].shown.said == "it broke"
    assert sections_of([field("Output", "x")], None) == []


def test_long_code_hides_what_is_far_from_the_failure() -> None:
    """Lines far above the one that failed are folded, and none is lost."""
    code = "\n".join(["    def f():", *[f"        x = {number}" for number in range(40)], ">       raise ValueError"])
    (section,) = sections_of(
        [field("Failure", f"{code}\nE       ValueError\n\na.py:99: ValueError", is_highlight=True)], None
    )
    (call,) = section.exceptions[0].calls
    assert not isinstance(call, Fold)
    assert len(call.before) + len(call.lines) == 42
    assert (len(call.lines), call.lines[-1].number) == (12, 99)
