"""Read the store and write the JSON of the API's lists and records, for the server and for the embedded client.

Reads are functions that the store calls, since it may have to run a transaction again. ``parameters`` are those of the
query; each function raises `ApiError` for a wrong one (422), and for a record that does not exist (404).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.json import Encoder

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.http import views
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.whole_results import WholeResults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Page, Reader, RunRecord
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.store import Store

    Parameters: TypeAlias = Mapping[str, str | list[str]]
    References: TypeAlias = dict[Reference, list[Json]]

_NOT_FOUND: Final = 404
# The same text as that of `json_text`, in a fifth of the time.
_encode: Final = Encoder().encode


def run_document(store: Store, run_id: int, parameters: Parameters) -> bytes:
    """Return a run, with its threads unless ``threads=0``."""
    query = queries.query_from(queries.RUN_QUERY, parameters)

    def question(reader: Reader) -> tuple[RunRecord, References]:
        run = reader.run(run_id, max_threads=_most_threads(query))
        return run, reader.references([run.row], run.row["project"], query["expands"])

    run, expands = store.read(question)
    return _encode({"result": views.run_view(run), "expands": expands})


def runs_document(store: Store, project_id: int, parameters: Parameters) -> Iterator[bytes]:
    """Yield a page of a project's runs in pieces, each run as it is when its turn comes.

    So the threads of one run are in memory at a time.
    """
    query = queries.query_from(queries.RUN_PAGE, parameters)

    def question(reader: Reader) -> tuple[Page[Json], References]:
        page = reader.run_page(project_id, query)
        return page, reader.references(page.items, project_id, query["expands"])

    page, expands = store.read(question)
    return _pieces(store, page, expands, _most_threads(query))


def _most_threads(query: Json) -> int | None:
    return None if queries.is_set(query, "threads") else 0


def tests_document(store: Store, run_id: int, parameters: Parameters) -> bytes:
    """Return a page of a run's results."""
    query = queries.query_from(queries.TEST_PAGE, parameters)
    page = store.read(lambda reader: reader.test_page(run_id, query))
    return _encode(views.page_view(page, views.test_view))


def results_document(store: Store, run_id: int, parameters: Parameters) -> bytes:
    """Return whole results of a run, those after the one of the id ``after``; this is beside the contract."""
    query = queries.query_from(queries.WHOLE_RESULTS, parameters)
    results, following = store.read(
        lambda reader: WholeResults(reader, run_id).page(query["after"], query["status_id"])
    )
    return json_text({"result": {"tests": results, "next": following}}).encode()


def sources_document(store: Store, project_id: int, parameters: Parameters) -> bytes:
    """Return a page of a project's sources."""
    query = queries.query_from(queries.SOURCE_PAGE, parameters)

    def question(reader: Reader) -> tuple[Page[Json], References]:
        page = reader.source_page(project_id, query)
        return page, reader.references(page.items, project_id, query["expands"])

    page, expands = store.read(question)
    return _encode({**views.page_view(page, views.source_view), "expands": expands})


def _pieces(store: Store, page: Page[Json], expands: References, max_threads: int | None) -> Iterator[bytes]:
    envelope = {**views.page_view(replace(page, items=()), dict), "expands": expands}
    envelope.pop("result")
    yield f'{json_text(envelope)[:-1]},"result":['.encode()
    separator = b""
    for row in page.items:
        try:
            run = store.read(partial(_run, run_id=row["id"], max_threads=max_threads))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            continue  # it was removed since the page was read
        yield separator + _encode(views.run_view(run))
        separator = b","
    yield b"]}"


def _run(reader: Reader, run_id: int, max_threads: int | None) -> RunRecord:
    return reader.run(run_id, max_threads)
