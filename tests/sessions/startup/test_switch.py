import sys

import pytest

from docs.written import block
from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import run, session_environment

ON = "--automation-report"


TOLD = "tox holds back AUTOMATION_REPORT... variables, also the token: add pass_env = AUTOMATION_REPORT*"


def without_ours() -> dict[str, str]:
    return {name: value for name, value in session_environment().items() if not name.startswith("AUTOMATION_REPORT")}


def test_the_pages_lines_for_tox_are_enough(project: Project) -> None:
    """With the lines that the page shows, a session in tox has nothing to say."""
    project.write("tox.ini", block("docs/matrix.md", "pass_env"))
    ran = project.pytest(ON, env={**without_ours(), "TOX_ENV_NAME": "py311"}, exits=0)
    assert "1 of 1 result delivered" in ran.text
    assert TOLD not in ran.text


NESTED = """
import os, subprocess, sys

pytest_plugins = "pytester"

def test_in_process(pytester):
    pytester.makeini("[pytest]\\naddopts = --automation-report")  # no argument of its own
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


def test_a_report_that_nothing_writes_is_named(project: Project) -> None:
    """Who asks for the file and not for the report reads why there is none, but for a session that turns it off."""
    said = "automation report: --automation-report-html wrote nothing: add --automation-report\n"
    ran = project.pytest("--automation-report-html=report.html", env=without_ours(), exits=0)
    assert (ran.out.count(said), (project.root / "report.html").exists()) == (1, False)
    off = project.pytest("--automation-report-html=report.html", "--no-automation-report", env=without_ours(), exits=0)
    assert said not in off.text


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
