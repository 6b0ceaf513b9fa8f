"""Read projects, suites and runs: lists of runs, and those beside one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_automation_report.api.models import RUN_KEY_TAG
from pytest_automation_report.findings.flakiness import MOST_VALUES
from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.findings import summaries
from pytest_automation_report.server.store.reads import Reader, run_condition, run_rows
from pytest_automation_report.server.store.stored import RUN, SUITE, THREAD, StoredRun, StoredThread, Suite, known

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


PAGE_RUNS: Final = 25  # runs of one page of a list
TREND_RUNS: Final = 30  # runs of a trend; on the page of a run the shown one included
_SHOWN: Final = 200
_BRANCH_US: Final = 14 * 86_400_000_000
_NEAR_RUNS: Final = 1_000  # runs of the store before and after one among which its other branches are looked for
# Its suite was noted when a run was removed.
_OF_SUITE: Final = (
    'SELECT MAX(r."id") FROM "run" AS r JOIN "removed_run" AS g ON g."source_id" = r."source_id" WHERE g."id" = ?'
)
_OTHER_BRANCHES: Final = (
    'SELECT MAX("id") AS "id", "branch" FROM "run" WHERE "source_id" = ? AND "id" BETWEEN ? AND ?'
    ' AND "created" BETWEEN ? AND ? AND "is_completed" AND "branch" <> ? AND COALESCE("config_id", 0) = ?'
    ' GROUP BY "branch" ORDER BY 1 DESC LIMIT ?'
)


class RunReader(Reader):
    """The questions about runs, in one read transaction."""

    def projects(self) -> list[int]:
        """Return the ids of the projects, lowest first."""
        rows = self.connection.execute('SELECT "id" FROM "project" ORDER BY "id" LIMIT ?', (_SHOWN,))
        return [project_id for (project_id,) in rows]

    def latest_runs(self) -> dict[int, tuple[int, int]]:
        """Return the number of runs and the id of the latest one, for each project that has runs."""
        rows = self.connection.execute('SELECT "project_id", COUNT("id"), MAX("id") FROM "run" GROUP BY "project_id"')
        return {project_id: (count, latest) for project_id, count, latest in rows}

    def sources(self, project_id: int) -> list[Suite]:
        """Return a project's sources, by name, at most 200."""
        rest = 'FROM "source" WHERE "project_id" = ? ORDER BY "name" LIMIT ?'
        return SUITE.all(self.connection, rest, (project_id, _SHOWN))

    def suite(self, source_id: int) -> Suite:
        """Return a source; raises `ApiError` (404) for an unknown one."""
        return known("suite", SUITE.first(self.connection, 'FROM "source" WHERE "id" = ?', (source_id,)))

    def source_names(self, source_ids: Collection[int]) -> dict[int, str]:
        """Return the names of these sources by id."""
        sql = f'SELECT "id", "name" FROM "source" WHERE "id" IN ({marks([*source_ids])})'
        return dict(self.connection.execute(sql, [*source_ids]))

    def known_run(self, run_id: int) -> StoredRun | None:
        """Return a run; None if there is none, or none any more."""
        return next(iter(run_rows(self.connection, [run_id])), None)

    def listed_runs(
        self, project_id: int, wanted: Mapping[str, Any], page: int = 1, *, is_open: bool
    ) -> tuple[list[int], int]:
        """Return the ids of a page of the completed runs, or of the newest that go on, and the number of all."""
        condition, values = run_condition(project_id, wanted)
        condition += ' AND NOT "is_completed"' if is_open else ' AND "is_completed"'
        total = self.connection.number('SELECT COUNT(*) FROM "run" WHERE ' + condition, values)
        first = 0 if is_open else (page - 1) * PAGE_RUNS
        rest = f'{condition} ORDER BY "created" DESC, "id" DESC LIMIT {PAGE_RUNS} OFFSET ?'
        return [run_id for (run_id,) in self._of_runs('"id"', rest, *values, first)] if first < total else [], total

    def state(self, project_id: int | None) -> tuple[list[tuple[Any, ...]], list[int]]:
        """Return values that differ whenever a list of runs does, and the completed runs without computed findings."""
        own, *values = ("1 = 1",) if project_id is None else ('"project_id" = ?', project_id)
        # The runs of the first pages.
        rest = f'{own} ORDER BY "created" DESC, "id" DESC LIMIT {4 * PAGE_RUNS}'
        rows = self._of_runs('"id", "updated", "completed", "total_count"', rest, *values)
        completed = [run_id for run_id, _, time, _ in rows[:PAGE_RUNS] if time is not None]
        known = summaries(self.connection, completed)
        return rows, [run_id for run_id in completed if run_id not in known]

    def branches(self, project_id: int, source_id: int | None) -> list[str]:
        """Return the branches of a project or suite, the newest run's first; "" for runs without one."""
        own, value = ('"project_id" = ?', project_id) if source_id is None else ('"source_id" = ?', source_id)
        rows = self._of_runs('"branch"', f'{own} GROUP BY "branch" ORDER BY MAX("id") DESC LIMIT ?', value, _SHOWN)
        return [branch or "" for (branch,) in rows]

    def tags(self, project_id: int) -> list[str]:
        """Return the tags of a project's runs by name, without those that each shared run has for itself."""
        sql = (
            'SELECT DISTINCT t."tag" FROM "run_tag" AS t JOIN "run" AS r ON r."id" = t."run_id" WHERE'
            ' r."project_id" = ? AND SUBSTR(t."tag", 1, ?) <> ? ORDER BY t."tag" LIMIT ?'
        )
        rows = self.connection.execute(sql, (project_id, len(RUN_KEY_TAG), RUN_KEY_TAG, _SHOWN))
        return [tag for (tag,) in rows]

    def completed_trend(self, source_id: int, branch: str) -> list[StoredRun]:
        """Return the last completed runs of a suite's branch, oldest first."""
        own, values = _on_branch(source_id, branch)
        return self._runs(f'{own} AND "is_completed" ORDER BY "id" DESC LIMIT {TREND_RUNS}', *values)[::-1]

    def newest(self, source_id: int, branch: str | None) -> StoredRun | None:
        """Return the newest run of a suite, of one branch or of any; None if it has none."""
        own, values = _on_branch(source_id, branch)
        return next(iter(self._runs(f'{own} ORDER BY "id" DESC LIMIT 1', *values)), None)

    def newest_by_source(self, project_id: int) -> dict[int, StoredRun]:
        """Return the newest run of each suite of a project, by suite."""
        newest = '"id" IN (SELECT MAX("id") FROM "run" WHERE "project_id" = ? GROUP BY "source_id")'
        return {row.source: row for row in self._runs(newest, project_id)}

    def newest_sources(self) -> list[int]:
        """Return the suites of all projects, by the id, whose runs are the newest first."""
        sql = 'SELECT "source_id" FROM "run" GROUP BY "source_id" ORDER BY MAX("id") DESC'
        return [source_id for (source_id,) in self.connection.execute(sql)]

    def first_since(self, source_id: int, time: int) -> int:
        """Return the first run of a suite that was created at a time or later, 0 for none."""
        return self.connection.number(
            'SELECT MIN("id") FROM "run" WHERE "source_id" = ? AND "created" >= ?', (source_id, time)
        )

    # What was removed: ids grow, so a record with a lower id than the highest one was there

    def instead_of_run(self, run_id: int) -> int | None:
        """Return a run to look at instead of a removed one, 0 without one; None for a run that was not removed."""
        if not self._is_removed("run", run_id):
            return None
        return self.connection.number(_OF_SUITE, (run_id,)) or self._highest("run")

    def instead_of_result(self, result_id: int) -> int | None:
        """Return a run to look at instead of a removed result, 0 without one; None for one that was not removed."""
        return self._highest("run") if self._is_removed("result", result_id) else None

    def _is_removed(self, table: Literal["run", "result"], record_id: int) -> bool:
        found = self.connection.execute(f'SELECT 1 FROM "{table}" WHERE "id" = ?', (record_id,))
        return not found and 1 <= record_id <= self._highest(table)

    def _highest(self, table: Literal["run", "result"]) -> int:
        return self.connection.number(f'SELECT MAX("id") FROM "{table}"')

    # A run beside others

    def trend(self, run: StoredRun) -> list[StoredRun]:
        """Return the last runs of a run's source, branch and configuration up to it, oldest first."""
        return self._runs_beside(run, f'"id" <= ? ORDER BY "id" DESC LIMIT {TREND_RUNS}')[::-1]

    def next_run(self, run: StoredRun) -> int | None:
        """Return the run after this one, of the same source, branch and configuration."""
        rows = self._runs_beside(run, '"id" > ? ORDER BY "id" LIMIT 1')
        return rows[0].id if rows else None

    def _runs_beside(self, run: StoredRun, rest: str) -> list[StoredRun]:
        own, values = _on_branch(run.source, run.branch or "")
        config, of_config = ("IS NULL", ()) if run.config is None else ("= ?", (run.config,))
        return self._runs(f'{own} AND "config_id" {config} AND {rest}', *values, *of_config, run.id)

    def other_branches(self, run: StoredRun) -> dict[int, str]:
        """Return the newest completed runs of other branches within two weeks of a run, newest first, with these."""
        if not run.branch:
            return {}
        near = (
            run.id - _NEAR_RUNS,
            run.id + _NEAR_RUNS,
            run.created - _BRANCH_US,
            run.created + _BRANCH_US,
        )
        values = (run.source, *near, run.branch, run.config or 0, MOST_VALUES - 1)
        return dict(self.connection.execute(_OTHER_BRANCHES, values))

    def possible_bases(self, run: StoredRun) -> list[StoredRun]:
        """Return runs that the user can compare a run with: the newest completed ones before it, of any branch."""
        rest = f'"source_id" = ? AND "id" < ? AND "is_completed" ORDER BY "id" DESC LIMIT {TREND_RUNS}'
        return self._runs(rest, run.source, run.id)

    def thread(self, thread_id: int) -> StoredThread:
        """Return a thread."""
        return known("thread", THREAD.first(self.connection, 'FROM "thread" WHERE "id" = ?', (thread_id,)))

    def _runs(self, rest: str, *values: object) -> list[StoredRun]:
        return RUN.all(self.connection, f'FROM "run" WHERE {rest}', values)

    def _of_runs(self, columns: str, rest: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(f'SELECT {columns} FROM "run" WHERE {rest}', values)


def _on_branch(source_id: int, branch: str | None) -> tuple[str, tuple[object, ...]]:
    """Return the condition for runs of a source, of any branch for None, and its values."""
    if not branch:
        return '"source_id" = ?' + ("" if branch is None else ' AND "branch" IS NULL'), (source_id,)
    return '"source_id" = ? AND "branch" = ?', (source_id, branch)
