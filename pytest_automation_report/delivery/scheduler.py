"""Brings results to the server: one request at a time while tests run, several at a session's end (floor 3).

Every POST stands in the ledger before it goes out, and what came of it after. The four classes of answers: applied, try
again, refused, unknown; an unknown one is settled (`settlement`) before anything else is sent, a refused append is
looked into (`portions`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.api.client import encoded
from pytest_automation_report.api.models import Field, Resources
from pytest_automation_report.delivery.batches import flush_reason
from pytest_automation_report.delivery.in_flight import InFlightRequests
from pytest_automation_report.delivery.reconciliation import NOTE_FIELD
from pytest_automation_report.delivery.rejections import RefusalHandling
from pytest_automation_report.delivery.request_outcomes import ResponseHandler
from pytest_automation_report.delivery.retries import RetryPolicy
from pytest_automation_report.delivery.shared_run import SharedRunLookup
from pytest_automation_report.delivery.uploads import Uploads, is_spooled

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.artifact_stores import ArtifactStore
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.delivery.reconciliation import Unknown
    from pytest_automation_report.delivery.rejections import RejectedResults
    from pytest_automation_report.delivery.request_outcomes import PendingRequest
    from pytest_automation_report.delivery.results import WorkerQueue
    from pytest_automation_report.spool.ledger import Intent, LedgerState, Operation, WorkerProgress
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.manifest import SessionManifest

WORKER_FIELD: Final = "Worker"
NOT_RUN_FIELD: Final = "Not run"
"""Name of the run's field that counts the tests without a result."""


