"""Compute the findings of a run, and store those of completed runs: each is computed once.

The document is part of the API and of the console command: see ``docs/findings.md``. Times are microseconds.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.comparison import changes_between, is_partial
from pytest_automation_report.findings.durations import change_of, ranked
from pytest_automation_report.findings.time_shares import WorkerTime, time_shares
from pytest_automation_report.server.store.compared import MAX_TESTS, compared_run, facts_of, mention, run_row
from pytest_automation_report.server.store.flaky import flaky_in_run
from pytest_automation_report.server.store.histories import add_run_of, speed_in
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.reasons import hexadecimal, reasons_of
from pytest_automation_report.server.store.tables import CaseRow, ResultRow, RunFindingsRow, RunRow, ThreadRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.compared import ComparedRun
    from pytest_automation_report.server.store.histories import CaseResult, RunResults
    from pytest_automation_report.server.store.store import Store

__all__ = ["VERSION", "findings", "stored_findings", "summaries"]

VERSION: Final = 1
"""Version of the document and of the rules behind it; documents of an earlier one are computed anew."""


def findings(store: Store, run_id: int, base_id: int | None = None) -> Json:
    """Return the findings of a run, compared with the run that fits best or with this one.

    Raises `ApiError` for an unknown run (404), and for a base of another source (422).
    """
    stored = store.read(lambda reader: stored_findings(reader.database, run_id))
    if stored is not None and base_id is None:
        return stored
    run = store.read(lambda reader: run_row(reader.database, run_id))
    if run["is_completed"]:
        store.write(partial(add_run_of, run))
    document = store.read(lambda reader: _document(reader.database, run, base_id))
    if run["is_completed"] and base_id is None:
        store.write(lambda writer: _keep(writer.database, run_id, document))
    return document


def stored_findings(database: Database, run_id: int) -> Json | None:
    """Return the stored findings of a run; None if they were not computed yet, or by earlier rules."""
    row: Any = RunFindingsRow.select().where(RunFindingsRow.run == run_id).dicts().execute(database)
    found: Json | None = next(iter(row), None)
    # `histories.NOT_COMPUTED` is lower than each version.
    if found is None or found["version"] < VERSION:
        return None
    document: Json = json.loads(found["body"])
    return document


def summaries(database: Database, run_ids: Collection[int]) -> dict[int, Json]:
    """Return the summaries of those of these runs whose findings are stored.

    A summary has the number of the base, the counts, and how many reasons the failures have and how many are new.
    """
    query: Any = RunFindingsRow.select(RunFindingsRow.run, RunFindingsRow.summary)
    rows = query.where(RunFindingsRow.run.in_(run_ids) & (RunFindingsRow.version >= VERSION)).tuples().execute(database)
    return {run_id: json.loads(summary) for run_id, summary in rows}


def _keep(database: Database, run_id: int, document: Json) -> None:
    base, reasons = document["base"], document["reasons"]
    summary = {
        "base": None if base is None else base["run"],
        "counts": document["counts"],
        "reasons": len(reasons),
        "new_reasons": sum(reason["is_new"] for reason in reasons),
    }
    values = {"version": VERSION, "body": json_text(document), "summary": json_text(summary)}
    RunFindingsRow.update(**values).where(RunFindingsRow.run == run_id).execute(database)


def _document(database: Database, run: Json, base_id: int | None) -> Json:
    subject = compared_run(database, run, base_id)
    results, base = subject.results, subject.base
    has_part = is_partial(facts_of(run), None if base is None else base.run)
    before = None if subject.base_results is None else _verdicts(subject.base_results)
    changes = changes_between(before, _verdicts(results), has_part=has_part or not run["is_completed"])
    lists = {name: getattr(changes, name) for name in changes.__dataclass_fields__}
    flaky, durations = flaky_in_run(subject), _changed_durations(subject)
    slower = {key: change for key, change in durations.items() if change.elapsed > change.median}
    faster = {key: change for key, change in durations.items() if change.elapsed < change.median}
    tests = _Tests(database, subject)
    tests.load({*_first(lists.values()), *list(flaky)[:MAX_TESTS], *ranked(durations)[:MAX_TESTS]})
    return {
        "version": VERSION,
        "run": run["id"],
        "base": _base(subject),
        "is_partial": has_part,
        "speed": round(speed_in(results, subject.known), 2),
        "counts": {
            **{name: len(keys) for name, keys in lists.items()},
            "flaky": sum(entry["state"] == "flaky" for entry in flaky.values()),
            "slower": len(slower),
            "faster": len(faster),
        },
        "tests": {name: tests.entries(keys[:MAX_TESTS]) for name, keys in lists.items()},
        "reasons": reasons_of(database, subject),
        "flaky": [{**tests.name(key), **entry} for key, entry in list(flaky.items())[:MAX_TESTS]],
        **{
            word: [
                {**tests.name(key), **asdict(changed[key]), "ratio": round(changed[key].ratio, 2)}
                for key in ranked(changed)[:MAX_TESTS]
            ]
            for word, changed in (("slower", slower), ("faster", faster))
        },
        "time": _time(database, subject),
    }


def _base(subject: ComparedRun) -> Json | None:
    base, row = subject.base, subject.base_row
    if base is None or row is None:
        return None
    return {"why": base.why, **mention(row)}


def _first(lists: Iterable[Sequence[int]]) -> set[int]:
    return {key for keys in lists for key in keys[:MAX_TESTS]}


def _verdicts(results: RunResults) -> dict[int, Any]:
    return {case_id: case.verdict for case_id, case in results.cases.items()}


def _changed_durations(subject: ComparedRun) -> dict[int, Any]:
    """Return the tests of a run that got slower or faster, by case."""
    if not subject.is_latest:
        return {}
    changes = {
        case_id: change_of(history.durations)
        for case_id, case in subject.results.cases.items()
        if case.verdict == "passed" and (history := subject.known.get(case_id)) is not None
    }
    return {case_id: change for case_id, change in changes.items() if change is not None}


class _Tests:
    """Names of the tests that a document shows, read in a few statements."""

    _AT_ONCE: Final = 500

    def __init__(self, database: Database, subject: ComparedRun) -> None:
        self._database = database
        self._subject = subject
        self._names: dict[int, Json] = {}
        # Failures often began together: each run is read once.
        self._runs: dict[int, Json | None] = {}

    def load(self, cases: Iterable[int]) -> None:
        """Read the names of these cases; a test that is gone has those of the base."""
        results = self._subject.results.cases
        before = {} if self._subject.base_results is None else self._subject.base_results.cases
        ids = [(results.get(case_id) or before[case_id]).result_id for case_id in cases]
        for start in range(0, len(ids), self._AT_ONCE):
            rows: Any = (
                ResultRow.select(ResultRow.case, CaseRow.key, ResultRow.folder, ResultRow.name, ResultRow.id)
                .join(CaseRow)
                .where(ResultRow.id.in_(ids[start : start + self._AT_ONCE]))
                .tuples()
                .execute(self._database)
            )
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
            rows: Any = RunRow.select(RunRow.id, RunRow.commit, RunRow.created).where(RunRow.id == run_id).dicts()
            self._runs[run_id] = next(iter(rows.execute(self._database)), None)
        first = self._runs[run_id]
        return None if first is None else mention(first)


def _time(database: Database, subject: ComparedRun) -> Json:
    """Return where the time of a run went; a worker's time is true to one batch of results."""
    run = subject.run
    rows: Any = ThreadRow.select().where(ThreadRow.run == run["id"]).order_by(ThreadRow.id).dicts().execute(database)
    workers = []
    for row in rows:
        started = row["created"] - run["created"]
        tests = row["elapsed_computed"] or 0
        workers.append(WorkerTime(started, started + max(row["elapsed_observed"] or 0, tests), tests))
    wall = run["elapsed"] or max((worker.ended for worker in workers), default=0)
    durations = [case.elapsed for case in subject.results.cases.values() if case.elapsed]
    shares = asdict(time_shares(wall, workers, durations))
    return {**shares, "workers": [asdict(worker) for worker in workers]}
