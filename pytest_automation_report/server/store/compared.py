"""Read what findings need: a run's results, its base, its series, its jobs, its flaky tests, its usual durations."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from msgspec import Struct
from msgspec.json import decode
from msgspec.structs import replace

from pytest_automation_report.api.models import SHARD_OPTION, Ending
from pytest_automation_report.api.sessions import worst_cut
from pytest_automation_report.findings.comparison import (
    MAIN_BRANCHES,
    Base,
    RunFacts,
    Share,
    bases_of_change,
    choose_base,
    is_partial,
    judge_wholeness,
    whole_before,
)
from pytest_automation_report.findings.flakiness import Flakiness, Verdict, judge_flakiness
from pytest_automation_report.findings.moves import locate_test, pair_moved, pair_volatile
from pytest_automation_report.findings.sentences import RunNumbers, fixture_words, is_torn
from pytest_automation_report.findings.times import median
from pytest_automation_report.server.store.database import StoreConnection, marks
from pytest_automation_report.server.store.histories import (
    Failures,
    histories,
    moved_cases,
    rename_moved,
    results_of,
    series_of,
)
from pytest_automation_report.server.store.reads import (
    IS_FIXTURE,
    IS_MODULE,
    IS_NO_TEST,
    rows_of,
    run_row,
    run_rows,
    stored_documents,
    thread_rows,
    unexplained_exits,
)
from pytest_automation_report.server.store.stored import RUN, CollectedTests, StoredEntry, StoredRun
from pytest_automation_report.server.store.values import (
    INT64_MAX,
    KILLED,
    ResultClass,
    json_text,
    not_found,
    validation_error,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from pytest_automation_report.findings.comparison import WantedBase, WholeRun
    from pytest_automation_report.findings.documents import EarlierSource, FlakyTest, SessionStop, SourceFlakiness
    from pytest_automation_report.server.store.histories import CaseHistory, CaseResult, Series
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

# As the counts of a run: without results that a later attempt of their job replaced.
_MODULES: Final = (
    f'SELECT "case_id", "result_class", "file" FROM "result" WHERE "run_id" = ? AND {IS_MODULE} AND NOT "is_replaced"'  # nosec B608
)
_KILLED: Final = 'SELECT COUNT(*) FROM "result" WHERE "run_id" = ? AND "fingerprint" = ? AND NOT "is_replaced"'
_OF_FILES: Final = (
    f'SELECT "file", "case_id" FROM "result" WHERE "file" IN ({{ids}}) AND "run_id" = ? AND NOT ({IS_MODULE})'  # nosec B608
)
# Of a run's own session, and of those that share it, each with its job.
_SESSIONS: Final = (
    'SELECT 0 AS "id", NULL, NULL, "ending", "not_run" FROM "run" WHERE "id" = ?'
    ' UNION ALL SELECT "id", "job", "attempt", "ending", "not_run" FROM "thread" WHERE "run_id" = ? ORDER BY "id"'
)
# A file that has not been collected for longer has no tests that anybody misses.
_EARLIER_RUNS: Final = 10


# What a sentence can name.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./(), -]{1,100}")
_PLAIN_FIXTURE: Final = re.compile(r"[A-Za-z0-9_./(), :-]{1,160}")


class Modules(NamedTuple):
    """The cases of a run that are of modules, and the files that could not be collected, each with its case."""

    cases: frozenset[int] = frozenset()
    broken: Mapping[str, int] = {}
    results: int = 0  # several jobs may have one of each module
    failures: int = 0
    fixtures: Mapping[int, str] = {}  # that tests share and that failed, each in words
    fixture_failures: int = 0


_FIXTURES: Final = (
    f'SELECT "case_id", "phase", "name", "file", "line" FROM "result" WHERE "run_id" = ? AND {IS_FIXTURE}'
    ' AND NOT "is_replaced" AND "result_class" = 3'
)


def modules_of(connection: StoreConnection, run_id: int) -> Modules:
    """Return the modules, and fixtures that tests share, that stand among the results of a run."""
    rows = connection.execute(_MODULES, (run_id,))
    broken = [(file, case_id) for case_id, result_class, file in rows if result_class == ResultClass.FAILURE]
    shared = connection.execute(_FIXTURES, (run_id,))
    fixtures = {case_id: fixture_words(*columns) for case_id, *columns in shared}
    return Modules(
        frozenset(case_id for case_id, _, _ in rows), dict(broken), len(rows), len(broken), fixtures, len(shared)
    )


def tests_in(connection: StoreConnection, files: Iterable[str], run_id: int) -> dict[str, set[int]]:
    """Return the cases of the tests that a run has of these files, by file, without files that it has no test of."""
    found: dict[str, set[int]] = {}
    for file, case_id in rows_of(connection, _OF_FILES, sorted(files), (run_id,)):
        found.setdefault(file, set()).add(case_id)
    return found


def lost_tests(connection: StoreConnection, series: Series, base: int | None, files: AbstractSet[str]) -> set[int]:
    """Return the tests of files that could not be collected, each by the last run that has some of it.

    These are the runs before in the series, and the base: the first run of a branch has no other.
    """
    lost: dict[str, set[int]] = {}
    earlier = [run.id for run in reversed(series.runs[-_EARLIER_RUNS - 1 : -1])]
    for run_id in [*earlier, *(() if base is None else (base,))]:
        lost |= tests_in(connection, files - lost.keys(), run_id)
    return set[int]().union(*lost.values())


def numbers_of(
    connection: StoreConnection, subject: ComparedRun, modules: Modules, whole: WholeRun | None, *, lost: int
) -> RunNumbers:
    """Return the numbers of a run; ``whole`` is what its jobs prove, None if they do not say enough."""
    run, results = subject.run, subject.results.values()
    shared = next(iter(modules.fixtures.values()), "")
    sessions = _sessions(connection, run.id)
    torn = is_torn(whole)
    # What jobs together have run says more than how one of their attempts ended.
    cut = worst_cut(each.ending for each in sessions if each.ending) if whole is None or torn else ("", 0)
    killed = connection.number(_KILLED, (run.id, KILLED))
    finished = run.total_count - run.untested_count - modules.results - killed
    if whole is not None:
        collected: int | None = whole["tests"]
        missing = whole["missing"]
    else:
        collected = run.collected
        not_run = sum(each.not_run for each in sessions)
        missing = not_run if collected is None else max(0, collected - finished - killed)
        # Where the session lived on, the record of the test's end is lost.
        missing += killed if cut[0] != "died" else 0
    return RunNumbers(
        finished=finished,
        failed=run.failure_count - modules.failures - modules.fixture_failures - killed,
        passed=run.success_count,
        skipped=run.status5_count - modules.results + modules.failures,
        collected=collected,
        not_run=missing + lost,
        files=len(modules.broken),
        fixtures=modules.fixture_failures,
        fixture=shared if len(modules.fixtures) == 1 and _PLAIN_FIXTURE.fullmatch(shared) else "",
        blocked=run.status4_count if modules.fixtures else 0,
        file=file if len(modules.broken) == 1 and _PLAIN.fullmatch(file := next(iter(modules.broken))) else "",
        lost=lost,
        modules=modules.results,
        uncollected=modules.failures,
        reasons=len({case.fingerprint for case in results} - {None}),
        cut=cut,
        dead=_dead_jobs(sessions) if cut[0] == "died" else "",
        selection=run.selection or "",
        unexplained_exit=run.unexplained_exit or 0,
        exit_jobs=_exit_jobs(connection, run) if run.unexplained_exit else "",
        are_results=any(case.is_shared for case in results),
        is_open=not run.is_completed,
        is_torn=torn,
    )


class _Session(NamedTuple):
    """What a session has told of itself; ``job`` and ``attempt`` are None for one that has its run alone."""

    job: str | None
    attempt: int | None
    ending: Ending | None
    not_run: int

    @property
    def has_died(self) -> bool:
        return self.ending is not None and self.ending.state == "died"


def _sessions(connection: StoreConnection, run_id: int) -> list[_Session]:
    rows = connection.execute(_SESSIONS, (run_id, run_id))
    return [
        _Session(job, attempt, ending and decode(ending, type=Ending), not_run or 0)
        for _, job, attempt, ending, not_run in rows
    ]


def session_stops(connection: StoreConnection, run_id: int) -> list[SessionStop]:
    """Return what ended sessions of a run early, of each job in its last attempt."""
    told = sorted(_sessions(connection, run_id), key=lambda each: each.attempt or 0)
    endings = {each.job: each.ending for each in told if each.ending is not None}
    return [
        {"job": job, "error": ending.error, "place": ending.place, "running": ending.running}
        for job, ending in endings.items()
        if ending.error or ending.running
    ]


def _dead_jobs(sessions: Iterable[_Session]) -> str:
    """Return which of several jobs died in their last attempt, in words; empty for a single job."""
    has_died: dict[str, dict[int, bool]] = defaultdict(lambda: defaultdict(bool))
    for each in sessions:
        if each.job is not None:
            has_died[each.job][each.attempt or 0] |= each.has_died
    dead = [job for job, attempts in has_died.items() if attempts[max(attempts)]]
    names = ", ".join(dead)
    if not dead or len(has_died) == 1:
        return ""
    return f"{len(dead)} of {len(has_died)} jobs died" + (f": {names}" if _PLAIN.fullmatch(names) else "")


def _exit_jobs(connection: StoreConnection, run: StoredRun) -> str:
    """Return the jobs in which pytest ended so without a failed test; empty for a session that had the run alone."""
    names = ", ".join(filter(None, unexplained_exits(connection, run.id)))
    return names if _PLAIN.fullmatch(names) else ""


VERSION: Final = 15  # version of the findings and of the rules behind them; those of an earlier one are computed anew
MAX_TESTS: Final = 1000  # most tests of each list of a document; the counts have all
MAX_REASONS: Final = 100  # most reasons of a document
_FIELDS: Final = 'SELECT "body" FROM "attachment" WHERE "run_id" = ? AND "kind" = \'fields\' ORDER BY "id"'
_MOST_CUT: Final = 5  # runs in a row that ended early, before which is looked for the tests that they did not reach
UNTESTED: Final = 'SELECT "case_id" FROM "result" WHERE "run_id" = ? AND "status" = 1'
# Most runs that are looked through for a base: a base behind more runs of other branches is not found.
_MAX_CANDIDATES: Final = 500
_MAX_OF_BRANCHES: Final = 2000  # for the gate, whose base is behind all red runs in a row that nobody has looked at


class ComparedRun(Struct, frozen=True):
    """A run beside its base, and beside the series that it ends."""

    run: StoredRun
    results: Mapping[int, CaseResult]
    series: Series
    base: Base | None = None
    base_row: StoredRun | None = None
    before: Mapping[int, Verdict] | None = None  # of the base
    moved: Mapping[int, int] = {}  # the case in the base of each test that was moved since
    found: Mapping[int, int] = {}  # the earlier cases of those that this comparison has found, each with the case here
    unstable: AbstractSet[int] = frozenset()  # tests of both runs whose ids differ from run to run


def compared_run(connection: StoreConnection, run: StoredRun, wanted: WantedBase) -> ComparedRun:
    """Return a run by its row with a base, by default the best; raises `ApiError` (404, 422) for a wrong base."""
    results, series = results_of(connection, run.id), series_of(connection, run)
    base = _base(connection, run, wanted)
    if base is None:
        return ComparedRun(run, results, series)
    row = run_row(connection, base.run.id)
    before = _reached_before(connection, row)
    moves = {case: earlier for earlier, case in series.moved.items() if earlier in before and case not in before}
    rename_moved(before, series.moved)
    found, unstable, same = _moved_since(connection, run, row, before, results)
    rename_moved(before, same)
    moves |= {case: earlier for earlier, case in found.items()}
    rename_moved(before, found)
    series = replace(series, moved={**series.moved, **found, **same})
    return ComparedRun(run, results, series, base, row, before, moves, found, unstable)


_PLACES: Final = f'SELECT "case_id", "folder", "name", "file" FROM "result" WHERE "run_id" = ? AND NOT {IS_NO_TEST}'  # nosec B608


def _moved_since(
    connection: StoreConnection,
    run: StoredRun,
    base: StoredRun,
    before: Mapping[int, Verdict],
    results: Mapping[int, CaseResult],
) -> tuple[dict[int, int], set[int], dict[int, int]]:
    """Return the tests of a whole run that were moved since its base, by their cases there.

    Then those of both whose ids differ from run to run, and by their cases there those that can be no other test.
    """
    is_part = is_partial(with_death(connection, facts_of(run)), facts_of(base))
    if not run.is_completed or is_part or not has_reached_all(run) or before.keys() >= results.keys():
        return {}, set(), {}
    there, here = (
        {case: locate_test(*columns) for case, *columns in connection.execute(_PLACES, (run_id,))}
        for run_id in (base.id, run.id)
    )
    # Tests of a file that could not be collected are not gone.
    lost = modules_of(connection, run.id).broken
    there = {case: place for case, place in there.items() if case in before and place.file not in lost}
    unstable, same = pair_volatile(there, here)
    moved = {earlier: case for case, earlier in pair_moved(there, here).items() if case not in unstable}
    return moved, unstable, {earlier: case for case, earlier in same.items()}


def has_reached_all(run: StoredRun) -> bool:
    """Whether a run has a result of each test that it was to run."""
    return not run.untested_count and run.total_count >= (run.collected or 0)


def _reached_before(connection: StoreConnection, base: StoredRun) -> dict[int, Verdict]:
    """Return the verdicts of a base; of tests that it did not reach, those of the run that it is compared with itself.

    Else the last tests of a run that ended early would be new in the next one.
    """
    reached: dict[int, Verdict] = {}
    run: StoredRun | None = base
    for _ in range(_MOST_CUT):
        if run is None:
            break
        untested = {case_id for (case_id,) in connection.execute(UNTESTED, (run.id,))} if run.untested_count else set()
        # Files and fixtures have results where they failed: of those of an earlier run nothing is known.
        others = modules_of(connection, run.id) if reached else Modules()
        left_out = untested | others.cases | others.fixtures.keys()
        verdicts: dict[int, Verdict] = {
            case_id: case.verdict for case_id, case in results_of(connection, run.id).items() if case_id not in left_out
        }
        reached = verdicts | reached
        earlier = None if has_reached_all(run) else _base(connection, run, None)
        run = None if earlier is None else run_row(connection, earlier.run.id)
    return reached


def _configured_main_branch(connection: StoreConnection, source_id: int) -> str:
    """Return the main branch that was set for a source, "" if none was; raises `ApiError` (404) without a source."""
    rows = connection.execute('SELECT "main_branch" FROM "source" WHERE "id" = ?', (source_id,))
    if not rows:
        raise not_found("automation source")
    return rows[0][0] or ""


def facts_of(run: StoredRun) -> RunFacts:
    """Return what the choice of a base depends on, from a run's row."""
    return RunFacts(
        run.id,
        run.config or 0,
        run.branch or "",
        run.target_branch or "",
        is_completed=run.is_completed,
        selection=run.selection or "",
        tests=run.total_count,
        untested=run.untested_count,
        collected=run.collected or 0,
        deselected=run.deselected or 0,
        commit=run.commit or "",
        changes=run.changes or "",
    )


