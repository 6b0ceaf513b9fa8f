"""Read the tests of a run for its page, inside a read transaction of the caller.

A list without a search is read from an index that has the run's results by status, in the order of their arrival. The
stored counts of the run show where in each status a page begins, so the time for a page does not grow with the number
of tests. Only a search, and the order by time, look at every test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.store.database import first_order, marks, query_rows, select_rows, within
from pytest_automation_report.server.store.run_rows import find_cases
from pytest_automation_report.server.store.statuses import ResultClass
from pytest_automation_report.server.store.tables import (
    ResultRow,
    RunRow,
    columns_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.run.url import Lane
    from pytest_automation_report.server.store.database import StoreConnection

PAGE_ROWS: Final = 150
"""Rows of one page of a run: with more of them a page has over 2,500 elements."""

READ_LENGTH: Final = 512 * 1024
"""Longest fields of a test, in characters, from which the page of its run reads the message; our clients send less."""

MAX_FAILURES: Final = 2_000
"""Most failures that the view of the failures groups; those after them are in the list of tests."""

TREND_RUNS: Final = 30
"""Runs of the trend, the shown one included."""

NEAR: Final = 2_500
"""Results before and after one that are looked through where no index leads to its neighbours."""

_AT_ONCE: Final = 500
_ROW = (
    ResultRow.id,
    ResultRow.case,
    ResultRow.name,
    ResultRow.folder,
    ResultRow.file,
    ResultRow.line,
    ResultRow.status,
    ResultRow.elapsed,
    ResultRow.thread,
)
_WITH_REASON: Final = (
    *("id", "case_id", "name", "folder", "file", "line", "status", "elapsed", "thread_id"),
    *("failed_attempts", "phase", "message", "fingerprint"),
)
_REASON = (ResultRow.failed_attempts, ResultRow.phase, ResultRow.message, ResultRow.fingerprint)
_TREND: Final = ("id", "status", "is_completed", "failure_count", "success_count", "total_count", "created", "commit")


@dataclass(frozen=True, slots=True)
class Search:
    """Conditions for the tests of a page; None is any.

    ``text`` is a part of the name, folder, file or message, or a node id, as a terminal shows it. ``folder`` is a whole
    folder, ``fingerprint`` a reason, ``ids`` are results of which a list of findings consists. ``is_flaky``: passed
    after a failed attempt. ``lane`` is a worker, or a block of its lane.
    """

    text: str = ""
    folder: str | None = None
    fingerprint: int | None = None
    ids: Collection[int] | None = None
    is_flaky: bool = False
    lane: Lane | None = None

    @property
    def is_any(self) -> bool:
        """Whether the search has no condition."""
        return self == Search()


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one page; ``has_more`` is True if another page follows."""

    items: Sequence[Json]
    has_more: bool


@dataclass(frozen=True, slots=True)
class UsualTimes:
    """Durations in microseconds: of all tests that the run before had, and of those of them that ran in this one."""

    known: int
    all: int
    ran_count: int
    ran: int


