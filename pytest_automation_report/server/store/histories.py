"""Keep the last outcomes and durations of each test, by series of runs.

A completed run is added to its series once: one letter for each of its tests. Findings then read one row a test, and
not the results of the last hundred runs. Letters: ``p`` passed, ``r`` passed after a failed attempt, ``f`` failed,
``w`` failed with many others for one reason, or with files that differ from the commit, ``s`` skipped or undecided,
``.`` not in the run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.findings.durations import HISTORY, LAST, speed_of
from pytest_automation_report.findings.flakiness import WINDOW, Outcome, storm
from pytest_automation_report.server.store.database import execute, locked, share_tests
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.statuses import ResultClass
from pytest_automation_report.server.store.tables import RunFindingsRow, RunRow, SeriesRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.flakiness import Verdict
    from pytest_automation_report.server.store.writes import Writer

__all__ = [
    "NOT_COMPUTED",
    "CaseHistory",
    "CaseResult",
    "RunResults",
    "Series",
    "add_run_of",
    "failed_histories",
    "histories",
    "results_of",
    "series_of",
    "speed_in",
]

NOT_COMPUTED: Final = 0
"""Version of a run's findings that says: the run was added to its series, its findings were not computed yet."""

_VERDICTS: Final[Mapping[str, Verdict]] = {
    "p": "passed", "r": "passed", "f": "failed", "w": "failed", "s": "skipped", ".": "skipped"
}  # fmt: skip


class CaseResult(NamedTuple):
    """The result of one test in a run, or what several results of it add up to: the last one counts.

    ``has_failed_attempt``: an attempt failed, or an earlier result of the run.
    """

    verdict: Verdict
    has_failed_attempt: bool
    fingerprint: int | None
    elapsed: int | None
    result_id: int


@dataclass(frozen=True, slots=True)
class RunResults:
    """All tests of a run by the number of their case, and the fingerprints of its storm; None: all of it is one.

    ``is_evidence``: the run tested a commit as it is, so that a failure between two passes shows a flaky test. Users
    who change files between two runs break tests and mend them.
    """

    cases: Mapping[int, CaseResult]
    storm: frozenset[int] | None
    is_evidence: bool = True

    def is_storm(self, case: CaseResult) -> bool:
        """Whether a test failed together with many others."""
        return case.verdict == "failed" and (self.storm is None or case.fingerprint in self.storm)

    def letter(self, case_id: int) -> str:
        """Return the letter of a test in its history."""
        case = self.cases[case_id]
        if case.verdict == "failed":
            return "f" if self.is_evidence and not self.is_storm(case) else "w"
        if case.verdict == "passed":
            return "r" if case.has_failed_attempt else "p"
        return "s"


@dataclass(slots=True)
class Series:
    """A series of runs; ``runs`` has (id, commit) of the last ones, ``length`` is the number of the last one."""

    id: int
    length: int = 0
    runs: list[tuple[int, str]] = field(default_factory=list)

    @property
    def oldest(self) -> int:
        """Number of the first run that is not forgotten."""
        return self.length - len(self.runs) + 1

    def run_id(self, number: int) -> int:
        """Return the id of the run with this number, which is not forgotten."""
        return self.runs[number - self.oldest][0]

    def position(self, run_id: int) -> int | None:
        """Return the number of a run in the series, counted from 1; None if it is not among the last ones."""
        for place, (other, _) in enumerate(self.runs):
            if other == run_id:
                return self.oldest + place
        return None


@dataclass(slots=True)
class CaseHistory:
    """Outcomes and durations of one test; see `CaseHistoryRow`."""

    position: int = 0
    outcomes: str = ""
    durations: tuple[int, ...] = ()
    median: int | None = None
    since: int | None = None

    def letters(self, position: int) -> str:
        """Return the letters up to a run of the series, the last one that of this run."""
        if position >= self.position:
            return (self.outcomes + "." * (position - self.position))[-WINDOW:]
        return self.outcomes[: position - self.position]

    def outcomes_at(self, series: Series, position: int) -> list[Outcome]:
        """Return the outcomes up to a run of the series; those of runs that the series has forgotten are left out."""
        letters = self.letters(position)
        first = position - len(letters) + 1
        return [
            Outcome(number, _VERDICTS[letter], series.runs[number - series.oldest][1], letter == "r", letter == "w")
            for number, letter in enumerate(letters, first)
            if letter != "." and number >= series.oldest
        ]

    def has_failed(self, position: int) -> bool:
        """Whether an attempt failed in one of the runs up to this one; the others, nearly all, are stable."""
        return not {"f", "w", "r"}.isdisjoint(self.letters(position))

    def add(self, run_id: int, position: int, letter: str, elapsed: float | None) -> None:
        """Add the outcome of a run; ``elapsed`` is its duration at the speed of a usual run, in microseconds."""
        self.outcomes = (self.letters(position - 1) + letter)[-WINDOW:]
        self.position = position
        if letter in "pr":
            self.since = None
        elif letter in "fw" and self.since is None:
            self.since = run_id
        if letter == "p" and elapsed is not None:
            self.durations = (*self.durations, round(elapsed))[-HISTORY - LAST :]
            self.median = round(median(self.durations[-HISTORY:]))