_CANDIDATES: Final = 'FROM "run" WHERE "source_id" = ? AND "id" < ? AND {branch} ORDER BY "id" DESC LIMIT ?'


def with_death(connection: StoreConnection, facts: RunFacts) -> RunFacts:
    """Return the facts of a run with whether its session was killed, or a session of a job that shares it."""
    return replace(facts, has_died=any(each.has_died for each in _sessions(connection, facts.id)))


def _base(connection: StoreConnection, run: StoredRun, wanted: WantedBase) -> Base | None:
    if isinstance(wanted, int):
        row = run_row(connection, wanted)
        if row.project != run.project:  # a token of one project cannot tell which runs the others have
            raise not_found("automation run")
        if row.source != run.source:
            raise validation_error({"base": [f"Run {wanted} is of another source than run {run.id}."]})
        return Base(facts_of(row), "asked")
    if wanted == "change":
        return base_of_change(connection, run)
    sql = _CANDIDATES.format(branch="TRUE")
    candidates = {row.id: facts_of(row) for row in RUN.each(connection, sql, (run.source, run.id, _MAX_CANDIDATES))}
    main = _configured_main_branch(connection, run.source)
    # Whether a run is whole is read of the chosen ones only, nearly always one.
    while (base := choose_base(facts_of(run), candidates.values(), main_branch=main)) is not None:
        if _is_whole(connection, base.run):
            return base
        del candidates[base.run.id]
    return None


