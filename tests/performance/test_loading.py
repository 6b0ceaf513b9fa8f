import json
import sys

import pytest

from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import reporting_arguments, run, session_environment

OURS = "pytest_automation_report"

# What a session must never pay for: the sender's and the server's packages.
COSTLY = {"requests", "urllib3", "click", "falcon", "waitress", "jinja2", "sqlite3", "_sqlite3"}

MOST_MODULES = 52
"""Modules of ours that a reported session loads in pytest's process, folders included."""

RUNNER = """
import json, sys
import pytest
code = pytest.main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump({name: type(getattr(module, "__loader__", None)).__name__ for name, module in sys.modules.items()}, file)
sys.exit(code)
"""
"""Runs pytest with all arguments but the first, which names a file for all modules at the end, and their loaders."""


def loaders(project: Project, *arguments: str, exits: int = 0) -> dict[str, str]:
    """Return the modules that a session with these arguments has loaded at its end, with the names of their loaders."""
    runner, found = project.write("runner.py", RUNNER), project.root / "modules.json"
    run([sys.executable, str(runner), str(found), *arguments], project.root, session_environment(), exits=exits)
    modules: dict[str, str] = json.loads(found.read_text())
    return modules


def modules(project: Project, *arguments: str) -> set[str]:
    return set(loaders(project, *arguments))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_session_that_is_not_reported_loads_the_entry_alone(arguments: list[str], project: Project) -> None:
    """Help, version and a session without reporting load plugin, settings' table and hooks, nothing besides."""
    bare = modules(project, *arguments, "-p", "no:automation-report")
    assert not bare & {*COSTLY, "msgspec"}, "another plugin loads what this test looks for"
    assert modules(project, *arguments) - bare <= {
        "pytest_automation_report", "pytest_automation_report.guards", "pytest_automation_report.hookspecs",
        "pytest_automation_report.unpatched", "pytest_automation_report.plugin", "pytest_automation_report.settings",
        "pytest_automation_report.settings.settings",
    }  # fmt: skip


@pytest.mark.parametrize("is_remote", [False, True])
def test_session_loads_no_sender_and_server(project: Project, server: CheckedServer, *, is_remote: bool) -> None:
    """The process of a reported session loads neither the HTTP client nor the server nor a database."""
    arguments = reporting_arguments(server.address if is_remote else None)[3:]
    loaded = modules(project, *arguments)
    assert "pytest_automation_report.session.runtest_hooks" in loaded
    assert {each for each in loaded if each.partition(".")[0] in COSTLY} == set()


def test_reported_session_loads_nothing_that_it_does_not_need(project: Project) -> None:
    """A session of passing tests, without xdist's workers, annotations or a project's file, loads nothing for those."""
    loaded = modules(project, *reporting_arguments()[3:]) - modules(project, "-p", "no:automation-report")
    seldom = (
        "session.xdist", "summary.ci_page", "junit.sessions", "session.console", "session.selection",
        "spool.sessions", "recording.user_code", "ci.providers",
        "settings.console", "settings.parsers", "settings.servers", "settings.token",
        "findings.known", "findings.sentences",
        *(f"recording.{each}" for each in ("functions", "hooks")),
    )  # fmt: skip
    assert loaded & {"tomllib", "tomli", *(f"pytest_automation_report.{each}" for each in seldom)} == set()
    # Each costs 0.2 ms at every start: a session that needs more has a reason, and the number stands here.
    assert len([name for name in loaded if name.startswith("pytest_automation_report")]) <= MOST_MODULES


REWRITING_SUITE = """
import sys
from pytest_automation_report import step

def test_comparison():
    print("\\x1b[31mred\\x1b[0m")
    assert [1, 2] == [1, 3]

def test_fixture(automation_report):
    with step("one"):
        automation_report.field("name", "value")

def test_last():
    assert ({"comparison", "visible"} <= {name.rpartition(".")[2] for name in sys.modules}) == IS_REPORTED
"""


@pytest.mark.parametrize("is_reported", [False, True])
def test_pytest_rewrites_no_asserts_of_ours(project: Project, *, is_reported: bool) -> None:
    """Of an installed package, whose modules pytest marks to rewrite their asserts, two pass through its hook."""
    project.write("marks.py", "import pytest; pytest.register_assert_rewrite('pytest_automation_report')")
    project.write("test_suite.py", f"IS_REPORTED = {is_reported}\n{REWRITING_SUITE}")
    arguments = reporting_arguments()[3:] if is_reported else ["-p", "no:cacheprovider"]
    found = loaders(project, "-p", "marks", *arguments, exits=1)
    rewritten = {name for name, loader in found.items() if loader == "AssertionRewritingHook" and name.startswith(OURS)}
    assert rewritten == {OURS, f"{OURS}.plugin"}


WORKER_SUITE = f"""
import sys

def test_modules():
    assert "pytest_automation_report.session.runtest_hooks" in sys.modules
    assert not {COSTLY!r} & set(sys.modules)
"""


def test_worker_loads_nothing_of_sender_and_server(project: Project, server: CheckedServer) -> None:
    """A worker of a reported session loads neither the HTTP client nor the server nor a database."""
    project.write("test_suite.py", WORKER_SUITE)
    project.report("-n1", address=server.address, exits=0)
    assert [worker for worker, _ in server.tests()] == ["gw0"]


NAMES_SUITE = """
from types import ModuleType

def test_names(pytestconfig):
    plugins = [
        plugin for plugin in pytestconfig.pluginmanager.get_plugins()
        if (plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__).startswith("pytest_auto")
    ]
    assert len(plugins) == 5
    others = {name for plugin in plugins for name in dir(plugin) if not name.startswith("pytest_")}
    assert others == {"automation_report", "record_testsuite_property"}
"""


def test_plugins_name_their_hooks_and_fixtures_alone(project: Project) -> None:
    """pytest, which looks at each name of a plugin at every start, finds no other names than hooks and fixtures."""
    project.write("test_suite.py", NAMES_SUITE)
    project.report(exits=0)
