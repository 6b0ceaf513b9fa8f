"""The outcomes of tests in the last runs, for strips and usual times; read for the tests of one page at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.durations import HISTORY, LAST
from pytest_automation_report.findings.flakiness import WINDOW
from pytest_automation_report.server.pages.charts import STRIP_RUNS
from pytest_automation_report.server.store.histories import histories, last_letters, series_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader
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
