"""Turn spool records into results, with a queue for each worker, and results into the batch of an append.

A FINISH that no rerun follows closes a result; so do the crash report of its worker and the end of the session. The
recorder cannot know everything while it runs, so three cases are decided here: attempts that never finished, attempts
whose worker crashed and whose test ran again on another one, and reruns that never came.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import BATCH_TESTS, CAUSES, Artifact, Ending, Field, Json, Status, Test, encode
from pytest_automation_report.api.results import MEMBERS, TypedTest
from pytest_automation_report.api.sessions import ending_from
from pytest_automation_report.delivery.attempts import (
    Decorations,
    cut_test,
    fold_attempts,
    not_run_test,
    unfinished_attempt,
)
from pytest_automation_report.delivery.testmo import bare_test, contract_test, fitted_field
from pytest_automation_report.recording.options import UNTESTED, RecordingOptions
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, NOT_RUN
from pytest_automation_report.spool.records import (
    AGAIN,
    ArtifactRecord,
    CapturedRecord,
    CloseRecord,
    CollectedRecord,
    CrashRecord,
    EndRecord,
    FinishRecord,
    IdsRecord,
    OpenRecord,
    PlanRecord,
    PropertyRecord,
    StartRecord,
    identify,
    one_based,
    place_string,
)
from pytest_automation_report.text.limits import TEXT_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence

    from pytest_automation_report.delivery.attempts import Unfinished
    from pytest_automation_report.spool.records import Attempt, PositionedRecord, Record


# Longest body of an append, except that a single result is sent whatever its size, and its length without its tests.
BATCH_BYTES: Final = 4 << 20
ENVELOPE_BYTES: Final = 200

_NO_MEMBERS: Final = TypedTest("", "", "", "")
# Members of a release whose servers take fields for the others.
_BESIDE_FIELDS: Final = frozenset({"started", "phases", "steps", "comparison"})
_MAX_PROPERTIES: Final = 100
CUT_UNITS: Final = 1_000  # longest text of a cut result, in UTF-16 units
Reduction: TypeAlias = Literal["whole", "cut", "bare"]
"""How much of a result is sent: without long texts, or without any, if the server refuses it."""

_LOST: Final = "the process went on to other tests, but the record of this result is damaged or could not be written"


class Result(Struct, frozen=True):
    """One result that waits to be sent."""

    worker: str
    offset: int  # of its record in the worker's file, which identifies it within the worker
    attempt_number: int
    nodeid: str
    status: str
    ended_us: int  # since the session began
    test: TypedTest
    attempts: tuple[Attempt, ...] = ()  # from which ``test`` was folded, oldest first
    statuses: Mapping[Status, str] = {}  # aliases of outcomes
    unstored: tuple[Field, ...] = ()  # in the place of files that no server stores
    reduction: Reduction = "whole"
    is_orphan: bool = False  # of an attempt that never finished: created here, from its START
    size: int = 0  # length in the body of an append in bytes

    def body(self, extensions: Collection[str]) -> bytes:
        """Return the JSON of the test for a server that stores these extensions."""
        test, known = self.test, MEMBERS.intersection(extensions)
        if CAUSES not in known:
            if not known:
                return encode(self.contract())
            contract, known = self.contract(), known & _BESIDE_FIELDS
            test = replace(test, fields=contract.fields, artifacts=contract.artifacts)
        if known != MEMBERS:  # nearly always all are stored
            test = replace(test, **{name: getattr(_NO_MEMBERS, name) for name in MEMBERS - known})
        return encode(test)

    def contract(self) -> Test:
        """Return the test in the words of the contract alone, as a Testmo instance takes it."""
        if not self.attempts or self.reduction == "bare":
            return bare_test(self.test, self.test.fields, self.test.artifacts)
        test = contract_test(self.test, self.attempts, self.statuses, self.unstored)
        if self.reduction == "cut":
            test = replace(test, fields=tuple(fitted_field(each, CUT_UNITS) for each in test.fields))
        return test


class Batch(Struct, frozen=True):
    """Results for one append, in order; no key occurs twice, so that keys show which part of a batch has arrived."""

    results: tuple[Result, ...]
    is_full: bool

    @property
    def computed(self) -> int:
        """Sum of the tests' durations in microseconds."""
        return sum(result.test.elapsed or 0 for result in self.results)

    def body(self, observed: int | None, extensions: Collection[str] = (), members: Json | None = None) -> bytes:
        """Return the contract's AppendToAutomationRunThread as JSON, with the extensions that the server stores.

        ``observed`` is the time since the batch before in microseconds, None if it was not measured. ``members`` are
        extensions of the thread itself.
        """
        times = {"elapsed_computed": self.computed} | ({} if observed is None else {"elapsed_observed": observed})
        tests = b",".join([result.body(extensions) for result in self.results])
        return b'%b,"tests":[%b]}' % (encode({**(members or {}), **times})[:-1], tests)


