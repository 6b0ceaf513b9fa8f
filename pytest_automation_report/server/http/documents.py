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
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.flaky import flaky_tests
from pytest_automation_report.server.store.whole_results import WholeResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Page, Reader, RunRecord
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.store import Store

    Parameters: TypeAlias = Mapping[str, str | list[str]]
    References: TypeAlias = dict[Reference, list[Json]]
    Document: TypeAlias = Callable[[Store, int, Parameters], "bytes | Iterator[bytes]"]

_NOT_FOUND: Final = 404
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
    return _encode({"result": {"tests": results, "next": following}})


def sources_document(store: Store, project_id: int, parameters: Parameters) -> bytes:
    """Return a page of a project's sources."""
    query = queries.query_from(queries.SOURCE_PAGE, parameters)

    def question(reader: Reader) -> tuple[Page[Json], References]:
        page = reader.source_page(project_id, query)
        return page, reader.references(page.items, project_id, query["expands"])

    page, expands = store.read(question)
    return _encode({**views.page_view(page, views.source_view), "expands": expands})


def source_document(store: Store, source_id: int, parameters: Parameters) -> bytes:
    """Return a source."""
    query = queries.query_from(queries.SOURCE_QUERY, parameters)

    def question(reader: Reader) -> tuple[Json, References]:
        source = reader.source(source_id)
        return source, reader.references([source], source["project"], query["expands"])

    row, expands = store.read(question)
    return _encode({"result": views.source_view(row), "expands": expands})


def findings_document(store: Store, run_id: int, parameters: Parameters) -> bytes:
    """Return the findings of a run, compared with the run that fits best or with the run ``base``.

    They are beside the contract, and computed at the first request after the run's completion.
    """
    query = queries.query_from(queries.FINDINGS, parameters)
    return _encode({"result": findings(store, run_id, query["base"])})


def flaky_document(store: Store, source_id: int, parameters: Parameters) -> bytes:
    """Return the flaky, broken and suspect tests of a source on ``branch`` or its main branch; beside the contract."""
    query = queries.query_from(queries.FLAKY, parameters)
    return _encode({"result": flaky_tests(store, source_id, query["branch"])})


def _pieces(store: Store, page: Page[Json], expands: References, max_threads: int | None) -> Iterator[bytes]:
    envelope = {**views.page_view(replace(page, items=()), dict), "expands": expands}
    envelope.pop("result")
    yield _encode(envelope)[:-1] + b',"result":['
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


DOCUMENTS: Final[Mapping[str, Document]] = {
    "/projects/{}/automation/runs": runs_document,
    "/projects/{}/automation/sources": sources_document,
    "/automation/runs/{}": run_document,
    "/automation/runs/{}/tests": tests_document,
    "/automation/runs/{}/results": results_document,
    "/automation/runs/{}/findings": findings_document,
    "/automation/sources/{}": source_document,
    "/automation/sources/{}/flaky": flaky_document,
}
"""What a GET returns, by its path with ``{}`` for the id of the project, run or source."""
