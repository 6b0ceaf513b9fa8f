"""Search all stored runs for runs, reasons and tests, within a time; what was not looked at is said."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from msgspec.structs import replace

from pytest_automation_report.server.pages import rendering, urls, words
from pytest_automation_report.server.pages.queries import ask
from pytest_automation_report.server.pages.runs import listed_runs
from pytest_automation_report.server.store.search_index import (
    MOST_FOUND,
    MOST_RUNS,
    Parts,
    SearchTime,
    is_indexed,
    runs_without_texts,
)
from pytest_automation_report.server.store.searches import mistakes_in, parts_of
from pytest_automation_report.server.store.values import hexadecimal
from pytest_automation_report.text.limits import quantity
from pytest_automation_report.text.node_ids import split_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import falcon

    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.runs import ListedRun
    from pytest_automation_report.server.store.searching import LookedAt
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import FoundResult, Suite

SECONDS: Final = 2.0
_REASONS_SHOWN: Final = 20
_SUITES_SHOWN: Final = 20
_TESTS_SHOWN: Final = 20
_OF_ONE_NAME: Final = 200  # tests of a suite among which those of the searched name come first
_REASONS: Final = 100  # reasons whose tests are looked at
_NEAREST: Final = 50  # suites whose names may be what somebody meant


_find_number = re.compile(r"#?([0-9]{1,18})").fullmatch


def show_search(store: Store, req: falcon.Request, resp: falcon.Response) -> None:
    """Show the runs, reasons and tests that a search finds; the number of a run redirects to that run."""
    given = urls.single_values(req.params)
    text = urls.short_text(given.get("q", "").strip())
    number = int(match[1]) if (match := _find_number(text)) else 0
    if number and ask(store, lambda reader: reader.known_run(number)):
        resp.status, resp.location = 302, urls.link("run", number)
        return
    source = int(given["source"]) if re.fullmatch(r"[0-9]{1,18}", given.get("source", "")) else None
    context = SearchContext(text=text, source=source)
    if text:
        context = ask(store, lambda reader: search_context(reader, text, source))
    rendering.show(req, resp, replace(context, mistakes=mistakes_in(text, ())))


class SearchContext(rendering.PageContext, frozen=True, kw_only=True):
    """The runs, reasons and tests that a search of a text finds, in one suite or in all stored runs."""

    template: ClassVar[str] = "runs/search.html"
    text: str
    source: int | None  # the suite
    runs: Sequence[ListedRun] = ()
    suites: Sequence[tuple[Suite, Sequence[FoundResult]]] = ()  # with tests of each
    reasons: Sequence[tuple[FoundResult, str]] = ()  # the last failure of each, and its fingerprint
    nearest: str | None = None  # the word that resembles the text most, if nothing is found
    looked: LookedAt | None = None  # numbers of what was looked at
    left_out: Sequence[str] = ()  # what was not, in sentences


def search_context(reader: PageReader, text: str, source_id: int | None, seconds: float = SECONDS) -> SearchContext:
    """Return what a search finds."""
    search = _Search(reader, text, source_id, seconds)
    runs = search.runs()
    tests, reasons = search.by_index() if search.has_index else search.by_looking()
    suites, names = search.suites(tests), list[str]()
    if not (runs or suites or reasons):
        names = search.time.ask(search.names)
    return SearchContext(
        text=text,
        source=source_id,
        runs=runs,
        suites=suites,
        reasons=[(row, hexadecimal(row.fingerprint or 0)) for row in reasons],
        nearest=words.common_phrase(names, text),
        looked=reader.looked_at(source_id),
        left_out=search.left_out,
    )


class _Search:
    """One search of a text, in one suite or in all of them."""

    def __init__(self, reader: PageReader, text: str, source_id: int | None, seconds: float) -> None:
        self._reader = reader
        self._text = text
        self._source = source_id
        self._seconds = seconds
        self._parts = parts_of(text)
        self.time = SearchTime(reader.connection, seconds)
        self.has_index = bool(self._parts) and is_indexed(reader.connection)
        self.left_out: list[str] = []

    def runs(self) -> list[ListedRun]:
        """Return the runs that are shown."""
        projects: dict[int, list[int]] = {}
        for run_id, project in self.time.ask(lambda: self._reader.found_runs(self._text, self._source)):
            projects.setdefault(project, []).append(run_id)
        return [row for ids in projects.values() for row in listed_runs(self._reader, ids)]

    def by_index(self) -> tuple[list[FoundResult], list[FoundResult]]:
        """Return the last results of the tests that the index leads to, and the last failures of reasons."""
        cases, reasons = self._candidates()
        rows = self.time.ask(lambda: self._reader.tests_among(cases, self._text, MOST_FOUND))
        failing = self.time.ask(lambda: self._reader.reasons_of_tests([row.case for row in rows[:_OF_ONE_NAME]]))
        # The newest failures of what is left have the highest numbers: their order is that of the statement.
        among = list(dict.fromkeys([*reasons, *failing]))[:MOST_FOUND]
        shown = self.time.ask(lambda: self._reader.reasons(self._text, self._source, _REASONS_SHOWN, among))
        if self.time.is_over:
            self.left_out.append(f"The search ended after {self._seconds:g} s, so there may be more.")
        return rows, shown

    def _candidates(self) -> tuple[list[int], list[int]]:
        """Return the tests, by case, and the reasons that the search may find."""
        connection, source = self._reader.connection, self._source
        cases = self.time.ask(partial(Parts(self._parts, source).tests, connection))
        if len(cases) == MOST_FOUND:
            self.left_out.append(f"Of the tests that have these words, only the last {MOST_FOUND:,} were looked at.")
        reasons: list[int] = []
        # A word may be one of the name, another one of the message. Those with all words come first: a frequent word
        # alone finds more than are looked at.
        for parts in dict.fromkeys([tuple(self._parts), *((part,) for part in self._parts)]):
            reasons += self.time.ask(partial(Parts(parts, source).reasons, connection))
        reasons = list(dict.fromkeys(reasons))
        if len(reasons) > _REASONS:
            self.left_out.append(f"Of the reasons that have these words, only the tests of {_REASONS} were looked at.")
        more = self.time.ask(lambda: self._reader.tests_of_reasons(reasons[:_REASONS]))
        runs = self.time.ask(lambda: runs_without_texts(connection, source))
        if len(runs) > MOST_RUNS:
            self.left_out.append("The index is still being made: of older runs not all were looked at.")
        found: list[tuple[int, int | None]] = []
        if runs:
            newest = runs[:MOST_RUNS]
            found = self.time.ask(lambda: self._reader.found_in_runs(newest, self._text, MOST_FOUND))
        more += [case for case, _ in found]
        reasons += [reason for _, reason in found if reason is not None]
        return list(dict.fromkeys([*cases, *more])), list(dict.fromkeys(reasons))

    def by_looking(self) -> tuple[list[FoundResult], list[FoundResult]]:
        """Return the same from all tests and reasons, suite by suite, those that ran last first."""
        reader, suites = self._reader, 0
        rows: list[FoundResult] = []
        sources = [self._source] if self._source is not None else reader.newest_sources()
        looked = 0
        for source in sources:
            found = self.time.ask(partial(reader.tests_of_source, source, self._text, _OF_ONE_NAME))
            if self.time.is_over or suites == _SUITES_SHOWN:
                break
            looked += 1
            suites += bool(found)
            rows += found
        reasons = self.time.ask(lambda: reader.reasons(self._text, self._source, _REASONS_SHOWN))
        if looked < len(sources):
            rest = f"{len(sources) - looked:,} of {quantity(len(sources), 'suite')} were not looked at."
            self.left_out.append(f"The tests of {rest}")
        if self.time.is_over:
            short = "A word of three letters or more is found faster." if not self._parts else ""
            self.left_out.append(f"The search ended after {self._seconds:g} s, so there may be more. {short}".rstrip())
        return rows, reasons

    def suites(self, rows: Sequence[FoundResult]) -> list[tuple[Suite, list[FoundResult]]]:
        """Return some of the tests by suite, the suites that ran last first."""
        reader = self._reader
        by_source: dict[int, list[FoundResult]] = {}
        sources = reader.sources_of_tests([row.case for row in rows])
        for row in sorted(rows, key=lambda row: (-row.run, row.id)):
            if self._source in {None, sources[row.case]}:
                by_source.setdefault(sources[row.case], []).append(row)
        shown = [*by_source][:_SUITES_SHOWN]
        # If there are more tests than are shown, tests of this very name come first.
        return [
            (reader.suite(source), sorted(by_source[source][:_OF_ONE_NAME], key=self._is_other)[:_TESTS_SHOWN])
            for source in shown
        ]

    def _is_other(self, row: FoundResult) -> bool:
        return split_name(row.name).function != self._text

    def names(self) -> list[str]:
        """Return names of tests, one of which may be meant."""
        sources = [self._source] if self._source is not None else self._reader.newest_sources()[:_NEAREST]
        newest = (self._reader.newest(source, None) for source in sources)
        return self._reader.names([run.id for run in newest if run], 2_000)
