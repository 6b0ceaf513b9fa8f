from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sessions import session_environment

if TYPE_CHECKING:
    from checked import CheckedServer

    from whole.projects import Project

OPTION = "--automation-report-"


@pytest.mark.parametrize(
    ("arguments", "ini", "parts"),
    [
        pytest.param([f"{OPTION}url=ftp://x"], "", [f"{OPTION}url", "ftp://x", "https"], id="address"),
        pytest.param([f"{OPTION}url=https://x"], "", [f"{OPTION}project-id", "https://x"], id="no project"),
        pytest.param([f"{OPTION}project-id=one"], "", [f"{OPTION}project-id", "'one'", "number"], id="integer"),
        pytest.param([f"{OPTION}exit-wait=-1"], "", [f"{OPTION}exit-wait", "'-1'", "3600"], id="seconds"),
        pytest.param([f"{OPTION}delivery=soon"], "", [f"{OPTION}delivery", "'soon'", "later"], id="choice"),
        pytest.param([f"{OPTION}tags=a b"], "", [f"{OPTION}tags", "'a b'", "letters"], id="list"),
        pytest.param([f"{OPTION}fields=plain"], "", [f"{OPTION}fields", "'plain'", "="], id="pairs"),
        pytest.param([f"{OPTION}redact=("], "", [f"{OPTION}redact", "'('", "expression"], id="pattern"),
        pytest.param([], "automation_report_strict = perhaps", ["pytest.ini", "_strict", "'perhaps'"], id="flag"),
        pytest.param([], "automation_report_run_id = 0", ["pytest.ini", "_run_id", "0", "number"], id="ini integer"),
    ],
)
def test_typed_mistake_ends_before_collection(
    arguments: list[str], ini: str, parts: list[str], project: Project
) -> None:
    """A wrong value on the command line or in an ini file is a usage error that names option, value and remedy."""
    project.write("pytest.ini", f"[pytest]\n{ini}\n")
    ran = project.report(*arguments)
    assert ran.exit == 4, ran.text
    (message,) = [line for line in ran.err.splitlines() if line.startswith("ERROR:")]
    assert [part for part in parts if part not in message] == []
    assert "Traceback" not in ran.text
    assert "collected" not in ran.text
    assert not project.state.exists()


def test_mistake_in_the_switch_of_an_ini_file_ends_before_collection(project: Project) -> None:
    """A switch that is neither yes nor no is a usage error, for sessions that might not be reported too."""
    project.write("pytest.ini", "[pytest]\nautomation_report = perhaps\n")
    ran = project.pytest()
    assert ran.exit == 4, ran.text
    assert "pytest.ini: automation_report: 'perhaps' cannot be used: write true or false" in ran.err
    assert "Traceback" not in ran.text


@pytest.mark.parametrize(
    "how",
    [[], ["-n2"], ["-p", "no:terminal", "-p", "no:pytest-retry"]],
    ids=["plain", "workers", "no terminal"],
)
def test_mistake_in_the_environment_is_told_once_and_results_are_kept(
    how: list[str], project: Project, server: CheckedServer
) -> None:
    """With an unusable value in the environment tests run, it is told once with its remedy, and results can be sent."""
    variables = {"AUTOMATION_REPORT_PROJECT_ID": "one", "AUTOMATION_REPORT_URL": server.address}
    arguments = ["--automation-report", f"{OPTION}source=suite"]
    ran = project.pytest(*how, *arguments, env={**session_environment(), **variables})
    assert ran.exit == 0, ran.text
    assert ran.text.count("AUTOMATION_REPORT_PROJECT_ID: 'one' cannot be used") == 1
    assert server.log == []
    assert len(project.sessions) == 1


@pytest.mark.parametrize("is_on", [True, False])
def test_switch_in_the_environment_that_cannot_be_understood_is_told_once(project: Project, *, is_on: bool) -> None:
    """An unusable AUTOMATION_REPORT is told, and then the ini file decides."""
    project.write("pytest.ini", f"[pytest]\nautomation_report = {is_on}\nautomation_report_delivery = later\n")
    ran = project.pytest("-W", "error", env=session_environment(AUTOMATION_REPORT="perhaps"))
    assert ran.exit == 0, ran.text
    assert ran.text.count("AUTOMATION_REPORT: 'perhaps' cannot be used: write 1 or 0") == 1
    assert len(project.sessions) == is_on


def test_variable_that_is_no_setting_is_told(project: Project) -> None:
    """A variable that looks like a setting and is none is told with what it may have meant."""
    ran = project.report(f"{OPTION}delivery=later", env=session_environment(AUTOMATION_REPORT_SORCE="x"))
    assert ran.exit == 0, ran.text
    assert ran.text.count("AUTOMATION_REPORT_SORCE: does nothing; did you mean AUTOMATION_REPORT_SOURCE?") == 1
