"""The store: what the server keeps, in a SQLite file or a PostgreSQL database (floor 2)."""

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
from pytest_automation_report.server.store.database import TransactionRolledBackError, is_mine
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

Found = TypeVar("Found")

_KEPT_MICROSECONDS = 7 * 24 * 3600 * 1_000_000
_PURGE_EVERY = 256
_TRIES = 5


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What a change is answered with."""

    status: int
    body: Json | None = None


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """What makes a request the same as an earlier one: its idempotency key, and a hash of all that it asks for."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, method: str, path: str, body: bytes) -> IdempotentRequest:
        """Return the identity of a request."""
        asked = sha256(f"{method} {path}\n".encode("utf-8", "surrogatepass") + body)
        return cls(key, asked.hexdigest())


def _now() -> int:
    return time.time_ns() // 1000


class Store:
    """One store, in a file or a database; owned by the process that opened it, safe to use from several threads.

    Several processes may have the same one open. ``clock`` gives microseconds since 1970, ``mounts`` is the table of
    mounted file systems; ``notes`` tells what its user should know about the place of a file. A store that has reached
    ``max_bytes`` takes nothing more that makes it larger (422). With ``must_exist`` no new store is made.
    Raises `StoreError` when the place cannot be opened, is not a store, or was made by a newer release.
    """

    def __init__(
        self,
        place: Path | PostgresDatabase,
        *,
        clock: Callable[[], int] = _now,
        mounts: Path = MOUNTS,
        max_bytes: int | None = None,
        must_exist: bool = False,
    ) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._connections = _connections(place, mounts, must_exist=must_exist)
        self.notes = self._connections.notes
        self._until_purge = 1
        self._keys: set[str] = set()
        self._keys_lock = threading.Lock()

    def change(
        self, work: Callable[[Writer], StoredResponse], identity: IdempotentRequest | None = None
    ) -> StoredResponse:
        """Do some work in one transaction and return its answer, once it is on disk.

        A request with an identity is done once: later ones get the first one's answer, those that come while it is
        being done are refused (409). A `RefusalError` out of ``work`` leaves nothing behind, the identity included.
        """
        if identity is None:
            return self.write(work)
        # Jobs that join a run send the same key at the same moment: once it is answered, none waits for another.
        earlier = self.answer_to(identity)
        if earlier is not None:
            return earlier
        with self._once_at_a_time(identity):
            return _done(self._connections.writing, lambda database: self._once(database, work, identity))

    def write(self, work: Callable[[Writer], Found]) -> Found:
        """Do some work in one transaction and return what it gives, once it is on disk."""
        return _done(self._connections.writing, lambda database: work(Writer(database, self._clock(), self._max_bytes)))

    def answer_to(self, identity: IdempotentRequest) -> StoredResponse | None:
        """Return what a request was answered with before."""
        return _done(self._connections.reading, lambda database: _earlier(database, identity, self._clock()))

    def read(self, question: Callable[[Reader], Found]) -> Found:
        """Answer a question from the store as it is at one moment."""
        return _done(self._connections.reading, lambda database: question(Reader(database)))

    def compact(self) -> None:
        """Give back the space of what was removed; raises `RefusalError` (429) while others use the store."""
        self._connections.compact()

    def close(self) -> None:
        """Close the store; a closed one cannot be used again, closing it twice is harmless."""
        self._connections.close()

    @contextmanager
    def _once_at_a_time(self, identity: IdempotentRequest) -> Iterator[None]:
        """Refuse a key that this process is using just now."""
        with self._keys_lock:
            if identity.key in self._keys:
                raise in_progress()
            self._keys.add(identity.key)
        try:
            yield
        finally:
            with self._keys_lock:
                self._keys.discard(identity.key)

    def _once(
        self, database: Database, work: Callable[[Writer], StoredResponse], identity: IdempotentRequest
    ) -> StoredResponse:
        """Do the work unless it was done; other processes wait for each other in SQLite, and elsewhere are refused."""
        now = self._clock()
        if not is_mine(database, f"key {identity.key}"):
            raise in_progress()
        earlier = _earlier(database, identity, now)
        if earlier is not None:
            return earlier
        answer = work(Writer(database, now, self._max_bytes))
        self._remember(database, identity, answer, now)
        return answer

    def _remember(self, database: Database, identity: IdempotentRequest, answer: StoredResponse, now: int) -> None:
        AppliedRequestRow.delete().where(AppliedRequestRow.key == identity.key).execute(database)
        AppliedRequestRow.insert(
            key=identity.key,
            fingerprint=identity.fingerprint,
            status=answer.status,
            created=now,
            body=None if answer.body is None else json_text(answer.body),
        ).execute(database)
        self._until_purge -= 1
        if self._until_purge <= 0 and is_mine(database, "purge"):
            self._until_purge = _PURGE_EVERY
            AppliedRequestRow.delete().where(AppliedRequestRow.created < now - _KEPT_MICROSECONDS).execute(database)


def _connections(place: Path | PostgresDatabase, mounts: Path, *, must_exist: bool) -> Transactions:
    """Return the connections to a file or a database."""
    if not isinstance(place, PostgresDatabase):
        if must_exist and not place.exists():
            raise StoreError(f"{place}: there is no store; name the file of one")
        return Connections(place, mounts)
    try:
        from pytest_automation_report.server.store.postgres import PostgresConnections  # noqa: PLC0415 - files need no driver
    except ImportError as error:
        if (error.name or "psycopg").partition(".")[0] != "psycopg":
            raise
        raise StoreError(
            f"{place}: the driver for PostgreSQL is missing ({error}): pip install 'psycopg[binary]>=3.1'"
        ) from error
    return PostgresConnections(place, must_exist=must_exist)


def _done(enter: Callable[[], AbstractContextManager[Database]], work: Callable[[Database], Found]) -> Found:
    """Do some work in a transaction, again when the database itself undid it."""
    for _ in range(_TRIES):
        with suppress(TransactionRolledBackError), enter() as database:
            return work(database)
    raise try_again()


def _earlier(database: Database, identity: IdempotentRequest, now: int) -> StoredResponse | None:
    rows: Any = (
        AppliedRequestRow.select()
        .where((AppliedRequestRow.key == identity.key) & (AppliedRequestRow.created >= now - _KEPT_MICROSECONDS))
        .dicts()
        .execute(database)
    )
    row = next(iter(rows), None)
    if row is None:
        return None
    if row["fingerprint"] != identity.fingerprint:
        raise validation_error({"Idempotency-Key": ["This key was used for a request with other content."]})
    return StoredResponse(row["status"], None if row["body"] is None else json.loads(row["body"]))
