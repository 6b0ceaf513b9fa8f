"""Hooks of pytest in the process that leads a session: start it, end it, show its summary."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from pytest_automation_report.guards import Hooks, InternalErrors, guarded
from pytest_automation_report.recording.results import collection_record
from pytest_automation_report.session.collection import write_collected_ids
from pytest_automation_report.session.run import call_finished_hooks
from pytest_automation_report.session.running import RunningSession, start_session
from pytest_automation_report.session.terminal import TerminalReport

if TYPE_CHECKING:
    from pytest_automation_report.delivery.launch import SenderProcess
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.spool.folder import SessionFolder

STRICT_EXIT_STATUS: Final = 11


class SessionHooks(Hooks):
    """Hooks of the process that leads a session: the only one, or the controller of xdist's workers.

    One session's life, by the hook that pytest calls::

        pytest_configure           SessionSetup exists: settings are resolved, nothing is written; the sender starts
          pytest_sessionstart      RunningSession exists: folder in the spool, hooks that record; the sender gets it
            (tests run)            `RuntestHooks`, or `ControllerHooks` with xdist
          pytest_sessionfinish     RunningSession is closed, it waits for the sender and counts: the outcome
          pytest_terminal_summary  TerminalReport shows the outcome
        pytest_unconfigure         catches up on closing and showing, removes a folder that is delivered

    pytest calls `pytest_unconfigure` also if it stopped before, so everything that may happen there and earlier happens
    once.
    """

    def __init__(
        self, setup: SessionSetup, config: pytest.Config, sender: SenderProcess | None, internal_errors: InternalErrors
    ) -> None:
        self.internal_errors = internal_errors
        self._setup = setup
        self._sender = sender
        self._report = TerminalReport(config, setup, self.internal_errors)
        # None until the session starts, and if no spool can be written.
        self._running: RunningSession | None = None
        # Node ids of the modules that were reported: with xdist each worker collects all of them.
        self._uncollected: set[str] = set()
        # The reason for which pytest ended the session early, empty without one.
        self._interruption = ""
        # Only Ctrl-C makes the wait at the end shorter: its user is at the keyboard.
        self._is_interrupted = False
        self._getpid, self._pid = os.getpid, os.getpid()

    @guarded
    def pytest_report_header(self) -> str:
        """Return the line with the target of the results."""
        return self._report.header()

    # tryfirst: the spool exists before other plugins' hooks run, and before xdist starts its workers (trylast).
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Create the session's folder in the spool, register the hooks that record, and hand over to the sender."""
        try:
            # Set at once: if a later step fails, the session is still closed and shown at its end.
            self._running = start_session(self._setup, session.config, self._report)
            if self._running is not None:
                self._running.record(session)
                if self._sender is not None:
                    self._running.hand_over(self._sender, session.config)
        finally:
            # Tests must not find a child or a pipe of ours, also if there is no session to hand over.
            self._close_sender()

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
        self._uncollected.add(report.nodeid)
        result = collection_record(report, self._setup.options)
        if result is not None:
            self._running.hooks.write_module_result(result)

    @guarded
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note the reason for which the session is interrupted."""
        cleaner = self._setup.cleaner
        if issubclass(excinfo.type, pytest.exit.Exception):
            self._interruption = cleaner.string(f"ended by pytest.exit: {excinfo.value}")
        elif type(excinfo.value) is KeyboardInterrupt:
            self._interruption, self._is_interrupted = "interrupted by Ctrl-C", True
        elif str(excinfo.value).endswith("received keyboard-interrupt"):
            # xdist's words for a worker that ended so; which of the two it was, only the worker knows.
            self._interruption = "interrupted by Ctrl-C or pytest.exit in a worker"
        else:
            # pytest and xdist stop by exceptions derived from it: too many failures, errors in collection.
            self._interruption = cleaner.string(f"stopped: {excinfo.value}")

    # trylast: other plugins' hooks at the session's end may still add to the run, or write the JUnit XML that
    # `compare_junit` reads.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """Close the session, wait for the sender within limits, and set the exit status of ``strict``."""
        if self._is_forked:
            return
        try:
            self._finish(session, int(exitstatus))
        finally:
            # Also if an error of this package kept it from counting: then the delivery is not confirmed.
            outcome = self._report.outcome
            is_whole = outcome is not None and outcome.is_whole
            if self._setup.configuration.strict and not is_whole and int(exitstatus) == 0:
                session.exitstatus = STRICT_EXIT_STATUS
                self._report.explain_strict(STRICT_EXIT_STATUS)

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._running is None:
            return
        self._running.close(session, exitstatus, self._interruption)
        outcome = self._running.outcome(session.config, is_interrupted=self._is_interrupted)
        self._report.outcome = outcome
        call_finished_hooks(session.config, outcome, self._running.configuration, self._report.user_errors)
        self._report.show_on_ci_page(outcome)

    @guarded
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show in pytest's summary the numbers of delivered results, the run, and the next step for the rest."""
        if self._is_forked:
            return
        self._report.compare(self._folder)
        self._report.write_summary(terminalreporter)

    @guarded
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Close and show a session that pytest did not finish; remove its folder if all is delivered."""
        if self._is_forked:
            return
        self._close_sender()
        self._setup.facts.close()
        running, outcome = self._running, self._report.outcome
        if running is not None:
            running.close(None, 0, self._interruption)
        self._report.compare(self._folder)
        self._report.write_to_streams()
        if running is not None:
            self._report.write_html(running.folder)
            if outcome is not None and outcome.is_removable:
                running.folder.remove()
            running.unregister(config)

    def _close_sender(self) -> None:
        if self._sender is not None:
            self._sender.close()

    @property
    def _folder(self) -> SessionFolder | None:
        return self._running.folder if self._running is not None else None

    @property
    def _is_forked(self) -> bool:
        """Whether this is a child that a test forked and that ran on to the session's end, which is its parent's."""
        return self._getpid() != self._pid
