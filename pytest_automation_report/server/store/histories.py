"""Read the history of tests from their results: the runs of a series, and what each test did in them.

A series are the completed runs of a source with one configuration and branch. Letters of outcomes: ``p`` passed,
``r`` passed after a failed attempt, ``f`` failed, ``s`` skipped or undecided, ``.`` not in the run, or killed with it.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from msgspec import Struct

from pytest_automation_report.findings.comparison import JobResult, deciding_result
from pytest_automation_report.findings.flakiness import WINDOW, Content, Outcome, Verdict, storm
from pytest_automation_report.findings.times import (
    HISTORY,
    LAST,
    LEAST_CHANGE_US,
    USUAL_RUNS,
    DurationChange,
    estimate_speed,
    find_change,
    median,
    spread,
    usual_speed,
)
from pytest_automation_report.server.store.database import StoreConnection, marks, share
from pytest_automation_report.server.store.reads import (
    IS_FIXTURE,
    IS_MODULE,
    IS_NO_TEST,
    mention,
    rows_of,
    run_row,
    run_rows,
)
from pytest_automation_report.server.store.values import KILLED, ResultClass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunMention
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredRun
    from pytest_automation_report.server.store.writes import Writer

_Value = TypeVar("_Value")
_UNMOVED: Final[Mapping[int, int]] = {}
# Verdict and letter of each class of results, without failed attempts and with some.
_FAILED: Final[tuple[Verdict, str]] = ("failed", "f")
_SKIPPED: Final[tuple[Verdict, str]] = ("skipped", "s")
_AT_ONCE: Final[Mapping[int, tuple[Verdict, str]]] = {2: ("passed", "p"), 3: _FAILED}
_AT_LAST: Final[Mapping[int, tuple[Verdict, str]]] = {2: ("passed", "r"), 3: _FAILED}


class CaseResult(NamedTuple):
    """The result of one test in a run; of several results of it, the one of `deciding_result`.

    ``elapsed`` is what is compared: without ``paused``, the pauses of Python's garbage collection.
    """

    verdict: Verdict
    letter: str
    fingerprint: int | None
    elapsed: int | None
    result_id: int
    is_shared: bool = False  # other jobs of the run have results of it, too
    paused: int = 0


class SeriesRun(NamedTuple):
    """A run of a series."""

    id: int
    content: Content
    speed: float | None  # divides its durations; None if it was not measured yet
    decided: int  # number of its results that passed or failed


class Series(Struct, frozen=True, dict=True):
    """The last runs of a series up to one of them, oldest first; ``moved`` has earlier cases of tests of this one."""

    runs: Sequence[SeriesRun]
    moved: Mapping[int, int] = {}

    @cached_property
    def usual(self) -> float:
        """The speed that is usual in the last runs."""
        return usual_speed([run.speed for run in self.runs])

    @property
    def last(self) -> SeriesRun:
        """The run that the series is read for."""
        return self.runs[-1]


_SERIES: Final = (
    'SELECT "id", "commit", "changes", "speed", "success_count" + "failure_count"'
    ' FROM "run" WHERE "source_id" = ? AND {branch} AND {config} AND ("is_completed" OR "id" = ?) AND "id" <= ?'
    ' ORDER BY "id" DESC LIMIT ?'
)


def series_of(connection: StoreConnection, run: StoredRun, limit: int = WINDOW) -> Series:
    """Return the series of a run, by its row, up to this run, which is the last one whether it is completed or not."""
    beside = [value for value in (run.branch, run.config) if value is not None]
    sql = _SERIES.format(
        branch='"branch" IS NULL' if run.branch is None else '"branch" = ?',
        config='"config_id" IS NULL' if run.config is None else '"config_id" = ?',
    )
    rows = connection.execute(sql, (run.source, *beside, run.id, run.id, limit))
    runs = [
        SeriesRun(run_id, Content(commit or "", changes or ""), *rest)
        for run_id, commit, changes, *rest in reversed(rows)
    ]
    return Series(runs, moved_cases(connection, run.id))


_MOVED: Final = (
    'SELECT "id", "moved_from" FROM "case"'
    ' WHERE "source_id" = (SELECT "source_id" FROM "run" WHERE "id" = ?) AND "moved_from" IS NOT NULL'
)
_IN_RUN: Final = 'SELECT DISTINCT "case_id" FROM "result" WHERE "case_id" IN ({ids}) AND "run_id" = ?'


def moved_cases(connection: StoreConnection, run_id: int) -> dict[int, int]:
    """Return the cases under which tests of a run stood before they were moved, each with their case in the run."""
    origins: dict[int, int] = dict(connection.execute(_MOVED, (run_id,)))
    there = {case for (case,) in rows_of(connection, _IN_RUN, sorted({*origins, *origins.values()}), (run_id,))}
    moved: dict[int, int] = {}
    for case in sorted(origins.keys() & there):
        origin = origins.get(case)
        while origin is not None and origin not in there and origin not in moved:
            moved[origin] = case
            origin = origins.get(origin)
    return moved


# In PostgreSQL an order by the id alone would be served by the primary key: see `database`.
_RESULTS: Final = (
    'SELECT "run_id", "case_id", "result_class", "failed_attempts", "fingerprint", "elapsed", "paused", "id"'
    ' FROM "result"'
    # A file that a later attempt of its job collected is no failure.
    f' WHERE "run_id" = ? AND NOT ("is_replaced" AND {IS_NO_TEST}) ORDER BY "run_id", "id"'
)
# Without the durations, and without the fingerprints: an index has all of it.
_UNSTABLE: Final = (
    'SELECT "run_id", "case_id", "result_class", "failed_attempts", "fingerprint", NULL, NULL, "id" FROM "result"'
    ' WHERE "run_id" IN ({ids}) AND ("result_class" = 3 OR "failed_attempts" IS NOT NULL)'
)
_OF_CASES: Final = (
    'SELECT "run_id", "case_id", "result_class", "failed_attempts", NULL, "elapsed", "paused", "id" FROM "result"'
    ' WHERE "case_id" IN ({ids}) AND "run_id" IN ({runs})'
)
_KILLED: Final = 'SELECT "run_id", "case_id", "id" FROM "result" WHERE "run_id" IN ({ids}) AND "fingerprint" = ?'
_JOBS: Final = (
    'SELECT r."id", t."job", t."attempt", r."status" = 1 FROM "result" AS r'
    ' JOIN "thread" AS t ON t."id" = r."thread_id" WHERE r."id" IN ({ids})'
)


def _folded(
    connection: StoreConnection, rows: Iterable[Sequence[Any]], moved: Mapping[int, int] = _UNMOVED
) -> dict[int, dict[int, CaseResult]]:
    """Return one result for each test of each run, by run and case; of a test that was ``moved`` by its later case."""
    runs: defaultdict[int, dict[int, CaseResult]] = defaultdict(dict)
    several: dict[tuple[int, int], list[CaseResult]] = {}
    for run_id, case_id, result_class, failed_attempts, fingerprint, elapsed, paused, result_id in rows:
        verdict, letter = (_AT_ONCE if failed_attempts is None else _AT_LAST).get(result_class, _SKIPPED)
        compared = elapsed - paused if paused else elapsed
        # Not `CaseResult(...)`, which takes twice as long: a document is made of some ten thousand.
        result = tuple.__new__(CaseResult, (verdict, letter, fingerprint, compared, result_id, False, paused or 0))
        cases = runs[run_id]
        if case_id in cases:
            several.setdefault((run_id, case_id), [cases[case_id]]).append(result)
        else:
            cases[case_id] = result
    killed = set[int]()
    for run_id, case_id, result_id in rows_of(connection, _KILLED, sorted(runs), (KILLED,)):
        killed.add(result_id)
        if case_id in runs[run_id]:
            runs[run_id][case_id] = _unfinished(runs[run_id][case_id])
    jobs: dict[int, tuple[str | None, int | None, bool]] = {
        result_id: (job, attempt, bool(is_untested) or result_id in killed)
        for result_id, job, attempt, is_untested in rows_of(
            connection, _JOBS, sorted(result.result_id for results in several.values() for result in results)
        )
    }
    for (run_id, case_id), rest in several.items():
        rest.sort(key=lambda result: -result.result_id)
        results = [_unfinished(result) if result.result_id in killed else result for result in rest]
        of_jobs = [JobResult(result.verdict, *jobs[result.result_id]) for result in results]
        place, has_failed = deciding_result(of_jobs)
        chosen = results[place]
        is_shared = len({jobs[result.result_id][0] for result in results} - {None}) > 1
        letter = "r" if has_failed and chosen.letter == "p" else chosen.letter
        runs[run_id][case_id] = chosen._replace(letter=letter, is_shared=is_shared)
    for cases in runs.values() if moved else ():
        rename_moved(cases, moved)
    return runs


_PART_AGAIN: Final = (
    'UPDATE "case" SET "moved_from" = NULL WHERE "source_id" = ? AND "moved_from" IS NOT NULL AND'
    ' EXISTS (SELECT 1 FROM "result" AS r WHERE r."case_id" = "case"."id" AND r."run_id" = ?) AND'
    ' EXISTS (SELECT 1 FROM "result" AS r WHERE r."case_id" = "case"."moved_from" AND r."run_id" = ?)'
)


def keep_moved(run: StoredRun, moved: Mapping[int, int], writer: Writer) -> None:
    """Store which tests of a run were moved, by their earlier cases; what has both cases was not moved."""
    for earlier, case_id in moved.items():
        writer.connection.change('UPDATE "case" SET "moved_from" = ? WHERE "id" = ?', (earlier, case_id))
    writer.connection.change(_PART_AGAIN, (run.source, run.id, run.id))


def rename_moved(cases: dict[int, _Value], moved: Mapping[int, int]) -> None:
    """Give what stands under the earlier cases of moved tests to their later ones, unless these are there, too."""
    for case_id in cases.keys() & moved.keys():
        if moved[case_id] not in cases:
            cases[moved[case_id]] = cases.pop(case_id)


def _unfinished(result: CaseResult) -> CaseResult:
    return result._replace(verdict="skipped", letter=".")


def results_of(connection: StoreConnection, run_id: int) -> dict[int, CaseResult]:
    """Return the result of each test of a run by case; one statement, whatever their number."""
    return _folded(connection, connection.execute(_RESULTS, (run_id,))).get(run_id, {})


class Failures:
    """The failures of a series' runs, and which of them count as evidence."""

    def __init__(self, connection: StoreConnection, series: Series) -> None:
        self._runs = {run.id: run for run in series.runs}
        self._found = _folded(connection, rows_of(connection, _UNSTABLE, [*self._runs]), series.moved)
        # The fingerprints that many tests of a run share, None for a run in which most tests failed.
        self._storms: dict[int, frozenset[int] | None] = {}
        for run in series.runs:
            results = self._found.get(run.id, {}).values()
            failures = [result.fingerprint or 0 for result in results if result.verdict == "failed"]
            self._storms[run.id] = storm(failures, run.decided)
        self._last = series.last.id

    def is_storm(self, run_id: int, case_id: int) -> bool:
        """Whether a test failed with many others: such a failure is no evidence that it is flaky."""
        shared = self._storms[run_id]
        return shared is None or (bool(shared) and (self._found[run_id][case_id].fingerprint or 0) in shared)

    def reasons_before(self, case_id: int, base_id: int) -> set[int | None]:
        """Return for which reasons a test failed before the base: a failure since the base was never away."""
        return {
            results[case_id].fingerprint
            for run_id, results in self._found.items()
            if run_id != self._last and run_id < base_id and case_id in results
            if results[case_id].verdict == "failed"
        }

    def unstable(self) -> set[int]:
        """Return the cases that may be flaky or broken; all others are stable, whatever their other results are."""
        found, failed = set[int](), defaultdict[int, int](int)
        for run_id, results in self._found.items():
            for case_id, result in results.items():
                failed[case_id] += 1
                is_known = self._runs[run_id].content.is_known
                if result.letter == "r" or (is_known and not self.is_storm(run_id, case_id)):
                    found.add(case_id)
        # A test that failed with many others, and no other way, can still be broken: if it failed in the last runs.
        last = self._found.get(self._last, {})
        return found | {case_id for case_id in last if failed[case_id] >= LAST}


