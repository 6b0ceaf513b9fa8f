"""The page of a test in a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.pages.page import Page
from pytest_automation_report.server.pages.run_summary import run_summary
from pytest_automation_report.server.pages.sources import SourceReader
from pytest_automation_report.server.pages.statuses import shown_status
from pytest_automation_report.server.pages.test.queries import TestReader
from pytest_automation_report.server.pages.test.view_models import test_details
from pytest_automation_report.server.store.artifact_rows import stored_contents
from pytest_automation_report.server.store.artifact_urls import hashes_in

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.server.store.reads import Reader


class TestPage(Page):
    """One test of a run."""

    __test__ = False  # pytest must not collect it

    def on_get(self, req: falcon.Request, resp: falcon.Response, result_id: int) -> None:
        """Show the test's result, and its results in earlier runs."""
        self.show(req, resp, "test/test.html", **self.store.read(partial(_test_values, result_id)))


def _test_values(result_id: int, reader: Reader) -> dict[str, Any]:
    """Return the values of the template ``test/test.html``."""
    test_reader, sources = TestReader(reader.database), SourceReader(reader.database)
    row = test_reader.test(result_id)
    run = reader.run(row["run"], max_threads=0)
    statuses = reader.statuses(run.row["project"])
    history = [
        {**result, "status": shown_status(statuses, result["status"])} for result in test_reader.history(row["case"])
    ]
    contents = stored_contents(reader.connection, hashes_in(row["artifacts"]))
    return {
        "home": sources.home(run.row["project"]),
        "run": run_summary(run, statuses, sources.source_name(row["source"])),
        "history": history,
        **test_details(row, statuses, contents),
    }
