"""What the store asks of the database that it is in (floor 2); how it is done is the database's affair.

Statements in a database's own words (floor 2), for what peewee has no words for or is too slow at.

Reading the rows of one run, thread or status in the order of an index (floor 2).

The locks that several writers of one database take (floor 2), always in this order: key, run, contents, tests, rows.

SQLite has one writer at a time, so that its transactions need none of them. In PostgreSQL a writer holds the row of
the run for as long as its transaction: that covers the run's threads and counts. Statements see what was committed
before they begin, so that what a decision rests on is read after the lock was taken.

How large a store is and the limit that its server may set, and the limit of a run's threads (floor 2).
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
    """The database itself undid a transaction that would succeed when it is done again."""


class Transactions(Protocol):
    """The ways into one database; safe to use from several threads.

    ``notes`` tells, in sentences, what its user should know about the database. Each way raises `ApiError` (429)
    when it cannot be entered, and `TransactionRolledBackError` when all that was done in it is undone and can be
    repeated.
    """

    notes: tuple[str, ...]

    def writing(self) -> AbstractContextManager[Database]:
        """Change the store; what was done is kept when the block ends without an error."""
        raise NotImplementedError

    def reading(self) -> AbstractContextManager[Database]:
        """See the store as it is at one moment, whatever is written meanwhile."""
        raise NotImplementedError

    def compact(self) -> None:
        """Give back the space of what was removed; raises `ApiError` (429) while others use the store."""

    def close(self) -> None:
        """Close every connection; harmless when they are closed."""


def execute(database: Database, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Execute a statement, and return the rows of one that gives rows."""
    cursor: Any = database.execute_sql(sql, values)  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return list(cursor) if cursor.description else []


def within(query: Any, column: Any, value: int, database: Database | None) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return a query for those of its rows that have a value in a column.

    PostgreSQL would rather walk along the primary key for a page of rows in the order of their ids, since it believes
    that rows of one value are spread over the table; those of a run lie together, maybe at the other end. Ordered by
    the column first, which only an index that begins with it does, and asked for as a range, since a single value
    would be left out of the order, they are read where they are.
    """
    if database is None or not database.for_update:
        return query.where(column == value)
    return query.where(column.between(value, value))


def first_order(column: Any, database: Database | None, *, is_descending: bool = False) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    """Return what rows that are `within` are ordered by before all else."""
    if database is None or not database.for_update:
        return ()
    return (column.desc() if is_descending else column.asc(),)


_ROW: Final = "FOR NO KEY UPDATE"


def locked(query: Any, database: Database) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return a query for rows of one table that keeps them for this transaction."""
    return query.for_update(_ROW) if database.for_update else query


def lock_run(database: Database, run_id: int) -> None:
    """Keep a run for this transaction; nothing happens when there is no such run."""
    _lock(RunRow.select(RunRow.id).where(RunRow.id == run_id), database)


def lock_run_of(database: Database, thread_id: int) -> None:
    """Keep the run of a thread for this transaction; nothing happens when there is no such thread."""
    run_id = ThreadRow.select(ThreadRow.run).where(ThreadRow.id == thread_id)
    _lock(RunRow.select(RunRow.id).where(RunRow.id == run_id), database)


def lock_project(database: Database, project_id: int) -> None:
    """Keep a project for this transaction, so that its statuses and milestones change one after another."""
    _lock(ProjectRow.select(ProjectRow.id).where(ProjectRow.id == project_id), database)


def share_tests(database: Database, source_id: int) -> None:
    """Keep the tests of a source from being removed during this transaction."""
    _advise(database, "pg_advisory_xact_lock_shared", f"tests {source_id}")


def lock_tests(database: Database, source_id: int) -> None:
    """Wait until nobody adds results to tests of a source, and keep it so during this transaction."""
    _advise(database, "pg_advisory_xact_lock", f"tests {source_id}")


def share_contents(database: Database) -> None:
    """Keep the contents of artifacts from being removed during this transaction."""
    _advise(database, "pg_advisory_xact_lock_shared", "contents")


def lock_contents(database: Database) -> None:
    """Wait until nobody adds contents or refers to some, and keep it so during this transaction."""
    _advise(database, "pg_advisory_xact_lock", "contents")


def try_lock(database: Database, name: str) -> bool:
    """Return whether something of this name is this transaction's, and not another one's that is under way."""
    return _advise(database, "pg_try_advisory_xact_lock", name) is not False


def _lock(query: Any, database: Database) -> None:  # noqa: ANN401 - as above
    if database.for_update:
        list(locked(query, database).execute(database))


def _advise(database: Database, function: str, name: str) -> object:
    if not database.for_update:
        return None
    number = int.from_bytes(sha256(f"automation-report {name}".encode()).digest()[:8], "big", signed=True)
    ((answer,),) = execute(database, f"SELECT {function}(%s)", (number,))
    return answer


MAX_THREADS: Final = 10_000
"""How many threads a run can have: every answer about a run has all of them."""


MAX_ATTACHED: Final = 2 * 1024 * 1024
"""Most characters that the fields, artifacts and links of a run and its threads may have: lists of runs show them."""


def used_bytes(database: Database) -> int:
    """Return how many bytes a database takes; in a SQLite file, space that is free again does not count."""
    if isinstance(database, SqliteDatabase):
        pages = _number(database, "PRAGMA page_count") - _number(database, "PRAGMA freelist_count")
        return pages * _number(database, "PRAGMA page_size")
    return _number(database, "SELECT pg_database_size(current_database())")


def check_room(database: Database, max_bytes: int) -> None:
    """Raise `ApiError` (422) when a database has reached its limit.

    It is a refusal and no failure: the contract knows no other answer that clients neither repeat at once nor take for
    an unknown outcome; what was refused is kept by its sender, and can be sent again when there is room.
    """
    used = used_bytes(database)
    if used >= max_bytes:
        raise ApiError(
            422,
            f"The store is full: it has {used} bytes and may have {max_bytes}. Remove old runs with automation-report"
            " store prune, or serve it with a larger --max-size.",
        )


def check_threads(amount: int) -> None:
    """Raise `ApiError` (422) when a run has as many threads as one can have."""
    if amount >= MAX_THREADS:
        raise ApiError(422, f"The automation run has {amount} threads, and can have no more; create another run.")


def check_attached(database: Database, run_id: int) -> None:
    """Raise `ApiError` (422) when the fields, artifacts and links of a run are too long together."""
    length: Any = fn.SUM(fn.LENGTH(AttachmentRow.body))
    attached = AttachmentRow.select(length).where(AttachmentRow.run == run_id).scalar(database)
    if attached is not None and attached > MAX_ATTACHED:
        raise ApiError(
            422, f"The fields, artifacts and links of an automation run can have {MAX_ATTACHED} characters together."
        )


def _number(database: Database, sql: str) -> int:
    ((number,),) = execute(database, sql)
    return int(number)
