"""Find out on the server whether a request with an unknown response, or a refused one, was applied.

All of a batch has arrived, or nothing, or a part of it, which the list of the thread's results shows. If the server
cannot show it, the batch is held: it is not sent again until the user decides that.
"""

from __future__ import annotations

from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.api.client import run_pages
from pytest_automation_report.api.models import JOB
from pytest_automation_report.api.responses import (
    RefusedError,
    Run,
    RunTest,
    Thread,
    UnknownAnswerError,
)
from pytest_automation_report.delivery.requests import NOT_FOUND, UNPROCESSABLE, note_digest
from pytest_automation_report.spool.folder import SESSION_ID_FIELD
from pytest_automation_report.spool.ledger import AckRecord, FencedRecord, FencingIsRecord, HeldRecord, NotRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.delivery.requests import Unknown
    from pytest_automation_report.delivery.retries import RetryPolicy
    from pytest_automation_report.spool.folder import SessionManifest
    from pytest_automation_report.spool.ledger import Closing, Intent

# The result of a step: more steps are needed; the intent is closed; it is, since another process completed the run.
Reconciled: TypeAlias = Literal["pending", "done", "run_completed"]


def decided(unknown: Unknown, number: int, reason: str) -> Closing:
    """Return the record that closes an intent if the server does not show whether it was applied."""
    return NotRecord(number, reason) if unknown == "send" else HeldRecord(number, reason, unknown == "drop")


def shown_results(client: Client, run: int, thread: int) -> Iterator[RunTest]:
    """Yield what the server shows of a thread, the newest result first; each page is one request."""
    page: int | None = 1
    while page is not None:
        response = client.run_tests(run, page=page, per_page=250, thread_id=thread, is_newest_first=True)
        yield from response.result
        # A page without results, or another page than the next one, would never end.
        page = response.next_page if response.result and response.next_page == page + 1 else None


