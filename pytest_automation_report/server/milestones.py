"""Milestones that take runs by their tags (floor 2), inside a transaction that its caller holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import fn

from pytest_automation_report.server.tables import Milestone, MilestoneTag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from peewee import Database

    from pytest_automation_report.model import Json


def tagged_milestone(database: Database, project_id: int, tags: Sequence[str]) -> int | None:
    """Return the id of the project's milestone that has one of these tags: of several the one that was made last."""
    if not tags:
        return None
    query: Any = MilestoneTag.select(fn.MAX(MilestoneTag.milestone)).join(Milestone)
    found: int | None = query.where(Milestone.project == project_id, MilestoneTag.tag.in_(tags)).scalar(database)
    return found


def set_tags(database: Database, milestone_id: int, tags: Iterable[str]) -> None:
    """Give a milestone these tags, and no others."""
    MilestoneTag.delete().where(MilestoneTag.milestone == milestone_id).execute(database)
    for tag in dict.fromkeys(tags):
        MilestoneTag.insert(milestone=milestone_id, tag=tag).execute(database)


def milestones(database: Database, project_id: int) -> list[Json]:
    """Return the milestones of a project with their tags, in the order in which they were made."""
    named: Any = Milestone.select(Milestone.id, Milestone.name).where(Milestone.project == project_id)
    found = {row["id"]: {**row, "tags": list[str]()} for row in named.order_by(Milestone.id).dicts().execute(database)}
    tags: Any = MilestoneTag.select().where(MilestoneTag.milestone.in_(list(found))).order_by(MilestoneTag.tag)
    for row in tags.dicts().execute(database):
        found[row["milestone"]]["tags"].append(row["tag"])
    return list(found.values())
