"""Read the rows of runs, tests by their keys, and what a project defines: statuses, milestones and configurations.

All functions run inside a transaction that the caller holds. The records of `referenced` are those of the API's
``expands``: sources, configurations, milestones, statuses and users.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.values import (
    BUILT_IN,
    DEFAULT_STATUSES,
    ResultStatus,
    StatusTable,
    json_text,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import RunMention
    from pytest_automation_report.server.store.database import StoreConnection


_IDS_AT_ONCE: Final = 500


def run_rows(connection: StoreConnection, run_ids: Sequence[int]) -> list[Json]:
    """Return the rows of those of these runs that exist, in no order."""
    return connection.rows(f'SELECT * FROM "run" WHERE "id" IN ({marks(run_ids)})', run_ids) if run_ids else []


def run_row(connection: StoreConnection, run_id: int) -> Json:
    """Return the row of a run; raises `ApiError` (404) for an unknown run."""
    rows = run_rows(connection, [run_id])
    if not rows:
        raise not_found("automation run")
    return rows[0]


def rows_of(
    connection: StoreConnection, sql: str, ids: Sequence[int] | Sequence[str], values: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement for many ids, some at a time; ``{ids}`` is their place, before ``values``."""
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        rows += connection.execute(sql.replace("{ids}", marks(some)), (*some, *values))
    return rows


_CASES: Final = 'SELECT "key", "id" FROM "case" WHERE "key" IN ({ids}) AND "source_id" = ?'


def find_cases(connection: StoreConnection, source_id: int, keys: Sequence[str]) -> dict[str, int]:
    """Return the ids of a source's tests by their keys, without keys that it does not have."""
    return dict(rows_of(connection, _CASES, keys, (source_id,)))


def mention(run: Json) -> RunMention:
    """Return a run, by its row, as documents name it; ``at`` is in microseconds since 1970."""
    return {"run": run["id"], "commit": run["commit"], "at": run["created"]}


_STATUS_COLUMNS: Final = '"number", "name", "aliases", "color", "is_final", "is_passed", "is_failed"'
_STATUSES: Final = f'SELECT {_STATUS_COLUMNS} FROM "project_status" WHERE "project_id" = ? ORDER BY "number"'
_STATUSES_OF_THREAD: Final = (
    'SELECT s."number", s."name", s."aliases", s."color", s."is_final", s."is_passed", s."is_failed" FROM "thread" AS t'
    ' JOIN "run" AS r ON r."id" = t."run_id" LEFT JOIN "project_status" AS s ON s."project_id" = r."project_id"'
    ' WHERE t."id" = ? ORDER BY s."number"'
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


Reference: TypeAlias = Literal["automation_sources", "configs", "milestones", "statuses", "users"]

RUN_REFERENCES: Final[tuple[Reference, ...]] = ("automation_sources", "configs", "milestones", "statuses", "users")
"""Kinds of records that runs refer to."""

SOURCE_REFERENCES: Final[tuple[Reference, ...]] = ("users",)
"""Kinds of records that sources refer to."""

USER_ID: Final = 1
"""Id of the only user of an embedded server."""

USER_NAME: Final = "Embedded server"
"""Name of the only user."""

# Tables, and the names of the columns that refer to them.
_TABLES: Mapping[Reference, str] = {"automation_sources": "source", "configs": "config", "milestones": "milestone"}


def referenced(
    connection: StoreConnection, rows: Sequence[Json], project_id: int, wanted: Iterable[Reference]
) -> dict[Reference, list[Json]]:
    """Return, for each wanted kind, the records that these runs or sources refer to, each once and ordered by id."""
    return {kind: _records(connection, rows, project_id, kind) for kind in wanted}


def _records(connection: StoreConnection, rows: Sequence[Json], project_id: int, kind: Reference) -> list[Json]:
    if kind == "statuses":
        return [_status_view(status) for status in project_statuses(connection, project_id).statuses]
    if kind == "users":
        return [{"id": USER_ID, "name": USER_NAME}] if rows else []
    table = _TABLES[kind]
    ids = sorted({row[table] for row in rows} - {None})
    return connection.rows(f'SELECT "id", "name" FROM "{table}" WHERE "id" IN ({marks(ids)}) ORDER BY "id"', ids)


def _status_view(status: ResultStatus) -> Json:
    return {
        "id": status.id,
        "name": status.name,
        "system_name": status.system_name,
        "color": status.color,
        "is_final": status.is_final,
        "is_untested": status.is_untested,
        "is_passed": status.is_passed,
        "is_failed": status.is_failed,
        "aliases": list(status.aliases),
    }
