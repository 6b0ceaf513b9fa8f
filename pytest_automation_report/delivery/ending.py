"""The end of a delivery: findings, the report in one file, the totals of the ledger.

pytest waits for the totals, which come last. Findings and a report that take longer than it waits are completed after.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from pytest_automation_report.api.models import EMBEDDED_ORIGIN
from pytest_automation_report.delivery.report import unfinished_reason, write_report
from pytest_automation_report.errors import AutomationReportError, SpoolError
from pytest_automation_report.spool.ledger import DoneRecord, FindingsRecord, ReportRecord
from pytest_automation_report.text.limits import cut_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.delivery.dispatcher import Delivery
    from pytest_automation_report.delivery.follower import SessionFollower
    from pytest_automation_report.delivery.handover import Timeouts
    from pytest_automation_report.findings.documents import (
        ChangedTest,
        FailureExcerpt,
        FindingsExcerpt,
        FlakyResult,
        RunFindings,
        VerdictWords,
    )
    from pytest_automation_report.spool.process import Process
    from pytest_automation_report.spool.records import Record


_INTERRUPTED: Final = 2
"""pytest's exit status after Ctrl-C: then pytest waits for a shorter time."""

_SECONDS_TO_END: Final = 1.0
"""Time that a sender needs at most, on a busy machine, from its last response to its end."""


class Deadlines:
    """The time that a sender has after the session's end; owned by the sender's loop.

    A sender that pytest started has a ``controller``, the process of that pytest. It has
    ``exit_all + alone`` seconds in all, but only ``alone`` seconds once pytest is gone. A sender of the console command
    has no limit in all: it ends after ``send_progress`` seconds without a response.
    """

    def __init__(self, timeouts: Timeouts, clock: Callable[[], float], controller: Process | None = None) -> None:
        self.timeouts, self.clock, self.controller = timeouts, clock, controller
        self.session_ended_at: float | None = None
        self._controller_gone_at: float | None = None
        self._progress_at = clock()
        self._responses = 0

    def start_end(self) -> None:
        """Start the time after the session's end."""
        self.session_ended_at = self.clock()

    def touch(self) -> None:
        """Note that there is progress now."""
        self._progress_at = self.clock()

    def note_responses(self, count: int) -> None:
        """Note progress if the ledger's number of responses has changed."""
        if count != self._responses:
            self._responses = count
            self.touch()

    def exclude(self, seconds: float) -> None:
        """Leave a time that the sender needed for itself out of the time without progress."""
        self._progress_at += seconds

    @property
    def is_stalled(self) -> bool:
        """Whether there was no progress for too long."""
        return self.clock() - self._progress_at > self.timeouts.send_progress

    def seconds_for_findings(self, *, is_interrupted: bool) -> float:
        """Return how long to wait for findings, 0 if there is no time left.

        The sender is to be done long before pytest's wait ends: pytest would report that the delivery is not confirmed.
        """
        left = self.seconds_for_report(is_interrupted=is_interrupted)
        return min(self.timeouts.findings, self.timeouts.exit_progress / 2, left)

    def seconds_for_report(self, *, is_interrupted: bool) -> float:
        """Return how long to wait until the report is written, 0 if there is no time left: as long as pytest waits."""
        if self.session_ended_at is None:
            return 0.0
        longest = self.timeouts.exit_interrupted if is_interrupted else self.timeouts.exit_all
        return max(0.0, longest - (self.clock() - self.session_ended_at) - _SECONDS_TO_END)

    def is_expired(self, *, is_busy: bool) -> bool:
        """Whether the sender's time is up; ``is_busy`` if a response, or a time the server needs, is awaited."""
        if self.session_ended_at is None:
            return False
        if self.controller is None:
            return self.is_stalled and not is_busy
        now = self.clock()
        if self._controller_gone_at is None and not self.controller.is_alive():
            self._controller_gone_at = now
        if now - self.session_ended_at > self.timeouts.exit_all + self.timeouts.alone:
            return True
        return self._controller_gone_at is not None and now - self._controller_gone_at > self.timeouts.alone


