"""Findings as lines for a terminal."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_automation_report.findings.documents import FailureReason, Mine, RunFindings, RunMention, VerdictWords
from pytest_automation_report.findings.sentences import (
    changes_line,
    compared_line,
    earlier_source_line,
    findings_lines,
    reason_lines,
    since_words,
    time_ago,
    verdict_line,
)
from pytest_automation_report.spool.records import ReportRecord
from pytest_automation_report.spool.writer import WriteLosses
from pytest_automation_report.summary.lines import Shell, counted_otherwise, report_lines

MINUTE = 60_000_000
NOW = 1_000_000 * MINUTE
SINCE: RunMention = {
    "run": 5, "commit": "b2c3d4e5f6", "author": "Ann", "changes": None, "at": NOW - 48 * 60 * MINUTE,
}  # fmt: skip
COUNTS = ("fixed", "flaky", "slower", "gone", "new_tests", "newly_skipped")
PASSED: VerdictWords = {
    "kind": "passed", "tone": "pass", "long": "All 9 tests passed", "short": "passed", "part": "",
}  # fmt: skip


def findings(new: int = 0, still: int = 0, *counts: int, **base: Any) -> RunFindings:  # noqa: ANN401 - any JSON
    found: dict[str, Any] = {
        "verdict": PASSED,
        "earlier_source": None,
        "mine": {"new": new, "back": 0, "flaky": 0, "still": still, "known": 0}, "known": "",
        "base": {"run": 12, "commit": "a1b2c3d4e5", "changes": None, "at": NOW - 26 * 60 * MINUTE, **base},
        "counts": {**dict(zip(COUNTS, (*counts, *[0] * 6), strict=False)), "passed_again": 0, "not_run": 0},
        "reasons": [], "tests": {"still_failing": []}, "flaky": [], "slower": [],
    }  # fmt: skip
    return cast("RunFindings", found)


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (
            findings(2, 3, 1, 3),
            "2 new failures, 3 still failing, 1 fixed, compared with run 12 (a1b2c3d, 1 day ago); 3 flaky",
        ),
        (findings(1), "1 new failure, compared with run 12 (a1b2c3d, 1 day ago)"),
        (findings(0, 0, 2, 0, 1), "2 fixed, compared with run 12 (a1b2c3d, 1 day ago); 1 slower"),
        (findings(0, 3, 1), "3 still failing, 1 fixed, compared with run 12 (a1b2c3d, 1 day ago)"),
        (findings(0, 1, 0, 2), "1 still failing, compared with run 12 (a1b2c3d, 1 day ago); 2 flaky"),
        (findings(0, 0, 0, 1, 1), "nothing new, compared with run 12 (a1b2c3d, 1 day ago); 1 flaky, 1 slower"),
        (findings(1, commit=None), "1 new failure, compared with run 12 (1 day ago)"),
        (findings(1, commit="a\x1b[31mb"), "1 new failure, compared with run 12 (a\\x1b[3, 1 day ago)"),
        (findings(0, 0, 0, 0, 0, 27), "27 gone, compared with run 12 (a1b2c3d, 1 day ago)"),
        (findings(0, 0, 0, 0, 0, 0, 2), "2 new tests, compared with run 12 (a1b2c3d, 1 day ago)"),
        (findings(0, 0, 0, 0, 0, 0, 0, 1), "1 newly skipped, compared with run 12 (a1b2c3d, 1 day ago)"),
        ({**findings(2), "whole": {"missing": 3, "twice": 0, "jobs": []}}, "not whole: 3 missing"),
        (
            {
                **findings(),
                "mine": {"new": 2, "flaky": 1, "still": 0, "known": 0},
                "counts": {**findings()["counts"], "back": 2},
            },
            "2 new failures (all back), 1 failure of a flaky test, compared with run 12 (a1b2c3d, 1 day ago)",
        ),
        (findings(), ""),
        ({**findings(1), "base": None}, ""),
    ],
)
def test_sentence_of_changes(document: RunFindings, line: str) -> None:
    """One sentence has what changed since which run; without a base, or without a change, there is none."""
    assert changes_line(document, NOW) == line


def test_a_flaky_test_is_counted_once() -> None:
    """A flaky test that failed, or that passed again, is in that number and not among the other flaky ones."""
    flaky = [{"key": key, "state": "flaky"} for key in "abc"] + [{"key": "d", "state": "suspect"}]
    tests = {"newly_failing": [{"key": "a"}, {"key": "d"}], "still_failing": [], "passed_again": [{"key": "b"}]}
    document: dict[str, Any] = {**findings(2, 0, 0, 3), "flaky": flaky, "tests": tests}
    document["counts"] = {**document["counts"], "passed_again": 1}
    told = changes_line(cast("RunFindings", document), NOW)
    assert told == ("2 new failures, 1 flaky test passed again, compared with run 12 (a1b2c3d, 1 day ago); 1 flaky")
    all_counted = {**document, "flaky": flaky[:2], "counts": {**document["counts"], "flaky": 2}}
    assert changes_line(cast("RunFindings", all_counted), NOW).endswith("1 day ago)")


def test_line_of_a_comparison() -> None:
    """It also says that nothing changed, why the base is it, and when tests without an outcome may have changed."""
    calm, cut = ({**findings(), "counts": {**findings()["counts"], "not_run": number}} for number in (0, 27))
    assert compared_line(cast("RunFindings", calm), NOW) == "nothing changed, compared with run 12"
    assert compared_line(cast("RunFindings", calm), NOW, why="as asked for").endswith("run 12, as asked for")
    assert compared_line(findings(1), NOW, why="as asked for").endswith("run 12, as asked for (a1b2c3d, 1 day ago)")
    told = compared_line(cast("RunFindings", cut), NOW)
    assert told == "nothing changed in the tests that ran, compared with run 12"
    assert compared_line({**findings(), "base": None}, NOW) == "no earlier run to compare with"


def test_lines_of_a_session() -> None:
    """A session shows what its counts don't say of the verdict, the changes and the reasons, or nothing."""
    again: FailureReason = {
        **a_reason(1, "KeyError: 'id'", kind="new"),
        "since": {**SINCE, "commit": None, "author": None},
    }
    document: Any = {**findings(1), "reasons": [again]}
    assert findings_lines(document, NOW) == [
        changes_line(document, NOW),
        "  1 new since run 5 (2 days ago): KeyError: 'id'",
    ]
    assert findings_lines(cast("RunFindings", {**document, "base": None}), NOW) == []
    assert findings_lines(findings(), NOW) == []
    cut = {**document, "verdict": {**PASSED, "kind": "interrupted", "long": "Interrupted after 3 of 9 tests"}}
    assert findings_lines(cast("RunFindings", {**cut, "base": None}), NOW) == ["Interrupted after 3 of 9 tests"]
    assert findings_lines(cast("RunFindings", cut), NOW)[0] == "Interrupted after 3 of 9 tests"
    part = {**document, "verdict": {**PASSED, "part": "part of the suite: -k A"}}
    assert findings_lines(cast("RunFindings", part), NOW)[0] == "Part of the suite: -k A"
    assert verdict_line(cast("RunFindings", part)) == "All 9 tests passed, part of the suite: -k A"
    both = {**cut["verdict"], "long": "Interrupted after 3 of 9 tests, 1 failed", "part": "part of the suite: -k A"}
    told = findings_lines(cast("RunFindings", {**document, "verdict": both}), NOW)[0]
    assert told == "Interrupted after 3 of 9 tests, part of the suite: -k A", "the results by status stand above"


