"""Hide the differences between SQLite and PostgreSQL: transactions, raw statements, locks, size limits.

SQLite has one writer at a time, so its transactions need no further locks, and the functions for locks do nothing.
PostgreSQL has many. Each takes its locks in this order, so that two writers cannot deadlock: idempotency key, run,
contents, tests, rows. The lock of a run covers its threads and counts.

Transactions of PostgreSQL that write are READ COMMITTED: a statement sees the commits from before it began. So a
writer takes the lock first and then reads the rows that its decision depends on.

``database.for_update`` (peewee's flag for SELECT ... FOR UPDATE) is true for PostgreSQL alone.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from peewee import SqliteDatabase, fn

from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.tables import AttachmentRow, ProjectRow, RunRow, ThreadRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from peewee import Database


class TransactionRolledBackError(Exception):
    """The database rolled a transaction back that can succeed when it is run again."""


class Transactions(Protocol):
    """The transactions of one database; several threads may use it.

    ``notes`` has sentences for the user about the location of the database. A transaction raises `ApiError` (429) when
    it cannot begin, and `TransactionRolledBackError` when it was rolled back and can be run again.
    """

    notes: tuple[str, ...]

    def writing(self) -> AbstractContextManager[Database]:
        """Enter a transaction that changes the store; it is committed when the block ends without an error."""
        raise NotImplementedError

    def reading(self) -> AbstractContextManager[Database]:
        """Enter a transaction that reads one snapshot of the store."""
        raise NotImplementedError

    def compact(self) -> None:
        """Return the space of removed rows to the disk; raises `ApiError` (429) while others use the store."""

    def close(self) -> None:
        """Close every connection; closing twice is harmless."""


def execute(database: Database, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Execute a statement and return its rows; an empty list for a statement without rows."""
    cursor: Any = database.execute_sql(sql, values)  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return list(cursor) if cursor.description else []


def within(query: Any, column: Any, value: int, database: Database | None) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Restrict a query to the rows that have this value in a column; order it by `first_order` first.

    For a page of a run's rows in the order of their ids, PostgreSQL walks along the primary key, since it assumes that
    the rows of one run are spread over the table. They lie together, maybe at its other end, so it would read millions
    of rows in vain. An order by the column first can only be served by an index that begins with the column. With
    ``column = value`` the planner drops the column from the order, so the condition is a range of one value.
    """
    if database is None or not database.for_update:
        return query.where(column == value)
    return query.where(column.between(value, value))


def first_order(column: Any, database: Database | None, *, is_descending: bool = False) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    """Return the columns that a query of `within` is ordered by first; none in SQLite."""
    if database is None or not database.for_update:
        return ()
    return (column.desc() if is_descending else column.asc(),)


# Not FOR UPDATE: that would make inserts of rows that refer to the run wait, in other transactions.
_ROW_LOCK: Final = "FOR NO KEY UPDATE"


def locked(query: Any, database: Database) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return a query that locks its rows until the end of the transaction."""
    return query.for_update(_ROW_LOCK) if database.for_update else query


def lock_run(database: Database, run_id: int) -> None:
    """Lock a run until the end of the transaction; an unknown run is ignored."""
    _lock(RunRow.select(RunRow.id).where(RunRow.id == run_id), database)


def lock_run_of(database: Database, thread_id: int) -> None:
    """Lock the run of a thread until the end of the transaction; an unknown thread is ignored."""
    run_id = ThreadRow.select(ThreadRow.run).where(ThreadRow.id == thread_id)
    _lock(RunRow.select(RunRow.id).where(RunRow.id == run_id), database)


def lock_project(database: Database, project_id: int) -> None:
    """Lock a project until the end of the transaction, so that its statuses and milestones change one at a time."""
    _lock(ProjectRow.select(ProjectRow.id).where(ProjectRow.id == project_id), database)


def share_tests(database: Database, source_id: int) -> None:
    """Take the shared lock of a source's tests: none is removed until the end of the transaction."""
    _advisory_lock(database, "pg_advisory_xact_lock_shared", f"tests {source_id}")


def lock_tests(database: Database, source_id: int) -> None:
    """Take the exclusive lock of a source's tests: no other transaction adds results to them."""
    _advisory_lock(database, "pg_advisory_xact_lock", f"tests {source_id}")


def share_contents(database: Database) -> None:
    """Take the shared lock of all contents: none is removed until the end of the transaction."""
    _advisory_lock(database, "pg_advisory_xact_lock_shared", "contents")


def lock_contents(database: Database) -> None:
    """Take the exclusive lock of all contents: no other transaction adds one or refers to one."""
    _advisory_lock(database, "pg_advisory_xact_lock", "contents")


def try_lock(database: Database, name: str) -> bool:
    """Take the lock of a name without waiting; False if another transaction holds it."""
    return _advisory_lock(database, "pg_try_advisory_xact_lock", name) is not False


def _lock(query: Any, database: Database) -> None:  # noqa: ANN401 - as above
    if database.for_update:
        list(locked(query, database).execute(database))


def _advisory_lock(database: Database, function: str, name: str) -> object:
    """Call one of PostgreSQL's functions for advisory locks, whose names are 64-bit numbers."""
    if not database.for_update:
        return None
    lock_id = int.from_bytes(sha256(f"automation-report {name}".encode()).digest()[:8], "big", signed=True)
    ((result,),) = execute(database, f"SELECT {function}(%s)", (lock_id,))
    return result


MAX_THREADS: Final = 10_000
"""Maximum number of threads of a run, since a response with a run includes all of them."""


MAX_ATTACHED: Final = 2 * 1024 * 1024
"""Maximum number of characters of all fields, artifacts and links of a run and its threads, which lists include."""


def used_bytes(database: Database) -> int:
    """Return the size of a database in bytes; free pages of a SQLite file do not count."""
    if isinstance(database, SqliteDatabase):
        pages = _number(database, "PRAGMA page_count") - _number(database, "PRAGMA freelist_count")
        return pages * _number(database, "PRAGMA page_size")
    return _number(database, "SELECT pg_database_size(current_database())")


def check_room(database: Database, max_bytes: int) -> None:
    """Raise `ApiError` (422) when a database has reached its size limit.

    After a 429 or a 5xx, clients would repeat the request at once or could not know whether it was applied. After a
    422 the sender stores the refused results, and its user can send them again when there is room.
    """
    used = used_bytes(database)
    if used >= max_bytes:
        raise ApiError(
            422,
            f"The store is full: it has {used} bytes and may have {max_bytes}. Remove old runs with automation-report"
            " store prune, or serve it with a larger --max-size.",
        )


def check_threads(count: int) -> None:
    """Raise `ApiError` (422) when a run that has this number of threads cannot get another one."""
    if count >= MAX_THREADS:
        raise ApiError(422, f"The automation run has {count} threads, and can have no more; create another run.")


def check_attached(database: Database, run_id: int) -> None:
    """Raise `ApiError` (422) when the fields, artifacts and links of a run are too long together."""
    total: Any = fn.SUM(fn.LENGTH(AttachmentRow.body))
    length = AttachmentRow.select(total).where(AttachmentRow.run == run_id).scalar(database)
    if length is not None and length > MAX_ATTACHED:
        raise ApiError(
            422, f"The fields, artifacts and links of an automation run can have {MAX_ATTACHED} characters together."
        )


def _number(database: Database, sql: str) -> int:
    ((number,),) = execute(database, sql)
    return int(number)
