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
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.reads import Page
from pytest_automation_report.server.store.whole_results import WholeResults
from pytest_automation_report.server.store.whole_runs import whole_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.whole_runs import WholeRun

    Parameters: TypeAlias = Mapping[str, str | list[str]]
    References: TypeAlias = dict[Reference, list[Json]]

_THREADS_AT_ONCE: Final = 2_000
"""Most threads of a page's runs that are in memory at once, unless one run has more."""

# The same text as that of `json_text`, in a fifth of the time.
_encode: Final = Encoder().encode


def run_document(store: Store, run_id: int, parameters: Parameters) -> bytes:
    """Return a run, with its threads unless ``threads=0``."""
    query = queries.query_from(queries.RUN_QUERY, parameters)

    def question(reader: Reader) -> tuple[WholeRun, References]:
        row = reader.run_row(run_id)
        (run,) = whole_runs(reader.connection, [row], has_threads=queries.is_set(query, "threads"))
        return run, reader.references([row], row["project"], query["expands"])

    run, expands = store.read(question)
    return _encode({"result": views.run_view(run), "expands": expands})


def runs_document(store: Store, project_id: int, parameters: Parameters) -> bytes | Iterator[bytes]:
    """Return a page of a project's runs, in pieces if it has very many threads."""
    query = queries.query_from(queries.RUN_PAGE, parameters)
    has_threads = queries.is_set(query, "threads")

    def question(reader: Reader) -> tuple[Page[Json], Sequence[WholeRun], References, Sequence[Sequence[int]]]:
        page = reader.run_page(project_id, query)
        expands = reader.references(page.items, project_id, query["expands"])
        chunks = list(_run_chunks(page.items)) if has_threads else []
        # Nearly always there is one chunk at most: the whole page then comes from one snapshot.
        are_all = len(chunks) <= 1
        runs = whole_runs(reader.connection, page.items, has_threads=has_threads) if are_all else ()
        return page, runs, expands, chunks

    page, runs, expands, chunks = store.read(question)
    if len(chunks) > 1:
        return _pieces(store, page, expands, chunks)
    return _encode(
        {**views.page_view(Page(page.number, page.size, page.total, runs), views.run_view), "expands": expands}
    )


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


def _pieces(store: Store, page: Page[Json], expands: References, chunks: Sequence[Sequence[int]]) -> Iterator[bytes]:
    """Yield the JSON of a page in pieces, with the threads of one chunk in memory at a time.

    Each chunk is read in its own transaction: runs of different chunks may be of different moments.
    """
    envelope = {**views.page_view(replace(page, items=()), dict), "expands": expands}
    envelope.pop("result")
    yield f'{json_text(envelope)[:-1]},"result":['.encode()
    separator = b""
    for run_ids in chunks:
        runs = store.read(partial(_runs_with_threads, run_ids=run_ids))
        for run_id in run_ids:
            if run_id in runs:  # a run may have been removed since the page was read
                yield separator + _encode(views.run_view(runs[run_id]))
                separator = b","
    yield b"]}"


def _runs_with_threads(reader: Reader, run_ids: Sequence[int]) -> dict[int, WholeRun]:
    runs = whole_runs(reader.connection, reader.run_rows(run_ids), has_threads=True)
    return {run.row["id"]: run for run in runs}


def _run_chunks(runs: Sequence[Json]) -> Iterator[list[int]]:
    """Split the runs of a page, in order, into chunks of ids whose threads fit into memory together."""
    run_ids, thread_count = list[int](), 0
    for run in runs:
        if run_ids and thread_count + run["thread_count"] > _THREADS_AT_ONCE:
            yield run_ids
            run_ids, thread_count = [], 0
        run_ids.append(run["id"])
        thread_count += run["thread_count"]
    if run_ids:
        yield run_ids
