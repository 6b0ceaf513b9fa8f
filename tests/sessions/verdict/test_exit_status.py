"""A session that a plugin ends with exit status 1 although no test failed is red everywhere, and says why."""

import json
import re
from html import unescape

import pytest

from support.projects import Project, console
from support.scripted_server.server import ScriptedServer
from support.session_processes import eventually, spools
from support.sessions import TOKEN, session_environment

SAID = "pytest ended with 1 although no test failed: a plugin, for instance coverage"
SUITE = "def test_a(): pass\ndef test_b(): pass\n"

SETTERS = {
    "plain": "def pytest_sessionfinish(session): session.exitstatus = 1",
    "first": "@pytest.hookimpl(tryfirst=True)\ndef pytest_sessionfinish(session): session.exitstatus = 1",
    "last": "@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session): session.exitstatus = 1",
    "wrapper": """
@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session):
    result = yield
    session.exitstatus = 1
    return result
""",
    "summary": "def pytest_terminal_summary(terminalreporter): terminalreporter._session.exitstatus = 1",
    "pytest.exit": "def pytest_sessionfinish(session): pytest.exit('too low', returncode=1)",
    # As pytest-cov does it: pytest's own count of failures is one more.
    "testsfailed": """
@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    result = yield
    if not hasattr(session.config, "workerinput"):
        session.testsfailed += 1
    return result
""",
}


def setter(project: Project, name: str) -> None:
    project.write("conftest.py", f"import pytest\n{SETTERS[name]}\n")


def markdown(project: Project) -> str:
    return console(project.root, "run", "export", "--format", "markdown", exits=0).out


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["one process", "a worker"])
@pytest.mark.parametrize("name", SETTERS)
def test_a_plugin_ends_the_session(project: Project, name: str, workers: tuple[str, ...]) -> None:
    """However late the plugin sets it, the run is red in summary, list, Markdown and gate, with the reason."""
    project.tests(SUITE)
    project.report(exits=0)
    setter(project, name)
    ran = project.report(*workers, exits=1)
    assert f"{ran.out}{ran.err}".count(SAID) == (name != "pytest.exit"), ran.text
    eventually(lambda: spools(project.root) == [], "all is delivered")  # pytest does not wait for it after such an exit
    assert markdown(project).startswith(f"### ❌ {SAID}\n")
    assert "ended with 1" in console(project.root, "run", "list", exits=0).text
    gate = console(project.root, "gate", exits=3).err
    assert gate.count(SAID) == 1
    assert "--allow-partial" not in gate
    assert SAID in console(project.root, "gate", "--allow-partial", exits=3).err
    assert SAID in console(project.root, "failures").text


def test_an_exit_status_that_comes_too_late(project: Project) -> None:
    """What a helper of a plugin sets behind pytest's summary is too late for the run, and stderr says so."""
    project.tests(SUITE)
    project.write(
        "conftest.py",
        """
        def pytest_sessionstart(session): session.config.late = lambda: setattr(session, "exitstatus", 1)
        def pytest_terminal_summary(config): config.late()
        """,
    )
    assert f"{SAID}, which set it too late for the run" in project.report(exits=1).err


@pytest.mark.parametrize(
    ("suite", "arguments", "exits"),
    [
        ("def test_a(): assert 0\n", (), 1),
        ("import pytest\n@pytest.mark.xfail(strict=True)\ndef test_a(): pass\n", (), 1),
        ("def test_a(): assert 0\ndef test_b(): pass\n", ("-x",), 1),
        ("def test_a(): assert 0\ndef test_b(): assert 0\n", ("--maxfail=1",), 1),
        ("import pytest\n@pytest.fixture\ndef f():\n    yield\n    assert 0\ndef test_a(f): pass\n", (), 1),
        ("def test_a(subtests):\n    with subtests.test(): assert 0\n", (), 1),
        ("import nothing_like_this\n", ("--continue-on-collection-errors",), 1),
        ("import os\ndef test_a(): os._exit(1)\ndef test_b(): pass\n", ("-n1",), 1),
        ("runs = []\ndef test_a():\n    runs.append(1)\n    assert len(runs) > 1\n", ("--reruns=1",), 0),
        ("import pytest\ndef test_a(): pytest.exit('enough', returncode=1)\n", (), 1),
    ],
    ids=["failure", "strict", "-x", "--maxfail", "teardown", "subtest", "collection", "crash", "rerun", "pytest.exit"],
)  # fmt: skip
def test_other_sessions_do_not_say_so(project: Project, suite: str, arguments: tuple[str, ...], exits: int) -> None:
    """A session whose exit status a failure explains, or that ended before its last test, is as it was."""
    project.tests(suite)
    ran = project.report(*arguments, exits=exits)
    assert "although no" not in ran.text + console(project.root, "run", "show", exits=0).text + markdown(project)


