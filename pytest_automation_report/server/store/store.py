"""Open a store, in a SQLite file or a PostgreSQL database, and run transactions on it.

A transaction is given as a function: the store runs it again when PostgreSQL rolls it back, and does not run it when
the same request was answered before.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.database import StoreConnection, TransactionRolledBackError, try_lock
from pytest_automation_report.server.store.sqlite import Connections
from pytest_automation_report.server.store.values import DAY_US, ApiError, try_again, validation_error
from pytest_automation_report.server.store.writes import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_automation_report.server.store.postgres import PostgresConnections

T = TypeVar("T")
_logger = logging.getLogger(__name__)

# How long an idempotency key is stored; clients that repeat a request do so within hours.
_KEEP_KEYS_US = 7 * DAY_US
_PURGE_EVERY_REQUESTS = 256  # requests between two deletions of expired keys: most requests pay nothing for it
_MAX_ATTEMPTS = 5  # how often a transaction is run that the database keeps rolling back
_SET_RECORD = 'UPDATE "applied_request" SET "record_id" = ? WHERE "key" = ?'
_EARLIER = 'SELECT "fingerprint", "record_id" FROM "applied_request" WHERE "key" = ? AND "created" >= ?'


class IdempotentRequest(Struct, frozen=True):
    """An idempotency key with a hash of its request: a second request with another hash is a mistake."""

    key: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, path: str, body: bytes) -> IdempotentRequest:
        """Return the key and the hash of a request."""
        return cls(key, sha256(f"{path}\n".encode("utf-8", "surrogatepass") + body).hexdigest())


def now_us() -> int:
    """Return the time of the machine's clock, in microseconds since 1970."""
    return time.time_ns() // 1000


class Store:
    """One open store; several threads may use it, and several processes may have the same store open.

    ``clock`` returns microseconds since 1970. A store that has reached ``max_bytes`` refuses (422) every change that
    would make it larger; with ``are_references_strict`` it refuses (422) runs that name an unknown configuration or
    milestone. ``notes`` has sentences for the user about the location. Raises `StoreError` when the location cannot be
    opened, is not a store, or is one of another version.
    """

    def __init__(
        self,
        location: Path | PostgresDatabase,
        *,
        clock: Callable[[], int] = now_us,
        max_bytes: int | None = None,
        are_references_strict: bool = False,
        must_exist: bool = False,
    ) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._are_references_strict = are_references_strict
        self._connections = _connections(location, must_exist=must_exist)
        self.notes = self._connections.notes
        self.driver_error = self._connections.driver_error
        self.main_branch = ""  # of new sources
        # Findings are computed by one thread at a time: more would share one interpreter.
        self.findings_lock = threading.Lock()
        # The first request with a key purges: a store may have been closed for longer than keys are kept.
        self._requests_until_purge = 1
        self._bad_states = _BadStates(str(location))

    def change(self, work: Callable[[Writer], int | None], request: IdempotentRequest | None = None) -> int | None:
        """Run a change, once for each idempotency key, and return the id of what it created when that is on disk."""
        # An `ApiError` out of ``work`` undoes all of it, and the key stays free.
        if request is None:
            return self.write(work)
        # Jobs that join a run send the same key at the same moment. This read needs no write lock, so once the first
        # of them is answered the others do not wait for each other. In PostgreSQL a transaction itself begins with it.
        if isinstance(self._connections, Connections):
            earlier = self.read(lambda connection: _earlier_record(connection, request, self._clock()))
            if earlier:
                return earlier[0]
        return self._run(self._connections.writing, lambda connection: self._apply_once(connection, work, request))

    def write(self, work: Callable[[Writer], T]) -> T:
        """Run a change in one transaction and return its value, once it is on disk."""
        return self._run(self._connections.writing, lambda connection: work(self._writer(connection)))

    def read(self, question: Callable[[StoreConnection], T]) -> T:
        """Run statements on one snapshot of the store and return their value."""
        return self._run(self._connections.reading, question)

    def now(self) -> int:
        """Return the time of the store's clock, in microseconds since 1970."""
        return self._clock()

    def compact(self) -> None:
        """Return the space of removed rows to the disk; raises `ApiError` (429) while others use the store."""
        self._connections.compact()

    def close(self) -> None:
        """Close the store for good; closing it twice is harmless."""
        self._connections.close()

    def _run(
        self, enter: Callable[[], AbstractContextManager[StoreConnection]], work: Callable[[StoreConnection], T]
    ) -> T:
        """Run ``work`` in a transaction, and again when the database rolled it back because of a concurrent one."""
        try:
            for _ in range(_MAX_ATTEMPTS):
                with suppress(TransactionRolledBackError):
                    with enter() as connection:
                        value = work(connection)
                    self._bad_states.end(has_written=enter == self._connections.writing)
                    return value
            raise try_again()
        except ApiError as error:
            self._bad_states.begin(error)
            raise

    def _apply_once(
        self, connection: StoreConnection, work: Callable[[Writer], int | None], request: IdempotentRequest
    ) -> int | None:
        now = self._clock()
        earlier = _earlier_record(connection, request, now) if connection.is_postgres else []
        if earlier:
            return earlier[0]
        # The key is inserted first. Of two requests with the same key the second one waits at this point until the
        # first is committed or undone: in SQLite for the write lock, in PostgreSQL for the row.
        row = {**asdict(request), "created": now}
        if not connection.add("applied_request", **row):
            # The key may have been used since it was read.
            earlier = _earlier_record(connection, request, now)
            if earlier:
                return earlier[0]
            connection.change('DELETE FROM "applied_request" WHERE "key" = ?', (request.key,))  # it has expired
            connection.add("applied_request", **row)
        record_id = work(self._writer(connection))
        if record_id is not None:
            connection.change(_SET_RECORD, (record_id, request.key))
        self._requests_until_purge -= 1
        # Two purges at once would lock the same rows in different orders.
        if self._requests_until_purge <= 0 and try_lock(connection, "purge"):
            self._requests_until_purge = _PURGE_EVERY_REQUESTS
            connection.change('DELETE FROM "applied_request" WHERE "created" < ?', (now - _KEEP_KEYS_US,))
        return record_id

    def _writer(self, connection: StoreConnection) -> Writer:
        return Writer(connection, self._clock(), self._max_bytes, self.main_branch, self._are_references_strict)


