"""Write the findings of a run as lines for a terminal: one sentence of changes, and the reasons of its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.sentences import (
    changes_line,
    flaky_line,
    since_words,
    slower_line,
    still_lines,
    told,
)
from pytest_automation_report.text.limits import cut_end, printable, quantity
from pytest_automation_report.text.node_ids import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pytest_automation_report.findings.documents import (
        FailureReason,
        FindingsExcerpt,
        ReasonExcerpt,
        RunFindings,
    )

MAX_LINES: Final = 5
"""Most lines below the numbers of changes, and most with a reason."""

_NAMES: Final = 3

FLAKY_NOTE: Final = "flaky"
"""First word of the note on a failing test that is known to be flaky."""

_TITLE_UNITS: Final = 140
# Counts say as much of these, which stand beside them.
_COUNTED: Final = ("passed", "failed", "not whole")


def findings_lines(findings: FindingsExcerpt, now: int) -> list[str]:
    """Return the lines below a session's numbers, of a first run the verdict alone; ``now`` is in microseconds.

    Where the summary has the digest of the run, it says all of that.
    """
    if "digest" in findings:
        return ["", *findings["digest"].splitlines(), ""]
    if findings["base"] is None:
        return [*filter(None, [verdict_line(findings)])]
    lines = filter(None, (verdict_line(findings), changes_line(findings, now)))
    return [*lines, *(f"  {line}" for line in _named(findings, now))]


def _named(findings: FindingsExcerpt, now: int) -> list[str]:
    """Return what the numbers of changes count, in five lines at most: reasons, and names of tests."""
    tests = [flaky_line(findings, _NAMES), slower_line(findings, _NAMES), *still_lines(findings, now, _NAMES)]
    names = [*filter(None, tests)][: MAX_LINES - 2]
    return [*reason_lines(findings, MAX_LINES - len(names)), *names]


def verdict_line(findings: RunFindings | FindingsExcerpt) -> str:
    """Return the verdict of a run if its counts alone would mislead: it was cut short, or is a part of the suite."""
    verdict = findings["verdict"]
    return printable(told(verdict)) if verdict["part"] or verdict["kind"] not in _COUNTED else ""


def earlier_source_line(findings: FindingsExcerpt, source: str) -> str:
    """Return that a new source has the tests of an older one, and the setting that goes on with it; empty if not."""
    earlier = findings["earlier_source"]
    if earlier is None:
        return ""
    name = printable(earlier["name"])
    return (
        f"source {source} is new, and its tests have a history of {quantity(earlier['runs'], 'run')} as source {name}:"
        f" automation_report_source = {name} goes on with it"
    )


def failing_notes(findings: FindingsExcerpt | None, now: int) -> dict[tuple[str, str], str]:
    """Return for each failing test, by folder and name, whether it is a flaky one, and since when it fails."""
    notes: dict[tuple[str, str], str] = {}
    if findings is None or findings["base"] is None:
        return notes
    for test in findings["failing"]:
        note = since_words(test["kind"], test["since"], now)
        if test["flaky"] is not None:
            failed, runs = test["flaky"]
            note = f"{FLAKY_NOTE}, {failed} of {quantity(runs, 'run')} failed"
        notes[test["folder"], test["name"]] = note
    return notes


def reason_lines(findings: RunFindings | FindingsExcerpt, most: int = MAX_LINES) -> list[str]:
    """Return a line for each reason of the failures, the most tests first; nothing if only one test failed.

    Of more than ``most`` reasons the last line has the number of the others.
    """
    reasons: Sequence[FailureReason | ReasonExcerpt] = findings["reasons"]
    if sum(reason["count"] for reason in reasons) <= 1:
        return []
    shown = reasons if len(reasons) <= most else reasons[: most - 1]
    lines = []
    for reason in shown:
        kind = "" if reason["kind"] in (None, "still") else f"{reason['kind']}: "
        lines.append(f"{reason['count']} {kind}{cut_end(printable(reason['title']), _TITLE_UNITS)}")
    left = len(reasons) - len(shown)
    return [*lines, f"and {quantity(left, 'more reason')}"] if left else lines


def test_title(test: Mapping[str, Any]) -> str:
    """Return folder and name of a test in one printable line; for a module both are the same."""
    return printable(title_of(test["folder"], test["name"]))
