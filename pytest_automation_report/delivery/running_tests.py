"""Show a server of ours which test each worker runs.

The list travels with each append of results. A test that runs longer gets an append without results: such a request may
be repeated or lost, so it is not in the ledger.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.extensions import COLLECTION, RUNNING, STARTED

if TYPE_CHECKING:
    from pytest_automation_report.delivery.requests import Life
    from pytest_automation_report.delivery.results import WorkerQueue

SHOWN_AFTER_SECONDS: Final = 1.0
"""How long a test must run until it is shown by itself: a worker then has one such request in a second at most."""

_NONE: Final = -1


class RunningTests:
    """Encodes the running tests of workers and decides when to show them; owned by the scheduler.

    ``is_refused`` if the server has refused such a request: it gets no other in this life of the sender.
    """

    def __init__(self, life: Life) -> None:
        self.is_refused = False
        self._life = life
        # By worker: the running attempt with the time at which it was first seen, and the one that the server shows.
        self._seen: dict[str, tuple[int, float]] = {}
        self._shown: dict[str, int] = {}

    def is_due(self, queue: WorkerQueue) -> bool:
        """Return whether the test that a worker runs is to be shown now, without waiting for results."""
        start = queue.open
        if start is None or queue.is_closed or self.is_refused or RUNNING not in self._extensions:
            return False
        now = self._life.runtime.clock()
        seen = self._seen.get(queue.worker)
        if seen is None or seen[0] != start.attempt_number:
            self._seen[queue.worker] = start.attempt_number, now
            return False
        is_shown = self._shown.get(queue.worker) == start.attempt_number
        return not is_shown and now - seen[1] >= SHOWN_AFTER_SECONDS

    def members(self, queue: WorkerQueue) -> str:
        """Return the JSON of a thread's extensions as members of an append, each with a comma behind it.

        Empty for a server that does not store them, and for a session without a clock.
        """
        members = ""
        if STARTED in self._extensions:
            members = f'"session_started":{self._life.session.started_us},'
        if COLLECTION in self._extensions and queue.collection:
            members += f'"collection":{json.dumps(queue.collection, separators=(",", ":"))},'
        if RUNNING in self._extensions and not self.is_refused:
            test = self._life.queues.running_test(queue)
            self._shown[queue.worker] = _NONE if queue.open is None else queue.open.attempt_number
            members += f'"running":{json.dumps([] if test is None else [test], separators=(",", ":"))},'
        return members

    @property
    def _extensions(self) -> frozenset[str]:
        """The extensions that are sent: none without the session's clock, by which all their times are."""
        return self._life.client.extensions if self._life.session.started_us else frozenset()
