"""Answer the API's URLs: one class per URL, which reads or changes the store in one transaction.

Reads and changes are functions that the store calls, since it may have to run a transaction again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from pytest_automation_report.server.http import documents, schemas, views
from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.http.request_body import body_from, received
from pytest_automation_report.server.store.errors import ApiError, not_found
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.project_rows import thread_statuses
from pytest_automation_report.server.store.store import IdempotentRequest, StoredResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

    References: TypeAlias = dict[Reference, list[Json]]


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
        work = partial(StoredResponse.of, change)
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
        document = documents.runs_document(self._store, project_id, req.params)
        if isinstance(document, bytes):
            resp.data = document
        else:
            resp.stream = document

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
        resp.data = documents.run_document(self._store, run_id, req.params)


class RunAppendResource(_Resource):
    """Appends to a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Add fields, artifacts and links to the run."""
        body = received(req)
        attachments = body_from(body, schemas.RunAppendBody).attachments()
        self._apply(req, resp, body, lambda writer: writer.append_to_run(run_id, attachments))


class RunCompletionResource(_Resource):
    """The completion of a run; ``on_completed`` is called with its id once it is stored."""

    def __init__(self, store: Store, on_completed: Callable[[int], None]) -> None:
        super().__init__(store)
        self._on_completed = on_completed

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Complete the run and its open threads."""
        body = received(req, missing=b"{}")
        measure = body_from(body, schemas.RunCompletionBody).measure_elapsed
        self._apply(req, resp, body, lambda writer: writer.complete_run(run_id, measure_elapsed=measure))
        self._on_completed(run_id)


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
        resp.data = documents.tests_document(self._store, run_id, req.params)


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
        resp.data = documents.sources_document(self._store, project_id, req.params)


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


def _idempotent_request(req: falcon.Request, body: bytes) -> IdempotentRequest | None:
    """Return the request's idempotency key with its hash; None if it has no key."""
    key = req.context.get("idempotency_key")
    return None if key is None else IdempotentRequest.of(key, req.method, req.path, body)


def _set_stored_response(resp: falcon.Response, response: StoredResponse) -> None:
    resp.status = response.status
    if response.body is not None:
        _set_json(resp, response.body)


def _set_json(resp: falcon.Response, value: Json) -> None:
    resp.data = json_text(value).encode()
