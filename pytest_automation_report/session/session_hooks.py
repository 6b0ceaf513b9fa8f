"""One reported session: pytest's hooks wired to spool, sender and summary, in the process that leads it."""

from __future__ import annotations

import functools
import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.api.models import Token
from pytest_automation_report.delivery.handover import RedactionSettings, SenderConfig, timeouts_from
from pytest_automation_report.delivery.launch import LaunchError, start_sender
from pytest_automation_report.errors import UNLOADED, SpoolError
from pytest_automation_report.recording.options import cleaner_for
from pytest_automation_report.recording.synthetic_results import collection_test
from pytest_automation_report.session.run_hook_calls import tell_finished
from pytest_automation_report.session.runtest_hooks import (
    LOSSES,
    UNREPORTED,
    Clock,
    InternalErrors,
    RuntestHooks,
    captured_files,
    guarded,
    write_names,
)
from pytest_automation_report.session.start import create_session_folder, session_configuration, session_run
from pytest_automation_report.session.terminal import TerminalReport
from pytest_automation_report.session.waiting import LedgerTail, wait_for_sender
from pytest_automation_report.settings.artifact_store import artifact_store, files_template
from pytest_automation_report.settings.configuration import token_for
from pytest_automation_report.settings.run import recording_options
from pytest_automation_report.settings.token import secrets_from
from pytest_automation_report.spool.folder import CONTROLLER, MAIN, SessionFolder
from pytest_automation_report.spool.log import Log
from pytest_automation_report.spool.records import plain_record
from pytest_automation_report.spool.sessions import expire_old_sessions
from pytest_automation_report.spool.writer import WriteLosses
from pytest_automation_report.summary.counts import SessionCounts, tally_from
from pytest_automation_report.summary.lines import SessionOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_automation_report.annotations.hook_values import ArtifactFile
    from pytest_automation_report.api.models import ArtifactStoreConfig
    from pytest_automation_report.delivery.handover import Timeouts
    from pytest_automation_report.session.xdist_hooks import ControllerHooks
    from pytest_automation_report.settings.configuration import Configuration
    from pytest_automation_report.spool.manifest import SessionManifest

STRICT_EXIT_STATUS: Final = 11

_REMOTE_ANNOTATIONS: Final = (
    "annotations of tests on other hosts are not reported: these results are without their fields, artifacts and steps"
)

_ENDINGS: Final[Mapping[int, str]] = {
    0: "all tests passed",
    1: "tests failed",
    2: "interrupted",
    3: "internal error of pytest",
    4: "usage error",
    5: "no tests were run",
}


def reporting_for(config: pytest.Config, environ: Mapping[str, str], trouble: str = "") -> SessionHooks:
    """Return the reporting of this session; raises `SettingError` for what the user typed wrong.

    ``trouble`` is what the summary is to tell besides.
    """
    configuration = session_configuration(config, environ)
    configuration, token = token_for(configuration, environ)
    secrets = secrets_from(environ, token, is_builtin=configuration.redact_builtin)
    if configuration.endpoint.is_embedded:
        token = Token("embedded")  # the embedded server, mounted in the sender, asks for the token it was given
    store, told = artifact_store(configuration, environ, config.rootpath)
    trouble = trouble or told
    if configuration.preflight:
        _check_before(configuration, token)
    if token is not None and not configuration.endpoint.is_embedded and configuration.is_sendable:
        _remember(configuration, token, environ, config.rootpath)
    if trouble:
        configuration = replace(configuration, warnings=(trouble, *configuration.warnings))
    timeouts = timeouts_from(environ, exit_all=configuration.exit_wait)
    return SessionHooks(configuration, token, timeouts, config, secrets=secrets, environ=environ, store=store)


def _remember(configuration: Configuration, token: Token, environ: Mapping[str, str], root: Path) -> None:
    """Note which address the token is used for: the console command sends it there from now on."""
    from pytest_automation_report.settings.known_addresses import (  # noqa: PLC0415 - only for servers elsewhere
        KnownAddresses,
        certificates_digest,
    )

    is_set = "ca_file" in configuration.origins and configuration.url.startswith("https:")
    # Without a digest the console command asks whether the certificates are right; the session needs none.
    with suppress(OSError):
        digest = certificates_digest(configuration.ca_file if is_set else "")
        KnownAddresses(environ, root).remember(configuration.url, token, digest)


