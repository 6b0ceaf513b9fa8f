"""Send the requests that the scheduler chooses: one at a time while tests run, several at a session's end.

Every request goes the same way: the scheduler chooses it, its intent is written to the ledger, the client makes it, and
its outcome is written to the ledger.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pytest_automation_report.delivery.in_flight import InFlightRequests
from pytest_automation_report.delivery.rejections import RefusalHandling
from pytest_automation_report.delivery.request_outcomes import PendingRequest, ResponseHandler
from pytest_automation_report.delivery.requests import call_for
from pytest_automation_report.delivery.retries import RetryPolicy
from pytest_automation_report.delivery.scheduler import Scheduler
from pytest_automation_report.delivery.shared_run import SharedRunLookup
from pytest_automation_report.delivery.uploads import Uploads
from pytest_automation_report.spool.ledger_records import JoinedRecord
from pytest_automation_report.values import MutableValue, field

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_automation_report.delivery.artifact_stores import ArtifactStore
    from pytest_automation_report.delivery.handover import DeliveryContext
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.delivery.reconciliation import Unknown
    from pytest_automation_report.delivery.rejections import RejectedResults
    from pytest_automation_report.delivery.requests import Request
    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.spool.ledger import LedgerState
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.ledger_records import Intent


class Dispatcher(MutableValue):
    """Sends a session's results; owned by the sender that holds the session's lock.

    ``unknown`` is what to do with results of which the server cannot show whether they arrived. ``artifact_store``
    stores files instead of the server. ``max_in_flight`` is how many requests may be in flight once all workers have
    ended, never two of the same worker. ``files_folder`` is the session's folder if the ledger is in another one.
    ``keeps_file`` is for the uploads.
    """

    context: DeliveryContext
    rejected: RejectedResults
    unknown: Unknown = "hold"
    artifact_store: ArtifactStore | None = None
    max_in_flight: int = 1
    files_folder: Path | None = None
    keeps_file: Callable[[Result, str], bool] = lambda *_: False
    in_flight: InFlightRequests[PendingRequest] = field(default_factory=InFlightRequests)
    retry_policy: RetryPolicy = field(init=False)
    scheduler: Scheduler = field(init=False)
    responses: ResponseHandler = field(init=False)
    _uploads: Uploads = field(init=False)
    _lookup: SharedRunLookup = field(init=False)

    def __post_init__(self) -> None:
        context, session = self.context, self.context.session
        refusals = RefusalHandling(context.ledger.state.aliases)
        self.retry_policy = RetryPolicy(context.ledger, context.timeouts, context.runtime)
        self._uploads = Uploads(
            self.files_folder or context.ledger.folder,
            context.client,
            context.ledger,
            context.runtime,
            self.retry_policy,
            self.artifact_store,
            self.keeps_file,
        )
        self._lookup = SharedRunLookup(
            context.client, session.run, session.run_tag, context.timeouts, context.runtime, session.is_first
        )
        self.scheduler = Scheduler(context, self.retry_policy, refusals, self._uploads, self._lookup)
        self.responses = ResponseHandler(
            context, self.retry_policy, refusals, self._uploads, self.rejected, self.unknown
        )

    @property
    def ledger(self) -> LedgerFile:
        """The session's ledger."""
        return self.context.ledger

    @property
    def queues(self) -> WorkerQueues:
        """The results that wait, by worker."""
        return self.context.queues

    @property
    def state(self) -> LedgerState:
        """The ledger's state."""
        return self.context.ledger.state

    @property
    def stopped(self) -> str:
        """Why nothing more is sent in this life of the sender, empty while it goes on."""
        return self.retry_policy.stopped

    @property
    def left(self) -> int:
        """Number of results that are still to be sent."""
        return sum(self.scheduler.unsettled(queue) for queue in self.context.queues.by_worker.values())

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

    @property
    def is_finished(self) -> bool:
        """Whether each result is acknowledged, rejected, held or dropped, and our own run is completed."""
        return self.scheduler.is_finished

    def step(self) -> bool:
        """Handle the responses that have come, or send at most one request; return whether there was work."""
        # While tests run, more than one request in flight would cost CPU time that the tests need, for nothing.
        self.in_flight.max_count = self.max_in_flight if self.context.queues.is_closing else 1
        if self._take_responses():
            return True
        if self.retry_policy.is_waiting:
            return False
        request = self.scheduler.choose(len(self.in_flight), is_full=self.in_flight.is_full)
        return request is not None and self._send(request)

    def reconcile(self) -> bool:
        """Reconcile the first open intent with at most one request; return whether there was something to do."""
        intent = self.state.open_intent
        if intent is None or self.in_flight or self.retry_policy.is_waiting:
            return False
        return self.responses.reconcile(intent)

    def await_responses(self) -> None:
        """Wait for all responses; each request has a separate deadline."""
        while self.in_flight:
            self.in_flight.wait(self.context.timeouts.poll)
            self._take_responses()

    def _send(self, request: Request) -> bool:
        """Make a request; return whether that has changed anything."""
        match request.operation:
            case "reconcile":
                return self.reconcile()
            case "use_run":
                run = self.context.session.joined_run
                assert run is not None  # the scheduler has looked
                self.ledger.write(JoinedRecord(run))
            case "find_shared_run":
                run = self.responses.attempt(self._lookup.step)
                if run is not None:
                    self.ledger.write(JoinedRecord(run, self._lookup.note))
            case "check_server":
                self._uploads.check_server()
            case "store_artifact":
                assert request.artifact is not None
                self._uploads.store(request.artifact)
            case "probe_thread":
                self.responses.probe(request.thread)
            case "show_running":
                if not self.responses.show_running(request):
                    self.scheduler.running_tests.is_refused = True
            case operation:
                # On disk before it is made: after a kill the next sender knows which request may have arrived.
                intent = self.ledger.intend(operation, at=self.context.runtime.wall(), **request.intent_members())
                self._post(intent, request)
        return True

    def _post(self, intent: Intent, request: Request) -> None:
        """Make the request of an intent; its response is handled at once, unless several may be in flight."""
        context = self.context
        sent = None if request.batch is None else self._uploads.resolved(request.batch)
        pending = PendingRequest(intent, request, sent, began=context.runtime.clock())
        key = self._idempotency_key(intent)
        call = call_for(request, context.client, context.session, self.state.run, sent=sent, key=key)
        if self.in_flight.max_count > 1:
            self.in_flight.start(pending, call)
        else:
            self.responses.close(pending, call)

    def _take_responses(self) -> bool:
        """Handle the responses that have come; return whether there was one."""
        has_come = False
        for pending, call in self.in_flight.finished():
            has_come = True
            self.responses.close(pending, call)
            # A success beside a failure clears the ledger's error, though the wait goes on: record the reason again.
            if self.retry_policy.is_waiting:
                self.retry_policy.record_error()
        return has_come

    def _idempotency_key(self, intent: Intent) -> str:
        """Return the Idempotency-Key of a request, which is unique for an intent of a session."""
        return hashlib.sha256(f"{self.context.session.id}:{intent.number}".encode()).hexdigest()