def test_what_the_numbers_count_is_named() -> None:
    """Flaky, slower and still failing tests are named, with since when and by whose commit; in five lines at most."""
    still = [{"key": name, "name": f"test_{name}", "kind": "still", "since": SINCE} for name in "abcde"]
    reasons = [a_reason(9 - number, f"reason {number}") for number in range(7)]
    document = {
        **findings(0, 5, 0, 1, 1), "tests": {"still_failing": still}, "reasons": reasons,
        "flaky": [{"key": "k", "name": "test_rate", "state": "flaky", "failed": 2, "runs": 7}],
        "slower": [{"name": "test_sum", "elapsed": 123_400_000, "median": 100_000}],
    }  # fmt: skip
    assert findings_lines(cast("RunFindings", document), NOW)[1:] == [
        *(f"  {9 - number} still failing: reason {number}" for number in range(3)),
        "  and 4 more reasons",
        "  still failing since b2c3d4e (Ann, 2 days ago): test_a, test_b, test_c, 2 more",
    ]
    few = {**document, "reasons": reasons[:1]}
    assert findings_lines(cast("RunFindings", few), NOW)[1:] == [
        "  9 still failing: reason 0",
        "  still failing since b2c3d4e (Ann, 2 days ago): test_a, test_b, test_c, 2 more",
        "  1 flaky: test_rate (2 of 7 runs)",
        "  1 slower: test_sum (2 min 03 s, 100 ms before)",
    ]


def test_line_of_a_source_that_was_renamed() -> None:
    """It has both names and the setting; there is none without an older source."""
    document: Any = {**findings(), "base": None, "earlier_source": {"name": "shop\x1b", "runs": 12}}
    assert earlier_source_line(document, "shop-app") == (
        "source shop-app is new, but its tests have 12 earlier runs as source shop\\x1b;"
        " to go on with that history, set automation_report_source = shop\\x1b"
    )
    assert earlier_source_line(findings(), "a") == ""


