"""What a CI job shows of a reported session besides its log (floor 3, pure): a page in Markdown.

Foreign text (names, messages) is spelled so that it can be nothing but text: each sign that Markdown or HTML could give
a meaning is a numeric reference, which both show as the sign itself and neither reads as syntax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.failures import SHOWN
from pytest_automation_report.limits import string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.failures import Failure
    from pytest_automation_report.tally import Tally

__all__ = ["SUMMARY_BYTES", "JobPage", "plain"]

SUMMARY_BYTES: Final = 1024 * 1024
"""What GitHub shows of one step at most; Buildkite takes as much."""

_SIGNS: Final = re.compile(r"[^\w\s]|_")
_WORDS: Final = (
    ("failure", "failed"),
    ("error", "error"),
    ("passed", "passed"),
    ("skipped", "skipped"),
    ("untested", "untested"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """What a job's page tells of a session.

    ``title`` has the run's name, ``url`` is the run's web page (empty for none), ``told`` are lines for people.
    """

    title: str
    tally: Tally
    url: str = ""
    told: Sequence[str] = ()

    @property
    def failed(self) -> int:
        """Number of results that failed."""
        return self.tally.counts.get("failure", 0) + self.tally.counts.get("error", 0)

    def text(self, room: int) -> str:
        """Return the page in Markdown, at most ``room`` bytes: totals, what was not delivered, failures.

        Where there is no room for all failures, some are left out; empty when there is none for the totals either.
        """
        head = self._head()
        rows = [_row(each) for each in self.tally.failures[:SHOWN]]
        while True:
            text = "\n".join([*head, *self._table(rows)])
            if len(text.encode()) <= room:
                return text
            if not rows:
                return ""
            rows = rows[: len(rows) // 2]

    def _head(self) -> list[str]:
        """Return the lines above the failures."""
        tally = self.tally
        run = "" if tally.run is None else f"run {tally.run}"
        where = f"[{run}](<{self.url}>)" if self.url and run else run
        lines = [f"### {plain(self.title)}", "", f"**{_counted(tally)}**{f' in {where}' if where else ''}", ""]
        if tally.not_run > 0:
            lines += [f"{tally.not_run} of {tally.expected} tests were not run.", ""]
        return [*lines, *(f"- {plain(each)}" for each in self.told), *([""] if self.told else [])]

    def _table(self, rows: Sequence[str]) -> list[str]:
        """Return the failures as a table, and the number of those that it leaves out."""
        more = self.failed - len(rows)
        table = ["| Failed | Message |", "| --- | --- |", *rows, ""] if rows else []
        return [*table, *([f"{more} more failed.", ""] if more > 0 and rows else [])]


def plain(text: str) -> str:
    """Return a foreign text as one line that Markdown and HTML show as it is."""
    return _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", string(text))


def _counted(tally: Tally) -> str:
    counted = [f"{tally.counts[status]} {word}" for status, word in _WORDS if tally.counts.get(status)]
    return ", ".join(counted) or "no results"


def _row(failure: Failure) -> str:
    # Inside of code neither names of people nor of signs and issues mean anything.
    message = f"<code>{plain(failure.message)}</code>" if failure.message else ""
    return f"| <code>{plain(failure.title)}</code> | {message} |"
