"""Compute the findings of a run, and store those of completed runs: each is computed once.

The document is part of the API and of the console command: see ``docs/findings.md``. Times are microseconds.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.comparison import Base, RunFacts, base_of, changes_between, is_partial
from pytest_automation_report.findings.durations import change_of, ranked
from pytest_automation_report.findings.fingerprints import masked
from pytest_automation_report.findings.flakiness import flakiness_of
from pytest_automation_report.findings.time_shares import WorkerTime, time_shares
from pytest_automation_report.server.store.errors import not_found, validation_error
from pytest_automation_report.server.store.histories import (
    NOT_COMPUTED,
    add_pending_runs,
    histories,
    results_of,
    series_of,
    speed_in,
)
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.tables import CaseRow, ResultRow, RunFindingsRow, RunRow, ThreadRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.histories import CaseHistory, CaseResult, RunResults, Series
    from pytest_automation_report.server.store.store import Store

__all__ = ["VERSION", "findings"]

VERSION: Final = 1
"""Version of the document and of the rules behind it; documents of an earlier one are computed anew."""

MAX_TESTS: Final = 1000
"""Most tests of each list; the counts have all."""

MAX_REASONS: Final = 100
# Runs that are looked through for a base: with more than so many runs of other branches in between there is none.
_MAX_CANDIDATES: Final = 500


def findings(store: Store, run_id: int, base_id: int | None = None) -> Json:
    """Return the findings of a run, compared with the run that fits best or with this one.

    Raises `ApiError` for an unknown run (404), and for a base of another source (422).
    """
    stored = store.read(lambda reader: _stored(reader.database, run_id))
    if stored is not None and base_id is None:
        return stored
    run = store.read(lambda reader: _run(reader.database, run_id))
    if run["is_completed"]:
        store.write(lambda writer: add_pending_runs(writer.database, run))
    document = store.read(lambda reader: _document(reader.database, run, base_id))
    if run["is_completed"] and base_id is None:
        store.write(lambda writer: _keep(writer.database, run_id, document))
    return document


def _stored(database: Database, run_id: int) -> Json | None:
    row: Any = RunFindingsRow.select().where(RunFindingsRow.run == run_id).dicts().execute(database)
    found: Json | None = next(iter(row), None)
    if found is None or found["version"] < VERSION or found["version"] == NOT_COMPUTED:
        return None
    document: Json = json.loads(found["body"])
    return document


def _keep(database: Database, run_id: int, document: Json) -> None:
    RunFindingsRow.update(version=VERSION, body=json_text(document)).where(RunFindingsRow.run == run_id).execute(
        database
    )


def _run(database: Database, run_id: int) -> Json:
    rows: Any = RunRow.select().where(RunRow.id == run_id).dicts().execute(database)
    run: Json | None = next(iter(rows), None)
    if run is None:
        raise not_found("automation run")
    return run


def _facts(run: Json) -> RunFacts:
    return RunFacts(
        run["id"],
        run["config"] or 0,
        run["branch"] or "",
        run["target_branch"] or "",
        is_completed=bool(run["is_completed"]),
        is_selection=bool(run["is_selection"]),
        tests=run["total_count"],
    )


def _base(database: Database, run: Json, base_id: int | None) -> Base | None:
    """Return the base of a run; raises `ApiError` if the wanted one does not exist or is of another source."""
    if base_id is not None:
        wanted = _run(database, base_id)
        if wanted["source"] != run["source"]:
            raise validation_error({"base": [f"Run {base_id} is of another source than run {run['id']}."]})
        return Base(_facts(wanted), "asked")
    rows: Any = (
        RunRow.select()
        .where((RunRow.source == run["source"]) & (RunRow.id < run["id"]))
        .order_by(RunRow.id.desc())
        .limit(_MAX_CANDIDATES)
        .dicts()
        .execute(database)
    )
    return base_of(_facts(run), map(_facts, rows))


@dataclass(frozen=True, slots=True)
class _Subject:
    """All that the findings of one run are made of."""

    run: Json
    results: RunResults
    base: Base | None
    base_results: RunResults | None
    series: Series | None
    known: Mapping[int, CaseHistory]

    @property
    def position(self) -> int | None:
        """The run's number in its series; None while it is open, and if the series has forgotten it."""
        return None if self.series is None else self.series.position(self.run["id"])

    @property
    def is_latest(self) -> bool:
        """Whether no later run is in the series: only then the stored durations end with this run."""
        return self.series is not None and self.position == self.series.length


