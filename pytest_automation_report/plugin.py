"""Add options, hooks and markers to pytest, and decide whether this session is reported.

pytest loads this module, its entry point, at every start, so it imports little of the package.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from pytest_automation_report.recording.functions import AutomationReport
    from pytest_automation_report.settings.settings import Settings, Switch


def _past_ours(find_spec: Callable[..., ModuleSpec | None]) -> Callable[..., ModuleSpec | None]:
    """Return the search of pytest's import hook, which finds no module of this package: Python's own search does.

    pytest marks all modules of a package that has a plugin, to rewrite their asserts. It would read the source of each
    at each start, and compile it where no bytecode can be written, which takes 0.1 to 0.3 s.
    """

    def found(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return None if name.startswith("pytest_automation_report.") else find_spec(name, path, target)

    return found


for _finder in sys.meta_path:
    if type(_finder).__name__ == "AssertionRewritingHook":
        setattr(_finder, "find_spec", _past_ours(_finder.find_spec))  # noqa: B010 - a method of this hook alone

# Below the loop, which is for them, too.
import pytest_automation_report.unpatched  # noqa: E402,F401 - ahead of conftests
from pytest_automation_report import hookspecs  # noqa: E402
from pytest_automation_report.guards import Errors, Hooks, guarded  # noqa: E402
from pytest_automation_report.settings import settings  # noqa: E402

# With these options pytest shows something and runs no test: the run would be empty.
_INFORMATIVE_OPTIONS: Final = (
    "collectonly", "setuponly", "setupplan", "help", "version", "markers", "showfixtures", "show_fixtures_per_test",
    "cacheshow",
)  # fmt: skip
_HTML_OPTION: Final = "--automation-report-html"
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


@pytest.fixture
def automation_report(request: pytest.FixtureRequest) -> AutomationReport:
    """Add fields, links, artifacts and steps to the result of the test; does nothing when it is not reported."""
    from pytest_automation_report.recording.collector import HOOKS  # noqa: PLC0415 - only for tests that ask for it
    from pytest_automation_report.recording.functions import running_report  # noqa: PLC0415 - only for tests that ask for it

    return running_report(getattr(request.config.pluginmanager.get_plugin(HOOKS), "collector", None))


@guarded
def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the package's hooks, and the plugin of this session."""
    pluginmanager.add_hookspecs(hookspecs)
    pluginmanager.register(_SessionPlugin(), "automation-report-plugin")


