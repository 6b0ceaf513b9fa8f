"""Add options, hooks and markers to pytest, and decide whether this session is reported.

pytest loads this module, its entry point, at every start, so it imports of the package only the settings' place in
pytest and the hooks' specifications.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.imports import UnhookedImports

with UnhookedImports():
    from pytest_automation_report import hookspecs
    from pytest_automation_report.settings import pytest_config as settings

if TYPE_CHECKING:
    from pytest_automation_report.annotations.functions import AutomationReport
    from pytest_automation_report.settings.pytest_config import Switch

# With these options pytest shows something and runs no test: the run would be empty.
_INFORMATIVE_OPTIONS: Final = (
    "collectonly",
    "setuponly",
    "setupplan",
    "help",
    "version",
    "markers",
    "showfixtures",
    "show_fixtures_per_test",
    "cacheshow",
)
_REPORTING: Final = "automation-report-session"

_MARKERS: Final = (
    "automation_report_field(name, value, type=None): add a field to the test's result.",
    "automation_report_link(url, name='Link'): add a web address to the test's result.",
    "automation_report_artifact(content, name=None, mime_type=None): add a file (or its address) to the test's result.",
    "automation_report_case(*ids): name the cases that the test covers (see automation_report_link_templates).",
    "automation_report_issue(*ids): name the issues that the test is about (see automation_report_link_templates).",
)

_reporting_configs: list[pytest.Config] = []
"""Configs of this process's reported sessions: a session that one of their tests starts in this process is nested."""


def __dir__() -> list[str]:
    """Name the hooks and the fixture alone: pytest looks at each name of a plugin, which takes 5 us, at every start."""
    return [name for name in globals() if name.startswith("pytest_")] + ["automation_report"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the package's options and ini settings."""
    settings.add_options(parser)
    group = parser.getgroup("automation-report")
    group.addoption(
        "--automation-report-rerun-failed",
        dest="automation_report_rerun_failed",
        nargs="?",
        const="last",
        default=None,
        metavar="RUN",
        help="Run only the tests that failed in the run of this id; without one, in the source's last completed run. "
        "When none failed, none is run; with 'all', all are.",
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the package's hooks."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.fixture
def automation_report(request: pytest.FixtureRequest) -> AutomationReport:
    """Add fields, links, artifacts and steps to the result of the test; does nothing when it is not reported."""
    with UnhookedImports():
        from pytest_automation_report.annotations.functions import (  # noqa: PLC0415 - only for tests that ask for it
            HOOKS,
            report_of,
        )

    return report_of(getattr(request.config.pluginmanager.get_plugin(HOOKS), "collector", None))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Switch reporting off under xdist's ``--looponfail``: each change of a file would be a run.

    First of all implementations, since xdist's own starts those sessions, which inherit the options.
    """
    if getattr(config.option, "looponfail", False):
        config.option.automation_report = False


def pytest_configure(config: pytest.Config) -> None:
    """Start to report, in a session and its workers that the user wants to report."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    with UnhookedImports():
        _configure_rerun(config)
        if "automation_report" in getattr(config, "workerinput", {}):
            _configure_worker(config)
        elif not hasattr(config, "workerinput"):
            _configure_session(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget a reported session."""
    if config in _reporting_configs:
        _reporting_configs.remove(config)


def _configure_rerun(config: pytest.Config) -> None:
    """Select the tests that failed in an earlier run, if the user wants only those."""
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker_input is None and config.getoption("automation_report_rerun_failed") is None:
        return
    if worker_input is not None and "automation_report_rerun" not in worker_input:
        return
    from pytest_automation_report.session.rerun_failed import (  # noqa: PLC0415 - only with the option
        RerunFailedHooks,
        rerun_failed_hooks,
    )

    if worker_input is not None:
        config.pluginmanager.register(RerunFailedHooks.of_worker(worker_input), "automation-report-rerun")
        return
    from pytest_automation_report.errors import SettingError  # noqa: PLC0415 - as above

    try:
        rerun = rerun_failed_hooks(config, os.environ)
    except SettingError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(rerun, "automation-report-rerun")


def _configure_worker(config: pytest.Config) -> None:
    try:
        from pytest_automation_report.session.worker_hooks import worker_hooks  # noqa: PLC0415 - not for sessions without us
    except ImportError as error:
        from pytest_automation_report.errors import UNLOADED  # noqa: PLC0415 - only for workers that cannot load us

        # xdist passes the controller's search path to its workers: another version of Python cannot load the
        # libraries there.
        # The main process records what such a worker reports, as for workers on other machines.
        getattr(config, "workeroutput", {})[UNLOADED] = str(error)
        return

    worker_hooks(getattr(config, "workerinput", {})).watch(config)


def _configure_session(config: pytest.Config) -> None:
    if any(getattr(config.option, name, False) for name in _INFORMATIVE_OPTIONS):
        return
    try:
        switch = settings.switch(config, os.environ)
        _refuse_misspelled(config, switch)
        if not switch.is_on or _is_nested(switch):
            if switch.warning and not _is_nested(switch):
                config.pluginmanager.register(_SwitchWarning(switch.warning))
            return
        _refuse_windows(switch)
        from pytest_automation_report.session.setup import session_setup  # noqa: PLC0415 - not for sessions without us

        setup, sender = session_setup(config, os.environ, switch.warning)
        # Imported after the sender's start, which imports its modules at the same time.
        from pytest_automation_report.session.session_hooks import SessionHooks  # noqa: PLC0415 - as above

        hooks = SessionHooks(setup, config, sender)
    except Exception as error:
        from pytest_automation_report.errors import SettingError  # noqa: PLC0415 - only for mistakes

        if isinstance(error, SettingError):
            raise pytest.UsageError(str(error)) from error
        raise
    config.pluginmanager.register(hooks, _REPORTING)
    _reporting_configs.append(config)


class _SwitchWarning:
    """Shows once, in a session that is not reported, that the switch in the environment has an invalid value."""

    def __init__(self, text: str) -> None:
        self._line = f"automation report: {text}"
        self._is_shown = False

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the warning at the end, since ``-q`` leaves out the header."""
        self._is_shown = True
        terminalreporter.write_line(self._line)

    def pytest_unconfigure(self) -> None:
        """Show the warning on stderr if pytest writes no summary (``-p no:terminal``)."""
        if not self._is_shown and sys.stderr is not None:
            # A closed or full stream must not change the end of pytest.
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"{self._line}\n")


def _refuse_misspelled(config: pytest.Config, switch: Switch) -> None:
    """Raise `SettingError` for a misspelled or removed name in the ini file.

    The name may be a misspelled switch, so sessions that are not reported are checked too, except where the user turns
    reporting off.
    """
    is_declined = not switch.is_on and switch.origin in (settings.SWITCH_ENVIRONMENT, settings.SWITCH_OFF_OPTION)
    names = [] if is_declined or _is_nested(switch) else settings.unknown_ini_names(config)
    if names:
        from pytest_automation_report.settings.misspellings import misspelling  # noqa: PLC0415 - only for mistakes

        for name in names:
            error, _ = misspelling(name, settings.ini_origin(config, name))
            if error is not None:
                raise error


def _refuse_windows(switch: Switch) -> None:
    if sys.platform == "win32":
        raise pytest.UsageError(f"{switch.origin}: Windows is not supported yet: leave it out there")


def _is_nested(switch: Switch) -> bool:
    """Whether this session runs inside a test or a reported session, and its own arguments do not ask to report."""
    return not switch.is_from_arguments and (bool(_reporting_configs) or "PYTEST_CURRENT_TEST" in os.environ)
