"""The page of a run."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.paging import paging
from pytest_automation_report.server.pages.rendering import render, set_html
from pytest_automation_report.server.pages.run import view_models
from pytest_automation_report.server.pages.run.queries import PAGE_ROWS, RunReader, Search
from pytest_automation_report.server.pages.run.url import run_state
from pytest_automation_report.server.pages.run_summary import run_summary
from pytest_automation_report.server.pages.sources import SourceReader
from pytest_automation_report.server.pages.statuses import shown_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    import falcon

    from pytest_automation_report.server.pages.run.queries import Rows
    from pytest_automation_report.server.pages.run.url import RunState
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.statuses import StatusTable


class RunPage(Page):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show the run with a page of its tests."""
        state = run_state(run_id, req.params)
        self.show(req, resp, "run/run.html", **self.store.read(partial(_run_values, state)))


class RunChangesPage(Page):
    """The sections of a run's page that change while the run is open; the page's script asks for them."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the sections, or 304 if the page shows them already."""
        state = run_state(run_id, req.params)
        html = render("run/live.html", **self.store.read(partial(_run_values, state)))
        tag = f'"{sha256(html.encode("utf-8", "replace")).hexdigest()[:32]}"'
        resp.set_header("Cache-Control", "private, no-cache")
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
        else:
            set_html(resp, html)


def _run_values(state: RunState, reader: Reader) -> dict[str, Any]:
    """Return the values of the templates ``run/run.html`` and ``run/live.html``."""
    run_reader, sources = RunReader(reader.database), SourceReader(reader.database)
    record = reader.run(state.run_id, max_threads=view_models.THREADS_SHOWN)
    statuses = reader.statuses(record.row["project"])
    run = run_summary(record, statuses, sources.source_name(record.row["source"]))
    values: dict[str, Any] = {
        "home": sources.home(record.row["project"]),
        "run": run,
        "state": state,
        **view_models.run_details(record, statuses),
    }
    counts = {
        part["status"].id: part["count"]
        for part in run["parts"]
        if not state.statuses or part["status"].id in state.statuses
    }
    rows, tests = _tests_of_page(run_reader, state, counts, statuses)
    values |= tests
    values["pages"] = paging(state.page, values["total"], PAGE_ROWS, has_more=rows.has_more)
    return values


def _tests_of_page(
    run_reader: RunReader, state: RunState, counts: Mapping[int, int], statuses: StatusTable
) -> tuple[Rows, dict[str, Any]]:
    """Return the rows of a run's page, and the values of its template that show them.

    ``counts`` has the number of tests by the ids of the chosen statuses. Without a search they are the length of the
    list, so no test is counted; the length of a search is known on its last page alone, and None before.
    """
    search = Search(state.text, state.folder)
    if state.is_grouped:
        rows = run_reader.folders(state.run_id, list(counts), search, state.page)
        return rows, {"folders": view_models.folder_rows(rows, statuses), "sections": [], "total": None}
    if search.is_any:
        rows = run_reader.tests(state.run_id, counts, state.page)
        return rows, {"sections": _sections(run_reader, rows, statuses, state, counts), "total": sum(counts.values())}
    rows = run_reader.found_tests(state.run_id, list(counts), search, state.page)
    total = None if rows.has_more else (state.page - 1) * PAGE_ROWS + len(rows.items)
    return rows, {"sections": _sections(run_reader, rows, statuses, state, {}), "total": total}


def _sections(
    run_reader: RunReader, rows: Rows, statuses: StatusTable, state: RunState, counts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Return the tests of a page by status, those that did not pass with their message."""
    not_passed = [row["id"] for row in rows.items if shown_status(statuses, row["status"]).tone != "pass"]
    messages = {row["id"]: view_models.message_of(row["fields"]) for row in run_reader.fields(not_passed)}
    return view_models.sections(rows, messages, statuses, state, counts)
