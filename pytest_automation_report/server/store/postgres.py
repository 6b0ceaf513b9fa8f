"""The tables of the store in a PostgreSQL database: made, brought to this release, or refused (floor 2).

The store in a PostgreSQL database: its connections and transactions (floor 2).

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
"""The table with one row, the version of the others; it marks a database, or the schema in it, as ours."""

_LOCK: Final = 0x41525031
_ENCODING: Final = "UTF8"


class OrderedDatabase(PostgresqlDatabase):
    """Texts are compared as SQLite compares them, whatever the language of the database is."""

    field_types: Mapping[str, str] = {**PostgresqlDatabase.field_types, "TEXT": 'TEXT COLLATE "C"'}


def prepare(database: PostgresqlDatabase, shown: str, *, must_exist: bool) -> None:
    """Make the tables where they are missing; processes that do so at the same moment take turns.

    ``shown`` is how messages call the database. Raises `StoreError` for one that is not ours or too new for us.
    """
    _check_encoding(database, shown)
    version = _version(database, shown)
    if version == SCHEMA_VERSION:
        return
    if version is None and must_exist:
        raise StoreError(f"{shown}: there is no store in this database; `automation-report serve` makes one")
    with database.atomic():
        execute(database, "SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        version = _version(database, shown)
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


def _check_encoding(database: PostgresqlDatabase, shown: str) -> None:
    ((encoding,),) = execute(database, "SHOW server_encoding")
    if encoding != _ENCODING:
        raise StoreError(f"{shown}: its encoding is {encoding}; make a database with the encoding {_ENCODING}")


def _version(database: PostgresqlDatabase, shown: str) -> int | None:
    """Return the version of the tables, ``None`` where there is nothing at all."""
    tables = database.get_tables(_schema(database))
    if VERSION_TABLE not in tables:
        if tables:
            raise StoreError(
                f"{shown}: this database has tables of something else; name another database for the store,"
                " or a schema of its own: ?options=-csearch_path%3DSCHEMA"
            )
        return None
    ((version,),) = execute(database, f'SELECT "version" FROM "{VERSION_TABLE}"')  # noqa: S608 - a constant  # nosec B608
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{shown}: this store has version {version}, made by a newer release;"
            f" this release reads up to {SCHEMA_VERSION}: upgrade, or name another database"
        )
    return int(version)


def _schema(database: PostgresqlDatabase) -> str | None:
    ((schema,),) = execute(database, "SELECT current_schema()")
    return str(schema) if schema else None


def _order_indexes(database: PostgresqlDatabase) -> None:
    """End every index with the row's id, as SQLite does by itself: rows are read from them in the order they came."""
    schema = _schema(database)
    for table in TABLES:
        names = table._meta.columns  # noqa: SLF001 - peewee's name for it
        for index in database.get_indexes(table._meta.table_name, schema):  # noqa: SLF001 - as above
            if "id" in names and not index.unique and index.columns[-1] != "id":
                execute(database, f'DROP INDEX "{index.name}"')
                execute(database, index.sql.replace(")", ', "id")', 1))


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
        raise try_again() from error
    if state in _UNDONE or _connection(database).closed:
        raise TransactionRolledBackError from error


def _connection(database: PostgresqlDatabase) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = database.connection()  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return connection


def _words(error: Exception) -> str:
    """Return the text of an error in one line."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
