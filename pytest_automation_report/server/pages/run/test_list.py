"""The tests of a run as one list: filtered by status, change, reason, folder or text, in three orders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_automation_report.server.pages.queries import PAGE_ROWS, Rows
from pytest_automation_report.server.pages.run.names import common_phrase
from pytest_automation_report.server.pages.state import FLAKY, Search
from pytest_automation_report.server.pages.statuses import parts, ranked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.run.head import RunFacts
    from pytest_automation_report.server.pages.state import RunState


class TestList:
    """The tests that a state of the page shows."""

    __test__ = False  # pytest must not collect it

    def __init__(self, facts: RunFacts, state: RunState, reader: PageReader) -> None:
        self._facts = facts
        self._state = state
        self._reader = reader

    def page(self) -> tuple[Rows, int | None]:
        """Return a page of the tests, and the length of the list; None if it is not known before its last page."""
        state, search = self._state, self.search
        counts = self._counts()
        if state.changes and not search.ids:
            return Rows([], has_more=False), 0
        if self.sort in {"slowest", "ran"}:
            rows = self._reader.ordered_tests(
                state.run_id, counts, search, state.page, is_slowest_first=self.sort == "slowest"
            )
            total = sum(counts.values()) if search.is_any else None
        elif search.is_any:
            return self._reader.tests(state.run_id, counts, state.page), sum(counts.values())
        else:
            rows, total = self._reader.found_tests(state.run_id, list(counts), search, state.page), None
        if total is None and not rows.has_more:
            total = (state.page - 1) * PAGE_ROWS + len(rows.items)
        return rows, total

    def first(self, most: int) -> Rows:
        """Return the first tests of the list, without its pages."""
        state, search, counts = self._state, self.search, self._counts()
        if state.changes and not search.ids:
            return Rows([], has_more=False)
        if self.sort in {"slowest", "ran"}:
            is_slowest_first = self.sort == "slowest"
            return self._reader.ordered_tests(
                state.run_id, counts, search, 1, is_slowest_first=is_slowest_first, size=most
            )
        return self._reader.found_tests(state.run_id, list(counts), search, 1, size=most)

    @property
    def sort(self) -> str:
        """The order of the list; tests of a worker stand as they ran, unless the address has another order."""
        return self._state.sort or ("ran" if self._state.lane else "failed")

    @property
    def search(self) -> Search:
        """The conditions beside the statuses."""
        state = self._state
        ids: set[int] | None = None
        if state.changes:
            ids = {
                entry["result"] for change in state.changes for entry in self._changed(change) if entry.get("result")
            }
        # Flaky beside other statuses only widens a list of passed tests, which then has all of them.
        is_flaky = state.statuses == {FLAKY}
        fingerprint = int.from_bytes(bytes.fromhex(state.reason), "big", signed=True) if state.reason else None
        return Search(state.text, state.folder or None, fingerprint, ids, is_flaky, state.lane)

    def matches(self, stretches: Sequence[Json]) -> list[Json]:
        """Return the stretches of the bar with the numbers of the tests that the search finds, of any status."""
        search = replace(self.search, is_flaky=False)
        found = self._reader.count_by_status(self._state.run_id, search)
        flaky = 0
        if any(stretch["key"] == FLAKY for stretch in stretches):
            flaky = sum(self._reader.count_by_status(self._state.run_id, replace(search, is_flaky=True)).values())
        passed = {str(status.id) for status in ranked(self._facts.statuses) if status.tone == "pass"}
        counted = []
        for stretch in stretches:
            count = flaky if stretch["key"] == FLAKY else found.get(int(stretch["key"] or 0), 0)
            counted.append({**stretch, "count": max(0, count - flaky) if stretch["key"] in passed else count})
        return counted

    def suggestion(self) -> tuple[str, int] | None:
        """Return a word of the run's tests near the one that is searched, and how many tests have it."""
        text = self._state.text
        if "::" in text or len(text) < 3:  # noqa: PLR2004 - any word is near a shorter one
            return None
        entries = self._facts.overview["files"]
        names = [str(entry["file"] or entry["folder"]) for entry in entries]
        names += [row["name"] for row in self._facts.overview["slowest"]]
        names += [family["function"] for family in self._facts.overview["families"]]
        names += [reason["title"] for reason in (self._facts.findings or {}).get("reasons", ())]
        sample = self._reader.tests(self._state.run_id, self._all_counts(), 1)
        names += [row["name"] for row in sample.items]
        word = common_phrase(names, text)
        if word is None:
            return None
        found = self._reader.count_by_status(self._state.run_id, Search(word))
        return (word, sum(found.values())) if found else None

    def _changed(self, change: str) -> Sequence[Json]:
        found = self._facts.findings
        if found is None or change in {"gone", "not_run"}:
            # Tests that are gone have no result in this run.
            return ()
        entries: Sequence[Json] = found[change] if change in {"slower", "faster"} else found["tests"][change]
        # What a test that is known to be flaky does is nothing new.
        return [entry for entry in entries if change != "newly_failing" or entry["kind"] != "flaky"]

    def _counts(self) -> Mapping[int, int]:
        """Return the number of tests by the ids of the chosen statuses, in the order of the list."""
        wanted = {int(key) for key in self._state.statuses if key != FLAKY}
        counts = self._all_counts()
        if FLAKY in self._state.statuses:
            wanted |= {status.id for status in ranked(self._facts.statuses) if status.tone == "pass"}
        return {status: count for status, count in counts.items() if not wanted or status in wanted}

    def _all_counts(self) -> dict[int, int]:
        return {part["status"].id: part["count"] for part in parts(self._facts.row, self._facts.statuses)}
