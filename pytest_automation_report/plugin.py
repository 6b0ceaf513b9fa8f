"""Pytest's entry point (floor 4): options, and the decision whether this session is reported.

Loaded at every start of pytest that has the package installed, so it imports the settings' table and nothing else of
ours.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report import settings

if TYPE_CHECKING:
    from pytest_automation_report.settings import Switch

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

_reporting_configs: list[pytest.Config] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options and ini settings."""
    settings.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to report, when this session is to be reported."""
    given: dict[str, Any] | None = getattr(config, "workerinput", {}).get("automation_report")
    if given is not None:
        _configure_worker(config, given)
    elif not hasattr(config, "workerinput"):
        _configure_session(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget a session that was reported."""
    if config in _reporting_configs:
        _reporting_configs.remove(config)


def _configure_worker(config: pytest.Config, given: dict[str, Any]) -> None:
    from pytest_automation_report.recording import worker_recording  # noqa: PLC0415 - not for sessions without us

    recording = worker_recording(given, getattr(config, "workerinput", {})["workerid"])
    if recording is not None:
        config.pluginmanager.register(recording, _REPORTING)


def _configure_session(config: pytest.Config) -> None:
    if any(getattr(config.option, name, False) for name in _INFORMATIVE_OPTIONS):
        return
    try:
        switch = settings.switch(config, os.environ)
        if not switch.is_on or _is_nested(switch):
            if switch.trouble and not _is_nested(switch):
                config.pluginmanager.register(_Trouble(switch.trouble))
            return
        _refuse_windows(switch)
        from pytest_automation_report.reporting import reporting_for  # noqa: PLC0415 - not for sessions without us

        reporting = reporting_for(config, os.environ, switch.trouble)
    except Exception as error:
        from pytest_automation_report.errors import SettingError  # noqa: PLC0415 - only for mistakes

        if isinstance(error, SettingError):
            raise pytest.UsageError(str(error)) from error
        raise
    config.pluginmanager.register(reporting, _REPORTING)
    _reporting_configs.append(config)


class _Trouble:
    """Tells of a switch in the environment that could not be understood, in a session that is not reported."""

    def __init__(self, text: str) -> None:
        self._text = text

    def pytest_report_header(self) -> str:
        """Tell it once."""
        return f"automation report: {self._text}"


def _refuse_windows(switch: Switch) -> None:
    if sys.platform == "win32":
        raise pytest.UsageError(f"{switch.origin}: Windows is not supported yet: leave it out there")


def _is_nested(switch: Switch) -> bool:
    """Whether this session runs inside a test or a reported session, and its own arguments do not ask to report."""
    return not switch.asked_on_command_line and (bool(_reporting_configs) or "PYTEST_CURRENT_TEST" in os.environ)