def _check_before(configuration: Configuration, token: Token | None) -> None:
    """Raise `pytest.UsageError` when results cannot be sent; without a token they are to be sent later."""
    from pytest_automation_report.checks.preflight import preflight_checks  # noqa: PLC0415 - only where asked for

    origin = configuration.origins.get("preflight", "preflight")
    if configuration.blocking_error:
        raise pytest.UsageError(f"{origin}: results cannot be sent: {configuration.blocking_error}")
    if token is None:
        return
    failed = [each.line for each in preflight_checks(configuration.endpoint, token) if each.state == "failed"]
    if failed:
        where = configuration.url or configuration.database
        raise pytest.UsageError(f"{origin}: {where} cannot be used: {'; '.join(failed)}")


class SessionHooks:
    """Hooks of the process that leads a session: the only one, or the controller of xdist's workers."""

    def __init__(
        self,
        configuration: Configuration,
        token: Token | None,
        timeouts: Timeouts,
        config: pytest.Config,
        *,
        secrets: tuple[str, ...],
        environ: Mapping[str, str],
        store: ArtifactStoreConfig | None = None,
    ) -> None:
        self.faults = InternalErrors()
        self._configuration = configuration
        self._token = token
        self._limits = timeouts
        self._environ = dict(environ)  # as it is before tests change it
        self._session: SessionManifest | None = None
        self._sleep, self._monotonic, self._wall = time.sleep, time.monotonic, time.time
        self._getpid, self._pid = os.getpid, os.getpid()
        prefix = str(getattr(config.option, "junitprefix", None) or "")
        template = files_template(configuration, environ, config.rootpath)
        self._store = store
        self._rules = recording_options(configuration, prefix, secrets, artifact_url=template)
        self._cleaner = cleaner_for(self._rules)
        self._report = TerminalReport(config, self._environ, self._cleaner, self.faults)
        self._troubles = self._report.troubles
        self._troubles += configuration.warnings
        self._clock = Clock()
        self._folder: SessionFolder | None = None
        self._recording: RuntestHooks | None = None
        self._remote: ControllerHooks | None = None
        self._losses: list[WriteLosses] = []
        self._uncollected: set[str] = set()
        self._is_started = False
        self._is_ended = False
        self._interruption = ""
        self._key = ""
        self._run_files: tuple[ArtifactFile, ...] = ()

    def pytest_report_header(self) -> str:
        """Say where results go."""
        return self._report.header(self._configuration, self._key)

    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Make the session's spool and start its sender, before anything of the session runs."""
        self._begin(session.config)
        if self._folder is None:
            return
        is_leading = session.config.pluginmanager.has_plugin("dsession")
        worker = CONTROLLER if is_leading else MAIN
        writer = self._folder.writer(worker)
        self._recording = RuntestHooks(writer, self._rules, self._clock, worker, self.faults)
        self._recording.add_to_run(session, self._run_files)
        if is_leading:
            from pytest_automation_report.session.xdist_hooks import ControllerHooks  # noqa: PLC0415 - only with xdist's workers

            dist = session.config.getoption("dist", "no")
            self._recording.write(plain_record("plan", each=dist == "each"))
            self._remote = ControllerHooks(
                self._folder,
                self._rules,
                self._clock,
                self.faults,
                writer,
                is_grouped=dist == "loadgroup",
            )
            session.config.pluginmanager.register(self._remote)
        else:
            session.config.pluginmanager.register(self._recording)
            self._recording.watch(session.config)
        self._start_sender(session.config)

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Tell an xdist worker where to write."""
        if self._folder is not None:
            node.workerinput["automation_report"] = {
                "folder": str(self._folder.path),
                "rules": self._rules.to_json(),
                "token_file": self._configuration.token_file,
                "epoch": self._clock.epoch,
            }

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Take what a worker could not write to disk, and why one could not record."""
        output = getattr(node, "workeroutput", {})
        if (losses := output.get(LOSSES)) is not None:
            self._losses.append(WriteLosses(**losses))
        if (reason := output.get(UNLOADED)) is not None:
            text = f"its results are without annotations: its Python cannot load the plugin: {reason}"
            self._troubles.append(f"worker {node.gateway.id}: {text}")
        if UNREPORTED in output and _REMOTE_ANNOTATIONS not in self._troubles:
            self._troubles.append(_REMOTE_ANNOTATIONS)

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the names of all tests, where those that are not run are to be reported."""
        if self._rules.report_not_run and self._folder is not None and self._remote is None:
            write_names(self._folder, [each.nodeid for each in session.items])

    @guarded
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a module that could not be collected, or that skipped itself."""
        if report.passed or self._recording is None or report.nodeid in self._uncollected:
            return
        self._uncollected.add(report.nodeid)  # each xdist worker collects, and so reports it
        finished = collection_test(report, self._rules)
        if finished is not None:
            self._recording.write_result(finished)

    @guarded
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember what interrupts the session."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self._interruption = self._cleaner.string(f"ended by pytest.exit: {excinfo.value}")
        elif type(excinfo.value) is KeyboardInterrupt:
            self._interruption = "interrupted by Ctrl-C"
        else:  # pytest and xdist stop by exceptions derived from it: too many failures, errors in collection
            self._interruption = self._cleaner.string(f"stopped: {excinfo.value}")

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        """End the session's records and wait for the sender, within limits."""
        if self._is_forked:
            return
        try:
            self._finish(session, int(exitstatus))
        finally:
            is_whole = self._report.ending is not None and self._report.ending.is_whole
            if self._configuration.strict and not is_whole and int(exitstatus) == 0:
                session.exitstatus = STRICT_EXIT_STATUS
                self._report.explain_strict(self._configuration, STRICT_EXIT_STATUS)

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        self._end(session, exitstatus)
        if self._folder is None or self._recording is None:
            return
        view = LedgerTail(self._folder.ledger)
        if self._is_started:
            is_interrupted = self._interruption.startswith("interrupted")
            timeouts = self._limits
            if self._recording.losses.records:  # the end is not on disk: the sender learns it when this process ends
                timeouts = replace(timeouts, exit_progress=timeouts.exit_down)
            wait_for_sender(
                view,
                timeouts,
                is_interrupted=is_interrupted,
                clock=self._monotonic,
                sleep=self._sleep,
                notify=functools.partial(self._report.tell_wait, self._configuration),
            )
        is_each = getattr(session.config.option, "dist", "no") == "each"
        if self._configuration.endpoint.is_embedded and view.state.run and not self._configuration.database.exists():
            self._troubles.append(f"{self._configuration.database} was deleted while the tests ran: its runs are lost")
        tally = tally_from(
            self._folder,
            view.state,
            self._recording.counts,
            modules=self._recording.modules,
            is_each=is_each,
            crashed=self._remote.failures.kept if self._remote is not None else (),
        )
        ending = self._report.ending = self._ending_from(tally, view)
        tell_finished(session.config, ending, self._configuration, self._report.hook_troubles)
        self._report.show_on_job(self._configuration, ending)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was delivered, where, and what to do about the rest."""
        if self._is_forked:
            return
        self._report.compare(self._configuration, self._folder, self._rules)
        self._report.tell(terminalreporter, self._configuration)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Leave nothing behind that has been delivered, and nothing untold that has not."""
        if self._is_forked:
            return
        self._end(None, 0)
        self._report.compare(self._configuration, self._folder, self._rules)
        self._report.tell_at_last(config, self._configuration)
        ending = self._report.ending
        if ending is not None and ending.tally.is_removable and self._folder is not None:
            self._folder.remove()
        for each in (self._recording, self._remote):
            if each is not None and config.pluginmanager.is_registered(each):
                config.pluginmanager.unregister(each)

    @property
    def _is_forked(self) -> bool:
        """Whether this is a child that a test forked and that ran on to the session's end: that is its parent's."""
        return self._getpid() != self._pid

    def _end(self, session: pytest.Session | None, exitstatus: int) -> None:
        if self._is_ended or self._recording is None:
            return
        self._is_ended = True
        self._restore()
        reason = self._interruption or self._cleaner.string(_reason(session, exitstatus))
        self._recording.close()
        if self._remote is not None:
            self._remote.close()
        self._recording.write(plain_record("end", t=self._clock.now(), exit=exitstatus, reason=reason))
        self._recording.shut()

    def _begin(self, config: pytest.Config) -> None:
        """Make the session's folder; tell when it is not where it was to be, or nowhere."""
        run, self._run_files, sharing = session_run(
            config, self._configuration, self._rules, self._report.hook_troubles
        )
        self._key = sharing.key
        if sharing.warning:
            self._troubles.append(sharing.warning)
        if self._configuration.run_id is None:
            self._configuration = replace(self._configuration, name=run.name)
        asked = self._configuration.spool
        try:
            found = create_session_folder(
                self._configuration, run, self._rules, sharing, self._environ, is_followed=self._is_sending
            )
        except SpoolError as error:
            self._troubles.append(f"nothing can be reported: {error}")
            return
        self._configuration, self._folder, self._session = found
        if self._configuration.spool != asked:
            self._troubles.append(f"{asked} cannot be written: results are kept in {self._configuration.spool}")

    def _restore(self) -> None:
        """Make again what a test has deleted; the store cannot be, since all that it held is gone."""
        if self._folder is None or self._session is None:
            return
        try:
            self._folder.restore(self._session)
        except OSError as error:
            self._troubles.append(f"{self._folder.path} was deleted and cannot be made: {error.strerror or error}")

    @property
    def _is_sending(self) -> bool:
        """Whether results are to be sent while the tests run."""
        configuration = self._configuration
        return configuration.delivery != "later" and configuration.is_sendable and self._token is not None

    def _start_sender(self, config: pytest.Config) -> None:
        configuration, keeps_output = self._configuration, self._rules.keeps_output("error")
        if self._folder is None or self._token is None or not self._is_sending:
            return
        handover = SenderConfig(
            folder=str(self._folder.path),
            endpoint=configuration.endpoint,
            token=self._token,
            controller=os.getpid(),
            timeouts=self._limits,
            store=self._store,
            hiding=RedactionSettings(self._rules.redact, self._rules.secrets, self._rules.redact_builtin),
            captured=tuple(captured_files(config)) if self._remote is None and keeps_output else (),
            epoch=self._clock.epoch,
        )
        try:
            start_sender(handover)
            self._is_started = True
        except LaunchError as error:
            self._troubles.append(f"the sender did not start: {error}")

    def _ending_from(self, tally: SessionCounts, view: LedgerTail) -> SessionOutcome:
        assert self._folder is not None
        assert self._recording is not None
        is_silent = self._is_started and not view.state.is_done
        return SessionOutcome(
            tally=tally,
            folder=str(self._folder.path),
            is_sent=self._is_started,
            log=Log(self._folder.log).tail(3) if is_silent and not view.state.is_ready else [],
            trouble=view.state.trouble or str(view.state.done.get("why", "")),
            trouble_class=view.state.trouble_class,
            is_run_gone=view.state.is_run_gone,
            reasons=tuple(view.state.reasons),
            renamed=tuple(view.state.renamed.items()),
            unstored=view.state.unstored_reasons,
            losses=WriteLosses.together((*self._losses, self._recording.losses)),
            leftovers=expire_old_sessions(
                self._configuration.spool, self._folder, keep_days=self._configuration.keep_spool, now=self._wall()
            ),
        )


def _reason(session: pytest.Session | None, exitstatus: int) -> str:
    if session is None:
        return "pytest stopped before the session ended"
    stop = session.shouldfail or session.shouldstop
    text = _ENDINGS.get(exitstatus, "ended by a plugin")
    return f"{text}{f', {stop}' if isinstance(stop, str) else ''} (exit status {exitstatus})"
