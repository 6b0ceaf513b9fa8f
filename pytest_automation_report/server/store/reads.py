"""Run the API's queries, inside a read transaction that the caller holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

from peewee import JOIN, fn

from pytest_automation_report.server.store.database import (
    MAX_THREADS,
    first_order,
    marks,
    number_of,
    query_rows,
    select_rows,
    within,
)
from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.project_rows import project_statuses
from pytest_automation_report.server.store.references import USER_ID, referenced
from pytest_automation_report.server.store.statuses import ResultClass
from pytest_automation_report.server.store.tables import (
    AttachmentRow,
    CaseRow,
    ResultRow,
    RunRow,
    SourceRow,
    ThreadRow,
    columns_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.statuses import StatusTable

Item = TypeVar("Item")

RunFilter: TypeAlias = Literal["statuses", "ids", "tags", "text", "after", "before"]
"""The form of a filter's value, for the parser of the query."""

RUN_FILTERS: Final[dict[str, tuple[RunFilter, str]]] = {
    "status": ("statuses", '"status" IN ({})'),
    "state": ("statuses", '"status" IN ({})'),
    "source_id": ("ids", '"source_id" IN ({})'),
    "config_id": ("ids", '"config_id" IN ({})'),
    "milestone_id": ("ids", '"milestone_id" IN ({})'),
    "created_by": ("ids", f"{USER_ID} IN ({{}})"),  # one user creates all runs
    "tags": ("tags", 'EXISTS (SELECT 1 FROM "run_tag" AS t WHERE t."run_id" = "run"."id" AND t."tag" IN ({}))'),
    "branch": ("text", '"branch" IN ({})'),
    "commit": ("text", '"commit" IN ({})'),
    "created_after": ("after", '"created" >= {}'),
    "created_before": ("before", '"created" < {}'),
}
"""The filters of the list of runs: the name of the parameter, the form of its value, and its condition."""

IS_REPLACED: Final = (
    'EXISTS (SELECT 1 FROM "result" AS a JOIN "thread" AS t ON t."id" = a."thread_id"'
    ' JOIN "thread" AS o ON o."id" = "result"."thread_id" WHERE a."case_id" = "result"."case_id"'
    ' AND a."run_id" = "result"."run_id" AND t."job" = o."job"'
    ' AND COALESCE(t."attempt", 1) > COALESCE(o."attempt", 1))'
)
"""The condition that a later attempt of the same job has a result of the same test: see `findings.jobs`."""

_RAN = fn.MAX(RunRow.created)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run with the requested threads, and the attachments of both in the order of their arrival."""

    row: Json
    threads: Sequence[Json]
    attachments: Sequence[Json]


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; ``number`` counts from 1, ``total`` is the number of items on all pages."""

    number: int
    size: int
    total: int
    items: Sequence[Item]


