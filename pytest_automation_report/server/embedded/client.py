"""Apply the client's requests to the store in this process, without HTTP and without a socket.

The requests are those that `api.http` sends to a server, and the functions behind the server's URLs apply them:
`server.http.changes` and `server.http.documents`.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_automation_report.api.classification import HttpResponse, classify
from pytest_automation_report.api.client import Client
from pytest_automation_report.api.extensions import EXTENSIONS
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.http import changes
from pytest_automation_report.server.store.artifact_urls import MAX_CONTENT_BYTES
from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.store import IdempotentRequest, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from typing_extensions import Self

    from pytest_automation_report.api.classification import ApiRequest
    from pytest_automation_report.api.models import Json, PostgresDatabase
    from pytest_automation_report.server.store.store import StoredResponse

T = TypeVar("T")

_API: Final = "/api/v1/"
_INTERNAL_ERROR: Final = 500


class StoreClient(Client):
    """Client of one project of an embedded store; a context manager that closes the store.

    The first request opens the store, and raises `StoreError` if that fails. Several threads may use a client.
    ``clock`` returns the store's time in microseconds since 1970, None for that of the machine. ``artifact_bytes`` is
    the size of the largest file that is stored.
    """

    def __init__(
        self,
        database: Path | PostgresDatabase,
        project_id: int,
        *,
        clock: Callable[[], int] | None = None,
        artifact_bytes: int = MAX_CONTENT_BYTES,
    ) -> None:
        super().__init__(project_id)
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        # A store of this release knows all of this; no response needs to show it.
        self._knows_keys = self._has_answered = True
        self._artifact_bytes = artifact_bytes
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

    def _call(self, request: ApiRequest, parse: Callable[[object], T]) -> T:
        """Apply one request and return ``parse`` of its response, or raise the error of its response's class."""
        store, path = self._opened(), request.path.removeprefix(_API).split("/")
        try:
            if request.file is not None:
                document: object = _stored_file(store, request.file[0], request.query["name"])
            elif request.body is None:
                document = _read(store, path, request.query)
            else:
                document = _changed(store, path, request.body, _idempotent(request)).body
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
        return classify(request, response, parse, was_sent=True)

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                clock = self._clock
                self._store = Store(self._database) if clock is None else Store(self._database, clock=clock)
            return self._store


def _stored_file(store: Store, content: BinaryIO, name: str) -> Json:
    from pytest_automation_report.server.store.artifacts import ArtifactContents, stored_artifact  # noqa: PLC0415 - few sessions have files

    return stored_artifact(ArtifactContents(store).put(content), name)


def _idempotent(request: ApiRequest) -> IdempotentRequest | None:
    if not request.key or request.body is None:
        return None
    return IdempotentRequest.of(request.key, request.method, request.path, request.body)


def _changed(store: Store, path: list[str], body: bytes, request: IdempotentRequest | None) -> StoredResponse:
    """Apply a request that changes the store; the paths are those of the client's methods."""
    match path:
        case ["projects", project, "automation", "runs"]:
            return changes.create_run(store, int(project), body, request)
        case ["automation", "runs", "threads", thread, "append"]:
            return changes.append_to_thread(store, int(thread), body, request)
        case ["automation", "runs", "threads", thread, "complete"]:
            return changes.complete_thread(store, int(thread), body, request)
        case ["automation", "runs", run_id, "threads"]:
            return changes.create_thread(store, int(run_id), body, request)
        case ["automation", "runs", run_id, "append"]:
            return changes.append_to_run(store, int(run_id), body, request)
        case ["automation", "runs", run_id, "complete"]:
            return changes.complete_run(store, int(run_id), body, request)
    raise AssertionError(f"/{'/'.join(path)} is no request of the client")


def _read(store: Store, path: list[str], query: Mapping[str, str]) -> object:
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


def _list_or_record(store: Store, path: list[str], query: Mapping[str, str]) -> bytes:
    from pytest_automation_report.server.http import documents  # noqa: PLC0415 - loads peewee

    match path:
        case ["automation", "runs", run_id]:
            return documents.run_document(store, int(run_id), query)
        case ["automation", "runs", run_id, "results"]:
            return documents.results_document(store, int(run_id), query)
        case ["automation", "runs", run_id, "tests"]:
            return documents.tests_document(store, int(run_id), query)
        case ["projects", project, "automation", "runs"]:
            return b"".join(documents.runs_document(store, int(project), query))
        case ["projects", project, "automation", "sources"]:
            return documents.sources_document(store, int(project), query)
    raise AssertionError(f"/{'/'.join(path)} is no request of the client")
