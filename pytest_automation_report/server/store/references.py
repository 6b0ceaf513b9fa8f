"""Read the records that runs and sources refer to.

All functions run inside a transaction that the caller holds. The records are those of the API's ``expands``: sources,
configurations, milestones, statuses and users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.project_rows import project_statuses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.statuses import ResultStatus

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
