"""End a session: wait for the sender within limits, count the results, find older sessions that were not delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.spool.folder import bytes_from, has_other_folders
from pytest_automation_report.spool.ledger import LedgerState
from pytest_automation_report.spool.ledger_records import LEDGER_KINDS, TroubleRecord
from pytest_automation_report.spool.liveness import Process
from pytest_automation_report.spool.records import Decoder
from pytest_automation_report.spool.removal import LeftoverCounts
from pytest_automation_report.summary.counts import SessionCounts, tally_from
from pytest_automation_report.summary.lines import SessionOutcome
from pytest_automation_report.unpatched import Unpatched
from pytest_automation_report.values import MutableValue, field, replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from pytest_automation_report.delivery.handover import Timeouts
    from pytest_automation_report.session.running import RunningSession
    from pytest_automation_report.session.terminal import TerminalReport


_QUIET_SECONDS: Final = 1.0
_MIN_PAUSE_SECONDS: Final = 0.002


class LedgerTail(MutableValue):
    """The state of a ledger that another process writes; `read` applies its new records."""

    path: Path
    state: LedgerState = field(default_factory=LedgerState)
    _decoder: Decoder = field(default_factory=lambda: Decoder(LEDGER_KINDS))
    _read: int = 0

    def read(self) -> bool:
        """Apply the new records; return whether there were any."""
        try:
            if self.path.stat().st_size <= self._read:
                return False
        except FileNotFoundError:
            return False
        is_new = False
        for piece in bytes_from(self.path, self._read):
            self._read += len(piece)
            for positioned in self._decoder.feed(piece):
                self.state.apply(positioned.record)
                is_new = True
        return is_new


def wait_for_sender(
    tail: LedgerTail,
    timeouts: Timeouts,
    *,
    is_interrupted: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    notify: Callable[[float, str], None],
) -> None:
    """Return when the sender is done, has died, or a time limit has passed.

    If the sender has died or never became ready, the state gets a warning. A further Ctrl-C ends the wait. ``notify``
    is called after a second, and again when only the report is awaited for a second: with the longest time in seconds
    that the wait goes on, and the path of the report, "" while results are awaited.

    The limits also hold with a clock that stands still: then the pauses between the looks count.
    """
    longest = timeouts.exit_interrupted if is_interrupted else timeouts.exit_all
    began = now = clock()
    wait = _Wait(tail, timeouts, longest, began=began, progress_at=began)
    notice = _Notice(notify, longest, began)
    try:
        while wait.look(now):
            notice.update(tail.state, now)
            pause = _pause(now - began, timeouts.poll)
            sleep(pause)
            now = max(clock(), now + pause)
    except KeyboardInterrupt:
        return
    finally:
        wait.close()


class _Notice(MutableValue):
    """The lines that show a user for what pytest waits: one about the results, one about the report."""

    notify: Callable[[float, str], None]
    longest: float
    # When the wait began, and when that for the results or for the report alone did.
    began: float
    _since: float = field(init=False)
    _report: str = ""
    _is_shown: bool = False

    def __post_init__(self) -> None:
        self._since = self.began

    def update(self, state: LedgerState, now: float) -> None:
        """Show a line if its wait takes a second."""
        report = state.report.file if state.report is not None and state.is_reporting else ""
        if report != self._report:
            self._report, self._since, self._is_shown = report, now, False
        if not self._is_shown and now - self._since >= _QUIET_SECONDS:
            self._is_shown = True
            self.notify(self.longest - (now - self.began if report else 0), report)


def _pause(waited: float, poll: float) -> float:
    """Return the seconds until the next look at the ledger: a sixteenth of the wait so far, half a poll at most.

    So pytest sees the last record of a short delivery 3 ms after the sender wrote it, and a long wait costs little.
    """
    return min(poll / 2, max(_MIN_PAUSE_SECONDS, waited / 16))


class _Wait(MutableValue):
    """One wait for the sender: its limits and the progress so far; owned by `wait_for_sender`.

    A wait is over by the first of these conditions, asked in this order at each look:

    1. the sender is done;
    2. the longest wait is over (shorter after Ctrl-C, for which a user wants the prompt back);
    3. the sender has died;
    4. no response arrived for `exit_progress` seconds;
    5. the server is down, and `exit_down` seconds are over: more seconds would not help.
    """

    tail: LedgerTail
    timeouts: Timeouts
    longest: float
    began: float
    progress_at: float
    # Responses in the ledger at the last progress: more of them are progress.
    responses: int = 0
    # None until the ledger has its process id, so a death before that cannot be noticed.
    sender: Process | None = None

    def look(self, now: float) -> bool:
        """Read the ledger; return whether to wait on."""
        # Asked before the read: records that the sender wrote just before it ended are then read below.
        is_gone = self.sender is not None and not self.sender.is_alive()
        self.tail.read()
        state = self.tail.state
        if state.is_done or now - self.began >= self.longest:
            return False
        if is_gone:
            self._warn(f"the sender (process {state.sender_pid}) has died")
            return False
        self._note_progress(now)
        if self._is_useless(now):
            if not state.is_ready:
                self._warn("the sender did not become ready")
            return False
        return True

    def close(self) -> None:
        """Release the sender's process descriptor."""
        if self.sender is not None:
            self.sender.close()

    def _note_progress(self, now: float) -> None:
        """Note a response of the server, work on the report, or the sender's start, which a busy machine delays."""
        state = self.tail.state
        if self.sender is None and state.is_ready:
            self.sender = Process(state.sender_pid)
            self.progress_at = now
        if state.answers != self.responses:
            self.responses, self.progress_at = state.answers, now
        if state.is_reporting:
            self.progress_at = now  # all is delivered, so no more responses arrive: `longest` alone ends the wait

    def _is_useless(self, now: float) -> bool:
        """Whether nothing suggests that more time would bring the sender further."""
        is_down = self.tail.state.trouble_class in {"again", "unknown"}
        is_stuck = now - self.progress_at >= self.timeouts.exit_progress
        return is_stuck or (is_down and now - self.began >= self.timeouts.exit_down)

    def _warn(self, reason: str) -> None:
        """Add a warning to the state, with the reason that the sender logged before it died, if it could."""
        from pytest_automation_report.spool.log import LAST_WORDS, Log  # noqa: PLC0415 - only without a sender that is done

        lines = Log(self.tail.path.with_name("sender.log")).tail(1)
        _, mark, last_words = lines[0].partition(LAST_WORDS) if lines else ("", "", "")
        why = f"{reason}: {last_words}" if mark else reason
        self.tail.state.apply(TroubleRecord(why, "dead"))


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
            prefix=running.hooks.prefix,
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
            state=state,
            folder=str(running.folder.path),
            is_sent=running.is_sender_started,
            log=_last_lines(running) if is_never_ready else [],
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