def _is_whole(connection: StoreConnection, run: RunFacts) -> bool:
    """Whether a run's session was not killed, and its jobs lost no tests."""
    return not with_death(connection, run).has_died and not is_torn(wholeness(connection, run.id))


def fields_of(connection: StoreConnection, run_id: int) -> dict[str, str]:
    """Return the fields of a run and of its threads by name; of several the first one."""
    rows = connection.execute(_FIELDS, (run_id,))
    fields = (decode(body, type=StoredEntry) for (body,) in reversed(rows))
    return {field.name: field.value or "" for field in fields}


def with_ancestors(connection: StoreConnection, run: StoredRun) -> RunFacts:
    """Return the facts of a run with the commits that led to its own."""
    rows = connection.execute('SELECT "ancestors" FROM "run" WHERE "id" = ?', (run.id,))
    return replace(facts_of(run), ancestors=tuple((rows[0][0] or "").split()) if rows else ())


def base_of_change(connection: StoreConnection, run: StoredRun) -> Base | None:
    """Return the run that the gate compares with: it has nothing of what is judged (`bases_of_change`)."""
    facts = with_ancestors(connection, run)
    main = _configured_main_branch(connection, run.source)
    main_branches = (main,) if main else MAIN_BRANCHES
    branches = dict.fromkeys((facts.target_branch, *main_branches, facts.branch))
    sql = _CANDIDATES.format(branch=f"COALESCE(\"branch\", '') IN ({marks(branches)})")
    others = RUN.each(connection, sql, (run.source, run.id, *branches, _MAX_OF_BRANCHES))
    for why, found in bases_of_change(facts, whole_before(facts, map(facts_of, others)), main_branches):
        whole = (other for other in found if _is_whole(connection, other))
        base = _let_pass(connection, whole) if why == "let pass" else next(whole, None)
        if base is not None:
            return Base(base, why)
    return None


