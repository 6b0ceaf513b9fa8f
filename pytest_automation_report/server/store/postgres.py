"""Open a store in a PostgreSQL database and run its transactions.

A thread has a connection of the pool for the time of one transaction. Several processes may serve one database: writers
wait for each other's locks (see `database`), and readers do not wait.
"""

from __future__ import annotations

import re
import time
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.database import (
    TABLE_NAMES,
    StoreConnection,
    TimeLimitError,
    TransactionRolledBackError,
)
from pytest_automation_report.server.store.migrations import Opening, migrate, stored_state
from pytest_automation_report.server.store.values import disk_full, try_again, unreachable
from pytest_automation_report.system.console import is_socket_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_automation_report.api.models import PostgresDatabase

_PREPARE_LOCK_ID: Final = 0x41525031


@lru_cache(maxsize=256)
def _with_driver_marks(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


class PostgresConnection(StoreConnection):
    """One connection to a PostgreSQL database (see `StoreConnection`), opened and closed by its owner."""

    is_postgres = True

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw: psycopg.Connection[Any] = raw

    def cursor(self, sql: str, values: Sequence[object] = ()) -> psycopg.Cursor[Any]:
        """Execute a statement and return the driver's cursor."""
        # Without values the driver leaves percent signs alone.
        return self.raw.execute(_with_driver_marks(sql), values or None)

    @contextmanager
    def limited(self, end: float) -> Iterator[None]:
        """Cut statements off at this monotonic time (see `StoreConnection`)."""
        self.execute("SAVEPOINT limited")
        self.execute(f"SET LOCAL statement_timeout = {max(1, int((end - time.monotonic()) * 1000))}")
        try:
            yield
        except psycopg.errors.QueryCanceled as error:
            self.execute("ROLLBACK TO SAVEPOINT limited")
            raise TimeLimitError from error
        self.execute("SET LOCAL statement_timeout TO DEFAULT")


@contextmanager
def _alone(connection: PostgresConnection) -> Iterator[None]:
    """Enter a transaction with the lock for the tables; raises `TransactionRolledBackError` if others hold any."""
    try:
        with connection.raw.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(?)", (_PREPARE_LOCK_ID,))
            yield
    except psycopg.errors.LockNotAvailable as error:
        raise TransactionRolledBackError from error


LOCK_SECONDS: Final = 10  # how long a writer waits for the lock of another one
# PostgreSQL ends a transaction that is idle for so long, so that a stopped process does not hold locks for ever.
_IDLE_SECONDS: Final = 60
# How long a transaction waits for a connection before it is refused: a database that restarts is away for as long.
_UNREACHABLE_SECONDS: Final = 3.0
_MAX_CONNECTIONS: Final = 16
_DEFAULTS: Final[Mapping[str, str | int]] = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "fallback_application_name": "automation-report",
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,  # in milliseconds
}
_AWAY_PAUSE_SECONDS: Final = 0.5
# What a server that restarts answers, or the system in its place. No state comes with a connection that failed.
_is_away: Final = re.compile(r"the database system is |refused|No such file or directory").search
# SQLSTATE codes of PostgreSQL: serialization failure, deadlock; and what a server says that ends while it is used.
_ROLLED_BACK_STATES: Final = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
_LOCK_NOT_AVAILABLE: Final = "55P03"
_DISK_FULL: Final = "53100"


