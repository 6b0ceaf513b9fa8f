import sys

import pytest

from docs.written import block
from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import run, session_environment

ON = "--automation-report"
OFF = "--no-automation-report"


@pytest.mark.parametrize(
    ("arguments", "ini", "variables", "is_reported"),
    [
        pytest.param([], "", {}, False, id="off by default"),
        pytest.param([], "automation_report = true", {}, True, id="ini"),
        pytest.param([], "", {"PYTEST_ADDOPTS": ON}, True, id="addopts variable"),
        pytest.param([], f"addopts = {ON}", {}, True, id="addopts ini"),
        pytest.param([OFF], f"addopts = {ON}", {"AUTOMATION_REPORT": "1"}, False, id="off option wins"),
        pytest.param(
            [], "automation_report = true\nautomation_report_when = ci", {}, False, id="in CI only, outside of it"
        ),
        pytest.param([], "automation_report = true\nautomation_report_when = ci", {"CI": "true"}, True, id="in CI"),
    ],
)
def test_switch_decides_whether_a_session_is_reported(
    arguments: list[str], ini: str, variables: dict[str, str], project: Project, *, is_reported: bool
) -> None:
    """Off, unless option, variable or ini file turn reporting on: the first of them that says something counts."""
    project.write("pytest.ini", f"[pytest]\nautomation_report_delivery = later\n{ini}\n")
    ran = project.pytest(*arguments, env={**session_environment(), **variables}, exits=0)
    assert len(project.sessions) == is_reported
    assert ("automation report" in ran.text) == is_reported


TOLD = "tox passes no AUTOMATION_REPORT... variable on, no token either: add pass_env = AUTOMATION_REPORT*"


def without_ours() -> dict[str, str]:
    return {name: value for name, value in session_environment().items() if not name.startswith("AUTOMATION_REPORT")}


@pytest.mark.parametrize(
    ("arguments", "files", "variables", "count"),
    [
        pytest.param([ON], {}, {}, 1, id="on"),
        pytest.param(["-n2", ON], {}, {}, 1, id="workers"),
        pytest.param([], {"pytest.ini": "[pytest]\nautomation_report = true\n"}, {}, 1, id="on by ini"),
        pytest.param([], {"pytest.ini": "[pytest]\nautomation_report = false\n"}, {}, 0, id="off by ini"),
        pytest.param([], {"tox.ini": "[testenv]\npass_env = HOME\n"}, {}, 1, id="the switch may be dropped, too"),
        pytest.param([OFF], {}, {}, 0, id="off"),
        pytest.param([ON], {}, {"AUTOMATION_REPORT_SOURCE": "shop"}, 0, id="a variable arrives"),
        pytest.param([ON], {"tox.ini": "[testenv]\npass_env =\n  AUTOMATION_REPORT*\n"}, {}, 0, id="passed"),
        pytest.param([ON], {"tox.ini": "[testenv]\npass_env = CI, AUTOMATION_*\n"}, {}, 0, id="passed with others"),
        pytest.param([ON], {"pyproject.toml": '[tool.tox.env_run_base]\npass_env = ["*"]\n'}, {}, 0, id="all passed"),
    ],
)
def test_variables_that_tox_drops(
    arguments: list[str], files: dict[str, str], variables: dict[str, str], count: int, project: Project
) -> None:
    """In tox a session to which none of our variables comes says so once, with the line that passes them on."""
    for name, text in files.items():
        project.write(name, text)
    ran = project.pytest(*arguments, env={**without_ours(), "TOX_ENV_NAME": "py311", **variables}, exits=0)
    assert ran.text.count(TOLD) == count
    assert TOLD not in project.pytest(*arguments, env=without_ours()).text


