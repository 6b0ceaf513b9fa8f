"""Keep the last outcomes and durations of each test, by series of runs.

A completed run is added to its series once: one letter for each of its tests. Findings then read one row a test, and
not the results of the last hundred runs. Letters: ``p`` passed, ``r`` passed after a failed attempt, ``f`` failed,
``w`` failed with many others for one reason, or with files that differ from the commit, ``s`` skipped or undecided,
``.`` not in the run.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.findings.durations import HISTORY, LAST, LEAST_CHANGE_US, median, speed_of
from pytest_automation_report.findings.flakiness import WINDOW, Outcome, storm
from pytest_automation_report.server.store.database import row_lock
from pytest_automation_report.server.store.statuses import ResultClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.flakiness import Verdict
    from pytest_automation_report.server.store.database import StoreConnection

__all__ = [
    "CaseHistory",
    "CaseResult",
    "RunResults",
    "Series",
    "SeriesRun",
    "failed_histories",
    "histories",
    "results_of",
    "series_of",
    "speed_in",
    "tested_commit",
]

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

    def letter(self, case: CaseResult) -> str:
        """Return the letter of a test in its history."""
        if case.verdict == "passed":
            return "r" if case.has_failed_attempt else "p"
        if case.verdict == "failed":
            return "f" if self.is_evidence and not self.is_storm(case) else "w"
        return "s"


class SeriesRun(NamedTuple):
    """A run of a series; ``speed`` divided its durations, None for one that an earlier version added."""

    id: int
    commit: str
    speed: float | None = None


@dataclass(slots=True)
class Series:
    """A series of runs; ``runs`` has the last ones, ``length`` is the number of the last one."""

    id: int
    length: int = 0
    runs: list[SeriesRun] = field(default_factory=list)

    @property
    def oldest(self) -> int:
        """Number of the first run that is not forgotten."""
        return self.length - len(self.runs) + 1

    def run_id(self, number: int) -> int:
        """Return the id of the run with this number, which is not forgotten."""
        return self.runs[number - self.oldest].id

    def position(self, run_id: int) -> int | None:
        """Return the number of a run in the series, counted from 1; None if it is not among the last ones."""
        for place, run in enumerate(self.runs):
            if run.id == run_id:
                return self.oldest + place
        return None

    def speed(self, run_id: int) -> float | None:
        """Return how slow a run was when it was added; None if it was not, or by an earlier version."""
        return next((run.speed for run in self.runs if run.id == run_id), None)


_VERDICTS_OF_CLASSES: Final[Mapping[int, Verdict]] = {ResultClass.SUCCESS: "passed", ResultClass.FAILURE: "failed"}


# As many digits as `LEAST_CHANGE_US` has.
_LONG: Final = re.compile("[0-9]{6}")


@dataclass(slots=True)
class CaseHistory:
    """Outcomes and durations of one test; see `CaseHistoryRow`.

    ``durations`` are numbers separated by spaces, as they are stored: most tests of most documents need none of them.
    ``spread`` is the longest of the last `HISTORY` minus the shortest, None if that is not known.
    """

    position: int = 0
    outcomes: str = ""
    durations: str = ""
    median: int | None = None
    since: int | None = None
    spread: int | None = None

    def verdict_at(self, position: int) -> Verdict | None:
        """Return the verdict of a run of the series, which it has not forgotten; None if the run lacks the test."""
        place = len(self.outcomes) - 1 - self.position + position
        letter = self.outcomes[place] if 0 <= place < len(self.outcomes) else "."
        return None if letter == "." else _VERDICTS[letter]

    @property
    def may_have_changed(self) -> bool:
        """Whether the durations can show a change; those of nearly all tests cannot, and need not be read for it.

        A change is a median far from that of the durations before. Both are between the shortest and the longest of the
        last `HISTORY`, since at most `LAST` of the durations before are older than these.
        """
        if self.spread is not None:
            return self.spread > LEAST_CHANGE_US
        return _LONG.search(self.durations) is not None

    def elapsed_us(self) -> list[int]:
        """Return the durations in microseconds, oldest first."""
        return [*map(int, self.durations.split())]

    def letters(self, position: int) -> str:
        """Return the letters up to a run of the series, the last one that of this run."""
        if position >= self.position:
            return (self.outcomes + "." * (position - self.position))[-WINDOW:]
        return self.outcomes[: position - self.position]

    def observed_us(self, series: Series) -> list[float]:
        """Return the durations as they were, oldest first, in microseconds: times the speeds of their runs.

        The last durations belong to the last runs that the test passed. Those of runs that the series has forgotten, or
        whose speed it does not know, are left out.
        """
        first = self.position - len(self.outcomes) + 1
        passed = [number for number, letter in enumerate(self.outcomes, first) if letter == "p"]
        speeds = [series.runs[number - series.oldest].speed for number in passed if number >= series.oldest]
        pairs = zip(reversed(self.elapsed_us()), reversed(speeds), strict=False)
        return [elapsed * speed for elapsed, speed in pairs if speed is not None][::-1]

    def rescale(self, speed: float) -> None:
        """Make the speed of runs that is usual now that of the durations: they were divided by it."""
        self.spread = None
        if self.durations:
            self.durations = " ".join(str(round(elapsed * speed)) for elapsed in self.elapsed_us())
        if self.median is not None:
            self.median = round(self.median * speed)

    def outcomes_at(self, series: Series, position: int) -> list[Outcome]:
        """Return the outcomes up to a run of the series; those of runs that the series has forgotten are left out."""
        letters = self.letters(position)
        first = position - len(letters) + 1
        runs, oldest = series.runs, series.oldest
        return [
            Outcome(number, _VERDICTS[letter], runs[number - oldest].commit, letter == "r", letter == "w")
            for number, letter in enumerate(letters, first)
            if letter != "." and number >= oldest
        ]

    def has_failed(self, position: int) -> bool:
        """Whether an attempt failed in one of the runs up to this one; the others, nearly all, are stable."""
        letters = self.outcomes if position == self.position else self.letters(position)
        return "f" in letters or "w" in letters or "r" in letters

    def add(self, run_id: int, position: int, letter: str, elapsed: float | None) -> None:
        """Add the outcome of a run; ``elapsed`` is its duration at the speed of a usual run, in microseconds."""
        before = self.outcomes if position == self.position + 1 else self.letters(position - 1)
        self.outcomes = (before + letter)[-WINDOW:]
        self.position = position
        if letter in "pr":
            self.since = None
        elif letter in "fw" and self.since is None:
            self.since = run_id
        if letter == "p" and elapsed is not None:
            texts = [*self.durations.split(), str(round(elapsed))][-HISTORY - LAST :]
            self.durations = " ".join(texts)
            ordered = sorted(map(int, texts[-HISTORY:]))
            self.median = round(median(ordered))
            self.spread = ordered[-1] - ordered[0]


# In PostgreSQL an order by the id alone would be served by the primary key: see `database.within`.
_RESULTS: Final = (
    'SELECT "case_id", "result_class", "failed_attempts", "fingerprint", "elapsed", "id" FROM "result"'
    ' WHERE "run_id" = ? ORDER BY "run_id", "id"'
)


def results_of(connection: StoreConnection, run: Json) -> RunResults:
    """Read the results of a run, by its row; one statement, whatever their number."""
    cases: dict[int, CaseResult] = {}
    for case_id, result_class, failed_attempts, fingerprint, elapsed, result_id in connection.execute(
        _RESULTS, (run["id"],)
    ):
        verdict: Verdict = _VERDICTS_OF_CLASSES.get(result_class, "skipped")
        earlier = cases.get(case_id)
        if earlier is not None and verdict == "skipped":
            continue  # what another job of the run says is more, or the same
        has_failed = bool(failed_attempts) or (earlier is not None and earlier.verdict == "failed")
        cases[case_id] = CaseResult(verdict, has_failed, fingerprint, elapsed, result_id)
    decided = sum(case.verdict != "skipped" for case in cases.values())
    failures = [case.fingerprint or 0 for case in cases.values() if case.verdict == "failed"]
    return RunResults(cases, storm(failures, decided), is_evidence=bool(tested_commit(run)))


def tested_commit(run: Json) -> str:
    """Return the commit that a run tested as it is; empty if it is not known, or if files differed from it."""
    return "" if run["is_changed"] else run["commit"] or ""


_SERIES: Final = 'SELECT "id", "length", "runs" FROM "series" WHERE "source_id" = ? AND "config" = ? AND "branch" = ?'


def series_of(connection: StoreConnection, run: Json, *, is_locked: bool = False) -> Series | None:
    """Return the series of a run, None if it has none yet; ``is_locked`` locks it until the end of the transaction."""
    values = (run["source_id"], run["config_id"] or 0, run["branch"] or "")
    rows = connection.execute(_SERIES + (row_lock(connection) if is_locked else ""), values)
    if not rows:
        return None
    ((series_id, length, runs),) = rows
    return Series(series_id, length, [SeriesRun(*run) for run in json.loads(runs)])


_HISTORIES: Final = (
    'SELECT "case_id", "position", "outcomes", "durations", "median", "since" FROM "case_history" WHERE "series_id" = ?'
)


def histories(connection: StoreConnection, series: Series) -> dict[int, CaseHistory]:
    """Return the histories of a series by case."""
    return {case_id: CaseHistory(*columns) for case_id, *columns in connection.execute(_HISTORIES, (series.id,))}


_FAILED: Final = (
    'SELECT "case_id", "position", "outcomes" FROM "case_history" WHERE "series_id" = ?'
    ' AND ("outcomes" LIKE ? OR "outcomes" LIKE ? OR "outcomes" LIKE ?)'
)


def failed_histories(connection: StoreConnection, series: Series) -> dict[int, CaseHistory]:
    """Return the outcomes of those tests of a series that ever failed, by case; nearly all are stable."""
    rows = connection.execute(_FAILED, (series.id, "%f%", "%w%", "%r%"))
    return {case_id: CaseHistory(position, outcomes) for case_id, position, outcomes in rows}


# Tests that the speed of a run is measured with; with 2,000 it is exact to 1 %, and 100,000 would take a second.
_MEASURED_TESTS: Final = 2000


def speed_in(results: RunResults, known: Mapping[int, CaseHistory]) -> float:
    """Return the speed of a run: 1.3 if its tests took 1.3 times as long as usual."""
    durations = [
        (case.elapsed, history)
        for case_id, case in results.cases.items()
        if case.verdict == "passed" and case.elapsed and (history := known.get(case_id)) and history.median
    ]
    step = len(durations) // _MEASURED_TESTS + 1
    return speed_of((elapsed, history.elapsed_us()) for elapsed, history in durations[::step])