class _BadStates:
    """Log when the database is gone or the disk is full, and when that is over, each in one line."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._since: dict[str, float] = {}  # monotonic seconds, by `ApiError.kind`

    def begin(self, error: ApiError) -> None:
        """Log the begin of a state, unless it has begun before."""
        now = time.monotonic()
        if error.kind and self._since.setdefault(error.kind, now) == now:
            _logger.info("%s: %s", self._place, error.message)

    def end(self, *, has_written: bool) -> None:
        """Log the end of the states that a transaction without an error shows to be over."""
        # While the disk is full, reads go on.
        for kind in [kind for kind in self._since if has_written or kind != "disk"]:
            since = self._since.pop(kind, None)
            if since is not None:  # no other thread was first
                seconds = time.monotonic() - since
                _logger.info("%s: the %s is usable again, after %.0f s", self._place, kind, seconds)


def _connections(location: Path | PostgresDatabase, *, must_exist: bool) -> Connections | PostgresConnections:
    if not isinstance(location, PostgresDatabase):
        if must_exist and not location.exists():
            raise StoreError(f"{location}: there is no store; name the file of one")
        return Connections(location)
    try:
        from pytest_automation_report.server.store.postgres import PostgresConnections  # noqa: PLC0415 - not for files
    except ImportError as error:
        # Only a missing driver is the user's to install; an error in a module of ours is a bug and shows itself.
        if (error.name or "psycopg").partition(".")[0] not in {"psycopg", "psycopg_pool"}:
            raise
        raise StoreError(
            f"{location}: the driver for PostgreSQL is missing ({error}): pip install 'psycopg[binary,pool]>=3.1'"
        ) from error
    return PostgresConnections(location, must_exist=must_exist)


def _earlier_record(connection: StoreConnection, request: IdempotentRequest, now: int) -> list[int | None]:
    """Return the id of what a request created, None for nothing; an empty list if it was not applied yet."""
    rows = connection.execute(_EARLIER, (request.key, now - _KEEP_KEYS_US))
    if any(fingerprint != request.fingerprint for fingerprint, _ in rows):
        raise validation_error({"Idempotency-Key": ["This key was used for a request with other content."]})
    return [record_id for _, record_id in rows]
