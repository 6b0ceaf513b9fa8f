"""Read the rows of pages that the API does not have, inside a read transaction of the caller.

A page of a run is read from an index that has the run's results by status, in the order of their arrival. The stored
counts of the run show where in each status a page begins, so the time for a page does not grow with the number of
tests. Only a search looks at every test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.store.database import first_order, within
from pytest_automation_report.server.store.tables import ResultRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json

PAGE_ROWS: Final = 200
"""Rows of one page of a run."""

READ_LENGTH: Final = 512 * 1024
"""Longest fields of a test, in characters, from which the page of its run reads the message; our clients send less."""

_ROW = (ResultRow.id, ResultRow.name, ResultRow.folder, ResultRow.status, ResultRow.elapsed, ResultRow.thread)


@dataclass(frozen=True, slots=True)
class Search:
    """Conditions for the tests of a page: a part of the name or folder, and a whole folder; None is any folder."""

    text: str = ""
    folder: str | None = None

    @property
    def is_any(self) -> bool:
        """Whether the search has no condition."""
        return not self.text and self.folder is None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one page; ``has_more`` is True if another page follows."""

    items: Sequence[Json]
    has_more: bool


class RunReader:
    """Read the tests of runs from one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def found_tests(self, run_id: int, statuses: Iterable[int], search: Search, page: int) -> Rows:
        """Return a page of the tests that a search finds, status by status.

        The number of matches in a status is not known, so the rows of earlier pages are read, too, and one row more,
        which shows that another page follows.
        """
        skipped, rows = (page - 1) * PAGE_ROWS, list[Any]()
        for status in statuses:
            missing = skipped + PAGE_ROWS + 1 - len(rows)
            query = query_tests(run_id, status, limit=missing, offset=0, database=self._database)
            rows += self._rows(with_search(query, search))
            if len(rows) > skipped + PAGE_ROWS:
                break
        return Rows(rows[skipped : skipped + PAGE_ROWS], len(rows) > skipped + PAGE_ROWS)

    def fields(self, result_ids: Sequence[int]) -> Iterator[Json]:
        """Yield id and fields of these tests, without those longer than `READ_LENGTH`.

        The rows are fetched one by one, so that the fields of a whole page are never in memory at once.
        """
        length: Any = fn.LENGTH(ResultRow.fields)
        query: Any = ResultRow.select(ResultRow.id, ResultRow.fields).where(ResultRow.id.in_(result_ids))
        rows: Iterator[Json] = query.where(length <= READ_LENGTH).dicts().iterator(self._database)
        yield from rows

    def folders(self, run_id: int, statuses: Sequence[int], search: Search, page: int) -> Rows:
        """Return a page of the folders of a run: the name, and the number of tests by status."""
        tests = with_search(ResultRow.select().where(ResultRow.run == run_id, ResultRow.status.in_(statuses)), search)
        named = tests.select(ResultRow.folder).distinct().order_by(ResultRow.folder)
        names = [row["folder"] for row in self._rows(named.limit(PAGE_ROWS + 1).offset((page - 1) * PAGE_ROWS))]
        counted = tests.select(ResultRow.folder, ResultRow.status, fn.COUNT(ResultRow.id).alias("count"))
        counted = counted.where(ResultRow.folder.in_(names[:PAGE_ROWS])).group_by(ResultRow.folder, ResultRow.status)
        counts: dict[str, dict[int, int]] = {name: {} for name in names[:PAGE_ROWS]}
        for row in self._rows(counted):
            counts[row["folder"]][row["status"]] = row["count"]
        items = [{"folder": name, "counts": counts_by_status} for name, counts_by_status in counts.items()]
        return Rows(items, len(names) > PAGE_ROWS)

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return list(query.dicts().execute(self._database))


def query_tests(run_id: int, status: int, *, limit: int, offset: int, database: Database | None = None) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for some tests of one status of a run; ``database`` is None for SQLite."""
    rows = within(ResultRow.select(*_ROW).where(ResultRow.run == run_id), ResultRow.status, status, database)
    return rows.order_by(*first_order(ResultRow.status, database), ResultRow.id).limit(limit).offset(offset)


def with_search(query: Any, search: Search) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Restrict a query of results to those that a search finds."""
    if search.text:
        query = query.where(ResultRow.name.contains(search.text) | ResultRow.folder.contains(search.text))
    if search.folder is not None:
        query = query.where(ResultRow.folder == search.folder)
    return query