class RunDuration(NamedTuple):
    """A duration of a test in a run, in microseconds: at the speed of a usual run, and as it was."""

    run: int
    usual: float
    elapsed: int


class CaseChange(NamedTuple):
    """How a test got slower or faster: the last run before that, the first and the last one since then."""

    change: DurationChange
    until: int
    since: int
    last: RunDuration


class UsualTime(NamedTuple):
    """What a test usually takes, in microseconds; if it changed, since a run, and ``before`` until another."""

    elapsed: int
    before: int | None = None
    until: int | None = None
    since: RunMention | None = None


class CaseHistory(Struct, frozen=True):
    """The results of one test in the runs of a series: the place of each run in it, and the result."""

    case_id: int
    series: Series
    results: Sequence[tuple[int, CaseResult]]

    def outcomes(self, failures: Failures) -> list[Outcome]:
        """Return the outcomes, oldest first."""
        runs = self.series.runs
        return [
            Outcome(
                place, result.verdict, runs[place].content, result.letter == "r",
                result.verdict == "failed" and failures.is_storm(runs[place].id, self.case_id),
            )
            for place, result in self.results
        ]  # fmt: skip

    def has_passed_with_files_of(self, run_id: int) -> bool:
        """Whether the test passed in an earlier run with the same content as this one."""
        content = next((run.content for run in self.series.runs if run.id == run_id), Content())
        return content.is_known and any(
            result.verdict == "passed" and run.id < run_id and run.content == content
            for run, result in ((self.series.runs[place], result) for place, result in self.results)
        )

    def last_pass_before(self, run_id: int) -> int | None:
        """Return the last run before this one in which the test passed."""
        runs = (self.series.runs[place].id for place, result in self.results if result.verdict == "passed")
        return max((run for run in runs if run < run_id), default=None)

    def first_failure_after(self, run_id: int) -> int:
        """Return the first of the runs after this one in which the test failed; the last run of the series is one."""
        runs = (self.series.runs[place].id for place, result in self.results if result.verdict == "failed")
        return next((run for run in runs if run > run_id), self.series.last.id)

    @property
    def letters(self) -> str:
        """One letter for each run of the series."""
        letters = ["."] * len(self.series.runs)
        for place, result in self.results:
            letters[place] = result.letter
        return "".join(letters)

    def durations(self, last: int = USUAL_RUNS) -> list[RunDuration]:
        """Return the last durations of passed attempts, oldest first."""
        runs, usual = self.series.runs, self.series.usual
        found = [
            RunDuration(runs[place].id, result.elapsed / speed * usual, result.elapsed)
            for place, result in self.results
            if result.letter == "p" and result.elapsed is not None and (speed := runs[place].speed) is not None
        ]
        return found[-last:]

    def changed(self) -> CaseChange | None:
        """Return how the test got slower or faster in its last runs."""
        known = self.durations()
        change = find_change([each.usual for each in known], [each.elapsed for each in known])
        if change is None:
            return None
        return CaseChange(change, known[-change.runs - 1].run, known[-change.runs].run, known[-1])

    def times(self, before: int | None) -> list[int]:
        """Return the last durations as they were, in microseconds; with ``before`` those of runs before this one."""
        passed = [
            case.elapsed
            for place, case in self.results
            if case.letter == "p"
            and case.elapsed is not None
            and (before is None or self.series.runs[place].id < before)
        ]
        return passed[-HISTORY:]


