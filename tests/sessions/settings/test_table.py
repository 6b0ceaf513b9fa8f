"""The table of settings in processes: the help of pytest, and what loading the table costs."""

import re
import subprocess
import sys

import pytest

from pytest_automation_report.settings.settings import SETTINGS
from support.repository import ROOT
from unit.settings.test_spellings import PROBE


def in_a_process(pytester: pytest.Pytester, probe: str, *options: str) -> str:
    pytester.makepyfile(settings_probe=probe)
    environ = {"PYTHONPATH": f"{pytester.path}:{ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "pytest", "-p", "settings_probe", *options]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environ, cwd=pytester.path)
    assert ended.stderr == ""
    return ended.stdout


OPTIONS = (
    "url", "project_id", "source", "name", "delivery", "tags", "run_id", "run_key", "fields", "links", "output",
    "html", "strict", "token_file", "spool", "database",
)  # fmt: skip


def test_help_lists_few_options_and_every_ini_value(pytester: pytest.Pytester) -> None:
    """Pytest --help shows the options of the settings that have one, every ini value, and where to read on."""
    shown = in_a_process(pytester, PROBE, "--help")
    assert tuple(each.name for each in SETTINGS if each.is_option) == OPTIONS
    options = {"--automation-report", "--no-automation-report", "--no-automation-report-strict"}
    options |= {f"--automation-report-{name.replace('_', '-')}" for name in OPTIONS}
    assert {word for word in re.findall(r"--[\w-]+", shown) if "automation-report" in word} == options
    assert {each.ini for each in SETTINGS} <= set(re.findall(r"\w+", shown))
    assert "-o automation_report_NAME=VALUE; see docs/settings.md" in shown
