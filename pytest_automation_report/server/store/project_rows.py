"""Read and write the definitions of a project: its result statuses, and the tags of its milestones.

All functions run inside a transaction that the caller holds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.statuses import BUILT_IN, DEFAULT_STATUSES, ResultStatus, StatusTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_automation_report.server.store.database import StoreConnection

_STATUS_COLUMNS: Final = '"number", "name", "aliases", "color", "is_final", "is_passed", "is_failed"'
_STATUSES: Final = f'SELECT {_STATUS_COLUMNS} FROM "project_status" WHERE "project_id" = ? ORDER BY "number"'
_STATUSES_OF_THREAD: Final = (
    'SELECT s."number", s."name", s."aliases", s."color", s."is_final", s."is_passed", s."is_failed" FROM "thread" AS t'
    ' JOIN "run" AS r ON r."id" = t."run_id" LEFT JOIN "project_status" AS s ON s."project_id" = r."project_id"'
    ' WHERE t."id" = ? ORDER BY s."number"'
)
_MILESTONE_BY_TAG: Final = (
    'SELECT MAX(t."milestone_id") FROM "milestone_tag" AS t JOIN "milestone" AS m ON m."id" = t."milestone_id"'
    ' WHERE m."project_id" = ? AND t."tag" IN'
)
_INSERT_STATUS: Final = (
    f'INSERT INTO "project_status" ("project_id", {_STATUS_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
)


def project_statuses(connection: StoreConnection, project_id: int) -> StatusTable:
    """Return the result statuses of a project: the defaults, with those that the project changed or added."""
    return _table(connection.execute(_STATUSES, (project_id,)))


def thread_statuses(connection: StoreConnection, thread_id: int) -> StatusTable | None:
    """Return the result statuses of the project that a thread belongs to; None if there is no such thread."""
    rows = connection.execute(_STATUSES_OF_THREAD, (thread_id,))
    # A project that changed no status has one row of nulls.
    return _table(row for row in rows if row[0] is not None) if rows else None


def set_status(connection: StoreConnection, project_id: int, status: ResultStatus) -> None:
    """Add or replace a result status of a project; raises ``ValueError`` for an invalid one."""
    # Only for its checks: the table itself is not stored.
    project_statuses(connection, project_id).changed(status)
    connection.change('DELETE FROM "project_status" WHERE "project_id" = ? AND "number" = ?', (project_id, status.id))
    aliases = json_text(list(status.aliases))
    flags = (status.is_final, status.is_passed, status.is_failed)
    connection.change(_INSERT_STATUS, (project_id, status.id, status.name, aliases, status.color, *flags))


def tagged_milestone(connection: StoreConnection, project_id: int, tags: Sequence[str]) -> int | None:
    """Return the id of the project's newest milestone that has one of these tags; None if there is none."""
    if not tags:
        return None
    ((milestone_id,),) = connection.execute(f"{_MILESTONE_BY_TAG} ({marks(tags)})", (project_id, *tags))
    found: int | None = milestone_id
    return found


def set_tags(connection: StoreConnection, milestone_id: int, tags: Iterable[str]) -> None:
    """Replace the tags of a milestone by these."""
    connection.change('DELETE FROM "milestone_tag" WHERE "milestone_id" = ?', (milestone_id,))
    for tag in dict.fromkeys(tags):
        connection.change('INSERT INTO "milestone_tag" ("milestone_id", "tag") VALUES (?, ?)', (milestone_id, tag))


def _table(rows: Iterable[tuple[int, str, str, str, bool, bool, bool]]) -> StatusTable:
    changed = {row[0]: _status(*row) for row in rows}
    if not changed:
        return DEFAULT_STATUSES
    by_id = {**DEFAULT_STATUSES.by_id, **changed}
    return StatusTable(tuple(by_id[status_id] for status_id in sorted(by_id)))


def _status(
    number: int,
    name: str,
    aliases: str,
    color: str,
    is_final: bool,  # noqa: FBT001 - the columns of a row
    is_passed: bool,  # noqa: FBT001 - as above
    is_failed: bool,  # noqa: FBT001 - as above
) -> ResultStatus:
    return ResultStatus(
        number,
        name,
        tuple(json.loads(aliases)),
        color,
        is_final=bool(is_final),
        is_untested=number == BUILT_IN.start,
        is_passed=bool(is_passed),
        is_failed=bool(is_failed),
    )