class Reader:
    """The queries of one read transaction; each raises `ApiError` (404) for a record that does not exist."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._database = connection.orm

    @property
    def connection(self) -> StoreConnection:
        """The connection in its transaction."""
        return self._connection

    @property
    def database(self) -> Database:
        """The same connection for queries of peewee."""
        return self._database

    @property
    def has_runs(self) -> bool:
        """Whether any project has a run."""
        return bool(self._rows(RunRow.select(RunRow.id).limit(1)))

    def run(self, run_id: int, max_threads: int | None = 0) -> RunRecord:
        """Return a run with its first ``max_threads`` threads, None for all of them; no result is read."""
        row = self.run_row(run_id)
        if max_threads == 0:
            return self._bare_records([row])[0]
        limit = MAX_THREADS if max_threads is None else max_threads
        condition = 'WHERE "run_id" = ? ORDER BY "id" LIMIT ?'
        threads = select_rows(self._connection, "thread", columns_of(ThreadRow), condition, (run_id, limit))
        if max_threads is None:
            return RunRecord(row, threads, self._attachments('WHERE "run_id" = ?', (run_id,)))
        ids = [thread["id"] for thread in threads]
        of_these = f'("thread_id" IS NULL OR "thread_id" IN ({marks(ids)}))' if ids else '"thread_id" IS NULL'
        attachments = self._attachments(f'WHERE "run_id" = ? AND {of_these}', (run_id, *ids))
        return RunRecord(row, threads, attachments)

    def runs(self, run_ids: Sequence[int]) -> dict[int, RunRecord]:
        """Return those of these runs that exist, by id, without their threads."""
        return {record.row["id"]: record for record in self._bare_records(self.run_rows(run_ids))}

    def run_row(self, run_id: int) -> Json:
        """Return the row of a run."""
        rows = self.run_rows([run_id])
        if not rows:
            raise not_found("automation run")
        return rows[0]

    def run_rows(self, run_ids: Sequence[int]) -> list[Json]:
        """Return the rows of those of these runs that exist, in no order."""
        if not run_ids:
            return []
        return select_rows(self._connection, "run", columns_of(RunRow), f'WHERE "id" IN ({marks(run_ids)})', run_ids)

    def run_page(self, project_id: int, query: Mapping[str, Any]) -> Page[Json]:
        """Return a page of the rows of a project's runs, in the order of their creation."""
        self._check_project(project_id)
        condition, values = _run_condition(project_id, query)
        total = number_of(self._connection, f'SELECT COUNT(*) FROM "run" WHERE {condition}', values)  # noqa: S608 - as in `_run_condition`  # nosec B608
        number, size = query["page"], query["per_page"]
        offset = (number - 1) * size
        # A page after the last one needs no query, and its offset may be too large for the database.
        if offset >= total:
            return Page(number, size, total, ())
        order = "DESC" if query["order"] == "desc" else "ASC"
        rest = f'WHERE {condition} ORDER BY "created" {order}, "id" {order} LIMIT ? OFFSET ?'
        rows = select_rows(self._connection, "run", columns_of(RunRow), rest, (*values, size, offset))
        return Page(number, size, total, rows)

    def references(
        self, rows: Sequence[Json], project_id: int, wanted: Iterable[Reference]
    ) -> dict[Reference, list[Json]]:
        """Return the records of the wanted kinds that these runs or sources of a project refer to."""
        return referenced(self._connection, rows, project_id, wanted)

    def statuses(self, project_id: int) -> StatusTable:
        """Return the result statuses of a project, which need not exist yet."""
        return project_statuses(self._connection, project_id)

    def test_page(self, run_id: int, query: Mapping[str, Any]) -> Page[Json]:
        """Return a page of the results of a run."""
        # The run, or the thread that is asked for: its counts give the total without counting rows.
        counted_row = self._row(RunRow.select().where(RunRow.id == run_id))
        if counted_row is None:
            raise not_found("automation run")
        results = ResultRow.select(
            ResultRow.id,
            ResultRow.thread,
            ResultRow.case,
            ResultRow.name,
            ResultRow.folder,
            ResultRow.result_class,
            ResultRow.elapsed,
            ResultRow.created,
            CaseRow.key,
        ).join(CaseRow)
        column: Any = ResultRow.run
        value = run_id
        if query["thread_id"] is not None:
            results = results.where(ResultRow.run == run_id)
            column, value = (ResultRow.thread, query["thread_id"])
            counted_row = self._row(
                ThreadRow.select().where((ThreadRow.id == query["thread_id"]) & (ThreadRow.run == run_id))
            )
        if query["status_id"] is not None:
            results = results.where(ResultRow.result_class.in_(query["status_id"]))
        total = _count_of_classes(counted_row, query["status_id"]) if counted_row else 0
        if query["replaced"] not in ("1", "true"):
            results = results.where(~is_replaced())
            total = results.where(column == value).count(self._database)
        results = within(results, column, value, self._database)
        first_columns = first_order(column, self._database, is_descending=query["order"] == "desc")
        return self._page(results, (_RESULT_ORDERS[query["sort"]], ResultRow.id), query, total, first_columns)

    def source(self, source_id: int) -> Json:
        """Return a source with the number, averages and last status of its runs."""
        row = self._row(self._sources().where(SourceRow.id == source_id))
        if row is None:
            raise not_found("automation source")
        return self._with_last_run(row)

    def source_page(self, project_id: int, query: Mapping[str, Any]) -> Page[Json]:
        """Return a page of a project's sources; a request for retired ones gets an empty page."""
        self._check_project(project_id)
        sources = self._sources().where(SourceRow.project == project_id)
        total = SourceRow.select().where(SourceRow.project == project_id).count(self._database)
        # The embedded server cannot retire sources.
        if query["is_retired"] in ("1", "true"):
            return Page(query["page"], query["per_page"], 0, [])
        sort_column = _RAN if query["sort"] == "automation_sources:ran_at" else SourceRow.created
        page = self._page(sources, (sort_column, SourceRow.id), query, total)
        return Page(page.number, page.size, total, [self._with_last_run(row) for row in page.items])

    def _sources(self) -> Any:  # noqa: ANN401 - peewee's queries have no common type
        return (
            SourceRow.select(
                SourceRow.id,
                SourceRow.project,
                SourceRow.name,
                SourceRow.created,
                fn.COUNT(RunRow.id).alias("run_count"),
                fn.MAX(RunRow.created).alias("ran"),
                fn.AVG(RunRow.total_count).alias("test_average"),
                fn.AVG(RunRow.elapsed).alias("elapsed_average"),
            )
            .join(RunRow, JOIN.LEFT_OUTER)
            .group_by(SourceRow.id)
        )

    def _with_last_run(self, source: Json) -> Json:
        runs = RunRow.select(RunRow.status).where(RunRow.source == source["id"])
        last_run = self._row(runs.order_by(RunRow.created.desc(), RunRow.id.desc()).limit(1))
        return {**source, "last_run_status": last_run["status"] if last_run else None}

    def _check_project(self, project_id: int) -> None:
        if not self._connection.execute('SELECT 1 FROM "project" WHERE "id" = ?', (project_id,)):
            raise not_found("project with automation runs")

    def _bare_records(self, runs: Sequence[Json]) -> list[RunRecord]:
        """Return runs without their threads, so that the cost of a page does not depend on the number of CI jobs."""
        ids = [run["id"] for run in runs]
        condition = f'WHERE "run_id" IN ({marks(ids)}) AND "thread_id" IS NULL'
        attachments = _by_run(self._attachments(condition, ids) if ids else [], ids)
        return [RunRecord(run, (), attachments[run["id"]]) for run in runs]

    def _attachments(self, condition: str, values: Sequence[object]) -> list[Json]:
        columns = columns_of(AttachmentRow)
        return select_rows(self._connection, "attachment", columns, f'{condition} ORDER BY "id"', values)

    def _page(
        self,
        query: Any,  # noqa: ANN401 - peewee's queries have no common type
        columns: Sequence[Any],
        parameters: Mapping[str, Any],
        total: int,
        first_columns: Sequence[Any] = (),
    ) -> Page[Json]:
        """Return a page of a query, ordered by ``first_columns`` and then by ``columns``."""
        number, size = parameters["page"], parameters["per_page"]
        offset = (number - 1) * size
        items: Sequence[Json] = ()
        # A page after the last one needs no query, and its offset may be too large for the database.
        if offset < total:
            is_descending = parameters["order"] == "desc"
            order = [_descending(column) if is_descending else _ascending(column) for column in columns]
            items = self._rows(query.order_by(*first_columns, *order).limit(size).offset(offset))
        return Page(number, size, total, items)

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return query_rows(self._database, query)

    def _row(self, query: Any) -> Json | None:  # noqa: ANN401 - peewee's queries have no common type
        return next(iter(self._rows(query)), None)