_RESULTS: Final = (
    'SELECT "case_id", "result_class", "failed_attempts", "fingerprint", "elapsed", "id" FROM "result" WHERE "run_id" ='
)
# In PostgreSQL an order by the id alone would be served by the primary key: see `database.within`.
_IN_ORDER: Final = 'ORDER BY "run_id", "id"'


def results_of(database: Database, run: Json) -> RunResults:
    """Read the results of a run, by its row; one statement, whatever their number."""
    # Raw SQL: peewee takes three times as long for each row.
    mark = "%s" if database.for_update else "?"
    rows = execute(database, f"{_RESULTS} {mark} {_IN_ORDER}", (run["id"],))
    cases: dict[int, CaseResult] = {}
    for case_id, result_class, failed_attempts, fingerprint, elapsed, result_id in rows:
        verdict: Verdict = "skipped"
        if result_class == ResultClass.SUCCESS:
            verdict = "passed"
        elif result_class == ResultClass.FAILURE:
            verdict = "failed"
        earlier = cases.get(case_id)
        has_failed = bool(failed_attempts) or (earlier is not None and earlier.verdict == "failed")
        cases[case_id] = CaseResult(verdict, has_failed, fingerprint, elapsed, result_id)
    decided = sum(case.verdict != "skipped" for case in cases.values())
    failures = [case.fingerprint or 0 for case in cases.values() if case.verdict == "failed"]
    return RunResults(cases, storm(failures, decided), is_evidence=bool(_tested_commit(run)))


def _tested_commit(run: Json) -> str:
    """Return the commit that a run tested as it is; empty if it is not known, or if files differed from it."""
    return "" if run["is_changed"] else run["commit"] or ""


def series_of(database: Database, run: Json, *, is_locked: bool = False) -> Series | None:
    """Return the series of a run, None if it has none yet; ``is_locked`` locks it until the end of the transaction."""
    query: Any = SeriesRow.select().where(
        (SeriesRow.source == run["source"])
        & (SeriesRow.config == (run["config"] or 0))
        & (SeriesRow.branch == (run["branch"] or ""))
    )
    query = locked(query, database) if is_locked else query
    rows: Any = list(query.dicts().execute(database))
    if not rows:
        return None
    return Series(
        rows[0]["id"], rows[0]["length"], [(run_id, commit) for run_id, commit in json.loads(rows[0]["runs"])]
    )


_FAILED_LETTERS: Final = "fwr"
_HISTORIES: Final = (
    'SELECT "case_id", "position", "outcomes", "durations", "median", "since" FROM "case_history" WHERE "series_id" ='
)


def histories(database: Database, series: Series) -> dict[int, CaseHistory]:
    """Return the histories of a series by case."""
    mark = "%s" if database.for_update else "?"
    rows = execute(database, f"{_HISTORIES} {mark}", (series.id,))
    return {
        case_id: CaseHistory(position, outcomes, tuple(map(int, durations.split())), usual, since)
        for case_id, position, outcomes, durations, usual, since in rows
    }


def failed_histories(database: Database, series: Series) -> dict[int, CaseHistory]:
    """Return the outcomes of those tests of a series that ever failed, by case; nearly all are stable."""
    mark = "%s" if database.for_update else "?"
    conditions = " OR ".join([f'"outcomes" LIKE {mark}'] * len(_FAILED_LETTERS))
    statement = (
        f'SELECT "case_id", "position", "outcomes" FROM "case_history" WHERE "series_id" = {mark} AND ({conditions})'  # noqa: S608 - our own words  # nosec B608
    )
    rows = execute(database, statement, (series.id, *(f"%{letter}%" for letter in _FAILED_LETTERS)))
    return {case_id: CaseHistory(position, outcomes) for case_id, position, outcomes in rows}


