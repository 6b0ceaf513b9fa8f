"""Findings and overview of a run for its pages; those of a large open run are computed again only now and then."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.overview import overview

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store

_MAX_RUNS: Final = 16
# Cheaper ones are computed for each page: they are never behind the results.
_LEAST_COST_S: Final = 0.1
# A page that is asked for each second spends at most a tenth of a processor on them.
_COSTS_BETWEEN: Final = 10


@dataclass(frozen=True, slots=True)
class Documents:
    """Findings and overview of one run; ``cost`` is the processor's time for both, ``at`` a clock, both in seconds."""

    findings: Json
    overview: Json
    cost: float = 0.0
    at: float = 0.0


class RunDocuments:
    """Read or compute the documents of runs; several threads may use it.

    Those of completed runs are in the store. Those of open runs change with each append, and cost 0.2 s for 10,000
    results: if they cost much they are kept for ten times as long as they took.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cpu = cpu
        self._lock = threading.Lock()
        self._open: dict[tuple[int, int | None], Documents] = {}

    def of(self, run_id: int, base: int | None) -> Documents:
        """Return the documents of a run, compared with a base or with the run that fits best.

        Raises `ApiError` for an unknown run (404), and for a base of another source (422).
        """
        is_open = self._store.read(lambda reader: not reader.run_row(run_id)["is_completed"])
        key = run_id, base
        with self._lock:
            known = self._open.get(key) if is_open else None
        if known is not None and self._clock() < known.at + _COSTS_BETWEEN * known.cost:
            return known
        begun = self._cpu()
        documents = Documents(findings(self._store, run_id, base), overview(self._store, run_id))
        cost = self._cpu() - begun
        base_run = documents.findings["base"]
        if base_run is not None and base_run["why"] != "same branch":
            # The first run of a branch shows the history of the other one, which no page may have needed before.
            findings(self._store, base_run["run"])
        with self._lock:
            self._open.pop(key, None)
            if is_open and cost >= _LEAST_COST_S:
                self._open[key] = Documents(documents.findings, documents.overview, cost, self._clock())
                while len(self._open) > _MAX_RUNS:
                    self._open.pop(next(iter(self._open)))
        return documents
