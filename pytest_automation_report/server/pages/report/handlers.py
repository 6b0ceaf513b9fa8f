"""Answer the URLs of the report in one file: a download of the pages, and a document of the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.rendering import set_html
from pytest_automation_report.server.pages.report.document import report_of
from pytest_automation_report.server.pages.report.files import DEFAULT_BYTES, FileRule
from pytest_automation_report.server.store.values import json_text, validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    import falcon

    from pytest_automation_report.server.pages.report.files import Which
    from pytest_automation_report.server.pages.report.shown_tests import PageSource

MAX_BYTES: Final = 8_000_000
"""Largest size of artifacts in a report over HTTP: clients read no response of more than 16 MiB."""

_WHICH: Final[Mapping[str, Which]] = {"none": "none", "failed": "failed", "all": "all"}
_SIZE: Final = re.compile(r"[0-9]{1,9}")
_ID: Final = re.compile(r"[1-9][0-9]{0,14}")


class ReportDownload:
    """The report of a run as a file that a browser saves."""

    def __init__(self, source: PageSource) -> None:
        self._source = source

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Send the file."""
        set_html(resp, report_of(self._source, run_id, *_wishes(req)))
        resp.set_header("Content-Disposition", f'attachment; filename="run-{run_id}.html"')


class ReportDocument:
    """The report of a run as a document of the API, for the console command."""

    def __init__(self, source: PageSource) -> None:
        self._source = source

    def on_get(self, req: falcon.Request, resp: falcon.Response, record_id: int) -> None:
        """Answer with the file in the member ``html``."""
        resp.data = json_text({"result": {"html": report_of(self._source, record_id, *_wishes(req))}}).encode()


def _wishes(req: falcon.Request) -> tuple[int | None, FileRule]:
    """Return the base and the rule of files that a request names; raises `ApiError` (422) for wrong values."""
    values = {name: value for name, value in req.params.items() if isinstance(value, str) and value}
    wrong: dict[str, list[str]] = {}
    if not _ID.fullmatch(values.get("base", "1")):
        wrong["base"] = ["Must be the id of a run."]
    if values.get("artifacts", "none") not in _WHICH:
        wrong["artifacts"] = [f"Must be one of {', '.join(_WHICH)}."]
    size = values.get("artifacts_size", str(DEFAULT_BYTES))
    if not _SIZE.fullmatch(size) or int(size) > MAX_BYTES:
        wrong["artifacts_size"] = [f"Must be a number of bytes up to {MAX_BYTES}."]
    if wrong:
        raise validation_error(wrong)
    which = _WHICH[values.get("artifacts", "failed")]
    return int(values["base"]) if "base" in values else None, FileRule(which, int(size))
