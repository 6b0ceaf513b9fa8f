"""Read what the pages show: the questions of all pages, each one statement.

The stored counts of a run show where in each status a page of its tests begins, so the time for a page does not grow
with the number of tests. Only a search, and the order by time, look at every test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import Struct

from pytest_automation_report.api.models import RUN_KEY_TAG
from pytest_automation_report.findings.flakiness import MOST_VALUES
from pytest_automation_report.server.pages.searches import Search, escaped, like_any
from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.findings import summaries
from pytest_automation_report.server.store.overview import natural_key
from pytest_automation_report.server.store.reads import Reader, rows_of, run_condition, run_rows
from pytest_automation_report.server.store.values import KILLED, RESULT_STATUSES, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_automation_report.server.pages.urls import ListFilters
    from pytest_automation_report.server.pages.words import Values
    from pytest_automation_report.server.store.database import Row
    from pytest_automation_report.server.store.store import Store

T = TypeVar("T")

PAGE_ROWS: Final = 150  # rows of one page of a run: with more of them a page has over 2,500 elements
# Longest fields of a test, in characters, from which the page of its run reads the message; our clients send less.
READ_LENGTH: Final = 512 * 1024
# Most failures that the view of the failures groups; those after them are in the list of tests.
MAX_FAILURES: Final = 2_000
PAGE_RUNS: Final = 25  # runs of one page of a list
TREND_RUNS: Final = 30  # runs of a trend; on the page of a run the shown one included
NEAR: Final = 2_500  # results before and after one that are looked through where no index leads to its neighbours
HISTORY_ROWS: Final = 300  # most results of one test that its pages look at
SIBLINGS: Final = 60  # most results of one function that a page of one of them names
_FAILED_SIBLINGS: Final = 20  # most of them that are shown since they failed
_MAX_SIBLINGS: Final = 10_000  # most that are counted
_SHOWN: Final = 200
_SAME_REASON: Final = 8
_AT_ONCE: Final = 500
_TEST: Final = (
    '"id", "case_id", "name", "folder", "file", "line", "status", "elapsed", "thread_id", "failed_attempts", "phase",'
    ' "message", "fingerprint"'
)
_RUN: Final = (
    '"id", "status", "is_completed", "failure_count", "success_count", "total_count", "created", "commit",'
    ' "changes", "untested_count", "status5_count", "collected", "selection",'
    ' "unexplained_exit"'
)
# In PostgreSQL an order by the id alone would be served by the primary key, in vain for all rows of other runs. An
# order by the column first can only be served by an index that begins with the column. With ``column = value`` the
# planner drops the column from the order, so the condition is a range of one value.
_OF_STATUS: Final = '"run_id" = ? AND "status" BETWEEN ? AND ?{} ORDER BY "status", "id" LIMIT ? OFFSET ?'
_COUNTS: Final = ' AND NOT "is_replaced"'
_AS_THEY_RAN: Final = '"run_id" BETWEEN ? AND ? AND "status" IN ({}){} ORDER BY "run_id", "id" LIMIT ? OFFSET ?'
_SLOWEST_FIRST: Final = (
    '"run_id" BETWEEN ? AND ? AND "status" IN ({}){} ORDER BY COALESCE("elapsed", -1) DESC, "id" LIMIT ? OFFSET ?'
)
_HISTORY: Final = (
    'SELECT r."id", r."run_id", r."name", r."folder", r."file", r."line", r."status", r."result_class", r."elapsed",'
    ' r."created", r."failed_attempts", r."fingerprint", r."message", u."branch", u."commit", u."changes",'
    ' t."job", t."attempt", t."id" AS "thread" FROM "result" AS r INNER JOIN "run" AS u ON u."id" = r."run_id"'
    ' INNER JOIN "thread" AS t ON t."id" = r."thread_id" WHERE r."case_id" = ?'
    ' ORDER BY r."run_id" DESC, r."id" DESC LIMIT ?'
)
_BRANCH_US: Final = 14 * 86_400_000_000
_NEAR_RUNS: Final = 1_000  # runs of the store before and after one among which its other branches are looked for
_OTHER_BRANCHES: Final = (
    'SELECT MAX("id") AS "id", "branch" FROM "run" WHERE "source_id" = ? AND "id" BETWEEN ? AND ?'
    ' AND "created" BETWEEN ? AND ? AND "is_completed" AND "branch" <> ? AND COALESCE("config_id", 0) = ?'
    ' GROUP BY "branch" ORDER BY 1 DESC LIMIT ?'
)
# The most telling outcome of some tests in each run: 3 for the reason, 2 for another one, 1 passed.
_IN_RUNS: Final = (
    'WITH t ("case_id", "reason") AS (VALUES {tests}) SELECT t."reason", r."run_id", MAX(r."id") AS "id", MAX(CASE'
    ' WHEN EXISTS (SELECT 1 FROM "result" AS f WHERE f."fingerprint" = t."reason" AND f."run_id" = r."run_id") THEN 3'
    ' WHEN r."result_class" = 3 THEN CASE WHEN t."reason" = 0 AND r."fingerprint" <> ? THEN 3 ELSE 2 END'
    ' WHEN r."result_class" = 2 THEN 1 ELSE 0 END) AS "rank" FROM t JOIN "result" AS r ON r."case_id" = t."case_id"'
    ' WHERE r."run_id" IN ({runs}) AND NOT r."is_replaced" GROUP BY t."reason", r."run_id" ORDER BY r."run_id" DESC'
)
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


class Siblings(Struct, frozen=True):
    """Tests of one function with other parameters: how many there are and failed, and some of them."""

    count: int = 0
    failed: int = 0
    rows: Sequence[Row] = ()


NO_SIBLINGS: Final = Siblings()
_FAILED: Final = tuple(status.id for status in RESULT_STATUSES.values() if status.is_failed)


def siblings_of(row: Row, results: Iterable[Row]) -> Siblings:
    """Return the siblings of a test of all ``results`` of its function: failed ones first, then those around it."""
    # Of several jobs a result that failed counts, and on its page the test itself.
    by_name = {
        other["name"]: other
        for other in sorted(results, key=lambda other: (other["id"] == row["id"], other["status"] in _FAILED))
    }
    ordered = sorted(by_name.values(), key=lambda other: natural_key(other["name"]))
    failed = [other for other in ordered if other["status"] in _FAILED]
    shown = {other["id"]: other for other in failed[:_FAILED_SIBLINGS]}
    room = SIBLINGS - len(shown)
    place = next((number for number, other in enumerate(ordered) if other["id"] == row["id"]), 0)
    first = max(0, min(place - room // 2, len(ordered) - room))
    shown |= {other["id"]: other for other in ordered[first : first + room]}
    return Siblings(len(ordered), len(failed), list(shown.values()))


def ask(store: Store, question: Callable[[PageReader], T]) -> T:
    """Run queries of pages on one snapshot of the store and return their value."""
    return store.read(lambda connection: question(PageReader(connection)))


class PageReader(Reader):
    """The questions of the pages and of the API, in one read transaction."""

    def projects(self) -> list[int]:
        """Return the ids of the projects, lowest first."""
        return [row["id"] for row in self._ask('SELECT "id" FROM "project" ORDER BY "id" LIMIT ?', _SHOWN)]

    def latest_runs(self) -> dict[int, tuple[int, int]]:
        """Return the number of runs and the id of the latest one, for each project that has runs."""
        rows = self.connection.execute('SELECT "project_id", COUNT("id"), MAX("id") FROM "run" GROUP BY "project_id"')
        return {project_id: (count, latest) for project_id, count, latest in rows}

    def home(self, project_id: int) -> str:
        """Return the path of the page with a project's runs: ``/`` if it is the only project."""
        return "/" if self.projects() == [project_id] else f"/projects/{project_id}"

    def sources(self, project_id: int) -> list[Row]:
        """Return id and name of a project's sources, by name, at most 200."""
        sql = 'SELECT "id", "name" FROM "source" WHERE "project_id" = ? ORDER BY "name" LIMIT ?'
        return self._ask(sql, project_id, _SHOWN)

    def suite(self, source_id: int) -> Row:
        """Return id, project and name of a source; raises `ApiError` (404) for an unknown one."""
        return self._one("suite", 'SELECT "id", "project_id", "name" FROM "source" WHERE "id" = ?', source_id)

    def source_names(self, source_ids: Collection[int]) -> dict[int, str]:
        """Return the names of these sources by id."""
        sql = f'SELECT "id", "name" FROM "source" WHERE "id" IN ({marks([*source_ids])})'
        return dict(self.connection.execute(sql, [*source_ids]))

    def known_run(self, run_id: int) -> Row | None:
        """Return the row of a run; None if there is none, or none any more."""
        return next(iter(run_rows(self.connection, [run_id])), None)

    # Lists of runs

    def listed_runs(self, project_id: int, filters: ListFilters, *, is_open: bool) -> tuple[list[int], int]:
        """Return the ids of a page of the completed runs, or of the newest that go on, and the number of all."""
        condition, values = run_condition(project_id, filters.wanted)
        condition += ' AND NOT "is_completed"' if is_open else ' AND "is_completed"'
        total = self.connection.number('SELECT COUNT(*) FROM "run" WHERE ' + condition, values)
        first = 0 if is_open else (filters.page - 1) * PAGE_RUNS
        rest = f'{condition} ORDER BY "created" DESC, "id" DESC LIMIT {PAGE_RUNS} OFFSET ?'
        return [row["id"] for row in self._runs('"id"', rest, *values, first)] if first < total else [], total

    def state(self, project_id: int | None) -> tuple[list[tuple[Any, ...]], list[int]]:
        """Return values that differ whenever a list of runs does, and the completed runs without computed findings."""
        own, *values = ("1 = 1",) if project_id is None else ('"project_id" = ?', project_id)
        # The runs of the first pages.
        rest = f'{own} ORDER BY "created" DESC, "id" DESC LIMIT {4 * PAGE_RUNS}'
        rows = self._runs('"id", "updated", "completed", "total_count"', rest, *values)
        completed = [row["id"] for row in rows[:PAGE_RUNS] if row["completed"] is not None]
        known = summaries(self.connection, completed)
        return [tuple(row.values()) for row in rows], [run_id for run_id in completed if run_id not in known]

    def branches(self, project_id: int, source_id: int | None) -> list[str]:
        """Return the branches of a project or suite, the newest run's first; "" for runs without one."""
        own, value = ('"project_id" = ?', project_id) if source_id is None else ('"source_id" = ?', source_id)
        rows = self._runs('"branch"', f'{own} GROUP BY "branch" ORDER BY MAX("id") DESC LIMIT ?', value, _SHOWN)
        return [row["branch"] or "" for row in rows]

    def tags(self, project_id: int) -> list[str]:
        """Return the tags of a project's runs by name, without those that each shared run has for itself."""
        sql = (
            'SELECT DISTINCT t."tag" FROM "run_tag" AS t JOIN "run" AS r ON r."id" = t."run_id" WHERE'
            ' r."project_id" = ? AND SUBSTR(t."tag", 1, ?) <> ? ORDER BY t."tag" LIMIT ?'
        )
        return [row["tag"] for row in self._ask(sql, project_id, len(RUN_KEY_TAG), RUN_KEY_TAG, _SHOWN)]

    def completed_trend(self, source_id: int, branch: str) -> list[Row]:
        """Return the last completed runs of a suite's branch, oldest first."""
        own, values = _on_branch(source_id, branch)
        return self._runs("*", f'{own} AND "is_completed" ORDER BY "id" DESC LIMIT {TREND_RUNS}', *values)[::-1]

    def newest(self, source_id: int, branch: str | None) -> Row | None:
        """Return the row of the newest run of a suite, of one branch or of any; None if it has none."""
        own, values = _on_branch(source_id, branch)
        return next(iter(self._runs("*", f'{own} ORDER BY "id" DESC LIMIT 1', *values)), None)

    def newest_by_source(self, project_id: int) -> dict[int, Row]:
        """Return the newest run of each suite of a project, by suite."""
        newest = '"id" IN (SELECT MAX("id") FROM "run" WHERE "project_id" = ? GROUP BY "source_id")'
        return {row["source"]: row for row in self._runs("*", newest, project_id)}

    def found_runs(self, text: str, source_id: int | None) -> list[Row]:
        """Return the newest runs with this text in their name or branch, or with a commit that begins with it."""
        own_text = escaped(text)
        patterns = {"name": f"%{own_text}%", "branch": f"%{own_text}%", "commit": f"{own_text}%"}
        found, values = like_any(self._like, patterns)
        own, source = ("", ()) if source_id is None else (' AND "source_id" = ?', (source_id,))
        return self._runs('"id", "project_id"', f'({found}){own} ORDER BY "id" DESC LIMIT 10', *values, *source)

    def slowest(self, run_ids: Sequence[int], count: int) -> list[int]:
        """Return the cases of the slowest results of these runs, without those below 10 ms."""
        rest = f'"run_id" IN ({marks(run_ids)}) AND "elapsed" >= 10000 ORDER BY "elapsed" DESC, "id" LIMIT ?'
        return list(dict.fromkeys(row["case"] for row in self._results('"case_id"', rest, *run_ids, count)))

    def names(self, run_ids: Sequence[int], count: int) -> list[str]:
        """Return some names of tests with their folders, for the word that a misspelled one resembles."""
        rows = self._results('"name", "folder"', f'"run_id" IN ({marks(run_ids)}) LIMIT ?', *run_ids, count)
        return [f"{row['folder']} {row['name']}" for row in rows]

    # A run beside others

    def trend(self, run: Row) -> list[Row]:
        """Return the last runs of a run's source, branch and configuration up to it, oldest first."""
        return self._runs_beside(run, f'"id" <= ? ORDER BY "id" DESC LIMIT {TREND_RUNS}')[::-1]

    def next_run(self, run: Row) -> int | None:
        """Return the run after this one, of the same source, branch and configuration."""
        rows = self._runs_beside(run, '"id" > ? ORDER BY "id" LIMIT 1')
        return rows[0]["id"] if rows else None

    def _runs_beside(self, run: Row, rest: str) -> list[Row]:
        own, values = _on_branch(run["source"], run["branch"] or "")
        config, of_config = ("IS NULL", ()) if run["config"] is None else ("= ?", (run["config"],))
        return self._runs(_RUN, f'{own} AND "config_id" {config} AND {rest}', *values, *of_config, run["id"])

    def other_branches(self, run: Row) -> dict[int, str]:
        """Return the newest completed runs of other branches within two weeks of a run, newest first, with these."""
        if not run["branch"]:
            return {}
        near = (
            run["id"] - _NEAR_RUNS,
            run["id"] + _NEAR_RUNS,
            run["created"] - _BRANCH_US,
            run["created"] + _BRANCH_US,
        )
        values = (run["source"], *near, run["branch"], run["config"] or 0, MOST_VALUES - 1)
        return {row["id"]: row["branch"] for row in self._ask(_OTHER_BRANCHES, *values)}

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
        for row in self._ask(sql, *values, KILLED, *branches):
            if row["rank"] in {1, 3}:
                found.setdefault(row["reason"], {})[branches[row["run"]]] = row["id"], row["rank"] == 3  # noqa: PLR2004 - failed
        return found

    def possible_bases(self, run: Row) -> list[Row]:
        """Return runs that the user can compare a run with: the newest completed ones before it, of any branch."""
        rest = f'"source_id" = ? AND "id" < ? AND "is_completed" ORDER BY "id" DESC LIMIT {TREND_RUNS}'
        return self._runs(f'{_RUN}, "branch", "config_id"', rest, run["source"], run["id"])

    def usual_times(self, before: int, run_id: int) -> tuple[int, float]:
        """Return how many tests an earlier run has, and the mean time of those that this run lacks, in microseconds."""
        sql = 'SELECT COUNT(*), COALESCE(SUM(CAST("elapsed" AS DOUBLE PRECISION)), 0) FROM "result" WHERE "run_id" = ?'
        in_both = ' AND "case_id" IN (SELECT "case_id" FROM "result" WHERE "run_id" = ?)'
        ((known, whole),) = self.connection.execute(sql, (before,))
        ((ran_count, ran),) = self.connection.execute(sql + in_both, (before, run_id))
        return known, max(0, whole - ran) / max(1, known - ran_count)

    # Tests of a run

    def tests(
        self,
        run_id: int,
        counts: Mapping[int, int],
        search: Search,
        page: int = 1,
        *,
        sort: str = "failed",
        size: int = PAGE_ROWS,
    ) -> tuple[list[Row], bool]:
        """Return a page of the tests that a search finds, and whether another one follows.

        They stand status by status, slowest first, or as they arrived. ``counts`` has the number of each status.
        """
        skipped, rows = (page - 1) * size, list[Any]()
        condition, values = self._conditions(run_id, search)
        if sort != "failed":
            rest = _SLOWEST_FIRST if sort == "slowest" else _AS_THEY_RAN
            rest = rest.format(marks([*counts]), condition)
            rows = self._results(_TEST, rest, run_id, run_id, *counts, *values, size + 1, skipped)
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
            rows += self._results(_TEST, of_status, run_id, status, status, *values, limit, offset)
            if len(rows) > skipped + size:
                break
        return rows[skipped : skipped + size], len(rows) > skipped + size

    def failures(self, run_id: int) -> list[Row]:
        """Return the first `MAX_FAILURES` failures of a run, in the order of their arrival."""
        return self.tests(run_id, dict.fromkeys(_FAILED, MAX_FAILURES), Search(), size=MAX_FAILURES)[0]

    def _conditions(self, run_id: int, search: Search) -> tuple[str, list[Any]]:
        """Return the conditions of a search, each after an AND, and their values."""
        condition, values = search.sql(self._like)
        # Only the list of a worker has replaced results: they took its time.
        return condition + (_COUNTS if search.lane is None and self.has_attempts(run_id) else ""), values

    def tests_of_source(self, source_id: int, text: str, count: int) -> list[Row]:
        """Return the tests of all stored runs that a search finds by their last results, last run first."""
        condition, values = Search(text).sql(self._like)
        rest = f'{self._last_of(_ALL_TESTS, _LAST_OF_TEST)}{condition} ORDER BY "run_id" DESC, "id" LIMIT ?'
        return self._ask(f'SELECT {_TEST}, "run_id" {rest}', source_id, *values, count)

    def tests_among(self, cases: Sequence[int], text: str, count: int) -> list[Row]:
        """Return those of some tests that a search finds by their last results, at most ``count`` of each 500."""
        condition, values = Search(text).sql(self._like)
        rows: list[Row] = []
        for start in range(0, len(cases), _AT_ONCE):
            some = cases[start : start + _AT_ONCE]
            every = f'(SELECT "id" AS "x" FROM "case" WHERE "id" IN ({marks(some)})) AS f'
            rest = f'{self._last_of(every, _LAST_OF_TEST)}{condition} ORDER BY "run_id" DESC, "id" LIMIT ?'
            rows += self._ask(f'SELECT {_TEST}, "run_id" {rest}', *some, *values, count)
        return rows

    def reasons(self, text: str, source_id: int | None, count: int, among: Sequence[int] | None = None) -> list[Row]:
        """Return the last failures of reasons that a search finds in all stored runs, newest first.

        ``among`` are the reasons to look at, by fingerprint, by default all.
        """
        own, source = ("", ()) if source_id is None else (' AND u."source_id" = ?', (source_id,))
        condition, values = Search(text).sql(self._like)
        last = self._last_of("f", _LAST_OF_REASON.format(own, condition))
        rest = f'{last} ORDER BY "run_id" DESC, "id" LIMIT ?'
        every = _ALL_REASONS if among is None else f'WITH f ("x") AS (VALUES {", ".join(["(?)"] * len(among))})'
        if among is not None and not among:
            return []
        return self._ask(f'{every} SELECT {_TEST}, "run_id" {rest}', *(among or ()), *source, *values, count)

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
        condition, values = Search(text).sql(self._like)
        sql = f'SELECT DISTINCT "case_id", "fingerprint" FROM "result" WHERE "run_id" IN ({marks(run_ids)}){condition}'
        return [
            (case, reason) for case, reason in self.connection.execute(f"{sql} LIMIT ?", (*run_ids, *values, count))
        ]

    def sources_of_tests(self, cases: Sequence[int]) -> dict[int, int]:
        """Return the suite of each of these tests."""
        return dict(rows_of(self.connection, 'SELECT "id", "source_id" FROM "case" WHERE "id" IN ({ids})', cases))

    def newest_sources(self) -> list[int]:
        """Return the suites of all projects, by the id, whose runs are the newest first."""
        sql = 'SELECT "source_id" FROM "run" GROUP BY "source_id" ORDER BY MAX("id") DESC'
        return [source_id for (source_id,) in self.connection.execute(sql)]

    def _last_of(self, every: str, last: str) -> str:
        """Return the end of a statement, to which conditions can be added, on one result for each row of ``every``."""
        if self.connection.is_postgres:  # it would read all results to join them with the last ones
            return f"FROM {every} CROSS JOIN LATERAL (SELECT n.* {last}) AS r WHERE TRUE"
        return f'FROM "result" WHERE "id" IN (SELECT (SELECT n."id" {last}) FROM {every})'

    def looked_at(self, source_id: int | None) -> Values:
        """Return what a search of all stored runs, or of one source's, looks at: numbers, first and last run."""
        own, source = ("1 = 1", ()) if source_id is None else ('"source_id" = ?', (source_id,))
        ((runs, first, last),) = self.connection.execute(
            f'SELECT COUNT(*), MIN("id"), MAX("id") FROM "run" WHERE {own}', source
        )
        tests = self.connection.number(f'SELECT COUNT(*) FROM "case" WHERE {own}', source)
        return {"runs": runs, "first": first, "last": last, "tests": tests}

    def count_by_status(self, run_id: int, search: Search) -> dict[int, int]:
        """Return the number of tests by status that a search finds."""
        condition, values = self._conditions(run_id, search)
        sql = f'SELECT "status", COUNT(*) FROM "result" WHERE "run_id" = ?{condition} GROUP BY "status"'
        return dict(self.connection.execute(sql, (run_id, *values)))

    def rows_of(self, result_ids: Iterable[int]) -> dict[int, Row]:
        """Return these results by id."""
        ids = list(result_ids)
        rows: dict[int, Row] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            rows |= {row["id"]: row for row in self._results(_TEST, f'"id" IN ({marks(some)})', *some)}
        return rows

    def between(self, run_id: int, first: int, last: int, place: Mapping[str, Any]) -> list[Row]:
        """Return the results between two ids that have the file of ``place``, or its folder if that has no file."""
        column = "file" if place["file"] is not None else "folder"
        rest = f'"run_id" = ? AND "id" BETWEEN ? AND ? AND "{column}" = ?{_COUNTS} ORDER BY "id"'
        return self._results(_TEST, rest, run_id, first, last, place[column])

    def fields(self, result_ids: Sequence[int]) -> Iterator[Row]:
        """Yield id and fields of these tests one by one: all together take much memory. None is over `READ_LENGTH`."""
        sql = f'SELECT "id", "fields" FROM "result" WHERE "id" IN ({marks(result_ids)})'
        yield from self.connection.each(f'{sql} AND LENGTH("fields") <= ?', (*result_ids, READ_LENGTH))

    # One test

    def test(self, result_id: int) -> Row:
        """Return the whole row of one test, with its key and source; raises `ApiError` (404) for an unknown id."""
        row = self._one("test", 'SELECT * FROM "result" WHERE "id" = ?', result_id)
        case = self.case(row["case"])
        return {**row, "key": case["key"], "source": case["source"]}

    def case(self, case_id: int) -> Row:
        """Return key and source of a test, whatever the run; raises `ApiError` (404) for an unknown id."""
        return self._one("test", 'SELECT "id", "source_id", "key" FROM "case" WHERE "id" = ?', case_id)

    def history(self, case_id: int) -> list[Row]:
        """Return the last results of a test in its source, latest first, with branch, commit and job of each."""
        return self._ask(_HISTORY, case_id, HISTORY_ROWS)

    def thread(self, thread_id: int) -> Row:
        """Return the row of a thread."""
        return self._one("thread", 'SELECT * FROM "thread" WHERE "id" = ?', thread_id)

    def same_reason(self, row: Row) -> tuple[list[Row], int]:
        """Return some other tests of the run that failed for the same reason, and the number of all of them."""
        if row["fingerprint"] is None:
            return [], 0
        is_same = f'"fingerprint" = ? AND "run_id" = ? AND "id" <> ?{_COUNTS}'
        values = (row["fingerprint"], row["run"], row["id"])
        rest = f'{is_same} ORDER BY "fingerprint", "id" LIMIT {_SAME_REASON}'
        rows = self._results('"id", "name", "folder", "elapsed"', rest, *values)
        if len(rows) < _SAME_REASON:
            return rows, len(rows)
        return rows, self._results('COUNT(*) AS "count"', is_same, *values)[0]["count"]

    def siblings(self, row: Row) -> Siblings:
        """Return the tests of the same function with other parameters, of those that arrived about the same time."""
        # A run of 100,000 tests has no index by name, so the rows near this one are looked through.
        function = str(row["name"]).partition("[")[0]
        if function == row["name"]:
            return NO_SIBLINGS
        prefix = f"{function}["
        rest = (
            '"id" BETWEEN ? AND ? AND "run_id" = ? AND "folder" = ? AND SUBSTR("name", 1, ?) = ?'
            f'{_COUNTS} ORDER BY "id" LIMIT {_MAX_SIBLINGS}'
        )
        place = (row["id"] - _MAX_SIBLINGS, row["id"] + _MAX_SIBLINGS, row["run"], row["folder"])
        return siblings_of(row, self._results('"id", "name", "status", "elapsed"', rest, *place, len(prefix), prefix))

    def before(self, row: Row) -> list[Row]:
        """Return the three tests that ran on the same worker just before this one, the last one first."""
        rest = '"thread_id" = ? AND "id" < ? ORDER BY "thread_id" DESC, "id" DESC LIMIT 3'
        return self._results('"id", "name", "folder", "status", "elapsed"', rest, row["thread"], row["id"])

    def artifacts(self, result_ids: Sequence[int]) -> dict[int, str]:
        """Return the artifacts of these tests, as JSON texts."""
        sql = f'SELECT "id", "artifacts" FROM "result" WHERE "id" IN ({marks(result_ids)}) AND "artifacts" IS NOT NULL'
        return dict(self.connection.execute(sql, result_ids))

    # Statements

    @property
    def _like(self) -> str:
        # The word for a pattern, whatever the capitals.
        return "ILIKE" if self.connection.is_postgres else "LIKE"

    def _ask(self, sql: str, *values: object) -> list[Row]:
        return self.connection.rows(sql, values)

    def _runs(self, columns: str, rest: str, *values: object) -> list[Row]:
        return self.connection.rows(f'SELECT {columns} FROM "run" WHERE {rest}', values)

    def _results(self, columns: str, rest: str, *values: object) -> list[Row]:
        return self.connection.rows(f'SELECT {columns} FROM "result" WHERE {rest}', values)

    def _one(self, what: str, sql: str, row_id: int) -> Row:
        row = self.connection.row(sql, (row_id,))
        if row is None:
            raise not_found(what)
        return row


def _on_branch(source_id: int, branch: str | None) -> tuple[str, tuple[object, ...]]:
    """Return the condition for runs of a source, of any branch for None, and its values."""
    if not branch:
        return '"source_id" = ?' + ("" if branch is None else ' AND "branch" IS NULL'), (source_id,)
    return '"source_id" = ? AND "branch" = ?', (source_id, branch)
