"""Choose the next request of a delivery.

Deciding and sending are separate: the scheduler reads the queues and the ledger, and sends nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import COLLECTED_FIELD, NOT_RUN_FIELD, NOTE_FIELD, Field, Resources
from pytest_automation_report.delivery.batches import flush_reason
from pytest_automation_report.delivery.requests import Request
from pytest_automation_report.delivery.running_tests import RunningTests
from pytest_automation_report.delivery.uploads import is_spooled
from pytest_automation_report.values import MutableValue, field

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.handover import DeliveryContext
    from pytest_automation_report.delivery.rejections import RefusalHandling
    from pytest_automation_report.delivery.results import WorkerQueue
    from pytest_automation_report.delivery.retries import RetryPolicy
    from pytest_automation_report.delivery.shared_run import SharedRunLookup
    from pytest_automation_report.delivery.uploads import Uploads
    from pytest_automation_report.spool.ledger import LedgerState, WorkerProgress
    from pytest_automation_report.spool.ledger_records import Operation

WORKER_FIELD: Final = "Worker"


class Scheduler(MutableValue):
    """Chooses the requests of a delivery; owned by the dispatcher, which sends them.

    The rules are tried in this order, and the first that yields a request counts:

    1. a request whose response is unknown is reconciled, alone, before anything else is sent;
    2. nothing is sent before there is something to report;
    3. the run is joined, found or created, alone: every other request needs its id;
    4. each worker has its turn, beginning after the worker of the last request: its waiting results (first their files,
       then a thread, then the append), the test that it runs, or the completion of its thread once it has ended;
    5. when all workers are done: the files of the run, the note with the reason of the session's end, the completion.

    A worker has one request in flight at most, to keep the order of its results. ``note`` is how the session ended,
    empty until that is known.
    """

    context: DeliveryContext
    retry_policy: RetryPolicy
    refusals: RefusalHandling
    uploads: Uploads
    lookup: SharedRunLookup
    running_tests: RunningTests = field(init=False)
    note: str = ""
    _waiting_since: dict[str, float] = field(default_factory=dict)
    # End of the last result that has left a worker's queue, in microseconds since the session began: the observed time
    # of the next batch begins there.
    _observed_until_us: dict[str, int] = field(default_factory=dict)
    _turn: int = 0
    # True, too, for a run that an earlier sender has created: a second field would say the same.
    _has_sent_collected: bool = True

    def __post_init__(self) -> None:
        self.running_tests = RunningTests(self.context)

    @property
    def state(self) -> LedgerState:
        """The ledger's state."""
        return self.context.ledger.state

    def choose(self, in_flight: int, *, is_full: bool) -> Request | None:
        """Return the next request, None if there is nothing to send now.

        ``in_flight`` is the number of requests whose responses are awaited, ``is_full`` whether that is the maximum.
        """
        if len(self.state.open_intents) > in_flight:
            return None if in_flight else Request("reconcile")
        if is_full or not self._has_something_to_report:
            return None
        if self.state.run is None:
            return None if in_flight else self._run_request()
        return self._next_worker_request(in_flight) or self._ending_request(in_flight)

    @property
    def is_finished(self) -> bool:
        """Whether each result is acknowledged, rejected, held or dropped, and our own run is completed."""
        state, queues = self.state, self.context.queues
        if not queues.is_decided or state.open_intent is not None:
            return False
        for queue in queues.by_worker.values():
            self._drop_settled(queue, state.progress_of(queue.worker))
            if queue.results:
                return False
        if not self._has_something_to_report:
            return True
        return state.is_complete or (self._leaves_run_open and state.is_noted and not self._open_threads)

    def unsettled(self, queue: WorkerQueue) -> int:
        """Count the results of a queue that are still to be sent."""
        progress = self.state.progress_of(queue.worker)
        return sum(not progress.is_settled(result.offset) for result in queue.results)

    @property
    def _has_something_to_report(self) -> bool:
        """Whether to report at all: a session without a test creates no run.

        A job without a test reports, too, in a run that several jobs share: that run waits for all its jobs.
        """
        session, queues = self.context.session, self.context.queues
        is_awaited = (session.joined_run is not None or bool(session.run_tag)) and queues.end is not None
        return queues.has_results or session.is_closing or is_awaited

    @property
    def _leaves_run_open(self) -> bool:
        """Whether another process completes the run: the one that created it, or a command."""
        return self.state.is_joined and not self.context.session.is_closing

    # Rule 3: the run.

    def _run_request(self) -> Request | None:
        session, left_runs = self.context.session, self.state.left_runs
        if session.joined_run is not None and session.joined_run not in left_runs:
            return Request("use_run")
        # After `send --new-run` the jobs' shared run is the one that was left: this session creates a separate run.
        if session.run_tag and not left_runs:
            return None if self.lookup.is_waiting else Request("find_shared_run")
        collected = () if self.context.queues.is_dist_each else self._collected_fields
        self._has_sent_collected = bool(collected)
        return Request("create_run", resources=Resources(fields=collected))

    # Rule 4: the workers.

    def _next_worker_request(self, in_flight: int) -> Request | None:
        workers = list(self.context.queues.by_worker)
        # One append in flight a worker: `Intent.known` counts what its thread had before, which needs the response.
        busy = {intent.worker for intent in self.state.open_intents.values()}
        for step in range(len(workers)):
            # In turns: a worker with many waiting results does not keep the others from the server.
            turn = (self._turn + step) % len(workers)
            worker = workers[turn]
            request = None if worker in busy else self._worker_request(worker, in_flight)
            if request is not None:
                self._turn = turn + 1
                return request
        return None

    def _worker_request(self, worker: str, in_flight: int) -> Request | None:
        queue, progress = self.context.queues.by_worker[worker], self.state.progress_of(worker)
        self._drop_settled(queue, progress)
        if not queue.results:
            self._waiting_since.pop(worker, None)
            return self._closing_request(queue, progress) or self._running_request(queue, progress, in_flight)
        now = self.context.runtime.clock()
        age = now - self._waiting_since.setdefault(worker, now)
        batch = self.refusals.batch(queue, progress)
        upload = self.uploads.next_for(batch.results)
        if upload is not None:
            return None if in_flight else upload  # an upload may take long, and responses would wait for it
        limit = self.context.timeouts.batch_age
        if not flush_reason(batch, age_seconds=age, age_limit_seconds=limit, is_closing=queue.is_closed):
            return self._running_request(queue, progress, in_flight)
        return self._batch_request(queue, progress, batch, in_flight)

    def _batch_request(
        self, queue: WorkerQueue, progress: WorkerProgress, batch: Batch, in_flight: int
    ) -> Request | None:
        """Return the append of a batch, or a request that must precede it; None if that one must wait."""
        if not self._knows_extensions:
            return None if in_flight else Request("check_server")
        if progress.thread is None:
            return self._thread_request(queue)
        if self.retry_policy.is_circuit_open:
            return Request("probe_thread", queue.worker, progress.thread)
        self._waiting_since[queue.worker] = self.context.runtime.clock()
        return self._append_request(queue, progress.thread, batch)

    @property
    def _knows_extensions(self) -> bool:
        """Whether a response has come, whose headers list the extensions that the server stores, or none is needed.

        An imported session has none but its job.
        """
        session = self.context.session
        is_known = self.context.client.has_answered or self.uploads.has_checked_server
        return is_known or not (session.started_us or session.job or session.hosts)

    def _append_request(self, queue: WorkerQueue, thread: int, batch: Batch) -> Request:
        observed = max(0, batch.results[-1].ended_us - self._observed_from_us(queue))
        return Request(
            "append_thread",
            queue.worker,
            thread,
            batch=batch,
            observed=observed,
            computed=batch.computed,
            extensions=self.running_tests.members(queue),
        )

    def _running_request(self, queue: WorkerQueue, progress: WorkerProgress, in_flight: int) -> Request | None:
        """Return the request that shows the test that a worker runs, None if it is shown or has just begun."""
        if in_flight or self.retry_policy.is_circuit_open or not self.running_tests.is_due(queue):
            return None
        if progress.thread is None:
            return self._thread_request(queue)
        extensions = self.running_tests.members(queue)
        return Request("show_running", queue.worker, progress.thread, extensions=extensions)

    def _thread_request(self, queue: WorkerQueue) -> Request:
        if not self._knows_extensions:
            return Request("check_server")
        # In a run of several jobs a thread needs the fields of its job; otherwise the worker's name is enough.
        job_fields = self.context.session.thread_fields if self._leaves_run_open else ()
        resources = Resources(fields=(Field(WORKER_FIELD, self._name_of(queue)), *job_fields))
        return Request("create_thread", queue.worker, resources=resources, job=self._job(queue))

    def _name_of(self, queue: WorkerQueue) -> str:
        return self.context.session.hosts.get(queue.worker) or queue.worker

    def _job(self, queue: WorkerQueue) -> Json | None:
        """Return the job of a worker's results, None in a run of this session alone.

        Where each worker runs every test, and where results are of several hosts, those of one do not stand for those
        of another: each is a job.
        """
        job = self.context.session.job if self._leaves_run_open else {}
        if self.context.queues.is_dist_each or self.context.session.hosts:
            return {"name": f"{job.get('name', '')} {self._name_of(queue)}".strip(), "attempt": job.get("attempt", 1)}
        return job or None

    def _closing_request(self, queue: WorkerQueue, progress: WorkerProgress) -> Request | None:
        """Return the request that ends a worker's thread, None while the worker may add results or if it has no thread.

        In a run of several jobs the last open thread stays open for the note: the run's own fields belong to all jobs.
        """
        if not queue.is_closed or progress.thread is None:
            return None
        if self._leaves_run_open and not self.state.is_noted and self._open_threads == 1:
            if not self._is_all_sent:
                return None
            return self._run_upload() or self._note_request("note_thread", queue.worker, progress.thread)
        observed = progress.thread_observed + max(0, queue.ended_us - self._observed_from_us(queue))
        # Not negative: an imported result file may state a time for the whole that is less than the sum of its tests.
        computed = max(0, progress.thread_computed + queue.elapsed_correction_us)
        return Request("complete_thread", queue.worker, progress.thread, observed=observed, computed=computed)

    def _drop_settled(self, queue: WorkerQueue, progress: WorkerProgress) -> None:
        """Remove results from the head of the queue that are not to be sent any more: acknowledged, rejected, held."""
        while queue.results and progress.is_settled(queue.results[0].offset):
            self._observed_until_us[queue.worker] = queue.results.popleft().ended_us

    def _observed_from_us(self, queue: WorkerQueue) -> int:
        """Return where the observed time of the next batch begins, in microseconds since the session began."""
        began_us = queue.ended_us if queue.started_us is None else queue.started_us
        return self._observed_until_us.get(queue.worker, began_us)

    @property
    def _open_threads(self) -> int:
        """Number of threads that are open and stay open, even if all requests in flight succeed."""
        intents = self.state.open_intents.values()
        closing = {intent.worker for intent in intents if intent.operation == "complete_thread"}
        workers = self.state.progress_by_worker.items()
        return sum(progress.thread is not None for worker, progress in workers if worker not in closing)

    @property
    def _is_all_sent(self) -> bool:
        queues = self.context.queues
        return queues.is_decided and not any(queue.results for queue in queues.by_worker.values())

    # Rule 5: the end.

    def _ending_request(self, in_flight: int) -> Request | None:
        """Return the next request that ends the session on the server.

        The note may be sent beside the last results, which saves a round trip; all other requests are sent alone.
        """
        state = self.state
        if not self.context.queues.is_decided or state.is_complete:
            return None
        if in_flight:
            is_noted = state.is_noted or any(intent.operation == "append_run" for intent in state.open_intents.values())
            has_to_wait = is_noted or self._leaves_run_open or self._run_upload() is not None
            return None if has_to_wait else self._note_request("append_run")
        if state.is_noted:
            return None if self._leaves_run_open else Request("complete_run")
        if self._leaves_run_open:
            # The note needs a thread of ours: none is open any more, or there never was one.
            return self._thread_request(next(iter(self.context.queues.by_worker.values())))
        return self._run_upload() or self._note_request("append_run")

    def _note_request(self, operation: Operation, worker: str = "", thread: int = 0) -> Request:
        """Return the request that adds the note: how the session ended, tests not run, properties, files."""
        queues = self.context.queues
        session_fields = [Field(NOTE_FIELD, self.note)]
        if queues.not_run:
            session_fields.append(Field(NOT_RUN_FIELD, str(queues.not_run)))
        if operation == "append_run" and not self._has_sent_collected:
            session_fields += self._collected_fields
        artifacts, fields = self.uploads.addressed(queues.artifacts)
        resources = Resources(fields=(*session_fields, *queues.properties, *fields), artifacts=artifacts)
        return Request(operation, worker, thread, resources=resources)

    @property
    def _collected_fields(self) -> tuple[Field, ...]:
        """Return the field with the number of collected tests; none while it is not known."""
        collected = self.context.queues.collected
        return () if collected is None else (Field(COLLECTED_FIELD, str(collected)),)

    def _run_upload(self) -> Request | None:
        """Return the upload of the next file that belongs to the run, None if there is none left."""
        return self.uploads.next_upload(filter(is_spooled, self.context.queues.artifacts))
