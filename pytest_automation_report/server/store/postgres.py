"""Open a store in a PostgreSQL database and run its transactions.

A thread has a connection for the time of one transaction; idle connections are reused. Several processes may serve one
database: writers wait for each other's locks (see `database`), and readers do not wait.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import peewee
import psycopg
from peewee import InterfaceError, OperationalError, PeeweeException, PostgresqlDatabase, SchemaManager
from psycopg.conninfo import conninfo_to_dict

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.database import TransactionRolledBackError, execute
from pytest_automation_report.server.store.errors import DiskFullError, try_again, unreachable
from pytest_automation_report.server.store.migrations import migrate
from pytest_automation_report.server.store.tables import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from pytest_automation_report.api.models import PostgresDatabase

VERSION_TABLE: Final = "store_version"
"""The table whose one row has the version of all others; it marks a database, or a schema in it, as ours."""

_PREPARE_LOCK_ID: Final = 0x41525031
_ENCODING: Final = "UTF8"


class OrderedDatabase(PostgresqlDatabase):
    """PostgreSQL with SQLite's order of texts, by code point, which does not depend on the database's language."""

    field_types: Mapping[str, str] = {**PostgresqlDatabase.field_types, "TEXT": 'TEXT COLLATE "C"'}


def prepare(database: PostgresqlDatabase, url: str, *, must_exist: bool) -> None:
    """Create or migrate the tables; processes that do so at the same moment take turns.

    ``url`` names the database in messages and has no password. Raises `StoreError` for a database of another program
    or of a newer release.
    """
    _check_encoding(database, url)
    version = _version(database, url)
    if version == SCHEMA_VERSION:
        return
    if version is None and must_exist:
        raise StoreError(f"{url}: there is no store in this database; `automation-report serve` makes one")
    with database.atomic():
        execute(database, "SELECT pg_advisory_xact_lock(%s)", (_PREPARE_LOCK_ID,))
        # Another process may have created the tables while this one waited for the lock.
        version = _version(database, url)
        if version is None:
            execute(database, f'CREATE TABLE "{VERSION_TABLE}" ("version" INTEGER NOT NULL)')
            execute(database, f'INSERT INTO "{VERSION_TABLE}" VALUES (%s)', (SCHEMA_VERSION,))  # noqa: S608 - a constant  # nosec B608
            for table in TABLES:
                SchemaManager(table, database).create_all()
            _order_indexes(database)
        elif version < SCHEMA_VERSION:
            migrate(database, version)
            _order_indexes(database)
            execute(database, f'UPDATE "{VERSION_TABLE}" SET "version" = %s', (SCHEMA_VERSION,))  # noqa: S608 - a constant  # nosec B608


def _check_encoding(database: PostgresqlDatabase, url: str) -> None:
    ((encoding,),) = execute(database, "SHOW server_encoding")
    if encoding != _ENCODING:
        raise StoreError(f"{url}: its encoding is {encoding}; make a database with the encoding {_ENCODING}")


def _version(database: PostgresqlDatabase, url: str) -> int | None:
    """Return the version of the tables; None if there is no table at all."""
    tables = database.get_tables(_schema(database))
    if VERSION_TABLE not in tables:
        if tables:
            raise StoreError(
                f"{url}: this database has tables of something else; name another database for the store,"
                " or a schema of its own: ?options=-csearch_path%3DSCHEMA"
            )
        return None
    ((version,),) = execute(database, f'SELECT "version" FROM "{VERSION_TABLE}"')  # noqa: S608 - a constant  # nosec B608
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{url}: this store has version {version}, made by a newer release;"
            f" this release reads up to {SCHEMA_VERSION}: upgrade, or name another database"
        )
    return int(version)


def _schema(database: PostgresqlDatabase) -> str | None:
    ((schema,),) = execute(database, "SELECT current_schema()")
    return str(schema) if schema else None


def _order_indexes(database: PostgresqlDatabase) -> None:
    """Append the row's id to every index, as SQLite does by itself, so that it can serve an order by id."""
    schema = _schema(database)
    for table in TABLES:
        names = table._meta.columns  # noqa: SLF001 - peewee's name for it
        for index in database.get_indexes(table._meta.table_name, schema):  # noqa: SLF001 - as above
            if "id" in names and not index.unique and index.columns[-1] != "id":
                execute(database, f'DROP INDEX "{index.name}"')
                execute(database, index.sql.replace(")", ', "id")', 1))


LOCK_SECONDS: Final = 10
"""How long a writer waits for the lock of another one."""

_IDLE_SECONDS: Final = 60
"""PostgreSQL ends a transaction that is idle for so long, so that a stopped process does not hold locks for ever."""

_MAX_IDLE_CONNECTIONS: Final = 8
_DEFAULTS: Final[Mapping[str, str | int]] = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "fallback_application_name": "automation-report",
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,  # in milliseconds
}
# A writer must see what others committed while it waited for a lock; a reader must see one snapshot.
_WRITE_MODE: Final = "READ COMMITTED"
_READ_MODE: Final = "REPEATABLE READ READ ONLY"
peewee_version: Final[str] = vars(peewee)["__version__"]  # its stub leaves it out
"""The installed release of peewee."""

_OLDEST_PEEWEE: Final = (4, 4)
# SQLSTATE codes of PostgreSQL.
_ROLLED_BACK_STATES: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_LOCK_NOT_AVAILABLE: Final = "55P03"
_DISK_FULL: Final = "53100"


