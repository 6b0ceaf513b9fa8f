"""The stored outcomes of tests, for strips and usual times; read for the tests of one page at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.server.pages.run.strips import letters_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.run.queries import RunReader

__all__ = ["Histories"]


class Histories:
    """Outcomes and medians of tests up to one run: of its branch, or of the base's if its branch has no earlier run."""

    def __init__(self, reader: RunReader, run: Json, found: Json | None) -> None:
        self._reader = reader
        self._is_open = not run["is_completed"]
        # Stored medians are at the speed of a usual run.
        self._speed = 1.0 if found is None else float(found["speed"])
        self._stored: dict[int, Json] = {}
        self._loaded: set[int] = set()
        self._series: int | None = None
        self._at = 0
        # The runs of the series, oldest first; the last one is this run unless it is open.
        self._runs: list[int] = []
        self._choose(run, found)

    def _choose(self, run: Json, found: Json | None) -> None:
        own = self._reader.series_runs(run)
        base = None if found is None or found["base"] is None else self._reader.run(found["base"]["run"])
        has_history = own is not None and (self._is_open or len(own[1]) > 1)
        if not has_history and base is not None and base["branch"] != run["branch"]:
            series = self._reader.series_runs(base)
            if series is not None:
                self._set(series, base["id"])
                return
        if own is not None:
            self._set(own, run["id"])

    def _set(self, series: tuple[int, list[int]], run_id: int) -> None:
        self._series, runs = series
        length = self._reader.series_length(self._series)
        # Up to the wanted run, or to the newest one if the series has not got it (yet).
        place = runs.index(run_id) if run_id in runs else len(runs) - 1
        self._runs = runs[: place + 1]
        self._at = length - (len(runs) - 1 - place)

    @property
    def series(self) -> int | None:
        """The series whose histories these are; None if there is none."""
        return self._series

    @property
    def run_ids(self) -> list[int]:
        """The runs of the history, oldest first."""
        return self._runs

    def load(self, cases: Iterable[int]) -> None:
        """Read the histories of these tests, which `letters` and `median` then return without a query."""
        missing = [case for case in cases if case not in self._loaded]
        if self._series is None or not missing:
            return
        self._stored |= self._reader.histories(self._series, missing)
        self._loaded.update(missing)

    def load_series(self) -> None:
        """Read the histories of all tests by one query, for a page that shows each test of a run."""
        if self._series is not None:
            self._stored = self._reader.all_histories(self._series)
            self._loaded.update(self._stored)

    def letters(self, case: int) -> str:
        """Return the outcomes of a test, one letter for each run; empty for an unknown one."""
        row = self._stored.get(case)
        return "" if row is None else letters_at(row["outcomes"], row["position"], self._at)

    def median(self, case: int) -> int | None:
        """Return the usual time of a test at the speed of this run, in microseconds; None if it is not known."""
        row = self._stored.get(case)
        return None if row is None or row["median"] is None else round(row["median"] * self._speed)

    def usual(self, case: int) -> int | None:
        """Return the usual time of a test at the speed of a usual run, as its own page shows it; None if unknown."""
        row = self._stored.get(case)
        return None if row is None else row["median"]
