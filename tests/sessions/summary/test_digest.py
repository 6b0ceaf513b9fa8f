"""What failed, in the summary of a session: for coding agents by itself, for all others by a setting."""

import re

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


OWN = ("FAILURES", "ERRORS", "short test summary info", "warnings summary")
GREEN = """
import warnings
import pytest

@pytest.mark.parametrize("number", range(200))
def test_passes(number):
    warnings.warn("old")
"""


@pytest.mark.parametrize("arguments", [("-q",), ("-q", "-n2"), ("-q", "-oautomation_report_digest=only")])
def test_the_digest_stands_in_place_of_pytests_own(project: Project, arguments: tuple[str, ...]) -> None:
    """For an agent, or by the setting, nothing of pytest's is left but progress and last line; the exit code stays."""
    project.write("test_suite.py", SUITE)
    env = session_environment() if "only" in arguments[-1] else session_environment(CLAUDECODE="1")
    ran = project.report(*arguments, env=env, exits=1)
    assert DIGEST in ran.out
    assert not any(words in ran.out for words in OWN)
    assert len(ran.out) < 1_500


@pytest.mark.parametrize("arguments", [
    ("-v",), ("--tb=short",), ("-rf",), ("-rfE",), ("-qq",), ("-q", "-oautomation_report_digest=false"),
    ("-q", "--automation-report-delivery=later"),
], ids=" ".join)  # fmt: skip
def test_whoever_asks_pytest_for_more_gets_it(project: Project, arguments: tuple[str, ...]) -> None:
    """And so does who wants no digest, who is shown nothing of ours, and whose digest could not be made."""
    project.write("test_suite.py", SUITE)
    ran = project.report(*arguments, env=session_environment(CLAUDECODE="1"), exits=1)
    assert all(words in ran.out for words in ("FAILURES", "ERRORS"))


def test_the_setting_true_shows_both(project: Project) -> None:
    """Without an agent the digest stands below pytest's own output."""
    project.write("test_suite.py", SUITE)
    ran = project.report("-oautomation_report_digest=true", exits=1)
    assert all(words in ran.out for words in (DIGEST, *OWN[:3]))


@pytest.mark.parametrize("arguments", [("-q",), ("-q", "-n2"), ("-q", "--color=yes")])
def test_a_green_session_costs_an_agent_two_lines(project: Project, arguments: tuple[str, ...]) -> None:
    """At most 200 characters and no link are beside the progress, also in colours, where tests warn, and at run 2."""
    project.write("test_suite.py", GREEN)
    for _ in range(2):
        ran = project.report(*arguments, env=session_environment(CLAUDECODE="1"), exits=0)
        said = [line for line in ran.out.splitlines() if "%]" not in line and "bringing up nodes" not in line]
        assert len("\n".join(said).strip()) <= 200, ran.out
        assert "200 of 200 results delivered" in ran.out
        assert not re.search(r"https?://|\x1b\]8;|automation-report open", "\n".join(said)), "no link"


MANY = """
import pytest

@pytest.mark.parametrize("word", [chr(97 + number) * 9 for number in range(26)])
def test_reasons(word):
    raise LookupError(f"{word} is not in the catalogue of all that was ever sold " * 3)
""" + "".join(
    f"""
def test_{name}():
    assert {{"{name}": [1, 2, 3], "total": 42}} == {{"{name}": [1, 2, 4], "total": 43}}, "the {name} differ"
"""
    for name in ("carts", "orders", "prices", "taxes", "stocks", "users", "mails", "bills")
)


def test_an_agent_reads_at_most_3500_characters(project: Project) -> None:
    """Of 34 reasons, with the header of pytest and its progress."""
    project.write("test_suite.py", MANY)
    ran = project.report(env=session_environment(CLAUDECODE="1"), exits=1)
    assert 2_000 < len(ran.out) <= 3_500, ran.out


def test_variables_of_agents() -> None:
    """Each variable in the docs counts, unless it is empty or says no."""
    page = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
    for name in AGENTS:
        assert f"`{name}`" in page
        assert is_agent({name: "1"})
        assert not any(is_agent({name: text}) for text in ("", "0", "false"))
