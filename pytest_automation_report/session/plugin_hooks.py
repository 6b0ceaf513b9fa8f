"""Hooks of pytest in the process that leads a session: start it, end it, show its summary."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import Ending, failure_limit
from pytest_automation_report.delivery.launch import LaunchError, SenderConfig
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.guards import Errors, Hooks, guarded
from pytest_automation_report.recording.phases import collection_record
from pytest_automation_report.session.collection import HISTORY_HOOKS, captured_files, is_counted, write_collected_ids
from pytest_automation_report.session.end import LedgerTail, TerminalReport, wait_for_sender
from pytest_automation_report.session.run import call_finished_hooks, create_session_folder, session_run
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks, is_usage_error_of_hook
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, SessionFolder, SessionManifest, remove_session
from pytest_automation_report.spool.records import DoneRecord, EndRecord, PlanRecord
from pytest_automation_report.spool.writer import WriteLosses
from pytest_automation_report.summary.counts import SessionOutcome, tally_from
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_automation_report.api.models import EndingState
    from pytest_automation_report.recording.hooks import ArtifactFile
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.session.xdist import ControllerHooks
    from pytest_automation_report.spool.sessions import LeftoverCounts


# Of these pytest ends with 1 alone if tests failed; others are a plugin's.
_NOT_OF_FAILURES: Final = frozenset({0, 2, 3, 4, 5})


def start_session(setup: SessionSetup, config: pytest.Config, report: TerminalReport) -> RunningSession | None:
    """Create the session's folder in the spool; None, with a warning, if no folder can be written."""
    settings = setup.settings
    run, files, sharing = session_run(config, settings, setup.options, report.user_errors, setup.facts.result())
    report.run_key = sharing.key
    if sharing.warning:
        report.warn(sharing.warning)
    if settings.run_id is None:
        settings = report.settings = settings.changed(name=run.name)
    try:
        writable, folder, manifest, reason = create_session_folder(setup, settings, run, sharing)
    except SpoolError as error:
        report.warn(f"nothing can be reported: {error}")
        return None
    if reason:
        report.warn(f"{reason}; results are kept in {writable.spool}")
    report.settings = writable
    clock, worker = Clock(), CONTROLLER if config.pluginmanager.has_plugin("dsession") else MAIN
    hooks = RuntestHooks(folder.writer(worker), setup.options, clock, worker, report.internal_errors)
    hooks.root = f"{config.rootpath}{os.sep}"
    return RunningSession(setup, folder, manifest, files, report, clock, hooks)