class DeliveryEnd:
    """The end of one life of a sender, in which nothing is sent any more.

    ``deadlines`` has the time that is left. ``controller`` is the pytest process that waits, None if there is none.
    """

    def __init__(
        self, follower: SessionFollower, delivery: Delivery, deadlines: Deadlines, controller: Process | None
    ) -> None:
        self._follower, self._delivery, self._deadlines, self._controller = follower, delivery, deadlines, controller
        self._session, self._client, self._ledger = delivery.session, delivery.client, delivery.ledger
        self._state, self._log, self._timeouts = delivery.state, delivery.runtime.log, delivery.timeouts

    def complete(self) -> None:
        """Write findings, report and totals, and wait for what takes longer than pytest waits."""
        shown = self._ask_for_counts()
        request = self._write_findings()
        report = self._write_report()
        self._write_totals(shown)
        alone_seconds = self._timeouts.alone
        if request is not None and self._session.origin == EMBEDDED_ORIGIN:
            # The store computes in this process: pytest waits no longer, but later readers need the findings.
            request.await_end(alone_seconds)
        if report is not None:
            self._note_late_report(report.wait(alone_seconds) or self._late_report)

    @property
    def _is_interrupted(self) -> bool:
        end = self._follower.queues.end
        return end is not None and end.exit == _INTERRUPTED

    def _ask_for_counts(self) -> LateAnswer[int] | None:
        """Ask how many results our threads have by the server's own count, once all are confirmed."""
        state, client = self._state, self._client
        # What stores the results in this process has confirmed its own transactions: to read it loads what pages need.
        if self._session.is_embedded or state.run is None:
            return None
        # Results in a run that was left are in none of this run's threads.
        if state.left_runs or not self._delivery.is_finished or not state.total("acknowledged"):
            return None
        run_id, own = state.run, {thread for each in state.progress_by_worker.values() for thread in each.threads}

        def shown() -> int:
            totals = {thread.id: thread.total for thread in client.run(run_id).threads}
            return sum(totals[thread] for thread in own)  # a server may show no threads: a KeyError is no answer

        return LateAnswer(f"counts of run {run_id}", shown, self._log)

    def _seconds_for_answers(self) -> float:
        if self._controller is None:
            return self._timeouts.findings
        return self._deadlines.seconds_for_findings(is_interrupted=self._is_interrupted)

    def _write_findings(self) -> LateAnswer[FindingsExcerpt] | None:
        """Write the findings of our completed run to the ledger if a pytest waits for them, and they come in time."""
        state, client, log = self._state, self._client, self._log
        if self._controller is None or self._follower.queues.end is None or state.run is None or not state.is_complete:
            return None
        seconds = self._seconds_for_answers()
        if client.artifact_bytes is None or seconds <= 0 or not self._controller.is_alive():
            return None
        ask = partial(client.findings_document, state.run)
        request = LateAnswer(f"findings of run {state.run}", lambda: excerpt_from(ask()), log)
        excerpt = request.wait(seconds)
        if excerpt is not None:
            self._write_unless_full(FindingsRecord({**excerpt}))
        return request

    def _write_report(self) -> LateAnswer[ReportRecord] | None:
        """Write the report of our completed run, and to the ledger what became of it; pytest waits for it meanwhile."""
        session, client, state = self._session, self._client, self._state
        if not session.report or state.run is None:
            return None
        # A report from the spool has the session's own results: it needs no other job's.
        is_from_spool = not session.is_embedded and client.artifact_bytes is None and self._delivery.is_finished
        if not state.is_complete and not is_from_spool:
            why = unfinished_reason(session, state.run, is_open=self._delivery.is_finished)
            self._write_unless_full(ReportRecord(session.report, "none", why))
            return None
        self._write_unless_full(ReportRecord(session.report, "begun"))
        seconds = None  # `automation-report send` waits as long as it takes
        if self._controller is not None:
            seconds = self._deadlines.seconds_for_report(is_interrupted=self._is_interrupted)
        creates_folder, words = self._controller is not None, self._delivery.queues.shown_last_words.copy()
        write = partial(write_report, self._delivery, state.run, words, creates_folder=creates_folder)
        report = LateAnswer(f"report of run {state.run}", write, self._log)
        self._write_unless_full(report.wait(seconds) or self._late_report)
        return report

    @property
    def _late_report(self) -> ReportRecord:
        return ReportRecord(self._session.report, "late")

    def _write_unless_full(self, record: Record) -> None:
        """Write a record for the summary to the ledger, unless the disk is nearly full: the totals need the rest."""
        try:
            disk = os.statvfs(self._ledger.folder)
            if disk.f_bavail * disk.f_frsize > _MIN_FREE_BYTES:
                self._ledger.write(record)
        except (OSError, SpoolError) as error:
            self._log(f"the {record.__struct_config__.tag} could not be written: {error}")

    def _note_late_report(self, state: ReportRecord) -> None:
        """Write what became of a report for which pytest did not wait: a later session's summary shows a failure."""
        # A folder that was removed meanwhile would be created again.
        if self._state.is_report_late and self._delivery.folder.ledger.exists():
            self._write_unless_full(state)

    def _write_totals(self, counts: LateAnswer[int] | None) -> None:
        """Write the totals, the last record of this life, for pytest's summary."""
        ledger, unsent, queues = self._ledger, self._count_unsent(), self._follower.queues.by_worker.values()
        shown = None if counts is None else counts.wait(self._seconds_for_answers())
        is_finished, stopped = self._delivery.is_finished, self._delivery.retry_policy.stopped
        # Before the last record: with it pytest may remove the folder, and the log would be created in there again.
        self._log("done" if is_finished else f"{unsent.total()} results left: {stopped}")
        files, why = self._follower.files, stopped or ledger.state.trouble
        seen = {queue.worker: queue.seen for queue in queues}
        by_status = sum((queue.counts for queue in queues), Counter[str]())
        ledger.write(
            DoneRecord(is_finished, unsent.total(), files.damaged, files.torn, why, shown, seen=seen, counts=by_status)
        )

    def _count_unsent(self) -> Counter[str]:
        """Count the unsent results by worker, including those in files that were not read to their end.

        The queues are emptied on the way, since nothing is sent any more: a file of 100,000 results is counted in
        pieces and never held in memory as a whole. Results are counted, not records: only the queues know which records
        of reruns and crashes are one result.
        """
        unsent: Counter[str] = Counter()
        follower = self._follower
        while True:
            for worker, queue in follower.queues.by_worker.items():
                unsent[worker] += self._delivery.scheduler.unsettled(queue)
            if follower.queues.is_decided or not follower.files.is_behind:
                return unsent
            for queue in follower.queues.by_worker.values():
                queue.results.clear()
            follower.read()


