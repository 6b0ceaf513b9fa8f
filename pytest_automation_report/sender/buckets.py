"""Files of results in a bucket of the user's own (floor 3): S3, Google Cloud Storage, Azure."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from pytest_automation_report.artifact_addresses import address_of
from pytest_automation_report.sender.keepers import KeeperError, key_of, stored_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from pytest_automation_report.model import ArtifactStore
    from pytest_automation_report.stored import StoredFile

SIGNED_FOR: Final = timedelta(days=7)
"""How long an address that the bucket signs can be read: the longest that S3 allows."""

_RETRIES: Final = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_TIMEOUTS: Final = {"timeout": "30s", "connect_timeout": "5s"}
_PAUSE_SECONDS: Final = 60.0


class BucketKeeper:
    """Keeps files in a bucket, with retries; one that fails all the same is left alone for a minute.

    The variables that open the bucket become those of this process, which is the sender's own.
    """

    def __init__(self, store: ArtifactStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._bucket: Any = None
        self._failed_at: float | None = None
        self._failure = ""

    def put(self, file: BinaryIO, size: int, name: str, mime_type: str | None) -> StoredFile:
        """Keep a file under its hash."""
        del size
        if self._failed_at is not None and self._clock() - self._failed_at < _PAUSE_SECONDS:
            raise KeeperError(self._failure)
        key = key_of(file, name)
        try:
            if self._bucket is None:
                self._bucket = self._opened()
            attributes = {"Content-Type": stored_at("https://host", name, mime_type).mime_type or _UNKNOWN}
            obstore.put(self._bucket, key, file, attributes=attributes)
            url = self._address(key, name)
        except (BaseError, ValueError, OSError) as error:
            self._failed_at, self._failure = self._clock(), f"{self._store.address}: {_words(error)}"
            raise KeeperError(self._failure) from error
        return stored_at(url, name, mime_type)

    def _opened(self) -> Any:  # noqa: ANN401 - a store of any kind
        os.environ.update(self._store.environ)
        is_plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
        opened: Any = from_url  # it has an overload for each kind of store; which one this is the address tells
        return opened(self._store.address, client_options={**_TIMEOUTS, "allow_http": is_plain}, retry_config=_RETRIES)

    def _address(self, key: str, name: str) -> str:
        if self._store.url:
            return address_of(self._store.url, key, name)
        return str(obstore.sign(self._bucket, "GET", key, SIGNED_FOR))


_UNKNOWN: Final = "application/octet-stream"


def _words(error: Exception) -> str:
    """Return the first line of an error, which is as much as a summary shows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
