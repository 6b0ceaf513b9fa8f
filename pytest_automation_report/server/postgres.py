"""The store in a PostgreSQL database: its connections and transactions (floor 2).

Each thread has a connection for as long as its transaction; connections are kept for later ones. Several processes may
serve one database: writers meet on row locks (`locks`), and readers wait for nobody.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import peewee
import psycopg
from peewee import InterfaceError, OperationalError, PeeweeException
from psycopg.conninfo import conninfo_to_dict

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.postgres_schema import OrderedDatabase, prepare
from pytest_automation_report.server.refusals import DiskFullError, busy, unreachable
from pytest_automation_report.server.statements import execute
from pytest_automation_report.server.tables import TABLES
from pytest_automation_report.server.transactions import UndoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from peewee import PostgresqlDatabase

    from pytest_automation_report.databases import PostgresDatabase

LOCK_SECONDS: Final = 10
"""How long a writer waits for another one."""

_IDLE_SECONDS: Final = 60
"""After how long PostgreSQL takes the locks of a process that stopped in the middle of a transaction."""

_KEPT_CONNECTIONS: Final = 8
_DEFAULTS: Final[Mapping[str, str | int]] = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "fallback_application_name": "automation-report",
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,  # in milliseconds
}
_WRITING: Final = "READ COMMITTED"
_READING: Final = "REPEATABLE READ READ ONLY"
peewee_version: Final[str] = vars(peewee)["__version__"]  # its stub leaves it out
"""The release of peewee that is here."""

_OLDEST_PEEWEE: Final = (4, 4)
_UNDONE: Final = frozenset({"40001", "40P01"})
_LOCK_NOT_AVAILABLE: Final = "55P03"
_DISK_FULL: Final = "53100"


class PostgresConnections:
    """The connections to one database.

    Raises `StoreError` when it cannot be used, is not a store's, or was made by a newer release.
    """

    def __init__(self, place: PostgresDatabase, *, must_exist: bool = False) -> None:
        _check_peewee(place, peewee_version)
        self._place = place
        self._parameters = _parameters(place)
        self._idle: list[PostgresqlDatabase] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self.notes: tuple[str, ...] = ()
        try:
            with self._alone() as database:
                prepare(database, str(place), must_exist=must_exist)
        except PeeweeException as error:
            self.close()
            raise StoreError(f"{place}: cannot be opened as a store: {_words(error)}") from error
        except StoreError:
            self.close()
            raise

    def writing(self) -> AbstractContextManager[PostgresqlDatabase]:
        """Hold a transaction whose statements see what others committed before them."""
        return self._transaction(_WRITING)

    def reading(self) -> AbstractContextManager[PostgresqlDatabase]:
        """See the store as it is at one moment."""
        return self._transaction(_READING)

    def compact(self) -> None:
        """Write all tables anew, without what was removed; nobody else can use them meanwhile."""
        names = ", ".join(f'"{table._meta.table_name}"' for table in TABLES)  # noqa: SLF001 - peewee's name for it
        with self._alone() as database:
            try:
                execute(database, f"VACUUM (FULL, ANALYZE) {names}")
            except OperationalError as error:
                _raise_repeatable(error, database)
                raise

    def close(self) -> None:
        """Close what is open, and what is in use when it is given back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for database in idle:
            database.close()

    @contextmanager
    def _alone(self) -> Iterator[PostgresqlDatabase]:
        """Use a connection of its own without a transaction."""
        database = self._connected()
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[PostgresqlDatabase]:
        database = self._begun(kind)
        try:
            try:
                yield database
            except PeeweeException as error:
                _raise_repeatable(error, database)
                raise
            # Whether a commit that failed was done is not known, so that it is not done again here.
            database.commit()
        finally:
            self._give_back(database)

    def _begun(self, kind: str) -> PostgresqlDatabase:
        """Return a connection in a new transaction."""
        while True:
            with self._lock:
                if self._is_closed:
                    raise InterfaceError("the store is closed")
                database = self._idle.pop() if self._idle else None
            if database is None:
                break
            try:
                database.begin(kind)
            except PeeweeException:
                # It was lost while nobody used it, and nothing had begun; a new one tells when it is more than that.
                database.close()
            else:
                return database
        try:
            database = self._connected()
        except OperationalError as error:
            raise unreachable() from error
        try:
            database.begin(kind)
        except PeeweeException:
            database.close()
            raise
        return database

    def _give_back(self, database: PostgresqlDatabase) -> None:
        """Keep a connection for the next transaction, unless it was lost."""
        connection = _connection(database)
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
        with self._lock:
            is_kept = not (connection.closed or self._is_closed) and len(self._idle) < _KEPT_CONNECTIONS
            if is_kept:
                self._idle.append(database)
        if not is_kept:
            database.close()

    def _connected(self) -> PostgresqlDatabase:
        database = OrderedDatabase(
            self._place.url, prefer_psycopg3=True, autoconnect=False, thread_safe=False, **self._parameters
        )
        database.connect()
        try:
            execute(database, f"SET lock_timeout = '{LOCK_SECONDS}s'")
            execute(database, f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        except PeeweeException:
            database.close()
            raise
        return database


def _check_peewee(place: PostgresDatabase, version: str) -> None:
    """Refuse a release of peewee that is good for SQLite only."""
    if tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2]) < _OLDEST_PEEWEE:
        raise StoreError(f"{place}: peewee {version} is too old for PostgreSQL: pip install 'peewee>=4.4'")


def _parameters(place: PostgresDatabase) -> dict[str, Any]:
    """Return what a connection gets besides what its address says."""
    try:
        given = conninfo_to_dict(place.url)
    except psycopg.Error as error:
        raise StoreError(f"{place}: {_words(error)}") from error
    return {name: value for name, value in _DEFAULTS.items() if name not in given}


def _raise_repeatable(error: PeeweeException, database: PostgresqlDatabase) -> None:
    """Raise what tells that a transaction can be done again, when it can."""
    state = getattr(error.__cause__ or error.__context__, "sqlstate", None)
    if state == _DISK_FULL:
        raise DiskFullError from error
    if state == _LOCK_NOT_AVAILABLE:
        raise busy() from error
    if state in _UNDONE or _connection(database).closed:
        raise UndoneError from error


def _connection(database: PostgresqlDatabase) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = database.connection()  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return connection


def _words(error: Exception) -> str:
    """Return the text of an error in one line."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
