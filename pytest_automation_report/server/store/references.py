"""The records that runs and sources refer to, for `expands` (floor 2).

Milestones that take runs by their tags (floor 2), inside a transaction that its caller holds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from peewee import fn

from pytest_automation_report.server.store.statuses import BUILT_IN, DEFAULT_STATUSES, ResultStatus, StatusTable
from pytest_automation_report.server.store.tables import (
    ConfigRow,
    MilestoneRow,
    MilestoneTagRow,
    ProjectStatusRow,
    SourceRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json

Reference: TypeAlias = Literal["automation_sources", "configs", "milestones", "statuses", "users"]

RUN_REFERENCES: Final[tuple[Reference, ...]] = ("automation_sources", "configs", "milestones", "statuses", "users")
"""What runs refer to."""

SOURCE_REFERENCES: Final[tuple[Reference, ...]] = ("users",)
"""What sources refer to."""

USER_ID: Final = 1
"""The one user of an embedded server."""

USER_NAME: Final = "Embedded server"
"""The name of that user."""

_TABLES: Mapping[Reference, tuple[str, type[SourceRow | ConfigRow | MilestoneRow]]] = {
    "automation_sources": ("source", SourceRow),
    "configs": ("config", ConfigRow),
    "milestones": ("milestone", MilestoneRow),
}


def referenced(
    database: Database, rows: Sequence[Json], project_id: int, wanted: Iterable[Reference]
) -> dict[Reference, list[Json]]:
    """Return the wanted kinds of records that these runs or sources of a project refer to, each once and by id."""
    return {kind: _records(database, rows, project_id, kind) for kind in wanted}


def project_statuses(database: Database, project_id: int) -> StatusTable:
    """Return the result statuses of a project."""
    query: Any = (
        ProjectStatusRow.select().where(ProjectStatusRow.project == project_id).order_by(ProjectStatusRow.number)
    )
    table = DEFAULT_STATUSES
    changed = {row["number"]: _status(row) for row in query.dicts().execute(database)}
    if changed:
        table = StatusTable(tuple(each for _, each in sorted({**table.by_id, **changed}.items())))
    return table


def _status(row: Json) -> ResultStatus:
    return ResultStatus(
        row["number"],
        row["name"],
        tuple(json.loads(row["aliases"])),
        row["color"],
        is_final=row["is_final"],
        is_untested=row["number"] == BUILT_IN.start,
        is_passed=row["is_passed"],
        is_failed=row["is_failed"],
    )


def _records(database: Database, rows: Sequence[Json], project_id: int, kind: Reference) -> list[Json]:
    if kind == "statuses":
        return [_status_view(status) for status in project_statuses(database, project_id).statuses]
    if kind == "users":
        return [{"id": USER_ID, "name": USER_NAME}] if rows else []
    column, table = _TABLES[kind]
    ids = {row[column] for row in rows} - {None}
    query: Any = table.select(table.id, table.name).where(table.id.in_(ids)).order_by(table.id)
    return list(query.dicts().execute(database))


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


def tagged_milestone(database: Database, project_id: int, tags: Sequence[str]) -> int | None:
    """Return the id of the project's milestone that has one of these tags: of several the one that was made last."""
    if not tags:
        return None
    query: Any = MilestoneTagRow.select(fn.MAX(MilestoneTagRow.milestone)).join(MilestoneRow)
    found: int | None = query.where(MilestoneRow.project == project_id, MilestoneTagRow.tag.in_(tags)).scalar(database)
    return found


def set_tags(database: Database, milestone_id: int, tags: Iterable[str]) -> None:
    """Give a milestone these tags, and no others."""
    MilestoneTagRow.delete().where(MilestoneTagRow.milestone == milestone_id).execute(database)
    for tag in dict.fromkeys(tags):
        MilestoneTagRow.insert(milestone=milestone_id, tag=tag).execute(database)


def milestones(database: Database, project_id: int) -> list[Json]:
    """Return the milestones of a project with their tags, in the order in which they were made."""
    named: Any = MilestoneRow.select(MilestoneRow.id, MilestoneRow.name).where(MilestoneRow.project == project_id)
    found = {
        row["id"]: {**row, "tags": list[str]()} for row in named.order_by(MilestoneRow.id).dicts().execute(database)
    }
    tags: Any = MilestoneTagRow.select().where(MilestoneTagRow.milestone.in_(list(found))).order_by(MilestoneTagRow.tag)
    for row in tags.dicts().execute(database):
        found[row["milestone"]]["tags"].append(row["tag"])
    return list(found.values())