class RunReader:
    """Read the tests of runs from one store."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._database = connection.orm

    @property
    def connection(self) -> StoreConnection:
        """The connection in its transaction."""
        return self._connection

    def tests(self, run_id: int, counts: Mapping[int, int], page: int) -> Rows:
        """Return a page of a run's tests, status by status; ``counts`` has the number of tests of each, in this order.

        The counts skip whole statuses without a query.
        """
        skipped, remaining, rows = (page - 1) * PAGE_ROWS, PAGE_ROWS, list[Any]()
        for status, count in counts.items():
            if skipped >= count or remaining <= 0:
                skipped = max(0, skipped - count)
                continue
            query = query_tests(run_id, status, limit=remaining, offset=skipped, database=self._database)
            rows_of_status = self._rows(query)
            rows += rows_of_status
            remaining -= len(rows_of_status)
            skipped = 0
        return Rows(rows, sum(counts.values()) > page * PAGE_ROWS)

    def found_tests(
        self, run_id: int, statuses: Iterable[int], search: Search, page: int, *, size: int = PAGE_ROWS
    ) -> Rows:
        """Return a page of the tests that a search finds, status by status.

        The number of matches in a status is not known, so the rows of earlier pages are read, too, and one row more,
        which shows that another page follows.
        """
        skipped, rows = (page - 1) * size, list[Any]()
        for status in statuses:
            missing = skipped + size + 1 - len(rows)
            query = query_tests(run_id, status, limit=missing, offset=0, database=self._database)
            rows += self._rows(with_search(query, search))
            if len(rows) > skipped + size:
                break
        return Rows(rows[skipped : skipped + size], len(rows) > skipped + size)

    def near(self, row: Json) -> list[Json]:
        """Return the results of the file of a result, those that arrived about the same time, in that order."""
        return self.between(row["run"], row["id"] - NEAR, row["id"] + NEAR, row["file"], row["folder"])

    def ordered_tests(
        self,
        run_id: int,
        statuses: Collection[int],
        search: Search,
        page: int,
        *,
        is_slowest_first: bool,
        size: int = PAGE_ROWS,
    ) -> Rows:
        """Return a page of a run's tests of some statuses, slowest first or in the order of their arrival."""
        query = within(ResultRow.select(*_ROW), ResultRow.run, run_id, self._database)
        query = with_search(query.where(ResultRow.status.in_(list(statuses))), search)
        # Two orders of the same columns: an index serves the second one.
        slowest: Any = fn.COALESCE(ResultRow.elapsed, -1)
        order = (slowest.desc(), ResultRow.id) if is_slowest_first else (ResultRow.id,)
        query = query.order_by(*(() if is_slowest_first else first_order(ResultRow.run, self._database)), *order)
        rows = self._rows(query.limit(size + 1).offset((page - 1) * size))
        return Rows(rows[:size], len(rows) > size)

    def count_by_status(self, run_id: int, search: Search) -> dict[int, int]:
        """Return the number of tests by status that a search finds."""
        query: Any = ResultRow.select(ResultRow.status, fn.COUNT(ResultRow.id).alias("count"))
        query = with_search(query.where(ResultRow.run == run_id), search).group_by(ResultRow.status)
        return {row["status"]: row["count"] for row in self._rows(query)}

    def failures(self, run_id: int, statuses: Collection[int]) -> list[Json]:
        """Return the first `MAX_FAILURES` results of a run with one of these statuses, with their reasons."""
        rows: list[Json] = []
        for status in statuses:
            query = query_tests(run_id, status, limit=MAX_FAILURES - len(rows), offset=0, database=self._database)
            rows += self._rows(query.select_extend(*_REASON))
            if len(rows) >= MAX_FAILURES:
                break
        return rows

    def rows_of(self, result_ids: Iterable[int]) -> dict[int, Json]:
        """Return these results by id, with their reasons."""
        ids = list(result_ids)
        rows: dict[int, Json] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            found = select_rows(self._connection, "result", _WITH_REASON, f'WHERE "id" IN ({marks(some)})', some)
            rows |= {row["id"]: row for row in found}
        return rows

    def between(self, run_id: int, first: int, last: int, file: str | None, folder: str) -> list[Json]:
        """Return the results of a file, or of a folder without files, that lie between two ids."""
        query: Any = ResultRow.select(*_ROW, ResultRow.failed_attempts).where(
            (ResultRow.run == run_id) & ResultRow.id.between(first, last)
        )
        query = query.where(ResultRow.file == file if file is not None else ResultRow.folder == folder)
        return self._rows(query.order_by(ResultRow.id))

    def fields(self, result_ids: Sequence[int]) -> Iterator[Json]:
        """Yield id and fields of these tests, without those longer than `READ_LENGTH`.

        The rows are fetched one by one, so that the fields of a whole page are never in memory at once.
        """
        length: Any = fn.LENGTH(ResultRow.fields)
        query: Any = ResultRow.select(ResultRow.id, ResultRow.fields).where(ResultRow.id.in_(result_ids))
        rows: Iterator[Json] = query.where(length <= READ_LENGTH).dicts().iterator(self._database)
        yield from rows

    def trend(self, run: Json) -> list[Json]:
        """Return the last runs of a run's source, branch and configuration up to it, oldest first."""
        return self._runs_beside(run, 'AND "id" <= ? ORDER BY "id" DESC LIMIT ?', run["id"], TREND_RUNS)[::-1]

    def next_run(self, run: Json) -> int | None:
        """Return the run after this one, of the same source, branch and configuration."""
        rows = self._runs_beside(run, 'AND "id" > ? ORDER BY "id" LIMIT 1', run["id"])
        return rows[0]["id"] if rows else None

    def possible_bases(self, run: Json) -> list[Json]:
        """Return runs that the user can compare a run with: the newest completed ones before it, of any branch."""
        condition = 'WHERE "source_id" = ? AND "id" < ? AND "is_completed" ORDER BY "id" DESC LIMIT ?'
        values = run["source"], run["id"], TREND_RUNS
        return select_rows(self._connection, "run", (*_TREND, "branch"), condition, values)

    def run(self, run_id: int) -> Json | None:
        """Return the row of a run; None if it was removed."""
        rows = select_rows(self._connection, "run", columns_of(RunRow), 'WHERE "id" = ?', (run_id,))
        return rows[0] if rows else None

    def run_fields(self, run_id: int) -> dict[str, str]:
        """Return the fields of a run by their names, without those of its threads."""
        condition = """WHERE "run_id" = ? AND "kind" = 'fields' AND "thread_id" IS NULL"""
        rows = select_rows(self._connection, "attachment", ("body",), condition, (run_id,))
        fields = (json.loads(row["body"]) for row in rows)
        return {str(field["name"]): str(field.get("value") or "") for field in fields}

    def usual_times(self, before: int, run_id: int) -> UsualTimes:
        """Return how long the tests of an earlier run took, and those of them that have a result in this run."""
        known, whole = self._times("", before)
        ran_count, ran = self._times(
            ' AND "case_id" IN (SELECT "case_id" FROM "result" WHERE "run_id" = ?)', before, run_id
        )
        return UsualTimes(known, whole, ran_count, ran)

    def _times(self, condition: str, *values: int) -> tuple[int, int]:
        sql = f'SELECT COUNT(*), COALESCE(SUM("elapsed"), 0) FROM "result" WHERE "run_id" = ?{condition}'  # noqa: S608 - constants  # nosec B608
        ((count, elapsed),) = self._connection.execute(sql, values)
        return count, int(elapsed)

    def cases(self, source_id: int, keys: Sequence[str]) -> dict[str, int]:
        """Return the cases of a source by their keys."""
        return find_cases(self._connection, source_id, keys)

    def _runs_beside(self, run: Json, rest: str, *values: object) -> list[Json]:
        """Return the runs of a run's source, branch and configuration."""
        beside = [run[name] for name in ("branch", "config") if run[name] is not None]
        branch = '"branch" IS NULL' if run["branch"] is None else '"branch" = ?'
        config = '"config_id" IS NULL' if run["config"] is None else '"config_id" = ?'
        condition = f'WHERE "source_id" = ? AND {branch} AND {config} {rest}'
        return select_rows(self._connection, "run", _TREND, condition, (run["source"], *beside, *values))

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return query_rows(self._database, query)


