"""The addresses of the pages: each turns a request into one question of the store and a template."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.pages import view_models as pictures
from pytest_automation_report.server.pages.queries import PAGE_ROWS, PageReader, Search
from pytest_automation_report.server.pages.rendering import page
from pytest_automation_report.server.pages.run_url import given_once, run_state
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

_RUN_PAGE: Final = queries.RunPageQuery()
_RUN_FILTERS: Final = ("status", "source_id", "tags")


class _Page:
    def __init__(self, store: Store) -> None:
        self._store = store


class HomePage(_Page):
    """The runs of the only project, or the projects."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show them."""
        projects = self._store.read(lambda reader: PageReader(reader.database).projects())
        if len(projects) == 1:
            _show(resp, _project_page(self._store, projects[0], req.params))
        else:
            _show(resp, page("projects.html", projects=self._store.read(partial(_project_rows, projects))))


class ProjectPage(_Page):
    """The runs of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Show a page of them."""
        _show(resp, _project_page(self._store, project_id, req.params))


class RunPage(_Page):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show it with a page of its tests."""
        state = run_state(run_id, req.params)
        _show(resp, page("run.html", **self._store.read(lambda reader: _run_values(reader, state))))


class RunChangesPage(_Page):
    """What changes on the page of a run while it is open."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show it, or say that it is as it was."""
        state = run_state(run_id, req.params)
        text = page("run_live.html", **self._store.read(lambda reader: _run_values(reader, state)))
        tag = f'"{sha256(text.encode("utf-8", "replace")).hexdigest()[:32]}"'
        resp.set_header("Cache-Control", "private, no-cache")
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
        else:
            _show(resp, text)


class TestPage(_Page):
    """One test of a run."""

    __test__ = False  # pytest must not collect it

    def on_get(self, _: falcon.Request, resp: falcon.Response, result_id: int) -> None:
        """Show all that is kept of it, and how it ended before."""

        def question(reader: Reader) -> dict[str, Any]:
            own = PageReader(reader.database)
            row = own.test(result_id)
            run = reader.run(row["run"], max_threads=0)
            table = reader.statuses(run.row["project"])
            history = [
                {**each, "status": pictures.shown_status(table, each["status"])} for each in own.history(row["case"])
            ]
            summary = pictures.run_summary(run, table, own.source_name(row["source"]))
            home = own.home(run.row["project"])
            contents = stored_contents(reader.database, hashes_in(row["artifacts"]))
            details = pictures.test_details(row, table, contents)
            return {"home": home, "run": summary, "history": history, **details}

        _show(resp, page("test.html", **self._store.read(question)))


def _project_rows(project_ids: Sequence[int], reader: Reader) -> list[dict[str, Any]]:
    """Return what is told of each project in one row: how many runs it has, and the latest."""
    own = PageReader(reader.database)
    latest = own.latest_runs(project_ids)
    records = reader.runs([run_id for _, run_id in latest.values()], has_threads=False)
    names = own.source_names({record.row["source"] for record in records.values()})
    rows = list[dict[str, Any]]()
    for project_id in project_ids:
        amount, run_id = latest.get(project_id, (0, 0))
        row: dict[str, Any] = {"id": project_id, "amount": amount, "run": None}
        if amount:
            record = records[run_id]
            row["run"] = pictures.run_summary(record, reader.statuses(project_id), names[record.row["source"]])
        rows.append(row)
    return rows


def _project_page(store: Store, project_id: int, parameters: Mapping[str, Any]) -> str:
    given = {name: text for name, text in given_once(parameters).items() if text}
    query = queries.query_from(_RUN_PAGE, {"per_page": "25", **given})
    filters: dict[str, str] = {name: given[name] for name in _RUN_FILTERS if name in given}

    def question(reader: Reader) -> dict[str, Any]:
        found = reader.run_page(project_id, query)
        own, table = PageReader(reader.database), reader.statuses(project_id)
        names = own.source_names({each.row["source"] for each in found.items})
        runs = [pictures.run_summary(each, table, names[each.row["source"]]) for each in found.items]
        return {"found": found, "runs": runs, "sources": own.sources(project_id), "path": own.home(project_id)}

    values = store.read(question)
    path = values["path"]

    def address(number: int) -> str:
        pairs = [*filters.items(), ("page", str(number))] if number > 1 else [*filters.items()]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    pages = pictures.paging(query["page"], values["found"].total, query["per_page"])
    return page(
        "runs.html",
        **values,
        pages=pages,
        filters=filters,
        address=address,
        project=project_id,
    )


def _run_values(reader: Reader, state: RunState) -> dict[str, Any]:
    own, record = PageReader(reader.database), reader.run(state.run_id, max_threads=pictures.THREADS_SHOWN)
    table = reader.statuses(record.row["project"])
    run = pictures.run_summary(record, table, own.source_name(record.row["source"]))
    amounts = {part["status"].id: part["amount"] for part in run["parts"]}
    chosen = {status: amount for status, amount in amounts.items() if not state.statuses or status in state.statuses}
    values: dict[str, Any] = {
        "home": own.home(record.row["project"]),
        "run": run,
        "state": state,
        "chips": [part for part in run["parts"] if part["amount"]],
        **pictures.run_details(record, table),
    }
    search = Search(state.text, state.folder)
    if state.is_grouped:
        rows = own.folders(state.run_id, list(chosen), search, state.page)
        values |= {"folders": pictures.folder_rows(rows, table), "sections": [], "total": None}
    elif search.is_any:
        rows = own.tests(state.run_id, chosen, state.page)
        values |= {"sections": _sections(own, rows, table, state, chosen), "total": sum(chosen.values())}
    else:
        rows = own.found_tests(state.run_id, list(chosen), search, state.page)
        total = None if rows.has_more else (state.page - 1) * PAGE_ROWS + len(rows.items)
        values |= {"sections": _sections(own, rows, table, state, {}), "total": total}
    values["pages"] = pictures.paging(state.page, values["total"], PAGE_ROWS, has_more=rows.has_more)
    return values


def _sections(
    own: PageReader, rows: Rows, table: StatusTable, state: RunState, amounts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Return the tests of a page; those that did not pass with their message."""
    told = [row["id"] for row in rows.items if pictures.shown_status(table, row["status"]).tone != "pass"]
    messages = {row["id"]: pictures.message_of(row["fields"]) for row in own.fields(told)}
    return pictures.sections(rows, messages, table, state, amounts)


def _show(resp: falcon.Response, text: str) -> None:
    resp.content_type = "text/html; charset=utf-8"
    resp.data = text.encode("utf-8", "replace")
