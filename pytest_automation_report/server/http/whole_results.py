"""Answer the URL of a run's whole results, which is beside the contract: same token, same form of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.server.http import documents

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.server.store.store import Store


class RunResultsResource:
    """The results of a run with their fields and artifacts, in the order of their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with the results after the one of the id ``after``."""
        resp.data = documents.results_document(self._store, run_id, req.params)
