"""How large a store is and the limit that its server may set, and the limit of a run's threads (floor 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from peewee import SqliteDatabase, fn

from pytest_automation_report.server.refusals import RefusalError
from pytest_automation_report.server.statements import execute
from pytest_automation_report.server.tables import Attachment

if TYPE_CHECKING:
    from peewee import Database

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
    """Raise `RefusalError` (422) when a database has reached its limit.

    It is a refusal and no failure: the contract knows no other answer that clients neither repeat at once nor take for
    an unknown outcome; what was refused is kept by its sender, and can be sent again when there is room.
    """
    used = used_bytes(database)
    if used >= max_bytes:
        raise RefusalError(
            422,
            f"The store is full: it has {used} bytes and may have {max_bytes}. Remove old runs with automation-report"
            " store prune, or serve it with a larger --max-size.",
        )


def check_threads(amount: int) -> None:
    """Raise `RefusalError` (422) when a run has as many threads as one can have."""
    if amount >= MAX_THREADS:
        raise RefusalError(422, f"The automation run has {amount} threads, and can have no more; create another run.")


def check_attached(database: Database, run_id: int) -> None:
    """Raise `RefusalError` (422) when the fields, artifacts and links of a run are too long together."""
    length: Any = fn.SUM(fn.LENGTH(Attachment.body))
    attached = Attachment.select(length).where(Attachment.run == run_id).scalar(database)
    if attached is not None and attached > MAX_ATTACHED:
        raise RefusalError(
            422, f"The fields, artifacts and links of an automation run can have {MAX_ATTACHED} characters together."
        )


def _number(database: Database, sql: str) -> int:
    ((number,),) = execute(database, sql)
    return int(number)
