import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from support.projects import MIXED, Project, console, paused

LATER = "--automation-report-delivery=later"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", MIXED)


def aged(session: Path, days: float) -> None:
    """Make all files of a session so many days old."""
    moment = time.time() - days * 86_400
    for each in session.iterdir():
        os.utime(each, (moment, moment))


def test_session_that_never_began_is_nobodys(project: Project) -> None:
    """What pytest leaves when it is killed before its session is whole is not sent, and removed after a day."""
    project.report(LATER)
    (session,) = project.sessions
    hidden = session.rename(session.with_name(f".{session.name}"))
    project.report()
    sent = console(project.root, "send")
    assert (sent.exit, hidden.exists()) == (0, True), sent.text
    aged(hidden, 1.1)
    os.utime(hidden, (0, 0))
    project.report()
    assert not hidden.exists()


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
    (project.root / "conftest.py").write_text(DYING)
    assert project.report(LATER).exit == -signal.SIGKILL
    (left,) = (project.state / "spool").glob(".2*")
    assert list(left.iterdir()) == []
    assert console(project.root, "spool", "list").err == "the spool is empty\n"
    assert console(project.root, "send").exit == 0


def test_session_that_somebody_works_on_stays(project: Project) -> None:
    """A session whose pytest runs, or that a sender holds, is neither dropped nor pruned."""
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


def test_next_session_tells_of_those_before(project: Project) -> None:
    """What earlier sessions left is told in one line with the command that sends it, and removed when it is old."""
    project.report(LATER)
    project.report(LATER)
    first, second = sorted(project.sessions)
    ran = project.report()
    send = f"automation-report send --spool={project.state / 'spool'} --url=local"
    send = f"{send} --database={project.state / 'store.sqlite3'} --project-id=1"
    assert f"2 earlier sessions are kept in .automation-report/spool: send with {send}\n" in ran.out, ran.text
    assert "removed" not in ran.out
    aged(first, 15)
    ran = project.report("-o", "automation_report_keep_spool=14")
    assert f"1 earlier session is kept in .automation-report/spool: send with {send}\n" in ran.out, ran.text
    assert "1 earlier session removed, kept for 14 days without being sent\n" in ran.out
    assert project.sessions == [second]
    assert "earlier" not in project.report("-q").out
    console(project.root, "spool", "drop", "--all")
    assert "earlier" not in project.report().out


@pytest.mark.parametrize("names", [(), ("sender.log",), ("lock",), ("ledger", "sender.log", "lock")])
def test_folder_without_a_session_is_nothing(project: Project, names: tuple[str, ...]) -> None:
    """A folder in which a killed process has left nothing to send is passed over, and removed."""

    def left() -> Path:
        folder = project.state / "spool" / "20260102T030405-00000001"
        folder.mkdir(parents=True, mode=0o700)
        for name in names:
            (folder / name).touch()
        return folder

    folder = left()
    assert console(project.root, "spool", "list").err == "the spool is empty\n"
    assert "spool: nothing waits in" in console(project.root, "doctor").text
    assert folder.exists()
    sent = console(project.root, "send")
    assert (sent.exit, "nothing to send" in sent.err, folder.exists()) == (0, True, False), sent.text
    left()
    assert "earlier" not in project.report().out
    assert not folder.exists()
    left()
    assert console(project.root, "spool", "drop", "--all").exit == 0
    assert not folder.exists()
