"""Open a store, in a SQLite file or a PostgreSQL database, and run transactions on it.

A transaction is given as a function: the store runs it again when PostgreSQL rolls it back, and does not run it when
the same request was answered before.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.database import TransactionRolledBackError, try_lock
from pytest_automation_report.server.store.errors import in_progress, try_again, validation_error
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.reads import Reader
from pytest_automation_report.server.store.sqlite import MOUNTS, Connections
from pytest_automation_report.server.store.tables import AppliedRequestRow
from pytest_automation_report.server.store.writes import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import Transactions

Value = TypeVar("Value")

_KEEP_RESPONSES_US = 7 * 24 * 3600 * 1_000_000
"""How long the response to an idempotency key is stored; clients that repeat a request do so within hours."""

_PURGE_EVERY_REQUESTS = 256
"""Requests between two deletions of expired responses: most requests pay nothing for it."""

_MAX_ATTEMPTS = 5
"""How often a transaction is run that the database keeps rolling back."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """Status and body of the response to a change."""

    status: int
    body: Json | None = None


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """An idempotency key with a hash of the request's method, path and body.

    A second request with the same key and the same hash is a repetition; with another hash it is a mistake.
    """

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, method: str, path: str, body: bytes) -> IdempotentRequest:
        """Return the key and the hash of a request."""
        fingerprint = sha256(f"{method} {path}\n".encode("utf-8", "surrogatepass") + body)
        return cls(key, fingerprint.hexdigest())


def _now_us() -> int:
    return time.time_ns() // 1000


class Store:
    """One open store; several threads may use it, and several processes may have the same store open.

    ``clock`` returns microseconds since 1970. ``mounts`` is the table of mounted file systems. ``notes`` has sentences
    for the user about the location of the file. A store that has reached ``max_bytes`` refuses (422) every change that
    would make it larger. With ``must_exist`` no new store is created.
    Raises `StoreError` when the location cannot be opened, is not a store, or belongs to a newer release.
    """

    def __init__(
        self,
        location: Path | PostgresDatabase,
        *,
        clock: Callable[[], int] = _now_us,
        mounts: Path = MOUNTS,
        max_bytes: int | None = None,
        must_exist: bool = False,
    ) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._connections = _connections(location, mounts, must_exist=must_exist)
        self.notes = self._connections.notes
        # The first request with a key purges: a store may have been closed for longer than responses are kept.
        self._requests_until_purge = 1
        self._keys_in_use: set[str] = set()
        self._keys_lock = threading.Lock()

    def change(
        self, work: Callable[[Writer], StoredResponse], request: IdempotentRequest | None = None
    ) -> StoredResponse:
        """Run a change in one transaction and return its response, once it is on disk.

        A request with an idempotency key is applied once: a repetition gets the stored response, and one that arrives
        while the first is being applied is refused (409). An `ApiError` out of ``work`` undoes all of it, and the key
        stays free.
        """
        if request is None:
            return self.write(work)
        # Jobs that join a run send the same key at the same moment. This read needs no write lock, so once the first
        # of them is answered the others do not wait for each other.
        earlier = self.earlier_response(request)
        if earlier is not None:
            return earlier
        with self._hold_key(request.key):
            return _run_transaction(
                self._connections.writing, lambda database: self._apply_once(database, work, request)
            )

    def write(self, work: Callable[[Writer], Value]) -> Value:
        """Run a change in one transaction and return its value, once it is on disk."""
        return _run_transaction(
            self._connections.writing, lambda database: work(Writer(database, self._clock(), self._max_bytes))
        )

    def earlier_response(self, request: IdempotentRequest) -> StoredResponse | None:
        """Return the stored response of a request; None if it was not applied yet."""
        return _run_transaction(
            self._connections.reading, lambda database: _earlier_response(database, request, self._clock())
        )

    def read(self, question: Callable[[Reader], Value]) -> Value:
        """Run queries on one snapshot of the store and return their value."""
        return _run_transaction(self._connections.reading, lambda database: question(Reader(database)))

    def compact(self) -> None:
        """Return the space of removed rows to the disk; raises `ApiError` (429) while others use the store."""
        self._connections.compact()

    def close(self) -> None:
        """Close the store for good; closing it twice is harmless."""
        self._connections.close()

    @contextmanager
    def _hold_key(self, key: str) -> Iterator[None]:
        """Refuse (409) an idempotency key that another thread of this process is using."""
        with self._keys_lock:
            if key in self._keys_in_use:
                raise in_progress()
            self._keys_in_use.add(key)
        try:
            yield
        finally:
            with self._keys_lock:
                self._keys_in_use.discard(key)

    def _apply_once(
        self, database: Database, work: Callable[[Writer], StoredResponse], request: IdempotentRequest
    ) -> StoredResponse:
        """Run a change unless its key was used, and store the response with the change.

        Of two processes with the same key, the second one waits in SQLite and is refused (409) in PostgreSQL.
        """
        now = self._clock()
        if not try_lock(database, f"key {request.key}"):
            raise in_progress()
        # The key may have been used between the read in `change` and this transaction.
        earlier = _earlier_response(database, request, now)
        if earlier is not None:
            return earlier
        response = work(Writer(database, now, self._max_bytes))
        self._store_response(database, request, response, now)
        return response

    def _store_response(
        self, database: Database, request: IdempotentRequest, response: StoredResponse, now: int
    ) -> None:
        # An expired response may still have this key.
        AppliedRequestRow.delete().where(AppliedRequestRow.key == request.key).execute(database)
        AppliedRequestRow.insert(
            key=request.key,
            fingerprint=request.fingerprint,
            status=response.status,
            created=now,
            body=None if response.body is None else json_text(response.body),
        ).execute(database)
        self._requests_until_purge -= 1
        # Two purges at once would lock the same rows in different orders.
        if self._requests_until_purge <= 0 and try_lock(database, "purge"):
            self._requests_until_purge = _PURGE_EVERY_REQUESTS
            AppliedRequestRow.delete().where(AppliedRequestRow.created < now - _KEEP_RESPONSES_US).execute(database)


def _connections(location: Path | PostgresDatabase, mounts: Path, *, must_exist: bool) -> Transactions:
    if not isinstance(location, PostgresDatabase):
        if must_exist and not location.exists():
            raise StoreError(f"{location}: there is no store; name the file of one")
        return Connections(location, mounts)
    try:
        from pytest_automation_report.server.store.postgres import PostgresConnections  # noqa: PLC0415 - files need no driver
    except ImportError as error:
        # Only a missing driver is the user's to install; an error in a module of ours is a bug and shows itself.
        if (error.name or "psycopg").partition(".")[0] != "psycopg":
            raise
        raise StoreError(
            f"{location}: the driver for PostgreSQL is missing ({error}): pip install 'psycopg[binary]>=3.1'"
        ) from error
    return PostgresConnections(location, must_exist=must_exist)


def _run_transaction(enter: Callable[[], AbstractContextManager[Database]], work: Callable[[Database], Value]) -> Value:
    """Run ``work`` in a transaction, and again when the database rolled it back because of a concurrent one."""
    for _ in range(_MAX_ATTEMPTS):
        with suppress(TransactionRolledBackError), enter() as database:
            return work(database)
    raise try_again()


def _earlier_response(database: Database, request: IdempotentRequest, now: int) -> StoredResponse | None:
    rows: Any = (
        AppliedRequestRow.select()
        .where((AppliedRequestRow.key == request.key) & (AppliedRequestRow.created >= now - _KEEP_RESPONSES_US))
        .dicts()
        .execute(database)
    )
    row = next(iter(rows), None)
    if row is None:
        return None
    if row["fingerprint"] != request.fingerprint:
        raise validation_error({"Idempotency-Key": ["This key was used for a request with other content."]})
    return StoredResponse(row["status"], None if row["body"] is None else json.loads(row["body"]))
