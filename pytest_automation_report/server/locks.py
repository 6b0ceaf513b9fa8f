"""The locks that several writers of one database take (floor 2), always in this order: key, run, contents, tests, rows.

SQLite has one writer at a time, so that its transactions need none of them. In PostgreSQL a writer holds the row of
the run for as long as its transaction: that covers the run's threads and counts. Statements see what was committed
before they begin, so that what a decision rests on is read after the lock was taken.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.statements import execute
from pytest_automation_report.server.tables import Project, Run, Thread

if TYPE_CHECKING:
    from peewee import Database

_ROW: Final = "FOR NO KEY UPDATE"


def locked(query: Any, database: Database) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return a query for rows of one table that keeps them for this transaction."""
    return query.for_update(_ROW) if database.for_update else query


def lock_run(database: Database, run_id: int) -> None:
    """Keep a run for this transaction; nothing happens when there is no such run."""
    _lock(Run.select(Run.id).where(Run.id == run_id), database)


def lock_run_of(database: Database, thread_id: int) -> None:
    """Keep the run of a thread for this transaction; nothing happens when there is no such thread."""
    run_id = Thread.select(Thread.run).where(Thread.id == thread_id)
    _lock(Run.select(Run.id).where(Run.id == run_id), database)


def lock_project(database: Database, project_id: int) -> None:
    """Keep a project for this transaction, so that its statuses and milestones change one after another."""
    _lock(Project.select(Project.id).where(Project.id == project_id), database)


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


def is_mine(database: Database, name: str) -> bool:
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
