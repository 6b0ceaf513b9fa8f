"""The end of a delivery: findings, the report in one file, the totals of the ledger.

pytest waits for the totals, which come last. Findings and a report that take longer than it waits are completed after.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import EMBEDDED_ORIGIN
from pytest_automation_report.delivery.findings import LateAnswer, excerpt_from, write_excerpt, write_unless_full
from pytest_automation_report.delivery.report import unfinished_reason, write_report
from pytest_automation_report.spool.ledger_records import DoneRecord, ReportRecord

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.delivery.dispatcher import Delivery
    from pytest_automation_report.delivery.follower import SessionFollower
    from pytest_automation_report.delivery.retries import Deadlines
    from pytest_automation_report.spool.liveness import Process

_INTERRUPTED: Final = 2
"""pytest's exit status after Ctrl-C: then pytest waits for a shorter time."""


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

    def _write_findings(self) -> LateAnswer[Json] | None:
        """Write the findings of our completed run to the ledger if a pytest waits for them, and they come in time."""
        state, client, log = self._state, self._client, self._log
        if self._controller is None or self._follower.queues.end is None or state.run is None or not state.is_complete:
            return None
        seconds = self._seconds_for_answers()
        if client.artifact_bytes is None or seconds <= 0 or not self._controller.is_alive():
            return None
        ask = partial(client.findings_document, state.run)
        request = LateAnswer(f"findings of run {state.run}", lambda: excerpt_from(ask()), log)
        write_excerpt(self._ledger, request.wait(seconds), log)
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
            self._note_report(ReportRecord(session.report, "none", why))
            return None
        self._note_report(ReportRecord(session.report, "begun"))
        seconds = None  # `automation-report send` waits as long as it takes
        if self._controller is not None:
            seconds = self._deadlines.seconds_for_report(is_interrupted=self._is_interrupted)
        creates_folder, words = self._controller is not None, self._delivery.queues.shown_last_words.copy()
        write = partial(write_report, self._delivery, state.run, words, creates_folder=creates_folder)
        report = LateAnswer(f"report of run {state.run}", write, self._log)
        self._note_report(report.wait(seconds) or self._late_report)
        return report

    @property
    def _late_report(self) -> ReportRecord:
        return ReportRecord(self._session.report, "late")

    def _note_report(self, state: ReportRecord) -> None:
        """Write the state of the report to the ledger."""
        write_unless_full(self._ledger, self._log, state)

    def _note_late_report(self, state: ReportRecord) -> None:
        """Write what became of a report for which pytest did not wait: a later session's summary shows a failure."""
        # A folder that was removed meanwhile would be created again.
        if self._state.is_report_late and self._delivery.folder.ledger.exists():
            self._note_report(state)

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
