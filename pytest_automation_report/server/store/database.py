"""Hide the differences between SQLite and PostgreSQL: connections, transactions, locks, size limits.

Statements are plain SQL that both understand, executed by `StoreConnection`.

SQLite has one writer at a time, so its transactions need no further locks, and the functions for locks do nothing.
PostgreSQL has many. Each takes its locks in this order, so that two writers cannot deadlock: idempotency key, run,
thread, contents, tests, rows. A change of one thread, or one that adds to a run, takes the shared lock of the run; its
completion and its removal take the exclusive one. So writers of different threads wait for each other only at their
last statement, which adds to the counts of the run.

Transactions of PostgreSQL that write are READ COMMITTED: a statement sees the commits from before it began. So a
writer takes the lock first and then reads the rows that its decision depends on.

A page of a run's rows in the order of their ids is asked for with ``"run_id" BETWEEN ? AND ? ORDER BY "run_id", "id"``,
in both databases. With ``"run_id" = ?`` PostgreSQL drops that column from the order and walks along the primary key,
since it assumes that the rows of one run are spread over the table; they lie together, maybe at its other end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import psycopg

Row: TypeAlias = dict[str, Any]
"""A row of a query: its values by the names of the columns, as `StoreConnection.each` makes them."""


class TransactionRolledBackError(Exception):
    """The database rolled a transaction back that can succeed when it is run again."""


class StoreConnection(ABC):
    """A connection to the database of a store, used by one thread at a time; ``?`` stands for each value."""

    is_postgres: ClassVar[bool]
    """Whether the database is PostgreSQL, otherwise it is SQLite."""

    @abstractmethod
    def cursor(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor | psycopg.Cursor[Any]:
        """Execute a statement and return the driver's cursor."""

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows; an empty list for a statement without rows."""
        cursor = self.cursor(sql, values)
        return cursor.fetchall() if cursor.description else []

    def each(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of a SELECT as dictionaries, names without ``_id`` at their end, ``is_*`` as bools."""
        cursor = self.cursor(sql, values)
        names = [column[0].removesuffix("_id") for column in cursor.description or ()]
        flags = [name for name in names if name.startswith("is_")]
        for values_of_row in cursor:
            row = dict(zip(names, values_of_row, strict=True))
            for flag in flags:  # SQLite has 0 and 1
                row[flag] = None if row[flag] is None else bool(row[flag])
            yield row

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a SELECT and return its rows as `each` yields them."""
        return list(self.each(sql, values))

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """Execute a SELECT and return its first row as `each` yields it, None if it has no rows."""
        return next(iter(self.rows(sql, values)), None)

    def number(self, sql: str, values: Sequence[object] = ()) -> int:
        """Return the number that a statement selects, 0 for null."""
        ((number,),) = self.execute(sql, values)
        return int(number or 0)

    @abstractmethod
    def insert(self, sql: str, values: Sequence[object]) -> int:
        """Execute an INSERT of one row and return the id of the row."""

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Execute an INSERT, UPDATE or DELETE and return the number of rows that it changed."""
        return self.cursor(sql, values).rowcount


def insert_into(table: str, columns: Collection[str]) -> str:
    """Return the statement that inserts a row with these columns, which are names of ours."""
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks(columns)})'


def marks(values: Collection[object]) -> str:
    """Return a question mark for each value, separated by commas; NULL for none: PostgreSQL refuses an empty list."""
    return ", ".join("?" * len(values)) or "NULL"


def update_row(
    connection: StoreConnection, table: str, row_id: int, values: Mapping[str, object], increments: Mapping[str, int]
) -> None:
    """Set columns of a row and add to others: the database itself computes `count = count + n`, so none is read."""
    changes = [f'"{column}" = ?' for column in values]
    changes += [f'"{column}" = "{column}" + ?' for column in increments]
    if changes:
        sql = f'UPDATE "{table}" SET {", ".join(changes)} WHERE "id" = ?'
        connection.change(sql, (*values.values(), *increments.values(), row_id))


def row_lock(connection: StoreConnection) -> str:
    """Return the end of a SELECT that locks its rows until the end of the transaction."""
    # Not FOR UPDATE: that would make inserts of rows that refer to the run wait, in other transactions.
    return " FOR NO KEY UPDATE" if connection.is_postgres else ""


# Advisory locks have two numbers: one of these, and a hash of the id. They are numbers of 32 bits.
_SPACES: Final = {"run": 1, "tests": 2, "contents": 3, "name": 4}
Locked: TypeAlias = Literal["run", "tests", "contents"]


def lock(connection: StoreConnection, what: Locked, record_id: int = 0) -> None:
    """Take the exclusive lock of a run, of a source's tests or of all contents, until the end of the transaction."""
    if connection.is_postgres:
        connection.execute("SELECT pg_advisory_xact_lock(?, hashint8(?))", (_SPACES[what], record_id))


def share(connection: StoreConnection, what: Locked, record_id: int = 0) -> None:
    """Take the shared lock: the run is not completed, and nothing removed, until the end of the transaction."""
    if connection.is_postgres:
        connection.execute("SELECT pg_advisory_xact_lock_shared(?, hashint8(?))", (_SPACES[what], record_id))


def try_lock(connection: StoreConnection, name: str) -> bool:
    """Take the lock of a name without waiting; False if another transaction holds it."""
    if not connection.is_postgres:
        return True
    ((is_free,),) = connection.execute("SELECT pg_try_advisory_xact_lock(?, hashtext(?))", (_SPACES["name"], name))
    return bool(is_free)


MAX_THREADS: Final = 10_000  # maximum number of threads of a run, since a response with a run includes all of them
# Maximum number of characters of all fields, artifacts and links of a run and its threads, which lists include.
MAX_ATTACHED: Final = 2 * 1024 * 1024


def used_bytes(connection: StoreConnection) -> int:
    """Return the size of a database in bytes; free pages of a SQLite file do not count."""
    if connection.is_postgres:
        return connection.number("SELECT pg_database_size(current_database())")
    pages = connection.number("PRAGMA page_count") - connection.number("PRAGMA freelist_count")
    return pages * connection.number("PRAGMA page_size")
