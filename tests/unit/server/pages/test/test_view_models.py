"""The values of a test's page: attempts, failures, steps, output, facts, files."""

import json
from typing import Any

import pytest

from pytest_automation_report.failures.reading import Fold
from pytest_automation_report.server.pages.test.view_models import (
    Attempt,
    Fact,
    attempts_of,
    facts_of,
    files_of,
    other_texts,
    outputs_of,
    preview_of,
    sections_of,
    short_link,
    step_rows,
)
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


STEPS = (
    '<test-steps><test-step status="passed">pay</test-step><test-step status="failed">\u203a card</test-step>'
    '<test-step status="skipped">\u203a \u203a number</test-step></test-steps>'
)
NOT_TIMED = {"steps": None}


def test_steps_of_the_contract() -> None:
    """Steps without times have their depth and status."""
    rows = step_rows(NOT_TIMED, [with_defaults({"type": 3, "name": "Steps", "value": STEPS})], None)
    assert [(row.name, row.tone, row.depth, row.elapsed) for row in rows] == [
        ("pay", "pass", 0, None),
        ("card", "fail", 1, None),
        ("number", "skip", 2, None),
    ]


def test_steps_with_times() -> None:
    """Steps that the client timed have their time and their share of the longest one."""
    inner = [{"name": "card", "status": "failed", "elapsed": 10}]
    stored = [{"name": "pay", "status": "passed", "elapsed": 40, "steps": inner}]
    rows = step_rows({"steps": json.dumps(stored)}, [], None)
    assert [(row.name, row.depth, row.elapsed, row.share) for row in rows] == [
        ("pay", 0, 40, 1.0),
        ("card", 1, 10, 0.25),
    ]


def test_steps_of_an_earlier_attempt() -> None:
    """The text of an earlier attempt has its steps in lines."""
    text = "boom\n\n[passed] pay\n[failed] \u203a card"
    fields = [with_defaults({"type": 4, "name": "Attempt 1", "value": text, "meta": {"status": "failure"}})]
    assert [(row.name, row.tone, row.depth) for row in step_rows(NOT_TIMED, fields, 1)] == [
        ("pay", "pass", 0),
        ("card", "fail", 1),
    ]
    assert step_rows(NOT_TIMED, fields, 2) == []


def test_facts_are_short() -> None:
    """Fields in one line are facts, also one named as ours; links are short, an address that is none stays text."""
    fields = [
        with_defaults(field)
        for field in (
            {"type": 5, "name": "Issue", "value": "https://jira.example/browse/HARB-207"},
            {"type": 5, "name": "bad", "value": "javascript:alert(1)"},
            {"type": 1, "name": "owner", "value": "web"},
            {"type": 1, "name": "Attempts", "value": "3", "meta": {"counts": "attempts"}},
            {"type": 1, "name": "Attempts", "value": "7"},
            {"type": 4, "name": "Output", "value": "x"},
        )
    ]
    assert facts_of(fields) == [
        Fact("Issue", "HARB-207", "https://jira.example/browse/HARB-207"),
        Fact("bad", "javascript:alert(1)", ""),
        Fact("owner", "web", ""),
        Fact("Attempts", "7", ""),
    ]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://jira.example/browse/HARB-207", "HARB-207"),
        ("https://testmo.example/repositories/1?case=C1042", "C1042"),
        ("https://grafana.example/d/7/harbour/", "harbour"),
        ("https://host.example", "host.example"),
        ("https://user:password@host.example/", "host.example"),
        ("https://host.example/" + "x" * 100, "host.example"),
        ("https://host.example/a%20b?x=1&y=2", "a b"),
    ],
)
def test_links_have_short_texts(url: str, text: str) -> None:
    """The text of a link is the part by which people know it."""
    assert short_link(url) == text


def test_streams_and_other_texts() -> None:
    """Captured streams are tabs; a user's texts are panels, whatever their names; failures and attempts are neither."""
    fields = [
        with_defaults({"type": 4, "name": name, "value": name, **others})
        for name, others in (
            ("Log", {}),
            ("Output", {}),
            ("request", {}),
            ("Failure", {"is_highlight": True}),
            ("Attempt 1", {"meta": {"status": "failure"}}),
            ("Attempt 2", {}),
            ("x", {"meta": {"message": "y"}}),
        )
    ]
    assert [output.stream for output in outputs_of(fields)] == ["stdout", "log"]
    assert [name for name, _ in other_texts(fields, None)] == ["request", "Attempt 2"]
    assert other_texts(fields, 1) == []


def test_files_belong_to_their_attempt() -> None:
    """The note that the client writes says the attempt, and a note of the user's own stays."""
    notes = {"a": "attempt 1", "b": "attempt 1: after pay", "c": "after pay"}
    artifacts = [
        with_defaults({"name": name, "url": f"https://x.example/{name}", "note": note}) for name, note in notes.items()
    ]
    assert [(file.name, file.note) for file in files_of(artifacts, {}, 1)] == [("a", ""), ("b", "after pay")]
    assert [(file.name, file.note) for file in files_of(artifacts, {}, None)] == [("c", "after pay")]
    assert files_of(artifacts, {}, 2) == []


@pytest.mark.parametrize(
    ("data", "size", "lines", "line_count", "more"),
    [
        (b"a\nb\n", 4, 2, 2, 0),
        (b"a\n" * 300, 600, 200, 300, 201),
        (b"x" * 30_000, 30_000, 1, None, 6_000),
        (b"a\n", 1_000_000, 1, None, 999_999),
        (b"\xff\xfe", 2, 1, 1, 0),
    ],
)
def test_a_preview_says_how_much_it_leaves_out(
    data: bytes, size: int, lines: int, line_count: int | None, more: int
) -> None:
    """The first lines of a text are shown, and the number of bytes after them."""
    preview = preview_of(data, size)
    assert (len(preview.lines), preview.line_count, preview.more_bytes) == (lines, line_count, more)
