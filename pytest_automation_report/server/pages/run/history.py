"""Outcomes of a run's tests in the last runs, for strips and usual times; and what an open run still has to do."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.durations import HISTORY, LAST
from pytest_automation_report.findings.flakiness import WINDOW
from pytest_automation_report.server.pages.charts import STRIP_RUNS
from pytest_automation_report.server.pages.run.head import SILENT_US
from pytest_automation_report.server.pages.run.timeline import clock
from pytest_automation_report.server.pages.words import quantity
from pytest_automation_report.server.store.extensions import running_tests
from pytest_automation_report.server.store.histories import histories, last_letters, series_of
from pytest_automation_report.server.store.records import find_cases
from pytest_automation_report.text.names import split_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.verdict import RunNumbers
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.run.details import WorkerNames
    from pytest_automation_report.server.pages.run.head import RunFacts
    from pytest_automation_report.server.store.extensions import RunningTest
    from pytest_automation_report.server.store.histories import Series, SeriesRun


_LAST: Final = HISTORY + LAST
"""Runs of a strip and of a usual time."""


class Histories:
    """Outcomes and medians of tests up to one run: of its branch, or of the base's if its branch has no earlier run."""

    def __init__(self, reader: PageReader, run: Json, found: Json | None) -> None:
        self._connection = reader.connection
        # Durations of histories are at the speed of a usual run.
        self._speed = 1.0 if found is None else float(found["speed"])
        self._letters: dict[int, str] = {}
        self._medians: dict[int, int | None] = {}
        self._series = _series_of(reader, run)
        base = None if found is None or found["base"] is None else reader.known_run(found["base"]["run"])
        if not self.before and base is not None and base["branch"] != run["branch"]:
            self._series = _series_of(reader, base)

    @property
    def before(self) -> SeriesRun | None:
        """The run before the one of the page in its series; None if there is none."""
        return self._series.runs[-2] if len(self._series.runs) > 1 else None

    @property
    def run_ids(self) -> list[int]:
        """The runs of the history, oldest first."""
        return [run.id for run in self._series.runs]

    def load(self, cases: Iterable[int], *, is_whole: bool = False) -> None:
        """Read the histories of these tests, which `letters` and `median` then return without a query.

        Those of the last runs, or, if ``is_whole``, of all runs that findings look at.
        """
        missing = {case for case in cases if is_whole or case not in self._letters}
        found = histories(self._connection, self._series, missing, last=WINDOW if is_whole else _LAST)
        for case, history in found.items():
            self._letters[case] = history.letters
            self._medians[case] = history.median

    def load_all(self) -> None:
        """Read the strips of all tests, for a page that shows each test of a run."""
        self._letters |= last_letters(self._connection, self._series.runs[-STRIP_RUNS:])

    def letters(self, case: int) -> str:
        """Return the outcomes of a test, one letter for each run; empty for an unknown one."""
        return self._letters.get(case, "")

    def median(self, case: int) -> int | None:
        """Return the usual time of a test at the speed of this run, in microseconds; None if it is not known."""
        median = self._medians.get(case)
        return None if median is None else round(median * self._speed)

    def usual(self, case: int) -> int | None:
        """Return the usual time of a test at the speed of a usual run, as its own page shows it; None if unknown."""
        return self._medians.get(case)


def _series_of(reader: PageReader, run: Json) -> Series:
    return series_of(reader.connection, {**run, "source_id": run["source"], "config_id": run["config"]})


# Twice the median of a test of a few milliseconds is noise.
_LEAST_MEDIAN_US: Final = 250_000


def news_tag(reader: PageReader, run_id: int, query: str, now: int) -> str:
    """Return the ETag of an open run's page without rendering it; raises `ApiError` (404) for an unknown run.

    Every append changes `updated`. A sender that falls silent changes nothing: the page then says so by itself.
    """
    row = reader.run_row(run_id)
    state = [row[name] for name in ("updated", "created", "total_count", "status", "is_completed")]
    is_silent = now - (row["updated"] or row["created"]) >= SILENT_US
    return f'"{sha256(repr((state, query, is_silent)).encode("utf-8", "replace")).hexdigest()[:32]}"'


def arrived_words(counts: RunNumbers, seen: str) -> str:
    """Return the words of the pill: what arrived since the page was loaded, which moves nothing by itself.

    ``seen`` has the number of failures and of results that the page shows.
    """
    failed, _, total = seen.partition(".")
    if not failed.isdecimal() or not total.isdecimal():
        return ""
    if counts.failed > int(failed):
        return f"{quantity(counts.failed - int(failed), 'new failure')} below"
    if not counts.is_open:
        return "The run has ended: show all of it"
    if counts.finished > int(total) and not int(total):
        return f"{quantity(counts.finished, 'result')} below"
    return ""


def time_to_go(facts: RunFacts, counts: RunNumbers, reader: PageReader, histories: Histories) -> int | None:
    """Return about how many microseconds an open run still takes; None if that cannot be said.

    By the times that the tests that are still to come took in the run before, spread over the workers; without these
    times by the time that the tests took so far.
    """
    if counts.collected is None or counts.is_silent or not 0 < counts.finished < counts.collected:
        return None
    before = histories.before
    usual = None if before is None else reader.usual_times(before.id, facts.row["id"])
    workers = max(1, int(facts.row["thread_active_count"]))
    if usual is not None and usual.known * 2 >= counts.collected:
        # Tests that are new were not in it: they count as one of the others.
        missing = counts.collected - counts.finished
        known_missing = max(1, usual.known - usual.ran_count)
        speed = 1.0 if facts.findings is None else float(facts.findings["speed"])
        return round(max(0, usual.all - usual.ran) * speed * missing / known_missing / workers)
    elapsed = facts.now - int(facts.row["created"])
    return round(elapsed * (counts.collected - counts.finished) / counts.finished)


def running_now(facts: RunFacts, reader: PageReader, histories: Histories, workers: WorkerNames) -> list[Json]:
    """Return the tests that run now, those that have run longest first; none if the client does not send them."""
    running: list[Json] = []
    found: list[tuple[Json, RunningTest]] = [(row, test) for row in facts.record.threads for test in running_tests(row)]
    cases = find_cases(reader.connection, facts.row["source"], [test.key for _, test in found])
    histories.load(cases.values())
    for row, test in found:
        session = row["session_started"] or row["created"]
        lasted = max(0, facts.now - session - test.since)
        median = histories.median(cases[test.key]) if test.key in cases else None
        limit = None if median is None else 2 * max(median, _LEAST_MEDIAN_US)
        running.append(
            {
                "short": split_name(test.name),
                "folder": test.folder,
                "lasted": lasted,
                "clock": clock(lasted),
                "median": median,
                "limit": limit,
                "is_slow": limit is not None and lasted >= limit,
                "worker": workers.name(row["id"]),
            }
        )
    return sorted(running, key=lambda test: -test["lasted"])
