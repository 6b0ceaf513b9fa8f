"""Findings and overview of a run for its pages; those of a large open run are computed again only now and then."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.overview import overview

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store

_MAX_RUNS: Final = 16
_FRESH_RESULTS: Final = 5_000
"""Results of an open run up to which each page has new documents: they are never behind the results."""

# Documents cost 0.2 s of a processor for 10,000 results: a page that is asked for each second spends a tenth of one.
_SECONDS_A_RESULT: Final = 2 / 10_000


class Documents(NamedTuple):
    """Findings and overview of one run."""

    findings: Json
    overview: Json


class RunDocuments:
    """Read or compute the documents of runs; several threads may use it.

    Those of completed runs are in the store. Those of open runs change with each append: if the run is large they are
    kept for a time that grows with it.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[int, int | None], tuple[float, Documents]] = {}

    def of(self, run_id: int, base: int | None) -> Documents:
        """Return the documents of a run, compared with a base or with the run that fits best.

        Raises `ApiError` for an unknown run (404), and for a base of another source (422).
        """
        row = self._store.read(lambda reader: reader.run_row(run_id))
        is_kept = not row["is_completed"] and row["total_count"] > _FRESH_RESULTS
        with self._lock:
            until, known = self._open.get((run_id, base), (0.0, None)) if is_kept else (0.0, None)
        if known is not None and self._clock() < until:
            return known
        documents = Documents(findings(self._store, run_id, base), overview(self._store, run_id))
        with self._lock:
            self._open.pop((run_id, base), None)
            if is_kept:
                until = self._clock() + row["total_count"] * _SECONDS_A_RESULT
                self._open[run_id, base] = until, documents
                while len(self._open) > _MAX_RUNS:
                    self._open.pop(next(iter(self._open)))
        return documents
