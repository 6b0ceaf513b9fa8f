"""Run one session: its folder in the spool, the hooks that record into it, its sender, and the wait at its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.delivery.handover import RedactionSettings, SenderConfig
from pytest_automation_report.delivery.launch import LaunchError
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.session.collection import captured_files
from pytest_automation_report.session.run import create_session_folder, session_run
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, bytes_from, has_other_folders
from pytest_automation_report.spool.ledger import LEDGER_KINDS, LedgerState, TroubleRecord
from pytest_automation_report.spool.process import Process
from pytest_automation_report.spool.records import Decoder, EndRecord, PlanRecord
from pytest_automation_report.spool.removal import LeftoverCounts
from pytest_automation_report.spool.writer import WriteLosses
from pytest_automation_report.summary.counts import tally_from
from pytest_automation_report.summary.lines import SessionOutcome
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from pytest_automation_report.annotations.hooks import ArtifactFile
    from pytest_automation_report.delivery.handover import Timeouts
    from pytest_automation_report.delivery.launch import SenderProcess
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.session.terminal import TerminalReport
    from pytest_automation_report.session.xdist_hooks import ControllerHooks
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.folder import SessionFolder, SessionManifest
    from pytest_automation_report.text.redaction import TextCleaner


_REASONS: Final[Mapping[int, str]] = {
    0: "all tests passed",
    1: "tests failed",
    2: "interrupted",
    3: "internal error of pytest",
    4: "usage error",
    5: "no tests were run",
}


def start_session(setup: SessionSetup, config: pytest.Config, report: TerminalReport) -> RunningSession | None:
    """Create the session's folder in the spool; None, with a warning, if no folder can be written."""
    configuration = setup.configuration
    run, run_files, sharing = session_run(
        config, configuration, setup.options, report.user_errors, setup.facts.result()
    )
    report.run_key = sharing.key
    if sharing.warning:
        report.warn(sharing.warning)
    if configuration.run_id is None:
        configuration = report.configuration = configuration.changed(name=run.name)
    try:
        writable, folder, manifest = create_session_folder(setup, configuration, run, sharing)
    except SpoolError as error:
        report.warn(f"nothing can be reported: {error}")
        return None
    if writable.spool != configuration.spool:
        report.warn(f"{configuration.spool} cannot be written: results are kept in {writable.spool}")
    report.configuration = writable
    is_leading = config.pluginmanager.has_plugin("dsession")
    return RunningSession(setup, writable, folder, manifest, run_files, report, is_leading_workers=is_leading)


