"""The addresses of the API: each turns a request into one change or one question of the store (floor 2)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.http import schemas, views
from pytest_automation_report.server.http.fast_validation import tests_from
from pytest_automation_report.server.http.mistakes import Mistakes
from pytest_automation_report.server.http.request_body import object_from, received
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import attachments_from, json_text, run_from, thread_from
from pytest_automation_report.server.store.reads import Reader
from pytest_automation_report.server.store.store import IdempotentRequest, StoredResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import ThreadSubmission
    from pytest_automation_report.server.store.reads import Page, RunRecord
    from pytest_automation_report.server.store.references import Reference
    from pytest_automation_report.server.store.statuses import StatusTable
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

    References: TypeAlias = dict[Reference, list[Json]]

_THREADS_AT_ONCE: Final = 2_000
"""How many threads of a page's runs are in memory together, unless one run has more."""

_RUN_PAGE = queries.RunPageQuery()
_RUN_QUERY = queries.RunQuery()
_SOURCE_QUERY = queries.SourceQuery()
_TEST_PAGE = queries.TestPageQuery()
_SOURCE_PAGE = queries.SourcePageQuery()
_RUN = schemas.RunBody()
_RUN_APPEND = schemas.RunAppendBody()
_RUN_COMPLETION = schemas.RunCompletionBody()
_THREAD = schemas.ThreadBody()
_THREAD_COMPLETION = schemas.ThreadCompletionBody()


class HealthResource:
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
        work: Callable[[Writer], StoredResponse],
    ) -> None:
        """Do the work once for each idempotency key, and answer."""
        _answer(resp, self._store.change(work, _identity(req, body)))

    def _repeat(self, req: falcon.Request, resp: falcon.Response, body: bytes) -> bool:
        """Answer a request as it was answered before; return whether it was."""
        identity = _identity(req, body)
        earlier = None if identity is None else self._store.answer_to(identity)
        if earlier is not None:
            _answer(resp, earlier)
        return earlier is not None


