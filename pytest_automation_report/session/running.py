"""Run one session: its folder in the spool, the hooks that record into it, and its sender."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pytest_automation_report.delivery.handover import RedactionSettings, SenderConfig
from pytest_automation_report.delivery.launch import LaunchError
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.session.collection import captured_files
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks
from pytest_automation_report.session.session_folder import create_session_folder
from pytest_automation_report.session.session_run import session_run
from pytest_automation_report.spool.folder import CONTROLLER, MAIN
from pytest_automation_report.spool.record_kinds import EndRecord, PlanRecord
from pytest_automation_report.spool.writer import WriteLosses

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_automation_report.annotations.hooks import ArtifactFile
    from pytest_automation_report.delivery.launch import SenderProcess
    from pytest_automation_report.session.setup import SessionSetup
    from pytest_automation_report.session.terminal import TerminalReport
    from pytest_automation_report.session.xdist_hooks import ControllerHooks
    from pytest_automation_report.settings.settings import Settings
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.manifest import SessionManifest
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
        writable, folder, manifest = create_session_folder(
            configuration, run, setup.options, sharing, setup.environ, name=setup.name, is_followed=setup.is_sending
        )
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
        self._restore_folder()
        reason = interruption or _reason(session, exitstatus, self._setup.cleaner)
        # The workers that the controller records for close before END, which ends the session for the sender.
        self.hooks.close()
        if self.controller is not None:
            self.controller.close()
        self.hooks.write(EndRecord(reason, self._clock.now(), exitstatus).framed())
        self.hooks.shut()

    @property
    def losses(self) -> WriteLosses:
        """The records that the disk refused, of this process and of xdist's workers."""
        of_workers = self.controller.losses if self.controller is not None else []
        return WriteLosses.together((*of_workers, self.hooks.losses))

    def unregister(self, config: pytest.Config) -> None:
        """Unregister the hooks, so that a later session of the same process does not call them."""
        for hooks in (self.hooks, self.controller):
            if hooks is not None and config.pluginmanager.is_registered(hooks):
                config.pluginmanager.unregister(hooks)

    def _restore_folder(self) -> None:
        """Create again the files that a test has deleted; the store is not restored, since its content is lost."""
        try:
            self.folder.restore(self._manifest)
        except OSError as error:
            self._report.warn(f"{self.folder.path} was deleted and cannot be created again: {error.strerror or error}")


def _reason(session: pytest.Session | None, exitstatus: int, cleaner: TextCleaner) -> str:
    """Return the reason of the session's end, without secrets.

    Only a plugin's text is cleaned: the expression for `pass`, which our own texts contain, takes 5 ms to compile.
    """
    if session is None:
        return "pytest stopped before the session ended"
    stop = session.shouldfail or session.shouldstop
    text = _REASONS.get(exitstatus, "ended by a plugin")
    return f"{text}{f', {cleaner.string(stop)}' if isinstance(stop, str) else ''} (exit status {exitstatus})"
