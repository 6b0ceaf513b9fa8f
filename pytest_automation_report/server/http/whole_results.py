"""Answer the URL of a run's whole results, which is beside the contract: same token, same form of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.server.http import query_parameters as queries
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.whole_results import WholeResults

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.server.store.store import Store

__all__ = ["RunResultsResource"]


class RunResultsResource:
    """The results of a run with their fields and artifacts, in the order of their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with the results after the one of the id ``after``."""
        query = queries.query_from(queries.WHOLE_RESULTS, req.params)
        results, following = self._store.read(
            lambda reader: WholeResults(reader, run_id).page(query["after"], query["status_id"])
        )
        resp.data = json_text({"result": {"tests": results, "next": following}}).encode()
