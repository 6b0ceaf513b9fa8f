"""Read what the findings of a run are made of: its results, the run that it is compared with, its series."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.comparison import Base, RunFacts, base_of
from pytest_automation_report.server.store.derived import says_death
from pytest_automation_report.server.store.errors import not_found, validation_error
from pytest_automation_report.server.store.histories import histories, results_of, series_of
from pytest_automation_report.server.store.run_rows import run_row, selected_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.flakiness import Verdict
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import CaseHistory, RunResults, Series
    from pytest_automation_report.server.store.series_updates import SeriesUpdate

__all__ = [
    "MAX_TESTS",
    "ComparedRun",
    "compared_run",
    "facts_of",
    "main_branch_of",
    "with_death",
]

MAX_TESTS: Final = 1000
"""Most tests of each list of a document; the counts have all."""

# Runs that are looked through for a base: with more runs of other branches in between there is none.
_MAX_CANDIDATES: Final = 500


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run beside its base and its series.

    ``known`` has the histories of the series by case; ``before`` the verdicts of the base, None without a base.
    """

    run: Json
    results: RunResults
    base: Base | None
    base_row: Json | None
    before: Mapping[int, Verdict] | None
    series: Series | None
    known: Mapping[int, CaseHistory]

    @property
    def position(self) -> int | None:
        """The run's number in its series; None while it is open, and if the series has forgotten it."""
        return None if self.series is None else self.series.position(self.run["id"])

    @property
    def is_latest(self) -> bool:
        """Whether no later run is in the series: only then the stored durations end with this run."""
        return self.series is not None and self.position == self.series.length


def compared_run(
    connection: StoreConnection, run: Json, base_id: int | None, main_branch: str, update: SeriesUpdate | None
) -> ComparedRun:
    """Return a run, by its row, with its base: the run ``base_id``, or the one that fits best.

    ``update`` is the update of its series if one was made just now. Raises `ApiError` for a base that does not exist
    (404) or is of another source (422).
    """
    base = _base(connection, run, base_id, main_branch)
    base_row = None if base is None else run_row(connection, base.run.id)
    if update is None:
        series = series_of(connection, run)
        known = {} if series is None else histories(connection, series)
    else:
        series, known = update.series, update.known
    is_last = update is not None and update.run_ids[-1:] == [run["id"]]
    results = update.results if update is not None and is_last else None
    return ComparedRun(
        run,
        results or results_of(connection, run),
        base,
        base_row,
        None if base_row is None else _verdicts_of(connection, base_row, series, known),
        series,
        known,
    )


def _verdicts_of(
    connection: StoreConnection, run: Json, series: Series | None, known: Mapping[int, CaseHistory]
) -> Mapping[int, Verdict]:
    """Return the verdicts of a run by case: out of the histories if they have it, which need no further read."""
    position = None if series is None else series.position(run["id"])
    if position is None:
        return {case_id: case.verdict for case_id, case in results_of(connection, run).cases.items()}
    return {
        case_id: verdict for case_id, history in known.items() if (verdict := history.verdict_at(position)) is not None
    }


def main_branch_of(connection: StoreConnection, source_id: int) -> str:
    """Return the main branch that was set for a source, "" if none was; raises `ApiError` (404) without a source."""
    rows = connection.execute('SELECT "main_branch" FROM "source" WHERE "id" = ?', (source_id,))
    if not rows:
        raise not_found("automation source")
    return rows[0][0] or ""


def facts_of(run: Json) -> RunFacts:
    """Return what the choice of a base depends on, from a run's row."""
    return RunFacts(
        run["id"],
        run["config_id"] or 0,
        run["branch"] or "",
        run["target_branch"] or "",
        is_completed=bool(run["is_completed"]),
        selection=run["selection"] or "",
        tests=run["total_count"],
        untested=run["untested_count"],
        collected=run["collected"] or 0,
    )


_FIELDS: Final = 'SELECT "body" FROM "attachment" WHERE "run_id" = ? AND "kind" = ?'


def with_death(connection: StoreConnection, facts: RunFacts) -> RunFacts:
    """Return the facts of a run with whether its session was killed, or that of one of the jobs that share it."""
    bodies = connection.execute(_FIELDS, (facts.id, "fields"))
    return replace(facts, has_died=any(says_death(json.loads(body)) for (body,) in bodies))


def _base(connection: StoreConnection, run: Json, base_id: int | None, main_branch: str) -> Base | None:
    """Return the base of a run; raises `ApiError` if the wanted one does not exist or is of another source."""
    if base_id is not None:
        wanted = run_row(connection, base_id)
        if wanted["source_id"] != run["source_id"]:
            raise validation_error({"base": [f"Run {base_id} is of another source than run {run['id']}."]})
        return Base(facts_of(wanted), "asked")
    condition = '"source_id" = ? AND "id" < ? ORDER BY "id" DESC LIMIT ?'
    rows = selected_runs(connection, condition, (run["source_id"], run["id"], _MAX_CANDIDATES))
    others = {row["id"]: facts_of(row) for row in rows}
    # Fields of runs are read for the chosen ones only, nearly always one: a dead run is no base, so another is chosen.
    while (base := base_of(facts_of(run), others.values(), main_branch=main_branch)) is not None:
        facts = others[base.run.id] = with_death(connection, base.run)
        if not facts.has_died:
            return base
    return None
