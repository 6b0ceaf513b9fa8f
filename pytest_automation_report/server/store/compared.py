"""Read what the findings of a run are made of: its results, the run that it is compared with, its series."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pytest_automation_report.findings.comparison import Base, RunFacts, base_of
from pytest_automation_report.server.store.derived import says_death
from pytest_automation_report.server.store.errors import not_found, validation_error
from pytest_automation_report.server.store.histories import results_of, series_of
from pytest_automation_report.server.store.run_rows import run_row
from pytest_automation_report.server.store.wholeness import wholeness
from pytest_automation_report.text.terminal import is_torn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.flakiness import Verdict
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import CaseResult, Series

MAX_TESTS: Final = 1000
"""Most tests of each list of a document; the counts have all."""

# Runs that are looked through for a base: with more runs of other branches in between there is none.
_MAX_CANDIDATES: Final = 500


@dataclass(frozen=True)
class ComparedRun:
    """A run beside its base and its series, of which it is the last run.

    ``before`` has the verdicts of the base, None without a base.
    """

    run: Json
    results: Mapping[int, CaseResult]
    base: Base | None
    base_row: Json | None
    before: Mapping[int, Verdict] | None
    series: Series


def compared_run(connection: StoreConnection, run: Json, base_id: int | None, main_branch: str) -> ComparedRun:
    """Return a run, by its row, with its base: the run ``base_id``, or the one that fits best.

    Raises `ApiError` for a base that does not exist (404) or is of another source (422).
    """
    base = _base(connection, run, base_id, main_branch)
    base_row: Json | None = None
    before: dict[int, Verdict] | None = None
    if base is not None:
        base_row = run_row(connection, base.run.id)
        before = {case_id: case.verdict for case_id, case in results_of(connection, base.run.id).items()}
    results, series = results_of(connection, run["id"]), series_of(connection, run)
    return ComparedRun(run, results, base, base_row, before, series)


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
        run["config"] or 0,
        run["branch"] or "",
        run["target_branch"] or "",
        is_completed=run["is_completed"],
        selection=run["selection"] or "",
        tests=run["total_count"],
        untested=run["untested_count"],
        collected=run["collected"] or 0,
    )


_CANDIDATES: Final = (
    'SELECT "id", "config_id", "branch", "target_branch", "is_completed", "selection", "total_count", "untested_count",'
    ' "collected" FROM "run" WHERE "source_id" = ? AND "id" < ? ORDER BY "id" DESC LIMIT ?'
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
        if wanted["source"] != run["source"]:
            raise validation_error({"base": [f"Run {base_id} is of another source than run {run['id']}."]})
        return Base(facts_of(wanted), "asked")
    rows = connection.rows(_CANDIDATES, (run["source"], run["id"], _MAX_CANDIDATES))
    others = {row["id"]: facts_of(row) for row in rows}
    # Fields of runs are read for the chosen ones only, nearly always one: a dead run is no base, so another is chosen,
    # and neither is one whose jobs lost tests.
    while (base := base_of(facts_of(run), others.values(), main_branch=main_branch)) is not None:
        facts = with_death(connection, base.run)
        if not facts.has_died and not is_torn(wholeness(connection, facts.id)):
            return base
        del others[base.run.id]
    return None
