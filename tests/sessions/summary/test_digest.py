"""What failed, in the summary of a session: for coding agents by itself, for all others by a setting."""

import pytest

from pytest_automation_report.ci.detection import AGENTS, is_agent
from support.projects import Project, console
from support.repository import ROOT
from support.sessions import session_environment

SUITE = """
import pytest

@pytest.fixture
def server():
    raise ConnectionRefusedError("no server")

@pytest.mark.parametrize("port", range(20))
def test_outage(server, port): pass

def test_total():
    assert sum([20, 21]) == 42
"""
DIGEST = "20 tests: ConnectionRefusedError: no server\n  test_suite.py:6: raise ConnectionRefusedError"


@pytest.mark.parametrize("arguments", [(), ("-q",)], ids=["usual", "quiet"])
def test_an_agent_gets_the_digest(project: Project, arguments: tuple[str, ...]) -> None:
    """Where a variable says that a coding agent runs pytest, the summary has the digest that the command prints."""
    project.write("test_suite.py", SUITE)
    ran = project.report(*arguments, env=session_environment(CLAUDECODE="1"), exits=1)
    assert DIGEST in ran.out
    assert console(project.root, "failures").out.strip() in ran.out


@pytest.mark.parametrize(("value", "is_shown"), [("true", True), ("false", False)])
def test_the_setting_decides(project: Project, value: str, *, is_shown: bool) -> None:
    """The setting goes before the variable of an agent."""
    project.write("test_suite.py", SUITE)
    env = session_environment(CLAUDECODE="" if is_shown else "1")
    ran = project.report(f"-oautomation_report_digest={value}", env=env, exits=1)
    assert (DIGEST in ran.out) is is_shown


def test_variables_of_agents() -> None:
    """Each variable in the docs counts, unless it is empty or says no."""
    page = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
    for name in AGENTS:
        assert f"`{name}`" in page
        assert is_agent({name: "1"})
        assert not any(is_agent({name: text}) for text in ("", "0", "false"))
