"""Make the server's pages of a report's tests in one read transaction, which reads once what they have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.queries import NEAR, SIBLINGS, PageReader
from pytest_automation_report.server.pages.rendering import render
from pytest_automation_report.server.pages.report.fragments import addresses_in
from pytest_automation_report.server.pages.state import TestState, result_state
from pytest_automation_report.server.pages.test.handlers import lone_values, result_values
from pytest_automation_report.server.pages.test.links import NO_LINKS, CommonValues
from pytest_automation_report.server.pages.words import with_defaults
from pytest_automation_report.server.store.database import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.report.tests import ReportedTest, ReportedTests
    from pytest_automation_report.server.pages.test.links import CodeLinks
    from pytest_automation_report.server.store.store import Store

_STATES: Final = frozenset({"attempt", "out"})
_FIELDS_AT_ONCE: Final = 500


class PageSource(NamedTuple):
    """The store and the pages of which a report is made; ``fetch`` returns the HTML of a page by its address."""

    store: Store
    fetch: Callable[[str], str]
    code_links: CodeLinks


class _RunTests(PageReader):
    """The tests of a run, of which some values are known: a query for the tests near each one takes a third as long."""

    def __init__(self, reader: PageReader, rows: Iterable[ReportedTest]) -> None:
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


def shown_tests(reader: PageReader, tests: ReportedTests, code_links: CodeLinks) -> dict[str, str]:
    """Return the HTML of pages of tests by address, each followed by its attempts and streams of output."""
    common = CommonValues(_RunTests(reader, tests.rows))
    pages: dict[str, str] = {}
    for result_id in tests.shown:
        _add(pages, result_id, lambda state, result_id=result_id: result_values(result_id, state, common), code_links)  # type: ignore[misc]
    return pages


def tests_with_output(reader: PageReader, tests: ReportedTests, run: Json) -> dict[str, str]:
    """Return the HTML of pages that show a result's own fields, steps and output, and nothing of other results."""
    by_id = {test.id: test for test in tests.rows}
    pages: dict[str, str] = {}
    for row in _rows(reader, tests.with_output):
        fields = [with_defaults(field) for field in json.loads(row["fields"] or "[]")]
        others = {"run": run, "worker": tests.worker(by_id[row["id"]]) or "timeline"}

        def values(state: TestState, row: Json = row, fields: list[Json] = fields, others: Json = others) -> Json:
            return {**lone_values(row, tests.statuses, fields, state), **others}

        _add(pages, row["id"], values, NO_LINKS)
    return pages


def _rows(reader: PageReader, ids: Sequence[int]) -> Iterator[Json]:
    """Yield the whole rows of these results."""
    for start in range(0, len(ids), _FIELDS_AT_ONCE):
        some = ids[start : start + _FIELDS_AT_ONCE]
        yield from reader.connection.each(f'SELECT * FROM "result" WHERE "id" IN ({marks(some)}) ORDER BY "id"', some)


def _add(pages: dict[str, str], result_id: int, values_of: Callable[[TestState], Json], code_links: CodeLinks) -> None:
    """Add the page of a result, and one for each of its earlier attempts and streams of output."""

    def page(state: TestState) -> tuple[str, str]:
        values = values_of(state)
        return render("test/test.html", is_fragment=True, code_links=code_links, **values), values["stream"]

    address = link("result", result_id)
    pages[address], stream = page(TestState())
    for other in sorted({other for other in addresses_in(pages[address]) if _is_state_of(other, address)}):
        state = result_state(dict(parse_qsl(urlsplit(other).query)))
        # The stream that a page begins with has no other page.
        is_same = state.stream == stream and state.attempt is None
        pages[other] = pages[address] if is_same else page(state)[0]


def _is_state_of(address: str, result: str) -> bool:
    path, _, query = address.partition("?")
    if path != result:
        return False
    names = [name for name, _ in parse_qsl(query)]
    return len(names) == 1 and names[0] in _STATES
