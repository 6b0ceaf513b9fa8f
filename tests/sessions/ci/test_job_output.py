"""What sessions leave on the page of their CI job."""

import json
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


@pytest.mark.parametrize(
    "arguments",
    [(), ("-n2",), ("-p", "no:terminal"), ("-qq",), ("--no-summary",)],
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
    before, head, _, totals, _, *table = summary.read_text(encoding="utf-8").splitlines()
    assert before == "before"
    assert head == f"### Automation report: {name}"
    assert totals == (
        f"**2 failed, 1 error, 1 passed, 1 skipped** in [run 1](<{server.address}/automation/runs/view/1>)"
    )
    assert table[:2] == ["| Failed | Message |", "| --- | --- |"]
    assert sorted(table[2:]) == [
        f"| `test_suite.test_error` | `{ERROR}` |",
        "| `test_suite.test_fails[<b>]` | `AssertionError: assert '<b>' == '::add-mask::x'` |",
        "| `test_suite.test_fails[a\\|b]` | `AssertionError: assert 'a\\|b' == '::add-mask::x'` |",
    ]
    place = "::error file=shop/test_suite.py,line=9"
    assert sorted(line for line in ran.out.splitlines() if line.startswith("::")) == [
        f"::error file=shop/test_suite.py,line=13,title=test_error::test_suite.test_error: {ERROR}",
        f"{place},title=test_fails[<b>]::test_suite.test_fails[<b>]: AssertionError: assert '<b>' == '::add-mask::x'",
        f"{place},title=test_fails[a|b]::test_suite.test_fails[a|b]: AssertionError: assert 'a|b' == '::add-mask::x'",
    ]


def test_crashed_worker(project: Project, tmp_path: Path) -> None:
    """A test that crashed its worker, and one that failed before it there, are among the failures."""
    project.write("test_suite.py", "import os\ndef test_fails():\n    assert 0\ndef test_dies():\n    os._exit(3)\n")
    env = environment(tmp_path)
    assert project.report("-n1", "--max-worker-restart=0", env=env).exit == 1
    rows = (tmp_path / "summary.md").read_text().splitlines()[6:]
    assert rows[0].startswith("| `test_suite.test_dies` | `The worker gw0 crashed while it ran this test")
    assert rows[1] == "| `test_suite.test_fails` | `assert 0` |"


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
