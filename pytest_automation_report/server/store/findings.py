"""Compute the findings of a run (``docs/findings.md``), and store them once it is completed; times are microseconds."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Struct, field
from msgspec.json import decode
from msgspec.structs import asdict, replace

from pytest_automation_report.api.models import Known
from pytest_automation_report.findings.comparison import (
    Apart,
    Base,
    Changes,
    RunFacts,
    WantedBase,
    WholeRun,
    changed_software,
    changes_between,
    commits_between,
    is_partial,
)
from pytest_automation_report.findings.documents import RanTests, VerdictWords
from pytest_automation_report.findings.flakiness import WINDOW, Flakiness, Verdict, judge_flakiness
from pytest_automation_report.findings.known import known_words, session_entry
from pytest_automation_report.findings.sentences import MINE, RunNumbers, fixture_words, judge_run
from pytest_automation_report.findings.times import USUAL_RUNS, ranked, time_shares
from pytest_automation_report.server.store import compared
from pytest_automation_report.server.store.compared import VERSION
from pytest_automation_report.server.store.histories import (
    EarlierDurations,
    Failures,
    Series,
    histories,
    keep_moved,
    measure_runs_before,
    series_of,
    set_speed,
    streak_start,
)
from pytest_automation_report.server.store.reads import (
    IS_MODULE,
    began_at,
    keep_document,
    mention,
    rows_of,
    run_row,
    run_rows,
    session_spans,
    stored_documents,
    thread_rows,
)
from pytest_automation_report.server.store.values import KILLED, hexadecimal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from pytest_automation_report.findings import documents
    from pytest_automation_report.findings.times import DurationChange, RunTime, WorkerTime
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import CaseHistory, CaseResult
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredRun
    from pytest_automation_report.server.store.writes import Writer

# The number of this status is the contract's: the counts of a run have its name.
_BLOCKED: Final = 'SELECT "case_id" FROM "result" WHERE "run_id" = ? AND "status" = 5'
_NAMES_OF_RUN: Final = 'SELECT "case_id", "name" FROM "result" WHERE "run_id" = ?'
_NAMES: Final = (
    'SELECT r."case_id", c."key", r."folder", r."name", r."id" FROM "result" AS r'
    ' JOIN "case" AS c ON c."id" = r."case_id"'
)
# A thread without a test, such as the thread of xdist's controller, is no worker. A client may send 64 bits of both.
_STARTS: Final = (
    'SELECT "thread_id", MIN("started"), MAX(CAST("started" AS DOUBLE PRECISION) + COALESCE("elapsed", 0)),'
    ' COUNT(*) - COUNT("started")'
    f' FROM "result" WHERE "run_id" = ? AND "status" <> 1 AND NOT ({IS_MODULE}) GROUP BY "thread_id"'
)


def findings(store: Store, run_id: int, base: WantedBase = None) -> documents.RunFindings:
    """Return the findings of a run; raises `ApiError` for an unknown run (404) or a base of another source (422)."""
    known = partial(stored_findings, run_id=run_id)
    if base is None and (stored := store.read(known, is_single=True)) is not None:
        return stored
    with store.findings_lock:
        # Another thread may have computed the same ones meanwhile.
        if base is None and (stored := store.read(known, is_single=True)) is not None:
            return stored
        measure_runs_before(store, run_id)
        run, speed, moved, document = store.read(partial(_computed, run_id=run_id, wanted=base))
        if base is None and run.is_completed:
            store.write(partial(_keep, run, speed, moved, document))
        return document


def stored_findings(connection: StoreConnection, run_id: int) -> documents.RunFindings | None:
    """Return the stored findings of a run; None if they were not computed yet, or by earlier rules."""
    document: documents.RunFindings | None = stored_documents(connection, "findings", [run_id], VERSION).get(run_id)
    return document


def summaries(connection: StoreConnection, run_ids: Collection[int]) -> dict[int, documents.FindingsSummary]:
    """Return the summaries of these runs, without runs whose findings are not stored."""
    return stored_documents(connection, "summary", [*run_ids], VERSION)


def verdict_in_list(row: StoredRun, summary: Mapping[str, Any] | None) -> VerdictWords:
    """Return what is to be said of a run, by its row and the summary of its findings, None before these are there."""
    if row.is_completed and summary is not None:
        said: VerdictWords = summary["verdict"]
        return said
    finished = row.total_count - row.untested_count
    numbers = RunNumbers(
        finished=finished,
        failed=row.failure_count,
        passed=row.success_count,
        skipped=row.status5_count,
        collected=row.collected if row.collected is None else max(row.collected, finished),
        selection=row.selection or "",
        unexplained_exit=row.unexplained_exit or 0,
        is_open=not row.is_completed,
    )
    return judge_run(numbers)


def _keep(
    run: StoredRun, speed: float, moved: Mapping[int, int], document: documents.RunFindings, writer: Writer
) -> None:
    """Store the findings of a run, its speed and its moves, by the row they were made of, if it has not changed."""
    summary: documents.FindingsSummary = {
        "base": None if document["base"] is None else document["base"]["run"],
        "gate": document["gate"],
        "verdict": document["verdict"],
        "mine": document["mine"],
        "counts": document["counts"],
        "not_run": document["ran"]["not_run"],
        "reasons": document["counts"]["reasons"],
    }
    if keep_document(writer.connection, run, "findings", VERSION, document):
        keep_document(writer.connection, run, "summary", VERSION, summary)
        set_speed(run.id, speed, writer)
        keep_moved(run, moved, writer)


def _kinds(
    changes: Changes,
    apart: Mapping[int, documents.Mine],
    excused: Collection[int],
) -> dict[int, documents.Mine]:
    """Return whose each failure is; ``apart`` are those of tests that are known to fail, ``excused`` fail as known."""
    kinds: dict[int, documents.Mine] = {
        **dict.fromkeys(changes.newly_failing, "new"),
        **dict.fromkeys(changes.still_failing, "still"),
    }
    kinds |= {key: apart[key] for key in apart.keys() & (kinds.keys() | set(excused))}
    return kinds


def _computed(
    connection: StoreConnection, run_id: int, wanted: WantedBase
) -> tuple[StoredRun, float, Mapping[int, int], documents.RunFindings]:
    run = run_row(connection, run_id)
    subject = compared.compared_run(connection, run, wanted)
    facts = compared.with_death(connection, compared.facts_of(run))
    has_part = is_partial(facts, None if subject.base is None else subject.base.run)
    whole = compared.wholeness(connection, run.id) if run.is_completed else None
    failures = Failures(connection, subject.series)
    known = histories(connection, subject.series, failures.unstable())
    flaky, known_flaky = _flaky(connection, subject, failures, known)
    named = _known(connection, subject)
    excused = {case_id: (each.until, each.reason) for case_id, each in named.items() if not each.is_past}
    apart: dict[int, documents.Mine] = {**dict.fromkeys(known_flaky, "flaky"), **dict.fromkeys(excused, "known")}
    changes, numbers = _changes(connection, subject, whole, flaky, has_part=has_part)
    lists = cast("Mapping[str, Sequence[int]]", asdict(changes))
    series, durations, runs = _changed_durations(connection, subject)
    slower = {key: change for key, change in durations.items() if change.elapsed > change.median}
    faster = {key: durations[key] for key in durations.keys() - slower.keys()}
    base = run.id if subject.base is None else subject.base.run.id
    # In a base of another branch nothing is away that fails on this branch since before it.
    is_elsewhere = subject.base_row is not None and subject.base_row.branch != run.branch
    own = histories(connection, subject.series, changes.newly_failing if is_elsewhere else ())
    since = {key: min(base, streak_start(connection, history)) for key, history in own.items()}
    reasons_before = {key: failures.reasons_before(key, since.get(key, base)) for key in changes.newly_failing}
    kinds = _kinds(changes, apart, excused)
    same_reason = {
        key: subject.results[key].fingerprint in reasons
        for key, reasons in reasons_before.items()
        if reasons and kinds[key] == "new"
    }
    tests = _Tests(connection, subject, known, kinds, named, same_reason)
    listed = {key for keys in lists.values() for key in keys[: compared.MAX_TESTS]}
    tests.load({*listed, *list(flaky)[: compared.MAX_TESTS], *ranked(durations)[: compared.MAX_TESTS]})
    entries = {name: tests.entries(keys[: compared.MAX_TESTS]) for name, keys in lists.items()}
    groups = _failures_by_reason(subject)
    began_in = _beginnings([*entries["still_failing"], *entries["newly_failing"]])
    speed = series.last.speed or 1.0
    return (
        run,
        speed,
        subject.found,
        {
            "version": VERSION,
            "run": run.id,
            "base": _base(subject),
            "gate": _gate(connection, subject, subject.base if wanted == "change" else None),
            "earlier_source": compared.earlier_source(connection, run, subject.results.keys()),
            "is_partial": has_part,
            "whole": whole,
            "speed": round(speed / series.usual, 2),
            "verdict": judge_run(numbers),
            "ran": cast("RanTests", {name: getattr(numbers, name) for name in RanTests.__annotations__}),
            "mine": {name: sum(kind == name for kind in kinds.values()) for name in MINE},
            "known": known_words(session_entry(*each) for each in excused.values()) if excused else "",
            "counts": {
                **{name: len(keys) for name, keys in lists.items()},
                "not_run": numbers.not_run if run.is_completed else len(changes.not_run),
                "flaky": sum(entry["state"] == "flaky" for entry in flaky.values()),
                "slower": len(slower),
                "faster": len(faster),
                "in_several_jobs": sum(case.is_shared for case in subject.results.values()),
                "reasons": len(groups),
                "back": len(same_reason),
                "unlisted_failures": sum(map(len, islice(groups.values(), compared.MAX_REASONS, None))),
            },
            "tests": entries,
            "reasons": _reasons(connection, subject, groups, kinds, same_reason, began_in),
            "stops": compared.session_stops(connection, run_id),
            "flaky": [
                {**tests.names[key], **entry, "is_known": key in known_flaky}
                for key, entry in list(flaky.items())[: compared.MAX_TESTS]
            ],
            "slower": tests.durations(slower, runs),
            "faster": tests.durations(faster, runs),
            "time": _time(connection, subject),
        },
    )


def _flaky(
    connection: StoreConnection,
    subject: compared.ComparedRun,
    failures: Failures,
    known: Mapping[int, CaseHistory],
) -> tuple[dict[int, Flakiness], set[int]]:
    """Return the tests of a run that are not stable, and those that are known to be flaky."""
    flaky = compared.in_states({key: known[key] for key in known.keys() & subject.results.keys()}, failures)
    # What this run adds is no evidence against itself: a test is known to be flaky by the runs before, too.
    known_flaky = {
        key
        for key, entry in flaky.items()
        if entry["state"] == "flaky" and judge_flakiness(known[key].outcomes(failures)[:-1])["state"] == "flaky"
    }
    elsewhere = compared.flaky_on_main(connection, subject, known_flaky)
    return flaky | elsewhere, known_flaky | elsewhere.keys()


def _changes(
    connection: StoreConnection,
    subject: compared.ComparedRun,
    whole: WholeRun | None,
    flaky: Mapping[int, Flakiness],
    *,
    has_part: bool,
) -> tuple[Changes, RunNumbers]:
    run, base = subject.run, subject.base
    modules = compared.modules_of(connection, run.id)
    before = compared.Modules() if base is None else compared.modules_of(connection, base.run.id)
    base_id = None if base is None else base.run.id
    lost = compared.lost_tests(connection, subject.series, base_id, modules.broken.keys()) - subject.results.keys()
    numbers = compared.numbers_of(connection, subject, modules, whole, lost=len(lost))
    # A fixture that tests share has a result only where it failed: that it did not fail in a whole run is one, too.
    mended = set[int]() if has_part or not run.is_completed else before.fixtures.keys() - subject.results.keys()
    blocked = {case for (case,) in connection.execute(_BLOCKED, (run.id,))} if modules.fixtures else set()
    # The cases that the run only names since they did not run: nothing is known of them, not even a skip.
    unknown = connection.execute(compared.UNTESTED, (run.id,)) if run.untested_count else ()
    untested = {case_id for (case_id,) in unknown}
    verdicts: dict[int, Verdict] = {
        # Another job of the run, or the same one again, may have run a test that this one did not get to.
        case_id: case.verdict
        for case_id, case in subject.results.items()
        if case.fingerprint != KILLED and (case.verdict != "skipped" or case_id not in untested | blocked)
    }
    is_cut = bool(untested) or numbers.is_torn or numbers.not_run > numbers.lost or numbers.cut[0] == "died"
    not_run = lost | untested | blocked
    # Where the run does not name all of them, the base has their names.
    is_named = len(not_run) >= numbers.not_run
    if is_cut and not is_named and run.is_completed and base is not None and base.run.selection == numbers.selection:
        not_run |= (subject.before or {}).keys() - subject.results.keys() - before.cases
    verdicts |= dict.fromkeys((() if is_cut else mended), "passed")
    imported = compared.tests_in(connection, before.broken.keys() - modules.broken.keys(), run.id)
    changes = changes_between(
        subject.before,
        verdicts,
        has_part=has_part or is_cut or not run.is_completed,
        apart=Apart(
            modules=modules.cases | before.cases | modules.fixtures.keys() | before.fixtures.keys() | subject.unstable,
            # A file without tests, or one that nobody collected, has not been mended.
            imported={before.broken[file] for file in imported},
            known=set[int]().union(*imported.values()),
            not_run=not_run,
            flaky={case_id for case_id, entry in flaky.items() if entry["state"] == "flaky"},
        ),
    )
    unstable = sorted(subject.unstable & subject.results.keys())
    return replace(changes, moved=sorted(subject.moved), unstable_ids=unstable), numbers


_KNOWN: Final = 'SELECT "case_id", "known" FROM "result" WHERE "id" IN ({ids}) AND "known" IS NOT NULL'


def _known(connection: StoreConnection, subject: compared.ComparedRun) -> dict[int, Known]:
    """Return the entries of a file of known failures that name failures of the run, by case."""
    failed = [case.result_id for case in subject.results.values() if case.verdict == "failed"]
    return {case_id: decode(known, type=Known) for case_id, known in rows_of(connection, _KNOWN, failed)}


def _base(subject: compared.ComparedRun) -> documents.BaseRun | None:
    base, row = subject.base, subject.base_row
    if base is None or row is None:
        return None
    return {"why": base.why, "branch": row.branch, **mention(row)}


def _gate(connection: StoreConnection, subject: compared.ComparedRun, known: Base | None) -> documents.GateBase:
    run = subject.run
    base = known or compared.base_of_change(connection, run)
    if base is None:
        return {"base": None, "branch": None, "failures": 0}
    branch = base.run.branch if base.run.branch != (run.branch or "") else None
    failures = compared.new_failures(connection, run.id, base.run.id, subject.series.moved)
    return {"base": base.run.id, "branch": branch, "failures": failures}


def _changed_durations(
    connection: StoreConnection, subject: compared.ComparedRun
) -> tuple[Series, dict[int, DurationChange], dict[int, tuple[int, int]]]:
    """Return the series with the speed of the run, and the tests that a completed run is the first to show as changed.

    The last are the run before each of these changes, and the one in which it began.
    """
    earlier = EarlierDurations(connection, subject.series)
    last = subject.series.last
    speed = earlier.speed(subject.results) if last.speed is None else last.speed
    series = replace(subject.series, runs=[*subject.series.runs[:-1], last._replace(speed=speed)])
    changes: dict[int, DurationChange] = {}
    runs: dict[int, tuple[int, int]] = {}
    if subject.run.is_completed:
        candidates = earlier.may_have_changed(subject.results, series)
        for case_id, history in histories(connection, series, candidates, last=USUAL_RUNS).items():
            found = history.changed()
            if found is not None and found.change.is_new:
                changes[case_id] = replace(found.change, elapsed=found.last.elapsed)
                runs[case_id] = found.until, found.since
    return series, changes, runs


class _Tests(Struct, dict=True):
    """Names of the tests that a document shows, read in a few statements."""

    connection: StoreConnection
    subject: compared.ComparedRun
    known: Mapping[int, CaseHistory]
    kinds: Mapping[int, documents.Mine]
    named: Mapping[int, Known]
    same_reason: Mapping[int, bool]
    before: Mapping[int, CaseHistory] = {}
    names: dict[int, documents.NamedTest] = field(default_factory=dict)
    runs: dict[int, StoredRun | None] = field(
        default_factory=dict
    )  # failures often began together: each run is read once
    facts: dict[int, RunFacts | None] = field(default_factory=dict)
    fields: dict[int, Mapping[str, str]] = field(default_factory=dict)

    def load(self, cases: AbstractSet[int]) -> None:
        """Read the names of these cases, and since when they fail; a test that is gone has the names of the base."""
        here = {case_id: self.subject.results[case_id] for case_id in cases & self.subject.results.keys()}
        gone = sorted(cases - here.keys())
        failed = [case_id for case_id, case in here.items() if case.verdict == "failed" and case_id not in self.known]
        self.known = {**self.known, **histories(self.connection, self.subject.series, failed)}
        self._load_before()
        results = [case.result_id for case in here.values()]
        rows = rows_of(self.connection, f'{_NAMES} WHERE r."id" IN ({{ids}})', results)
        if self.subject.base is not None:
            condition = 'WHERE r."case_id" IN ({ids}) AND r."run_id" = ?'
            rows += rows_of(self.connection, f"{_NAMES} {condition}", gone, (self.subject.base.run.id,))
        for case_id, key, folder, name, result_id in rows:
            self.names[case_id] = {"key": key, "folder": folder, "name": name, "result": result_id}
        lost = [case_id for case_id in gone if case_id not in self.names]
        lost += [self.subject.moved[case_id] for case_id in cases & self.subject.moved.keys()]
        for case_id, (key, folder, name) in compared.names_of(self.connection, lost).items():
            self.names[case_id] = {"key": key, "folder": folder, "name": name, "result": None}

    def _load_before(self) -> None:
        """Read the histories on the branch of the base, of tests whose failures came from there with a new branch."""
        subject = self.subject
        row, before = subject.base_row, subject.before or {}
        if row is None or row.branch == subject.run.branch or len(subject.series.runs) > 1:
            return
        failing = [key for key, case in subject.results.items() if "failed" == case.verdict == before.get(key)]
        series = replace(series_of(self.connection, row), moved=subject.series.moved)
        self.before = histories(self.connection, series, failing)

    @cached_property
    def _began_before(self) -> Mapping[str, documents.RunMention | None]:
        """Failures that this branch brought along from another: the run in which each began, by the key of its test."""
        runs = self.subject.series.runs
        first = stored_findings(self.connection, runs[0].id) if 1 < len(runs) < WINDOW else None
        return {} if first is None else {test["key"]: test["since"] for test in first["tests"]["still_failing"]}

    def durations(
        self, changed: Mapping[int, DurationChange], runs: Mapping[int, tuple[int, int]]
    ) -> list[documents.ChangedDuration]:
        return [
            {
                **self.names[key],
                "elapsed": changed[key].elapsed,
                "median": changed[key].median,
                "ratio": round(changed[key].ratio, 2),
                "until": runs[key][0],
                "since": self._mention_without_author(runs[key][1]),
            }
            for key in ranked(changed)[: compared.MAX_TESTS]
        ]

    def entries(self, cases: Iterable[int]) -> list[documents.ChangedTest]:
        return sorted(map(self._entry, cases), key=lambda entry: (entry["folder"], entry["name"], entry["key"]))

    def _entry(self, case_id: int) -> documents.ChangedTest:
        case, known = self.subject.results.get(case_id), self.named.get(case_id)
        fingerprint = None if case is None or case.fingerprint is None else hexadecimal(case.fingerprint)
        was = self.names.get(self.subject.moved.get(case_id, 0))
        return {
            **self.names[case_id],
            "status": None if case is None else case.verdict,
            "since": self._since(case_id, case),
            "kind": self.kinds.get(case_id),
            "same_reason": self.same_reason.get(case_id),
            "known": None if known is None else {"until": known.until, "reason": known.reason},
            "fingerprint": fingerprint,
            "was": None if was is None else {"folder": was["folder"], "name": was["name"]},
        }

    def _since(self, case_id: int, case: CaseResult | None) -> documents.RunMention | None:
        """Return the run with which the failures of a test began; None if it does not fail, or has no history."""
        if case is None or case.verdict != "failed" or case_id in self.subject.unstable:
            return None
        history = self.before.get(case_id) or self.known[case_id]
        began = streak_start(self.connection, history)
        if case_id in self.same_reason and self.subject.base is not None:
            # What the base skipped is away, although a skip ends no streak.
            began = max(began, history.first_failure_after(self.subject.base.run.id))
        is_brought_along = began == self.subject.series.runs[0].id
        earlier = self._began_before.get(self.names[case_id]["key"]) if is_brought_along else None
        first = earlier or self._mention(began)
        is_flaky = self.kinds.get(case_id) == "flaky"
        is_open = is_flaky or self._may_have_moved(case_id)
        if first is not None and (is_open or history.has_passed_with_files_of(first["run"])):
            return {**first, "commit": None, "author": None, "changes": None}
        if first is None or first is earlier:
            return first
        passed = history.last_pass_before(first["run"])
        if passed is None and first["run"] == self.subject.run.id:
            passed = self._base_without(case_id)
        return self._proven(first, passed)

    def _base_without(self, case_id: int) -> int | None:
        """Return the base if it shows that a test did not fail before: it passed there, or did not exist."""
        base, before = self.subject.base_row, self.subject.before or {}
        is_sure = base is not None and compared.has_reached_all(base) and before.get(case_id) in {None, "passed"}
        return base.id if base is not None and is_sure else None

    def _may_have_moved(self, case_id: int) -> bool:
        """Whether a test that the base lacks has the name of one that is gone: it may have failed there, too."""
        before = self.subject.before
        return before is not None and case_id not in before and self.names[case_id]["name"] in self._gone

    @cached_property
    def _gone(self) -> AbstractSet[str]:
        """The names of the tests that the base has and the run lacks, also if it is a part."""
        base = self.subject.base_row
        rows = () if base is None else self.connection.execute(_NAMES_OF_RUN, (base.id,))
        known = {*self.subject.results, *self.subject.moved.values()}
        return {name for case_id, name in rows if case_id not in known}

    def _proven(self, first: documents.RunMention, passed: int | None) -> documents.RunMention:
        """Return with which commit a failure began, without its author and as a range if it may be another's."""
        failed, before = self._facts(first["run"]), None if passed is None else self._facts(passed)
        # A pull request is tested with what its target branch has by then.
        if failed is None or before is None or before.changes or failed.target_branch or before.target_branch:
            return {**first, "author": None}
        count = commits_between(before, failed)
        is_other = bool(changed_software(*(self._fields(run) for run in (before.id, failed.id))))
        if not is_other and (count == 1 or (failed.changes and before.commit == failed.commit)):
            return first
        if count is None:
            return {**first, "author": None}
        if count == 0 or is_other:  # an earlier commit, as in a bisection, or another Python, or other packages
            return {**first, "commit": None, "author": None, "changes": None}
        among: documents.CommitRange = {"commits": count, "after": before.commit, "up_to": failed.commit}
        return {**first, "commit": None, "author": None, "changes": None, "among": among}

    def _facts(self, run_id: int) -> RunFacts | None:
        if run_id not in self.facts:
            self._mention(run_id)
            row = self.runs[run_id]
            self.facts[run_id] = None if row is None else compared.with_ancestors(self.connection, row)
        return self.facts[run_id]

    def _fields(self, run_id: int) -> Mapping[str, str]:
        if run_id not in self.fields:
            self.fields[run_id] = compared.fields_of(self.connection, run_id)
        return self.fields[run_id]

    def _mention_without_author(self, run_id: int) -> documents.RunMention | None:
        """Return a run with which a test got slower or faster: whether its commit did that nobody knows."""
        first = self._mention(run_id)
        return None if first is None else {**first, "author": None}

    def _mention(self, run_id: int) -> documents.RunMention | None:
        if run_id not in self.runs:
            self.runs[run_id] = next(iter(run_rows(self.connection, [run_id])), None)
        first = self.runs[run_id]
        return None if first is None else mention(first)


