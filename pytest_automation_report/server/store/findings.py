"""Compute the findings of a run, and store those of completed runs: each is computed once.

The document is part of the API and of the console command: see ``docs/findings.md``. Times are microseconds.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.comparison import changes_between, is_partial
from pytest_automation_report.findings.durations import change_of, is_observed, ranked
from pytest_automation_report.findings.time_shares import WorkerTime, time_shares
from pytest_automation_report.server.store.compared import (
    MAX_TESTS,
    compared_run,
    facts_of,
    main_branch_of,
    with_death,
)
from pytest_automation_report.server.store.earlier_sources import earlier_source
from pytest_automation_report.server.store.flaky import flaky_in_run
from pytest_automation_report.server.store.histories import speed_in
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.reasons import hexadecimal, reasons_of
from pytest_automation_report.server.store.run_rows import mention, rows_of, run_row, run_rows
from pytest_automation_report.server.store.series_updates import add_run_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.durations import Change
    from pytest_automation_report.findings.flakiness import Verdict
    from pytest_automation_report.server.store.compared import ComparedRun
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import CaseResult
    from pytest_automation_report.server.store.series_updates import SeriesUpdate
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

__all__ = ["VERSION", "findings", "stored_findings", "summaries"]

VERSION: Final = 3
"""Version of the document and of the rules behind it; documents of an earlier one are computed anew."""

_STORED: Final = 'SELECT "version", "body" FROM "run_findings" WHERE "run_id" = ?'
_KEEP: Final = 'UPDATE "run_findings" SET "version" = ?, "body" = ?, "summary" = ? WHERE "run_id" = ?'
_SUMMARIES: Final = 'SELECT "run_id", "summary" FROM "run_findings" WHERE "run_id" IN ({ids}) AND "version" >= ?'
# The number of this status is the contract's: the counts of a run have its name.
_UNTESTED: Final = 'SELECT "case_id" FROM "result" WHERE "run_id" = ? AND "status" = 1'
_NAMES: Final = (
    'SELECT r."case_id", c."key", r."folder", r."name", r."id" FROM "result" AS r'
    ' JOIN "case" AS c ON c."id" = r."case_id"'
)
_THREADS: Final = (
    'SELECT "created", "elapsed_observed", "elapsed_computed" FROM "thread" WHERE "run_id" = ? ORDER BY "id"'
)


def findings(store: Store, run_id: int, base_id: int | None = None) -> Json:
    """Return the findings of a run, compared with the run that fits best or with this one.

    Raises `ApiError` for an unknown run (404), and for a base of another source (422).
    """
    # A thread that asks while another one computes the same findings waits for them.
    with store.findings_locks.hold(run_id):
        stored = store.look(partial(stored_findings, run_id=run_id))
        if stored is not None and base_id is None:
            return stored
        run = store.look(partial(run_row, run_id=run_id))
        update = add_run_of(store, run) if run["is_completed"] else None
        document = store.snapshot(lambda connection: _document(connection, run, base_id, store.main_branch, update))
        if run["is_completed"] and base_id is None:
            store.write(partial(_keep, run_id, document))
        return document


def stored_findings(connection: StoreConnection, run_id: int) -> Json | None:
    """Return the stored findings of a run; None if they were not computed yet, or by earlier rules."""
    rows = connection.execute(_STORED, (run_id,))
    # `NOT_COMPUTED` is lower than each version.
    if not rows or rows[0][0] < VERSION:
        return None
    document: Json = json.loads(rows[0][1])
    return document


def summaries(connection: StoreConnection, run_ids: Collection[int]) -> dict[int, Json]:
    """Return the summaries of those of these runs whose findings are stored.

    A summary has the number of the base, the counts, and how many reasons the failures have and how many are new.
    """
    rows = rows_of(connection, _SUMMARIES, [*run_ids], (VERSION,))
    return {run_id: json.loads(summary) for run_id, summary in rows}


def _keep(run_id: int, document: Json, writer: Writer) -> None:
    base, reasons = document["base"], document["reasons"]
    summary = {
        "base": None if base is None else base["run"],
        "counts": document["counts"],
        "reasons": len(reasons),
        "new_reasons": sum(reason["is_new"] for reason in reasons),
    }
    writer.connection.change(_KEEP, (VERSION, json_text(document), json_text(summary), run_id))


def _untested(connection: StoreConnection, run: Json) -> set[int]:
    """Return the cases that a run only names since they did not run: nothing is known of them, not even a skip."""
    if not run["untested_count"]:
        return set()
    return {case_id for (case_id,) in connection.execute(_UNTESTED, (run["id"],))}


def _document(
    connection: StoreConnection, run: Json, base_id: int | None, main_branch: str, update: SeriesUpdate | None
) -> Json:
    run_row(connection, run["id"])  # it may have been removed since it was read, with the results of this update
    main_branch = main_branch_of(connection, run["source_id"]) or main_branch
    subject = compared_run(connection, run, base_id, main_branch, update)
    results, base = subject.results, subject.base
    facts = with_death(connection, facts_of(run))
    has_part = is_partial(facts, None if base is None else base.run)
    untested = _untested(connection, run)
    verdicts: dict[int, Verdict] = {
        # Another job of the run, or the same one again, may have run a test that this one did not get to.
        case_id: case.verdict
        for case_id, case in results.cases.items()
        if case.verdict != "skipped" or case_id not in untested
    }
    is_whole = run["is_completed"] and not has_part and not facts.lacks_tests and not untested
    changes = changes_between(subject.before, verdicts, has_part=not is_whole)
    lists = {name: getattr(changes, name) for name in changes.__dataclass_fields__}
    flaky, durations = flaky_in_run(subject), _changed_durations(subject)
    slower = {key: change for key, change in durations.items() if change.elapsed > change.median}
    faster = {key: change for key, change in durations.items() if change.elapsed < change.median}
    tests = _Tests(connection, subject)
    tests.load({*_first(lists.values()), *list(flaky)[:MAX_TESTS], *ranked(durations)[:MAX_TESTS]})
    return {
        "version": VERSION,
        "run": run["id"],
        "base": _base(subject),
        "earlier_source": earlier_source(connection, run, results.cases.keys()),
        "is_partial": has_part,
        "speed": round(_speed(subject), 2),
        "counts": {
            **{name: len(keys) for name, keys in lists.items()},
            "flaky": sum(entry["state"] == "flaky" for entry in flaky.values()),
            "slower": len(slower),
            "faster": len(faster),
        },
        "tests": {name: tests.entries(keys[:MAX_TESTS]) for name, keys in lists.items()},
        "reasons": reasons_of(connection, subject),
        "flaky": [{**tests.name(key), **entry} for key, entry in list(flaky.items())[:MAX_TESTS]],
        **{
            word: [
                {**tests.name(key), **asdict(changed[key]), "ratio": round(changed[key].ratio, 2)}
                for key in ranked(changed)[:MAX_TESTS]
            ]
            for word, changed in (("slower", slower), ("faster", faster))
        },
        "time": _time(connection, subject),
    }


def _base(subject: ComparedRun) -> Json | None:
    base, row = subject.base, subject.base_row
    if base is None or row is None:
        return None
    return {"why": base.why, "branch": row["branch"], **mention(row)}


def _speed(subject: ComparedRun) -> float:
    """Return how slow a run was: as it was added to its series, or by the durations known now."""
    stored = None if subject.series is None else subject.series.speed(subject.run["id"])
    return speed_in(subject.results, subject.known) if stored is None else stored


def _first(lists: Iterable[Sequence[int]]) -> set[int]:
    return {key for keys in lists for key in keys[:MAX_TESTS]}


def _changed_durations(subject: ComparedRun) -> dict[int, Change]:
    """Return the tests of a run that got slower or faster, by case."""
    series = subject.series
    if series is None or not subject.is_latest:
        return {}
    changes: dict[int, Change] = {}
    for case_id, case in subject.results.cases.items():
        history = subject.known.get(case_id)
        if case.verdict != "passed" or history is None or not history.may_have_changed:
            continue
        change = change_of(history.elapsed_us())
        if change is not None and is_observed(change, history.observed_us(series)):
            changes[case_id] = change
    return changes


class _Tests:
    """Names of the tests that a document shows, read in a few statements."""

    def __init__(self, connection: StoreConnection, subject: ComparedRun) -> None:
        self._connection = connection
        self._subject = subject
        self._names: dict[int, Json] = {}
        # Failures often began together: each run is read once.
        self._runs: dict[int, Json | None] = {}

    def load(self, cases: Iterable[int]) -> None:
        """Read the names of these cases; a test that is gone has those of the base."""
        results, gone = [], []
        for case_id in cases:
            case = self._subject.results.cases.get(case_id)
            if case is None:
                gone.append(case_id)
            else:
                results.append(case.result_id)
        rows = rows_of(self._connection, f'{_NAMES} WHERE r."id" IN ({{ids}})', results)
        if self._subject.base is not None:
            condition = 'WHERE r."case_id" IN ({ids}) AND r."run_id" = ?'
            rows += rows_of(self._connection, f"{_NAMES} {condition}", gone, (self._subject.base.run.id,))
        for case_id, key, folder, name, result_id in rows:
            self._names[case_id] = {"key": key, "folder": folder, "name": name, "result": result_id}

    def name(self, case_id: int) -> Json:
        """Return key, folder and name of a test, and the id of its result."""
        return self._names[case_id]

    def entries(self, cases: Iterable[int]) -> list[Json]:
        """Return the tests of one of the lists of changes, by folder and name."""
        return sorted(map(self._entry, cases), key=lambda entry: (entry["folder"], entry["name"], entry["key"]))

    def _entry(self, case_id: int) -> Json:
        case = self._subject.results.cases.get(case_id)
        fingerprint = None if case is None or case.fingerprint is None else hexadecimal(case.fingerprint)
        return {
            **self.name(case_id),
            "status": None if case is None else case.verdict,
            "since": self._since(case_id, case),
            "fingerprint": fingerprint,
        }

    def _since(self, case_id: int, case: CaseResult | None) -> Json | None:
        """Return the run with which the failures of a test began; None if it does not fail, or nothing is known."""
        subject = self._subject
        if case is None or case.verdict != "failed":
            return None
        run_id = subject.run["id"]
        history = subject.known.get(case_id)
        if subject.series is not None and history is not None:
            position = subject.position or subject.series.length
            for outcome in reversed(history.outcomes_at(subject.series, position)):
                if outcome.verdict == "passed":
                    break
                if outcome.verdict == "failed":
                    run_id = subject.series.run_id(outcome.run)
            else:
                # The streak is longer than the letters: its first run is noted apart.
                run_id = history.since if history.since is not None and subject.is_latest else run_id
        if run_id not in self._runs:
            self._runs[run_id] = next(iter(run_rows(self._connection, [run_id])), None)
        first = self._runs[run_id]
        return None if first is None else mention(first)


def _time(connection: StoreConnection, subject: ComparedRun) -> Json:
    """Return where the time of a run went; a worker's time is true to one batch of results."""
    run = subject.run
    workers = []
    for created, observed, computed in connection.execute(_THREADS, (run["id"],)):
        started, tests = created - run["created"], computed or 0
        workers.append(WorkerTime(started, started + max(observed or 0, tests), tests))
    wall = run["elapsed"] or max((worker.ended for worker in workers), default=0)
    durations = [case.elapsed for case in subject.results.cases.values() if case.elapsed]
    shares = asdict(time_shares(wall, workers, durations))
    return {**shares, "workers": [asdict(worker) for worker in workers]}