class ProjectRunsResource(_Resource):
    """The runs of a project; with strict references a new one names only what is known."""

    def __init__(self, store: Store, *, are_references_strict: bool = False) -> None:
        super().__init__(store)
        self._are_references_strict = are_references_strict

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """List them."""
        query = queries.query_from(_RUN_PAGE, req.params)
        has_threads = queries.is_set(query, "threads")

        def question(reader: Reader) -> tuple[Page[RunRecord], References, Sequence[Sequence[int]]]:
            page = reader.run_page(project_id, query)
            rows = [record.row for record in page.items]
            expands = reader.references(rows, project_id, query["expands"])
            parts = list(_parts(rows)) if has_threads else []
            if len(parts) == 1:  # as nearly always: then the page is of one moment
                whole = reader.runs(parts[0], has_threads=True)
                page = replace(page, items=[whole[run_id] for run_id in parts[0]])
            return page, expands, parts

        page, expands, parts = self._store.read(question)
        if len(parts) > 1:
            resp.stream = self._streamed(page, expands, parts)
        else:
            _show(resp, {**views.page_view(page, views.run_view), "expands": expands})

    def _streamed(self, page: Page[RunRecord], expands: References, parts: Sequence[Sequence[int]]) -> Iterator[bytes]:
        """Give a page in pieces: never more threads in memory than one part has, and each run as of one moment."""
        envelope = {**views.page_view(replace(page, items=()), views.run_view), "expands": expands}
        envelope.pop("result")
        yield f'{json_text(envelope)[:-1]},"result":['.encode()
        separator = b""
        for run_ids in parts:
            records = self._store.read(partial(Reader.runs, run_ids=run_ids, has_threads=True))
            for run_id in run_ids:
                if run_id in records:  # it may have been removed since the page was read
                    yield separator + json_text(views.run_view(records[run_id])).encode()
                    separator = b","
        yield b"]}"

    def on_post(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Create one."""
        body = received(req)
        run = run_from(schemas.loaded(_RUN, object_from(body)))

        def work(writer: Writer) -> StoredResponse:
            made = writer.create_run(project_id, run, are_references_strict=self._are_references_strict)
            return StoredResponse(201, {"id": made})

        self._change(req, resp, body, work)


class RunResource(_Resource):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show it, with its threads unless they are not asked for."""
        query = queries.query_from(_RUN_QUERY, req.params)

        def question(reader: Reader) -> tuple[RunRecord, References]:
            record = reader.run(run_id, None if queries.is_set(query, "threads") else 0)
            return record, reader.references([record.row], record.row["project"], query["expands"])

        record, expands = self._store.read(question)
        _show(resp, {"result": views.run_view(record), "expands": expands})


class RunAppendResource(_Resource):
    """Where a run gets more fields, artifacts and links."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Add them."""
        body = received(req)
        attachments = attachments_from(schemas.loaded(_RUN_APPEND, object_from(body)))
        self._change(req, resp, body, _done(lambda writer: writer.append_to_run(run_id, attachments)))


class RunCompletionResource(_Resource):
    """Where a run is completed."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Complete it, and its open threads."""
        body = received(req, missing=b"{}")
        measure = schemas.loaded(_RUN_COMPLETION, object_from(body)).get("measure_elapsed", False)
        self._change(req, resp, body, _done(lambda writer: writer.complete_run(run_id, measure_elapsed=measure)))


class RunThreadsResource(_Resource):
    """The threads of a run."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Create one."""
        body = received(req, missing=b"{}")
        thread = thread_from(schemas.loaded(_THREAD, object_from(body)))
        self._change(req, resp, body, lambda writer: StoredResponse(201, {"id": writer.create_thread(run_id, thread)}))


class RunTestsResource(_Resource):
    """The results of a run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """List them."""
        query = queries.query_from(_TEST_PAGE, req.params)
        page = self._store.read(lambda reader: reader.test_page(run_id, query))
        _show(resp, views.page_view(page, views.test_view))


class ThreadAppendResource(_Resource):
    """Where a thread gets its tests."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Add them, all or nothing."""
        body = received(req)
        statuses = self._store.read(lambda reader: reader.thread_statuses(thread_id))
        try:
            addition = _addition(object_from(body), statuses)
        except ApiError:
            # What was taken before the project renamed a status is still what it was.
            if not self._repeat(req, resp, body):
                raise
            return
        self._change(req, resp, body, _done(lambda writer: writer.append_to_thread(thread_id, addition)))


class ThreadCompletionResource(_Resource):
    """Where a thread is completed."""

    def on_post(self, req: falcon.Request, resp: falcon.Response, thread_id: int) -> None:
        """Complete it."""
        body = received(req, missing=b"{}")
        final = schemas.loaded(_THREAD_COMPLETION, object_from(body))
        observed, computed = final.get("elapsed_observed"), final.get("elapsed_computed")
        self._change(req, resp, body, _done(lambda writer: writer.complete_thread(thread_id, observed, computed)))


class ProjectSourcesResource(_Resource):
    """The sources of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """List them."""
        query = queries.query_from(_SOURCE_PAGE, req.params)

        def question(reader: Reader) -> tuple[Page[Json], References]:
            page = reader.source_page(project_id, query)
            return page, reader.references(page.items, project_id, query["expands"])

        page, expands = self._store.read(question)
        _show(resp, {**views.page_view(page, views.source_view), "expands": expands})


class SourceResource(_Resource):
    """One source."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Show it."""
        query = queries.query_from(_SOURCE_QUERY, req.params)

        def question(reader: Reader) -> tuple[Json, References]:
            source = reader.source(source_id)
            return source, reader.references([source], source["project"], query["expands"])

        row, expands = self._store.read(question)
        _show(resp, {"result": views.source_view(row), "expands": expands})


def _parts(runs: Sequence[Json]) -> Iterator[list[int]]:
    """Give the ids of a page's runs in order, in parts whose threads may be in memory together."""
    part, threads = list[int](), 0
    for run in runs:
        if part and threads + run["thread_count"] > _THREADS_AT_ONCE:
            yield part
            part, threads = [], 0
        part.append(run["id"])
        threads += run["thread_count"]
    if part:
        yield part


def _identity(req: falcon.Request, body: bytes) -> IdempotentRequest | None:
    key = req.context.get("idempotency_key")
    return None if key is None else IdempotentRequest.of(key, req.method, req.path, body)


def _answer(resp: falcon.Response, answer: StoredResponse) -> None:
    resp.status = answer.status
    if answer.body is not None:
        resp.data = json_text(answer.body).encode()


def _show(resp: falcon.Response, value: Json) -> None:
    resp.data = json_text(value).encode()


def _done(work: Callable[[Writer], None]) -> Callable[[Writer], StoredResponse]:
    """Return the work with the answer of operations that give nothing back."""

    def _work(writer: Writer) -> StoredResponse:
        work(writer)
        return StoredResponse(204)

    return _work


def _addition(body: Mapping[str, Any], statuses: StatusTable) -> ThreadSubmission:
    mistakes = Mistakes()
    rest = {name: value for name, value in body.items() if name != "tests"}
    properties = schemas.checked(_THREAD, rest, mistakes)
    tests = tests_from(body.get("tests", []), statuses, mistakes)
    mistakes.refuse()
    return thread_from(properties, tests, statuses)
