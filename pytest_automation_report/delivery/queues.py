"""Turn spool records into results, with a queue for each worker.

A FINISH that no rerun follows closes a result; so do the crash report of its worker and the end of the session. The
recorder cannot know everything while it runs, so three cases are decided here: attempts that never finished, attempts
whose worker crashed and whose test ran again on another one, and reruns that never came.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.extensions import phases_member
from pytest_automation_report.api.limits import fit_to_limits
from pytest_automation_report.api.models import encoded
from pytest_automation_report.delivery.crashed_attempts import CrashedAttempts, attempt_from
from pytest_automation_report.delivery.results import NotRun, Result, Start, WorkerQueue
from pytest_automation_report.recording.synthetic_results import UNTESTED, not_run_test, passed_test, unfinished_test
from pytest_automation_report.spool.artifacts import MARK
from pytest_automation_report.spool.folder import CONTROLLER, NOT_RUN
from pytest_automation_report.spool.record_kinds import (
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
    PassRecord,
    PlanRecord,
    PropertyRecord,
    StartRecord,
)
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from pytest_automation_report.api.models import Artifact, Field, Json
    from pytest_automation_report.recording.attempts import EarlierAttempt
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.spool.records import PositionedRecord, Record

Unfinished: TypeAlias = Literal["crashed", "died", "interrupted"]

_MAX_PROPERTIES: Final = 100
_LOST: Final = "the process went on to other tests, but the record of this result is damaged or could not be written"


class WorkerQueues:
    """The queues of all workers of a session; owned by the sender.

    ``orphans`` are the attempts, by worker, that an earlier sender reported as never finished. ``last_words`` returns
    the last output of a worker's process, once it has died; what it returned stays in ``shown_last_words``, by worker.
    """

    def __init__(
        self,
        options: RecordingOptions,
        orphans: Mapping[str, Container[int]] | None = None,
        last_words: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._options = options
        self._last_words = last_words if options.keeps_output("error") else lambda _: ""
        self.shown_last_words: dict[str, str] = {}
        self._orphans = orphans or {}
        self._crashed = CrashedAttempts(options)
        self.by_worker: dict[str, WorkerQueue] = {}
        self.end: EndRecord | None = None
        self.properties: list[Field] = []
        self.artifacts: list[Artifact] = []
        # No record can change a result any more: everything that was open has been turned into results.
        self.is_decided = False
        # Each worker of pytest-xdist runs all tests (`--dist each`).
        self.is_dist_each = False
        self._not_run = NotRun(options.report_not_run)

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
        expected = self.collected
        if expected is None:
            return 0
        return max(0, expected - sum(queue.seen - queue.collection_results for queue in self.by_worker.values()))

    @property
    def has_results(self) -> bool:
        """Whether there is a result to report, now or when a test ends."""
        return any(queue.has_activity for queue in self.by_worker.values())

    @property
    def is_closing(self) -> bool:
        """Whether all workers so far have ended; pytest-xdist needs a while from there to its own end."""
        return all(queue.is_closed for worker, queue in self.by_worker.items() if worker not in {CONTROLLER, NOT_RUN})

    def of(self, worker: str) -> WorkerQueue:
        """Return the worker's queue; create it if it is missing."""
        if worker not in self.by_worker:
            self.by_worker[worker] = WorkerQueue(worker, self._orphans.get(worker, ()))
        return self.by_worker[worker]

    def running_test(self, queue: WorkerQueue) -> Json | None:
        """Return the test that a worker runs, as a server of ours shows it; None between tests."""
        start = queue.open
        if start is None:
            return None
        identity, test = passed_test(start.nodeid, (start.file, start.line, ""), self._options, 0)
        return {"key": identity.key, "name": test.name, "folder": test.folder, "since": start.started_us}

    def apply(self, worker: str, placed: PositionedRecord) -> None:
        """Apply one record of the worker's file; kinds of later versions are ignored."""
        queue, record = self.of(worker), placed.record
        match record:
            case PassRecord():
                self._pass(queue, placed, record)
            case FinishRecord():
                self._finish(queue, placed.offset, record)
            case StartRecord():
                moment, line = record.moment, record.line
                self._start(queue, Start(placed.offset, record.number, moment, record.nodeid, record.file, line))
            case OpenRecord():
                queue.pid = record.pid
                queue.started_us = queue.started_us if record.began is None else record.began
            case CollectedRecord():
                queue.collected, queue.collection = record.count, record.collection
            case PlanRecord():
                self.is_dist_each = record.each
            case CloseRecord():
                queue.elapsed_correction_us = record.elapsed_correction or 0
                self._close(queue, record.moment, record.detail)
            case CrashRecord():
                self._crash(record)
            case EndRecord():
                self.end = record
            case _:
                self._apply_attachment(queue, placed.offset, record)

    def _apply_attachment(self, queue: WorkerQueue, offset: int, record: Record) -> None:
        """Apply a record that changes no finished test: names of tests, artifacts, output files, properties."""
        match record:
            case IdsRecord():
                self._not_run.collect(offset, record.ids)
            case ArtifactRecord():
                if queue.open is not None and queue.open.attempt_number == record.number:
                    queue.open_artifacts.append(record.artifact)
            case CapturedRecord():
                queue.captured_files = record.files
            case PropertyRecord():
                if record.artifact is None:
                    assert record.field is not None
                    self._add_property(record.field)
                elif len(self.artifacts) < _MAX_PROPERTIES:
                    self.artifacts.append(record.artifact)
            case _:
                pass  # of a later version

    def _add_property(self, field: Field) -> None:
        """Add a field of the run; every worker records a session's properties, so each is added once."""
        if field not in self.properties and len(self.properties) < _MAX_PROPERTIES:
            self.properties.append(field)

    def finalize(self, kind: Literal["died", "interrupted"], seen_us: int = 0) -> None:
        """Turn everything that is still open into results, since the session is over.

        ``kind`` is how the session ended. ``seen_us`` is when the sender noticed it, in microseconds since the session
        began, 0 if unknown.
        """
        self.merge_crashed()
        for queue in self.by_worker.values():
            if queue.open is not None:
                detail = self._show_last_words(queue.worker) if kind == "died" else ""
                self._close_orphan(queue, queue.open, kind, detail, ended_us=max(queue.ended_us, seen_us))
            self._close_pending_rerun(queue)
            queue.is_closed = True
        # Last: an orphan above may be the attempt that a crashed one waits for, and then releases it.
        for queue in self.by_worker.values():
            crashed, queue.crashed_pending_rerun = queue.crashed_pending_rerun, None
            if crashed is not None:
                self._crashed.drop_last(crashed.nodeid)
                self._enqueue_orphan(queue, crashed)
        self._enqueue_not_run()
        self.is_decided = True

    def _enqueue_not_run(self) -> None:
        """Add a result for each test that never began, in a separate queue."""
        ended_us = max((queue.ended_us for queue in self.by_worker.values()), default=0)
        for offset, nodeid in self._not_run.missing():
            test, queue = not_run_test(nodeid, self._options), self.of(NOT_RUN)
            queue.started_us = queue.ended_us = ended_us
            # Counted as a result without an attempt, so that the test stays in the number of tests not run.
            queue.collection_results += 1
            queue.add(
                Result(
                    worker=NOT_RUN,
                    offset=offset,
                    attempt_number=-1,
                    nodeid=nodeid,
                    key=test.key,
                    status=UNTESTED,
                    elapsed=0,
                    ended_us=ended_us,
                    test=encoded(test),
                )
            )

    def merge_crashed(self) -> None:
        """Add the attempts that crashed other workers to the waiting results of the same tests.

        Call it when all available records have been applied: the crash report of an attempt stands in the controller's
        file, and may be read after the result of the next attempt, which stands in the file of another worker.
        """
        if not self._crashed.has_any:
            return
        for queue in self.by_worker.values():
            for index, result in enumerate(tuple(queue.results)):
                earlier = self._pop_crashed(result.nodeid)
                if earlier:
                    queue.replace(index, self._crashed.merged(result, earlier))

    def _start(self, queue: WorkerQueue, start: Start) -> None:
        self._not_run.begin(start.nodeid)
        if queue.started_us is None:
            queue.started_us = start.started_us
        if queue.open is not None:
            self._close_orphan(queue, queue.open, "died", _LOST, ended_us=start.started_us)
        if queue.pending_rerun is not None and queue.pending_rerun.nodeid != start.nodeid:
            self._close_pending_rerun(queue)
        queue.start(start)

    def _pass(self, queue: WorkerQueue, placed: PositionedRecord, record: PassRecord) -> None:
        """Create the result of a passed test: the recorder leaves that to the sender, to save the tests' time."""
        number, nodeid, file, line, ended_us = record.number, record.nodeid, record.file, record.line, record.moment
        if queue.open is None or queue.open.attempt_number != number:
            # The reader drops a START whose PASS follows it at once; `begun` is the offset of the dropped record.
            offset = placed.offset if placed.begun < 0 else placed.begun
            self._start(queue, Start(offset, number, record.began, nodeid, file, line))
        if queue.open is not None and number in queue.orphans:
            self._close_orphan(queue, queue.open, "died", "", ended_us=ended_us)
            return
        elapsed = record.elapsed
        identity, test = passed_test(nodeid, (file, line, ""), self._options, elapsed)
        queue.finish(ended_us)
        phases = phases_member(elapsed, record.setup, record.teardown)
        extensions = f"{{{phases}}}" if phases else ""
        # Positional: this runs for almost every test of a session, and keywords cost time.
        queue.add(
            Result(
                queue.worker, placed.offset, number, nodeid, identity.key, "passed", elapsed, ended_us, encoded(test),
                False, False, record.began, extensions,  # noqa: FBT003 - as above
            )
        )  # fmt: skip

    def _finish(self, queue: WorkerQueue, offset: int, record: FinishRecord) -> None:
        start = queue.open
        if start is None or start.attempt_number != record.number:
            start = None  # a result without an attempt: a module that cannot be collected
        elif start.attempt_number in queue.orphans:
            self._close_orphan(queue, start, "died", "", ended_us=record.moment)
            return
        result = Result(
            worker=queue.worker,
            offset=offset,
            attempt_number=record.number,
            nodeid=start.nodeid if start else "",
            key=record.key,
            status=record.status,
            elapsed=record.elapsed,
            ended_us=record.moment,
            test=record.test,
            has_files=MARK in record.test,
            started_us=start.started_us if start else -1,
            extensions=record.extensions if _is_object(record.extensions) else "",
        )
        queue.finish(result.ended_us)
        if queue.started_us is None:
            queue.started_us = result.ended_us - result.elapsed
        if start is None:
            queue.collection_results += 1
        if record.is_final:
            queue.add(result)
        else:
            queue.pending_rerun = result

    def _close(self, queue: WorkerQueue, ended_us: int, detail: str) -> None:
        if queue.open is not None:
            queue.interrupted_nodeid = queue.open.nodeid
            self._close_orphan(queue, queue.open, "interrupted", detail, ended_us=ended_us)
        self._close_pending_rerun(queue)
        queue.close(ended_us)

    def _crash(self, record: CrashRecord) -> None:
        """Apply the controller's report that a worker crashed in a test."""
        queue, nodeid, ended_us = self.of(record.worker), record.nodeid, record.moment
        self._not_run.begin(nodeid)
        # A worker that could still write CLOSE has reported the test itself.
        if queue.interrupted_nodeid == nodeid or (queue.is_closed and queue.open is None):
            return
        # Without a START, which a full disk may have cost, the report is all there is: -1 is no attempt's number.
        start = queue.open or Start(queue.position, -1, ended_us, nodeid, record.file, record.line)
        detail = "\n\n".join(filter(None, (record.text, self._show_last_words(queue.worker, record.words))))
        result = self._unfinished_result(queue, start, "crashed", detail, ended_us=ended_us)
        if record.outcome not in {"rerun", AGAIN}:
            self._enqueue_orphan(queue, result)
            queue.is_closed = True
            return
        attempts = [result] if queue.pending_rerun is None else [queue.pending_rerun, result]
        self._crashed.add(start.nodeid, attempts, are_failures=record.outcome == AGAIN)
        # In this order: the test may have crashed another worker before, whose attempt is followed by this one.
        self._release_crashed(result.nodeid)
        queue.crash(result)

    def _show_last_words(self, worker: str, known: str = "") -> str:
        words = self.shown_last_words[worker] = known or self._last_words(worker)
        return words

    def _pop_crashed(self, nodeid: str) -> list[EarlierAttempt]:
        """Return and forget the crashed attempts of a test that now has a result; empty if there are none."""
        earlier = self._crashed.pop(nodeid)
        if earlier:
            self._release_crashed(nodeid)
        return earlier

    def _release_crashed(self, nodeid: str) -> None:
        """Close the queue whose worker this test crashed last: another attempt has followed."""
        for queue in self.by_worker.values():
            if queue.crashed_pending_rerun is not None and queue.crashed_pending_rerun.nodeid == nodeid:
                queue.release()

    def _close_orphan(self, queue: WorkerQueue, start: Start, kind: Unfinished, detail: str, *, ended_us: int) -> None:
        """Add the result of an attempt that never finished."""
        self._enqueue_orphan(queue, self._unfinished_result(queue, start, kind, detail, ended_us=ended_us))

    def _enqueue_orphan(self, queue: WorkerQueue, orphan: Result) -> None:
        """Add an orphan with all attempts before it, and end the queue's attempt.

        All attempts are merged here at once, the pending rerun last: no other result of the test will follow.
        """
        earlier = self._pop_crashed(orphan.nodeid)
        if queue.pending_rerun is not None and queue.pending_rerun.nodeid == orphan.nodeid:
            earlier = [*earlier, attempt_from(queue.pending_rerun)]
        queue.open = queue.pending_rerun = None
        queue.add(self._crashed.merged(orphan, earlier))

    def _close_pending_rerun(self, queue: WorkerQueue) -> None:
        """Make the last rerun the result: no other attempt has followed it."""
        result = queue.take_pending_rerun()
        if result is not None:
            queue.add(result)

    def _unfinished_result(
        self, queue: WorkerQueue, start: Start, kind: Unfinished, detail: str, *, ended_us: int
    ) -> Result:
        unfinished = unfinished_test(
            start.nodeid,
            (start.file, start.line, ""),
            self._options,
            kind=kind,
            detail=detail,
            observed_us=max(0, ended_us - start.started_us),
            worker=queue.worker,
        )
        # A crash report without a START is of no attempt that runs: artifacts cannot belong to it.
        artifacts = tuple(queue.open_artifacts) if start is queue.open else ()
        text = encoded(fit_to_limits(replace(unfinished.test, artifacts=artifacts)))
        return Result(
            worker=queue.worker,
            offset=start.offset,
            attempt_number=start.attempt_number,
            nodeid=start.nodeid,
            key=unfinished.identity.key,
            status=unfinished.status,
            elapsed=unfinished.test.elapsed or 0,
            ended_us=max(ended_us, start.started_us),
            test=text,
            is_orphan=True,
            has_files=MARK in text,
            started_us=start.started_us if start is queue.open else -1,
        )


def _is_object(text: str) -> bool:
    try:
        return type(json.loads(text)) is dict
    except (ValueError, RecursionError):
        return False
