"""Make the server's pages of a report's tests in one read transaction, which reads once what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.rendering import render
from pytest_automation_report.server.pages.report.fragments import addresses_in
from pytest_automation_report.server.pages.run.queries import NEAR
from pytest_automation_report.server.pages.test.common import CommonValues
from pytest_automation_report.server.pages.test.handlers import result_values
from pytest_automation_report.server.pages.test.queries import SIBLINGS, TestReader
from pytest_automation_report.server.pages.test.url import TestState, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.report.tests import ReportedTest, ReportedTests
    from pytest_automation_report.server.pages.test.code_links import CodeLinks
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.store import Store

__all__ = ["PageSource", "shown_tests"]

_STATES: Final = frozenset({"attempt", "out"})


class PageSource(NamedTuple):
    """The store and the pages of which a report is made; ``fetch`` returns the HTML of a page by its address."""

    store: Store
    fetch: Callable[[str], str]
    code_links: CodeLinks


class _RunTests(TestReader):
    """The tests of a run, of which some values are known: a query for the tests near each one takes a third as long."""

    def __init__(self, reader: Reader, rows: Iterable[ReportedTest]) -> None:
        super().__init__(reader.connection)
        self._by_function: dict[tuple[str, str], list[ReportedTest]] = {}
        for test in rows:
            function, bracket, _ = test.name.partition("[")
            if bracket:
                self._by_function.setdefault((test.folder, function), []).append(test)

    def siblings(self, row: Json) -> list[Json]:
        function, bracket, _ = str(row["name"]).partition("[")
        known = self._by_function.get((row["folder"], function), ()) if bracket else ()
        near = [test for test in known if abs(test.id - row["id"]) <= NEAR]
        return [
            {"id": test.id, "name": test.name, "status": test.status, "elapsed": test.elapsed}
            for test in near[:SIBLINGS]
        ]


def shown_tests(reader: Reader, tests: ReportedTests, code_links: CodeLinks) -> dict[str, str]:
    """Return the HTML of pages of tests by address, each followed by its attempts and streams of output."""
    common = CommonValues(reader, _RunTests(reader, tests.rows))
    pages: dict[str, str] = {}
    for result_id in tests.shown:
        address = link("result", result_id)
        pages[address], stream = _page(result_id, TestState(), common, code_links)
        others = {other for other in addresses_in(pages[address]) if _is_state_of(other, address)}
        for other in sorted(others):
            state = state_of(dict(parse_qsl(urlsplit(other).query)))
            # The stream that a page begins with has no other page.
            is_same = state.stream == stream and state.attempt is None
            pages[other] = pages[address] if is_same else _page(result_id, state, common, code_links)[0]
    return pages


def _page(result_id: int, state: TestState, common: CommonValues, code_links: CodeLinks) -> tuple[str, str]:
    """Return the HTML of a page and the stream of output that it shows, "" for none."""
    values = result_values(result_id, state, common)
    return render("test/test.html", is_fragment=True, code_links=code_links, **values), values["stream"]


def _is_state_of(address: str, result: str) -> bool:
    path, _, query = address.partition("?")
    if path != result:
        return False
    names = [name for name, _ in parse_qsl(query)]
    return len(names) == 1 and names[0] in _STATES
