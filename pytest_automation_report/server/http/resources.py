"""Answer the API's URLs: each reads or changes the store in one transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.json import encode

from pytest_automation_report.server.http.changes import CHANGES, OPTIONAL_BODIES, complete_run, create_run
from pytest_automation_report.server.http.documents import DOCUMENTS
from pytest_automation_report.server.http.request_body import received
from pytest_automation_report.server.store.store import IdempotentRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import falcon

    from pytest_automation_report.server.http.changes import Change
    from pytest_automation_report.server.http.documents import Document
    from pytest_automation_report.server.http.middleware import ServerOptions
    from pytest_automation_report.server.store.store import Store


class HealthResource:
    """Health check of the server; needs no token."""

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        resp.data = b'{"status":"ok"}'


class ApiResource:
    """A URL with one id: what a GET of it returns, what a POST does, and what is called with the id after a POST."""

    def __init__(
        self, store: Store, document: Document | None, change: Change | None, done: Callable[[int], None] | None
    ) -> None:
        self._store = store
        self._done = done
        # falcon answers 405 for a method that a resource does not have.
        if document is not None:
            self.on_get = partial(self._read, document)
        if change is not None:
            self.on_post = partial(self._apply, change)

    def _read(self, document: Document, req: falcon.Request, resp: falcon.Response, record_id: int) -> None:
        content = document(self._store, record_id, req.params)
        if isinstance(content, bytes):
            resp.data = content
        else:
            resp.stream = content

    def _apply(self, change: Change, req: falcon.Request, resp: falcon.Response, record_id: int) -> None:
        """Apply a change, once for its idempotency key."""
        body = received(req, b"{}" if change in OPTIONAL_BODIES else None)
        key = req.context.get("idempotency_key")
        request = None if key is None else IdempotentRequest.of(key, req.method, req.path, body)
        response = change(self._store, record_id, body, request)
        resp.status = response.status
        if response.body is not None:
            resp.data = encode(response.body)
        if self._done is not None:
            self._done(record_id)


def api_resources(store: Store, options: ServerOptions) -> Iterator[tuple[str, ApiResource]]:
    """Yield the paths of the contract and those beside it, with ``{}`` for their id, and what answers them."""
    strictly = partial(create_run, are_references_strict=options.are_references_strict)
    for path in {**DOCUMENTS, **CHANGES}:
        change = CHANGES.get(path)
        done = options.on_run_completed if change is complete_run else None
        yield path, ApiResource(store, DOCUMENTS.get(path), strictly if change is create_run else change, done)