T = TypeVar("T")

_MAX_FAILING: Final = 200
"""Most failing tests of an excerpt; the page of a CI job shows 50."""

_TEXT_UNITS: Final = 240
_MIN_FREE_BYTES: Final = 1024 * 1024
_COUNTS: Final = ("fixed", "passed_again", "flaky", "slower", "new_tests", "gone")


class LateAnswer(Generic[T]):
    """What a separate thread returns that asks the server, or writes a report: the sender can stop to wait for it.

    ``what`` names it in the log. The thread may go on after `wait`: the embedded store and a report have no deadline.
    """

    def __init__(self, what: str, ask: Callable[[], T], log: Callable[[str], None]) -> None:
        self._what, self._ask, self._log = what, ask, log
        self._answer: T | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None) -> T | None:
        """Wait at most this long, without a limit for None; return the answer, None if there is none so far."""
        self._thread.join(None if seconds is None else max(0.0, seconds))
        if self._thread.is_alive():
            self._log(f"no {self._what} within {seconds:.1f} s")
            return None
        return self._answer

    def await_end(self, seconds: float) -> None:
        """Wait at most this long until the request has ended, with an answer or without."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except (AutomationReportError, KeyError, TypeError, ValueError, AttributeError) as error:
            # A release of the server before findings refuses the URL; a later one may have another document.
            self._log(f"no {self._what}: {error!r}")


def excerpt_from(document: RunFindings) -> FindingsExcerpt:
    """Return the members of a document that a summary shows, with its texts cut to a safe length.

    ``failing`` has the failing tests: each with the run in which its failures began, null if they are new in this
    run, and with its failed runs and all its runs if it is a flaky test. Raises KeyError, TypeError, ValueError or
    AttributeError for a document of another form.
    """
    base = document["base"]
    earlier = document["earlier_source"]
    flaky = {test["key"]: test for test in document["flaky"] if test["state"] == "flaky"}
    tests = [*document["tests"]["newly_failing"], *document["tests"]["still_failing"]]
    return {
        "base": None if base is None else {"run": base["run"], "commit": base["commit"], "at": base["at"]},
        "earlier_source": None if earlier is None else {"name": _cut(earlier["name"]), "runs": int(earlier["runs"])},
        "verdict": cast("VerdictWords", {name: _cut(str(text)) for name, text in document["verdict"].items()}),
        "mine": {name: int(number) for name, number in document["mine"].items()},
        "counts": {name: int(document["counts"][name]) for name in _COUNTS},
        "reasons": [
            {"count": int(reason["count"]), "kind": reason["kind"], "title": _cut(reason["title"]),
             "since": None if reason["since"] is None else int(reason["since"]["run"])}
            for reason in document["reasons"]
        ],
        "failing": [_failing(test, flaky.get(test["key"]), document["run"]) for test in tests[:_MAX_FAILING]],
    }  # fmt: skip


def _failing(test: ChangedTest, flaky: FlakyResult | None, run_id: int) -> FailureExcerpt:
    since = None if test["since"] is None or test["since"]["run"] == run_id else int(test["since"]["run"])
    kind = "" if test["kind"] is None else str(test["kind"])
    rate = None if flaky is None else [int(flaky["failed"]), int(flaky["runs"])]
    return {"folder": _cut(test["folder"]), "name": _cut(test["name"]), "kind": kind, "since": since, "flaky": rate}


def _cut(text: str) -> str:
    return cut_end(str(text), _TEXT_UNITS)
