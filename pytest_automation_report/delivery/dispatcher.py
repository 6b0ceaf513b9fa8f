"""Follow a session's spool files, send the requests that the scheduler chooses, and act on their responses.

Each request goes the same way: the scheduler chooses it, its intent is written to the ledger, the client makes it, and
its outcome is written to the ledger.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import Struct, ValidationError, convert, field

from pytest_automation_report.api.responses import ClientError, RefusedError, UnknownAnswerError
from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.delivery.reconciliation import Reconciliation
from pytest_automation_report.delivery.refusals import RefusalHandling
from pytest_automation_report.delivery.requests import (
    NOT_FOUND_OR_GONE,
    TOO_LARGE,
    UNPROCESSABLE,
    DeliveryOptions,
    InFlightRequests,
    Request,
    refusal_reason,
)
from pytest_automation_report.delivery.retries import RetryPolicy
from pytest_automation_report.delivery.scheduler import Scheduler
from pytest_automation_report.delivery.stores import Uploads
from pytest_automation_report.errors import SpoolError, StoreError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger import AckRecord, HeldRecord, Intent, NotRecord
from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.launch import Runtime, Timeouts
    from pytest_automation_report.delivery.queues import Batch, WorkerQueues
    from pytest_automation_report.delivery.requests import RequestError, SendStep
    from pytest_automation_report.spool.folder import SessionManifest
    from pytest_automation_report.spool.reader import SpoolReader
    from pytest_automation_report.spool.sessions import LedgerFile


# Number of a worker's waiting results at which its file is not read further: the spool is the queue, not memory.
_READ_AHEAD: Final = 1000


class SessionFollower(Struct):
    """Reads a session's files into queues and notices the session's end; owned by the sender."""

    files: SpoolReader
    queues: WorkerQueues
    timeouts: Timeouts
    controller: system.Process | None  # the leading pytest process, None in `automation-report send`
    captured_output: CapturedOutput = field(default_factory=lambda: CapturedOutput(RecordingOptions()))
    epoch: float | None = None  # when the session's clock began, in seconds of the performance counter
    _processes: dict[str, system.Process] = field(default_factory=dict)
    _controller_died_at: float | None = None

    def read(self) -> None:
        """Apply all new records."""
        for worker, records in self.files.added(lambda worker: len(self.queues.of(worker).results) >= _READ_AHEAD):
            for placed in records:
                self.queues.apply(worker, placed)
            queue = self.queues.of(worker)
            queue.position = self.files.position(worker)
            # Both are opened while the process lives: later its id, and its files without a name, are gone.
            # A worker may outlive a killed session for a while: a later sender knows it by its start time.
            if queue.pid and worker not in self._processes and (self.controller is not None or queue.birth):
                self._processes[worker] = system.Process(queue.pid, queue.birth)
            if queue.captured_files and self.controller is not None:
                self.captured_output.watch(worker, queue.pid, queue.captured_files)
                queue.captured_files = ()
        self.queues.merge_crashed()

    @property
    def has_ended(self) -> bool:
        """Whether the session has ended, even if files are not read to their end yet, since too many results wait."""
        has_ended = self.queues.is_decided or self.queues.end is not None
        return has_ended or (self.files.is_behind and self._is_left_alone())

    def _is_left_alone(self) -> bool:
        return self.controller is None or not self.controller.is_alive()

    def decide_end(self, now: float) -> None:
        """Turn open attempts into results, once the session has ended or all its processes are dead.

        ``now`` is the sender's clock. Raises `SpoolError` without the files that were read before.
        """
        if self.queues.is_decided or self.files.is_behind:
            return
        if self.queues.end is not None:
            self.queues.finalize("interrupted")
        elif self._is_left_alone():
            self._controller_died_at = now if self._controller_died_at is None else self._controller_died_at
            has_living_workers = any(process.is_alive() for process in self._processes.values())
            if not has_living_workers or now - self._controller_died_at > self.timeouts.worker_grace:
                self._decide_after_death()

    def _decide_after_death(self) -> None:
        self.read()
        if self.files.is_lost:  # what they had more is not known, and nobody died
            raise SpoolError(f"{self.files.folder.path}: its files were moved or deleted before the session's end")
        # A process that ended in order since the read before has written its END.
        if not self.files.is_behind:
            now_us = 0 if self.epoch is None else max(0, int((time.perf_counter() - self.epoch) * 1_000_000))
            self.queues.finalize("died" if self.queues.end is None else "interrupted", now_us)

    def close(self) -> None:
        """Close the descriptors of processes and of captured output."""
        for process in (self.controller, *self._processes.values()):
            if process is not None:
                process.close()
        self.captured_output.close()


def session_options(session: SessionManifest) -> RecordingOptions:
    """Parse the recording options of a session; raises `SpoolError` if its manifest has none that can be read."""
    # Not parsed with the manifest, since `spool` does not import `recording`.
    try:
        return convert(session.options, RecordingOptions)
    except ValidationError as error:
        raise SpoolError(f"session {session.id}: its recording options cannot be read: {error}") from error


class Delivery:
    """The delivery of a session, step by step; owned by the sender that holds the session's lock.

    A response of the classes *applied*, *try again* and *refused* closes its intent. An *unknown* one leaves the intent
    open, and so does a refusal of a request that may have been applied in part: both are reconciled.
    """

    def __init__(
        self,
        session: SessionManifest,
        client: Client,
        ledger: LedgerFile,
        queues: WorkerQueues,
        timeouts: Timeouts,
        runtime: Runtime,
        options: DeliveryOptions = DeliveryOptions(),  # noqa: B008 - immutable
    ) -> None:
        self.session, self.client, self.ledger, self.queues = session, client, ledger, queues
        self.folder = SessionFolder(ledger.folder)
        self.timeouts, self.runtime, self.options, self.state = timeouts, runtime, options, ledger.state
        self.in_flight = InFlightRequests()
        self.retry_policy = RetryPolicy(ledger, timeouts, runtime)
        self.refusals = RefusalHandling(self.retry_policy)
        self.uploads = Uploads(session, client, self.retry_policy, options)
        self.scheduler = Scheduler(
            session, client, queues, self.in_flight, self.retry_policy, self.refusals, self.uploads
        )
        self._reconciliation: Reconciliation | None = None
        # Refused requests by intent: an intent stays open until a read shows whether a part of the request was applied.
        self._to_read_back: dict[int, tuple[RefusedError, Batch | None]] = {}

    @property
    def is_finished(self) -> bool:
        """Whether each result is acknowledged, rejected, held or dropped, and our own run is completed."""
        return self.scheduler.is_finished

    @property
    def is_busy(self) -> bool:
        """Whether a response is awaited, or time must pass until the server can show whether a request was applied."""
        return bool(self.in_flight) or (self._reconciliation is not None and self._reconciliation.is_waiting)

    def step(self) -> bool:
        """Handle the responses that have come, or send at most one request; return whether there was work."""
        # While tests run, more than one request in flight would cost CPU time that the tests need, for nothing. The
        # embedded store has no network, for whose responses others could wait.
        is_alone = self.session.is_embedded or not self.queues.is_closing
        self.in_flight.max_count = 1 if is_alone else self.options.max_in_flight
        if self.take_responses():
            return True
        if self.retry_policy.is_waiting:
            return False
        if len(self.state.open_intents) > len(self.in_flight):
            return self.reconcile()  # alone, before anything else is sent
        request = self.scheduler.choose()
        if isinstance(request, Request):
            # On disk before it is made: after a kill the next sender knows which request may have arrived.
            self.ledger.write(request.intent)
            if self.in_flight.max_count > 1:
                self.in_flight.start(request)
            else:
                self._close(request, request.call)
        elif request is not None:
            request()
        return request is not None

    def reconcile(self) -> bool:
        """Reconcile the first open intent with at most one request; return whether the ledger or the wait has changed.

        Does nothing while responses are awaited, or the server is to be left alone.
        """
        intent = self.state.open_intent
        if intent is None or self.in_flight or self.retry_policy.is_waiting:
            return False
        if self._reconciliation is None or self._reconciliation.intent.number != intent.number:
            refusal, _ = self._to_read_back.get(intent.number, (None, None))
            self._reconciliation = Reconciliation(
                self.session, self.client, self.queues, self.retry_policy, self.options.unknown, intent, refusal
            )
        try:
            outcome = self._reconciliation.step()
        except (ClientError, StoreError) as error:
            self.retry_policy.handle_error(error)
            return True
        match outcome:
            case "pending":
                return False
            case "done":
                self._end_reconciliation(intent)
            case "run_completed":
                # Another process has completed the run: nothing of the requests that it refused was applied.
                for number in self._to_read_back.keys() & self.state.open_intents:
                    self.ledger.write(NotRecord(number))
                refusal, _ = self._to_read_back[intent.number]
                self._to_read_back.clear()
                self.retry_policy.handle_error(refusal, is_run_completed=True)
        return True

    def await_responses(self) -> None:
        """Wait for all responses; each request has a separate deadline."""
        while self.in_flight:
            self.take_responses(self.timeouts.poll)

    def take_responses(self, seconds: float = 0.0) -> bool:
        """Handle the responses that have come, or come within this time; return whether there was one."""
        has_come = False
        for request, call in self.in_flight.finished(seconds):
            has_come = True
            self._close(request, call)
            # A success beside a failure clears the ledger's error, though the wait goes on: record the reason again.
            if self.retry_policy.is_waiting:
                self.retry_policy.record_error()
        return has_come

    def _close(self, request: Request, call: SendStep) -> None:
        """Make the call of a request, or get its result if it was made; close its intent if that is possible."""
        try:
            made = call()
        except UnknownAnswerError as error:
            if request.batch is not None:
                self.retry_policy.unanswered_appends += 1
            self.retry_policy.handle_error(error)
        except RefusedError as error:
            self._refused(request, error)
        except (ClientError, StoreError) as error:
            self._handle_refusal(request.intent, error)
        else:
            self.ledger.write(AckRecord(request.intent.number, made))
            self.retry_policy.succeeded()
            if request.batch is not None:
                self.retry_policy.unanswered_appends = 0
                self.uploads.release(request.batch)
                queue, seconds = self.queues.of(request.intent.worker), self.runtime.clock() - request.began
                self.refusals.append_applied(queue, request.batch, seconds)

    def _handle_refusal(self, intent: Intent, error: RequestError) -> None:
        self.ledger.write(NotRecord(intent.number))
        is_run_completed = None
        # A run that refuses a request may be completed, which only a read shows.
        if self.state.run is not None and isinstance(error, RefusedError) and error.status not in NOT_FOUND_OR_GONE:
            with suppress(ClientError, StoreError):
                is_run_completed = self.client.run(self.state.run, has_threads=False).is_completed
        self.retry_policy.handle_error(error, is_run_completed=is_run_completed)

    def _refused(self, request: Request, error: RefusedError) -> None:
        intent, log = request.intent, self.runtime.log
        is_refused = error.status >= 400  # noqa: PLR2004 - and not redirected
        if intent.operation in {"complete_thread", "complete_run"} and error.status == UNPROCESSABLE:
            # It may be completed already, by a copy of the request or by another process: then there is nothing to do.
            self._to_read_back[intent.number] = error, None
            log(f"{error}: checking whether it is completed already")
        elif intent.operation == "append_thread" and error.status in {400, TOO_LARGE, UNPROCESSABLE}:
            # The contract does not promise that a refused append is refused as a whole.
            self._to_read_back[intent.number] = error, request.sent
            log(f"{refusal_reason(error)}: checking whether a part of it arrived")
        elif intent.operation in {"append_run", "note_thread"} and is_refused:
            # Without the note the run can still be completed: the note is given up, and the summary shows that.
            self.ledger.write(HeldRecord(intent.number, refusal_reason(error), dropped=True))
            log(f"rejected: {refusal_reason(error)}")
        else:
            self._handle_refusal(intent, error)

    def _end_reconciliation(self, intent: Intent) -> None:
        """Go on; a refused append is not sent again unchanged if nothing of it arrived."""
        self._reconciliation = None
        refusal, batch = self._to_read_back.pop(intent.number, (None, None))
        self.retry_policy.succeeded()
        progress = self.state.progress(intent.worker)
        has_arrived = progress.thread != intent.thread or progress.in_thread != intent.known
        if refusal is not None and batch is not None and not has_arrived:
            self.refusals.append_refused(batch.results, refusal)
