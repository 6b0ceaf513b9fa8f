"""The lists: projects, and runs of a project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.paging import paging
from pytest_automation_report.server.pages.run.url import single_values
from pytest_automation_report.server.pages.run_summary import run_summary
from pytest_automation_report.server.pages.sources import SourceReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.store import Store

_RUN_FILTERS: Final = ("status", "source_id", "tags")
_PAGE_RUNS: Final = "25"


class HomePage(Page):
    """The projects, or the runs of the only project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the projects, or the runs of the only one."""
        project_ids = self.store.read(lambda reader: SourceReader(reader.database).projects())
        if len(project_ids) == 1:
            self.show(req, resp, "runs/runs.html", **_project_page(self.store, project_ids[0], req.params))
        else:
            projects = self.store.read(partial(_project_rows, project_ids))
            self.show(req, resp, "runs/projects.html", projects=projects)


class ProjectPage(Page):
    """The runs of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Show one page of the project's runs."""
        self.show(req, resp, "runs/runs.html", **_project_page(self.store, project_id, req.params))


@dataclass(frozen=True, slots=True)
class _RunList:
    """Path and filters of a list of runs, for the links to its other pages."""

    path: str
    filters: Mapping[str, str]

    def address_at(self, page: int) -> str:
        """Return the URL of a page; the first one needs no number."""
        pairs = [*self.filters.items(), *([("page", str(page))] if page > 1 else [])]
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path


def _project_rows(project_ids: Sequence[int], reader: Reader) -> list[dict[str, Any]]:
    """Return one row for each project: id, number of runs, and the latest run, None if it has no runs."""
    page_reader = SourceReader(reader.database)
    latest_runs = page_reader.latest_runs(project_ids)
    records = reader.runs([run_id for _, run_id in latest_runs.values()], has_threads=False)
    source_names = page_reader.source_names({record.row["source"] for record in records.values()})
    rows = list[dict[str, Any]]()
    for project_id in project_ids:
        count, run_id = latest_runs.get(project_id, (0, 0))
        row: dict[str, Any] = {"id": project_id, "count": count, "run": None}
        if count:
            record = records[run_id]
            statuses = reader.statuses(project_id)
            row["run"] = run_summary(record, statuses, source_names[record.row["source"]])
        rows.append(row)
    return rows


def _project_page(store: Store, project_id: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the page with the runs of a project; an empty parameter, as forms send it, is ignored."""
    values = {name: text for name, text in single_values(parameters).items() if text}
    query = queries.query_from(queries.RUN_PAGE, {"per_page": _PAGE_RUNS, **values})
    filters: dict[str, str] = {name: values[name] for name in _RUN_FILTERS if name in values}
    return store.read(partial(_project_values, project_id, query, filters))


def _project_values(
    project_id: int, query: Mapping[str, Any], filters: Mapping[str, str], reader: Reader
) -> dict[str, Any]:
    """Return the values of the template ``runs/runs.html``."""
    page = reader.run_page(project_id, query)
    page_reader, statuses = SourceReader(reader.database), reader.statuses(project_id)
    names = page_reader.source_names({record.row["source"] for record in page.items})
    path = page_reader.home(project_id)
    return {
        "project": project_id,
        "path": path,
        "filters": filters,
        "sources": page_reader.sources(project_id),
        "total": page.total,
        "runs": [run_summary(record, statuses, names[record.row["source"]]) for record in page.items],
        "pages": paging(query["page"], page.total, query["per_page"]),
        "run_list": _RunList(path, filters),
    }
