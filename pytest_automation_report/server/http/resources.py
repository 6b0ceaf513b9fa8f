"""Answer the API's URLs: one class per URL, which reads or changes the store in one transaction.

Reads and changes are functions that the store calls, since it may have to run a transaction again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.http import schemas, views
from pytest_automation_report.server.http.request_body import body_from, received
from pytest_automation_report.server.store.errors import ApiError, not_found
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.project_rows import thread_statuses
from pytest_automation_report.server.store.reads import Reader
from pytest_automation_report.server.store.store import IdempotentRequest, StoredResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Page, RunRecord
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

    References: TypeAlias = dict[Reference, list[Json]]

_THREADS_AT_ONCE: Final = 2_000
"""Most threads of a page's runs that are in memory at once, unless one run has more."""


class HealthResource:
    """Health check of the server; needs no token."""

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = b'{"status":"ok"}'


class _Resource:
    def __init__(self, store: Store) -> None:
        self._store = store

    def _apply(
        self, req: falcon.Request, resp: falcon.Response, body: bytes, change: Callable[[Writer], int | None]
    ) -> None:
        """Apply a change once for each idempotency key.

        The response is 201 with the id that ``change`` returns, or 204 if it returns None.
        """
        work = partial(_apply_change, change)
        _set_stored_response(resp, self._store.change(work, _idempotent_request(req, body)))

    def _answer_repetition(self, req: falcon.Request, resp: falcon.Response, body: bytes) -> bool:
        """Answer a request that was applied before with its stored response; return False if it was not applied."""
        request = _idempotent_request(req, body)
        earlier = None if request is None else self._store.earlier_response(request)
        if earlier is not None:
            _set_stored_response(resp, earlier)
        return earlier is not None