@pytest.mark.parametrize("is_set", [True, False])
def test_known_failures_explain_nothing(project: Project, is_set: bool) -> None:  # noqa: FBT001 - a parameter
    """Known failures leave exit status 0: where it is 1, a plugin has set it, and the gate stays shut."""
    project.tests("def test_a(): pass\ndef test_b(): assert 0\n")
    project.write("pytest.ini", "[pytest]\nautomation_report_known = known.txt\n")
    project.write("known.txt", "until 2999-12-31 test_suite.py::test_b SHOP-1\n")
    project.report(exits=0)
    if is_set:
        setter(project, "testsfailed")
    ran, other = project.report(exits=int(is_set)), SAID.replace("no test", "no other test")
    assert (other in ran.out) is is_set
    assert (other in console(project.root, "gate", exits=3 if is_set else 0).err) is is_set
    assert markdown(project).startswith("### ❌ 1 of 2" if is_set else "### ⚠️ 1 of 2")
    assert (other in markdown(project)) is is_set


def test_a_failure_beside_it_explains_it(project: Project) -> None:
    """Where tests failed, too, nobody can tell: the run is red for these."""
    project.tests("def test_a(): assert 0\n")
    setter(project, "plain")
    assert "although no" not in project.report(exits=1).text


@pytest.mark.parametrize("extensions", ["", "session, started"], ids=["Testmo", "ours"])
def test_only_a_server_of_ours_gets_the_value(project: Project, extensions: str) -> None:
    """How the session ended is a field for a Testmo instance, and a value with the time for one that stores it."""
    project.tests(SUITE)
    setter(project, "plain")
    with ScriptedServer(token=TOKEN, extensions=extensions) as server:
        assert SAID in project.report(address=server.address, exits=1).out
        (note,) = [each.json for each in server.log if re.search(r"/runs/\d+/append$", each.path)]
    sent = [each.json for each in server.log if each.path.endswith("/append") and "tests" in str(each.json)]
    if extensions:
        last = max(test["started"] + test["elapsed"] for each in sent for test in each["tests"])
        lasted = note["session"]["ended"] - sent[0]["session_started"]
        assert last <= lasted < 60_000_000, "on the clock of its start"
        ending = {"state": "ended", "status": 1, "is_unexplained": True}
        assert (note["session"]["ending"], "fields" in note) == (ending, False)
    else:
        (field,) = note["fields"]
        assert (field["name"], field["value"]) == ("Session", "ended by a plugin, no test failed (exit status 1)")
        assert "session" not in note


def test_ci_page(project: Project) -> None:
    """The summary of the CI job has the reason in bold, once."""
    project.tests(SUITE)
    setter(project, "plain")
    page = project.root / "page.md"
    page.touch()
    env = session_environment(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(page))
    project.report(exits=1, env=env)
    assert unescape(page.read_text()).count(f"**{SAID}**") == 1


def test_the_value_is_in_the_findings(project: Project) -> None:
    """The document of findings has the exit status as a number, 0 without one."""
    project.tests(SUITE)
    found = []
    for name in ("", "plain"):
        if name:
            setter(project, name)
        project.report()
        document = json.loads(console(project.root, "run", "findings", "--json", exits=0).out)
        found.append((document["ran"]["unexplained_exit"], document["verdict"]["kind"], document["verdict"]["tone"]))
    assert found == [(0, "passed", "pass"), (1, "exit", "fail")]
