"""Apply the client's requests to the store in this process: no HTTP, no socket, no second check of the sender's bodies.

The requests are those that `api.http_client` sends to a server, and each has the same outcome: the same rows, the same
parsed response, or the error of the same class with the same message. Lists, and bodies that are not plain (see
`bodies`), go through the code of the server.
"""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_automation_report.api.classification import HttpResponse, classify
from pytest_automation_report.api.client import Client
from pytest_automation_report.api.extensions import EXTENSIONS
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.embedded import bodies
from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES
from pytest_automation_report.server.store.errors import ApiError, not_found
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.project_rows import thread_statuses
from pytest_automation_report.server.store.store import IdempotentRequest, Store, StoredResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from typing_extensions import Self

    from pytest_automation_report.api.classification import RequestInfo
    from pytest_automation_report.api.client import Query
    from pytest_automation_report.api.models import Json, PostgresDatabase
    from pytest_automation_report.server.http.schemas import Body
    from pytest_automation_report.server.store.writes import Writer

__all__ = ["StoreClient"]

T = TypeVar("T")
_Value = TypeVar("_Value")

_API: Final = "/api/v1/"
_INTERNAL_ERROR: Final = 500


class StoreClient(Client):
    """Client of one project of an embedded store; a context manager that closes the store.

    The first request opens the store, and raises `StoreError` if that fails. Several threads may use a client.
    ``clock`` returns the store's time in microseconds since 1970, None for that of the machine.
    """

    def __init__(
        self, database: Path | PostgresDatabase, project_id: int, *, clock: Callable[[], int] | None = None
    ) -> None:
        super().__init__(project_id)
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        # A store of this release knows all of this; no response needs to show it.
        self._knows_keys = self._has_answered = True
        self._artifact_bytes = MAX_CONTENT_BYTES
        self._extensions = frozenset(EXTENSIONS)

    def __repr__(self) -> str:
        return f"StoreClient({str(self._database)!r}, project_id={self._project_id})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rest(self) -> None:
        """Do nothing: an open file occupies no connection of a server."""

    def close(self) -> None:
        """Close the store; a later request opens it again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _call(
        self,
        info: RequestInfo,
        parse: Callable[[object], T],
        *,
        body: bytes | None = None,
        file: tuple[BinaryIO, int] | None = None,
        query: Query | None = None,
        key: str = "",
    ) -> T:
        """Apply one request and return ``parse`` of its response, or raise the error of its response's class."""
        store = self._opened()
        try:
            if file is not None:
                document: object = _stored_file(store, file[0], (query or {})["name"])
            elif body is None:
                document = _read(store, info.path.removeprefix(_API).split("/"), query or {})
            else:
                request = IdempotentRequest.of(key, info.method, info.path, body) if key else None
                document = _changed(store, info.path.removeprefix(_API).split("/"), body, request).body
        except ApiError as error:
            errors = {"errors": {name: list(texts) for name, texts in error.errors.items()}} if error.errors else {}
            text = json_text({"message": error.message, **errors})
            retry_after = error.headers.get("Retry-After", "")
            response = HttpResponse(error.status, text.encode("utf-8", "replace"), retry_after)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - damaged files and bugs: whether the request was applied is unknown
            text = json_text({"message": f"The store failed: {type(error).__name__}: {error}"})
            response = HttpResponse(_INTERNAL_ERROR, text.encode("utf-8", "replace"))
        else:
            return parse(document)
        return classify(info, response, parse, was_sent=True)

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                clock = self._clock
                self._store = Store(self._database) if clock is None else Store(self._database, clock=clock)
            return self._store


def _stored_file(store: Store, content: BinaryIO, name: str) -> Json:
    from pytest_automation_report.server.store.artifacts import ArtifactContents, stored_artifact  # noqa: PLC0415 - few sessions have files

    return stored_artifact(ArtifactContents(store).put(content), name)