_FAILED: Final = (
    'SELECT DISTINCT "case_id", "is_excused" FROM "result" WHERE "run_id" = ? AND "result_class" = 3'
    f' AND NOT "is_replaced" AND COALESCE("fingerprint", 0) <> {KILLED}'  # nosec B608
)


def new_failures(connection: StoreConnection, run_id: int, base_id: int, moved: Mapping[int, int]) -> int:
    """Return how many failures of a run stop the gate: new ones that are not known, and known ones past their day.

    ``moved`` has the earlier cases of tests that were moved, each with the case in the run.
    """
    failed = {moved.get(case, case) for case, _ in connection.execute(_FAILED, (base_id,))}
    return len({
        case
        for case, is_excused in connection.execute(_FAILED, (run_id,))
        if (case not in failed if is_excused is None else not is_excused)
    })  # fmt: skip


def _let_pass(connection: StoreConnection, newest_first: Iterable[RunFacts]) -> RunFacts | None:
    """Return the newest of these whole runs of a branch in which the gate finds nothing new; the first one has no base.

    What was found of each run is stored with its findings, so that a run is not compared again with each later one.
    """
    base, unknown = None, []
    for run in newest_first:
        summary = stored_documents(connection, "summary", [run.id], VERSION).get(run.id)
        found = summary and run_rows(connection, [summary["gate"]["base"] if summary["gate"]["failures"] else run.id])
        if found:
            base = facts_of(found[0])
            break
        unknown.append(run)  # or its base was removed
    for run in reversed(unknown):
        if base is None or not new_failures(connection, run.id, base.id, moved_cases(connection, run.id)):
            base = run
    return base


