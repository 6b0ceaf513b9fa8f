"""Read the records that runs and sources refer to, and the tags of milestones.

All functions run inside a transaction that the caller holds. The records are those of the API's ``expands``: sources,
configurations, milestones, statuses and users.
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
"""Kinds of records that runs refer to."""

SOURCE_REFERENCES: Final[tuple[Reference, ...]] = ("users",)
"""Kinds of records that sources refer to."""

USER_ID: Final = 1
"""Id of the only user of an embedded server."""

USER_NAME: Final = "Embedded server"
"""Name of the only user."""

_TABLES: Mapping[Reference, tuple[str, type[SourceRow | ConfigRow | MilestoneRow]]] = {
    "automation_sources": ("source", SourceRow),
    "configs": ("config", ConfigRow),
    "milestones": ("milestone", MilestoneRow),
}


def referenced(
    database: Database, rows: Sequence[Json], project_id: int, wanted: Iterable[Reference]
) -> dict[Reference, list[Json]]:
    """Return, for each wanted kind, the records that these runs or sources refer to, each once and ordered by id."""
    return {kind: _records(database, rows, project_id, kind) for kind in wanted}


def project_statuses(database: Database, project_id: int) -> StatusTable:
    """Return the result statuses of a project: the defaults, with those that the project changed or added."""
    query: Any = (
        ProjectStatusRow.select().where(ProjectStatusRow.project == project_id).order_by(ProjectStatusRow.number)
    )
    changed = {row["number"]: _status_from(row) for row in query.dicts().execute(database)}
    if not changed:
        return DEFAULT_STATUSES
    by_id = {**DEFAULT_STATUSES.by_id, **changed}
    return StatusTable(tuple(by_id[status_id] for status_id in sorted(by_id)))


def _status_from(row: Json) -> ResultStatus:
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
    """Return the id of the project's newest milestone that has one of these tags; None if there is none."""
    if not tags:
        return None
    query: Any = MilestoneTagRow.select(fn.MAX(MilestoneTagRow.milestone)).join(MilestoneRow)
    query = query.where(MilestoneRow.project == project_id, MilestoneTagRow.tag.in_(tags))
    milestone_id: int | None = query.scalar(database)
    return milestone_id


def set_tags(database: Database, milestone_id: int, tags: Iterable[str]) -> None:
    """Replace the tags of a milestone by these."""
    MilestoneTagRow.delete().where(MilestoneTagRow.milestone == milestone_id).execute(database)
    for tag in dict.fromkeys(tags):
        MilestoneTagRow.insert(milestone=milestone_id, tag=tag).execute(database)


def milestones(database: Database, project_id: int) -> list[Json]:
    """Return the milestones of a project with their tags, in the order of their creation."""
    rows: Any = MilestoneRow.select(MilestoneRow.id, MilestoneRow.name).where(MilestoneRow.project == project_id)
    by_id = {
        row["id"]: {**row, "tags": list[str]()} for row in rows.order_by(MilestoneRow.id).dicts().execute(database)
    }
    tags: Any = MilestoneTagRow.select().where(MilestoneTagRow.milestone.in_(list(by_id))).order_by(MilestoneTagRow.tag)
    for row in tags.dicts().execute(database):
        by_id[row["milestone"]]["tags"].append(row["tag"])
    return list(by_id.values())
