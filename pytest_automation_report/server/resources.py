"""The addresses of the API: each turns a request into one change or one question of the store (floor 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_automation_report.server import queries, schemas, views
from pytest_automation_report.server.bodies import MAX_BODY_BYTES, object_from
from pytest_automation_report.server.refusals import RefusalError
from pytest_automation_report.server.shapes import common_tests
from pytest_automation_report.server.store import Answer, Identity
from pytest_automation_report.server.submissions import (
    attachments_from,
    json_text,
    run_from,
    test_from,
    thread_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import falcon

    from pytest_automation_report.model import Json
    from pytest_automation_report.server.store import Store
    from pytest_automation_report.server.submissions import ThreadSubmission
    from pytest_automation_report.server.writes import Writer

_RUN_PAGE = queries.RunPageQuery()
_TEST_PAGE = queries.TestPageQuery()
_SOURCE_PAGE = queries.SourcePageQuery()
_RUN = schemas.RunBody()
_RUN_APPEND = schemas.RunAppendBody()
_RUN_COMPLETION = schemas.RunCompletionBody()
_THREAD = schemas.ThreadBody()
_THREAD_APPEND = schemas.ThreadAppendBody()
_THREAD_COMPLETION = schemas.ThreadCompletionBody()


class Health:
    """Whether the server answers; needs no token and tells nothing."""

    def on_get(self, _: falcon.Request, resp: falcon.Response) -> None:
        """Say so."""
        resp.data = b'{"status":"ok"}'


class _Resource:
    def __init__(self, store: Store) -> None:
        self._store = store

    def _change(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        body: bytes,
        work: Callable[[Writer], Answer],
    ) -> None:
        """Do the work once for each idempotency key, and answer."""
        key = req.context.get("idempotency_key")
        identity = None if key is None else Identity.of(key, req.method, req.path, body)
        answer = self._store.change(work, identity)
        resp.status = answer.status
        if answer.body is not None:
            resp.data = json_text(answer.body).encode()


class ProjectRuns(_Resource):
    """The runs of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """List them."""
        query = queries.query_from(_RUN_PAGE, req.params)
        page = self._store.read(lambda reader: reader.run_page(project_id, query))
        _show(resp, {**views.page_view(page, views.run_view), "expands": {}})

    def on_post(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Create one."""
        body = _body(req)
        run = run_from(schemas.loaded(_RUN, object_from(body)))
        self._change(req, resp, body, lambda writer: Answer(201, {"id": writer.create_run(project_id, run)}))


class Run(_Resource):
    """One run."""

    def on_get(self, _: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show it with its threads."""
        record = self._store.read(lambda reader: reader.run(run_id))
        _show(resp, {"result": views.run_view(record), "expands": {}})


class RunAppend(_Resource):
    """Where a run gets more fields, artifacts and links."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Add them."""
        body = _body(req)
        attachments = attachments_from(schemas.loaded(_RUN_APPEND, object_from(body)))
        self._change(req, resp, body, _done(lambda writer: writer.append_to_run(run_id, attachments)))


class RunCompletion(_Resource):
    """Where a run is completed."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Complete it, and its open threads."""
        body = _body(req, missing=b"{}")
        measure = schemas.loaded(_RUN_COMPLETION, object_from(body)).get("measure_elapsed", False)
        self._change(req, resp, body, _done(lambda writer: writer.complete_run(run_id, measure_elapsed=measure)))


class RunThreads(_Resource):
    """The threads of a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Create one."""
        body = _body(req, missing=b"{}")
        thread = thread_from(schemas.loaded(_THREAD, object_from(body)))
        self._change(req, resp, body, lambda writer: Answer(201, {"id": writer.create_thread(run_id, thread)}))


class RunTests(_Resource):
    """The results of a run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """List them."""
        query = queries.query_from(_TEST_PAGE, req.params)
        page = self._store.read(lambda reader: reader.test_page(run_id, query))
        _show(resp, views.page_view(page, views.test_view))


class ThreadAppend(_Resource):
    """Where a thread gets its tests."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Add them, all or nothing."""
        body = _body(req)
        addition = _addition(object_from(body))
        self._change(req, resp, body, _done(lambda writer: writer.append_to_thread(thread_id, addition)))


class ThreadCompletion(_Resource):
    """Where a thread is completed."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Complete it."""
        body = _body(req, missing=b"{}")
        final = schemas.loaded(_THREAD_COMPLETION, object_from(body))
        observed, computed = final.get("elapsed_observed"), final.get("elapsed_computed")
        self._change(req, resp, body, _done(lambda writer: writer.complete_thread(thread_id, observed, computed)))


class ProjectSources(_Resource):
    """The sources of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """List them."""
        query = queries.query_from(_SOURCE_PAGE, req.params)
        page = self._store.read(lambda reader: reader.source_page(project_id, query))
        _show(resp, {**views.page_view(page, views.source_view), "expands": {}})


class Source(_Resource):
    """One source."""

    def on_get(self, _: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Show it."""
        row = self._store.read(lambda reader: reader.source(source_id))
        _show(resp, {"result": views.source_view(row), "expands": {}})


def _show(resp: falcon.Response, value: Json) -> None:
    resp.data = json_text(value).encode()


def _done(work: Callable[[Writer], None]) -> Callable[[Writer], Answer]:
    """Return the work with the answer of operations that give nothing back."""

    def _work(writer: Writer) -> Answer:
        work(writer)
        return Answer(204)

    return _work


def _addition(body: Mapping[str, Any]) -> ThreadSubmission:
    tests = common_tests(body.get("tests", []))
    if tests is not None:
        rest = {name: value for name, value in body.items() if name != "tests"}
        return thread_from(schemas.loaded(_THREAD_APPEND, rest), tests)
    loaded = schemas.loaded(_THREAD_APPEND, body)
    return thread_from(loaded, [test_from(test) for test in loaded["tests"]])


def _body(req: falcon.Request, missing: bytes | None = None) -> bytes:
    """Return the body; ``missing`` stands for one that was not sent, where that is allowed."""
    length = req.content_length or 0
    if length > MAX_BODY_BYTES:
        raise RefusalError(413, f"The request body has {length} bytes; at most {MAX_BODY_BYTES} are read.")
    body = req.bounded_stream.read(length) if length else b""
    if not body:
        if missing is None:
            raise RefusalError(400, "The request has no body; send a JSON object.")
        return missing
    if (req.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise RefusalError(415, "The request body must be sent as application/json.")
    if req.get_header("Content-Encoding", default="identity").lower() != "identity":
        raise RefusalError(415, "Encoded request bodies are not read; send plain JSON.")
    return body