def usual_times(
    connection: StoreConnection, known: Mapping[int, CaseHistory], before: int | None = None
) -> dict[int, UsualTime | None]:
    """Return what tests usually take, None if unknown; with ``before``, unless it changed, before this run."""
    changes = {case: change for case, history in known.items() if (change := history.changed())}
    rows = run_rows(connection, sorted({change.since for change in changes.values()}))
    since = {row.id: mention(row) for row in rows}
    found: dict[int, UsualTime | None] = {
        case: UsualTime(round(median(times))) if (times := history.times(before)) else None
        for case, history in known.items()
    }
    for case, each in changes.items():
        found[case] = UsualTime(each.change.elapsed, each.change.median, each.until, since.get(each.since))
    return found


def histories(
    connection: StoreConnection, series: Series, cases: Collection[int], *, last: int = WINDOW
) -> dict[int, CaseHistory]:
    """Return the histories of these cases in the last runs of a series."""
    places = {run.id: place for place, run in enumerate(series.runs)}
    run_ids = [run.id for run in series.runs[-last:]]
    sql = _OF_CASES.replace("{runs}", marks(run_ids))
    found: dict[int, list[tuple[int, CaseResult]]] = {case_id: [] for case_id in cases}
    moved = {earlier: case_id for earlier, case_id in series.moved.items() if case_id in found and earlier not in found}
    runs = _folded(connection, rows_of(connection, sql, sorted({*found, *moved}), run_ids), moved)
    for run_id in run_ids:
        for case_id, result in runs.get(run_id, {}).items():
            if case_id in found:
                found[case_id].append((places[run_id], result))
    _add_collected(connection, series, found)
    _add_fixtures(connection, series, found)
    return {case_id: CaseHistory(case_id, series, results) for case_id, results in found.items()}


