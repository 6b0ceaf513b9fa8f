"""Read what searches find in all stored runs: runs, tests by their last results, reasons by their last failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.reads import Reader, rows_of
from pytest_automation_report.server.store.searches import Search, escaped, like_any
from pytest_automation_report.server.store.stored import FOUND, FoundResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_SHOWN: Final = 200
_AT_ONCE: Final = 500
# The index of fingerprints is searched from each one to the next: an order of all its entries would take seconds.
_ALL_REASONS: Final = (
    'WITH RECURSIVE f ("x") AS (SELECT MIN("fingerprint") FROM "result" WHERE "fingerprint" IS NOT NULL UNION ALL'
    ' SELECT (SELECT MIN("fingerprint") FROM "result" WHERE "fingerprint" > f."x") FROM f WHERE f."x" IS NOT NULL)'
)
# A reason can have a message for each of its tests.
_OF_REASON: Final = (
    'FROM "result" AS m JOIN "run" AS u ON u."id" = m."run_id" WHERE m."fingerprint" = f."x"{}'
    ' ORDER BY m."run_id" DESC, m."id" DESC LIMIT 20'
)
_LAST_OF_REASON: Final = (
    f'FROM "result" AS n WHERE n."id" IN (SELECT m."id" {_OF_REASON}){{}} ORDER BY n."run_id" DESC, n."id" DESC LIMIT 1'
)
_ALL_TESTS: Final = '(SELECT "id" AS "x" FROM "case" WHERE "source_id" = ?) AS f'
_LAST_OF_TEST: Final = 'FROM "result" AS n WHERE n."case_id" = f."x" ORDER BY n."run_id" DESC, n."id" DESC LIMIT 1'


class LookedAt(Struct, frozen=True):
    """What a search looks at: the number of runs, the first and the last of them, and the number of tests."""

    runs: int
    first: int | None
    last: int | None
    tests: int


class SearchReader(Reader):
    """The questions of searches, in one read transaction."""

    def found_runs(self, text: str, source_id: int | None) -> list[tuple[int, int]]:
        """Return id and project of the newest runs with this text in name or branch, or as begin of a commit."""
        own_text = escaped(text)
        patterns = {"name": f"%{own_text}%", "branch": f"%{own_text}%", "commit": f"{own_text}%"}
        found, values = like_any(self.connection.like, patterns)
        own, source = ("", ()) if source_id is None else (' AND "source_id" = ?', (source_id,))
        sql = f'SELECT "id", "project_id" FROM "run" WHERE ({found}){own} ORDER BY "id" DESC LIMIT 10'
        return self.connection.execute(sql, (*values, *source))

    def names(self, run_ids: Sequence[int], count: int) -> list[str]:
        """Return some names of tests with their folders, for the word that a misspelled one resembles."""
        sql = f'SELECT "folder", "name" FROM "result" WHERE "run_id" IN ({marks(run_ids)}) LIMIT ?'
        return [f"{folder} {name}" for folder, name in self.connection.execute(sql, (*run_ids, count))]

    def tests_of_source(self, source_id: int, text: str, count: int) -> list[FoundResult]:
        """Return the tests of all stored runs that a search finds by their last results, last run first."""
        condition, values = Search(text).sql(self.connection.like)
        rest = f'{self._last_of(_ALL_TESTS, _LAST_OF_TEST)}{condition} ORDER BY "run_id" DESC, "id" LIMIT ?'
        return FOUND.all(self.connection, rest, (source_id, *values, count))

    def tests_among(self, cases: Sequence[int], text: str, count: int) -> list[FoundResult]:
        """Return those of some tests that a search finds by their last results, at most ``count`` of each 500."""
        condition, values = Search(text).sql(self.connection.like)
        rows: list[FoundResult] = []
        for start in range(0, len(cases), _AT_ONCE):
            some = cases[start : start + _AT_ONCE]
            every = f'(SELECT "id" AS "x" FROM "case" WHERE "id" IN ({marks(some)})) AS f'
            rest = f'{self._last_of(every, _LAST_OF_TEST)}{condition} ORDER BY "run_id" DESC, "id" LIMIT ?'
            rows += FOUND.all(self.connection, rest, (*some, *values, count))
        return rows

    def reasons(
        self, text: str, source_id: int | None, count: int, among: Sequence[int] | None = None
    ) -> list[FoundResult]:
        """Return the last failures of reasons that a search finds in all stored runs, newest first.

        ``among`` are the reasons to look at, by fingerprint, by default all.
        """
        own, source = ("", ()) if source_id is None else (' AND u."source_id" = ?', (source_id,))
        condition, values = Search(text).sql(self.connection.like)
        last = self._last_of("f", _LAST_OF_REASON.format(own, condition))
        rest = f'{last} ORDER BY "run_id" DESC, "id" LIMIT ?'
        every = _ALL_REASONS if among is None else f'WITH f ("x") AS (VALUES {", ".join(["(?)"] * len(among))})'
        if among is not None and not among:
            return []
        return FOUND.all(self.connection, rest, (*(among or ()), *source, *values, count), f"{every} ")

    def tests_of_reasons(self, fingerprints: Iterable[int]) -> list[int]:
        """Return the tests, by case, whose last failures have one of these reasons."""
        sql = 'SELECT "case_id" FROM "result" WHERE "fingerprint" = ? ORDER BY "run_id" DESC LIMIT ?'
        rows = (row for reason in fingerprints for row in self.connection.execute(sql, (reason, _SHOWN)))
        return list(dict.fromkeys(case_id for (case_id,) in rows))

    def reasons_of_tests(self, cases: Sequence[int]) -> list[int]:
        """Return the fingerprints of these tests' failures."""
        sql = f'SELECT DISTINCT "fingerprint" FROM "result" WHERE "case_id" IN ({marks(cases)})'
        rows = self.connection.execute(f'{sql} AND "fingerprint" IS NOT NULL', cases)
        return [fingerprint for (fingerprint,) in rows]

    def found_in_runs(self, run_ids: Sequence[int], text: str, count: int) -> list[tuple[int, int | None]]:
        """Return the tests of these runs, by case, whose results a search finds, with the reasons of their failures."""
        condition, values = Search(text).sql(self.connection.like)
        sql = f'SELECT DISTINCT "case_id", "fingerprint" FROM "result" WHERE "run_id" IN ({marks(run_ids)}){condition}'
        return [
            (case, reason) for case, reason in self.connection.execute(f"{sql} LIMIT ?", (*run_ids, *values, count))
        ]

    def sources_of_tests(self, cases: Sequence[int]) -> dict[int, int]:
        """Return the suite of each of these tests."""
        return dict(rows_of(self.connection, 'SELECT "id", "source_id" FROM "case" WHERE "id" IN ({ids})', cases))

    def _last_of(self, every: str, last: str) -> str:
        """Return the end of a statement, to which conditions can be added, on one result for each row of ``every``."""
        if self.connection.is_postgres:  # it would read all results to join them with the last ones
            return f"FROM {every} CROSS JOIN LATERAL (SELECT n.* {last}) AS r WHERE TRUE"
        return f'FROM "result" WHERE "id" IN (SELECT (SELECT n."id" {last}) FROM {every})'

    def looked_at(self, source_id: int | None) -> LookedAt:
        """Return what a search of all stored runs, or of one source's, looks at: numbers, first and last run."""
        own, source = ("1 = 1", ()) if source_id is None else ('"source_id" = ?', (source_id,))
        ((runs, first, last),) = self.connection.execute(
            f'SELECT COUNT(*), MIN("id"), MAX("id") FROM "run" WHERE {own}', source
        )
        tests = self.connection.number(f'SELECT COUNT(*) FROM "case" WHERE {own}', source)
        return LookedAt(runs, first, last, tests)
