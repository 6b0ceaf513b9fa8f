"""Answer the URLs of a run's downloads in the forms of other tools: JUnit XML, JSON with everything, CSV.

The results are read in pages of bounded size and sent in pieces, so a run of 100,000 tests is never in memory at once.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.export.junit_xml import junit_xml
from pytest_automation_report.export.results import ExportedRun, ExportedTest
from pytest_automation_report.export.tables import csv_table, json_document
from pytest_automation_report.server.api.documents import run_document
from pytest_automation_report.server.pages.rendering import Page
from pytest_automation_report.server.pages.urls import run_state
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.reads import results_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store

_PIECE_CHARACTERS: Final = 64 * 1024


class _Download(NamedTuple):
    """A form: its name in the menu, its kind of link, the file in its URL, its media type, its text."""

    word: str
    kind: str
    file: str
    media_type: str
    text: Callable[[Store, int, int | None], Iterator[str]]


class RunDownload(Page):
    """The results of a run as a file that a browser saves."""

    def __init__(self, store: Store, form: _Download) -> None:
        super().__init__(store)
        self._form = form

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the file; ``base`` is the run that the findings in a JSON document compare with."""
        pieces = self._form.text(self.store, run_id, run_state(run_id, req.params).base)
        # The run is read before the response begins: an unknown run is answered with its page.
        first = next(pieces)
        resp.content_type = self._form.media_type
        ending = self._form.file.rpartition(".")[2]
        resp.set_header("Content-Disposition", f'attachment; filename="run-{run_id}.{ending}"')
        resp.stream = _encoded(first, pieces)


def _encoded(first: str, pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield the text as UTF-8, in pieces that are worth a packet."""
    waiting, length = [first], len(first)
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _PIECE_CHARACTERS:
            yield "".join(waiting).encode("utf-8", "backslashreplace")
            waiting, length = [], 0
    yield "".join(waiting).encode("utf-8", "backslashreplace")


def _document(store: Store, run_id: int) -> Json:
    document: Json = json.loads(run_document(store, run_id, {"threads": "0", "expands": "automation_sources"}))
    return document


def _items(store: Store, run_id: int) -> Iterator[Json]:
    after: int | None = 0
    while after is not None:
        results, after = store.read(partial(results_page, run_id=run_id, after=after))
        yield from results


def _tests(store: Store, run_id: int) -> Iterator[ExportedTest]:
    return map(ExportedTest.from_item, _items(store, run_id))


def _junit(store: Store, run_id: int, _: int | None) -> Iterator[str]:
    return junit_xml(ExportedRun.from_document(_document(store, run_id)), _tests(store, run_id))


def _json(store: Store, run_id: int, base: int | None) -> Iterator[str]:
    document = _document(store, run_id)
    source = ExportedRun.from_document(document).source
    return json_document(document["result"], source, findings(store, run_id, base), _items(store, run_id))


def _csv(store: Store, run_id: int, _: int | None) -> Iterator[str]:
    _document(store, run_id)
    return csv_table(_tests(store, run_id))


DOWNLOADS: Final = (
    _Download("JUnit XML", "run-junit", "junit.xml", "application/xml; charset=utf-8", _junit),
    _Download("JSON with everything", "run-json", "run.json", "application/json; charset=utf-8", _json),
    _Download("CSV table", "run-csv", "tests.csv", "text/csv; charset=utf-8", _csv),
)
"""The forms, in the order of the menu."""