_FILES_OF_MODULES: Final = f'SELECT "id", "file" FROM "result" WHERE "id" IN ({{ids}}) AND {IS_MODULE}'  # nosec B608
_HAS_FILE: Final = f'SELECT 1 FROM "result" WHERE "run_id" = ? AND "file" = ? AND NOT ({IS_MODULE}) LIMIT 1'  # nosec B608


def _add_collected(
    connection: StoreConnection, series: Series, found: Mapping[int, list[tuple[int, CaseResult]]]
) -> None:
    """Add to the results of files that could not be collected the last run that collected them: it has their tests."""
    failing = {
        results[-1][1].result_id: results
        for results in found.values()
        if len(results) > 1 and all(result.verdict == "failed" for _, result in results)
    }
    for result_id, file in rows_of(connection, _FILES_OF_MODULES, sorted(failing)):
        results = failing[result_id]
        known = {place for place, _ in results}
        for place in reversed(range(results[0][0], len(series.runs))):
            if place not in known and connection.execute(_HAS_FILE, (series.runs[place].id, file)):
                results.append((place, CaseResult("passed", "p", None, None, 0)))
                results.sort()
                break


_ARE_FIXTURES: Final = f'SELECT "id" FROM "result" WHERE "id" IN ({{ids}}) AND {IS_FIXTURE}'  # nosec B608
_ARE_WHOLE: Final = (
    'SELECT "id" FROM "run" WHERE "id" IN ({ids}) AND COALESCE("selection", \'\') = \'\' AND "total_count" > 0'
    ' AND ("collected" IS NULL OR "collected" <= "total_count" - "untested_count")'
)