class Reconciliation:
    """Closes one intent in steps of at most one request; owned by the delivery.

    Errors of the client pass through, and the step is repeated. ``refusal`` is the response of a request that was
    refused.

    An append whose response is unknown goes through these stages::

        probe_open -> complete -> probe_completed -> read -> read again, until two reads agree -> decided
              (once a server)         (once)           ^--- complete again, when the thread is open after all

    ``complete`` is the *fence*: a completed thread refuses a late copy of the request. The contract does not promise
    that, so it is tested once for each server, with an append without tests to the open thread and to the completed
    one. Every other operation is decided by a single read, or by two reads that agree.
    """

    def __init__(
        self,
        session: SessionManifest,
        client: Client,
        queues: WorkerQueues,
        retry_policy: RetryPolicy,
        unknown: Unknown,
        intent: Intent,
        refusal: RefusedError | None,
    ) -> None:
        self.intent, self.refusal = intent, refusal
        self._session, self._client, self._queues = session, client, queues
        self._unknown: Unknown = unknown
        self._ledger, self._timeouts, self._runtime = retry_policy.ledger, retry_policy.timeouts, retry_policy.runtime
        self._log = self._runtime.log
        self._stage = self._probe_open
        self._accepts_empty_appends = False
        self._last_read: int | None = None
        self._next_read = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether time must pass before the next step."""
        return self._runtime.clock() < self._next_read

    def step(self) -> Reconciled:  # noqa: PLR0911 - one for each operation
        """Send at most one request, or read one list; return whether that has closed the intent."""
        if self.is_waiting:
            return "pending"
        is_refused = self.refusal is not None
        match self.intent.operation:
            case "append_thread":
                return self._retry_append() if is_refused else self._stage()
            case "create_run":
                return self._create_run()
            case "create_thread":
                # An empty thread does no harm; a new one is simply created.
                return self._decide(NotRecord(self.intent.number))
            case "append_run":
                count = len(self._session.run.fields)
                return self._decide_note(lambda: self._run(has_threads=False), count)
            case "note_thread":
                return self._decide_note(self._thread)
            # Refused twice, completion and reading: it is completed.
            case "complete_run":
                return self._decide_by(lambda: self._run(has_threads=False).is_completed, if_refused=is_refused)
            case "complete_thread":
                return self._decide_by(lambda: self._thread().is_completed, if_refused=is_refused)

    def _create_run(self) -> Reconciled:
        """Use the run with this session's id, if the server has one; decide that it has not once two reads agree."""
        left_runs, id_field = self._ledger.state.left_runs, (SESSION_ID_FIELD, self._session.id)
        try:
            open_runs = [run for page in run_pages(self._client, status=(4,)) for run in page.result]  # 4: running
        except RefusedError as error:
            self._log(f"{error}: an empty run may remain")
            return self._decide(NotRecord(self.intent.number))
        runs = [run for run in open_runs if run.id not in left_runs]
        own = [run.id for run in runs if id_field in {(field.name, field.value) for field in run.fields}]
        if own:
            return self._decide(AckRecord(self.intent.number, min(own)))
        return self._decide(NotRecord(self.intent.number)) if self._agrees_with_last_read(0) else "pending"

    def _retry_append(self) -> Reconciled:
        """Read, once, whether a refused append was partly applied, or refused because its thread is completed."""
        try:
            run = self._run()
        except RefusedError as error:
            self._log(f"{error}: the append is assumed to be refused as a whole")
            return self._decide(NotRecord(self.intent.number))
        # A server of ours takes the results of a job into a completed run, in a new thread.
        has_job = bool(self._session.job) and self._ledger.state.is_joined
        if run.is_completed and not (has_job and JOB in self._client.extensions):
            self._decide(NotRecord(self.intent.number))
            return "run_completed"
        thread = run.thread(self.intent.thread)
        if thread is None or thread.is_completed:
            self._decide(NotRecord(self.intent.number))
            self._ledger.write(FencedRecord(self.intent.worker))
            return "done"
        return self._decide_by_count(thread.total - self.intent.known)

    # The stages of an append whose response is unknown.

    def _probe_open(self) -> Reconciled:
        if not self._is_probe_of_use:
            return self._complete()
        self._accepts_empty_appends = self._accepts_empty_append() is True
        self._stage = self._complete
        return "pending"

    def _complete(self) -> Reconciled:
        try:
            self._client.complete_thread(self.intent.thread)
        except RefusedError as error:
            if error.status != UNPROCESSABLE:
                raise
            self._log(f"thread {self.intent.thread} is closed already: {error}")
        # A server that refuses empty appends to an open thread proves nothing by refusing them to a completed one.
        if self._accepts_empty_appends and self._is_probe_of_use:
            self._stage = self._probe_completed
            return "pending"
        return self._fenced()

    def _probe_completed(self) -> Reconciled:
        """Record whether completed threads of this server accept appends, unless the probe has no response."""
        accepts = self._accepts_empty_append()
        if accepts is not None:
            self._ledger.write(FencingIsRecord("settles" if accepts else "fences"))
            self._log(f"completed threads of this server {'accept' if accepts else 'refuse'} results")
        return self._fenced()

    def _fenced(self) -> Reconciled:
        self._ledger.write(FencedRecord(self.intent.worker))
        self._stage = self._read
        return "pending"

    def _read(self) -> Reconciled:
        """Read how many results the thread has, and decide once two reads agree."""
        try:
            thread = self._thread()
        except RefusedError as error:
            return self._hold(f"the server does not show what arrived in thread {self.intent.thread} ({error})")
        if not thread.is_completed:
            self._stage = self._complete  # the response to the completion was lost before it was applied
            return "pending"
        if self._ledger.state.fencing == "settles" and self._wait_to_settle():
            return "pending"
        if not self._agrees_with_last_read(thread.total):
            return "pending"
        return self._decide_by_count(thread.total - self.intent.known)

    @property
    def _is_probe_of_use(self) -> bool:
        """Whether to test if completed threads accept appends: it is unknown so far, and the thread is open."""
        state = self._ledger.state
        # A server that knows idempotency keys cannot apply a late copy twice.
        is_known = self._client.knows_keys or state.fencing is not None
        return not is_known and state.progress(self.intent.worker).thread is not None

    def _accepts_empty_append(self) -> bool | None:
        """Append without tests; return whether the server accepts that, None if the response is unknown."""
        try:
            self._client.append_thread(self.intent.thread, b"{}")
        except RefusedError:
            return False
        except UnknownAnswerError as error:
            self._log(f"{error}: whether completed threads accept results stays unknown")
            return None
        return True

    def _wait_to_settle(self) -> bool:
        """Wait if a late copy of the request could still be applied, as without a fence; return whether to wait."""
        settle, runtime = self._timeouts.settle, self._runtime
        # At most the whole time: the wall clock may have been set back since the request was sent.
        seconds = min(settle, self.intent.at + settle - runtime.wall())
        if seconds > 0:
            self._next_read = runtime.clock() + seconds
            thread = f"thread {self.intent.thread} accepts results though completed"
            self._log(f"{thread}: waiting {seconds:.0f} s for late copies")
        return seconds > 0

    # The ways to decide.

    def _decide_by(self, is_applied: Callable[[], bool], *, if_refused: bool) -> Reconciled:
        """Decide by a read whether the request was applied, as ``if_refused`` says if the server refuses the read."""
        try:
            applied = is_applied()
        except RefusedError as error:
            self._log(f"{error}: whether {self.intent.operation} was applied cannot be read")
            applied = if_refused
        return self._decide((AckRecord if applied else NotRecord)(self.intent.number))

    def _decide_note(self, read: Callable[[], Thread], skipped: int = 0) -> Reconciled:
        """Decide whether the note has arrived: what was told of the session, or the whole of it among the fields.

        Users may name a field as we name ours. ``skipped`` fields were there before.
        """

        def has_note() -> bool:
            noted, count = read(), self.intent.count
            if noted.summary is not None and noted.summary.ending is not None:
                return True
            fields = noted.fields[skipped:]
            starts = range(len(fields) - count + 1) if count else ()
            return any(note_digest(fields[first : first + count]) == self.intent.digest for first in starts)

        # One that cannot be read counts as arrived: it must not come twice.
        return self._decide_by(has_note, if_refused=True)

    def _decide_by_count(self, arrived: int) -> Reconciled:
        """Decide by the number of results that the thread has gained since the append was sent."""
        intent = self.intent
        if arrived in {0, intent.count}:
            return self._decide((NotRecord if arrived == 0 else AckRecord)(intent.number))
        ranges, reason = self._arrived_ranges(arrived)
        if ranges:
            return self._decide(AckRecord(intent.number, ranges=ranges))
        return self._hold(
            f"{arrived} of the {intent.count} results of one request arrived in thread {intent.thread}: {reason}"
        )

    def _arrived_ranges(self, arrived: int) -> tuple[tuple[tuple[int, int, int], ...], str]:
        """Return which results of the batch have arrived, or none and the reason why that is not known.

        They are pieces of the batch: first offset, last offset and number of results. ``arrived`` counts all of them.
        """
        intent, run = self.intent, self._ledger.state.run
        assert run is not None
        progress, waiting = self._ledger.state.progress(intent.worker), self._queues.of(intent.worker).results
        sent = (result for result in waiting if intent.first <= result.offset <= intent.last)
        batch = [result for result in sent if not progress.is_settled(result.offset)]
        if not 0 < arrived < intent.count == len(batch):
            return (), "the batch itself is not known any more"
        # Only this sender writes to the thread, so its latest results belong to the last batch.
        try:
            rows = list(islice(shown_results(self._client, run, intent.thread), arrived))
        except RefusedError as error:
            return (), f"the server does not show a run's results ({error})"
        ids = [row.id or 0 for row in rows]
        if len(rows) != arrived or 0 in ids or sorted(set(ids), reverse=True) != ids:
            return (), "the server's list of the run's results cannot be followed"
        # A server may show no keys: folder and name are what a key is made of.
        arrived_tests = {row.key or (row.folder, row.name) for row in rows}
        tests = [result.test for result in batch]
        has_arrived = [test.key in arrived_tests or (test.folder, test.name) in arrived_tests for test in tests]
        if sum(has_arrived) != arrived:
            return (), "the latest results of the thread are not one batch"
        # Neighbours in the batch share a range.
        groups = groupby(zip(has_arrived, batch, strict=True), itemgetter(0))
        pieces = [[result.offset for _, result in group] for is_there, group in groups if is_there]
        return tuple((offsets[0], offsets[-1], len(offsets)) for offsets in pieces), ""

    def _hold(self, reason: str) -> Reconciled:
        """Hold results whose delivery stays unconfirmed, or send or drop them if the user has decided that."""
        return self._decide(decided(self._unknown, self.intent.number, reason))

    def _agrees_with_last_read(self, value: int) -> bool:
        """Return whether this read agrees with the last one; if not, wait a while before the next read."""
        # The contract does not promise that a read shows everything that was applied before it.
        if self._last_read == value:
            return True
        self._last_read = value
        self._next_read = self._runtime.clock() + self._timeouts.read_back
        return False

    def _run(self, *, has_threads: bool = True) -> Run:
        run = self._ledger.state.run
        assert run is not None
        return self._client.run(run, has_threads=has_threads)

    def _thread(self) -> Thread:
        run = self._run()
        thread = run.thread(self.intent.thread)
        if thread is None:
            raise RefusedError(f"run {run.id} has no thread {self.intent.thread} any more", NOT_FOUND)
        return thread

    def _decide(self, record: Closing) -> Reconciled:
        self._ledger.write(record)
        self._log(f"reconciled {self.intent.operation}: {record}")
        return "done"