def query_tests(run_id: int, status: int, *, limit: int, offset: int, database: Database | None = None) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for some tests of one status of a run; ``database`` is None for SQLite."""
    rows = within(ResultRow.select(*_ROW).where(ResultRow.run == run_id), ResultRow.status, status, database)
    return rows.order_by(*first_order(ResultRow.status, database), ResultRow.id).limit(limit).offset(offset)


def with_search(query: Any, search: Search) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Restrict a query of results to those that a search finds."""
    if search.text:
        query = query.where(_matches(search.text))
    if search.folder is not None:
        query = query.where(ResultRow.folder == search.folder)
    if search.fingerprint is not None:
        query = query.where(ResultRow.fingerprint == search.fingerprint)
    if search.ids is not None:
        query = query.where(ResultRow.id.in_(list(search.ids)))
    if search.is_flaky:
        query = query.where(ResultRow.failed_attempts.is_null(is_null=False))
    if search.lane is not None:
        query = query.where(_in_lane(search.lane))
    return query


def _in_lane(lane: Lane) -> Any:  # noqa: ANN401 - peewee's expressions have no common type
    condition: Any = ResultRow.thread == lane.thread
    if not lane.kind:
        return condition
    condition &= ResultRow.id.between(lane.first, lane.last)
    if lane.kind == "failed":
        return condition & (ResultRow.result_class == ResultClass.FAILURE)
    if lane.kind == "skipped":
        return condition & ResultRow.result_class.not_in([ResultClass.SUCCESS, ResultClass.FAILURE])
    is_retried = ResultRow.failed_attempts.is_null(is_null=lane.kind == "passed")
    return condition & (ResultRow.result_class == ResultClass.SUCCESS) & is_retried


def _matches(text: str) -> Any:  # noqa: ANN401 - peewee's expressions have no common type
    """Return the condition for a part of a name, folder, file or message; a node id is split into these."""
    path, colons, inner = text.partition("::")
    if not colons:
        columns: tuple[Any, ...] = (ResultRow.name, ResultRow.folder, ResultRow.file, ResultRow.message)
        condition = columns[0].contains(text)
        for column in columns[1:]:
            condition |= column.contains(text)
        return condition
    names, bracket, params = inner.partition("[")
    scopes, _, last = names.rpartition("::")
    module = path.replace("\\", "/").removesuffix(".py").replace("/", ".")
    folder: Any = f"{module}.{scopes.replace('::', '.')}" if scopes else module
    condition = ResultRow.folder.endswith(folder) if last else ResultRow.folder.contains(folder)
    # A whole name is pasted, with or without its parameters; one that is still being typed is found by its beginning.
    return condition & ResultRow.name.startswith(f"{last}[{params}" if bracket else last)
