"""The questions that pages ask and the API does not, inside a read transaction that its caller holds.

A page of a run is a few stretches of one index: the run's results by status, in the order of their arrival. The kept
counts say where a page begins, so that no page costs more the more tests a run has. Only a search looks at each test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.store.database import first_order, within
from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.tables import CaseRow, ProjectRow, ResultRow, RunRow, SourceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json

PAGE_ROWS: Final = 200
"""How many rows a page of a run has."""

READ_LENGTH: Final = 512 * 1024
"""Most characters of a test's fields that the page of its run reads to show a message; clients send less."""

HISTORY_ROWS: Final = 20
"""How many outcomes of a test its page shows."""

_SOURCES_SHOWN: Final = 200
_PROJECTS_SHOWN: Final = 200
_ROW = (ResultRow.id, ResultRow.name, ResultRow.folder, ResultRow.status, ResultRow.elapsed, ResultRow.thread)


@dataclass(frozen=True, slots=True)
class Search:
    """What the tests of a page have in common: a part of the name, a folder; empty means any."""

    text: str = ""
    folder: str | None = None

    @property
    def is_any(self) -> bool:
        """Whether it finds all tests."""
        return not self.text and self.folder is None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one page, and whether there are more after them."""

    items: Sequence[Json]
    has_more: bool


class PageReader:
    """The questions of pages to one store; `RefusalError` (404) for what is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def projects(self) -> list[int]:
        """Return the ids of the projects, lowest first."""
        query: Any = ProjectRow.select(ProjectRow.id).order_by(ProjectRow.id).limit(_PROJECTS_SHOWN)
        return [row["id"] for row in self._rows(query)]

    def latest_runs(self, project_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return, for each of these projects that has runs, how many it has and the id of the latest one."""
        query: Any = RunRow.select(
            RunRow.project, fn.COUNT(RunRow.id).alias("amount"), fn.MAX(RunRow.id).alias("latest")
        )
        rows = self._rows(query.where(RunRow.project.in_(project_ids)).group_by(RunRow.project))
        return {row["project"]: (row["amount"], row["latest"]) for row in rows}

    def home(self, project_id: int) -> str:
        """Return the path of the page with the runs of a project: the first page, where there is no other project."""
        return "/" if self.projects() == [project_id] else f"/projects/{project_id}"

    def sources(self, project_id: int) -> list[Json]:
        """Return id and name of the first sources of a project, by name."""
        query: Any = SourceRow.select(SourceRow.id, SourceRow.name).where(SourceRow.project == project_id)
        return self._rows(query.order_by(SourceRow.name).limit(_SOURCES_SHOWN))

    def source_names(self, source_ids: Collection[int]) -> dict[int, str]:
        """Return the names of some sources by their ids."""
        query = SourceRow.select(SourceRow.id, SourceRow.name).where(SourceRow.id.in_(source_ids))
        return {row["id"]: str(row["name"]) for row in self._rows(query)}

    def source_name(self, source_id: int) -> str:
        """Return the name of a source."""
        return self.source_names([source_id])[source_id]

    def tests(self, run_id: int, amounts: Mapping[int, int], page: int) -> Rows:
        """Return a page of a run's tests, status by status in the order of ``amounts``: how many tests each has."""
        skipped, room, found = (page - 1) * PAGE_ROWS, PAGE_ROWS, list[Any]()
        for status, amount in amounts.items():
            if skipped >= amount or room <= 0:
                skipped = max(0, skipped - amount)
                continue
            rows = self._rows(stretch(run_id, status, limit=room, offset=skipped, database=self._database))
            found += rows
            room -= len(rows)
            skipped = 0
        return Rows(found, sum(amounts.values()) > page * PAGE_ROWS)

    def found_tests(self, run_id: int, statuses: Iterable[int], search: Search, page: int) -> Rows:
        """Return a page of the tests that a search finds, status by status."""
        skipped, found = (page - 1) * PAGE_ROWS, list[Any]()
        for status in statuses:
            missing = skipped + PAGE_ROWS + 1 - len(found)
            rows = stretch(run_id, status, limit=missing, offset=0, database=self._database)
            found += self._rows(matching(rows, search))
            if len(found) > skipped + PAGE_ROWS:
                break
        return Rows(found[skipped : skipped + PAGE_ROWS], len(found) > skipped + PAGE_ROWS)

    def fields(self, result_ids: Sequence[int]) -> Iterator[Json]:
        """Yield id and fields of some tests of a page, without those that would take long to read.

        Never the fields of all tests are in memory at once.
        """
        length: Any = fn.LENGTH(ResultRow.fields)
        query: Any = ResultRow.select(ResultRow.id, ResultRow.fields).where(ResultRow.id.in_(result_ids))
        rows: Iterator[Json] = query.where(length <= READ_LENGTH).dicts().iterator(self._database)
        yield from rows

    def folders(self, run_id: int, statuses: Sequence[int], search: Search, page: int) -> Rows:
        """Return a page of the folders of a run: name, and how many tests of which status it has."""
        tests = matching(ResultRow.select().where(ResultRow.run == run_id, ResultRow.status.in_(statuses)), search)
        named = tests.select(ResultRow.folder).distinct().order_by(ResultRow.folder)
        names = [row["folder"] for row in self._rows(named.limit(PAGE_ROWS + 1).offset((page - 1) * PAGE_ROWS))]
        counted = tests.select(ResultRow.folder, ResultRow.status, fn.COUNT(ResultRow.id).alias("amount"))
        counted = counted.where(ResultRow.folder.in_(names[:PAGE_ROWS])).group_by(ResultRow.folder, ResultRow.status)
        amounts: dict[str, dict[int, int]] = {name: {} for name in names[:PAGE_ROWS]}
        for row in self._rows(counted):
            amounts[row["folder"]][row["status"]] = row["amount"]
        items = [{"folder": name, "amounts": by_status} for name, by_status in amounts.items()]
        return Rows(items, len(names) > PAGE_ROWS)

    def test(self, result_id: int) -> Json:
        """Return one test with all that is kept of it, and its key."""
        rows = self._rows(
            ResultRow.select(ResultRow, CaseRow.key, CaseRow.source).join(CaseRow).where(ResultRow.id == result_id)
        )
        if not rows:
            raise not_found("test")
        return rows[0]

    def history(self, case_id: int) -> list[Json]:
        """Return the last outcomes of a test in its source, latest first."""
        return self._rows(outcomes(case_id))

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return list(query.dicts().execute(self._database))


def stretch(run_id: int, status: int, *, limit: int, offset: int, database: Database | None = None) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for some tests of one status of a run, in a database or a SQLite file."""
    rows = within(ResultRow.select(*_ROW).where(ResultRow.run == run_id), ResultRow.status, status, database)
    return rows.order_by(*first_order(ResultRow.status, database), ResultRow.id).limit(limit).offset(offset)


def matching(query: Any, search: Search) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return a query of results with the conditions of a search."""
    if search.text:
        query = query.where(ResultRow.name.contains(search.text) | ResultRow.folder.contains(search.text))
    if search.folder is not None:
        query = query.where(ResultRow.folder == search.folder)
    return query


def outcomes(case_id: int) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for the last outcomes of a test."""
    columns = (
        ResultRow.id,
        ResultRow.status,
        ResultRow.elapsed,
        ResultRow.created,
        RunRow.id.alias("run_id"),
        RunRow.name,
    )
    rows = ResultRow.select(*columns).join(RunRow).where(ResultRow.case == case_id)
    return rows.order_by(ResultRow.id.desc()).limit(HISTORY_ROWS)
