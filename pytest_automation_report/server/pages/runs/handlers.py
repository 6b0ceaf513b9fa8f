"""The lists: projects, suites, the runs of a project, a suite; and the sections of them that an open page asks for."""

from __future__ import annotations

import time
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.rendering import render, set_html
from pytest_automation_report.server.pages.runs import values
from pytest_automation_report.server.pages.state import RunFilters, run_filters
from pytest_automation_report.server.store.compared import main_branch
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.values import ApiError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import falcon

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.store.store import Store

_COMPUTING_SECONDS: Final = 0.2
_MINUTE_US: Final = 60_000_000


class _ListPage(Page):
    """A list that follows what runs; with ``is_live`` it answers an open page with the sections that changed."""

    def __init__(self, store: Store, *, is_live: bool = False) -> None:
        super().__init__(store)
        self._is_live = is_live

    def answer(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        template: str,
        project_id: int | None,
        question: Callable[[PageReader], dict[str, Any]],
    ) -> None:
        """Answer with a template of the values that ``question`` reads, or with 304 to a page that shows them."""
        if not self._is_live:
            live = req.path.rstrip("/") + "/live" + (f"?{req.query_string}" if req.query_string else "")
            self.show(req, resp, f"runs/{template}.html", live=live, **self._read(question))
            return
        tag = self._tag(project_id)
        resp.set_header("Cache-Control", "private, no-cache")
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
        else:
            set_html(resp, render(f"runs/live_{template}.html", **{"now": self.now_us(), **self._read(question)}))

    def _read(self, question: Callable[[PageReader], dict[str, Any]]) -> dict[str, Any]:
        """Return the values of a list; findings that it lacks are computed, as many as take little time."""
        answer = self.read(question)
        return self.read(question) if self._compute(answer["uncomputed"]) else answer

    def _compute(self, run_ids: Iterable[int]) -> bool:
        """Compute the findings of these runs until the time is over; return whether any was computed."""
        is_any, until = False, time.monotonic() + _COMPUTING_SECONDS
        for run_id in run_ids:
            if time.monotonic() > until:
                break
            try:
                findings(self.store, run_id)
            except ApiError:
                # The store is busy, or the run was removed meanwhile: the list shows what it has.
                break
            is_any = True
        return is_any

    def _tag(self, project_id: int | None) -> str:
        """Return a tag that changes with the runs, and each minute with the words for how long ago they were."""
        state, uncomputed = self.read(lambda reader: reader.state(project_id))
        if self._compute(uncomputed):
            state, uncomputed = self.read(lambda reader: reader.state(project_id))
        text = repr((state, uncomputed, self.now_us() // _MINUTE_US))
        return f'"{sha256(text.encode()).hexdigest()[:32]}"'

    def answer_project(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Answer with the runs of a project."""
        filters = run_filters(req.params)
        question = partial(values.project_values, project_id=project_id, filters=filters)
        self.answer(req, resp, "runs", project_id, question)

    def answer_suite(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Answer with a suite; without a branch in the URL with its main branch."""
        filters = run_filters(req.params)
        source = self.read(lambda reader: reader.suite(source_id))
        self.answer(req, resp, "suite", source["project"], partial(_suite, source=source, filters=filters))


class HomePage(_ListPage):
    """The projects; with one project its suites, with one suite that suite."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the list that fits the store."""
        project_ids = self.read(lambda reader: reader.projects())
        if len(project_ids) != 1:
            self.answer(req, resp, "projects", None, partial(_projects, project_ids=project_ids))
            return
        (project_id,) = project_ids
        sources = self.read(lambda reader: reader.sources(project_id))
        if not run_filters(req.params).is_any or req.has_param("page"):
            self.answer_project(req, resp, project_id)
        elif len(sources) == 1:
            self.answer_suite(req, resp, sources[0]["id"])
        else:
            self.answer(req, resp, "suites", project_id, partial(values.suites_values, project_id=project_id))


class ProjectPage(_ListPage):
    """The runs of a project."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, project_id: int) -> None:
        """Show one page of the project's runs."""
        self.answer_project(req, resp, project_id)


class SuitePage(_ListPage):
    """A suite: its runs on a branch, its trend, what fails, is flaky or slow."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Show the suite."""
        self.answer_suite(req, resp, source_id)


class LatestRun(Page):
    """The address of the newest run of a suite, for bookmarks and README files."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Redirect to the newest run, of one branch with ``branch``; raises `ApiError` (404) without one."""
        branch = run_filters(req.params).branch
        run = self.read(lambda reader: reader.newest(source_id, branch))
        if run is None:
            raise not_found("run of this suite and branch")
        resp.status, resp.location = 302, link("run", run["id"])


class RunComparison:
    """The address of a comparison of two runs."""

    def on_get(self, _: falcon.Request, resp: falcon.Response, base_id: int, run_id: int) -> None:
        """Redirect to the changes of the second run since the first one."""
        resp.status, resp.location = 302, link("run", run_id, view="changes", base=base_id)


def _projects(reader: PageReader, project_ids: list[int]) -> dict[str, Any]:
    return {"projects": values.project_rows(reader, project_ids), "uncomputed": []}


def _suite(reader: PageReader, source: Json, filters: RunFilters) -> dict[str, Any]:
    branch = main_branch(reader.connection, source["id"]) if filters.branch is None else filters.branch
    return values.suite_values(reader, source, filters.of_suite(source["id"], branch))