# Not those that are only named since they did not run, whose status is 1 in the contract; a test whose process died
# has no outcome; and a module is no test.
_CASES: Final = (
    'SELECT "thread_id", "case_id" FROM "result" WHERE "run_id" = ? AND "status" <> 1'
    f' AND COALESCE("fingerprint", 0) <> {KILLED} AND NOT {IS_NO_TEST}'  # nosec B608
)


def wholeness(connection: StoreConnection, run_id: int) -> WholeRun | None:
    """Return how many tests of a run were collected, are missing and came twice; None if its sessions do not say."""
    threads = [row for row in thread_rows(connection, run_id) if row.job is not None and row.collection is not None]
    if not threads:
        return None
    cases: dict[int, set[int]] = defaultdict(set)
    for thread_id, case_id in connection.execute(_CASES, (run_id,)):
        cases[thread_id].add(case_id)
    # A session's threads have the time of its start in common.
    sessions: dict[tuple[str, int, int, CollectedTests], set[int]] = defaultdict(set)
    for row in threads:
        if row.job is not None and row.collection is not None:
            sessions[row.job, row.attempt or 1, row.session_started or row.id, row.collection] |= cases[row.id]
    shares = [
        Share(job, attempt, frozenset(ran), collected.digest, collected.tests, collected.chosen)
        for (job, attempt, _, collected), ran in sessions.items()
    ]
    return judge_wholeness(shares)