class RunningSession(Struct):
    """A session that has a folder in the spool, the hooks that record into it until `close`, and its sender.

    ``hooks`` record the tests of this process, or, with xdist, only what the controller itself reports; ``controller``
    is None without xdist.
    """

    setup: SessionSetup
    folder: SessionFolder
    manifest: SessionManifest
    run_files: tuple[ArtifactFile, ...]
    report: TerminalReport
    clock: Clock
    hooks: RuntestHooks
    controller: ControllerHooks | None = None
    is_sender_started: bool = False
    is_closed: bool = False
    has_failed: bool = False  # in collection
    unexplained_exit: int = 0  # pytest's exit status, if a plugin set it although pytest counted no failure

    def record(self, session: pytest.Session) -> None:
        """Register the hooks that record the tests, of this process or of xdist's workers."""
        if self.run_files:
            self.hooks.add_to_run(session, self.run_files)
        config = session.config
        if self.hooks.worker != CONTROLLER:
            self.hooks.watch(config)
            return
        from pytest_automation_report.session.xdist import ControllerHooks  # noqa: PLC0415 - only with xdist's workers

        dist, writer = config.getoption("dist", "no"), self.hooks.writer
        writer.write(PlanRecord(dist == "each").framed())
        self.controller = ControllerHooks(
            self.setup, self.folder, self.clock, writer, self.report, is_grouped=dist == "loadgroup"
        )
        config.pluginmanager.register(self.controller)

    def hand_over(self, pytest_config: pytest.Config) -> None:
        """Let the sender deliver this session, if there is one."""
        setup, options = self.setup, self.setup.options
        if setup.sender is None or setup.token is None:
            return
        captured = tuple(captured_files(pytest_config))
        config = SenderConfig(
            folder=str(self.folder.path),
            endpoint=self.report.settings.endpoint,
            token=setup.token,
            controller=os.getpid(),
            timeouts=setup.timeouts,
            store=setup.store,
            options=options,
            # The capture files of workers the sender opens by their CAPTURED records.
            captured=() if self.hooks.worker == CONTROLLER or options.output == "none" else captured,
            epoch=self.clock.epoch,
        )
        try:
            setup.sender.hand_over(config)
            self.is_sender_started = True
            if not setup.sender.is_independent:
                self.report.warn("the sender ends with pytest here: the system lets no process out of pytest's job")
        except LaunchError as error:
            self.report.warn(f"the sender did not start: {error}")

    def close(self, session: pytest.Session | None, exitstatus: int, interruption: Ending | None) -> None:
        """Write the records CLOSE and END, once; ``session`` is None if pytest stopped before the session's end."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            # The files that a test has deleted; the store is not restored, since its content is lost.
            self.folder.restore(self.manifest)
        except OSError as error:
            self.report.warn(f"{self.folder.path} was deleted and cannot be created again: {error.strerror or error}")
        self.unexplained_exit = self.unexplained(exitstatus)
        ending = self._ending(session, exitstatus)
        if interruption is not None:
            ending = replace(interruption, status=exitstatus, is_unexplained=ending.is_unexplained)
        # The workers that the controller records for close before END, which ends the session for the sender.
        self.hooks.close()
        if self.controller is not None:
            self.controller.close()
        self.hooks.writer.write(EndRecord(moment=self.clock.now(), ending=ending).framed())
        self.hooks.shut()

    def unexplained(self, exitstatus: int) -> int:
        """Return an exit status that no failure explains, 0 for others."""
        recorders = (self, self.hooks, self.controller)
        has_failed = any(each is not None and each.has_failed for each in recorders)
        return 0 if has_failed or exitstatus in _NOT_OF_FAILURES else exitstatus

    def _ending(self, session: pytest.Session | None, exitstatus: int) -> Ending:
        """Return how pytest ended by itself."""
        is_unexplained = bool(self.unexplained_exit)
        if session is None:
            return Ending("left", exitstatus, is_unexplained=is_unexplained)
        stop = session.shouldfail or session.shouldstop
        # A plugin's text alone is cleaned: the expression for `pass`, which ours contain, takes 5 ms to compile.
        text = self.setup.cleaner.string(stop) if isinstance(stop, str) else ""
        return Ending("ended", exitstatus, is_unexplained=is_unexplained, limit=failure_limit(text), text=text)

    def outcome(self, config: pytest.Config, *, is_interrupted: bool) -> SessionOutcome:
        """Wait for the sender within limits, then return the counts and the state of the delivery."""
        tail, state = LedgerTail(self.folder.ledger), DoneRecord()
        if self.is_sender_started:
            timeouts = self.setup.timeouts
            if self.hooks.writer.losses.records:
                # The END record is not on disk, so the sender learns of the end only when this process ends: waiting
                # for it as usual would take the whole time for nothing.
                timeouts = replace(timeouts, exit_progress=timeouts.exit_down)
            if self.setup.sender is not None and not self.setup.sender.is_independent:
                timeouts = replace(timeouts, exit_progress=timeouts.exit_all)
            state = wait_for_sender(tail, timeouts, self.report.write_wait, is_interrupted=is_interrupted)
        database = self.report.settings.database
        if self.report.settings.endpoint.is_embedded and state.run and not database.exists():
            self.report.warn(f"{database} was deleted while the tests ran: its runs are lost")
        counts = tally_from(
            self.folder,
            state,
            self.hooks.counts,
            modules=self.hooks.modules,
            skipped_modules=self.hooks.skipped_modules,
            is_each=getattr(config.option, "dist", "no") == "each",
            prefix=self.setup.options.prefix,
            crashed=self.controller.failures.kept if self.controller is not None else (),
        )
        of_workers = self.controller.losses if self.controller is not None else []
        is_never_ready = self.is_sender_started and tail.done is None and not tail.sender_pid
        log: list[str] = []
        if is_never_ready:
            from pytest_automation_report.spool.log import Log  # noqa: PLC0415 - only without the ledger's end

            log = Log(self.folder.log).tail(3)
        return SessionOutcome(
            tally=counts,
            state=state,
            folder=str(self.folder.path),
            is_sent=self.is_sender_started,
            findings=tail.findings,
            report=tail.report,
            log=log,
            ended=int(Unpatched.wall() * 1_000_000),
            losses=WriteLosses.together((*of_workers, self.hooks.writer.losses)),
            leftovers=self._leftovers(),
            unexplained_exit=self.unexplained_exit,
        )

    def _leftovers(self) -> LeftoverCounts | None:
        """Count the other sessions in the spool, and remove those that are too old; None without others."""
        spool, keep_days = self.report.settings.spool, self.report.settings.keep_spool
        with suppress(OSError):  # then the search for them tells what is wrong
            if {*os.listdir(spool)} <= {self.folder.path.name, ".gitignore"}:  # noqa: PTH208 - names alone
                return None
        from pytest_automation_report.spool.sessions import expire_old_sessions  # noqa: PLC0415 - few find others

        return expire_old_sessions(spool, self.folder, keep_days=keep_days, now=Unpatched.wall())

    def unregister(self, config: pytest.Config) -> None:
        """Unregister the hooks, so that a later session of the same process does not call them."""
        for hooks in (self.hooks, self.controller):
            if hooks is not None and config.pluginmanager.is_registered(hooks):
                config.pluginmanager.unregister(hooks)


def _sets_exit_late(config: pytest.Config) -> bool:
    """Whether a hook of another plugin, which runs behind ours, has to do with the session's exit status."""
    wrappers = [each for each in config.hook.pytest_sessionfinish.get_hookimpls() if each.wrapper or each.hookwrapper]
    functions = [each.function for each in (*wrappers, *config.hook.pytest_terminal_summary.get_hookimpls())]
    foreign = [
        each for each in functions if not str(each.__module__).startswith(("_pytest.", "pytest_automation_report."))
    ]
    return any("exitstatus" in getattr(getattr(each, "__code__", None), "co_names", ()) for each in foreign)


