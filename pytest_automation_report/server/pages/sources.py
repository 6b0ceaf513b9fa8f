"""Read projects and sources, inside a read transaction of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.store.database import query_rows
from pytest_automation_report.server.store.tables import ProjectRow, RunRow, SourceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json

_SOURCES_SHOWN: Final = 200
_PROJECTS_SHOWN: Final = 200


class SourceReader:
    """Read projects and sources from one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def projects(self) -> list[int]:
        """Return the ids of the projects, lowest first."""
        query: Any = ProjectRow.select(ProjectRow.id).order_by(ProjectRow.id).limit(_PROJECTS_SHOWN)
        return [row["id"] for row in self._rows(query)]

    def latest_runs(self, project_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return the number of runs and the id of the latest one, for each of these projects that has runs."""
        query: Any = RunRow.select(
            RunRow.project, fn.COUNT(RunRow.id).alias("count"), fn.MAX(RunRow.id).alias("latest")
        )
        rows = self._rows(query.where(RunRow.project.in_(project_ids)).group_by(RunRow.project))
        return {row["project"]: (row["count"], row["latest"]) for row in rows}

    def home(self, project_id: int) -> str:
        """Return the path of the page with a project's runs: ``/`` if it is the only project."""
        return "/" if self.projects() == [project_id] else f"/projects/{project_id}"

    def sources(self, project_id: int) -> list[Json]:
        """Return id and name of a project's sources, by name, at most 200."""
        query: Any = SourceRow.select(SourceRow.id, SourceRow.name).where(SourceRow.project == project_id)
        return self._rows(query.order_by(SourceRow.name).limit(_SOURCES_SHOWN))

    def source_names(self, source_ids: Collection[int]) -> dict[int, str]:
        """Return the names of these sources by id."""
        query = SourceRow.select(SourceRow.id, SourceRow.name).where(SourceRow.id.in_(source_ids))
        return {row["id"]: str(row["name"]) for row in self._rows(query)}

    def source_name(self, source_id: int) -> str:
        """Return the name of a source."""
        return self.source_names([source_id])[source_id]

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return query_rows(self._database, query)