def batch_from(
    results: Iterable[Result], *, max_tests: int = BATCH_TESTS, max_bytes: int = BATCH_BYTES, is_full: bool = False
) -> Batch:
    """Return the longest batch from the head of the waiting results; at least one must wait.

    The first result is part of it whatever its size. With ``is_full`` the batch counts as full even if it is not.
    """
    batch: list[Result] = []
    keys: set[str] = set()
    size = ENVELOPE_BYTES
    for result in results:
        key = result.test.key
        if batch and (len(batch) == max_tests or size + result.size > max_bytes or key in keys):
            return Batch(tuple(batch), is_full=True)
        batch.append(result)
        keys.add(key)
        size += result.size
    return Batch(tuple(batch), is_full=is_full or len(batch) >= max_tests)


class WorkerQueue(Struct):
    """The results of one worker and the state of the test that it runs; owned by `WorkerQueues`.

    ::

                START              final FINISH: a result
        idle ------------> running ------------------------------------> idle
                            | | |
                            | | |  FINISH that a rerun follows
                            | | +-----------------------------> pending rerun
                            | |
                            | |    crash report: a result
                            | +------------------------------------> closed
                            |
                            |      crash report, the test runs again
                            +---------------------> crashed, pending rerun

        pending rerun ------------> running    START of the same test
        pending rerun ------------> idle       START of another test: the attempt is the result
        crashed, pending rerun ---> closed     another worker reports the test

    CLOSE, and the end of the session, lead from every state to *closed*: an attempt that runs becomes an orphan, a
    pending rerun becomes the result. *Crashed, pending rerun* keeps the queue open: if no other worker reports the
    test, the crashed attempt is its result.
    """

    worker: str
    # Numbers of attempts that an earlier sender reported as never finished: that stands, even if the file has a result.
    orphans: Container[int] = ()
    results: deque[Result] = field(default_factory=deque)
    counts: Counter[str] = field(default_factory=Counter)  # of all results, sent or not, by pytest's statuses
    pid: int = 0
    birth: str = ""
    collected: int | None = None
    deselected: int = 0
    collection: Json = field(default_factory=dict)  # the extension of this name
    cut: str = ""  # why the tests were cut by number
    # In microseconds since the session began.
    started_us: int | None = None
    ended_us: int = 0
    position: int = 0
    is_closed: bool = False
    # The attempt that runs, and the offset of its record.
    open: StartRecord | None = None
    open_offset: int = 0
    open_artifacts: list[Artifact] = field(default_factory=list)
    pending_rerun: Result | None = None
    is_pending_silent: bool = False
    crashed_pending_rerun: Result | None = None
    # The test that CLOSE cut short: a crash report of it, which follows, must not become a second result.
    interrupted_nodeid: str = ""
    captured_files: Sequence[tuple[str, int, int, int]] = ()
    # Results that are no outcome of a test: of a module that cannot be imported, of a test that was interrupted.
    collection_results: int = 0
    # Added to the sum of the tests' times: an imported file may state another time for the whole.
    elapsed_correction_us: int = 0

    def add(self, result: Result) -> None:
        """Append a result."""
        self.counts[result.status] += 1
        self.results.append(result)