def _add_fixtures(
    connection: StoreConnection, series: Series, found: Mapping[int, list[tuple[int, CaseResult]]]
) -> None:
    """Add to the failures of fixtures that tests share the whole runs in which they did not fail."""
    failing = {
        results[-1][1].result_id: results
        for results in found.values()
        if results and all(result.verdict == "failed" for _, result in results)
    }
    shared = [result_id for (result_id,) in rows_of(connection, _ARE_FIXTURES, sorted(failing))]
    whole = {run for (run,) in rows_of(connection, _ARE_WHOLE, [run.id for run in series.runs])} if shared else set()
    for results in (failing[result_id] for result_id in shared):
        known = {place for place, _ in results}
        for place, run in enumerate(series.runs):
            if place not in known and run.id in whole:
                results.append((place, CaseResult("passed", "p", None, None, 0)))
        results.sort()


# Tests that the speed of a run is measured with; with 2,000 it is exact to 1 %, and 100,000 would take a second.
_MEASURED_TESTS: Final = 2000
# The median of some runs is near the median of all: a smaller ratio than this one is far below a change's.
_NEARLY_CHANGED: Final = 1.3
_DURATIONS: Final = (
    'SELECT "run_id", "case_id", "elapsed" - COALESCE("paused", 0) FROM "result" WHERE "run_id" IN ({ids})'
    ' AND "result_class" = 2 AND "failed_attempts" IS NULL'
    ' AND ("elapsed" >= ? OR ("elapsed" > 0 AND "case_id" - "case_id" / ? * ? = 0))'
)


