import os
import signal
import sys
from pathlib import Path

import pytest

from support.projects import MIXED, Project, console, paused
from support.sessions import run, session_environment

LATER = "--automation-report-delivery=later"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", MIXED)


DYING = """
import os, signal

def pytest_configure():
    opened = os.open

    def dying(path, *args, **kwargs):
        if os.fspath(path).endswith("session.json"):
            os.kill(os.getpid(), signal.SIGKILL)
        return opened(path, *args, **kwargs)

    os.open = dying
"""


def test_nobody_sees_a_session_before_it_is_whole(project: Project) -> None:
    """Pytest that is killed between the session's folder and what it is leaves nothing to send, list or explain."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    (project.root / "conftest.py").write_text(DYING)
    assert project.report(LATER).exit == -signal.SIGKILL
    (left,) = (project.state / "spool").glob(".2*")
    assert list(left.iterdir()) == []
    assert console(project.root, "spool", "list").err == "the spool is empty\n"
    assert console(project.root, "send").exit == 0


SENT_MEANWHILE = """
import shutil
from pytest_automation_report.cli import send
from pytest_automation_report.cli.main import main

session_age = send.session_age

def late(folder, now):
    shutil.rmtree(folder.path)
    return session_age(folder, now)

send.session_age = late
main(["spool", "list"])
"""


def test_session_that_is_sent_while_it_is_listed(project: Project) -> None:
    """A session whose sender removes it at this moment is not listed, and no error."""
    project.report(LATER)
    ran = run([sys.executable, "-c", SENT_MEANWHILE], project.root, session_environment())
    assert (ran.exit, ran.out, ran.err) == (0, "", "the spool is empty\n")


def test_session_that_somebody_works_on_stays(project: Project) -> None:
    """A session whose pytest runs, or that a sender holds, is neither dropped nor pruned."""
    if sys.platform == "win32":
        pytest.skip("locks of POSIX")
    import fcntl  # noqa: PLC0415 - Windows has none

    with paused(project, LATER):
        (session,) = project.sessions
        assert f"{session.name}  running" in console(project.root, "spool", "list").out
        dropped = console(project.root, "spool", "drop", "--all")
        assert (dropped.exit, dropped.out) == (3, "")
        assert f"{session.name}: kept: its pytest is still running" in dropped.err
    lock = os.open(session / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert f"{session.name}  sending" in console(project.root, "spool", "list").out
        dropped = console(project.root, "spool", "drop", "--all")
        assert (dropped.exit, dropped.out) == (3, "")
        assert f"{session.name}: kept: a sender is at work on it" in dropped.err
    finally:
        os.close(lock)
    assert project.sessions == [session]
