"""From records to results, a lane for each worker (floor 3, pure).

A result is closed by a FINISH that was not a rerun, by the crash report of its worker, or by the end of the session.
What the recorder cannot know while it runs is decided here: attempts that never finished, attempts whose worker
crashed and that another worker ran again, attempts after which nothing came.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_automation_report.api.limits import fit_to_limits
from pytest_automation_report.api.models import Artifact, Field, Test, encoded
from pytest_automation_report.delivery.results import NotRun, Result, Start, WorkerQueue
from pytest_automation_report.recording.attempts import with_earlier_attempts
from pytest_automation_report.recording.synthetic_results import UNTESTED, not_run_test, passed_test, unfinished_test
from pytest_automation_report.spool.artifacts import MARK
from pytest_automation_report.spool.folder import CONTROLLER, NOT_RUN
from pytest_automation_report.spool.records import AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.spool.records import PositionedRecord

Unfinished: TypeAlias = Literal["crashed", "died", "interrupted"]

_MOST_PROPERTIES = 100
_LOST = "the process went on to other tests, but the record of this result is damaged or could not be written"


class WorkerQueues:
    """All lanes of a session; ``last_words`` tells what a worker's process has printed last, once it has died."""

    def __init__(
        self,
        rules: RecordingOptions,
        orphans: Mapping[str, Container[int]] | None = None,
        last_words: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._rules = rules
        self._last_words = last_words if rules.keeps_output("error") else lambda _: ""
        self._orphans = orphans or {}
        self._crashed: dict[str, list[Test]] = {}
        self._failed: set[str] = set()
        self.by_worker: dict[str, WorkerQueue] = {}
        self.end: Mapping[str, Any] | None = None
        self.properties: list[Field] = []
        self.artifacts: list[Artifact] = []
        self.is_decided = False
        self._is_each = False
        self._not_run = NotRun(rules.report_not_run)

    @property
    def not_run(self) -> int:
        """Number of tests that were collected and have no result; 0 when nobody has told how many there are."""
        collected = [queue.collected for queue in self.by_worker.values() if queue.collected is not None]
        if not collected:
            return 0
        expected = sum(collected) if self._is_each else max(collected)
        return max(0, expected - sum(queue.seen - queue.modules for queue in self.by_worker.values()))

    @property
    def has_results(self) -> bool:
        """Whether there is something to report."""
        return any(
            queue.seen or queue.open or queue.pending_rerun or queue.crashed_pending_rerun
            for queue in self.by_worker.values()
        )

    @property
    def is_closing(self) -> bool:
        """Whether all workers that there are have ended; pytest-xdist takes its time between that and its own end."""
        return all(queue.is_closed for worker, queue in self.by_worker.items() if worker not in {CONTROLLER, NOT_RUN})

    def of(self, worker: str) -> WorkerQueue:
        """Return the worker's lane, a new one when there is none."""
        if worker not in self.by_worker:
            self.by_worker[worker] = WorkerQueue(worker, self._orphans.get(worker, ()))
        return self.by_worker[worker]

    def apply(self, worker: str, placed: PositionedRecord) -> None:
        """Add one record of the worker's file; kinds of later versions are passed over."""
        queue, members = self.of(worker), placed.record.members
        match placed.record.kind:
            case "open":
                queue.pid = members["pid"]
                queue.began = members.get("began", queue.began)
            case "collected":
                queue.collected = members["count"]
            case "plan":
                self._is_each = members["each"]
            case "start":
                self._start(queue, _start_from(placed))
            case "pass":
                self._pass(queue, placed)
            case "finish":
                self._finish(queue, placed)
            case "close":
                queue.more = members.get("more", 0)
                self._close(queue, members["t"], members.get("detail", ""))
            case "crash":
                self._crash(members)
            case "end":
                self.end = members
            case _:
                self._take_more(queue, placed)

    def _take_more(self, queue: WorkerQueue, placed: PositionedRecord) -> None:
        """Add one record of what no finished test's result depends on."""
        members = placed.record.members
        match placed.record.kind:
            case "ids":
                self._not_run.collect(placed.offset, members["ids"])
            case "artifact":
                if queue.open is not None and queue.open.number == members["n"]:
                    queue.added.append(Artifact(**members["artifact"]))
            case "captured":
                queue.captured = members["files"]
            case "property":
                if "artifact" not in members:
                    self._add_property(Field.from_body(members["field"]))
                elif len(self.artifacts) < _MOST_PROPERTIES:
                    self.artifacts.append(Artifact(**members["artifact"]))

    def _add_property(self, field_: Field) -> None:
        """Take a field of the run, each once however many workers have recorded it."""
        if field_ not in self.properties and len(self.properties) < _MOST_PROPERTIES:
            self.properties.append(field_)

    def finalize(self, kind: Literal["died", "interrupted"], moment: int = 0) -> None:
        """Make results of all that is still open, since the session is over; ``kind`` says how that came.

        ``moment`` is when that was seen, in microseconds of the session's clock, 0 if nobody has looked.
        """
        self.merge_crashed()
        for queue in self.by_worker.values():
            if queue.open is not None:
                words = self._last_words(queue.worker) if kind == "died" else ""
                self._enqueue(queue, self._orphan(queue, queue.open, kind, words, max(queue.ended, moment)))
            self._close_attempt(queue)
            queue.is_closed = True
        for queue in self.by_worker.values():
            suspended, queue.crashed_pending_rerun = queue.crashed_pending_rerun, None
            if suspended is not None:
                self._crashed[suspended.nodeid].pop()
                self._enqueue(queue, suspended)
        self._emit_not_run()
        self.is_decided = True

    def _emit_not_run(self) -> None:
        """Make results of the tests that nothing has begun, in a lane of their own; they count as not reported."""
        ended = max((each.ended for each in self.by_worker.values()), default=0)
        for offset, nodeid in self._not_run.left():
            test, queue = not_run_test(nodeid, self._rules), self.of(NOT_RUN)
            queue.began = queue.ended = ended
            queue.modules += 1
            self._enqueue(
                queue,
                Result(NOT_RUN, offset, -1, nodeid, test.key, UNTESTED, 0, ended, encoded(test)),
            )

    def merge_crashed(self) -> None:
        """Give results that wait to be sent the attempts of the same test that crashed other workers before.

        To be called when all records that are there have been taken: a crash report may be read after the result of the
        attempt that followed it.
        """
        for queue in self.by_worker.values() if self._crashed else ():
            for place in range(len(queue.results)):
                result = queue.results[place]
                earlier = self._pop_crashed(result.nodeid)
                if earlier:
                    queue.results[place] = self._merged(result, earlier)
                    queue.counts[result.status] -= 1
                    queue.counts[queue.results[place].status] += 1

    def _start(self, queue: WorkerQueue, start: Start) -> None:
        self._not_run.begin(start.nodeid)
        if queue.began is None:
            queue.began = start.moment
        if queue.open is not None:
            self._enqueue(queue, self._orphan(queue, queue.open, "died", _LOST, start.moment))
        if queue.pending_rerun is not None and queue.pending_rerun.nodeid != start.nodeid:
            self._close_attempt(queue)
        queue.open, queue.ended = start, max(queue.ended, start.moment)
        queue.added.clear()

    def _pass(self, queue: WorkerQueue, placed: PositionedRecord) -> None:
        """Take a result that is made here; its START may have been left out."""
        members = placed.record.members
        number, nodeid, moment = members["n"], members["id"], members["t"]
        if queue.open is None or queue.open.number != number:
            offset = placed.offset if placed.begun < 0 else placed.begun
            self._start(queue, Start(offset, number, members["began"], nodeid, members["file"], members.get("line")))
        if queue.open is not None and number in queue.orphans:
            self._enqueue(queue, self._orphan(queue, queue.open, "died", "", moment))
            return
        elapsed = members["elapsed"]
        ident, test = passed_test(nodeid, (members["file"], members.get("line"), ""), self._rules, elapsed)
        queue.open, queue.pending_rerun = None, None
        queue.ended = max(queue.ended, moment)
        result = Result(
            queue.worker, placed.offset, number, nodeid, ident.key, "passed", elapsed, moment, encoded(test)
        )
        self._enqueue(queue, result)

    def _finish(self, queue: WorkerQueue, placed: PositionedRecord) -> None:
        members, start = placed.record.members, queue.open
        if start is None or start.number != members["n"]:
            start = None
        elif start.number in queue.orphans:
            self._enqueue(queue, self._orphan(queue, start, "died", "", members["t"]))
            return
        result = Result(
            worker=queue.worker,
            offset=placed.offset,
            number=members["n"],
            nodeid=start.nodeid if start else "",
            key=members["key"],
            status=members["status"],
            elapsed=members["elapsed"],
            moment=members["t"],
            test=placed.record.test,
            is_with_files=MARK in placed.record.test,
        )
        queue.open, queue.pending_rerun = None, None
        queue.ended = max(queue.ended, result.moment)
        if queue.began is None:
            queue.began = result.moment - result.elapsed
        if start is None:
            queue.modules += 1
        if members["final"]:
            self._enqueue(queue, result)
        else:
            queue.pending_rerun = result

    def _close(self, queue: WorkerQueue, moment: int, detail: str) -> None:
        if queue.open is not None:
            queue.interrupted = queue.open.nodeid
            self._enqueue(queue, self._orphan(queue, queue.open, "interrupted", detail, moment))
        self._close_attempt(queue)
        queue.ended = max(queue.ended, moment)
        queue.is_closed = True

    def _crash(self, members: Mapping[str, Any]) -> None:
        queue, nodeid, moment = self.of(members["worker"]), members["id"], members["t"]
        self._not_run.begin(nodeid)
        if queue.interrupted == nodeid or (queue.is_closed and queue.open is None):
            return
        start = queue.open or Start(queue.position, -1, moment, nodeid, members["file"], members.get("line"))
        detail = "\n\n".join(filter(None, (members["text"], self._last_words(queue.worker))))
        result = self._orphan(queue, start, "crashed", detail, moment)
        if members["outcome"] in {"rerun", AGAIN}:
            if members["outcome"] == AGAIN:
                self._failed.add(start.nodeid)
            attempts = [] if queue.pending_rerun is None else [_test_from(queue.pending_rerun)]
            self._crashed.setdefault(start.nodeid, []).extend([*attempts, _test_from(result)])
            queue.open = queue.pending_rerun = None
            self._release(result.nodeid)
            queue.crashed_pending_rerun = result
        else:
            self._enqueue(queue, result)
            queue.is_closed = True

    def _pop_crashed(self, nodeid: str) -> list[Test]:
        """Return the crashed attempts of a test that now has a result."""
        earlier = self._crashed.pop(nodeid, [])
        if earlier:
            self._release(nodeid)
        return earlier

    def _release(self, nodeid: str) -> None:
        """Let go of the last crashed attempt of a test: another attempt came after it.

        It is kept back until then, with its lane open, since it is the result if no other attempt comes.
        """
        for queue in self.by_worker.values():
            if queue.crashed_pending_rerun is not None and queue.crashed_pending_rerun.nodeid == nodeid:
                queue.crashed_pending_rerun, queue.is_closed = None, True

    def _orphan(self, queue: WorkerQueue, start: Start, kind: Unfinished, detail: str, moment: int) -> Result:
        finished = unfinished_test(
            start.nodeid,
            (start.file, start.line, ""),
            self._rules,
            kind=kind,
            detail=detail,
            observed=max(0, moment - start.moment),
            worker=queue.worker,
        )
        text = encoded(
            fit_to_limits(replace(finished.test, artifacts=tuple(queue.added) if start is queue.open else ()))
        )
        return Result(
            worker=queue.worker,
            offset=start.offset,
            number=start.number,
            nodeid=start.nodeid,
            key=finished.identity.key,
            status=finished.status,
            elapsed=finished.test.elapsed or 0,
            moment=max(moment, start.moment),
            test=text,
            is_orphan=True,
            is_with_files=MARK in text,
        )

    def _enqueue(self, queue: WorkerQueue, result: Result) -> None:
        if result.is_orphan:
            earlier = self._pop_crashed(result.nodeid)
            if queue.pending_rerun is not None and queue.pending_rerun.nodeid == result.nodeid:
                earlier = [*earlier, _test_from(queue.pending_rerun)]
            result = self._merged(result, earlier)
            queue.open = queue.pending_rerun = None
        queue.counts[result.status] += 1
        queue.results.append(result)

    def _merged(self, result: Result, earlier: list[Test]) -> Result:
        """Return a result with the attempts before it; what pytest has counted as a failure stays one."""
        if not earlier:
            return result
        test = _test_from(result)
        if result.nodeid in self._failed and result.status != "error":
            test = replace(test, status=self._rules.alias("error"), fields=(*earlier[-1].fields[:1], *test.fields))
            result = result._replace(status="error")
        text = encoded(with_earlier_attempts(test, earlier))
        return result._replace(test=text, is_with_files=MARK in text)

    def _close_attempt(self, queue: WorkerQueue) -> None:
        """Make the last rerun attempt the result: nothing came after it."""
        if queue.pending_rerun is not None:
            self._enqueue(queue, queue.pending_rerun)
            queue.pending_rerun = None


def _start_from(placed: PositionedRecord) -> Start:
    members = placed.record.members
    return Start(placed.offset, members["n"], members["t"], members["id"], members["file"], members.get("line"))


def _test_from(result: Result) -> Test:
    return Test.from_body(json.loads(result.test))
