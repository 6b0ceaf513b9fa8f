import re
import subprocess
import sys

import pytest

from pytest_automation_report.settings.resolver import misspelling
from pytest_automation_report.settings.settings import SETTINGS
from support.projects import Project, console
from support.repository import ROOT
from support.sessions import session_environment
from unit.settings.test_spellings import PROBE

REPORTED = "--automation-report"
OPTION = f"{REPORTED}-"


SECRET = "canary-of-an-ini-file"
ENDS = {
    "address": ([REPORTED, f"{OPTION}url=ftp://x"], "", f"{OPTION}url: 'ftp://x' cannot be used: write https"),
    "ini integer": ([REPORTED], "_run_id = 0", "pytest.ini: automation_report_run_id: 0 cannot be used: write a whole"),
    "switch": ([], " = perhaps", "pytest.ini: automation_report: 'perhaps' cannot be used: write true or false"),
    "misspelled": ([], f"_ulr = {SECRET}", "pytest.ini: automation_report_ulr: is not a setting: did you mean"),
    "token": ([REPORTED], f"_api_token = {SECRET}", "pytest.ini: automation_report_api_token: is not a setting: "),
    "unknown": ([], "_xyzzy = 1", "pytest.ini: automation_report_xyzzy: is not a setting: take it out"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "ini", "told"), ENDS.values(), ids=ENDS)
def test_mistake_ends_before_collection(arguments: list[str], ini: str, told: str, project: Project) -> None:
    """A wrong value or name is a usage error with its hint, reported or not; a value, maybe a token, is not shown.

    A command ends, too, but for a name that resembles no setting: it shows that once.
    """
    project.write("pytest.ini", f"[pytest]\nautomation_report{ini}\n" if ini else "[pytest]\n")
    ran = project.pytest(*arguments, exits=4)
    (message,) = [line for line in ran.err.splitlines() if line.startswith("ERROR:")]
    assert told in message
    assert [word for word in ("Traceback", "collected", SECRET) if word in ran.text] == []
    assert not project.state.exists()
    if "is not a setting" in told:
        command = console(project.root, "spool", "list", exits=0 if "take it out" in told else 2)
        assert (command.err.count(told), SECRET in command.text) == (1, False)


MISSPELLED = {
    "automation_report_ulr": "did you mean automation_report_url?",
    "automation-report-url": "did you mean automation_report_url?",
    "AUTOMATION_REPORT_URL": "did you mean automation_report_url?",
    "automaton_report_url": "did you mean automation_report_url?",
    "automation-report": "did you mean automation_report?",
    "automation_report_token": "set AUTOMATION_REPORT_TOKEN",
    "automation-report-tokn": "automation_report_token_file",
    "automation_report_api_token": "set AUTOMATION_REPORT_TOKEN",
    "testmo_token": "set AUTOMATION_REPORT_TOKEN",
}


@pytest.mark.parametrize("name", MISSPELLED)
def test_misspelled_name_has_its_hint(name: str) -> None:
    """A name that is nearly a setting is an error with the right name, or with the place of a token."""
    error, is_meant = misspelling(name, f"pytest.ini: {name}")
    assert is_meant
    assert f"pytest.ini: {name}: is not a setting: " in str(error)
    assert MISSPELLED[name] in str(error)


@pytest.mark.parametrize(
    ("file", "text", "origin"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\nautomation_report_sorce = "x"\n', "pyproject.toml: "),
        pytest.param(
            "pytest.toml",
            '[pytest]\nautomation_report_sorce = "x"\n',
            "pytest.toml: ",
            marks=pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="this pytest has no native TOML"),
        ),
        ("setup.cfg", "[tool:pytest]\nautomation_report_sorce = x\n", "setup.cfg: "),
        ("setup.cfg", "[tool:pytest]\naddopts = -o automation_report_sorce=x\n", "-o "),
    ],
)
def test_misspelled_name_in_each_kind_of_file(file: str, text: str, origin: str, project: Project) -> None:
    """A misspelled name is found in each kind of ini file, and behind ``-o``."""
    (project.root / "pytest.ini").unlink()
    project.write(file, text)
    ran = project.pytest(exits=4)
    assert f"{origin}automation_report_sorce: is not a setting: did you mean automation_report_source?" in ran.err


@pytest.mark.parametrize("way", ["help", "off", "variable", "registered", "nested"])
def test_misspelled_name_stops_no_other_session(way: str, project: Project) -> None:
    """Help, a session with reporting turned off, and a name that another plugin has registered go on."""
    project.write("pytest.ini", "[pytest]\nautomation_report_team = x\nautomation_report_sorce = x\n")
    if way == "registered":
        registered = "".join(f"    parser.addini('automation_report_{each}', '')\n" for each in ("team", "sorce"))
        project.write("conftest.py", f"def pytest_addoption(parser):\n{registered}")
    arguments = {"help": ["--help"], "off": ["--no-automation-report"]}.get(way, [])
    variables = {"variable": {"AUTOMATION_REPORT": "0"}, "nested": {"PYTEST_CURRENT_TEST": "x"}}.get(way, {})
    project.pytest(*arguments, env={**session_environment(), **variables}, exits=0)


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
    """Pytest --help shows the options of the settings that have one, every ini value, and how to set these."""
    shown = in_a_process(pytester, PROBE, "--help")
    assert tuple(each.name for each in SETTINGS if each.is_option) == OPTIONS
    options = {"--automation-report", "--no-automation-report", "--no-automation-report-strict"}
    options |= {f"--automation-report-{name.replace('_', '-')}" for name in OPTIONS}
    assert {word for word in re.findall(r"--[\w-]+", shown) if "automation-report" in word} == options
    assert {each.ini for each in SETTINGS} <= set(re.findall(r"\w+", shown))
    assert "in the ini options below, or -o automation_report_NAME=VALUE" in shown