STRICT_EXIT_STATUS: Final = 11  # pytest's own are 0 to 5


class SessionHooks(Hooks):
    """Hooks of the process that leads a session: the only one, or the controller of xdist's workers.

    One session's life::

        pytest_configure           SessionSetup exists: settings are resolved, nothing is written; the sender starts
          pytest_sessionstart      RunningSession exists: folder in the spool, hooks that record; the sender gets it
            (tests run)            `RuntestHooks`, or `ControllerHooks` with xdist
          pytest_sessionfinish     RunningSession is closed, it waits for the sender and counts: the outcome
          pytest_terminal_summary  TerminalReport shows the outcome
        pytest_unconfigure         catches up on closing and showing, removes a folder that is delivered

    """

    def __init__(self, setup: SessionSetup, config: pytest.Config, internal_errors: Errors) -> None:
        self.internal_errors = internal_errors
        self._setup = setup
        self._report = TerminalReport(config, setup, self.internal_errors)
        # None until the session starts, and if no spool can be written.
        self._running: RunningSession | None = None
        # Node ids of the modules that were reported: with xdist each worker collects all of them.
        self._uncollected: set[str] = set()
        self._interruption: Ending | None = None  # how pytest ended the session early
        # Only Ctrl-C makes the wait at the end shorter: its user is at the keyboard.
        self._is_interrupted = False
        self._getpid, self._pid = os.getpid, os.getpid()
        self._session: pytest.Session | None = None
        self._has_started = False
        self._is_postponed = False

    @guarded
    def pytest_report_header(self) -> str:
        """Return the line with the target of the results."""
        return self._report.header()

    # tryfirst: the spool exists before other plugins' hooks run, and before xdist starts its workers (trylast).
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Create the session's folder in the spool, register the hooks that record, and hand over to the sender."""
        self._has_started = True
        try:
            # Set at once: if a later step fails, the session is still closed and shown at its end.
            self._running = start_session(self._setup, session.config, self._report)
            history = session.config.pluginmanager.get_plugin(HISTORY_HOOKS)
            if history is not None and self._setup.settings.shard is not None:
                history.begin(self._running and self._running.manifest)
            if self._running is not None:
                self._running.record(session)
                self._running.hand_over(session.config)
        finally:
            # Tests must not find a child or a pipe of ours, also if there is no session to hand over.
            self._setup.close_sender()

    # trylast: other plugins deselect tests before, and a deselected test does not count as not run.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the node ids of all tests, if those that are not run are to be reported."""
        running = self._running
        # With xdist only workers collect; `ControllerHooks` writes the ids that the first of them sends.
        if self._setup.options.report_not_run and running is not None and running.controller is None:
            write_collected_ids(running.folder, [item.nodeid for item in session.items])

    @guarded
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a module that could not be collected, or that skipped itself."""
        if report.passed or self._running is None or report.nodeid in self._uncollected:
            return
        self._running.has_failed |= is_counted(report)
        self._uncollected.add(report.nodeid)
        self._running.hooks.write_module_result(collection_record(report, self._setup.options))

    @guarded
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note the reason for which the session is interrupted."""
        if issubclass(excinfo.type, pytest.exit.Exception):
            self._interruption = self._ended_by("exit", "ended by pytest.exit: ", excinfo)
            if self._running is not None and self._running.controller is not None:
                self._running.hooks.pytest_keyboard_interrupt(excinfo)
        elif type(excinfo.value) is KeyboardInterrupt:
            self._interruption, self._is_interrupted = Ending("interrupted"), True
        elif str(excinfo.value).endswith("received keyboard-interrupt"):
            # xdist's words for a worker that ended so; which of the two it was, only the worker knows.
            self._interruption = Ending("interrupted in a worker")
        else:
            # pytest and xdist stop by exceptions derived from it: too many failures, errors in collection.
            self._interruption = self._ended_by("stopped", "stopped: ", excinfo)

    @guarded
    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note an error in the controller of workers, whose hooks for tests are not registered."""
        if self._running is not None and self._running.controller is not None:
            self._running.hooks.pytest_internalerror(excinfo)

    def _ended_by(self, state: EndingState, words: str, excinfo: pytest.ExceptionInfo[BaseException]) -> Ending:
        text = self._setup.cleaner.string(f"{words}{excinfo.value}").removeprefix(words)
        return Ending(state, limit=failure_limit(text) if state == "stopped" else None, text=text)

    # The innermost wrapper: all plain hooks have run, which may still add to the run, write the JUnit XML that
    # `compare_junit` reads, or set the exit status; pytest's summary comes behind it.
    @pytest.hookimpl(wrapper=True, trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the session, wait for the sender within limits, and set the exit status of ``strict``.

        In a session whose plugins may set the exit status later it is done when pytest ends, behind pytest's summary.
        """
        self._session = session
        result = yield
        self._is_postponed = _sets_exit_late(session.config)
        if not (self._is_forked or self._is_postponed):
            self._finish(session)
        return result

    def _finish(self, session: pytest.Session) -> None:
        try:
            if self._running is not None:
                self._running.close(session, int(session.exitstatus), self._interruption)
                outcome = self._running.outcome(session.config, is_interrupted=self._is_interrupted)
                self._report.outcome = outcome
                self._report.replace_summary(outcome, has_failed=session.testsfailed > 0)
                call_finished_hooks(session.config, outcome, self._report.settings, self._report.user_errors)
                self._report.show_on_ci_page(outcome)
        finally:
            # Also if an error of this package kept it from counting: then the delivery is not confirmed.
            is_whole = self._report.outcome is not None and self._report.outcome.is_whole
            settings = self._setup.settings
            if settings.strict and not is_whole and int(session.exitstatus) == 0:
                session.exitstatus, origin = STRICT_EXIT_STATUS, settings.origins.get("strict", "strict")
                error = (
                    f"exit status {STRICT_EXIT_STATUS}: no test failed, but not all results were delivered ({origin})"
                )
                self._report.strict_error = error

    @guarded
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show in pytest's summary the numbers of delivered results, the run, and the next step for the rest."""
        if self._is_forked or self._is_postponed:
            return
        if self._running is not None:
            self._report.compare(self._running.folder)
        # Workers report tests that pytest does not count any more once it is interrupted.
        self._report.write_summary(terminalreporter, {} if self._interruption else terminalreporter.stats)

    @guarded
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Close and show a session that pytest did not finish; remove its folder if all is delivered."""
        if self._is_forked:
            return
        if self._session is not None and self._is_postponed:
            self._finish(self._session)
        # On its way through pytest, which calls no hook for it.
        is_misused = self._session is None and is_usage_error_of_hook(sys.exc_info()[1])
        if is_misused and not self._has_started:  # in `pytest_configure`: the session is reported all the same
            self._running = start_session(self._setup, config, self._report)
            if self._running is not None:
                self._running.hand_over(config)
        self._setup.close_sender()
        self._setup.facts.close()
        running, outcome = self._running, self._report.outcome
        if running is not None:
            no_session = int(pytest.ExitCode.USAGE_ERROR) if is_misused else 0
            exitstatus = no_session if self._session is None else int(self._session.exitstatus)
            is_late = running.is_closed and not running.unexplained_exit and not self._report.strict_error
            if is_late and running.unexplained(exitstatus):
                self._report.write_late(exitstatus)
            running.close(None, exitstatus, self._interruption)
            self._report.compare(running.folder)
        self._report.write_to_streams()
        if running is not None:
            self._report.write_html(running.folder)
            if outcome is not None and outcome.is_removable:
                remove_session(running.folder.path, is_own=True)
            running.unregister(config)

    @property
    def _is_forked(self) -> bool:
        """Whether this is a child that a test forked and that ran on to the session's end, which is its parent's."""
        return self._getpid() != self._pid
