"""Read what the findings of a run are made of: its results, the run that it is compared with, its series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.comparison import Base, RunFacts, base_of
from pytest_automation_report.server.store.errors import not_found, validation_error
from pytest_automation_report.server.store.histories import histories, results_of, series_of
from pytest_automation_report.server.store.tables import RunRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.histories import CaseHistory, RunResults, Series

__all__ = ["MAX_TESTS", "ComparedRun", "compared_run", "facts_of", "mention", "run_row"]

MAX_TESTS: Final = 1000
"""Most tests of each list of a document; the counts have all."""

# Runs that are looked through for a base: with more runs of other branches in between there is none.
_MAX_CANDIDATES: Final = 500


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run beside its base and its series; ``known`` has the histories of the series by case."""

    run: Json
    results: RunResults
    base: Base | None
    base_results: RunResults | None
    series: Series | None
    known: Mapping[int, CaseHistory]
    base_row: Json | None = None

    @property
    def position(self) -> int | None:
        """The run's number in its series; None while it is open, and if the series has forgotten it."""
        return None if self.series is None else self.series.position(self.run["id"])

    @property
    def is_latest(self) -> bool:
        """Whether no later run is in the series: only then the stored durations end with this run."""
        return self.series is not None and self.position == self.series.length


def compared_run(database: Database, run: Json, base_id: int | None) -> ComparedRun:
    """Return a run, by its row, with its base: the run ``base_id``, or the one that fits best.

    Raises `ApiError` for a base that does not exist (404) or is of another source (422).
    """
    base = _base(database, run, base_id)
    base_row = None if base is None else run_row(database, base.run.id)
    series = series_of(database, run)
    return ComparedRun(
        run,
        results_of(database, run),
        base,
        None if base_row is None else results_of(database, base_row),
        series,
        {} if series is None else histories(database, series),
        base_row,
    )


def run_row(database: Database, run_id: int) -> Json:
    """Return the row of a run; raises `ApiError` (404) for an unknown run."""
    rows: Any = RunRow.select().where(RunRow.id == run_id).dicts().execute(database)
    run: Json | None = next(iter(rows), None)
    if run is None:
        raise not_found("automation run")
    return run


def mention(run: Json) -> Json:
    """Return a run, by its row, as documents name it; ``at`` is in microseconds since 1970."""
    return {"run": run["id"], "commit": run["commit"], "at": run["created"]}


def facts_of(run: Json) -> RunFacts:
    """Return what the choice of a base depends on, from a run's row."""
    return RunFacts(
        run["id"],
        run["config"] or 0,
        run["branch"] or "",
        run["target_branch"] or "",
        is_completed=bool(run["is_completed"]),
        selection=run["selection"] or "",
        tests=run["total_count"],
        collected=run["collected"] or 0,
    )


def _base(database: Database, run: Json, base_id: int | None) -> Base | None:
    """Return the base of a run; raises `ApiError` if the wanted one does not exist or is of another source."""
    if base_id is not None:
        wanted = run_row(database, base_id)
        if wanted["source"] != run["source"]:
            raise validation_error({"base": [f"Run {base_id} is of another source than run {run['id']}."]})
        return Base(facts_of(wanted), "asked")
    rows: Any = (
        RunRow.select()
        .where((RunRow.source == run["source"]) & (RunRow.id < run["id"]))
        .order_by(RunRow.id.desc())
        .limit(_MAX_CANDIDATES)
        .dicts()
        .execute(database)
    )
    return base_of(facts_of(run), map(facts_of, rows))
