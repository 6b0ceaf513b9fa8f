"""Read the runs of lists, inside a read transaction of the caller: rows of runs, of suites, of their last runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.api.models import RUN_KEY_TAG
from pytest_automation_report.server.pages.run_summary import PART_COLUMNS
from pytest_automation_report.server.pages.runs.filters import STATUSES
from pytest_automation_report.server.store.database import marks, select_rows
from pytest_automation_report.server.store.findings import summaries
from pytest_automation_report.server.store.tables import (
    RunRow,
    RunTagRow,
    SourceRow,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.runs.filters import RunFilters
    from pytest_automation_report.server.store.database import StoreConnection

PAGE_RUNS: Final = 25
"""Runs of one page of a list."""

TREND_RUNS: Final = 30
"""Runs of a trend."""

_CHOICES_SHOWN: Final = 200
_OPEN_RUNS_SHOWN: Final = 25
# A test that takes less is not worth to be made faster.
_SLOW_US: Final = 10_000
# Rows that show whether a list has changed: those of its first pages.
_WATCHED_RUNS: Final = 100


class RunListReader:
    """Read lists of runs from one store."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._database = connection.orm

    def open_runs(self, project_id: int, filters: RunFilters) -> list[int]:
        """Return the ids of the runs that go on, newest first."""
        query = query_runs(project_id, filters).where(RunRow.is_completed == False)  # noqa: E712 - SQL
        return [row["id"] for row in self._rows(query.limit(_OPEN_RUNS_SHOWN))]

    def completed_runs(self, project_id: int, filters: RunFilters) -> tuple[list[int], int]:
        """Return the ids of one page of the completed runs, newest first, and the number of all."""
        query = query_runs(project_id, filters).where(RunRow.is_completed == True)  # noqa: E712 - SQL
        total: int = query.count(self._database)
        rows = self._rows(query.limit(PAGE_RUNS).offset((filters.page - 1) * PAGE_RUNS)) if total else []
        return [row["id"] for row in rows], total

    def state(self, project_id: int | None) -> tuple[list[tuple[Any, ...]], list[int]]:
        """Return values that differ whenever a list of runs of a project, or of all, does.

        The second value are the completed runs of it whose findings were not computed yet.
        """
        query: Any = RunRow.select(RunRow.id, RunRow.updated, RunRow.completed, RunRow.total_count)
        if project_id is not None:
            query = query.where(RunRow.project == project_id)
        rows = query.order_by(RunRow.created.desc(), RunRow.id.desc()).limit(_WATCHED_RUNS).tuples()
        state = list(rows.execute(self._database))
        completed = [run_id for run_id, _, completed, _ in state[:PAGE_RUNS] if completed is not None]
        known = summaries(self._connection, completed)
        return state, [run_id for run_id in completed if run_id not in known]

    def branches(self, project_id: int, source_id: int | None) -> list[str]:
        """Return the branches of a project or suite, that of the newest run first; "" for runs without one."""
        query: Any = RunRow.select(RunRow.branch, fn.MAX(RunRow.id).alias("newest"))
        query = query.where(RunRow.project == project_id if source_id is None else RunRow.source == source_id)
        rows = self._rows(query.group_by(RunRow.branch).order_by(fn.MAX(RunRow.id).desc()).limit(_CHOICES_SHOWN))
        return [row["branch"] or "" for row in rows]

    def tags(self, project_id: int) -> list[str]:
        """Return the tags of a project's runs by name, without those that each shared run has for itself."""
        query: Any = RunTagRow.select(RunTagRow.tag).join(RunRow).where(RunRow.project == project_id).distinct()
        query = query.where(~RunTagRow.tag.startswith(RUN_KEY_TAG))
        return [row["tag"] for row in self._rows(query.order_by(RunTagRow.tag).limit(_CHOICES_SHOWN))]

    def source(self, source_id: int) -> Json | None:
        """Return the row of a suite; None for an unknown one."""
        return next(iter(self._rows(SourceRow.select().where(SourceRow.id == source_id))), None)

    def trend(self, source_id: int, branch: str, until: int | None = None) -> list[Json]:
        """Return the last completed runs of a suite's branch, oldest first; ``until`` is the last of them."""
        query: Any = RunRow.select().where(RunRow.source == source_id).where(RunRow.is_completed == True)  # noqa: E712 - SQL
        query = query.where(RunRow.branch == branch if branch else RunRow.branch.is_null())
        if until is not None:
            query = query.where(RunRow.id <= until)
        return self._rows(query.order_by(RunRow.id.desc()).limit(TREND_RUNS))[::-1]

    def newest(self, source_id: int, branch: str | None) -> Json | None:
        """Return the row of the newest run of a suite, of one branch or of any; None if it has none."""
        query: Any = RunRow.select().where(RunRow.source == source_id)
        if branch is not None:
            query = query.where(RunRow.branch == branch if branch else RunRow.branch.is_null())
        return next(iter(self._rows(query.order_by(RunRow.id.desc()).limit(1))), None)

    def newest_by_source(self, project_id: int) -> dict[int, Json]:
        """Return id, status, creation and completion of the newest run of each suite of a project, by suite."""
        newest = RunRow.select(fn.MAX(RunRow.id)).where(RunRow.project == project_id).group_by(RunRow.source)
        query: Any = RunRow.select(RunRow.id, RunRow.source, RunRow.status, RunRow.created, RunRow.is_completed)
        return {row["source"]: row for row in self._rows(query.where(RunRow.id.in_(newest)))}

    def bases(self, run_ids: Collection[int]) -> dict[int, Json]:
        """Return what runs are compared with: the durations of these, and what they ran, by id."""
        if not run_ids:
            return {}
        ids = tuple(run_ids)
        rows = select_rows(self._connection, "run", PART_COLUMNS, f'WHERE "id" IN ({marks(ids)})', ids)
        return {row["id"]: row for row in rows}

    def slowest(self, run_ids: Sequence[int], count: int) -> list[int]:
        """Return the cases of the slowest results of these runs, without quick ones."""
        condition = f'WHERE "run_id" IN ({marks(run_ids)}) AND "elapsed" >= ? ORDER BY "elapsed" DESC, "id" LIMIT ?'
        rows = select_rows(self._connection, "result", ("case_id",), condition, (*run_ids, _SLOW_US, count))
        return list(dict.fromkeys(row["case"] for row in rows))

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return list(query.dicts().execute(self._database))


def query_runs(project_id: int, filters: RunFilters) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for the ids of a project's runs that the filters leave, newest first."""
    query: Any = RunRow.select(RunRow.id).where(RunRow.project == project_id)
    if filters.source is not None:
        query = query.where(RunRow.source == filters.source)
    if filters.branch is not None:
        query = query.where(RunRow.branch == filters.branch if filters.branch else RunRow.branch.is_null())
    if filters.status is not None:
        query = query.where(RunRow.status == int(STATUSES[filters.status]))
    if filters.tag is not None:
        tagged = RunTagRow.select(RunTagRow.run).where((RunTagRow.run == RunRow.id) & (RunTagRow.tag == filters.tag))
        query = query.where(fn.EXISTS(tagged))
    return query.order_by(RunRow.created.desc(), RunRow.id.desc())
