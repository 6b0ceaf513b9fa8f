"""Connect to what takes results and files: a client of a server or of the embedded store, and the stores of files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from pytest_automation_report.api.artifacts import address_of, file_name, is_bucket, shown_store
from pytest_automation_report.api.responses import StoredFile
from pytest_automation_report.text.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import ArtifactStoreConfig, Endpoint, Token


PIECE_BYTES: Final = 1 << 20
"""Number of bytes of a file that are read at once."""

_NAME_CHARACTERS: Final = 50  # each may become twelve in a URL, which has a limit

_UNKNOWN_MEDIA_TYPE: Final = "application/octet-stream"


class ArtifactStoreError(Exception):
    """A file cannot be stored, and a retry would not help; the message is a short reason."""


class ArtifactStore(Protocol):
    """Stores files; the same content is stored once, so that an upload may be repeated at any time."""

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Store a file of ``size`` bytes and return where it can be read.

        Raises `ArtifactStoreError`, or one of the client's errors.
        """
        ...


class ServerStore(Struct, frozen=True):
    """The server that results go to, if it is one of ours."""

    client: Client

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Store a file beside the results."""
        del mime_type  # the server detects it from the content
        max_bytes = self.client.artifact_bytes or 0
        if size > max_bytes:
            raise ArtifactStoreError(f"it has more than {max_bytes:,} bytes")
        return self.client.put_artifact(file, size, name[-_NAME_CHARACTERS:])


def key_of(file: BinaryIO, name: str) -> str:
    """Return the key of a file in a store: its hash, a slash, and its name in characters that every system accepts."""
    digest = sha256()
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    file.seek(0)
    return f"{digest.hexdigest()}/{file_name(name)[-_NAME_CHARACTERS:]}"


def stored_file(url: str, name: str, mime_type: str | None) -> StoredFile:
    """Describe a file that a store has at a URL; raises `ArtifactStoreError` if results cannot refer to that URL."""
    try:
        return StoredFile(url, mime_type or guess_type(name)[0] or "")
    except ValueError as error:
        raise ArtifactStoreError(str(error)) from error


class FolderStore(Struct, frozen=True):
    """A folder on this machine, whose files the CI or another program serves; ``template`` is for their URLs."""

    folder: Path
    template: str

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Store a file under its hash, completely or not at all."""
        del size
        key = key_of(file, name)
        path = self.folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two senders may store the same file, and a reader must not see half of it.
            replace_file(path, iter(lambda: file.read(PIECE_BYTES), b""))
        except OSError as error:
            raise ArtifactStoreError(f"{self.folder} cannot be written: {error.strerror or error}") from error
        return stored_file(address_of(self.template, key, name), name, mime_type)


def artifact_store_for(config: ArtifactStoreConfig | None, clock: Callable[[], float]) -> ArtifactStore | None:
    """Create the user's own store, None if the user has none; ``clock`` is in seconds."""
    if config is None:
        return None
    if not is_bucket(config.address):
        return FolderStore(Path(config.address), config.url)
    return BucketStore(config, clock)


SIGNED_FOR: Final = timedelta(days=7)
"""How long a URL that the bucket signs is valid: the longest time that S3 allows."""

_RETRIES: Final = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_TIMEOUTS: Final = {"timeout": "30s", "connect_timeout": "5s"}
_PAUSE_SECONDS: Final = 60.0


class BucketStore:
    """Stores files in a bucket of S3, Google Cloud Storage or Azure, with retries.

    After a failure nothing is tried for a minute: the results of a session must not each wait for the same error. The
    environment variables that open the bucket are set in this process, which is the sender.
    """

    def __init__(self, config: ArtifactStoreConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._bucket: Any = None
        self._failed_at: float | None = None
        self._failure = ""

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Store a file under its hash."""
        import obstore  # noqa: PLC0415 - an extra that only a session with a bucket needs
        from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

        del size
        if self._failed_at is not None and self._clock() - self._failed_at < _PAUSE_SECONDS:
            raise ArtifactStoreError(self._failure)
        key = key_of(file, name)
        try:
            if self._bucket is None:
                self._bucket = self._open()
            attributes = {"Content-Type": stored_file("https://host", name, mime_type).mime_type or _UNKNOWN_MEDIA_TYPE}
            obstore.put(self._bucket, key, file, attributes=attributes)
            url = self._url(key, name)
        except (BaseError, ValueError, OSError) as error:
            self._failed_at, self._failure = self._clock(), f"{shown_store(self._config.address)}: {_first_line(error)}"
            raise ArtifactStoreError(self._failure) from error
        return stored_file(url, name, mime_type)

    def _open(self) -> Any:  # noqa: ANN401 - a store of any kind
        from obstore.store import from_url  # noqa: PLC0415 - an extra that only a session with a bucket needs

        os.environ.update(self._config.environ)
        is_plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
        open_bucket: Any = from_url  # untyped: it has an overload for each kind of bucket, and the URL selects it
        return open_bucket(
            self._config.address, client_options={**_TIMEOUTS, "allow_http": is_plain}, retry_config=_RETRIES
        )

    def _url(self, key: str, name: str) -> str:
        if self._config.url:
            return address_of(self._config.url, key, name)
        import obstore  # noqa: PLC0415 - an extra that only a session with a bucket needs

        return str(obstore.sign(self._bucket, "GET", key, SIGNED_FOR))


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, 200 characters at most: pytest's summary shows no more."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def import_client(*, is_embedded: bool) -> None:
    """Import the modules that `connected` needs: the sender does so before it knows its session."""
    if is_embedded:
        import pytest_automation_report.server.api.embedded  # noqa: PLC0415 - servers need no store
    else:
        import pytest_automation_report.api.http  # noqa: F401, PLC0415 - loads requests, 100 ms


@contextmanager
def connected(
    endpoint: Endpoint,
    token: Token,
    *,
    deadline_seconds: float,
    on_answer: Callable[[Mapping[str, str]], None] | None = None,
) -> Iterator[Client]:
    """Yield a client of this endpoint.

    Requests to the embedded store are applied to it in this process. ``deadline_seconds`` bounds each request to a
    server as a whole. ``on_answer`` is called with the headers of each response of a server.
    """
    if endpoint.is_embedded:
        from pytest_automation_report.server.api.embedded import StoreClient  # noqa: PLC0415 - servers need no store

        with StoreClient(Path(endpoint.database), endpoint.project_id) as store_client:
            yield store_client
        return
    from pytest_automation_report.api.http import HttpClient, new_session  # noqa: PLC0415 - loads requests, 100 ms

    with new_session(proxies=endpoint.proxies, ca_file=endpoint.ca_file) as session:
        if on_answer is not None:
            session.hooks["response"].append(lambda response, **_: on_answer(response.headers))
        yield HttpClient(
            session, endpoint.origin, token, project_id=endpoint.project_id, deadline_seconds=deadline_seconds
        )