_FLAKY_VERSION: Final = 1  # version of the document of a source's flaky tests
_SHOWN_STATES: Final = frozenset({"flaky", "broken", "suspect"})
_BRANCHES: Final = (
    'SELECT COALESCE("branch", \'\'), MAX("id") FROM "run" WHERE "source_id" = ? AND "is_completed"'
    " GROUP BY 1 ORDER BY 2 DESC"
)
# Of each configuration.
_NEWEST: Final = (
    'FROM "run" WHERE "id" IN (SELECT MAX("id") FROM "run" WHERE "source_id" = ?'
    ' AND COALESCE("branch", \'\') = ? AND "is_completed" GROUP BY "config_id") ORDER BY "id"'
)
_NAMES: Final = (
    'SELECT r."case_id", c."key", r."folder", r."name" FROM "result" AS r JOIN "case" AS c ON c."id" = r."case_id"'
    ' WHERE r."id" IN (SELECT MAX("id") FROM "result" WHERE "case_id" IN ({ids}) GROUP BY "case_id")'
)


def flaky_tests(connection: StoreConnection, source_id: int, branch: str | None = None) -> SourceFlakiness:
    """Return the flaky, broken and suspect tests of a source, by default on its main branch; raises `ApiError`: 404."""
    main = main_branch(connection, source_id)
    chosen = main if branch is None else branch
    tests = flaky_of_source(connection, source_id, chosen)
    return {"version": _FLAKY_VERSION, "source": source_id, "branch": chosen, "tests": tests}


def main_branch(connection: StoreConnection, source_id: int) -> str:
    """Return the main branch of a source, or the branch of its newest run; raises `ApiError`: 404 without a source."""
    if configured := _configured_main_branch(connection, source_id):
        return configured
    branches = [name for name, _ in connection.execute(_BRANCHES, (source_id,))]
    return next((name for name in MAIN_BRANCHES if name in branches), branches[0] if branches else "")


def newest_runs(connection: StoreConnection, source_id: int, branch: str) -> list[StoredRun]:
    """Return the newest completed run of a source's branch in each of its configurations."""
    return RUN.all(connection, _NEWEST, (source_id, branch))


def flaky_of_source(
    connection: StoreConnection,
    source_id: int,
    branch: str,
    *,
    states: Collection[str] = _SHOWN_STATES,
    limit: int = MAX_TESTS,
) -> list[FlakyTest]:
    """Return the tests of these states, those that cost most first; a test has an entry for each configuration."""
    found: list[tuple[int, Flakiness, int | None]] = []
    for run in newest_runs(connection, source_id, branch):
        series = series_of(connection, run)
        failures = Failures(connection, series)
        known = histories(connection, series, failures.unstable())
        found += [(case_id, state, run.config) for case_id, state in in_states(known, failures, states).items()]
    shown = sorted(found, key=lambda entry: _cost(*entry[:2]))[:limit]
    names = names_of(connection, [case_id for case_id, _, _ in shown])
    return [
        {"key": names[case_id][0], "folder": names[case_id][1], "name": names[case_id][2], "config": config, **state}
        for case_id, state, config in shown
        if case_id in names
    ]