class _SessionPlugin(Hooks):
    """The hooks of each session; they start to report it, or show its errors and warnings themselves."""

    def __init__(self) -> None:
        self.internal_errors = Errors()
        self._warnings: list[str] = []
        self._is_reported = self._is_configured = False

    @guarded
    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """Add the package's options and ini settings."""
        settings.add_options(parser)
        group = parser.getgroup("automation-report")
        group.addoption(
            "--automation-report-rerun-failed",
            dest="automation_report_rerun_failed",
            nargs="?",
            const="last",
            default=None,
            metavar="RUN[:new]",
            help="Run only what failed in this run, by default the last completed one of the source; with ':new' only "
            "its new failures. If nothing failed, no test runs; with 'all' all tests run then.",
        )
        group.addoption(
            "--automation-report-shard",
            dest="automation_report_shard",
            default=None,
            metavar="3/8|auto",
            help="Run part 3 of 8 of the tests, cut so that all parts take about the same time; 'auto' takes the "
            "numbers from the CI provider.",
        )

    # tryfirst: xdist's own implementation starts those sessions, which inherit the options.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Switch reporting off under xdist's ``--looponfail``: each change of a file would be a run."""
        if getattr(config.option, "looponfail", False):
            config.option.automation_report = False

    @guarded
    def pytest_configure(self, config: pytest.Config) -> None:
        """Start to report, in a session and its workers, if the user wants that."""
        self._is_configured = True
        for marker in _MARKERS:
            config.addinivalue_line("markers", marker)
        try:
            self._configure_rerun(config)
            self._configure_known(config)
            if "automation_report" in getattr(config, "workerinput", {}):
                self._configure_worker(config)
            elif not hasattr(config, "workerinput"):
                self._configure_session(config)
            self._configure_history(config)
        except Exception as error:
            from pytest_automation_report.errors import SettingError  # noqa: PLC0415 - only for mistakes

            if isinstance(error, SettingError):
                raise pytest.UsageError(str(error)) from error
            raise

    def _configure_rerun(self, config: pytest.Config) -> None:
        """Select the tests that failed in an earlier run, if the user wants only those."""
        selection: dict[str, Any] | None = getattr(config, "workerinput", {}).get("automation_report_rerun")
        which = None if hasattr(config, "workerinput") else config.getoption("automation_report_rerun_failed")
        if selection is None and which is None:
            return
        from pytest_automation_report.session.selection import RerunFailedHooks, failed_in  # noqa: PLC0415 - only with the option

        if selection is None:
            from pytest_automation_report.session.setup import session_settings  # noqa: PLC0415 - workers get it

            selection = failed_in(config, session_settings(config, os.environ), os.environ)
        config.pluginmanager.register(RerunFailedHooks(selection, self.internal_errors), "automation-report-rerun")

    def _configure_known(self, config: pytest.Config) -> None:
        """Excuse known failures, also in sessions that are not reported: the verdict is the same in both."""
        file: tuple[str, str] | None = getattr(config, "workerinput", {}).get("automation_report_known")
        if file is None and (
            hasattr(config, "workerinput") or _is_inside() or not settings.is_set(config, os.environ, "known")
        ):
            return
        from pytest_automation_report.session.selection import KnownFailureHooks, known_file  # noqa: PLC0415 - only with the setting

        file = known_file(config, os.environ) if file is None else file
        if file is not None:
            config.pluginmanager.register(KnownFailureHooks(file, self.internal_errors), "automation-report-known")

    def _configure_history(self, config: pytest.Config, settings: Settings | None = None) -> None:
        """Run a part of the tests, or in another order, if the user wants that; ``settings`` if it is reported."""
        sent: dict[str, Any] | None = getattr(config, "workerinput", {}).get("automation_report_history")
        is_cut = not hasattr(config, "workerinput") and config.getoption("automation_report_shard") is not None
        is_ordered = settings is not None and settings.order != "none"
        if config.pluginmanager.has_plugin("automation-report-history") or not (sent or is_cut or is_ordered):
            return
        from pytest_automation_report.session.history import HistoryHooks  # noqa: PLC0415 - only with the option

        if sent is not None:
            hooks = HistoryHooks.of_worker(sent, self.internal_errors)
        else:
            from pytest_automation_report.session.setup import session_settings  # noqa: PLC0415 - workers get it

            is_asked = settings is not None  # by a session that is reported
            settings = settings or session_settings(config, os.environ)
            if settings.shard is None and not is_ordered:  # no parallel job
                return
            hooks = HistoryHooks.of_session(config, os.environ, settings, self.internal_errors)
            if settings.shard is None or not is_asked:
                hooks.begin(None)
        config.pluginmanager.register(hooks, "automation-report-history")

    def _configure_worker(self, config: pytest.Config) -> None:
        try:
            from pytest_automation_report.session.xdist import worker_hooks  # noqa: PLC0415 - not for sessions without us
        except ImportError as error:
            from pytest_automation_report.errors import UNLOADED  # noqa: PLC0415 - only for workers that cannot load us

            # xdist passes the controller's search path to its workers: another version of Python cannot load the
            # libraries there. The main process records what such a worker reports, as for workers on other machines.
            getattr(config, "workeroutput", {})[UNLOADED] = str(error)
            return

        worker_hooks(getattr(config, "workerinput", {}), self.internal_errors).watch(config)
        self._is_reported = True

    def _configure_session(self, config: pytest.Config) -> None:
        if any(getattr(config.option, name, False) for name in _INFORMATIVE_OPTIONS):
            return
        switch = settings.switch(config, os.environ)
        # A session inside a test or a reported session is reported only if its own arguments ask for it.
        is_typed = settings.SWITCH_OPTION in config.invocation_params.args
        if _is_inside() and not (is_typed and switch.origin == settings.SWITCH_OPTION):
            return
        # Also in sessions that are not reported, unless the user turned that off: a name may be a misspelled switch.
        if switch.is_on or switch.origin not in (settings.SWITCH_ENVIRONMENT, settings.SWITCH_OFF_OPTION):
            _refuse_misspelled(config)
        if switch.is_on:
            self._report(config, switch)
        else:
            has_report = any(arg.startswith(_HTML_OPTION) for arg in config.invocation_params.args)
            needs_switch = has_report and not switch.origin
            warning = f"{_HTML_OPTION} wrote nothing: add --automation-report" if needs_switch else ""
            self._warnings += filter(None, (switch.warning, warning))

    def _report(self, config: pytest.Config, switch: Switch) -> None:
        from pytest_automation_report.session.setup import session_setup  # noqa: PLC0415 - not for sessions without us

        setup = session_setup(config, os.environ, switch.warning)
        try:
            self._configure_history(config, setup.settings)
            # Imported after the sender's start, which imports its modules at the same time.
            from pytest_automation_report.session.plugin_hooks import SessionHooks  # noqa: PLC0415 - not for sessions without us

            hooks = SessionHooks(setup, config, self.internal_errors)
            config.pluginmanager.register(hooks, "automation-report-session")
        except BaseException:
            setup.close_sender()
            raise
        self._is_reported = True
        _reporting_configs.append(config)

    @guarded
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the warnings of a session that is not reported; ``-q`` leaves out the header."""
        for line in self._taken_lines():
            terminalreporter.write_line(line)

    @guarded
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Forget the session; show its warnings on stderr if pytest has written no summary (``-p no:terminal``)."""
        if not self._is_configured and isinstance(sys.exc_info()[1], pytest.UsageError):
            # Raised by a conftest's `pytest_configure`, which pytest calls before ours.
            self._configure_session(config)
            hooks = config.pluginmanager.get_plugin("automation-report-session")
            if hooks is not None:
                hooks.pytest_unconfigure(config)
        if config in _reporting_configs:
            _reporting_configs.remove(config)
        for line in self._taken_lines():
            # A closed or full stream must not change the end of pytest.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.write(f"{line}\n")

    def _taken_lines(self) -> list[str]:
        if self._is_reported or not (self._warnings or self.internal_errors.texts):
            return []
        try:
            from pytest_automation_report.recording.options import secrets_from  # noqa: PLC0415 - only with something to say
            from pytest_automation_report.text.redaction import TextCleaner  # noqa: PLC0415 - only with something to say
        except Exception as error:  # noqa: BLE001 - a file of the project in the place of a package may raise anything
            # Without redaction no text of an error may be shown, only the name of a missing package.
            missing = getattr(error, "name", None) or type(error).__name__
            lines = [*self._warnings, f"this session is not reported: a package cannot be imported ({missing})"]
        else:
            clean = TextCleaner((), secrets=secrets_from(os.environ, None, is_builtin=True)).string
            lines = [*self._warnings, *(f"error in reporting: {clean(text)}" for text in self.internal_errors.texts)]
        self._warnings = []
        self.internal_errors.texts.clear()
        return [f"automation report: {line}" for line in lines]


def _refuse_misspelled(config: pytest.Config) -> None:
    """Raise `SettingError` for a misspelled name in the ini file."""
    for name in settings.unknown_ini_names(config):
        from pytest_automation_report.settings.resolver import misspelling  # noqa: PLC0415 - only for mistakes

        error, _ = misspelling(name, settings.ini_origin(config, name))
        if error is not None:
            raise error


def _is_inside() -> bool:
    """Whether this process runs a reported session, or a test of any."""
    return bool(_reporting_configs) or "PYTEST_CURRENT_TEST" in os.environ
