"""Answer the URLs of the pages: each request becomes one read of the store and one template."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.pages import view_models
from pytest_automation_report.server.pages.queries import PAGE_ROWS, PageReader, Search
from pytest_automation_report.server.pages.rendering import render, set_html
from pytest_automation_report.server.pages.run_url import run_state, single_values
from pytest_automation_report.server.store.artifact_rows import stored_contents
from pytest_automation_report.server.store.artifact_urls import hashes_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import falcon

    from pytest_automation_report.server.pages.queries import Rows
    from pytest_automation_report.server.pages.run_url import RunState
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.statuses import StatusTable
    from pytest_automation_report.server.store.store import Store

_RUN_FILTERS: Final = ("status", "source_id", "tags")
_PAGE_RUNS: Final = "25"


class _Page:
    def __init__(self, store: Store) -> None:
        self._store = store


class HomePage(_Page):
    """The projects, or the runs of the only project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the projects, or the runs of the only one."""
        project_ids = self._store.read(lambda reader: PageReader(reader.database).projects())
        if len(project_ids) == 1:
            set_html(resp, _project_page(self._store, project_ids[0], req.params))
        else:
            projects = self._store.read(partial(_project_rows, project_ids))
            set_html(resp, render("projects.html", projects=projects))


class ProjectPage(_Page):
    """The runs of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Show one page of the project's runs."""
        set_html(resp, _project_page(self._store, project_id, req.params))


class RunPage(_Page):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show the run with a page of its tests."""
        state = run_state(run_id, req.params)
        set_html(resp, render("run.html", **self._store.read(partial(_run_values, state))))


class RunChangesPage(_Page):
    """The sections of a run's page that change while the run is open; the page's script asks for them."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the sections, or 304 if the page shows them already."""
        state = run_state(run_id, req.params)
        html = render("run_live.html", **self._store.read(partial(_run_values, state)))
        tag = f'"{sha256(html.encode("utf-8", "replace")).hexdigest()[:32]}"'
        resp.set_header("Cache-Control", "private, no-cache")
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
        else:
            set_html(resp, html)


class TestPage(_Page):
    """One test of a run."""

    __test__ = False  # pytest must not collect it

    def on_get(self, _: falcon.Request, resp: falcon.Response, result_id: int) -> None:
        """Show the test's result, and its results in earlier runs."""
        set_html(resp, render("test.html", **self._store.read(partial(_test_values, result_id))))


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
    page_reader = PageReader(reader.database)
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
            row["run"] = view_models.run_summary(record, statuses, source_names[record.row["source"]])
        rows.append(row)
    return rows


def _project_page(store: Store, project_id: int, parameters: Mapping[str, Any]) -> str:
    """Return the page with the runs of a project; an empty parameter, as forms send it, is ignored."""
    values = {name: text for name, text in single_values(parameters).items() if text}
    query = queries.query_from(queries.RUN_PAGE, {"per_page": _PAGE_RUNS, **values})
    filters: dict[str, str] = {name: values[name] for name in _RUN_FILTERS if name in values}
    return render("runs.html", **store.read(partial(_project_values, project_id, query, filters)))


def _project_values(
    project_id: int, query: Mapping[str, Any], filters: Mapping[str, str], reader: Reader
) -> dict[str, Any]:
    """Return the values of the template ``runs.html``."""
    page = reader.run_page(project_id, query)
    page_reader, statuses = PageReader(reader.database), reader.statuses(project_id)
    names = page_reader.source_names({record.row["source"] for record in page.items})
    path = page_reader.home(project_id)
    return {
        "project": project_id,
        "path": path,
        "filters": filters,
        "sources": page_reader.sources(project_id),
        "total": page.total,
        "runs": [view_models.run_summary(record, statuses, names[record.row["source"]]) for record in page.items],
        "pages": view_models.paging(query["page"], page.total, query["per_page"]),
        "run_list": _RunList(path, filters),
    }


def _test_values(result_id: int, reader: Reader) -> dict[str, Any]:
    """Return the values of the template ``test.html``."""
    page_reader = PageReader(reader.database)
    row = page_reader.test(result_id)
    run = reader.run(row["run"], max_threads=0)
    statuses = reader.statuses(run.row["project"])
    history = [
        {**result, "status": view_models.shown_status(statuses, result["status"])}
        for result in page_reader.history(row["case"])
    ]
    contents = stored_contents(reader.database, hashes_in(row["artifacts"]))
    return {
        "home": page_reader.home(run.row["project"]),
        "run": view_models.run_summary(run, statuses, page_reader.source_name(row["source"])),
        "history": history,
        **view_models.test_details(row, statuses, contents),
    }


def _run_values(state: RunState, reader: Reader) -> dict[str, Any]:
    """Return the values of the templates ``run.html`` and ``run_live.html``."""
    page_reader = PageReader(reader.database)
    record = reader.run(state.run_id, max_threads=view_models.THREADS_SHOWN)
    statuses = reader.statuses(record.row["project"])
    run = view_models.run_summary(record, statuses, page_reader.source_name(record.row["source"]))
    values: dict[str, Any] = {
        "home": page_reader.home(record.row["project"]),
        "run": run,
        "state": state,
        **view_models.run_details(record, statuses),
    }
    counts = {
        part["status"].id: part["count"]
        for part in run["parts"]
        if not state.statuses or part["status"].id in state.statuses
    }
    rows, tests = _tests_of_page(page_reader, state, counts, statuses)
    values |= tests
    values["pages"] = view_models.paging(state.page, values["total"], PAGE_ROWS, has_more=rows.has_more)
    return values


def _tests_of_page(
    page_reader: PageReader, state: RunState, counts: Mapping[int, int], statuses: StatusTable
) -> tuple[Rows, dict[str, Any]]:
    """Return the rows of a run's page, and the values of its template that show them.

    ``counts`` has the number of tests by the ids of the chosen statuses. Without a search they are the length of the
    list, so no test is counted; the length of a search is known on its last page alone, and None before.
    """
    search = Search(state.text, state.folder)
    if state.is_grouped:
        rows = page_reader.folders(state.run_id, list(counts), search, state.page)
        return rows, {"folders": view_models.folder_rows(rows, statuses), "sections": [], "total": None}
    if search.is_any:
        rows = page_reader.tests(state.run_id, counts, state.page)
        return rows, {"sections": _sections(page_reader, rows, statuses, state, counts), "total": sum(counts.values())}
    rows = page_reader.found_tests(state.run_id, list(counts), search, state.page)
    total = None if rows.has_more else (state.page - 1) * PAGE_ROWS + len(rows.items)
    return rows, {"sections": _sections(page_reader, rows, statuses, state, {}), "total": total}


def _sections(
    page_reader: PageReader, rows: Rows, statuses: StatusTable, state: RunState, counts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Return the tests of a page by status, those that did not pass with their message."""
    not_passed = [row["id"] for row in rows.items if view_models.shown_status(statuses, row["status"]).tone != "pass"]
    messages = {row["id"]: view_models.message_of(row["fields"]) for row in page_reader.fields(not_passed)}
    return view_models.sections(rows, messages, statuses, state, counts)
