"""Apply the client's requests to the store in this process, without HTTP and without a socket.

The requests are those that `api.http` sends to a server, and the functions behind the server's URLs apply them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_automation_report.api.client import Client
from pytest_automation_report.api.models import EXTENSIONS, PostgresDatabase
from pytest_automation_report.api.responses import ApiRequest, HttpResponse, classify
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.api.bodies import POSTS
from pytest_automation_report.server.store.contents import MAX_CONTENT_BYTES, ArtifactContents, stored_artifact
from pytest_automation_report.server.store.migrations import Opening
from pytest_automation_report.server.store.store import Store, now_us
from pytest_automation_report.server.store.values import ApiError, json_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self


T = TypeVar("T")

_API: Final = "/api/v1"


class StoreClient(Client):
    """Client of one project of an embedded store; a context manager that closes the store.

    The first request opens the store, and raises `StoreError` if that fails. Several threads may use a client.
    ``clock`` returns the store's time in microseconds since 1970, ``migration_seconds`` are those of `Opening`.
    """

    def __init__(
        self,
        database: Path | PostgresDatabase,
        project_id: int,
        *,
        clock: Callable[[], int] = now_us,
        artifact_bytes: int = MAX_CONTENT_BYTES,
        migration_seconds: float | None = None,
    ) -> None:
        super().__init__(project_id)
        self._database = database
        self._clock = clock
        self._opening = Opening(migration_seconds=migration_seconds)
        self._lock = threading.Lock()
        self._store: Store | None = None
        # A store of this release knows all of this; no response needs to show it.
        self.knows_keys = self.has_answered = True
        self.artifact_bytes = artifact_bytes
        self.extensions = frozenset(EXTENSIONS)

    def __repr__(self) -> str:
        return f"StoreClient({str(self._database)!r}, project_id={self._project_id})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store; a later request opens it again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _call(self, request: ApiRequest, parse: Callable[[object], T]) -> T:
        """Apply one request and return ``parse`` of its response, or raise the error of its response's class."""
        try:
            store = self._opened()
            if request.file is not None:
                stored = ArtifactContents(store).put(request.file[0])
                document: object = stored_artifact(stored, request.query["name"])
            elif request.body is None:
                document = _read(store, request)
            else:
                path, record_id = _addressed(request)
                created = POSTS[path](store, record_id, request.body, request.path, request.key)
                document = None if created is None else {"id": created}
        except StoreError:
            raise
        except ApiError as error:
            text = json_text(error.document)
            retry_after = error.headers.get("Retry-After", "")
            response = HttpResponse(error.status, text.encode("utf-8", "replace"), retry_after)
        except Exception as error:  # noqa: BLE001 - damaged files and bugs: whether the request was applied is unknown
            text = json_text({"message": f"The store failed: {type(error).__name__}: {error}"})
            response = HttpResponse(500, text.encode("utf-8", "replace"))
        else:
            return parse(document)
        return classify(request, response, parse, was_sent=True)

    def _opened(self) -> Store:
        with self._lock:
            if self._store is None:
                self._store = Store(self._database, clock=self._clock, opening=self._opening)
            return self._store


def _addressed(request: ApiRequest) -> tuple[str, int]:
    """Return the path of a request with ``{}`` for its id, and the id."""
    parts = request.path.removeprefix(_API).split("/")
    return "/".join("{}" if part.isdigit() else part for part in parts), int(next(filter(str.isdigit, parts)))


def _read(store: Store, request: ApiRequest) -> object:
    """Return the JSON of a request that changes nothing, as a client reads it from a server."""
    from pytest_automation_report.server.api.documents import DOCUMENTS  # noqa: PLC0415 - only some sessions read

    path, record_id = _addressed(request)
    return DOCUMENTS[path].values(store, record_id, request.query)