class WorkerQueues:
    """The queues of all workers of a session; owned by the sender.

    ``orphans`` are by worker. ``last_words`` returns the last output of a worker's process, once it has died.
    ``is_typed`` says whether the server takes typed values, as far as it is known.
    """

    def __init__(
        self,
        options: RecordingOptions,
        orphans: Mapping[str, Container[int]] | None = None,
        last_words: Callable[[str], str] = lambda _: "",
        is_typed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._options, self._is_typed = options, is_typed
        self._last_words = last_words if options.output != "none" else lambda _: ""
        self.shown_last_words: dict[str, str] = {}  # by worker
        self.decorations = Decorations(options)
        self._orphans = orphans or {}
        # Attempts that crashed their workers, by the node id of their test, until that has a result: its next attempt
        # may stand in the queue of any worker.
        self._crashed: dict[str, list[Attempt]] = {}
        # Tests whose crash pytest-xdist counts as a failure although it runs them again.
        self._failed_by_crash: set[str] = set()
        self.by_worker: dict[str, WorkerQueue] = {}
        self.end: EndRecord | None = None
        # The ends of workers that an error ended; worker and test of what a session that died left running.
        self._stops: dict[str, CloseRecord] = {}
        self._left_running: list[tuple[str, str]] = []
        self.properties: list[Field] = []
        self.artifacts: list[Artifact] = []
        # No record can change a result any more: everything that was open has been turned into results.
        self.is_decided = False
        self._seen_us = 0  # when the sender noticed that the session had died
        # Each worker of pytest-xdist runs all tests (`--dist each`).
        self.is_dist_each = False
        # Tests that were collected, each with an offset, and those that began; empty unless results of tests that
        # never began are wanted.
        self._collected: dict[str, int] = {}
        self._begun: set[str] = set()

    @property
    def collected(self) -> int | None:
        """Number of tests that are to run; None if it is not known (yet)."""
        collected = [queue.collected for queue in self.by_worker.values() if queue.collected is not None]
        if not collected:
            return None
        # With `--dist each` every worker runs all tests; otherwise all workers collect the same tests and share them.
        return sum(collected) if self.is_dist_each else max(collected)

    @property
    def not_run(self) -> int:
        """Number of tests that were collected and have no result; 0 if no process recorded how many there are."""
        ran = sum(queue.counts.total() - queue.collection_results for queue in self.by_worker.values())
        return max(0, (self.collected or 0) - ran)

    @property
    def has_results(self) -> bool:
        """Whether there is a result to report, now or when a test ends."""
        queues = self.by_worker.values()
        return any(each.counts or each.open or each.pending_rerun or each.crashed_pending_rerun for each in queues)

    @property
    def is_broken(self) -> bool:
        """Whether an internal or a usage error ended the session."""
        return self.end is not None and bool(self._stops) and self.ending.status in {3, 4}

    @property
    def is_closing(self) -> bool:
        """Whether all workers so far have ended; pytest-xdist needs a while from there to its own end."""
        return all(queue.is_closed for worker, queue in self.by_worker.items() if worker not in {CONTROLLER, NOT_RUN})

    @property
    def ending(self) -> Ending:
        """How the session ended, with the error of a worker, or else of the controller, that ended it."""
        if self.end is None:
            return Ending("died", running=tuple(self._left_running))
        ending = self.end.ending or ending_from(self.end.reason or "")
        stopped = sorted(self._stops.items(), key=lambda stop: stop[0] == CONTROLLER)
        for worker, record in stopped[:1]:
            name = "" if worker in {MAIN, CONTROLLER} else worker
            running = ((name, record.test),) if record.test or name else ()
            ending = replace(ending, error=record.error, place=record.place, running=running)
        return ending

    @property
    def ended_us(self) -> int:
        """When the session ended, as far as it is known, in microseconds since it began."""
        end = 0 if self.end is None else self.end.moment
        return end or max((self._seen_us, *(queue.ended_us for queue in self.by_worker.values())))

    def of(self, worker: str) -> WorkerQueue:
        """Return the worker's queue; create it if it is missing."""
        if worker not in self.by_worker:
            self.by_worker[worker] = WorkerQueue(worker, self._orphans.get(worker, ()))
        return self.by_worker[worker]

    def running_test(self, queue: WorkerQueue) -> Json | None:
        """Return the test that a worker runs, as a server of ours shows it; None between tests."""
        if queue.open is None:
            return None
        identity = identify(queue.open.nodeid, prefix=self._options.prefix)
        return {"key": identity.key, "name": identity.name, "folder": identity.folder, "since": queue.open.moment}

    def apply(self, worker: str, placed: PositionedRecord) -> None:
        """Apply one record of the worker's file."""
        queue, record = self.of(worker), placed.record
        match record:
            case FinishRecord():
                self._finish(queue, placed.offset, record)
            case StartRecord():
                self._start(queue, placed.offset, record)
            case OpenRecord():
                queue.pid, queue.birth = record.pid, record.birth
                queue.started_us = queue.started_us if record.began is None else record.began
            case CollectedRecord():
                queue.collected, queue.collection = record.count, record.collection
                queue.deselected, queue.cut = record.deselected, record.cut
            case PlanRecord():
                self.is_dist_each = record.each
            case CloseRecord():
                queue.elapsed_correction_us = record.elapsed_correction
                if record.error:
                    self._stops[worker] = record
                self._close(queue, record.moment, record.detail)
            case CrashRecord():
                self._crash(record)
            case EndRecord():
                self.end = record
            case _:
                self._apply_addition(queue, placed.offset, record)

    def _apply_addition(self, queue: WorkerQueue, offset: int, record: Record) -> None:
        """Apply a record that changes no finished test: names of tests, artifacts, output files, properties."""
        match record:
            case IdsRecord() if self._options.report_not_run:
                # Each needs an offset that no other result has, though they share one record: its offset plus their
                # index is unique, since a name is longer than one byte.
                for index, nodeid in enumerate(record.ids):
                    self._collected.setdefault(nodeid, offset + index)
            case ArtifactRecord():
                if queue.open is not None and queue.open.number == record.number:
                    queue.open_artifacts.append(record.artifact)
            case CapturedRecord():
                queue.captured_files = record.files
            case PropertyRecord():
                # Every worker records the fields of a session, so each is added once.
                if record.field and record.field not in self.properties and len(self.properties) < _MAX_PROPERTIES:
                    self.properties.append(record.field)
                if record.artifact and len(self.artifacts) < _MAX_PROPERTIES:
                    self.artifacts.append(record.artifact)

    def finalize(self, kind: Literal["died", "interrupted"], seen_us: int = 0) -> None:
        """Turn everything that is still open into results, since the session is over.

        ``seen_us`` is when the sender noticed that, in microseconds since the session began, 0 if unknown.
        """
        self.merge_crashed()
        self._seen_us = seen_us
        for queue in self.by_worker.values():
            if queue.open is not None:
                detail = self._show_last_words(queue.worker) if kind == "died" else ""
                self._left_running.append(("" if queue.worker == MAIN else queue.worker, queue.open.nodeid))
                self._close_orphan(queue, kind, detail, ended_us=max(queue.ended_us, seen_us))
            self._close_pending_rerun(queue)
            queue.is_closed = True
        # Last: an orphan above may be the attempt that a crashed one waits for, and then releases it.
        for queue in self.by_worker.values():
            crashed, queue.crashed_pending_rerun = queue.crashed_pending_rerun, None
            if crashed is not None:
                # It has become the result: the attempts before it are those that crashed other workers.
                self._crashed[crashed.nodeid].pop()
                self._enqueue_orphan(queue, crashed)
        if self._collected:
            self._add_not_run()
        self.is_decided = True

    def _add_not_run(self) -> None:
        """Add a result for each test that never began, in a separate queue."""
        ended_us = max((queue.ended_us for queue in self.by_worker.values()), default=0)
        for nodeid, offset in self._collected.items():
            if nodeid in self._begun:
                continue
            test, queue = not_run_test(nodeid, self._options), self.of(NOT_RUN)
            queue.started_us = queue.ended_us = ended_us
            # Counted as a result without an attempt, so that the test stays in the number of tests not run.
            queue.collection_results += 1
            queue.add(Result(NOT_RUN, offset, -1, nodeid, UNTESTED, ended_us, test, size=len(encode(test))))

    def merge_crashed(self) -> None:
        """Add the attempts that crashed other workers to the waiting results of the same tests.

        Call it when all available records have been applied: a crash report stands in the controller's file, the
        result of the next attempt in the file of another worker.
        """
        if not self._crashed:
            return
        for queue in self.by_worker.values():
            for index, result in enumerate(tuple(queue.results)):
                earlier = self._pop_crashed(result.nodeid)
                if earlier:
                    queue.results[index] = last = self._folded(result, (*earlier, *result.attempts))
                    queue.counts[result.status] -= 1
                    queue.counts[last.status] += 1

    def _start(self, queue: WorkerQueue, offset: int, start: StartRecord) -> None:
        if self._options.report_not_run:
            self._begun.add(start.nodeid)
        if queue.started_us is None:
            queue.started_us = start.moment
        self._close_orphan(queue, "died", _LOST, ended_us=start.moment)
        # A pending rerun of the same test stays pending until the attempt ends.
        if queue.pending_rerun is not None and queue.pending_rerun.nodeid != start.nodeid:
            self._close_pending_rerun(queue)
        queue.open, queue.open_offset = start, offset
        queue.ended_us = max(queue.ended_us, start.moment)
        queue.open_artifacts.clear()

    def _finish(self, queue: WorkerQueue, offset: int, record: FinishRecord) -> None:
        if record.began is not None:
            if queue.open is None or queue.open.number != record.number:
                # The START is damaged.
                start = StartRecord(record.number, record.began, record.nodeid, record.file, record.line)
                self._start(queue, offset, start)
            if record.number in queue.orphans:
                self._close_orphan(queue, "died", "", ended_us=record.moment)
                return
        elif queue.started_us is None:
            queue.started_us = record.moment - (record.attempt.elapsed or 0)
        pending = queue.pending_rerun
        before = pending.attempts if pending is not None and pending.nodeid == record.nodeid else ()
        result = self._result(queue, offset, record, (*before, *record.hidden, record.attempt))
        queue.open = queue.pending_rerun = None
        queue.ended_us = max(queue.ended_us, record.moment)
        queue.collection_results += record.began is None
        if record.is_final:
            queue.add(result)
        else:
            queue.pending_rerun, queue.is_pending_silent = result, record.is_silent

    def _result(self, queue: WorkerQueue, offset: int, record: FinishRecord, attempts: tuple[Attempt, ...]) -> Result:
        """Return the result of a test: who it is follows from its node id, unless the record says otherwise."""
        key, folder, name = record.key, record.folder, record.name
        if key is None or folder is None or name is None:
            identity = identify(record.nodeid, prefix=self._options.prefix)
            key, folder, name = key or identity.key, folder or identity.folder, name or identity.name
        file, line = place_string(record.file) or None, one_based(record.line)
        base = TypedTest(
            key, name, folder, "", file=file, line=line, assertions=record.assertions, started=record.began
        )
        status = record.attempt.status
        result = Result(queue.worker, offset, record.number, record.nodeid, status, record.moment, base)
        return self._folded(result, attempts)

    def _folded(self, result: Result, attempts: tuple[Attempt, ...]) -> Result:
        *earlier, last = attempts
        # A test that pytest has counted as failed stays failed, with the first cause of its last crash, even if it
        # passed when it ran again: pytest's own summary and exit code say so, too.
        if result.nodeid in self._failed_by_crash and earlier and last.status != "error":
            last = replace(last, status="error", causes=(*earlier[-1].causes[:1], *last.causes))
        test = fold_attempts(result.test, (*earlier, last), self._options, self.decorations)
        encode_all = partial(encode, test)
        encoded = self.decorations.make("comparison", encode_all, b"") if test.comparison else encode_all()
        if not encoded:
            test = cut_test(test, TEXT_UNITS)
            encoded = encode(test)
        result = replace(
            result, status=last.status, test=test, attempts=(*earlier, last), statuses=self._options.statuses,
            size=len(encoded),
        )  # fmt: skip
        return result if self._is_typed() else replace(result, size=len(encode(result.contract())))

    def _close(self, queue: WorkerQueue, ended_us: int, detail: str) -> None:
        if queue.open is not None:
            queue.interrupted_nodeid = queue.open.nodeid
            self._close_orphan(queue, "interrupted", detail, ended_us=ended_us)
        self._close_pending_rerun(queue)
        queue.ended_us = max(queue.ended_us, ended_us)
        queue.is_closed = True

    def _crash(self, record: CrashRecord) -> None:
        queue, nodeid, ended_us = self.of(record.worker), record.nodeid, record.moment
        if self._options.report_not_run:
            self._begun.add(nodeid)
        # A worker that could still write CLOSE has reported the test itself.
        if queue.interrupted_nodeid == nodeid or (queue.is_closed and queue.open is None):
            return
        # Without a START, which a full disk may have cost, the report is all there is: -1 is no attempt's number.
        start, offset = queue.open, queue.open_offset
        if start is None:
            start, offset = StartRecord(-1, ended_us, nodeid, record.file, record.line), queue.position
        detail = "\n\n".join(filter(None, (record.text, self._show_last_words(queue.worker, record.words))))
        result = self._unfinished_result(queue, offset, start, "crashed", detail, ended_us=ended_us)
        if record.outcome not in {"rerun", AGAIN}:
            self._enqueue_orphan(queue, result)
            queue.is_closed = True
            return
        if record.outcome == AGAIN:
            self._failed_by_crash.add(start.nodeid)
        before = () if queue.pending_rerun is None else queue.pending_rerun.attempts
        self._crashed.setdefault(start.nodeid, []).extend((*before, *result.attempts))
        # In this order: the test may have crashed another worker before, whose attempt is followed by this one.
        self._release_crashed(result.nodeid)
        queue.open = queue.pending_rerun = None
        queue.crashed_pending_rerun = result

    def _show_last_words(self, worker: str, known: str = "") -> str:
        make = partial(self._last_words, worker)
        words = self.shown_last_words[worker] = known or self.decorations.make("last output", make, "")
        return words

    def _pop_crashed(self, nodeid: str) -> list[Attempt]:
        """Return and forget the crashed attempts of a test that now has a result."""
        earlier = self._crashed.pop(nodeid, [])
        if earlier:
            self._release_crashed(nodeid)
        return earlier

    def _release_crashed(self, nodeid: str) -> None:
        """Close the queue whose worker this test crashed last: another attempt has followed."""
        for queue in self.by_worker.values():
            if queue.crashed_pending_rerun is not None and queue.crashed_pending_rerun.nodeid == nodeid:
                queue.crashed_pending_rerun = None
                queue.is_closed = True

    def _close_orphan(self, queue: WorkerQueue, kind: Unfinished, detail: str, *, ended_us: int) -> None:
        """Add the result of the attempt that runs, if there is one: it never finished."""
        if queue.open is None:
            return
        if kind == "interrupted":  # it stays in the number of tests not run
            queue.collection_results += 1
        orphan = self._unfinished_result(queue, queue.open_offset, queue.open, kind, detail, ended_us=ended_us)
        self._enqueue_orphan(queue, orphan)

    def _enqueue_orphan(self, queue: WorkerQueue, orphan: Result) -> None:
        """Add an orphan with all attempts before it, the pending rerun last, and end the queue's attempt."""
        earlier: Sequence[Attempt] = self._pop_crashed(orphan.nodeid)
        if queue.pending_rerun is not None and queue.pending_rerun.nodeid == orphan.nodeid:
            earlier = (*earlier, *queue.pending_rerun.attempts)
        queue.open = queue.pending_rerun = None
        queue.add(self._folded(orphan, (*earlier, *orphan.attempts)) if earlier else orphan)

    def _close_pending_rerun(self, queue: WorkerQueue) -> None:
        """Make the last rerun the result: no other attempt has followed it."""
        # Of a silent attempt pytest has counted nothing, so the test has no result.
        if queue.pending_rerun is not None and not queue.is_pending_silent:
            queue.add(queue.pending_rerun)
        queue.pending_rerun = None

    def _unfinished_result(
        self, queue: WorkerQueue, offset: int, start: StartRecord, kind: Unfinished, detail: str, *, ended_us: int
    ) -> Result:
        # A crash report without a START is of no attempt that runs: artifacts cannot belong to it.
        began, artifacts = (start.moment, queue.open_artifacts) if start is queue.open else (None, ())
        moment = max(ended_us, start.moment)
        attempt = unfinished_attempt(
            start.nodeid, self._options, kind=kind, detail=detail, observed_us=moment - start.moment,
            worker=queue.worker, artifacts=artifacts,
        )  # fmt: skip
        record = FinishRecord(start.number, moment, start.nodeid, attempt, began, start.file, start.line)
        return replace(self._result(queue, offset, record, (attempt,)), is_orphan=True)