_RESULT_ORDERS: Mapping[str, Any] = {
    "automation_run_tests:id": ResultRow.id,
    "automation_run_tests:name": ResultRow.name,
    "automation_run_tests:status": ResultRow.result_class,
    "automation_run_tests:elapsed": ResultRow.elapsed,
    "automation_run_tests:created_at": ResultRow.created,
}


_NULLABLE = (ResultRow.elapsed, _RAN)
"""Columns in which null sorts before all numbers: SQLite does so by itself, PostgreSQL has to be asked.

Only these, since neither has an index: an index of PostgreSQL does not serve an order with `NULLS FIRST`.
"""


def _ascending(column: Any) -> Any:  # noqa: ANN401 - peewee's columns have no common type
    is_nullable = any(column is nullable for nullable in _NULLABLE)
    return column.asc(nulls="FIRST") if is_nullable else column.asc()


def _descending(column: Any) -> Any:  # noqa: ANN401 - peewee's columns have no common type
    is_nullable = any(column is nullable for nullable in _NULLABLE)
    return column.desc(nulls="LAST") if is_nullable else column.desc()


def _run_condition(project_id: int, query: Mapping[str, Any]) -> tuple[str, list[object]]:
    """Return the condition of a page's runs with its values; it consists of names of ours and of question marks."""
    conditions, values = ['"project_id" = ?'], list[object]([project_id])
    for name, (_, condition) in RUN_FILTERS.items():
        wanted = query[name]
        if wanted is not None:
            several = [*wanted] if isinstance(wanted, frozenset) else [wanted]
            conditions.append(condition.format(marks(several)))
            values += several
    return " AND ".join(conditions), values


def _count_of_classes(row: Mapping[str, int], classes: frozenset[int] | None) -> int:
    """Return the number of results of these classes, or of all, from the counts of a run or thread."""
    if classes is None:
        return row["total_count"]
    counts = {
        ResultClass.NEUTRAL: row["total_count"] - row["success_count"] - row["failure_count"],
        ResultClass.SUCCESS: row["success_count"],
        ResultClass.FAILURE: row["failure_count"],
    }
    return sum(count for result_class, count in counts.items() if result_class in classes)


def _by_run(rows: Sequence[Json], ids: Sequence[int]) -> dict[int, list[Json]]:
    grouped: dict[int, list[Json]] = {run_id: [] for run_id in ids}
    for row in rows:
        grouped[row["run"]].append(row)
    return grouped


def is_replaced() -> Any:  # noqa: ANN401 - peewee's expressions have no common type
    """Return the condition that a later attempt of the same job has a result of the same test: see `findings.jobs`."""
    later, thread, own = ResultRow.alias(), ThreadRow.alias(), ThreadRow.alias()
    query: Any = later.select(later.id).join(thread, on=(thread.id == later.thread))
    query = query.join(own, on=(own.id == ResultRow.thread))
    is_same = (later.case == ResultRow.case) & (later.run == ResultRow.run) & (thread.job == own.job)
    return fn.EXISTS(query.where(is_same & (fn.COALESCE(thread.attempt, 1) > fn.COALESCE(own.attempt, 1))))