class RunningSession:
    """A session that has a folder in the spool; owned by `SessionHooks`.

    It records from its creation until `close`, which writes the records CLOSE and END. ``hooks`` record the tests of
    this process, or, with xdist, only what the controller itself reports; ``controller`` is None without xdist.
    """

    def __init__(
        self,
        setup: SessionSetup,
        configuration: Settings,
        folder: SessionFolder,
        manifest: SessionManifest,
        run_files: tuple[ArtifactFile, ...],
        report: TerminalReport,
        *,
        is_leading_workers: bool,
    ) -> None:
        self.configuration = configuration
        self.folder = folder
        self.controller: ControllerHooks | None = None
        self.is_sender_started = False
        self._setup = setup
        self._manifest = manifest
        self._run_files = run_files
        self._report = report
        self._is_leading_workers = is_leading_workers
        self._is_closed = False
        self._clock = Clock()
        worker = CONTROLLER if is_leading_workers else MAIN
        self._writer = folder.writer(worker)
        self.hooks = RuntestHooks(self._writer, setup.options, self._clock, worker, report.internal_errors)

    def record(self, session: pytest.Session) -> None:
        """Register the hooks that record the tests, of this process or of xdist's workers."""
        self.hooks.add_to_run(session, self._run_files)
        if self._is_leading_workers:
            self._record_workers(session.config)
        else:
            self.hooks.watch(session.config)

    def _record_workers(self, config: pytest.Config) -> None:
        from pytest_automation_report.session.xdist_hooks import ControllerHooks  # noqa: PLC0415 - only with xdist's workers

        dist = config.getoption("dist", "no")
        self.hooks.write(PlanRecord(dist == "each").framed())
        is_grouped = dist == "loadgroup"
        self.controller = ControllerHooks(
            self._setup, self.folder, self._clock, self._writer, self._report, is_grouped=is_grouped
        )
        config.pluginmanager.register(self.controller)

    def hand_over(self, sender: SenderProcess, pytest_config: pytest.Config) -> None:
        """Let the sender deliver this session."""
        setup, options = self._setup, self._setup.options
        assert setup.token is not None
        captured = tuple(captured_files(pytest_config))
        config = SenderConfig(
            folder=str(self.folder.path),
            endpoint=self.configuration.endpoint,
            token=setup.token,
            controller=os.getpid(),
            timeouts=setup.timeouts,
            store=setup.store,
            hiding=RedactionSettings(options.redact, options.secrets, options.redact_builtin),
            # The capture files of workers the sender opens by their CAPTURED records.
            captured=() if self._is_leading_workers or not options.keeps_output("error") else captured,
            epoch=self._clock.epoch,
        )
        try:
            sender.hand_over(config)
            self.is_sender_started = True
        except LaunchError as error:
            self._report.warn(f"the sender did not start: {error}")

    def close(self, session: pytest.Session | None, exitstatus: int, interruption: str) -> None:
        """Write the records CLOSE and END; a second call changes nothing.

        ``session`` is None if pytest stopped before the session's end. ``interruption`` is empty without one.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            # The files that a test has deleted; the store is not restored, since its content is lost.
            self.folder.restore(self._manifest)
        except OSError as error:
            self._report.warn(f"{self.folder.path} was deleted and cannot be created again: {error.strerror or error}")
        reason = interruption or _reason(session, exitstatus, self._setup.cleaner)
        # The workers that the controller records for close before END, which ends the session for the sender.
        self.hooks.close()
        if self.controller is not None:
            self.controller.close()
        self.hooks.write(EndRecord(reason, self._clock.now(), exitstatus).framed())
        self.hooks.shut()

    def outcome(self, config: pytest.Config, *, is_interrupted: bool) -> SessionOutcome:
        """Wait for the sender within limits, then return the counts and the state of the delivery."""
        tail = LedgerTail(self.folder.ledger)
        if self.is_sender_started:
            timeouts = self._setup.timeouts
            if self.hooks.losses.records:
                # The END record is not on disk, so the sender learns of the end only when this process ends: waiting
                # for it as usual would take the whole time for nothing.
                timeouts = replace(timeouts, exit_progress=timeouts.exit_down)
            wait_for_sender(
                tail,
                timeouts,
                is_interrupted=is_interrupted,
                clock=Unpatched.counter,
                sleep=Unpatched.sleep,
                notify=self._report.write_wait,
            )
        state, database = tail.state, self.configuration.database
        if self.configuration.endpoint.is_embedded and state.run and not database.exists():
            self._report.warn(f"{database} was deleted while the tests ran: its runs are lost")
        counts = tally_from(
            self.folder,
            state,
            self.hooks.counts,
            modules=self.hooks.modules,
            skipped_modules=self.hooks.skipped_modules,
            is_each=getattr(config.option, "dist", "no") == "each",
            prefix=self.hooks.prefix,
            crashed=self.controller.failures.kept if self.controller is not None else (),
        )
        of_workers = self.controller.losses if self.controller is not None else []
        is_never_ready = self.is_sender_started and not state.is_done and not state.is_ready
        return SessionOutcome(
            tally=counts,
            state=state,
            folder=str(self.folder.path),
            is_sent=self.is_sender_started,
            log=_log_lines(self.folder.log, 3) if is_never_ready else [],
            ended=int(Unpatched.wall() * 1_000_000),
            losses=WriteLosses.together((*of_workers, self.hooks.losses)),
            leftovers=self._expire_old_sessions(),
        )

    def _expire_old_sessions(self) -> LeftoverCounts:
        """Count the earlier sessions in the spool, and remove the old ones."""
        spool = self.configuration.spool
        if not has_other_folders(spool, self.folder):
            return LeftoverCounts()
        from pytest_automation_report.spool.sessions import expire_old_sessions  # noqa: PLC0415 - only with earlier sessions

        return expire_old_sessions(spool, self.folder, keep_days=self.configuration.keep_spool, now=Unpatched.wall())

    def unregister(self, config: pytest.Config) -> None:
        """Unregister the hooks, so that a later session of the same process does not call them."""
        for hooks in (self.hooks, self.controller):
            if hooks is not None and config.pluginmanager.is_registered(hooks):
                config.pluginmanager.unregister(hooks)


def _reason(session: pytest.Session | None, exitstatus: int, cleaner: TextCleaner) -> str:
    """Return the reason of the session's end, without secrets.

    Only a plugin's text is cleaned: the expression for `pass`, which our own texts contain, takes 5 ms to compile.
    """
    if session is None:
        return "pytest stopped before the session ended"
    stop = session.shouldfail or session.shouldstop
    text = _REASONS.get(exitstatus, "ended by a plugin")
    return f"{text}{f', {cleaner.string(stop)}' if isinstance(stop, str) else ''} (exit status {exitstatus})"


_QUIET_SECONDS: Final = 1.0
_MIN_PAUSE_SECONDS: Final = 0.002


class LedgerTail(Struct):
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


class _Notice(Struct):
    """The lines that show a user for what pytest waits: one about the results, one about the report."""

    notify: Callable[[float, str], None]
    longest: float
    # When the wait began, and when that for the results or for the report alone did.
    began: float
    _since: float = 0.0
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


class _Wait(Struct):
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
        from pytest_automation_report.spool.process import LAST_WORDS  # noqa: PLC0415 - only without a sender that is done

        lines = _log_lines(self.tail.path.with_name("sender.log"), 1)
        _, mark, last_words = lines[0].partition(LAST_WORDS) if lines else ("", "", "")
        why = f"{reason}: {last_words}" if mark else reason
        self.tail.state.apply(TroubleRecord(why, "dead"))


def _log_lines(path: Path, count: int) -> list[str]:
    from pytest_automation_report.spool.process import Log  # noqa: PLC0415 - only without a sender that is done

    return Log(path).tail(count)