class PostgresConnections:
    """The connections to one PostgreSQL database; several threads may use it.

    Raises `StoreError` when it cannot be opened, belongs to another program, or has tables of a newer release.
    """

    def __init__(self, location: PostgresDatabase, *, must_exist: bool = False) -> None:
        _check_peewee(location, peewee_version)
        self._location = location
        self._parameters = _parameters(location)
        self._idle: list[PostgresqlDatabase] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self.notes: tuple[str, ...] = ()
        try:
            with self._new_connection() as database:
                prepare(database, str(location), must_exist=must_exist)
        except PeeweeException as error:
            self.close()
            raise StoreError(f"{location}: cannot be opened as a store: {_one_line(error)}") from error
        except StoreError:
            self.close()
            raise

    def writing(self) -> AbstractContextManager[PostgresqlDatabase]:
        """Enter a transaction that changes the store; each statement sees the commits from before it began."""
        return self._transaction(_WRITE_MODE)

    def reading(self) -> AbstractContextManager[PostgresqlDatabase]:
        """Enter a transaction that reads one snapshot of the store."""
        return self._transaction(_READ_MODE)

    def compact(self) -> None:
        """Rewrite all tables without their removed rows; no other connection can use them meanwhile."""
        names = ", ".join(f'"{table._meta.table_name}"' for table in TABLES)  # noqa: SLF001 - peewee's name for it
        with self._new_connection() as database:
            try:
                execute(database, f"VACUUM (FULL, ANALYZE) {names}")
            except OperationalError as error:
                _raise_if_rolled_back(error, database)
                raise

    def close(self) -> None:
        """Close the idle connections now, and each connection in use at the end of its transaction."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for database in idle:
            database.close()

    @contextmanager
    def _new_connection(self) -> Iterator[PostgresqlDatabase]:
        """Open a connection without a transaction and close it at the end of the block."""
        database = self._connect()
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[PostgresqlDatabase]:
        database = self._begin(mode)
        try:
            try:
                yield database
            except PeeweeException as error:
                _raise_if_rolled_back(error, database)
                raise
            # Outside of the inner block: a commit that failed may have been applied, so it must not be run again.
            database.commit()
        finally:
            self._release(database)

    def _begin(self, mode: str) -> PostgresqlDatabase:
        """Begin a transaction on an idle connection or on a new one, and return the connection."""
        while True:
            with self._lock:
                if self._is_closed:
                    raise InterfaceError("the store is closed")
                database = self._idle.pop() if self._idle else None
            if database is None:
                break
            try:
                database.begin(mode)
            except PeeweeException:
                # The connection was lost while it was idle. If the database itself is away, the attempt on a new
                # connection raises the error.
                database.close()
            else:
                return database
        try:
            database = self._connect()
        except OperationalError as error:
            raise unreachable() from error
        try:
            database.begin(mode)
        except PeeweeException:
            database.close()
            raise
        return database

    def _release(self, database: PostgresqlDatabase) -> None:
        """Make a connection idle, or close it if it was lost or there are enough idle ones."""
        connection = _connection(database)
        # Ends the transaction of a block that raised; does nothing after a commit.
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()
        with self._lock:
            is_reusable = not (connection.closed or self._is_closed) and len(self._idle) < _MAX_IDLE_CONNECTIONS
            if is_reusable:
                self._idle.append(database)
        if not is_reusable:
            database.close()

    def _connect(self) -> PostgresqlDatabase:
        database = OrderedDatabase(
            self._location.url, prefer_psycopg3=True, autoconnect=False, thread_safe=False, **self._parameters
        )
        database.connect()
        try:
            execute(database, f"SET lock_timeout = '{LOCK_SECONDS}s'")
            execute(database, f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        except PeeweeException:
            database.close()
            raise
        return database


def _check_peewee(location: PostgresDatabase, version: str) -> None:
    """Raise `StoreError` for a release of peewee that works with SQLite only."""
    if tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2]) < _OLDEST_PEEWEE:
        raise StoreError(f"{location}: peewee {version} is too old for PostgreSQL: pip install 'peewee>=4.4'")


def _parameters(location: PostgresDatabase) -> dict[str, Any]:
    """Return those default parameters of a connection that its URL does not set."""
    try:
        url_parameters = conninfo_to_dict(location.url)
    except psycopg.Error as error:
        raise StoreError(f"{location}: {_one_line(error)}") from error
    return {name: value for name, value in _DEFAULTS.items() if name not in url_parameters}


def _raise_if_rolled_back(error: PeeweeException, database: PostgresqlDatabase) -> None:
    """Raise the error for a transaction that PostgreSQL rolled back; return for every other error."""
    state = getattr(error.__cause__ or error.__context__, "sqlstate", None)
    if state == _DISK_FULL:
        raise DiskFullError from error
    if state == _LOCK_NOT_AVAILABLE:
        raise try_again() from error
    # A connection that was lost before the commit has lost its transaction, too.
    if state in _ROLLED_BACK_STATES or _connection(database).closed:
        raise TransactionRolledBackError from error


def _connection(database: PostgresqlDatabase) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = database.connection()  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return connection


def _one_line(error: Exception) -> str:
    """Return the message of an error on one line."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