class ProjectRunsResource(_Resource):
    """The runs of a project; with strict references a new run may only name existing records."""

    def __init__(self, store: Store, *, are_references_strict: bool = False) -> None:
        super().__init__(store)
        self._are_references_strict = are_references_strict

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Answer with a page of the project's runs."""
        query = queries.query_from(queries.RUN_PAGE, req.params)
        has_threads = queries.is_set(query, "threads")

        def question(reader: Reader) -> tuple[Page[RunRecord], References, Sequence[Sequence[int]]]:
            page = reader.run_page(project_id, query)
            rows = [record.row for record in page.items]
            expands = reader.references(rows, project_id, query["expands"])
            chunks = list(_run_chunks(rows)) if has_threads else []
            if len(chunks) == 1:  # nearly always: the whole page then comes from one snapshot
                records = reader.runs(chunks[0], has_threads=True)
                page = replace(page, items=[records[run_id] for run_id in chunks[0]])
            return page, expands, chunks

        page, expands, chunks = self._store.read(question)
        if len(chunks) > 1:
            resp.stream = self._stream_page(page, expands, chunks)
        else:
            _set_json(resp, {**views.page_view(page, views.run_view), "expands": expands})

    def _stream_page(
        self, page: Page[RunRecord], expands: References, chunks: Sequence[Sequence[int]]
    ) -> Iterator[bytes]:
        """Yield the JSON of a page in pieces, with the threads of one chunk in memory at a time.

        Each chunk is read in its own transaction: runs of different chunks may be of different moments.
        """
        envelope = {**views.page_view(replace(page, items=()), views.run_view), "expands": expands}
        envelope.pop("result")
        yield f'{json_text(envelope)[:-1]},"result":['.encode()
        separator = b""
        for run_ids in chunks:
            records = self._store.read(partial(Reader.runs, run_ids=run_ids, has_threads=True))
            for run_id in run_ids:
                if run_id in records:  # a run may have been removed since the page was read
                    yield separator + json_text(views.run_view(records[run_id])).encode()
                    separator = b","
        yield b"]}"

    def on_post(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Create a run."""
        body = received(req)
        run = body_from(body, schemas.RunBody).submission()
        is_strict = self._are_references_strict
        self._apply(req, resp, body, lambda writer: writer.create_run(project_id, run, are_references_strict=is_strict))


class RunResource(_Resource):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with the run, and with its threads unless ``threads=0``."""
        query = queries.query_from(queries.RUN_QUERY, req.params)

        def question(reader: Reader) -> tuple[RunRecord, References]:
            record = reader.run(run_id, None if queries.is_set(query, "threads") else 0)
            return record, reader.references([record.row], record.row["project"], query["expands"])

        record, expands = self._store.read(question)
        _set_json(resp, {"result": views.run_view(record), "expands": expands})


class RunAppendResource(_Resource):
    """Appends to a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Add fields, artifacts and links to the run."""
        body = received(req)
        attachments = body_from(body, schemas.RunAppendBody).attachments()
        self._apply(req, resp, body, lambda writer: writer.append_to_run(run_id, attachments))


class RunCompletionResource(_Resource):
    """The completion of a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Complete the run and its open threads."""
        body = received(req, missing=b"{}")
        measure = body_from(body, schemas.RunCompletionBody).measure_elapsed
        self._apply(req, resp, body, lambda writer: writer.complete_run(run_id, measure_elapsed=measure))


class RunThreadsResource(_Resource):
    """The threads of a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Create a thread."""
        body = received(req, missing=b"{}")
        thread = body_from(body, schemas.ThreadBody).submission()
        self._apply(req, resp, body, lambda writer: writer.create_thread(run_id, thread))


class RunTestsResource(_Resource):
    """The results of a run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with a page of the run's results."""
        query = queries.query_from(queries.TEST_PAGE, req.params)
        page = self._store.read(lambda reader: reader.test_page(run_id, query))
        _set_json(resp, views.page_view(page, views.test_view))


class ThreadAppendResource(_Resource):
    """Appends to a thread."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Add all tests of the body to the thread, or none of them."""
        body = received(req)
        # Read in a transaction before the write: validation of a large body must not hold the write lock.
        statuses = self._store.look(lambda connection: thread_statuses(connection, thread_id))
        if statuses is None:
            raise not_found("thread")
        try:
            addition = body_from(body, schemas.thread_append(statuses)).addition(statuses)
        except ApiError:
            # A repetition is valid even if the project has renamed a status of its tests since the first request.
            if not self._answer_repetition(req, resp, body):
                raise
            return
        self._apply(req, resp, body, lambda writer: writer.append_to_thread(thread_id, addition))


class ThreadCompletionResource(_Resource):
    """The completion of a thread."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Complete the thread."""
        body = received(req, missing=b"{}")
        observed, computed = body_from(body, schemas.ThreadCompletionBody).durations()
        self._apply(req, resp, body, lambda writer: writer.complete_thread(thread_id, observed, computed))


class ProjectSourcesResource(_Resource):
    """The sources of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Answer with a page of the project's sources."""
        query = queries.query_from(queries.SOURCE_PAGE, req.params)

        def question(reader: Reader) -> tuple[Page[Json], References]:
            page = reader.source_page(project_id, query)
            return page, reader.references(page.items, project_id, query["expands"])

        page, expands = self._store.read(question)
        _set_json(resp, {**views.page_view(page, views.source_view), "expands": expands})


class SourceResource(_Resource):
    """One source."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Answer with the source."""
        query = queries.query_from(queries.SOURCE_QUERY, req.params)

        def question(reader: Reader) -> tuple[Json, References]:
            source = reader.source(source_id)
            return source, reader.references([source], source["project"], query["expands"])

        row, expands = self._store.read(question)
        _set_json(resp, {"result": views.source_view(row), "expands": expands})


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


def _idempotent_request(req: falcon.Request, body: bytes) -> IdempotentRequest | None:
    """Return the request's idempotency key with its hash; None if it has no key."""
    key = req.context.get("idempotency_key")
    return None if key is None else IdempotentRequest.of(key, req.method, req.path, body)


def _apply_change(change: Callable[[Writer], int | None], writer: Writer) -> StoredResponse:
    record_id = change(writer)
    return StoredResponse(204) if record_id is None else StoredResponse(201, {"id": record_id})


def _set_stored_response(resp: falcon.Response, response: StoredResponse) -> None:
    resp.status = response.status
    if response.body is not None:
        _set_json(resp, response.body)


def _set_json(resp: falcon.Response, value: Json) -> None:
    resp.data = json_text(value).encode()