def _changed(store: Store, path: list[str], body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Apply a request that changes the store; the paths are those of the client's methods."""
    match path:
        case ["projects", project, "automation", "runs"]:
            run = _value(body, bodies.run_from, "RunBody", lambda read: read.submission())
            return _applied(store, request, lambda writer: writer.create_run(int(project), run))
        case ["automation", "runs", "threads", thread, "append"]:
            return _appended(store, int(thread), body, request)
        case ["automation", "runs", "threads", thread, "complete"]:
            observed, computed = _value(
                body, bodies.durations_from, "ThreadCompletionBody", lambda read: read.durations()
            )
            return _applied(store, request, lambda writer: writer.complete_thread(int(thread), observed, computed))
        case ["automation", "runs", run_id, "threads"]:
            submission = _value(body, bodies.thread_from, "ThreadBody", lambda read: read.submission())
            return _applied(store, request, lambda writer: writer.create_thread(int(run_id), submission))
        case ["automation", "runs", run_id, "append"]:
            attachments = _value(body, bodies.attachments_from, "RunAppendBody", lambda read: read.attachments())
            return _applied(store, request, lambda writer: writer.append_to_run(int(run_id), attachments))
        case ["automation", "runs", run_id, "complete"]:
            measure = _value(body, bodies.completion_from, "RunCompletionBody", lambda read: read.measure_elapsed)
            return _applied(store, request, lambda writer: writer.complete_run(int(run_id), measure_elapsed=measure))
    raise AssertionError(f"/{'/'.join(path)} is no request of the client")


def _appended(store: Store, thread_id: int, body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Append to a thread, with the statuses of its project."""
    statuses = store.look(lambda connection: thread_statuses(connection, thread_id))
    if statuses is None:
        raise not_found("thread")
    document = bodies.document_from(body)
    addition = None if document is None else bodies.append_from(document, statuses)
    if addition is None:
        from pytest_automation_report.server.http import schemas  # noqa: PLC0415 - seldom

        try:
            addition = _checked(body, schemas.thread_append(statuses)).addition(statuses)
        except ApiError:
            # A repetition is valid even if the project has renamed a status of its tests since the first request.
            earlier = None if request is None else store.earlier_response(request)
            if earlier is None:
                raise
            return earlier
    plain = addition
    return _applied(store, request, lambda writer: writer.append_to_thread(thread_id, plain))


def _value(body: bytes, plain: Callable[[Json], _Value | None], declared: str, read: Callable[[Any], _Value]) -> _Value:
    """Return the value of a body: that of a plain one, or of one that was read as the server reads it."""
    document = bodies.document_from(body)
    value = None if document is None else plain(document)
    if value is not None:
        return value
    from pytest_automation_report.server.http import schemas  # noqa: PLC0415 - seldom

    return read(_checked(body, getattr(schemas, declared)))


def _checked(body: bytes, declared: type[Body]) -> Any:  # noqa: ANN401 - the declared body
    """Return a body as the server reads it; raises `ApiError` with all its mistakes."""
    from pytest_automation_report.server.http.request_body import body_from, check_length  # noqa: PLC0415 - seldom

    check_length(len(body))
    return body_from(body, declared)


def _applied(store: Store, request: IdempotentRequest | None, change: Callable[[Writer], int | None]) -> StoredResponse:
    return store.change(partial(StoredResponse.of, change), request)


def _read(store: Store, path: list[str], query: Query) -> object:
    """Return the JSON of a request that changes nothing, as a client reads it from a server."""
    match path:
        case ["automation", "runs", run_id, "findings"]:
            from pytest_automation_report.server.store.findings import findings  # noqa: PLC0415 - only some need it

            base = query.get("base")
            return json.loads(json_text({"result": findings(store, int(run_id), None if base is None else int(base))}))
        case ["automation", "sources", source, "flaky"]:
            from pytest_automation_report.server.store.flaky import flaky_tests  # noqa: PLC0415 - as above

            return json.loads(json_text({"result": flaky_tests(store, int(source), query.get("branch"))}))
    return json.loads(_list_or_record(store, path, query))


def _list_or_record(store: Store, path: list[str], query: Query) -> bytes:
    from pytest_automation_report.server.http import documents  # noqa: PLC0415 - loads peewee and msgspec

    match path:
        case ["automation", "runs", run_id]:
            return documents.run_document(store, int(run_id), query)
        case ["automation", "runs", run_id, "results"]:
            return documents.results_document(store, int(run_id), query)
        case ["automation", "runs", run_id, "tests"]:
            return documents.tests_document(store, int(run_id), query)
        case ["projects", project, "automation", "runs"]:
            runs = documents.runs_document(store, int(project), query)
            return runs if isinstance(runs, bytes) else b"".join(runs)
        case ["projects", project, "automation", "sources"]:
            return documents.sources_document(store, int(project), query)
    raise AssertionError(f"/{'/'.join(path)} is no request of the client")
