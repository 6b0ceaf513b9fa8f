"""Choose the next request of a delivery: the scheduler reads the queues and the ledger, and sends nothing."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from pytest_automation_report.api.models import (
    COLLECTION,
    CUT_FIELD,
    RUNNING,
    SESSION,
    STARTED,
    WORKER_FIELD,
    Field,
    Resources,
    SessionSummary,
    encode,
)
from pytest_automation_report.api.responses import RefusedError
from pytest_automation_report.api.sessions import session_fields
from pytest_automation_report.delivery.requests import (
    RepeatableStep,
    Request,
    SendStep,
    note_digest,
    refusal_reason,
)
from pytest_automation_report.delivery.shared_run import SharedRunLookup
from pytest_automation_report.spool.ledger import Intent, JoinedRecord, Operation, WorkerProgress
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.delivery.queues import Batch, WorkerQueue, WorkerQueues
    from pytest_automation_report.delivery.refusals import RefusalHandling
    from pytest_automation_report.delivery.requests import InFlightRequests
    from pytest_automation_report.delivery.retries import RetryPolicy
    from pytest_automation_report.delivery.stores import Uploads
    from pytest_automation_report.spool.folder import SessionManifest


# How long a test must run until it is shown by itself: a worker then has one such request in a second at most.
SHOWN_AFTER_SECONDS: Final = 1.0


class Scheduler:
    """Chooses the requests of a delivery; owned by the delivery, which sends them.

    The rules are tried in this order, and the first that yields a request counts:

    1. nothing is sent before there is something to report;
    2. the run is joined, found or created, alone: every other request needs its id;
    3. each worker has its turn, beginning after the worker of the last request: its waiting results (first their files,
       then a thread, then the append), the test that it runs, or the completion of its thread once it has ended;
    4. when all workers are done: the files of the run, the note with the reason of the session's end, the completion.

    A worker has one request in flight at most, to keep the order of its results. A request whose response is unknown is
    reconciled before any of these.
    """

    def __init__(
        self,
        session: SessionManifest,
        client: Client,
        queues: WorkerQueues,
        in_flight: InFlightRequests,
        retry_policy: RetryPolicy,
        refusals: RefusalHandling,
        uploads: Uploads,
    ) -> None:
        self._session, self._client, self._queues, self._in_flight = session, client, queues, in_flight
        self._retry_policy, self._refusals, self._uploads = retry_policy, refusals, uploads
        self._ledger, self._timeouts, self._runtime = retry_policy.ledger, retry_policy.timeouts, retry_policy.runtime
        self._state, self._clock = self._ledger.state, self._runtime.clock
        self._lookup = SharedRunLookup(
            client, session.run, session.run_tag, self._timeouts, self._runtime, session.is_first
        )
        # By worker: the running attempt, with the time at which it was first seen, and the attempt on the server.
        self._seen_running: dict[str, tuple[int, float]] = {}
        self._shown_running: dict[str, int | None] = {}
        # A server that has refused to show a running test gets no other in this life of the sender.
        self._is_running_refused = False
        self._waiting_since: dict[str, float] = {}
        # End of the last result that has left a worker's queue, in microseconds since the session began: the observed
        # time of the next batch begins there.
        self._observed_until_us: dict[str, int] = {}
        self._turn = 0
        # True, too, for a run that an earlier sender has created: a second field would say the same.
        self._has_sent_collected = True

    def choose(self) -> Request | RepeatableStep | None:
        """Return the next request, None if there is nothing to send now."""
        in_flight = self._in_flight
        if len(in_flight) >= in_flight.max_count or not self._has_something_to_report:
            return None
        if self._state.run is None:
            return None if in_flight else self._run_request()
        return self._next_worker_request() or self._ending_request()

    @property
    def is_finished(self) -> bool:
        """Whether each result is acknowledged, rejected, held or dropped, and our own run is completed."""
        state, queues = self._state, self._queues
        if not queues.is_decided or state.open_intents:
            return False
        for queue in queues.by_worker.values():
            self._drop_settled(queue, state.progress(queue.worker))
        if not self._is_all_sent:
            return False
        is_left_open = self._leaves_run_open and state.is_noted and not self._open_threads
        return state.is_complete or is_left_open or not self._has_something_to_report

    @property
    def _has_something_to_report(self) -> bool:
        """Whether to report at all: a session without a test creates no run, unless an error ended it."""
        session, queues = self._session, self._queues
        # A run that several jobs share waits for all of them, also for one without a test.
        is_awaited = (session.joined_run is not None or bool(session.run_tag)) and queues.end is not None
        return queues.has_results or queues.is_broken or session.is_closing or is_awaited

    @property
    def _leaves_run_open(self) -> bool:
        """Whether another process completes the run: the process that created it, or a command."""
        return self._state.is_joined and not self._session.is_closing

    # Rule 2: the run.

    def _run_request(self) -> Request | RepeatableStep | None:
        session, left_runs = self._session, self._state.left_runs
        if session.joined_run is not None and session.joined_run not in left_runs:
            return partial(self._ledger.write, JoinedRecord(session.joined_run, ""))
        # After `send --new-run` the jobs' shared run was left: this session creates a separate run.
        if session.run_tag and not left_runs:
            is_cutting = session.is_cut and self._queues.collected is None and not self._queues.is_decided
            return None if is_cutting or self._lookup.is_waiting else self._find_shared_run
        # A server that has not answered yet is not known to be ours.
        fields = () if self._stores_sessions or self._queues.is_dist_each else session_fields(self._counts)
        self._has_sent_collected = bool(fields)
        run = replace(session.run, fields=(*session.run.fields, *fields))
        return self._request("create_run", partial(self._client.create_run, run))

    def _find_shared_run(self) -> None:
        # If the run is created only now, no job has had an answer: a job that comes later learns it from the run.
        if fields := next(filter(None, map(_cut_fields, self._queues.by_worker.values())), ()):
            self._lookup.run = replace(self._session.run, fields=(*self._session.run.fields, *fields))
        run = self._retry_policy.attempt(self._lookup.step)
        if run is not None:
            self._ledger.write(JoinedRecord(run, self._lookup.remark))

    # Rule 3: the workers.

    def _next_worker_request(self) -> Request | RepeatableStep | None:
        workers = list(self._queues.by_worker)
        # One append in flight a worker: `Intent.known` counts what its thread had before, which needs the response.
        busy = {intent.worker for intent in self._state.open_intents.values()}
        for step in range(len(workers)):
            # In turns: a worker with many waiting results does not keep the others from the server.
            turn = (self._turn + step) % len(workers)
            worker = workers[turn]
            request = None if worker in busy else self._worker_request(worker)
            if request is not None:
                self._turn = turn + 1
                return request
        return None

    def _worker_request(self, worker: str) -> Request | RepeatableStep | None:
        queue, progress = self._queues.by_worker[worker], self._state.progress(worker)
        self._drop_settled(queue, progress)
        if not queue.results:
            self._waiting_since.pop(worker, None)
            return self._closing_request(queue, progress) or self._running_request(queue, progress)
        now = self._clock()
        age = now - self._waiting_since.setdefault(worker, now)
        batch = self._refusals.batch(queue, progress)
        upload = self._uploads.next_upload(file for result in batch.results for file in result.test.artifacts)
        if upload is not None:
            return None if self._in_flight else upload  # an upload may take long, and responses would wait for it
        if not (batch.is_full or queue.is_closed or age >= self._timeouts.batch_age):
            return self._running_request(queue, progress)
        return self._batch_request(queue, progress, batch)

    def _batch_request(
        self, queue: WorkerQueue, progress: WorkerProgress, batch: Batch
    ) -> Request | RepeatableStep | None:
        """Return the append of a batch, or a request that must precede it; None if that one must wait."""
        if progress.thread is None and self._knows_extensions:
            return self._thread_request(queue)
        if not self._client.has_answered:  # the server's headers say in which form it takes results
            return None if self._in_flight else self._uploads.check_server
        assert progress.thread is not None
        if self._retry_policy.is_circuit_open:
            return partial(self._retry_policy.probe, partial(self._client.append_thread, progress.thread, b"{}"))
        self._waiting_since[queue.worker] = self._clock()
        return self._append_request(queue, progress.thread, batch)

    @property
    def _knows_extensions(self) -> bool:
        """Whether a response has listed the extensions that the server stores in its headers, or none is needed."""
        session = self._session  # the only extension of an imported one is its job
        return self._client.has_answered or not (session.started_us or session.job or session.hosts)

    def _append_request(self, queue: WorkerQueue, thread: int, batch: Batch) -> Request:
        observed = max(0, batch.results[-1].ended_us - self._observed_from_us(queue))
        sent = self._uploads.resolved(batch)
        # Without a measured time, as for an imported result file, it is left out: the server adds up all times it gets.
        shown = observed if self._session.is_measured else None
        # A test's start means nothing without the session's.
        extensions = self._client.extensions if self._session.started_us else self._client.extensions - {STARTED}
        body = sent.body(shown, extensions, self._members(queue))
        request = self._request(
            "append_thread",
            partial(self._client.append_thread, thread, body),
            queue.worker,
            thread,
            first=batch.results[0].offset,
            last=batch.results[-1].offset,
            count=len(batch.results),
            orphans=tuple(result.attempt_number for result in batch.results if result.is_orphan),
            observed=observed,
            computed=batch.computed,
        )
        return replace(request, batch=batch, sent=sent)

    def _running_request(self, queue: WorkerQueue, progress: WorkerProgress) -> Request | RepeatableStep | None:
        """Return the request that shows the test that a worker runs, None if it is shown or has just begun.

        Such a request may be repeated or lost, so it is not in the ledger.
        """
        if self._in_flight or self._retry_policy.is_circuit_open or not self._is_running_due(queue):
            return None
        if progress.thread is None:
            return self._thread_request(queue)
        return partial(self._show_running, progress.thread, encode(self._members(queue)))

    def _is_running_due(self, queue: WorkerQueue) -> bool:
        start = queue.open
        if start is None or queue.is_closed or not self._shows_running:
            return False
        now = self._clock()
        number, since = self._seen_running.get(queue.worker, (None, now))
        if number != start.number:
            self._seen_running[queue.worker] = start.number, now
            return False
        return self._shown_running.get(queue.worker) != number and now - since >= SHOWN_AFTER_SECONDS

    def _show_running(self, thread: int, body: bytes) -> None:
        def append() -> None:
            try:
                self._client.append_thread(thread, body)
            except RefusedError as error:
                # Results may still be accepted: to stop here would keep them from the server.
                self._is_running_refused = True
                self._runtime.log(f"{refusal_reason(error)}: running tests are not shown")

        self._retry_policy.attempt(append)

    def _members(self, queue: WorkerQueue) -> Json:
        """Return a thread's extensions, members of an append: none without the session's clock, by which they are."""
        members: Json = {}
        started_us, extensions = self._session.started_us, self._client.extensions
        if not started_us:
            return members
        if STARTED in extensions:
            members["session_started"] = started_us
        if COLLECTION in extensions and queue.collection:
            members["collection"] = queue.collection
        if self._shows_running:
            test = self._queues.running_test(queue)
            self._shown_running[queue.worker] = None if queue.open is None else queue.open.number
            members["running"] = [] if test is None else [test]
        return members

    @property
    def _shows_running(self) -> bool:
        has_clock = bool(self._session.started_us)
        return has_clock and RUNNING in self._client.extensions and not self._is_running_refused

    def _thread_request(self, queue: WorkerQueue) -> Request | RepeatableStep:
        if not self._knows_extensions:
            return self._uploads.check_server
        # In a run of several jobs a thread needs the fields of its job; otherwise the worker's name is enough.
        job_fields = self._session.thread_fields if self._leaves_run_open else ()
        resources = Resources(fields=(Field(WORKER_FIELD, self._thread_name(queue)), *job_fields, *_cut_fields(queue)))
        if not (self._leaves_run_open or self._queues.is_dist_each or self._queues.collected is None):
            resources = replace(resources, session=self._counts)
        call = partial(
            self._client.create_thread, self._run, resources, job=self._job(queue), ancestors=self._session.ancestors
        )
        return self._request("create_thread", call, queue.worker)

    def _thread_name(self, queue: WorkerQueue) -> str:
        return self._session.hosts.get(queue.worker) or queue.worker

    def _job(self, queue: WorkerQueue) -> Json | None:
        """Return the job of a worker's results, None in a run of this session alone."""
        job = self._session.job if self._leaves_run_open else {}
        # Where each worker runs every test, and where results are of several hosts, one worker's results do not stand
        # for another's: each is a job.
        if self._queues.is_dist_each or self._session.hosts:
            return {
                "name": f"{job.get('name', '')} {self._thread_name(queue)}".strip(),
                "attempt": job.get("attempt", 1),
            }
        return job or None

    def _closing_request(self, queue: WorkerQueue, progress: WorkerProgress) -> Request | RepeatableStep | None:
        """Return the request that ends a worker's thread, None while the worker may add results or if it has no thread.

        In a run of several jobs the last open thread stays open for the note: the run's own fields belong to all jobs.
        """
        if not queue.is_closed or progress.thread is None:
            return None
        if self._leaves_run_open and not self._state.is_noted and self._open_threads == 1:
            if not self._is_all_sent:
                return None
            upload = self._uploads.next_upload(self._queues.artifacts)
            return upload or self._note_request("note_thread", queue.worker, progress.thread)
        observed = progress.thread_observed + max(0, queue.ended_us - self._observed_from_us(queue))
        # Not negative: an imported result file may state a time for the whole that is less than the sum of its tests.
        computed = max(0, progress.thread_computed + queue.elapsed_correction_us)
        shown = observed if self._session.is_measured else None
        call = partial(self._client.complete_thread, progress.thread, elapsed_observed=shown, elapsed_computed=computed)
        return self._request("complete_thread", call, queue.worker, progress.thread)

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
        intents = self._state.open_intents.values()
        closing = {intent.worker for intent in intents if intent.operation == "complete_thread"}
        workers = self._state.progress_by_worker.items()
        return sum(progress.thread is not None for worker, progress in workers if worker not in closing)

    @property
    def _is_all_sent(self) -> bool:
        return self._queues.is_decided and not any(queue.results for queue in self._queues.by_worker.values())

    # Rule 4: the end.

    def _ending_request(self) -> Request | RepeatableStep | None:
        """Return the next request that ends the session on the server.

        The note may be sent beside the last results, which saves a round trip; all other requests are sent alone.
        """
        state = self._state
        if not self._queues.is_decided or state.is_complete:
            return None
        upload = self._uploads.next_upload(self._queues.artifacts)
        if self._in_flight:
            is_noted = state.is_noted or any(intent.operation == "append_run" for intent in state.open_intents.values())
            has_to_wait = is_noted or self._leaves_run_open or upload is not None or not self._client.has_answered
            return None if has_to_wait else self._note_request("append_run")
        if state.is_noted:
            call = partial(self._client.complete_run, self._run, measure_elapsed=self._session.is_measured)
            return None if self._leaves_run_open else self._request("complete_run", call)
        if self._leaves_run_open:
            # The note needs a thread of ours: none is open any more, or there never was one.
            return self._thread_request(next(iter(self._queues.by_worker.values())))
        return upload or self._note_request("append_run")

    def _note_request(self, operation: Operation, worker: str = "", thread: int = 0) -> Request | RepeatableStep:
        """Return the request that adds the note: how the session ended, tests not run, properties, files."""
        if not self._client.has_answered:
            return self._uploads.check_server
        queues, started_us, has_run = self._queues, self._session.started_us, operation == "append_run"
        ended = started_us + queues.ended_us if started_us else None
        told = SessionSummary(ended=ended, ending=queues.ending, not_run=queues.not_run)
        counts = self._counts if has_run else SessionSummary()
        artifacts, fields = self._uploads.addressed(queues.artifacts)
        notes = (*queues.properties, *fields)
        if self._stores_sessions:
            told = replace(told, collected=counts.collected, deselected=counts.deselected)
        else:
            late = () if self._has_sent_collected else session_fields(counts)
            notes = (*session_fields(told), *late, *notes)
        resources = Resources(fields=notes, artifacts=artifacts, session=told if self._stores_sessions else None)
        if has_run:
            call: SendStep = partial(self._client.append_run, self._run, resources)
        else:
            call = partial(self._client.append_thread, thread, encode(resources))
        count, digest = len(resources.fields), note_digest(resources.fields)
        return self._request(operation, call, worker, thread, count=count, digest=digest)

    @property
    def _stores_sessions(self) -> bool:
        """Whether the server is known to store what a session tells of itself."""
        return SESSION in self._client.extensions

    @property
    def _counts(self) -> SessionSummary:
        """The numbers of collected and deselected tests; none while they are not known."""
        collected = self._queues.collected
        if collected is None:
            return SessionSummary()
        return SessionSummary(
            collected=collected, deselected=max(queue.deselected for queue in self._queues.by_worker.values())
        )

    @property
    def _run(self) -> int:
        run = self._state.run
        assert run is not None  # rule 2
        return run

    def _request(
        self,
        operation: Operation,
        call: Callable[..., int | None],
        worker: str = "",
        thread: int = 0,
        **recorded: Any,  # noqa: ANN401
    ) -> Request:
        """Return a request with its intent, which has the members ``recorded``, and with its Idempotency-Key."""
        number = self._state.next_number
        known = self._state.progress(worker).in_thread if worker else 0
        at = self._runtime.wall()
        intent = Intent(number, operation, worker, thread, known=known, at=at, **recorded)
        key = sha256(f"{self._session.id}:{number}".encode()).hexdigest()
        return Request(intent, partial(call, key=key), self._clock())


def _cut_fields(queue: WorkerQueue) -> tuple[Field, ...]:
    return (Field(CUT_FIELD, string(queue.cut)),) if queue.cut else ()