def _time(connection: StoreConnection, subject: compared.ComparedRun) -> RunTime:
    run = subject.run
    threads = thread_rows(connection, run.id)
    # Only a client that says when its session began sends the starts of tests, too.
    has_starts = any(row.session_started is not None for row in threads)
    starts = {thread: rest for thread, *rest in connection.execute(_STARTS, (run.id,))} if has_starts else {}
    began, spans = began_at(run, threads), session_spans(run, threads)
    workers: list[WorkerTime] = []
    has_clocks = True
    for row in threads:
        if has_starts and row.id not in starts:
            continue
        session, tests = row.session_started, row.elapsed_computed or 0
        first, end, unknown = starts.get(row.id, (0, 0, row.total_count))
        if session is not None and not unknown:
            started, ended = max(0, session + first - began), max(0, session + int(end) - began)
        else:
            started = row.created - run.created
            ended = started + max(row.elapsed_observed or 0, tests)
            # Of results that came without any time nothing is known but their durations.
            has_clocks = has_clocks and bool(not row.total_count or (row.elapsed_observed and tests))
        since, over = spans[row.id]
        workers.append({"started": started, "ended": ended, "tests": tests, "began": since, "over": over})
    wall = max([run.elapsed or 0, *(worker["ended"] for worker in workers)])
    return time_shares(
        wall,
        workers if has_clocks else [],
        [case.elapsed + case.paused for case in subject.results.values() if case.elapsed],
    )


