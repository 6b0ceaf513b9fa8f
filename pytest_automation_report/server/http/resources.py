"""Answer the API's URLs: one class per URL, which reads or changes the store in one transaction.

Reads and changes are functions that the store calls, since it may have to run a transaction again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from pytest_automation_report.server.http import changes, documents, views
from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.http.request_body import received
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.store import IdempotentRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.store import Store, StoredResponse

    References: TypeAlias = dict[Reference, list[Json]]


class HealthResource:
    """Health check of the server; needs no token."""

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = b'{"status":"ok"}'


class _Resource:
    def __init__(self, store: Store) -> None:
        self._store = store


class ProjectRunsResource(_Resource):
    """The runs of a project; with strict references a new run may only name existing records."""

    def __init__(self, store: Store, *, are_references_strict: bool = False) -> None:
        super().__init__(store)
        self._are_references_strict = are_references_strict

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Answer with a page of the project's runs."""
        resp.stream = documents.runs_document(self._store, project_id, req.params)

    def on_post(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Create a run."""
        create_run = partial(changes.create_run, are_references_strict=self._are_references_strict)
        _apply(req, resp, partial(create_run, self._store, project_id))


class RunResource(_Resource):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with the run, and with its threads unless ``threads=0``."""
        resp.data = documents.run_document(self._store, run_id, req.params)


class RunAppendResource(_Resource):
    """Appends to a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Add fields, artifacts and links to the run."""
        _apply(req, resp, partial(changes.append_to_run, self._store, run_id))


class RunCompletionResource(_Resource):
    """The completion of a run; ``on_completed`` is called with its id once it is stored."""

    def __init__(self, store: Store, on_completed: Callable[[int], None]) -> None:
        super().__init__(store)
        self._on_completed = on_completed

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Complete the run and its open threads."""
        _apply(req, resp, partial(changes.complete_run, self._store, run_id), missing=b"{}")
        self._on_completed(run_id)


class RunThreadsResource(_Resource):
    """The threads of a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Create a thread."""
        _apply(req, resp, partial(changes.create_thread, self._store, run_id), missing=b"{}")


class RunTestsResource(_Resource):
    """The results of a run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with a page of the run's results."""
        resp.data = documents.tests_document(self._store, run_id, req.params)


class ThreadAppendResource(_Resource):
    """Appends to a thread."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Add all tests of the body to the thread, or none of them."""
        _apply(req, resp, partial(changes.append_to_thread, self._store, thread_id))


class ThreadCompletionResource(_Resource):
    """The completion of a thread."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Complete the thread."""
        _apply(req, resp, partial(changes.complete_thread, self._store, thread_id), missing=b"{}")


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


def _apply(
    req: falcon.Request,
    resp: falcon.Response,
    change: Callable[[bytes, IdempotentRequest | None], StoredResponse],
    missing: bytes | None = None,
) -> None:
    """Apply the change of a request, once for its idempotency key; ``missing`` stands for a body that was not sent."""
    body = received(req, missing)
    key = req.context.get("idempotency_key")
    response = change(body, None if key is None else IdempotentRequest.of(key, req.method, req.path, body))
    resp.status = response.status
    if response.body is not None:
        _set_json(resp, response.body)


def _set_json(resp: falcon.Response, value: Json) -> None:
    resp.data = json_text(value).encode()
