"""Answer the URLs of the report in one file: a download of the pages, and a document of the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.rendering import set_html
from pytest_automation_report.server.pages.report.document import report_of
from pytest_automation_report.server.store.errors import validation_error
from pytest_automation_report.server.store.inputs import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import falcon

    from pytest_automation_report.server.store.store import Store

__all__ = ["ReportDocument", "ReportDownload"]

_ID: Final = re.compile(r"[1-9][0-9]{0,14}")


class ReportDownload:
    """The report of a run as a file that a browser saves; ``fetch`` returns a page of the site by its address."""

    def __init__(self, store: Store, fetch: Callable[[str], str]) -> None:
        self._store = store
        self._fetch = fetch

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the file."""
        set_html(resp, report_of(self._store, run_id, self._fetch, _base(req)))
        resp.set_header("Content-Disposition", f'attachment; filename="run-{run_id}.html"')


class ReportDocument:
    """The report of a run as a document of the API, for the console command."""

    def __init__(self, store: Store, fetch: Callable[[str], str]) -> None:
        self._store = store
        self._fetch = fetch

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with the file in the member ``html``."""
        html = report_of(self._store, run_id, self._fetch, _base(req))
        resp.data = json_text({"result": {"html": html}}).encode()


def _base(req: falcon.Request) -> int | None:
    text = req.params.get("base")
    if text in (None, ""):
        return None
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise validation_error({"base": ["Must be the id of a run."]})
    return int(text)
