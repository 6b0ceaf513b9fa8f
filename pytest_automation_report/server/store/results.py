"""Read results: of a run, of one test in all runs, and those beside one result.

The stored counts of a run show where in each status a page of its tests begins, so the time for a page does not grow
with the number of tests. Only a search, and the order by time, look at every test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.overview import FACTS_VALUES, natural_key
from pytest_automation_report.server.store.reads import Reader
from pytest_automation_report.server.store.searches import Search
from pytest_automation_report.server.store.stored import (
    BRIEF,
    CASE,
    LISTED,
    PAST,
    REPORTED,
    RESULT,
    BriefResult,
    ListedResult,
    PastResult,
    ReportedResult,
    StoredCase,
    StoredResult,
    known,
)
from pytest_automation_report.server.store.values import KILLED, RESULT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


PAGE_ROWS: Final = 150  # rows of one page of a run: with more of them a page has over 2,500 elements
# Longest fields of a test, in characters, from which the page of its run reads the message; our clients send less.
READ_LENGTH: Final = 512 * 1024
# Most failures that the view of the failures groups; those after them are in the list of tests.
MAX_FAILURES: Final = 2_000
NEAR: Final = 2_500  # results before and after one that are looked through where no index leads to its neighbours
HISTORY_ROWS: Final = 300  # most results of one test that its pages look at
SIBLINGS: Final = 60  # most results of one function that a page of one of them names
_FAILED_SIBLINGS: Final = 20  # most of them that are shown since they failed
_MAX_SIBLINGS: Final = 10_000  # most that are counted
_SAME_REASON: Final = 8
_AT_ONCE: Final = 500
# In PostgreSQL an order by the id alone would be served by the primary key, in vain for all rows of other runs. An
# order by the column first can only be served by an index that begins with the column. With ``column = value`` the
# planner drops the column from the order, so the condition is a range of one value.
_OF_STATUS: Final = '"run_id" = ? AND "status" BETWEEN ? AND ?{} ORDER BY "status", "id" LIMIT ? OFFSET ?'
_COUNTS: Final = ' AND NOT "is_replaced"'
_AS_THEY_RAN: Final = '"run_id" BETWEEN ? AND ? AND "status" IN ({}){} ORDER BY "run_id", "id" LIMIT ? OFFSET ?'
_SLOWEST_FIRST: Final = (
    '"run_id" BETWEEN ? AND ? AND "status" IN ({}){} ORDER BY COALESCE("elapsed", -1) DESC, "id" LIMIT ? OFFSET ?'
)
_REPORTED: Final = 'FROM "result" WHERE "run_id" = ? AND NOT "is_replaced" ORDER BY "id"'
_FAILURES: Final = (
    'FROM "result" WHERE "run_id" = ? AND "result_class" = 3 AND NOT "is_replaced" ORDER BY "run_id", "id" LIMIT ?'
)
_HISTORY: Final = (
    'FROM "result" AS r INNER JOIN "run" AS u ON u."id" = r."run_id"'
    ' INNER JOIN "thread" AS t ON t."id" = r."thread_id" WHERE r."case_id" = ?'
    ' ORDER BY r."run_id" DESC, r."id" DESC LIMIT ?'
)
# The most telling outcome of some tests in each run: 3 for the reason, 2 for another one, 1 passed.
_IN_RUNS: Final = (
    'WITH t ("case_id", "reason") AS (VALUES {tests}) SELECT t."reason", r."run_id", MAX(r."id") AS "id", MAX(CASE'
    ' WHEN EXISTS (SELECT 1 FROM "result" AS f WHERE f."fingerprint" = t."reason" AND f."run_id" = r."run_id") THEN 3'
    ' WHEN r."result_class" = 3 THEN CASE WHEN t."reason" = 0 AND r."fingerprint" <> ? THEN 3 ELSE 2 END'
    ' WHEN r."result_class" = 2 THEN 1 ELSE 0 END) AS "rank" FROM t JOIN "result" AS r ON r."case_id" = t."case_id"'
    ' WHERE r."run_id" IN ({runs}) AND NOT r."is_replaced" GROUP BY t."reason", r."run_id" ORDER BY r."run_id" DESC'
)


class Siblings(Struct, frozen=True):
    """Tests of one function with other parameters: how many there are and failed, and some of them."""

    count: int = 0
    failed: int = 0
    rows: Sequence[BriefResult] = ()


NO_SIBLINGS: Final = Siblings()
_FAILED: Final = tuple(status.id for status in RESULT_STATUSES.values() if status.is_failed)


def siblings_of(row: BriefResult, results: Iterable[BriefResult]) -> Siblings:
    """Return the siblings of a test of all ``results`` of its function: failed ones first, then those around it."""
    # Of several jobs a result that failed counts, and on its page the test itself.
    by_name = {
        other.name: other for other in sorted(results, key=lambda other: (other.id == row.id, other.status in _FAILED))
    }
    ordered = sorted(by_name.values(), key=lambda other: natural_key(other.name))
    failed = [other for other in ordered if other.status in _FAILED]
    shown = {other.id: other for other in failed[:_FAILED_SIBLINGS]}
    room = SIBLINGS - len(shown)
    place = next((number for number, other in enumerate(ordered) if other.id == row.id), 0)
    first = max(0, min(place - room // 2, len(ordered) - room))
    shown |= {other.id: other for other in ordered[first : first + room]}
    return Siblings(len(ordered), len(failed), list(shown.values()))


class ResultReader(Reader):
    """The questions about results, in one read transaction."""

    def tests(
        self,
        run_id: int,
        counts: Mapping[int, int],
        search: Search,
        page: int = 1,
        *,
        sort: str = "failed",
        size: int = PAGE_ROWS,
    ) -> tuple[list[ListedResult], bool]:
        """Return a page of the tests that a search finds, and whether another one follows.

        They stand status by status, slowest first, or as they arrived. ``counts`` has the number of each status.
        """
        skipped, rows = (page - 1) * size, list[Any]()
        condition, values = self._conditions(run_id, search)
        if sort != "failed":
            rest = _SLOWEST_FIRST if sort == "slowest" else _AS_THEY_RAN
            rest = rest.format(marks([*counts]), condition)
            rows = self._listed(rest, run_id, run_id, *counts, *values, size + 1, skipped)
            return rows[:size], len(rows) > size
        for status, count in counts.items():
            offset = 0
            if search.is_any and not rows:
                # Whole statuses are skipped without a query.
                if count <= skipped:
                    skipped -= count
                    continue
                offset, skipped = skipped, 0
            # How many tests of a status a search finds is not known, so the rows of earlier pages are read, too. One
            # row more shows that another page follows.
            limit = skipped + size + 1 - len(rows)
            of_status = _OF_STATUS.format(condition)
            rows += self._listed(of_status, run_id, status, status, *values, limit, offset)
            if len(rows) > skipped + size:
                break
        return rows[skipped : skipped + size], len(rows) > skipped + size

    def failures(self, run_id: int) -> list[ListedResult]:
        """Return the first `MAX_FAILURES` failures of a run, in the order of their arrival."""
        return self.tests(run_id, dict.fromkeys(_FAILED, MAX_FAILURES), Search(), size=MAX_FAILURES)[0]

    def _conditions(self, run_id: int, search: Search) -> tuple[str, list[Any]]:
        """Return the conditions of a search, each after an AND, and their values."""
        condition, values = search.sql(self.connection.like)
        # Only the list of a worker has replaced results: they took its time.
        return condition + (_COUNTS if search.lane is None and self.has_attempts(run_id) else ""), values

    def count_by_status(self, run_id: int, search: Search) -> dict[int, int]:
        """Return the number of tests by status that a search finds."""
        condition, values = self._conditions(run_id, search)
        sql = f'SELECT "status", COUNT(*) FROM "result" WHERE "run_id" = ?{condition} GROUP BY "status"'
        return dict(self.connection.execute(sql, (run_id, *values)))

    def rows_of(self, result_ids: Iterable[int]) -> dict[int, ListedResult]:
        """Return these results by id."""
        ids = list(result_ids)
        rows: dict[int, ListedResult] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            rows |= {row.id: row for row in self._listed(f'"id" IN ({marks(some)})', *some)}
        return rows

    def between(self, run_id: int, first: int, last: int, file: str | None, folder: str) -> list[ListedResult]:
        """Return the results between two ids that have this file, or this folder for None."""
        column = "folder" if file is None else "file"
        rest = f'"run_id" = ? AND "id" BETWEEN ? AND ? AND "{column}" = ?{_COUNTS} ORDER BY "id"'
        return self._listed(rest, run_id, first, last, folder if file is None else file)

    def fields(self, result_ids: Sequence[int]) -> Iterator[tuple[int, str | None, str | None]]:
        """Yield id, fields and causes of these tests one by one: all together take much memory.

        None is over `READ_LENGTH`.
        """
        sql = f'SELECT "id", "fields", "causes" FROM "result" WHERE "id" IN ({marks(result_ids)})'
        length = 'COALESCE(LENGTH("fields"), 0) + COALESCE(LENGTH("causes"), 0)'
        yield from self.connection.cursor(f"{sql} AND {length} <= ?", (*result_ids, READ_LENGTH))

    def reported(self, run_id: int) -> list[ReportedResult]:
        """Return the results of a run that count as the report in one file lists them, in the order of their ids."""
        return REPORTED.all(self.connection, _REPORTED, (*FACTS_VALUES, run_id))

    def whole_results(self, result_ids: Sequence[int]) -> Iterator[StoredResult]:
        """Yield these results, in the order of their ids."""
        yield from RESULT.each(
            self.connection, f'FROM "result" WHERE "id" IN ({marks(result_ids)}) ORDER BY "id"', result_ids
        )

    def whole_failures(self, run_id: int, count: int) -> list[StoredResult]:
        """Return the first failures of a run with all that is stored of them."""
        return RESULT.all(self.connection, _FAILURES, (run_id, count))

    def test(self, result_id: int) -> StoredResult:
        """Return one result, with key and source of its test; raises `ApiError` (404) for an unknown id."""
        found = known("test", RESULT.first(self.connection, 'FROM "result" WHERE "id" = ?', (result_id,)))
        case = self.case(found.case)
        return replace(found, key=case.key, source=case.source, moved_from=case.moved_from)

    def case(self, case_id: int) -> StoredCase:
        """Return a test, whatever the run; raises `ApiError` (404) for an unknown id."""
        return known("test", CASE.first(self.connection, 'FROM "case" WHERE "id" = ?', (case_id,)))

    def history(self, case_id: int, moved_from: int | None = None) -> list[PastResult]:
        """Return the last results of a test in its source, latest first, with branch, commit and job of each.

        Those that it had before it was moved are among them, from the case ``moved_from`` on.
        """
        rows = PAST.all(self.connection, _HISTORY, (case_id, HISTORY_ROWS))
        seen = {case_id}
        while moved_from is not None and moved_from not in seen:
            seen.add(moved_from)
            rows += PAST.all(self.connection, _HISTORY, (moved_from, HISTORY_ROWS))
            earlier = CASE.first(self.connection, 'FROM "case" WHERE "id" = ?', (moved_from,))
            moved_from = None if earlier is None else earlier.moved_from
        return sorted(rows, key=lambda row: (-row.run, -row.id))[:HISTORY_ROWS]

    def same_reason(self, row: StoredResult) -> tuple[list[BriefResult], int]:
        """Return some other tests of the run that failed for the same reason, and the number of all of them."""
        if row.fingerprint is None:
            return [], 0
        is_same = f'"fingerprint" = ? AND "run_id" = ? AND "id" <> ?{_COUNTS}'
        values = (row.fingerprint, row.run, row.id)
        rest = f'{is_same} ORDER BY "fingerprint", "id" LIMIT {_SAME_REASON}'
        rows = self._brief(rest, *values)
        if len(rows) < _SAME_REASON:
            return rows, len(rows)
        return rows, self.connection.number(f'SELECT COUNT(*) FROM "result" WHERE {is_same}', values)

    def siblings(self, row: StoredResult) -> Siblings:
        """Return the tests of the same function with other parameters, of those that arrived about the same time."""
        # A run of 100,000 tests has no index by name, so the rows near this one are looked through.
        function = row.name.partition("[")[0]
        if function == row.name:
            return NO_SIBLINGS
        prefix = f"{function}["
        rest = (
            '"id" BETWEEN ? AND ? AND "run_id" = ? AND "folder" = ? AND SUBSTR("name", 1, ?) = ?'
            f'{_COUNTS} ORDER BY "id" LIMIT {_MAX_SIBLINGS}'
        )
        place = (row.id - _MAX_SIBLINGS, row.id + _MAX_SIBLINGS, row.run, row.folder)
        return siblings_of(row, self._brief(rest, *place, len(prefix), prefix))

    def before(self, row: StoredResult) -> list[BriefResult]:
        """Return the three tests that ran on the same worker just before this one, the last one first."""
        rest = '"thread_id" = ? AND "id" < ? ORDER BY "thread_id" DESC, "id" DESC LIMIT 3'
        return self._brief(rest, row.thread, row.id)

    def artifacts(self, result_ids: Sequence[int]) -> dict[int, str]:
        """Return the artifacts of these tests, as JSON texts."""
        sql = f'SELECT "id", "artifacts" FROM "result" WHERE "id" IN ({marks(result_ids)}) AND "artifacts" IS NOT NULL'
        return dict(self.connection.execute(sql, result_ids))

    def by_branch(
        self, tests: Iterable[tuple[int, int]], branches: Mapping[int, str]
    ) -> dict[int, dict[str, tuple[int, bool]]]:
        """Return where some tests fail and pass, by the newest runs of these branches: a result of each, by reason.

        ``tests`` are cases with the reason for which they fail, 0 for any. Where they fail for another one is left out.
        """
        found: dict[int, dict[str, tuple[int, bool]]] = {}
        values = [value for test in tests for value in test]
        if not values or not branches:
            return found
        sql = _IN_RUNS.format(tests=", ".join(["(?, ?)"] * (len(values) // 2)), runs=marks([*branches]))
        for reason, run_id, result_id, rank in self.connection.execute(sql, (*values, KILLED, *branches)):
            if rank in {1, 3}:
                found.setdefault(reason, {})[branches[run_id]] = result_id, rank == 3  # noqa: PLR2004 - failed
        return found

    def usual_times(self, before: int, run_id: int) -> tuple[int, float]:
        """Return how many tests an earlier run has, and the mean time of those that this run lacks, in microseconds."""
        sql = 'SELECT COUNT(*), COALESCE(SUM(CAST("elapsed" AS DOUBLE PRECISION)), 0) FROM "result" WHERE "run_id" = ?'
        in_both = ' AND "case_id" IN (SELECT "case_id" FROM "result" WHERE "run_id" = ?)'
        ((known, whole),) = self.connection.execute(sql, (before,))
        ((ran_count, ran),) = self.connection.execute(sql + in_both, (before, run_id))
        return known, max(0, whole - ran) / max(1, known - ran_count)

    def slowest(self, run_ids: Sequence[int], count: int) -> list[int]:
        """Return the cases of the slowest results of these runs, without those below 10 ms."""
        rest = f'"run_id" IN ({marks(run_ids)}) AND "elapsed" >= 10000 ORDER BY "elapsed" DESC, "id" LIMIT ?'
        rows = self.connection.execute(f'SELECT "case_id" FROM "result" WHERE {rest}', (*run_ids, count))
        return list(dict.fromkeys(case for (case,) in rows))

    def _listed(self, rest: str, *values: object) -> list[ListedResult]:
        return LISTED.all(self.connection, f'FROM "result" WHERE {rest}', values)

    def _brief(self, rest: str, *values: object) -> list[BriefResult]:
        return BRIEF.all(self.connection, f'FROM "result" WHERE {rest}', values)