def in_states(
    known: Mapping[int, CaseHistory], failures: Failures, states: Collection[str] = _SHOWN_STATES
) -> dict[int, Flakiness]:
    """Return the tests in one of these states by case, those that cost most first."""
    found = {case_id: judge_flakiness(history.outcomes(failures)) for case_id, history in known.items()}
    chosen = [(case_id, state) for case_id, state in found.items() if state["state"] in states]
    return dict(sorted(chosen, key=lambda entry: _cost(*entry)))


def _cost(case_id: int, state: Flakiness) -> tuple[bool, float, int]:
    return state["state"] != "flaky", -state["low"], case_id


def names_of(connection: StoreConnection, cases: Sequence[int]) -> dict[int, tuple[str, str, str]]:
    """Return key, folder and name of these tests, as their last results have them; none if all were removed."""
    return {case_id: (key, folder, name) for case_id, key, folder, name in rows_of(connection, _NAMES, cases)}


def flaky_on_main(connection: StoreConnection, subject: ComparedRun, known: AbstractSet[int]) -> dict[int, Flakiness]:
    """Return the tests that fail in a run of another branch, or failed in its base, and are flaky on the main branch.

    Those ``known`` to be flaky are left out. What the runs of the branch itself show is too little at first.
    """
    run, before = subject.run, subject.before or {}
    failed = {case_id for case_id, case in subject.results.items() if "failed" in {case.verdict, before.get(case_id)}}
    main = main_branch(connection, run.source) if failed - known else run.branch
    series = replace(series_of(connection, replace(run, branch=main)), moved=subject.series.moved)
    if run.branch in {None, main} or not series.runs:
        return {}
    failures = Failures(connection, series)
    found = histories(connection, series, (failed - known) & failures.unstable())
    return in_states(found, failures, {"flaky"})


# Tests that are looked up in other sources, spread over the run.
_SAMPLE: Final = 100
# With fewer tests equal names prove nothing: each suite may have a `tests.test_version.test_version`.
_LEAST_TESTS: Final = 5
_LEAST_SHARE: Final = 0.5
_HAS_EARLIER_RUN: Final = 'SELECT 1 FROM "run" WHERE "source_id" = ? AND "id" < ? LIMIT 1'
_HAS_OTHER_SOURCE: Final = 'SELECT 1 FROM "source" WHERE "project_id" = ? AND "id" < ? LIMIT 1'
_KEYS: Final = 'SELECT "id", "key" FROM "case" WHERE "id" IN ({ids})'
# SQLite has no index of keys alone: it reads all tests of the store once, in the first run of a source only.
_SAME_TESTS: Final = (
    'SELECT s."id", s."name", COUNT(*) AS "same" FROM "case" AS c JOIN "source" AS s ON s."id" = c."source_id"'
    ' WHERE c."key" IN ({keys}) AND s."project_id" = ? AND s."id" < ? GROUP BY s."id", s."name"'
    ' ORDER BY "same" DESC, s."id" DESC LIMIT 1'
)
_RUNS: Final = 'SELECT COUNT(*) FROM "run" WHERE "source_id" = ? AND "id" < ?'


