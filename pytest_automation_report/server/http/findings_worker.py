"""Compute the findings of completed runs in the background of `serve`, so that their pages open at once."""

from __future__ import annotations

import logging
import threading
from queue import Queue
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.errors import ApiError
from pytest_automation_report.server.store.findings import findings

if TYPE_CHECKING:
    from pytest_automation_report.server.store.store import Store

_logger = logging.getLogger(__name__)

_SECONDS_TO_END: Final = 10.0
"""How long the end of the process waits for the run that is being computed; 100,000 tests take 3 seconds."""


class FindingsWorker:
    """One thread that computes the findings of runs, one after the other, in the order of their completion.

    Nothing is lost if it does not get to a run: its findings are computed when they are first asked for.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run_ids: Queue[int | None] = Queue()
        self._is_closed = False
        # Started by the first run: most servers of developers only show runs.
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, run_id: int) -> None:
        """Compute the findings of a completed run soon; returns at once."""
        with self._lock:
            if self._is_closed:
                return
            self._run_ids.put(run_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="findings", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread after the run that it is at; the store may be closed then."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            self._run_ids.put(None)
            thread.join(_SECONDS_TO_END)

    def _work(self) -> None:
        while (run_id := self._run_ids.get()) is not None:
            if self._is_closed:
                return
            try:
                findings(self._store, run_id)
            except ApiError as error:
                # The run was removed meanwhile, or other processes use the store: the next reader computes it.
                _logger.info("findings of run %s: %s", run_id, error.message)
            except Exception:
                _logger.exception("findings of run %s could not be computed", run_id)
