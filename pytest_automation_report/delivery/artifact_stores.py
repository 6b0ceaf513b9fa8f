"""Who keeps the files of results (floor 3): a server of ours, or a store of the user's own.

The user's own store of files (floor 3): a folder, or a bucket.

Files of results in a bucket of the user's own (floor 3): S3, Google Cloud Storage, Azure.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_automation_report.api.artifacts import StoredFile, address_of, file_name, is_bucket

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import ArtifactStoreConfig

PIECE_BYTES: Final = 1 << 20
"""How much of a file is read at once."""
_NAME_CHARACTERS: Final = 50  # each may become twelve in an address, which has to fit


class ArtifactStoreError(Exception):
    """A file cannot be kept, and trying again would not help; the message says why, in a few words."""


class ArtifactStore(Protocol):
    """Takes files; a content that it has is not kept twice, so that an upload may be repeated at any time."""

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file and return where it can be read.

        Raises `ArtifactStoreError`, or one of the client's errors.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServerStore:
    """The server that results go to, where it is one of ours."""

    client: Client

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file beside the results."""
        del mime_type  # the server looks at the content itself
        most = self.client.artifact_bytes or 0
        if size > most:
            raise ArtifactStoreError(f"the server keeps no file of more than {most:,} bytes")
        return self.client.put_artifact(file, size, name[-_NAME_CHARACTERS:])


def key_of(file: BinaryIO, name: str) -> str:
    """Return where a file stands in a store: below its hash, under its own name as far as every system takes it."""
    digest = sha256()
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    file.seek(0)
    return f"{digest.hexdigest()}/{file_name(name)[-_NAME_CHARACTERS:]}"


def stored_at(url: str, name: str, mime_type: str | None) -> StoredFile:
    """Return what a store keeps at an address; raises `ArtifactStoreError` when results cannot refer to that."""
    try:
        return StoredFile(url, mime_type or guess_type(name)[0] or "")
    except ValueError as error:
        raise ArtifactStoreError(str(error)) from error


@dataclass(frozen=True, slots=True)
class FolderStore:
    """A folder on this machine that something else, the CI for one, makes readable at addresses by a template."""

    folder: Path
    template: str

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file under its hash, whole or not at all."""
        del size
        key = key_of(file, name)
        path = self.folder / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            with part.open("wb") as copy:
                shutil.copyfileobj(file, copy, PIECE_BYTES)
            part.replace(path)
        except OSError as error:
            raise ArtifactStoreError(f"{self.folder} cannot be written: {error.strerror or error}") from error
        return stored_at(address_of(self.template, key, name), name, mime_type)


def artifact_store_for(store: ArtifactStoreConfig | None, clock: Callable[[], float]) -> ArtifactStore | None:
    """Return who keeps the files for the user, None where nobody but the server does; ``clock`` is in seconds."""
    if store is None:
        return None
    if not is_bucket(store.address):
        return FolderStore(Path(store.address), store.url)

    return BucketStore(store, clock)


SIGNED_FOR: Final = timedelta(days=7)
"""How long an address that the bucket signs can be read: the longest that S3 allows."""

_RETRIES: Final = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_TIMEOUTS: Final = {"timeout": "30s", "connect_timeout": "5s"}
_PAUSE_SECONDS: Final = 60.0


class BucketStore:
    """Keeps files in a bucket, with retries; one that fails all the same is left alone for a minute.

    The variables that open the bucket become those of this process, which is the sender's own.
    """

    def __init__(self, store: ArtifactStoreConfig, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._bucket: Any = None
        self._failed_at: float | None = None
        self._failure = ""

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file under its hash."""
        import obstore  # noqa: PLC0415 - an extra that only a session with a bucket needs
        from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

        del size
        if self._failed_at is not None and self._clock() - self._failed_at < _PAUSE_SECONDS:
            raise ArtifactStoreError(self._failure)
        key = key_of(file, name)
        try:
            if self._bucket is None:
                self._bucket = self._opened()
            attributes = {"Content-Type": stored_at("https://host", name, mime_type).mime_type or _UNKNOWN}
            obstore.put(self._bucket, key, file, attributes=attributes)
            url = self._address(key, name)
        except (BaseError, ValueError, OSError) as error:
            self._failed_at, self._failure = self._clock(), f"{self._store.address}: {_words(error)}"
            raise ArtifactStoreError(self._failure) from error
        return stored_at(url, name, mime_type)

    def _opened(self) -> Any:  # noqa: ANN401 - a store of any kind
        from obstore.store import from_url  # noqa: PLC0415 - an extra that only a session with a bucket needs

        os.environ.update(self._store.environ)
        is_plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
        opened: Any = from_url  # it has an overload for each kind of store; which one this is the address tells
        return opened(self._store.address, client_options={**_TIMEOUTS, "allow_http": is_plain}, retry_config=_RETRIES)

    def _address(self, key: str, name: str) -> str:
        if self._store.url:
            return address_of(self._store.url, key, name)
        import obstore  # noqa: PLC0415 - an extra that only a session with a bucket needs

        return str(obstore.sign(self._bucket, "GET", key, SIGNED_FOR))


_UNKNOWN: Final = "application/octet-stream"


def _words(error: Exception) -> str:
    """Return the first line of an error, which is as much as a summary shows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