class EarlierDurations:
    """Durations in some runs before the last one of a series: of a sample of the tests, and of all that take long."""

    def __init__(self, connection: StoreConnection, series: Series) -> None:
        known = [run for run in series.runs[:-1] if run.speed is not None][-HISTORY:]
        self._step = series.last.decided // _MEASURED_TESTS + 1
        self._compared = spread(known)
        # The last one of them is the run before this one.
        self._runs = {run.id: run.speed or 1.0 for run in self._compared}
        self._found: dict[int, dict[int, int]] = {run_id: {} for run_id in self._runs}
        least = LEAST_CHANGE_US / series.usual * min(self._runs.values(), default=1.0)
        values = (int(least), self._step, self._step)
        for run_id, case_id, elapsed in rows_of(connection, _DURATIONS, [*self._runs], values):
            self._found[run_id][series.moved.get(case_id, case_id)] = elapsed

    def speed(self, results: Mapping[int, CaseResult]) -> float:
        """Return the speed of the last run by its results: 1.3 if its tests took 1.3 times as long as usual."""
        earlier = [(self._found[run.id], run.speed or 1.0) for run in self._compared]
        return estimate_speed(
            (result.elapsed, [found[case_id] / speed for found, speed in earlier if case_id in found])
            for case_id, result in results.items()
            if case_id % self._step == 0 and result.letter == "p" and result.elapsed
        )

    def may_have_changed(self, results: Mapping[int, CaseResult], series: Series) -> list[int]:
        """Return the tests whose durations can show a change; ``series`` has the speed of its last run."""
        # A change is a median far from the median before, so some durations are that far from each other.
        # Those that were not read are short.
        own, least = series.last.speed or 1.0, LEAST_CHANGE_US / series.usual
        runs = [(self._found[run_id], speed) for run_id, speed in self._runs.items()]
        long = {case_id for found, speed in runs for case_id, elapsed in found.items() if elapsed > least * speed}
        changed = []
        for case_id, result in results.items() if runs else ():
            if (
                result.letter == "p"
                and result.elapsed is not None
                and (case_id in long or result.elapsed > least * own)
            ):
                earlier = [found.get(case_id, 0) / speed for found, speed in runs]
                # Of three runs the median lies between any two: this run and the one before.
                last, usual = (result.elapsed / own, earlier[-1]), median(earlier)
                is_far = max(last) > usual * _NEARLY_CHANGED or min(last) < usual / _NEARLY_CHANGED
                if is_far and max(*last, *earlier) - min(*last, *earlier) > least:
                    changed.append(case_id)
        return changed


def last_letters(connection: StoreConnection, series: Series, last: int) -> dict[int, str]:
    """Return the letters of all tests in the last runs of a series, for a page that shows each test of a run."""
    found: defaultdict[int, str] = defaultdict(str)
    runs = series.runs[-last:]
    for place, run in enumerate(runs):
        results = results_of(connection, run.id)
        rename_moved(results, series.moved)
        for case_id, result in results.items():
            found[case_id] = found[case_id].ljust(place, ".") + result.letter
    return {case_id: letters.ljust(len(runs), ".") for case_id, letters in found.items()}


_OF_CASE: Final = (
    'SELECT r."run_id", r."result_class" FROM "result" AS r JOIN "run" AS u ON u."id" = r."run_id"'
    ' JOIN "run" AS own ON own."id" = ? WHERE r."case_id" IN ({ids}) AND r."run_id" <= own."id" AND u."is_completed"'
    " AND COALESCE(u.\"branch\", '') = COALESCE(own.\"branch\", '')"
    ' AND COALESCE(u."config_id", 0) = COALESCE(own."config_id", 0)'
)


def streak_start(connection: StoreConnection, history: CaseHistory) -> int:
    """Return the run in which the streak of failures began that ends with the last run of a test's series."""
    series = history.series
    first = series.last.id
    for place, result in reversed(history.results):
        if result.verdict == "passed":
            return first
        if result.verdict == "failed":
            first = series.runs[place].id
    if len(series.runs) < WINDOW:
        return first
    # The streak may be longer than the series.
    cases = [history.case_id, *(case for case, later in series.moved.items() if later == history.case_id)]
    results = connection.execute(_OF_CASE.format(ids=marks(cases)), (series.last.id, *cases))
    passed = max((run_id for run_id, result_class in results if result_class == ResultClass.SUCCESS), default=0)
    failed = [run_id for run_id, result_class in results if result_class == ResultClass.FAILURE and run_id >= passed]
    return min(failed, default=series.last.id)


def measure_runs_before(store: Store, run_id: int) -> None:
    """Store the speeds of the runs before this one in its series, whose findings nobody has asked for yet."""
    series = store.read(lambda connection: series_of(connection, run_row(connection, run_id), HISTORY + LAST))
    for other in series.runs[:-1]:
        if other.speed is None:
            speed = store.read(partial(_measured, run_id=other.id))
            store.write(partial(set_speed, other.id, speed))


def _measured(connection: StoreConnection, run_id: int) -> float:
    rows = run_rows(connection, [run_id])
    if not rows:
        return 1.0  # removed meanwhile
    series = series_of(connection, rows[0], HISTORY + LAST)
    return EarlierDurations(connection, series).speed(results_of(connection, run_id))


def set_speed(run_id: int, speed: float, writer: Writer) -> None:
    """Store the speed of a completed run that has none."""
    share(writer.connection, "run", run_id)
    sql = 'UPDATE "run" SET "speed" = ? WHERE "id" = ? AND "is_completed" AND "speed" IS NULL'
    writer.connection.change(sql, (round(speed, 4), run_id))
