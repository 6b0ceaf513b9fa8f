"""What sessions leave on the page of their CI job."""

import html
import json
import os
import re
import stat
from pathlib import Path

import pytest
import yaml

from docs.written import block
from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import session_environment

SUITE = """
import pytest

def test_ok():
    pass

@pytest.mark.parametrize("word", ["a|b", "<b>"])
def test_fails(word):
    assert word == "::add-mask::x"

@pytest.fixture
def broken():
    raise RuntimeError("no\\ndatabase")

def test_error(broken):
    pass

@pytest.mark.skip
def test_skipped():
    pass
"""

ERROR = 'failed on setup with "RuntimeError: no'
"""The first line of what a fixture's error says, in the words of pytest's XML."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "repository" / "shop"
    root.mkdir(parents=True)
    return Project(root, SUITE)


def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a job at GitHub, whose repository holds the project in a folder."""
    return session_environment(
        GITHUB_ACTIONS="true",
        GITHUB_WORKSPACE=str(tmp_path / "repository"),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
    )


def lines_of(path: Path) -> list[str]:
    """Return the lines of a summary as a browser shows their texts."""
    return html.unescape(re.sub(r"</?code>", "", path.read_text(encoding="utf-8"))).splitlines()


@pytest.mark.parametrize(
    "arguments",
    [(), ("-n2",), ("-p", "no:terminal", "-p", "no:pytest-retry"), ("-qq",), ("--no-summary",)],
    ids=" ".join,
)
def test_summary_and_marks(project: Project, server: CheckedServer, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A job's summary has totals, a link to the run and the failures, whatever pytest shows; what was there stays.

    At GitHub failures are marked by default, at the lines that failed, by the path from the repository's root.
    """
    summary = tmp_path / "summary.md"
    summary.write_text("before")
    ran = project.report(*arguments, address=server.address, env=environment(tmp_path), exits=1)
    name = server.runs()[0]["name"]
    before, head, _, totals, _, *table = lines_of(summary)
    assert before == "before"
    assert head == f"### Automation report: {name}"
    assert totals == (
        f"**2 failed, 1 error, 1 passed, 1 skipped** in [run 1](<{server.address}/automation/runs/view/1>)"
    )
    assert table[:2] == ["| Failed | Message |", "| --- | --- |"]
    assert sorted(table[2:]) == [
        f"| test_suite.test_error | {ERROR} |",
        "| test_suite.test_fails[<b>] | AssertionError: assert '<b>' == '::add-mask::x' |",
        "| test_suite.test_fails[a|b] | AssertionError: assert 'a|b' == '::add-mask::x' |",
    ]
    place = "::error file=shop/test_suite.py,line=9"
    assert sorted(line for line in ran.out.splitlines() if line.startswith("::")) == [
        f"::error file=shop/test_suite.py,line=13,title=test_error::test_suite.test_error: {ERROR}",
        f"{place},title=test_fails[<b>]::test_suite.test_fails[<b>]: AssertionError: assert '<b>' == '::add-mask::x'",
        f"{place},title=test_fails[a|b]::test_suite.test_fails[a|b]: AssertionError: assert 'a|b' == '::add-mask::x'",
    ]


def test_no_summary(project: Project, tmp_path: Path) -> None:
    """There is no summary where it is switched off, and none of a session that is not reported."""
    env = environment(tmp_path)
    assert project.report("-oautomation_report_job_summary=false", env=env).exit == 1
    assert project.pytest(env=env).exit == 1
    assert project.report("-k", "nothing", env=env).exit == 5
    assert not (tmp_path / "summary.md").exists()


def test_undelivered_results(project: Project, tmp_path: Path) -> None:
    """A summary tells what was not delivered, why, and the command that sends it."""
    env = environment(tmp_path)
    ran = project.report("-k", "ok", "-oautomation_report_ci_annotations=true", address="http://127.0.0.1:1", env=env)
    lines = lines_of(tmp_path / "summary.md")
    assert lines[2] == "**1 passed**"
    assert lines[4].startswith("- 1 result kept in .automation-report/spool/")
    assert "the server could not be reached" in lines[4]
    assert lines[5].startswith("- send: automation-report send --spool=")
    (warning,) = [line for line in ran.out.splitlines() if line.startswith("::warning")]
    assert warning.startswith("::warning::automation report: 1 result kept in ")


def test_crashed_worker(project: Project, tmp_path: Path) -> None:
    """A test that crashed its worker, and one that failed before it there, are among the failures."""
    project.write("test_suite.py", "import os\ndef test_fails():\n    assert 0\ndef test_dies():\n    os._exit(3)\n")
    env = environment(tmp_path)
    assert project.report("-n1", "--max-worker-restart=0", env=env).exit == 1
    rows = lines_of(tmp_path / "summary.md")[6:]
    assert rows[0].startswith("| test_suite.test_dies | The worker gw0 crashed while it ran this test")
    assert rows[1] == "| test_suite.test_fails | assert 0 |"


def test_module_that_cannot_be_collected(project: Project, tmp_path: Path) -> None:
    """A module that could not be imported is among the failures."""
    project.write("test_suite.py", "import nowhere\n")
    assert project.report(env=environment(tmp_path)).exit == 2
    assert lines_of(tmp_path / "summary.md")[-1] == "| test_suite | ModuleNotFoundError: No module named 'nowhere' |"


def test_rerun_that_passes(project: Project, tmp_path: Path) -> None:
    """A test that passed in the end is no failure."""
    pytest.importorskip("pytest_rerunfailures")
    project.write(
        "test_suite.py",
        "from pathlib import Path\ndef test_flaky():\n    path = Path('once')\n"
        "    if not path.exists():\n        path.touch()\n        assert 0\n",
    )
    assert project.report("--reruns=1", "-p", "no:pytest-retry", "-p", "no:flaky", env=environment(tmp_path)).exit == 0
    assert lines_of(tmp_path / "summary.md")[2:] == ["**1 passed** in run 1"]


def test_summary_that_cannot_be_written(project: Project, tmp_path: Path) -> None:
    """A summary that cannot be written is told with its path and reason, and changes nothing else."""
    env = {**environment(tmp_path), "GITHUB_STEP_SUMMARY": str(tmp_path)}
    ran = project.report("-k", "ok", env=env, exits=0)
    assert f"the job's summary could not be written: {tmp_path}: " in ran.out
    assert "1 of 1 result delivered" in ran.out


def test_full_summary(project: Project, tmp_path: Path) -> None:
    """Where the step has written all that it may, nothing is added and that is told."""
    summary = tmp_path / "summary.md"
    summary.write_text("x" * (1024 * 1024 - 20))
    ran = project.report("-k", "ok", env=environment(tmp_path))
    assert f"the job's summary is not shown: {summary} holds all that a step may write" in ran.out
    assert summary.stat().st_size == 1024 * 1024 - 20


def test_github_marks_can_be_switched_off(project: Project, tmp_path: Path) -> None:
    """With ``automation_report_ci_annotations = false`` GitHub marks nothing; others mark only when asked to."""
    for option, env in (
        ("-oautomation_report_ci_annotations=false", environment(tmp_path)),
        ("-v", session_environment(TF_BUILD="True")),
    ):
        ran = project.report(option, env=env, exits=1)
        assert [line for line in ran.out.splitlines() if line.startswith(("::", "##vso"))] == []


def test_doctests_are_marked_at_their_example(project: Project, tmp_path: Path) -> None:
    """A doctest is marked at the line of the example that failed, with what was expected and what came."""
    project.write(
        "adding.py",
        'def add():\n    """Add.\n\n    >>> 1 + 1\n    2\n    >>> 1 + 2\n    4\n    """\n\n\n'
        'def boom():\n    """\n    >>> [][0]\n    """\n',
    )
    ran = project.report("--doctest-modules", "adding.py", env=environment(tmp_path))
    place, raised = "::error file=shop/adding.py,line=", "UNEXPECTED EXCEPTION: IndexError('list index out of range')"
    assert sorted(line for line in ran.out.splitlines() if line.startswith("::")) == [
        f"{place}13,title=adding.boom::adding.adding.boom: [][0]: {raised}",
        f"{place}6,title=adding.add::adding.adding.add: 1 + 2: Expected: 4 Got: 3",
    ]


def test_azure_and_teamcity_marks(project: Project, tmp_path: Path) -> None:
    """Azure and TeamCity get lines of their own."""
    option = "-oautomation_report_ci_annotations=true"
    env = session_environment(TF_BUILD="True", BUILD_SOURCESDIRECTORY=str(tmp_path / "repository"))
    ran = project.report(option, "-k", "error", env=env)
    mark = "##vso[task.logissue type=error;sourcepath=shop/test_suite.py;linenumber=13;]"
    assert f"{mark}test_suite.test_error: {ERROR}" in ran.out.splitlines()
    ran = project.report(option, "-k", "error", env=session_environment(TEAMCITY_VERSION="2025.03"))
    assert f"##teamcity[message text='test_suite.test_error: {ERROR}' status='WARNING']" in ran.out.splitlines()


def test_gitlab_links(project: Project, server: CheckedServer) -> None:
    """GitLab gets a report of links to the run, in the file that the job of the page about CI names."""
    env = session_environment(GITLAB_CI="true", CI_JOB_URL="https://gitlab.example.org/jobs/5")
    option = "-oautomation_report_ci_annotations=true"
    assert project.report(option, "-k", "error", address=server.address, env=env).exit == 1
    report = project.root / yaml.safe_load(block("docs/ci.md", "# GitLab"))["artifacts"]["reports"]["annotations"]
    (links,) = json.loads(report.read_text()).values()
    assert {each["external_link"]["url"] for each in links} == {f"{server.address}/automation/runs/view/1"}
    assert links[1]["external_link"]["label"] == f"test_suite.test_error: {ERROR}"
    assert project.report(option, "-k", "error", env=env).exit == 1
    (links,) = json.loads(report.read_text()).values()
    assert {each["external_link"]["url"] for each in links} == {"https://gitlab.example.org/jobs/5"}


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """Return a program that stands for Buildkite's agent and writes down what it is given."""
    path = tmp_path / "bin" / "buildkite-agent"
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\necho "$@" > "{tmp_path}/arguments"\ncat > "{tmp_path}/text"\nexit ${{AGENT_EXIT:-0}}\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _buildkite(path: str, **more: str) -> dict[str, str]:
    return {**session_environment(BUILDKITE="true", BUILDKITE_JOB_ID="01-ab", PATH=path), **more}


def test_buildkite_annotation(project: Project, tmp_path: Path, agent: Path) -> None:
    """Buildkite's agent is given the page, once for each job."""
    option = "-oautomation_report_ci_annotations=true"
    path = f"{agent.parent}{os.pathsep}{os.environ['PATH']}"
    assert project.report(option, env=_buildkite(path)).exit == 1
    assert (tmp_path / "arguments").read_text().split() == [
        "annotate", "--style", "error", "--context", "automation-report-01-ab",
    ]  # fmt: skip
    assert lines_of(tmp_path / "text")[2] == "**2 failed, 1 error, 1 passed, 1 skipped** in run 1"
    ran = project.report(option, "-k", "ok", env=_buildkite(path, AGENT_EXIT="3"), exits=0)
    assert "the build is not annotated: buildkite-agent ended with status 3" in ran.out


def test_buildkite_without_agent(project: Project, tmp_path: Path) -> None:
    """Where there is no agent, that is told and changes nothing else."""
    ran = project.report("-oautomation_report_ci_annotations=true", "-k", "ok", env=_buildkite(str(tmp_path)), exits=0)
    assert "the build is not annotated: buildkite-agent is not in the PATH" in ran.out
