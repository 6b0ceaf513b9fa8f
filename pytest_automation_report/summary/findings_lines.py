"""Write the findings of a run as lines for a terminal: one sentence of changes, and the reasons of its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.sentences import changes_line
from pytest_automation_report.findings.verdict import fresh, told
from pytest_automation_report.text.limits import cut_end
from pytest_automation_report.text.terminal import printable, quantity, title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pytest_automation_report.findings.documents import (
        FailureReason,
        FindingsExcerpt,
        ReasonExcerpt,
        RunFindings,
    )

MAX_REASONS: Final = 5
"""Most lines with a reason; one more says how many there are."""

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
    lines = filter(None, (verdict_line(findings), changes_line(findings, now) if findings["base"] else ""))
    return [*lines, *(f"  {reason}" for reason in (reason_lines(findings) if findings["base"] else ()))]


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


def failing_notes(findings: FindingsExcerpt | None) -> dict[tuple[str, str], str]:
    """Return for each failing test, by folder and name, whether it is a flaky one, and since when it fails."""
    notes: dict[tuple[str, str], str] = {}
    if findings is None or findings["base"] is None:
        return notes
    for test in findings["failing"]:
        note: str = test["kind"] if test["since"] is None else f"since run {test['since']}"
        if test["flaky"] is not None:
            failed, runs = test["flaky"]
            note = f"{FLAKY_NOTE}, {failed} of {quantity(runs, 'run')} failed"
        notes[test["folder"], test["name"]] = note
    return notes


def reason_lines(findings: RunFindings | FindingsExcerpt) -> list[str]:
    """Return a line for each reason of the failures, the most tests first; nothing if only one test failed."""
    reasons: Sequence[FailureReason | ReasonExcerpt] = findings["reasons"]
    if sum(reason["count"] for reason in reasons) <= 1:
        return []
    lines = [
        f"{reason['count']} {fresh(reason, '{}: ')}{cut_end(printable(reason['title']), _TITLE_UNITS)}"
        for reason in reasons[:MAX_REASONS]
    ]
    left = len(reasons) - MAX_REASONS
    return [*lines, f"and {quantity(left, 'more reason')}"] if left > 0 else lines


def reason_note(reason: ReasonExcerpt) -> str:
    """Return whose failures these are, or since when they have this reason, for an entry of an excerpt."""
    return fresh(reason, "{}") or ("" if reason["since"] is None else f"since run {reason['since']}")


def test_title(test: Mapping[str, Any]) -> str:
    """Return folder and name of a test in one printable line; for a module both are the same."""
    return printable(title_of(test["folder"], test["name"]))