def earlier_source(connection: StoreConnection, run: StoredRun, case_ids: Collection[int]) -> EarlierSource | None:
    """Return the older source that has half of the tests of a source's first run or more; None if there is none."""
    source, run_id, project = run.source, run.id, run.project
    if len(case_ids) < _LEAST_TESTS or connection.execute(_HAS_EARLIER_RUN, (source, run_id)):
        return None
    if not connection.execute(_HAS_OTHER_SOURCE, (project, source)):
        return None
    ordered = sorted(case_ids)
    keys = [key for _, key in rows_of(connection, _KEYS, ordered[:: len(ordered) // _SAMPLE + 1])]
    rows = connection.execute(_SAME_TESTS.replace("{keys}", marks(keys)), (*keys, project, source))
    if not rows or rows[0][2] < len(keys) * _LEAST_SHARE:
        return None
    count = connection.number(_RUNS, (rows[0][0], run_id))
    return {"name": rows[0][1], "runs": count} if count else None


_LATEST: Final = 5
_SOURCE_ID: Final = 'SELECT "id" FROM "source" WHERE "project_id" = ? AND "name" = ?'
# Not the run of a shard that has no key: it has a part of the tests. One that is open again keeps its time.
_OF_BRANCH: Final = (
    'SELECT "id" FROM "run" WHERE "source_id" = ? AND {branch} AND "completed" < ? AND "total_count" > 0'
    ' AND COALESCE("selection", \'\') NOT LIKE ? ORDER BY "id" DESC LIMIT ?'
)


class UsualDurations(TypedDict):
    """What usual tests of a source take, by their keys, and which failed last."""

    runs: list[int]
    failed: list[str]
    durations: dict[str, int]  # microseconds


class _Cut(TypedDict):
    """The same by cases, as it is stored of a run whose jobs cut their tests by it."""

    runs: list[int]
    failed: list[int]
    durations: dict[str, int]


def usual_durations(store: Store, project_id: int, source: str, branch: str, run: int | None) -> UsualDurations:
    """Return the medians of durations in some runs of a source, and which tests failed last.

    The runs are the last ones of the branch, then of the main branch, newest first. With a ``run`` they are of its
    branch, completed before it was created, and all calls return what the first one found: late results and removed
    runs change nothing. Raises `ApiError` (404) for a run that the project does not have.
    """
    if run is None:
        found = store.read(partial(_of_source, project_id=project_id, source=source, branch=branch))
    else:
        kept = store.read(lambda connection: stored_documents(connection, "cut", [run], 1)).get(run)
        found = kept or store.write(partial(_settled, run, store.read(partial(_before, run, project_id))))
    cases = sorted({*found["failed"], *map(int, found["durations"])})
    keys: dict[int, str] = dict(store.read(partial(rows_of, sql=_KEYS, ids=cases)))
    return {
        "runs": found["runs"],
        "failed": [keys[case_id] for case_id in found["failed"] if case_id in keys],
        "durations": {keys[int(case)]: time for case, time in found["durations"].items() if int(case) in keys},
    }


def _of_source(connection: StoreConnection, project_id: int, source: str, branch: str) -> _Cut:
    rows = connection.execute(_SOURCE_ID, (project_id, source))
    return _history(connection, _last_runs(connection, rows[0][0], branch, INT64_MAX) if rows else [])


def _before(run_id: int, project_id: int, connection: StoreConnection) -> _Cut:
    run = run_row(connection, run_id)
    if run.project != project_id:
        raise not_found("automation run")
    return _history(connection, _last_runs(connection, run.source, run.branch or "", run.created))


def _last_runs(connection: StoreConnection, source_id: int, branch: str, before: int) -> list[int]:
    """Return the runs whose durations count, of those that were completed before this time."""
    found: list[int] = []
    for name in dict.fromkeys([branch, main_branch(connection, source_id)]):
        condition, values = ('"branch" = ?', (name,)) if name else ('"branch" IS NULL', ())
        rows = connection.execute(
            _OF_BRANCH.format(branch=condition), (source_id, *values, before, f"{SHARD_OPTION}=%", _LATEST)
        )
        found += [run_id for (run_id,) in rows]
    return found[:_LATEST]


def _settled(run_id: int, cut: _Cut, writer: Writer) -> _Cut:
    """Store how the jobs of a run cut their tests, unless another job was first; return what is stored."""
    writer.connection.add("run_document", run_id=run_id, kind="cut", version=1, body=json_text(cut))
    stored: _Cut = stored_documents(writer.connection, "cut", [run_id], 1)[run_id]
    return stored


def _history(connection: StoreConnection, runs: Sequence[int]) -> _Cut:
    durations: dict[int, list[int]] = defaultdict(list)
    has_failed: dict[int, bool] = {}
    moved = moved_cases(connection, runs[0]) if runs else {}
    for run_id in runs:
        modules, results = modules_of(connection, run_id).cases, results_of(connection, run_id)
        rename_moved(results, moved)
        for case_id, case in results.items():
            if case_id not in modules and case.elapsed is not None:  # it ran
                durations[case_id].append(case.elapsed)
            # The newest run that has the test decides. A module that is collected again has no result.
            if case_id not in modules or run_id == runs[0]:
                has_failed.setdefault(case_id, case.verdict == "failed" or case.fingerprint == KILLED)
    return {
        "runs": [*runs],
        "failed": [case_id for case_id, failed in has_failed.items() if failed],
        "durations": {str(case_id): round(median(times)) for case_id, times in durations.items()},
    }