_FAILURES: Final = (
    'SELECT r."id", c."key", r."message", r."phase", r."file", r."name", r."line" FROM "result" AS r'
    ' JOIN "case" AS c ON c."id" = r."case_id" WHERE r."id" IN ({ids}) ORDER BY r."id"'
)
# The index has the runs of a fingerprint in their order: the first that fits ends the search.
_FIRST_RUNS: Final = (
    'WITH f ("fingerprint") AS (VALUES {values})'
    ' SELECT f."fingerprint", (SELECT r."run_id" FROM "result" AS r JOIN "run" ON "run"."id" = r."run_id"'
    ' WHERE r."fingerprint" = f."fingerprint" AND "run"."source_id" = ? ORDER BY r."run_id" LIMIT 1) FROM f'
)


def _reasons(
    connection: StoreConnection,
    subject: compared.ComparedRun,
    all_groups: Mapping[int, Sequence[int]],
    kinds: Mapping[int, documents.Mine],
    same_reason: Mapping[int, bool],
    began: Mapping[tuple[str | None, documents.Mine | None], documents.RunMention],
) -> list[documents.FailureReason]:
    """Return the reasons of a run's failures, each once for each kind of its failures: new ones, then of many tests."""
    if not all_groups:
        return []
    groups = dict(islice(all_groups.items(), compared.MAX_REASONS))
    # Its expressions take 10 ms to compile: a run without failures does not pay for them.
    from pytest_automation_report.findings.fingerprints import mask_variables  # noqa: PLC0415

    split = _by_kind(groups, kinds)
    # Key, message, phase and file of the failures, by result.
    shown = (subject.results[case_id] for cases in split.values() for case_id in cases[: compared.MAX_TESTS])
    found = rows_of(connection, _FAILURES, sorted(case.result_id for case in shown))
    failures: dict[int, Sequence[Any]] = {result_id: columns for result_id, *columns in found}
    first_runs = _first_runs(connection, subject.run, [*groups])
    reasons: list[documents.FailureReason] = []
    for (fingerprint, kind), cases in split.items():
        results = sorted(subject.results[case_id].result_id for case_id in cases)
        rows = [failures[result_id] for result_id in results if result_id in failures]
        titles = Counter(row[1] or "" for row in rows)
        title, _ = titles.most_common(1)[0]
        _, _, phase, place, name, line = rows[0]
        same = {same_reason.get(case_id) for case_id in cases}
        # Unless a listed failure says more, new failures began with this run.
        own = None if kind in {None, "still"} else mention(subject.run)
        reasons.append(
            {
                "title": title,
                "masked": mask_variables(title),
                "phase": phase,
                "place": place,
                "fixture": fixture_words(phase, name, place, line) if (phase or "").startswith("fixture") else None,
                "messages": len(titles),
                "keys": [row[0] for row in rows],
                "fingerprint": hexadecimal(fingerprint),
                "count": len(cases),
                "kind": kind,
                "mine": {} if kind is None else {kind: len(cases)},
                "same_reason": same.pop() if len(same) == 1 else None,
                "first": first_runs.get(fingerprint),
                "since": began.get((hexadecimal(fingerprint), kind), own),
            }
        )
    return sorted(reasons, key=lambda reason: ((*MINE, None).index(reason["kind"]), -reason["count"]))