def a_reason(count: int, title: str, *, kind: Mine = "still") -> FailureReason:
    reason = {"count": count, "title": title, "kind": kind, "mine": {kind: count}, "since": SINCE, "fingerprint": title}
    return cast("FailureReason", reason)


def test_lines_of_reasons() -> None:
    """Each reason has a line, five at most, with foreign text made printable; one failure needs none if it is old."""
    many = [a_reason(9 - number, f"reason {number}") for number in range(7)]
    assert reason_lines({**findings(), "reasons": many}, NOW) == [
        *(f"{9 - n} still failing: reason {n}" for n in range(4)),
        "and 3 more reasons",
    ]
    assert reason_lines({**findings(), "reasons": [a_reason(1, "one")]}, NOW) == []
    hostile = [a_reason(2, "\x1b]0;title\x07 \u202e" + "x" * 500, kind="new")]
    (line,) = reason_lines({**findings(), "reasons": hostile}, NOW)
    assert line.startswith("2 new: ")
    assert line.isprintable()
    assert len(line) < 160
    for same_reason, words in ((True, "the same"), (False, "another")):
        back: FailureReason = {**a_reason(1, "one", kind="new"), "same_reason": same_reason}
        assert since_words(back, NOW) == f"new since b2c3d4e (Ann, 2 days ago), back for {words} reason"


def test_reasons_that_read_alike_share_a_line() -> None:
    """Failures with one text in several functions have several reasons, and one line that names the tests."""
    titles = [*["assert 0"] * 4, "other"]
    reasons = [{**a_reason(1, title, kind="new"), "fingerprint": str(n)} for n, title in enumerate(titles)]
    failing = [{"name": f"test_{n}", "fingerprint": str(n)} for n in range(5)]
    document: Any = {**findings(5), "reasons": reasons, "tests": {"newly_failing": failing, "still_failing": []}}
    assert reason_lines(cast("RunFindings", {**document, "reasons": reasons[::3]}), NOW) == [
        "2 new: assert 0 (test_0, test_3)"
    ]
    assert reason_lines(document, NOW) == ["4 new: assert 0 (test_0, test_1, test_2, 1 more)", "1 new: other"]
    assert reason_lines(document, NOW, 1) == ["and 5 more reasons"], "for more than one line"


def test_new_failures_are_new_since_a_commit() -> None:
    """The commit with which they began stands there with its author and age, and what they are compared with last."""
    began = {"run": 13, "commit": "b2c3d4e5f6", "author": "Ann", "changes": "3 files", "at": NOW - 2 * 60 * MINUTE}
    new = [{**a_reason(1, "E", kind="new"), "since": began}]
    base = "compared with run 12 (a1b2c3d, 1 day ago)"
    told = changes_line(cast("RunFindings", {**findings(2, 0, 1), "reasons": new}), NOW)
    assert told == f"2 new failures since b2c3d4e + changes (Ann, 2 h ago), 1 fixed, {base}"
    others = [*new, {**new[0], "since": {**began, "run": 11}}]
    for unknown in (others, [{**new[0], "since": {**began, "commit": None}}]):
        told = changes_line(cast("RunFindings", {**findings(2), "reasons": unknown}), NOW)
        assert told == "2 new failures, compared with run 12 (a1b2c3d, 1 day ago)"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "just now"), (1, "1 min ago"), (59, "59 min ago"), (60, "1 h ago"), (1439, "23 h ago"),
        (1440, "1 day ago"), (4320, "3 days ago"),
    ],
)  # fmt: skip
def test_how_long_ago(minutes: int, words: str) -> None:
    """A time span is said as one would say it."""
    assert time_ago(minutes * MINUTE) == words


def test_a_crashed_test_is_counted_otherwise_by_pytest() -> None:
    """Where a process died, pytest counts a failed test and the run has an error: no plugin is blamed for it."""
    died = SimpleNamespace(nodeid="test_a.py::test_dies", when="???")
    assert counted_otherwise({"failed": [died]}, {"error": 1}) == (
        "pytest counts these separately: 1 crashed (error here)"
    )


def test_a_quiet_session_names_its_report() -> None:
    """With -q a file that the session wrote stands below its numbers."""
    tally = SimpleNamespace(seen=1, acknowledged=1, workers=1, counts={"passed": 1}, warnings=(), faults=())
    state = SimpleNamespace(run=None, join_remark="", difference="", left_out=(), renamed={}, unstored_reasons=())
    ending: Any = SimpleNamespace(
        tally=tally, state=state, report=ReportRecord("/out/a.html", "written"), leftovers=None, findings=None,
        losses=WriteLosses(), is_whole=True, mismatches=[], shown_run=None, exit_words="",
    )  # fmt: skip
    lines = report_lines(cast("Any", None), ending, (), shell=Shell(Path("/out"), {}), verbosity=-1)
    assert lines == ["1 of 1 result delivered: 1 passed", "report: a.html"]