def test_the_pages_lines_for_tox_are_enough(project: Project) -> None:
    """With the lines that the page shows, a session in tox has nothing to say."""
    project.write("tox.ini", block("docs/ci.md", "pass_env"))
    ran = project.pytest(ON, env={**without_ours(), "TOX_ENV_NAME": "py311"}, exits=0)
    assert "1 of 1 result delivered" in ran.text
    assert TOLD not in ran.text


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(["--collect-only", "-q"], 0, id="collect only"),
        pytest.param(["--setup-plan"], 0, id="setup plan"),
        pytest.param(["--setup-only"], 0, id="setup only"),
        pytest.param(["--fixtures"], 0, id="fixtures"),
        pytest.param(["--fixtures-per-test"], 0, id="fixtures per test"),
        pytest.param(["--markers"], 0, id="markers"),
        pytest.param(["test_mistyped.py"], 4, id="mistyped path"),
        pytest.param(["-k", "nothing"], 5, id="no test"),
        pytest.param(["-n2", "-k", "nothing"], 5, id="no test for workers"),
    ],
)
def test_no_results_leave_nothing(arguments: list[str], status: int, project: Project, server: CheckedServer) -> None:
    """A session that runs no test makes no run and leaves no spool, and pytest's exit status is its own."""
    project.report(*arguments, address=server.address, exits=status)
    assert server.log == []
    assert project.sessions == []


NESTED = """
import os, subprocess, sys

pytest_plugins = "pytester"

def test_in_process(pytester):
    pytester.makepyfile(test_inner="def test_inner(): pass")
    pytester.runpytest_inprocess("-p", "no:pytest-retry").assert_outcomes(passed=1)
    assert not (pytester.path / ".automation-report").exists()

def test_in_subprocess(pytester):
    pytester.makepyfile(test_inner="def test_inner(): pass")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert not (pytester.path / ".automation-report").exists()

def test_with_arguments_of_its_own(pytester):
    pytester.makepyfile(test_inner="def test_inner(): pass")
    asked = ["--automation-report", "--automation-report-delivery=later", "--automation-report-source=inner"]
    for run in (pytester.runpytest_inprocess, pytester.runpytest_subprocess):
        run("-p", "no:pytest-retry", *asked).assert_outcomes(passed=1)
    assert len(list(pytester.path.glob(".automation-report/spool/*/session.json"))) == 2
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_nested_session_reports_only_when_asked(workers: list[str], project: Project, server: CheckedServer) -> None:
    """Sessions inside a reported session are not reported for the environment's sake, only for their own arguments'."""
    project.write("test_suite.py", NESTED)
    variables = {
        "AUTOMATION_REPORT": "1",
        "AUTOMATION_REPORT_URL": server.address,
        "AUTOMATION_REPORT_PROJECT_ID": "1",
        "AUTOMATION_REPORT_SOURCE": "suite",
    }
    project.pytest(*workers, env={**session_environment(), **variables}, exits=0)
    names = sorted(test["name"] for _, test in server.tests())
    assert names == ["test_in_process", "test_in_subprocess", "test_with_arguments_of_its_own"]
    assert len(server.runs()) == 1


def test_plugin_can_be_left_out(project: Project) -> None:
    """With the plugin switched off by pytest's own option nothing is reported, whatever the environment asks."""
    ran = project.pytest("-p", "no:automation-report", env=session_environment(AUTOMATION_REPORT="1"), exits=0)
    assert "automation report" not in ran.text
    assert not project.state.exists()


def test_sessions_one_after_the_other_in_one_process_are_each_reported(project: Project, server: CheckedServer) -> None:
    """A process that runs pytest twice reports two sessions."""
    # pytest-retry keeps state of its own between the sessions of a process
    arguments = ["-p", "no:cacheprovider", "-p", "no:pytest-retry", "--automation-report-url", server.address]
    arguments += ["--automation-report-project-id=1", "--automation-report-source=suite"]
    script = f"import pytest, sys; sys.exit(max(pytest.main({arguments!r}) for _ in range(2)))"
    run([sys.executable, "-c", script], project.root, session_environment(AUTOMATION_REPORT="1"), exits=0)
    assert len(server.runs()) == 2
    assert len(server.tests()) == 2
    assert project.sessions == []