@dataclass(slots=True)
class Scheduler:
    """Sends what the lanes hold; owned by the sender that holds the session's lock.

    ``note`` says how the session ended, for the run; ``unknown`` what is done with results that nobody can tell of.
    ``artifact_store`` keeps files in the place of the server. ``max_in_flight`` is how many requests may be under way
    at the same time once all workers have ended, never two to the same thread.
    """

    client: Client
    ledger: LedgerFile
    queues: WorkerQueues
    session: SessionManifest
    timeouts: Timeouts
    runtime: Runtime
    rejects: RejectedResults
    unknown: Unknown = "hold"
    artifact_store: ArtifactStore | None = None
    max_in_flight: int = 1
    in_flight: InFlightRequests[PendingRequest] = field(default_factory=InFlightRequests)
    note: str = ""
    retry_policy: RetryPolicy = field(init=False)
    _portions: RefusalHandling = field(init=False)
    _aftermath: ResponseHandler = field(init=False)
    _joining: SharedRunLookup = field(init=False)
    _uploads: Uploads = field(init=False)
    _waiting_since: dict[str, float] = field(default_factory=dict)
    _marks: dict[str, int] = field(default_factory=dict)
    _turn: int = 0

    def __post_init__(self) -> None:
        self.retry_policy = RetryPolicy(self.ledger, self.timeouts, self.runtime)
        self._portions = RefusalHandling(self.ledger.state.aliases)
        self._uploads = Uploads(
            self.ledger.folder,
            self.client,
            self.ledger,
            self.runtime,
            self.retry_policy,
            self.artifact_store,
        )
        self._aftermath = ResponseHandler(
            self.client, self.ledger, self.queues, self.session, self.timeouts, self.runtime, self.rejects, self.unknown,
            self.retry_policy, self._portions, self.in_flight,
        )  # fmt: skip

        self._joining = SharedRunLookup(
            self.client, self.session.run, self.session.run_tag, self.timeouts, self.runtime, self.session.is_first
        )

    @property
    def state(self) -> LedgerState:
        """The ledger's state."""
        return self.ledger.state

    @property
    def left(self) -> int:
        """Number of results that the server does not have (as far as is known) and that are still to be sent."""
        return sum(self.unsettled(queue) for queue in self.queues.by_worker.values())

    def unsettled(self, queue: WorkerQueue) -> int:
        """Return how many results of those that a lane holds are still to be sent."""
        account = self.state.account(queue.worker)
        return sum(not account.is_settled(each.offset) for each in queue.results)

    @property
    def stopped(self) -> str:
        """Why nothing more is sent in this life of the sender, empty while it goes on."""
        return self.retry_policy.stopped

    @property
    def is_busy(self) -> bool:
        """Whether an answer is awaited, or time must pass until the server can tell what became of a request."""
        return bool(self.in_flight) or self._aftermath.is_settling

    @property
    def has_kept(self) -> bool:
        """Whether results were refused for good, are held since nobody can tell if they arrived, or are damaged."""
        is_aside = any(each.rejected.count or each.held.count for each in self.state.accounts.values())
        return is_aside or bool(self.state.done.get("damaged"))

    @property
    def is_finished(self) -> bool:
        """Whether all results have their end and, when the run is ours, it is completed."""
        state, queues = self.state, self.queues
        if not queues.is_decided or state.open_intent is not None:
            return False
        for queue in queues.by_worker.values():
            self._prune(queue, state.account(queue.worker))
            if queue.results:
                return False
        if not self._has_begun:
            return True
        return state.is_complete or (self._leaves_open and state.is_noted and not self._open_threads)

    @property
    def _has_begun(self) -> bool:
        """Whether there is something to tell; a job without a test is told, too, in a run that waits for it."""
        is_awaited = self.session.joined_run is not None and self.queues.end is not None
        return self.queues.has_results or self.session.is_closing or is_awaited

    @property
    def _leaves_open(self) -> bool:
        """Whether the run is somebody else's to complete."""
        return self.state.is_joined and not self.session.is_closing

    def await_answers(self) -> None:
        """Wait for all that is under way, as long as each request may take."""
        while self.in_flight:
            self.in_flight.wait(self.timeouts.poll)
            self._aftermath.conclude()

    def settle(self) -> bool:
        """Look into the first open intent, with at most one request; return whether there was something to do."""
        intent = self.state.open_intent
        if intent is None or self.in_flight or self.retry_policy.is_waiting:
            return False
        return self._aftermath.settle(intent)

    def step(self) -> bool:
        """Take the answers that have come, or send at most one request; return whether there was something to do."""
        self.in_flight.most = self.max_in_flight if self.queues.is_closing else 1
        if self._aftermath.conclude():
            return True
        if self.retry_policy.is_waiting:
            return False
        if self._aftermath.has_stranded:
            return self.settle()
        action = None if self.in_flight.is_full else self._next_action()
        if action is None:
            return False
        action()
        return True

    def _next_action(self) -> Callable[[], None] | None:
        state = self.state
        if not self._has_begun:
            return None
        if state.run is None:
            return None if self.in_flight else self._begin_run()
        workers = list(self.queues.by_worker)
        busy = {each.worker for each in state.open_intents.values()}
        for step in range(len(workers)):
            turn = (self._turn + step) % len(workers)
            worker = workers[turn]
            action = None if worker in busy else self._lane_action(self.queues.by_worker[worker])
            if action is not None:
                self._turn = turn + 1
                return action
        return self._ending_action() if self.queues.is_decided and not state.is_complete else None

    def _ending_action(self) -> Callable[[], None] | None:
        """Return what ends the session on the server: a note, then, when all else has its end, the completion."""
        if not self.in_flight:
            if self.state.is_noted:
                return None if self._leaves_open else self._complete_run
            return self._begin_note if self._leaves_open else self._storing_of_run() or self._note_run
        is_told = self.state.is_noted or self._leaves_open or self._is_busy_with("append_run")
        return None if is_told or self._storing_of_run() else self._note_run

    def _storing_of_run(self) -> Callable[[], None] | None:
        """Return what stores the next file that is not of a test."""
        return self._uploads.storing(filter(is_spooled, self.queues.artifacts))

    def _begin_run(self) -> Callable[[], None] | None:
        """Return how this session comes to its run."""
        session, left = self.session, self.state.left_runs
        if session.joined_run is not None and session.joined_run not in left:
            return self._join_run
        if session.run_tag and not left:
            return None if self._joining.is_waiting else self._join_shared
        return self._create_run

    def _lane_action(self, queue: WorkerQueue) -> Callable[[], None] | None:
        account = self.state.account(queue.worker)
        self._prune(queue, account)
        if not queue.results:
            self._waiting_since.pop(queue.worker, None)
            return self._closing_action(queue, account)
        since = self._waiting_since.setdefault(queue.worker, self.runtime.clock())
        batch = self._portions.batch(queue, account)
        storing = self._uploads.action(batch.results)
        if storing is not None:
            return None if self.in_flight else storing  # it may take long, and answers would wait for it
        age = self.runtime.clock() - since
        if not flush_reason(
            batch, age_seconds=age, age_limit_seconds=self.timeouts.batch_age, is_closing=queue.is_closed
        ):
            return None
        thread = account.thread
        if thread is None:
            return lambda: self._create_thread(queue)
        if self._aftermath.is_circuit_open:
            return lambda: self._aftermath.probe(thread)
        return lambda: self._append(queue, account, batch)

    def _closing_action(self, queue: WorkerQueue, account: WorkerProgress) -> Callable[[], None] | None:
        """Return what ends a thread; in a run of others the last one waits for what there is to say at the end."""
        if not queue.is_closed or account.thread is None:
            return None
        if self._leaves_open and not self.state.is_noted and self._open_threads == 1:
            if not self._is_all_sent:
                return None
            return self._storing_of_run() or (lambda: self._note_thread(queue, account))
        return lambda: self._complete_thread(queue, account)

    def _prune(self, queue: WorkerQueue, account: WorkerProgress) -> None:
        """Take off what an earlier life of the sender has settled."""
        while queue.results and account.is_settled(queue.results[0].offset):
            self._marks[queue.worker] = queue.results.popleft().moment

    def _join_run(self) -> None:
        self.ledger.write("joined", run=self.session.joined_run)

    def _join_shared(self) -> None:
        """Take a step to the run that jobs share."""
        found = self._aftermath.attempt(self._joining.step)
        if found is not None:
            self.ledger.write("joined", run=found)

    def _create_run(self) -> None:
        intent = self._intend("create_run")
        self._aftermath.post(intent, lambda: self.client.create_run(self.session.run, key=self._key(intent)))

    def _note_run(self) -> None:
        run, intent, resources = self._run, self._intend("append_run"), self._last_words()
        self._aftermath.post(intent, lambda: self.client.append_run(run, resources, key=self._key(intent)))

    def _last_words(self) -> Resources:
        """Return what is known at the session's end: of the run, or of a thread where others share the run."""
        own = [Field(NOTE_FIELD, self.note)]
        if self.queues.not_run:
            own.append(Field(NOT_RUN_FIELD, str(self.queues.not_run)))
        artifacts, fields = self._uploads.addressed(self.queues.artifacts)
        return Resources(fields=(*own, *self.queues.properties, *fields), artifacts=artifacts)

    def _begin_note(self) -> None:
        """Make a thread to say the last words in: none is open any more, or there never was one."""
        self._create_thread(next(iter(self.queues.by_worker.values())))

    def _note_thread(self, queue: WorkerQueue, account: WorkerProgress) -> None:
        thread = account.thread
        assert thread is not None
        intent, body = (
            self._intend("note_thread", worker=queue.worker, thread=thread),
            encoded(self._last_words().body()),
        )
        self._aftermath.post(intent, lambda: self.client.append_thread(thread, body, key=self._key(intent)))

    def _complete_run(self) -> None:
        run, intent, is_measured = self._run, self._intend("complete_run"), self.session.is_measured
        self._aftermath.post(
            intent, lambda: self.client.complete_run(run, measure_elapsed=is_measured, key=self._key(intent))
        )

    def _create_thread(self, queue: WorkerQueue) -> None:
        run, intent = self._run, self._intend("create_thread", worker=queue.worker)
        own = self.session.thread_fields if self._leaves_open else ()
        resources = Resources(fields=(Field(WORKER_FIELD, queue.worker), *own))
        self._aftermath.post(intent, lambda: self.client.create_thread(run, resources, key=self._key(intent)))

    def _complete_thread(self, queue: WorkerQueue, account: WorkerProgress) -> None:
        thread = account.thread
        assert thread is not None
        observed = account.thread_observed + max(0, queue.ended - self._mark(queue))
        computed = max(0, account.thread_computed + queue.more)
        intent = self._intend("complete_thread", worker=queue.worker, thread=thread)
        self._aftermath.post(
            intent,
            lambda: self.client.complete_thread(
                thread,
                elapsed_observed=observed if self.session.is_measured else None,
                elapsed_computed=computed,
                key=self._key(intent),
            ),
        )

    def _append(self, queue: WorkerQueue, account: WorkerProgress, batch: Batch) -> None:
        thread = account.thread
        assert thread is not None
        observed = max(0, batch.results[-1].moment - self._mark(queue))
        intent = self._intend(
            "append_thread",
            worker=queue.worker,
            thread=thread,
            span=(batch.first, batch.last, len(batch.results)),
            orphans=tuple(each.number for each in batch.results if each.is_orphan),
            elapsed=(observed, batch.computed),
        )
        sent, began = self._uploads.resolved(batch), self.runtime.clock()
        body = sent.body(observed if self.session.is_measured else None)

        def taken() -> None:
            self._uploads.release(batch)
            self._portions.took(queue, batch, self.runtime.clock() - began)

        call = lambda: self.client.append_thread(thread, body, key=self._key(intent))  # noqa: E731
        self._aftermath.post(intent, call, sent, taken)
        self._waiting_since[queue.worker] = self.runtime.clock()

    def _mark(self, queue: WorkerQueue) -> int:
        return self._marks.get(queue.worker, queue.began if queue.began is not None else queue.ended)

    @property
    def _run(self) -> int:
        assert self.state.run is not None
        return self.state.run

    def _key(self, intent: Intent) -> str:
        """Return the Idempotency-Key of this POST: the same for the same intent of the same session."""
        return hashlib.sha256(f"{self.session.id}:{intent.number}".encode()).hexdigest()

    def _intend(self, operation: Operation, **members: Any) -> Intent:  # noqa: ANN401 - the book's own
        return self.ledger.intend(operation, at=self.runtime.wall(), **members)

    @property
    def _open_threads(self) -> int:
        """Number of threads that are open and stay so, whatever is under way."""
        closing = {each.worker for each in self.state.open_intents.values() if each.operation == "complete_thread"}
        return sum(each.thread is not None for worker, each in self.state.accounts.items() if worker not in closing)

    def _is_busy_with(self, operation: Operation) -> bool:
        return any(each.operation == operation for each in self.state.open_intents.values())

    @property
    def _is_all_sent(self) -> bool:
        return self.queues.is_decided and not any(queue.results for queue in self.queues.by_worker.values())
