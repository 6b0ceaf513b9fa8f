"""Answer the URLs of findings, which are beside the contract: same token, same form of errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.errors import validation_error
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.flaky import flaky_tests
from pytest_automation_report.server.store.inputs import json_text

if TYPE_CHECKING:
    import falcon

    from pytest_automation_report.server.store.store import Store

_ID: Final = re.compile(r"[1-9][0-9]{0,14}")


class RunFindingsResource:
    """The findings of a run, compared with the run that fits best or with the run ``base``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        """Answer with the findings; they are computed at the first request after the run's completion."""
        base = _only(req, "base")
        if base is not None and not _ID.fullmatch(base):
            raise validation_error({"base": ["Must be the id of a run."]})
        document = findings(self._store, run_id, None if base is None else int(base))
        resp.data = json_text({"result": document}).encode()


class SourceFlakyResource:
    """The flaky, broken and suspect tests of a source on the branch ``branch``, or on its main branch."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response, source_id: int) -> None:
        """Answer with the tests, those that cost most first."""
        document = flaky_tests(self._store, source_id, _only(req, "branch"))
        resp.data = json_text({"result": document}).encode()


def _only(req: falcon.Request, name: str) -> str | None:
    """Return a parameter of the query that may be given once; raises `ApiError` (422) if it was given twice."""
    value = req.params.get(name)
    if isinstance(value, list):
        raise validation_error({name: ["May be given once only."]})
    return value
