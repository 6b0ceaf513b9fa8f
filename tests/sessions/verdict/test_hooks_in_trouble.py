"""What other plugins and broken parts of this package do to its hooks changes no verdict of pytest."""

import json
import socket
from collections.abc import Iterator

import pytest

from support.projects import Project, console

FAILS = "def test_a():\n    assert [1] == [2]\ndef test_b(): pass\n"
DROPS_TRACEBACK = """
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(call):
    error = call.excinfo
    error._excinfo = error.type, error.value, None
"""

BREAKS = """
import pytest
from pytest_automation_report.{module} import {owner}
def broken(*_, **__):
    raise RuntimeError("broken on purpose")
{owner}.{name} = broken
"""


def test_traceback_that_another_plugin_has_dropped(project: Project) -> None:
    """A failed comparison whose traceback is gone fails as without reporting, and the next test runs."""
    project.write("test_suite.py", FAILS)
    project.write("conftest.py", DROPS_TRACEBACK)
    ran = project.report()
    assert (ran.exit, "1 failed, 1 passed" in ran.out) == (1, True), ran.text
    assert "INTERNALERROR" not in ran.text
    assert "error in reporting" not in ran.text


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [
        ("session.end", "TerminalReport", "header"),
        ("session.end", "TerminalReport", "write_summary"),
        ("recording.collector", "AnnotationCollector", "set_up"),
        ("recording.hooks", "AnnotationHooks", "_describe"),
        ("recording.recorder", "FailedComparisons", "keep"),
    ],
)
def test_broken_hook_changes_no_verdict(project: Project, module: str, owner: str, name: str) -> None:
    """An error inside any hook of this package leaves pytest's exit status and its results as they are."""
    project.write("test_suite.py", FAILS)
    describe = "\ndef pytest_automation_report_describe_test(item, report): pass\n"
    project.write("conftest.py", BREAKS.format(module=module, owner=owner, name=name) + describe)
    ran = project.report()
    assert (ran.exit, "1 failed, 1 passed" in ran.out) == (1, True), ran.text
    assert "INTERNALERROR" not in ran.text


def test_session_that_cannot_be_set_up(project: Project) -> None:
    """An error of this package at the start leaves the session unreported, and says so without the token."""
    project.write("broken_setup.py", BREAKS.format(module="session", owner="setup", name="session_setup"))
    ran = project.report("-p", "broken_setup")
    assert (ran.exit, "1 passed" in ran.out) == (0, True), ran.text
    assert "automation report: error in reporting: pytest_configure: RuntimeError: broken on purpose" in ran.out
    assert not project.state.exists()


@pytest.fixture
def closed_port() -> Iterator[str]:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


FROZEN = """
import json
from freezegun import freeze_time
freeze_time("2020-01-01").start()
{more}
"""
INDENTED = """
encode = json.dumps
json.dumps = lambda value, **options: encode(value, indent=2)
"""


@pytest.mark.parametrize("more", ["", INDENTED, "json.dumps = json.loads = None"], ids=["", "indented", "no-json"])
def test_frozen_clock_and_patched_json(project: Project, closed_port: str, more: str) -> None:
    """Where a conftest stops the clock and replaces `json`, a server that is down costs as little time as ever."""
    project.write("conftest.py", FROZEN.format(more=more))
    ran = project.report(address=closed_port)
    assert (ran.exit, "1 passed" in ran.out) == (0, True), ran.text
    assert "1 result kept" in ran.out
    assert "error in reporting" not in ran.out
    (session,) = project.sessions
    assert not session.name.startswith("2020")


def test_clock_that_is_moved_removes_no_sessions(project: Project) -> None:
    """A conftest that moves the clock to 2099 does not make kept results old enough to be removed."""
    project.write("pytest.ini", "[pytest]\nautomation_report_delivery = later\n")
    assert project.report().exit == 0
    project.write("conftest.py", "import time_machine\ntime_machine.travel('2099-01-01', tick=False).start()\n")
    assert project.report().exit == 0
    assert len(project.sessions) == 2


def test_results_have_their_true_times(project: Project) -> None:
    """The run of a suite with a frozen clock is named and dated by the real one."""
    project.write("conftest.py", FROZEN.format(more=""))
    assert project.report().exit == 0
    listed = json.loads(console(project.root, "run", "list", "--json").out)
    assert "2020-01-01" not in listed["result"][0]["name"]
