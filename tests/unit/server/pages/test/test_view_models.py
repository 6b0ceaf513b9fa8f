"""The values of a test's page: attempts, failures, steps, output, facts, files."""

from typing import Any

from pytest_automation_report.api.models import Cause, Field, Step
from pytest_automation_report.failures.frames import Fold
from pytest_automation_report.server.pages.test.view_models import (
    FailureSection,
    ShownAttempt,
    StoredAttempt,
    attempts_of,
    author_texts,
    facts_of,
    files_of,
    outputs_of,
    preview_of,
    sections_of,
    short_link,
    step_rows,
)
from pytest_automation_report.server.pages.words import ShownStatus
from pytest_automation_report.server.store.stored import StoredEntry
from support.website import TRACEBACK

FAILED = ShownStatus(3, "Failed", "fail")


def field(name: str, value: str = "", meta: dict[str, str] | None = None) -> StoredEntry:
    return StoredEntry(name, 4, value, meta or {})


def failure(name: str = "Failure", message: str = "assert 90 == 89", **more: Any) -> Cause:  # noqa: ANN401 - members
    return Cause("failure", name, TRACEBACK, message, "AssertionError", **more)


def sections(*causes: Cause) -> list[FailureSection]:
    return sections_of(StoredAttempt(0, causes=causes))


def test_attempts_are_in_their_order() -> None:
    """Each earlier attempt has its own status and time, and the last one those of the test."""
    stored = StoredAttempt(2, "passed"), StoredAttempt(1, "error", 7)
    earlier = [ShownAttempt(1, "fail", "failed", 7), ShownAttempt(2, "pass", "passed", None)]
    assert attempts_of(stored, FAILED, 5, 2) == [*earlier, ShownAttempt(3, "fail", "failed", 5)]


def test_phases_and_subtests_have_their_titles() -> None:
    """Setup and teardown are named, by the client's own word or by pytest's message; a subtest by its arguments."""
    said = failure("Error", 'failed on setup with "refused"')
    own = failure("Error [teardown]", "assert 1", phase="teardown")
    setup, teardown, subtest = sections(said, own, failure("Failure [i=1]", subtest="i=1"))
    assert (setup.phase_words, teardown.phase_words) == ("in its setup", "in its teardown")
    assert (subtest.title, subtest.phase_words) == ("Subtest i=1", "")


def test_skips_and_unexpected_passes_are_no_tracebacks() -> None:
    """The reason of a skip, of an expected failure and of an unexpected pass is shown as its text, none as failed."""
    skipped = Cause("skipped", "Skipped", "a.py:3: no ice", "no ice", "pytest.skip")
    expected = Cause("skipped", "Skipped", "bug 7", "bug 7", "pytest.xfail")
    found = sections(skipped, expected, Cause("xpass", "Unexpected pass", "bug 7"))
    assert [(section.title, section.exceptions, section.text, section.edge) for section in found] == [
        ("Why it was skipped", (), "no ice", "calm"),
        ("Failed, as its xfail mark expects", (), "bug 7", "calm"),
        ("Passed, although it is marked xfail", (), "bug 7", "odd"),
    ]


def test_long_code_hides_what_is_far_from_the_failure() -> None:
    """Lines far above the one that failed are folded, and none is lost."""
    code = "\n".join(["    def f():", *[f"        x = {number}" for number in range(40)], ">       raise ValueError"])
    text = f"{code}\nE       ValueError\n\na.py:99: ValueError"
    (section,) = sections(Cause("failure", "Failure", text))
    (call,) = section.exceptions[0].calls
    assert not isinstance(call, Fold)
    assert len(call.before) + len(call.lines) == 42
    assert (len(call.lines), call.lines[-1][0].number) == (12, 99)


def test_steps() -> None:
    """Steps have depth and status, and their share of the longest one if the client timed them."""
    found = step_rows((Step("pay", "passed", 40, steps=(Step("card", "failed", 10), Step("number", "skipped"))),))
    rows = [("pay", "pass", 0, 40, 1.0), ("card", "fail", 1, 10, 0.25), ("number", "skip", 1, None, 0.0)]
    assert [(row.name, row.tone, row.depth, row.elapsed, row.share) for row in found] == rows


def test_facts_are_short() -> None:
    """Fields in one line are facts, also one named as ours; links are short, an address that is none stays text."""
    issue = "https://jira.example/browse/HARB-207"
    fields: list[dict[str, Any]] = [
        *({"type": 5, "name": "Issue", "value": issue}, {"type": 5, "name": "bad", "value": "javascript:alert(1)"}),
        *({"type": 1, "name": "owner", "value": "web"}, {"type": 4, "name": "Output", "value": "x"}),
        {"type": 1, "name": "Attempts", "value": "7"},
    ]
    assert facts_of([StoredEntry(**each) for each in fields], "team") == [
        ("Issue", "HARB-207", issue), ("bad", "javascript:alert(1)", ""), ("owner", "web", ""), ("Attempts", "7", ""),
        ("Owner", "team", ""),
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
    """Captured streams are tabs; an author's texts are panels, whatever their names; an earlier attempt has its own."""
    stored = StoredAttempt(0, output={"Log": "l", "Output": "o"})
    assert [output.stream for output in outputs_of(stored)] == ["stdout", "log"]
    fields = [*(field(name, name) for name in ("Log", "request", "Attempt 2")), StoredEntry("x", 1)]
    assert [name for name, _ in author_texts(fields, stored)] == ["Log", "request", "Attempt 2"]
    assert [name for name, _ in author_texts(fields, StoredAttempt(1, fields=(Field("own", "1"),)))] == ["own"]


def test_files_belong_to_their_attempt() -> None:
    """The note that the client writes says the attempt, and a note of the user's own stays."""
    notes = {"a": "attempt 1", "b": "attempt 1: after pay", "c": "after pay"}
    artifacts = [StoredEntry(name, url="https://x.example/", note=note) for name, note in notes.items()]
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