def _failures_by_reason(subject: compared.ComparedRun) -> dict[int, list[int]]:
    """Return the failed tests of each reason by its fingerprint; reasons of many tests come first."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for case_id, case in subject.results.items():
        if case.fingerprint is not None:
            groups[case.fingerprint].append(case_id)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def _by_kind(
    groups: Mapping[int, Sequence[int]], kinds: Mapping[int, documents.Mine]
) -> dict[tuple[int, documents.Mine | None], list[int]]:
    """Return the failed tests of each reason by whose they are: a new failure of an old reason is new all the same."""
    split: defaultdict[tuple[int, documents.Mine | None], list[int]] = defaultdict(list)
    for fingerprint, cases in groups.items():
        for case_id in cases:
            split[fingerprint, kinds.get(case_id)].append(case_id)
    return split


def _beginnings(
    failing: Iterable[documents.ChangedTest],
) -> dict[tuple[str | None, documents.Mine | None], documents.RunMention]:
    """Return the run in which the first of the failures of each reason and kind began, by fingerprint."""
    found: list[tuple[tuple[str | None, documents.Mine | None], documents.RunMention]] = [
        ((entry["fingerprint"], entry["kind"]), since) for entry in failing if (since := entry["since"]) is not None
    ]
    # That a flaky test fails for the same reason takes nothing from the commit that broke the others.
    found.sort(key=lambda each: (each[1]["run"], each[1]["commit"] is None), reverse=True)
    return dict(found)


def _first_runs(
    connection: StoreConnection, run: StoredRun, fingerprints: Sequence[int]
) -> dict[int, documents.RunMention]:
    sql = _FIRST_RUNS.replace("{values}", ", ".join(["(?)"] * len(fingerprints)))
    rows = connection.execute(sql, (*fingerprints, run.source))
    # None if the run has just been removed.
    first = {fingerprint: run_id for fingerprint, run_id in rows if run_id is not None and fingerprint != KILLED}
    mentions = {row.id: mention(row) for row in run_rows(connection, sorted(set(first.values())))}
    return {fingerprint: mentions[run_id] for fingerprint, run_id in first.items()}