def add_run_of(run: Json, writer: Writer) -> None:
    """Add a completed run to its series, and before it those that completed earlier and are not in it yet."""
    database = writer.database
    share_tests(writer.connection, run["source"])
    series = series_of(database, run, is_locked=True) or _new_series(database, run)
    # Read under the lock of the series: another process may have added them a moment ago.
    for pending in _pending_runs(database, run, series):
        _add_run(database, pending, series, results_of(database, pending))


def _add_run(database: Database, run: Json, series: Series, results: RunResults) -> None:
    known = histories(database, series)
    speed = speed_in(results, known)
    series.length += 1
    series.runs = [*series.runs, (run["id"], _tested_commit(run))][-WINDOW:]
    changed: dict[int, CaseHistory] = {}
    for case_id, case in results.cases.items():
        history = known.get(case_id) or CaseHistory()
        elapsed = None if case.elapsed is None else case.elapsed / speed
        history.add(run["id"], series.length, results.letter(case_id), elapsed)
        changed[case_id] = history
    _write(database, series, changed)
    RunFindingsRow.insert(run=run["id"], version=NOT_COMPUTED, body="{}").execute(database)


def speed_in(results: RunResults, known: Mapping[int, CaseHistory]) -> float:
    """Return the speed of a run: 1.3 if its tests took 1.3 times as long as usual."""
    return speed_of(
        (case.elapsed, history.median)
        for case_id, case in results.cases.items()
        if case.verdict == "passed" and case.elapsed and (history := known.get(case_id)) and history.median
    )


def _new_series(database: Database, run: Json) -> Series:
    """Insert the series of a run; of two writers at once the second waits for the first, and finds its row."""
    SeriesRow.insert(
        source=run["source"], config=run["config"] or 0, branch=run["branch"] or ""
    ).on_conflict_ignore().execute(database)
    series = series_of(database, run, is_locked=True)
    assert series is not None
    return series


_WRITE_IN_SQLITE: Final = (
    'INSERT OR REPLACE INTO "case_history" ("series_id", "case_id", "position", "outcomes", "durations", "median",'
    ' "since") VALUES (?, ?, ?, ?, ?, ?, ?)'
)
_WRITE_IN_POSTGRES: Final = (
    'INSERT INTO "case_history" ("series_id", "case_id", "position", "outcomes", "durations", "median", "since")'
    " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[],"
    ' %s::bigint[]) ON CONFLICT ("series_id", "case_id") DO UPDATE SET "position" = EXCLUDED."position",'
    ' "outcomes" = EXCLUDED."outcomes", "durations" = EXCLUDED."durations", "median" = EXCLUDED."median",'
    ' "since" = EXCLUDED."since"'
)


def _write(database: Database, series: Series, changed: Mapping[int, CaseHistory]) -> None:
    """Write the series and the histories that a run has changed."""
    SeriesRow.update(length=series.length, runs=json_text(series.runs)).where(SeriesRow.id == series.id).execute(
        database
    )
    rows = [
        (series.id, case_id, new.position, new.outcomes, " ".join(map(str, new.durations)), new.median, new.since)
        for case_id, new in sorted(changed.items())
    ]
    if not rows:
        return
    if database.for_update:
        execute(database, _WRITE_IN_POSTGRES, [list(column) for column in zip(*rows, strict=True)])
    else:
        cursor = database.connection().cursor()  # type: ignore[no-untyped-call] # peewee's stub leaves it out
        cursor.executemany(_WRITE_IN_SQLITE, rows)
        cursor.close()


def _pending_runs(database: Database, run: Json, series: Series) -> Sequence[Json]:
    """Return the completed runs up to this one that its series lacks, in the order of their completion.

    Of a store from before there were series, only the last hundred runs are added: older ones say nothing any more.
    """
    oldest = series.runs[0][0] if series.runs else 0
    branch = RunRow.branch.is_null() if run["branch"] is None else RunRow.branch == run["branch"]
    config = RunRow.config.is_null() if run["config"] is None else RunRow.config == run["config"]
    query: Any = (
        RunRow.select()
        .where((RunRow.source == run["source"]) & branch & config & (RunRow.id >= oldest))
        .where((RunRow.is_completed == True) & RunRow.id.not_in(RunFindingsRow.select(RunFindingsRow.run)))  # noqa: E712 - SQL
        .order_by(RunRow.completed.desc(), RunRow.id.desc())
        .limit(WINDOW)
        .dicts()
    )
    pending: list[Json] = list(query.execute(database))[::-1]
    ends = [place for place, other in enumerate(pending) if other["id"] == run["id"]]
    return pending[: ends[0] + 1] if ends else []
