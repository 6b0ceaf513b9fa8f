"""End a session: wait for the sender, count the results, find older sessions that were not delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.session.waiting import LedgerTail, wait_for_sender
from pytest_automation_report.spool.folder import has_other_folders
from pytest_automation_report.spool.removal import LeftoverCounts
from pytest_automation_report.summary.counts import SessionCounts, tally_from
from pytest_automation_report.summary.lines import SessionOutcome
from pytest_automation_report.unpatched import Unpatched
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    import pytest

    from pytest_automation_report.delivery.handover import Timeouts
    from pytest_automation_report.session.running import RunningSession
    from pytest_automation_report.session.terminal import TerminalReport
    from pytest_automation_report.spool.ledger import LedgerState


class SessionEnd:
    """The steps after a session was closed; owned by `SessionHooks`."""

    def __init__(self, timeouts: Timeouts, report: TerminalReport) -> None:
        self._timeouts = timeouts
        self._report = report

    def outcome_of(self, running: RunningSession, config: pytest.Config, *, is_interrupted: bool) -> SessionOutcome:
        """Wait for the sender within limits, then return the counts and the state of the delivery."""
        tail = LedgerTail(running.folder.ledger)
        if running.is_sender_started:
            self._wait(tail, running, is_interrupted=is_interrupted)
        database = running.configuration.database
        if running.configuration.endpoint.is_embedded and tail.state.run and not database.exists():
            self._report.warn(f"{database} was deleted while the tests ran: its runs are lost")
        counts = tally_from(
            running.folder,
            tail.state,
            running.hooks.counts,
            modules=running.hooks.modules,
            skipped_modules=running.hooks.skipped_modules,
            is_each=getattr(config.option, "dist", "no") == "each",
            crashed=running.controller.failures.kept if running.controller is not None else (),
        )
        return self._outcome(counts, tail.state, running)

    def _wait(self, tail: LedgerTail, running: RunningSession, *, is_interrupted: bool) -> None:
        timeouts = self._timeouts
        if running.hooks.losses.records:
            # The END record is not on disk, so the sender learns of the end only when this process ends: waiting for
            # it as usual would take the whole time for nothing.
            timeouts = replace(timeouts, exit_progress=timeouts.exit_down)
        wait_for_sender(
            tail,
            timeouts,
            is_interrupted=is_interrupted,
            clock=Unpatched.counter,
            sleep=Unpatched.sleep,
            notify=self._report.write_wait,
        )

    def _outcome(self, counts: SessionCounts, state: LedgerState, running: RunningSession) -> SessionOutcome:
        is_never_ready = running.is_sender_started and not state.is_done and not state.is_ready
        return SessionOutcome(
            tally=counts,
            folder=str(running.folder.path),
            is_sent=running.is_sender_started,
            log=_last_lines(running) if is_never_ready else [],
            trouble=state.trouble or state.done.why,
            trouble_class=state.trouble_class,
            is_run_gone=state.is_run_gone,
            reasons=tuple(state.reasons),
            renamed=tuple(state.renamed.items()),
            unstored=state.unstored_reasons,
            findings=state.findings,
            report=state.report,
            joined_note=state.joined_note,
            ended=int(Unpatched.wall() * 1_000_000),
            losses=running.losses,
            leftovers=self._expire_old_sessions(running),
        )

    def _expire_old_sessions(self, running: RunningSession) -> LeftoverCounts:
        """Count the earlier sessions in the spool, and remove the old ones."""
        spool = running.configuration.spool
        if not has_other_folders(spool, running.folder):
            return LeftoverCounts()
        from pytest_automation_report.spool.sessions import expire_old_sessions  # noqa: PLC0415 - only with earlier sessions

        keep_days = running.configuration.keep_spool
        return expire_old_sessions(spool, running.folder, keep_days=keep_days, now=Unpatched.wall())


def _last_lines(running: RunningSession) -> list[str]:
    from pytest_automation_report.spool.log import Log  # noqa: PLC0415 - only if the sender never began

    return Log(running.folder.log).tail(3)
