"""The page of a test whatever the run: its outcomes on every branch, its durations, the reasons it failed for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.queries import HISTORY_ROWS
from pytest_automation_report.server.pages.test import history
from pytest_automation_report.text.names import split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import falcon

    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.test.history import Outcome

_CALENDAR: Final = 200
_BRANCHES: Final = 20
_REASONS: Final = 20


class CasePage(Page):
    """One test across runs."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, case_id: int) -> None:
        """Show the test's outcomes by branch."""
        branch = req.get_param("branch")
        self.show(req, resp, "test/case.html", **self.read(partial(case_values, case_id, branch)))


@dataclass(frozen=True, slots=True)
class BranchRow:
    """The outcomes on one branch, oldest first; ``passed`` of ``decided`` runs passed at once."""

    branch: str
    outcomes: tuple[Outcome, ...]
    passed: int
    decided: int


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """A reason for which the test failed: its message, how often, its first and its last run of those shown."""

    message: str
    count: int
    first: Outcome
    last: Outcome


def case_values(case_id: int, branch: str | None, reader: PageReader) -> dict[str, Any]:
    """Return the values of the template ``test/case.html``."""
    case = reader.case(case_id)
    rows = reader.history(case_id)
    outcomes = history.outcomes_of(rows)[:_CALENDAR]
    branches = branch_rows(outcomes)
    chosen = next((row for row in branches if row.branch == branch), branches[0] if branches else None)
    on_branch = [outcome for outcome in outcomes if chosen is not None and outcome.branch == chosen.branch]
    newest = rows[0] if rows else None
    return {
        "case": case,
        "source": {"id": case["source"], "name": reader.source_name(case["source"])},
        "newest": newest,
        "function": split_name(newest["name"] if newest else case["key"]),
        "outcomes": outcomes,
        "is_whole": len(rows) < HISTORY_ROWS,
        "branches": branches,
        "chosen": chosen,
        "durations": duration_line(on_branch),
        "usual": history.usual_duration(on_branch[1:], on_branch[0]) if len(on_branch) > 1 else None,
        "reliability": history.reliability(outcomes),
        "reasons": reason_rows(outcomes),
        "sentence": history.sentence(outcomes, on_branch[0].result) if on_branch else (),
    }


def branch_rows(outcomes: Iterable[Outcome]) -> list[BranchRow]:
    """Return the outcomes by branch, the branch with most of them first."""
    by_branch: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_branch.setdefault(outcome.branch, []).append(outcome)
    rows = [
        BranchRow(
            branch,
            tuple(reversed(entries)),
            sum(outcome.letter == "p" for outcome in entries),
            sum(outcome.letter != "s" for outcome in entries),
        )
        for branch, entries in by_branch.items()
    ]
    return sorted(rows, key=lambda row: (-len(row.outcomes), row.branch))[:_BRANCHES]


def duration_line(outcomes: Sequence[Outcome]) -> list[float | None]:
    """Return the durations of runs that passed, oldest first, in seconds; None where a run did not pass."""
    return [
        outcome.elapsed / 1_000_000 if outcome.letter in "pr" and outcome.elapsed is not None else None
        for outcome in reversed(outcomes)
    ]


def reason_rows(outcomes: Sequence[Outcome]) -> list[ReasonRow]:
    """Return the reasons for which the test failed, those of most runs first."""
    failed = [outcome for outcome in outcomes if outcome.letter == "f"]
    counts = Counter(outcome.fingerprint for outcome in failed)
    rows = []
    for fingerprint, count in counts.most_common(_REASONS):
        own = [outcome for outcome in failed if outcome.fingerprint == fingerprint]
        rows.append(ReasonRow(own[0].message, count, own[-1], own[0]))
    return rows