def _document(database: Database, run: Json, base_id: int | None) -> Json:
    results = results_of(database, run["id"])
    base = _base(database, run, base_id)
    series = series_of(database, run)
    subject = _Subject(
        run,
        results,
        base,
        None if base is None else results_of(database, base.run.id),
        series,
        {} if series is None else histories(database, series),
    )
    has_part = is_partial(_facts(run), None if base is None else base.run)
    before = None if subject.base_results is None else _verdicts(subject.base_results)
    changes = changes_between(before, _verdicts(results), has_part=has_part or not run["is_completed"])
    lists = {name: getattr(changes, name) for name in changes.__dataclass_fields__}
    flaky, durations = _flaky(subject), _changed_durations(subject)
    slower = {key: change for key, change in durations.items() if change.elapsed > change.median}
    faster = {key: change for key, change in durations.items() if change.elapsed < change.median}
    tests = _Tests(database, subject)
    tests.load({*_first(lists.values()), *list(flaky)[:MAX_TESTS], *ranked(durations)[:MAX_TESTS]})
    return {
        "version": VERSION,
        "run": run["id"],
        "base": None if base is None else {"run": base.run.id, "why": base.why},
        "is_partial": has_part,
        "speed": round(speed_in(results, subject.known), 2),
        "counts": {
            **{name: len(keys) for name, keys in lists.items()},
            "flaky": sum(entry["state"] == "flaky" for entry in flaky.values()),
            "slower": len(slower),
            "faster": len(faster),
        },
        "tests": {name: [tests.entry(key) for key in keys[:MAX_TESTS]] for name, keys in lists.items()},
        "reasons": _reasons(database, subject),
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


def _first(lists: Iterable[Sequence[int]]) -> set[int]:
    return {key for keys in lists for key in keys[:MAX_TESTS]}


def _verdicts(results: RunResults) -> dict[int, Any]:
    return {case_id: case.verdict for case_id, case in results.cases.items()}


def _flaky(subject: _Subject) -> dict[int, Json]:
    """Return the flaky, broken and suspect tests of a run by case, those that cost most first."""
    found: dict[int, Json] = {}
    series, position = subject.series, subject.position
    for case_id, case in subject.results.cases.items():
        history = subject.known.get(case_id)
        if series is None or position is None or history is None:
            # An open run, or an old one: only its own attempts say something.
            if case.verdict == "passed" and case.has_failed_attempt:
                found[case_id] = _flaky_entry("flaky", {"retries": 1, "commits": 0, "isolated": 0}, 1, 1, 0.0, 1.0)
            continue
        # Nearly all tests never failed: a look at the letters is enough for them.
        if not {"f", "w", "r"} & set(history.letters(position)):
            continue
        state = flakiness_of(history.outcomes_at(series, position))
        if state.state in {"flaky", "broken", "suspect"}:
            evidence = {"retries": state.retries, "commits": state.commits, "isolated": state.isolated}
            found[case_id] = _flaky_entry(state.state, evidence, state.failed, state.runs, state.low, state.high)
    order = sorted(found, key=lambda case_id: (found[case_id]["state"] != "flaky", -found[case_id]["low"], case_id))
    return {case_id: found[case_id] for case_id in order}


def _flaky_entry(state: str, evidence: Json, failed: int, runs: int, low: float, high: float) -> Json:
    return {
        "state": state,
        "evidence": evidence,
        "failed": failed,
        "runs": runs,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def _changed_durations(subject: _Subject) -> dict[int, Any]:
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

    def __init__(self, database: Database, subject: _Subject) -> None:
        self._database = database
        self._subject = subject
        self._names: dict[int, Json] = {}

    def load(self, cases: Iterable[int]) -> None:
        """Read the names of these cases; a test that is gone has those of the base."""
        results = self._subject.results.cases
        before = {} if self._subject.base_results is None else self._subject.base_results.cases
        ids = [(results.get(case_id) or before[case_id]).result_id for case_id in cases]
        for start in range(0, len(ids), self._AT_ONCE):
            rows: Any = (
                ResultRow.select(ResultRow.case, CaseRow.key, ResultRow.folder, ResultRow.name)
                .join(CaseRow)
                .where(ResultRow.id.in_(ids[start : start + self._AT_ONCE]))
                .tuples()
                .execute(self._database)
            )
            for case_id, key, folder, name in rows:
                self._names[case_id] = {"key": key, "folder": folder, "name": name}

    def name(self, case_id: int) -> Json:
        """Return key, folder and name of a test."""
        return self._names[case_id]

    def entry(self, case_id: int) -> Json:
        """Return a test of one of the lists of changes."""
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
                    oldest = subject.series.length - len(subject.series.runs) + 1
                    run_id = subject.series.runs[outcome.run - oldest][0]
            else:
                # The streak is longer than the letters: its first run is noted apart.
                run_id = history.since if history.since is not None and subject.is_latest else run_id
        rows: Any = RunRow.select(RunRow.commit, RunRow.created).where(RunRow.id == run_id).dicts()
        first = next(iter(rows.execute(self._database)), None)
        return None if first is None else {"run": run_id, "commit": first["commit"], "at": first["created"]}


def hexadecimal(fingerprint: int) -> str:
    """Return a stored fingerprint as its 16 digits."""
    return fingerprint.to_bytes(8, "big", signed=True).hex()


def _reasons(database: Database, subject: _Subject) -> list[Json]:
    """Return the reasons of a run's failures, those of most tests first."""
    groups: dict[int, list[int]] = {}
    for case_id, case in subject.results.cases.items():
        if case.verdict == "failed" and case.fingerprint is not None:
            groups.setdefault(case.fingerprint, []).append(case_id)
    order = sorted(groups, key=lambda fingerprint: (-len(groups[fingerprint]), fingerprint))[:MAX_REASONS]
    before = {} if subject.base_results is None else subject.base_results.cases
    known = {case.fingerprint for case in before.values() if case.verdict == "failed"}
    reasons = []
    for fingerprint in order:
        rows = _failures(database, subject, groups[fingerprint][:MAX_TESTS])
        titles = Counter(row["message"] or "" for row in rows)
        title, _ = titles.most_common(1)[0]
        reasons.append(
            {
                "fingerprint": hexadecimal(fingerprint),
                "title": title,
                "masked": masked(title),
                "phase": rows[0]["phase"],
                "place": rows[0]["file"],
                "count": len(groups[fingerprint]),
                "messages": len(titles),
                "is_new": subject.base is not None and fingerprint not in known,
                "since": _first_run_with(database, subject.run, fingerprint),
                "keys": [row["key"] for row in rows],
            }
        )
    return reasons


def _failures(database: Database, subject: _Subject, cases: Sequence[int]) -> list[Json]:
    ids = [subject.results.cases[case_id].result_id for case_id in cases]
    rows: Any = (
        ResultRow.select(CaseRow.key, ResultRow.message, ResultRow.phase, ResultRow.file)
        .join(CaseRow)
        .where(ResultRow.id.in_(ids))
        .order_by(ResultRow.id)
        .dicts()
        .execute(database)
    )
    return list(rows)


def _first_run_with(database: Database, run: Json, fingerprint: int) -> Json | None:
    """Return the first run of the source with a failure of this reason."""
    rows: Any = (
        RunRow.select(RunRow.id, RunRow.commit, RunRow.created)
        .join(ResultRow, on=(ResultRow.run == RunRow.id))
        .where((ResultRow.fingerprint == fingerprint) & (RunRow.source == run["source"]) & (RunRow.id <= run["id"]))
        .order_by(RunRow.id)
        .limit(1)
        .dicts()
        .execute(database)
    )
    first = next(iter(rows), None)
    return None if first is None else {"run": first["id"], "commit": first["commit"], "at": first["created"]}


def _time(database: Database, subject: _Subject) -> Json:
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
