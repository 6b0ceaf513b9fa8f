"""The page of a run: its views, the sections that change while it is open, rows of the tree, the failures as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.server.pages.rendering import WITHOUT_CLOCK, Page, frame_of, render, set_html, site_of
from pytest_automation_report.server.pages.run.page import branch_rows, failures_text, page_values
from pytest_automation_report.server.pages.run.time import arrived_words, news_tag
from pytest_automation_report.server.pages.state import run_state, single_values

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.findings.verdict import RunNumbers
    from pytest_automation_report.server.pages.run.page import RunDocuments
    from pytest_automation_report.server.pages.state import RunState
    from pytest_automation_report.server.store.store import Store

_SEEN = "seen"


class _RunPages(Page):
    """A page that reads a run's documents."""

    def __init__(self, store: Store, documents: RunDocuments) -> None:
        super().__init__(store)
        self.documents = documents


class RunPage(_RunPages):
    """One run."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Show one view of the run."""
        state = run_state(run_id, req.params)
        page = page_values(self.store, self.documents.of(run_id, state.base), state, self.now_us())
        run = page.frame["run"]
        self.show(
            req,
            resp,
            "run/run.html",
            **page.frame,
            **page.view,
            live_address=_live_address(state, page.frame["counts"]),
            # A page of the report in one file has no address of a server.
            page_url="" if req.env.get(WITHOUT_CLOCK) else f"{site_of(req)}{state.address}",
            arrived="",
            is_followed=run["is_open"] and not run["failed"],
            next_address="",
        )


class RunLivePage(_RunPages):
    """The sections of a run's page that change while the run is open; the page's script asks for them."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the sections, or 304 if the page shows them already: then nothing is read but one row."""
        state, now = run_state(run_id, req.params), self.now_us()
        tag = self.read(lambda reader: news_tag(reader, run_id, req.query_string, now))
        resp.set_header("Cache-Control", "private, no-cache")
        resp.set_header("ETag", tag)
        if req.get_header("If-None-Match") == tag:
            resp.status = 304
            return
        frame, view = page_values(self.store, self.documents.of(run_id, state.base), state, now)
        seen = single_values(req.params).get(_SEEN, "")
        # A page that shows no failure has nothing that news could move: its view comes along.
        has_view = frame["view"] == "failures" and seen.startswith("0.")
        has_news = has_view and bool(frame["run"]["failed"])
        values = {
            **frame,
            **view,
            "arrived": "" if has_view else arrived_words(frame["counts"], seen),
            "page_url": f"{site_of(req)}{state.address}",
            "has_view": has_view,
            "is_followed": has_view,
            "next_address": _live_address(state, frame["counts"]) if has_news else "",
        }
        set_html(resp, render("run/live.html", **{**frame_of(req), "now": now, **values}))


class RunBranchPage(_RunPages):
    """The rows below one node of the tree; the page's script asks for them when the node is opened."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the rows."""
        state: RunState = run_state(run_id, req.params)
        values = branch_rows(self.store, self.documents.of(run_id, state.base), state, self.now_us())
        set_html(resp, render("run/branch.html", **{**frame_of(req), "state": state, "level": values}))


class RunFailuresText(_RunPages):
    """The failures of a run as Markdown: for issues, chats and language models."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the text."""
        state = run_state(run_id, req.params)
        text = failures_text(self.store, self.documents.of(run_id, state.base), state, self.now_us(), site_of(req))
        resp.content_type = "text/plain; charset=utf-8"
        resp.data = text.encode("utf-8", "replace")


def _live_address(state: RunState, counts: RunNumbers) -> str:
    """Return the address of a page's news; it has the numbers that the page shows."""
    return state.link("run-live", state.run_id, **state.parameters, **{_SEEN: f"{counts.failed}.{counts.finished}"})
