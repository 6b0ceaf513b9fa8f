"""Send the requests that the scheduler chooses: one at a time while tests run, several at a session's end.

Every request goes the same way: the scheduler chooses it, its intent is written to the ledger, the client makes it, and
its outcome is written to the ledger.
"""

from __future__ import annotations

from pytest_automation_report.delivery.request_outcomes import ResponseHandler
from pytest_automation_report.delivery.requests import Life, Request
from pytest_automation_report.delivery.scheduler import Scheduler
from pytest_automation_report.delivery.uploads import Uploads


class Delivery(Life):
    """The delivery of a session, step by step; owned by the sender that holds the session's lock."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.uploads = Uploads(self)
        self.responses = ResponseHandler(self, self.uploads)
        self.scheduler = Scheduler(self, self.responses, self.uploads)

    @property
    def is_finished(self) -> bool:
        """Whether each result is acknowledged, rejected, held or dropped, and our own run is completed."""
        return self.scheduler.is_finished

    @property
    def is_busy(self) -> bool:
        """Whether a response is awaited, or time must pass until the server can show whether a request was applied."""
        return bool(self.in_flight) or self.responses.is_reconciling

    @property
    def has_kept(self) -> bool:
        """Whether results were rejected, are held since their delivery is unconfirmed, or are damaged."""
        workers = self.state.progress_by_worker.values()
        is_aside = any(progress.rejected.count or progress.held.count for progress in workers)
        return is_aside or bool(self.state.done.damaged)

    def step(self) -> bool:
        """Handle the responses that have come, or send at most one request; return whether there was work."""
        # While tests run, more than one request in flight would cost CPU time that the tests need, for nothing.
        self.in_flight.max_count = self.options.max_in_flight if self.queues.is_closing else 1
        if self._take_responses():
            return True
        if self.retry_policy.is_waiting:
            return False
        request = self.scheduler.choose()
        if isinstance(request, Request):
            self._send(request)
            return True
        return request is not None and request() is not False

    def reconcile(self) -> bool:
        """Reconcile the first open intent with at most one request; return whether there was something to do."""
        intent = self.state.open_intent
        if intent is None or self.in_flight or self.retry_policy.is_waiting:
            return False
        return self.responses.reconcile(intent)

    def await_responses(self) -> None:
        """Wait for all responses; each request has a separate deadline."""
        while self.in_flight:
            self.in_flight.wait(self.timeouts.poll)
            self._take_responses()

    def _send(self, request: Request) -> None:
        """Make a request; its response is handled at once, unless several may be in flight."""
        # On disk before it is made: after a kill the next sender knows which request may have arrived.
        self.ledger.write(request.intent)
        if self.in_flight.max_count > 1:
            self.in_flight.start(request, request.call)
        else:
            self.responses.close(request, request.call)

    def _take_responses(self) -> bool:
        """Handle the responses that have come; return whether there was one."""
        has_come = False
        for request, call in self.in_flight.finished():
            has_come = True
            self.responses.close(request, call)
            # A success beside a failure clears the ledger's error, though the wait goes on: record the reason again.
            if self.retry_policy.is_waiting:
                self.retry_policy.record_error()
        return has_come