class PostgresConnections:
    """The connections to a PostgreSQL database, for several threads; raises `StoreError` if it is no store of ours."""

    driver_error: ClassVar[type[Exception]] = psycopg.Error

    def __init__(self, location: PostgresDatabase, opening: Opening, *, must_exist: bool = False) -> None:
        self._url = location.url
        self._parameters: dict[str, Any] = {**_parameters(location), "autocommit": True}
        self.note = ""
        try:
            with self._first_connection(location, opening) as connection:
                _check(connection, location, must_exist=must_exist)
                migrate(connection, location, partial(_alone, connection), opening)
        except psycopg.Error as error:
            raise StoreError(f"{location}: cannot be opened as a store: {_one_line(error)}") from error
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            self._url,
            kwargs=self._parameters,
            configure=_configure,
            min_size=0,
            max_size=_MAX_CONNECTIONS,
            timeout=_UNREACHABLE_SECONDS,
            reconnect_timeout=_UNREACHABLE_SECONDS,
            num_workers=1,
            open=True,
        )

    def writing(self) -> AbstractContextManager[PostgresConnection]:
        """Enter a transaction that changes the store; each statement sees the commits from before it began."""
        # It must see what others committed while it waited for a lock.
        return self._transaction("READ COMMITTED")

    def reading(self, *, is_single: bool = False) -> AbstractContextManager[PostgresConnection]:
        """Enter a transaction that reads one snapshot of the store."""
        # A single statement has a snapshot by itself, and is one message to the server instead of three.
        return self._transaction("" if is_single else "REPEATABLE READ READ ONLY", is_reading=True)

    def tidy(self) -> None:
        """Let new rows use the space of removed ones; others can use the tables meanwhile."""
        self._vacuum("ANALYZE")

    def compact(self) -> None:
        """Rewrite all tables without their removed rows; no other connection can use a table meanwhile."""
        self._vacuum("FULL, ANALYZE")

    def _vacuum(self, options: str) -> None:
        names = ", ".join(f'"{name}"' for name in TABLE_NAMES)
        with self._new_connection() as connection, _mapped_errors(connection):
            connection.execute(f"VACUUM ({options}) {names}")

    def close(self) -> None:
        """Close the idle connections now, and each connection in use at the end of its transaction."""
        self._pool.close()

    def _first_connection(
        self, location: PostgresDatabase, opening: Opening
    ) -> AbstractContextManager[PostgresConnection]:
        """Connect, after a wait for a server that is not there yet; raises ``psycopg.Error``."""
        deadline, is_told = time.monotonic() + opening.wait_seconds, False
        while True:
            try:
                with self._new_connection():
                    return self._new_connection()
            except psycopg.OperationalError as error:
                reason = _one_line(error)
                if time.monotonic() > deadline or not _is_away(reason):
                    raise
            if not is_told:
                opening.tell(f"{location}: {reason}; waiting for it, for {opening.wait_seconds:.0f} s at most")
            is_told = True
            time.sleep(_AWAY_PAUSE_SECONDS)

    @contextmanager
    def _new_connection(self) -> Iterator[PostgresConnection]:
        with psycopg.connect(self._url, **self._parameters) as raw:
            _configure(raw)
            yield PostgresConnection(raw)

    @contextmanager
    def _transaction(self, mode: str, *, is_reading: bool = False) -> Iterator[PostgresConnection]:
        connection = self._take()
        try:
            with _mapped_errors(connection):
                if mode:
                    connection.execute(f"BEGIN TRANSACTION ISOLATION LEVEL {mode}")
                yield connection
                if is_reading:
                    connection.raw.commit()
            # Outside of the inner block: a commit that failed may have been applied, so it must not be run again.
            connection.raw.commit()
        finally:
            # Ends the transaction of a block that raised; does nothing after a commit.
            with suppress(psycopg.Error):
                connection.raw.rollback()
            self._pool.putconn(connection.raw)

    def _take(self) -> PostgresConnection:
        """Take a connection of the pool; raises `ApiError` (429) if the database cannot be reached."""
        while True:
            try:
                raw = self._pool.getconn()
            except PoolTimeout as error:
                raise unreachable() from error
            # The socket is readable if the database has closed an idle connection, as it does when it restarts.
            if not (raw.closed or is_socket_readable(raw.fileno())):
                return PostgresConnection(raw)
            raw.close()
            self._pool.putconn(raw)


def _check(connection: PostgresConnection, location: PostgresDatabase, *, must_exist: bool) -> None:
    ((encoding,),) = connection.execute("SHOW server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"{location}: its encoding is {encoding}; make a database with the encoding UTF8")
    if must_exist and stored_state(connection, location) is None:
        raise StoreError(f"{location}: there is no store in this database; `automation-report serve` makes one")


def _configure(raw: psycopg.Connection[Any]) -> None:
    raw.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'".encode())
    raw.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'".encode())


@contextmanager
def _mapped_errors(connection: PostgresConnection) -> Iterator[None]:
    """Raise the error for a transaction that PostgreSQL rolled back; every other error passes."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate == _DISK_FULL:
            raise disk_full() from error
        if error.sqlstate == _LOCK_NOT_AVAILABLE:
            raise try_again() from error
        # A connection that was lost before the commit has lost its transaction, too.
        if error.sqlstate in _ROLLED_BACK_STATES or connection.raw.closed:
            raise TransactionRolledBackError from error
        raise


def _parameters(location: PostgresDatabase) -> dict[str, Any]:
    try:
        url_parameters = conninfo_to_dict(location.url)
    except psycopg.Error as error:
        raise StoreError(f"{location}: {_one_line(error)}") from error
    return {name: value for name, value in _DEFAULTS.items() if name not in url_parameters}


def _one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
