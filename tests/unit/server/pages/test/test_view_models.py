"""The values of a test's page: attempts, failures, steps, output, facts, files."""

from typing import Any

import pytest

from pytest_automation_report.failures.frames import Fold
from pytest_automation_report.server.pages.test.view_models import (
    ShownAttempt,
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
from pytest_automation_report.server.pages.words import Entry, ShownStatus, with_defaults
from pytest_automation_report.server.store.stored import StoredEntry
from pytest_automation_report.server.store.values import StepNode
from support.website import TRACEBACK

FAILED = ShownStatus(3, "Failed", "fail")


def field(name: str, value: str = "", meta: dict[str, str] | None = None, *, is_highlight: bool = False) -> Entry:
    return with_defaults(StoredEntry(name, 4, value, meta or {}, is_highlight))


def failure(name: str = "Failure", message: str = "assert 90 == 89", **meta: str) -> Entry:
    return field(name, TRACEBACK, {"message": message, "type": "AssertionError", **meta}, is_highlight=True)


def test_attempts_are_in_their_order() -> None:
    """Each earlier attempt has its own status and time, and the last one those of the test."""
    statuses = {2: {"status": "passed", "elapsed": "x"}, 1: {"status": "error", "elapsed": "7"}}
    fields = [field(f"Attempt {number}", meta=meta) for number, meta in statuses.items()]
    earlier = [ShownAttempt(1, "fail", "failed", 7), ShownAttempt(2, "pass", "passed", None)]
    assert attempts_of(fields, FAILED, 5, 2) == [*earlier, ShownAttempt(3, "fail", "failed", 5)]


def test_phases_and_subtests_have_their_titles() -> None:
    """Setup and teardown are named, by the client's own word or by pytest's message; a subtest by its arguments."""
    said = failure("Error", 'failed on setup with "refused"')
    own = failure("Error [teardown]", "assert 1", phase="teardown")
    setup, teardown, subtest = sections_of([said, own, failure("Failure [i=1]")], None)
    assert (setup.phase_words, teardown.phase_words) == ("in its setup", "in its teardown")
    assert (subtest.title, subtest.phase_words) == ("Subtest i=1", "")


def test_skips_and_unexpected_passes_are_no_tracebacks() -> None:
    """The reason of a skip, of an expected failure and of an unexpected pass is shown as its text, none as failed."""
    skipped = field("Skipped", "a.py:3: no ice", {"message": "no ice", "type": "pytest.skip"}, is_highlight=True)
    expected = field("Skipped", "bug 7", {"message": "bug 7", "type": "pytest.xfail"}, is_highlight=True)
    unexpected = with_defaults(StoredEntry("Unexpected pass", 1, "bug 7"))
    sections = [section for entry in (skipped, expected, unexpected) for section in sections_of([entry], None)]
    assert [(section.title, section.exceptions, section.text, section.edge) for section in sections] == [
        ("Why it was skipped", (), "no ice", "calm"),
        ("Failed, as its xfail mark expects", (), "bug 7", "calm"),
        ("Passed, although it is marked xfail", (), "bug 7", "odd"),
    ]


def test_failures_of_other_clients() -> None:
    """A client that highlights no field has its failure in the first field with a message."""
    (section,) = sections_of([field("stack", "boom", {"message": "it broke"}), field("x", "", {"message": "y"})], None)
    assert section.exceptions[0].shown.said == "it broke"
    assert sections_of([field("Output", "x")], None) == []


def test_long_code_hides_what_is_far_from_the_failure() -> None:
    """Lines far above the one that failed are folded, and none is lost."""
    code = "\n".join(["    def f():", *[f"        x = {number}" for number in range(40)], ">       raise ValueError"])
    text = f"{code}\nE       ValueError\n\na.py:99: ValueError"
    (section,) = sections_of([field("Failure", text, is_highlight=True)], None)
    (call,) = section.exceptions[0].calls
    assert not isinstance(call, Fold)
    assert len(call.before) + len(call.lines) == 42
    assert (len(call.lines), call.lines[-1][0].number) == (12, 99)


STEPS = (
    '<test-steps><test-step status="passed">pay</test-step><test-step status="failed">\u203a card</test-step>'
    '<test-step status="skipped">\u203a \u203a number</test-step></test-steps>'
)
ATTEMPT = {"type": 4, "name": "Attempt 1", "value": "boom\n\n[passed] pay\n[failed] \u203a card"}
TIMED = (StepNode("pay", "passed", 40, (StepNode("card", "failed", 10),)),)
ROWS = [("pay", "pass", 0), ("card", "fail", 1)]


@pytest.mark.parametrize(
    ("timed", "sent", "attempt", "rows", "shares"),
    [
        ((), {"type": 3, "name": "Steps", "value": STEPS}, None, [*ROWS, ("number", "skip", 2)], [(None, None)] * 3),
        (TIMED, {}, None, ROWS, [(40, 1.0), (10, 0.25)]),
        ((), {**ATTEMPT, "meta": {"status": "failure"}}, 1, ROWS, [(None, None)] * 2),
        ((), {**ATTEMPT, "meta": {"status": "failure"}}, 2, [], []),
    ],
    ids=["contract", "timed", "attempt", "other-attempt"],
)
def test_steps(
    timed: tuple[StepNode, ...], sent: dict[str, Any], attempt: int | None, rows: list[object], shares: list[object]
) -> None:
    """Steps have depth and status, and their share of the longest one if the client timed them."""
    found = step_rows([with_defaults(StoredEntry(**sent))] if sent else [], attempt, timed)
    assert [(row.name, row.tone, row.depth) for row in found] == rows
    assert [(row.elapsed, row.share or None) for row in found] == shares


def test_facts_are_short() -> None:
    """Fields in one line are facts, also one named as ours; links are short, an address that is none stays text."""
    issue = "https://jira.example/browse/HARB-207"
    fields: list[dict[str, Any]] = [
        *({"type": 5, "name": "Issue", "value": issue}, {"type": 5, "name": "bad", "value": "javascript:alert(1)"}),
        *({"type": 1, "name": "owner", "value": "web"}, {"type": 4, "name": "Output", "value": "x"}),
        {"type": 1, "name": "Attempts", "value": "3", "meta": {"counts": "attempts"}},
        {"type": 1, "name": "Attempts", "value": "7"},
    ]
    assert facts_of([with_defaults(StoredEntry(**each)) for each in fields]) == [
        ("Issue", "HARB-207", issue), ("bad", "javascript:alert(1)", ""), ("owner", "web", ""), ("Attempts", "7", ""),
    ]  # fmt: skip


def test_links_have_short_texts() -> None:
    """The text of a link is the part by which people know it."""
    texts = {
        "jira.example/browse/HARB-207": "HARB-207", "testmo.example/repositories/1?case=C1042": "C1042",
        "grafana.example/d/7/harbour/": "harbour", "host.example": "host.example", "host.example/a%20b?x=1&y=2": "a b",
        "user:password@host.example/": "host.example", "host.example/" + "x" * 100: "host.example",
        "grafana.example/d/7": "grafana.example/d/7",
    }  # fmt: skip
    assert {url: short_link(f"https://{url}") for url in texts} == texts


def test_streams_and_other_texts() -> None:
    """Captured streams are tabs; a user's texts are panels, whatever their names; failures and attempts are neither."""
    fields = [
        *(field(name, name) for name in ("Log", "Output", "request", "Attempt 2")),
        *(field("Failure", "f", is_highlight=True), field("x", "x", {"message": "y"})),
        field("Attempt 1", "1", {"status": "failure"}),
    ]
    assert [output.stream for output in outputs_of(fields)] == ["stdout", "log"]
    assert [name for name, _ in other_texts(fields, None)] == ["request", "Attempt 2"]
    assert other_texts(fields, 1) == []


def test_files_belong_to_their_attempt() -> None:
    """The note that the client writes says the attempt, and a note of the user's own stays."""
    notes = {"a": "attempt 1", "b": "attempt 1: after pay", "c": "after pay"}
    artifacts = [with_defaults(StoredEntry(name, url="https://x.example/", note=note)) for name, note in notes.items()]
    for attempt, files in ((1, [("a", ""), ("b", "after pay")]), (None, [("c", "after pay")]), (2, [])):
        assert [(file.name, file.note) for file in files_of(artifacts, {}, attempt)] == files


def test_a_preview_says_how_much_it_leaves_out() -> None:
    """The first lines of a text are shown, and the number of bytes after them."""
    for data, size, shown in (
        *((b"a\nb\n", 4, (2, 2, 0)), (b"a\n" * 300, 600, (200, 300, 201)), (b"x" * 30_000, 30_000, (1, None, 6_000))),
        *((b"a\n", 1_000_000, (1, None, 999_999)), (b"\xff\xfe", 2, (1, 1, 0))),
    ):
        preview = preview_of(data, size)
        assert (len(preview.lines), preview.line_count, preview.more_bytes) == shown
