"""The sender starts while pytest configures itself: a session that never begins, or has no spool, leaves nothing."""

import os
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project
from support.session_processes import eventually
from support.sessions import session_environment

pytestmark = pytest.mark.usefixtures("no_forks")

NEVER_BEGINS = """
import os, pathlib, pytest, time

def is_own_sender(path):
    try:
        is_sender = b"pytest_automation_report sender" in path.read_bytes()
        return is_sender and os.getcwdb() in (path.parent / "environ").read_bytes()
    except OSError:  # it has ended
        return False

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    found, end = [], time.monotonic() + 20
    while not found and time.monotonic() < end:  # the process exists before it is the sender
        found = [path.parent.name for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if is_own_sender(path)]
    pathlib.Path("sender").write_text(found[0])
    raise pytest.UsageError("not today")
"""

LOOKS_FOR_CHILDREN = """
import os, pathlib

def test_alone():
    assert pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""
    pipes = {}
    for name in os.listdir("/proc/self/fd"):
        if os.path.lexists(f"/proc/self/fd/{name}"):  # the listing itself had a descriptor
            pipes[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    standard = {pipes[number] for number in (0, 1, 2)}  # pytest's faulthandler has a copy of one
    assert [pipe for pipe in set(pipes.values()) - standard if pipe.startswith("pipe:")] == []
"""


def test_session_that_never_begins_leaves_no_sender(project: Project, server: CheckedServer) -> None:
    """If pytest stops before its session, the sender that waits for it ends, and nothing is sent or spooled."""
    project.write("conftest.py", NEVER_BEGINS)
    # Only this variable is passed on to the sender: by it the test recognises the project's own.
    env = {**session_environment(), "LD_LIBRARY_PATH": os.fspath(project.root)}
    ran = project.report(address=server.address, env=env, exits=4)
    assert "not today" in ran.text
    sender = Path("/proc", (project.root / "sender").read_text(), "cmdline")
    eventually(lambda: not sender.exists() or b"report sender" not in sender.read_bytes(), "the sender has ended")
    assert project.sessions == []
    assert server.tests() == []


def test_session_without_a_spool_has_no_child(project: Project, server: CheckedServer) -> None:
    """A session whose spool cannot be written runs its tests without a child or a pipe of ours."""
    project.write("test_suite.py", LOOKS_FOR_CHILDREN)
    project.write("taken", "")
    env = {**session_environment(), "HOME": "", "XDG_STATE_HOME": ""}
    ran = project.report("-o", "automation_report_spool=taken/spool", "-s", address=server.address, env=env, exits=0)
    assert "nothing can be reported" in ran.text


def test_tests_see_no_child_and_no_pipe(project: Project, server: CheckedServer) -> None:
    """When the first test runs, the sender is independent and has all it needs."""
    project.write("test_suite.py", LOOKS_FOR_CHILDREN)
    project.report("-s", address=server.address, exits=0)
    assert len(server.tests()) == 1
