"""A spool that somebody else may have had a hand in: nothing of it is sent, it stays as it is, the hint is told."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_automation_report.cli.send import read_spooled_session
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.sessions import LeftoverCounts, expire_old_sessions
from support.delivered_results import assert_complete
from support.fault_projects import NUMBERED
from support.scripted_server.server import ScriptedServer
from support.session_processes import sent
from support.sessions import clean_environment, run

assert sys.platform != "win32"

NOBODY = 65534
CONSOLE = (sys.executable, "-m", "pytest_automation_report.cli")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_spool_of_another_owner_is_not_sent(tmp_path: Path, server: ScriptedServer, session: Path) -> None:
    """A session that belongs to another user, or has a link in it, is kept as it is; what is told helps."""
    os.chown(session, NOBODY, -1)
    (session / "gw0.records").symlink_to("/etc/passwd")
    hints: list[tuple[str, Callable[[], None]]] = [
        (f"it belongs to user {NOBODY}: send it as that user, or chown it", lambda: os.chown(session, 0, -1)),
        (f"{session / 'gw0.records'} is a link or a pipe", (session / "gw0.records").unlink),
    ]
    for says, hint in hints:
        before = sorted(each.name for each in session.iterdir())
        ran = sent(tmp_path, server, exits=3)
        assert f"{session.name}: kept: {says}" in ran.err
        assert server.log == []
        assert sorted(each.name for each in session.iterdir()) == before
        hint()
    assert sent(tmp_path, server).exit == 0
    assert_complete(server, NUMBERED)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
def test_session_that_another_user_may_not_read(session: Path) -> None:
    """What another user has left, where this one may not look, is counted as kept and listed; nothing else is lost."""
    (hidden := session.with_name(".20260101T000000-00000001")).mkdir(mode=0o700)
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        spool = Path(shutil.move(session.parent, root / "spool"))
        for each in (root, spool):
            each.chmod(0o755)
        os.seteuid(NOBODY)
        try:
            found = expire_old_sessions(spool, SessionFolder(spool / "own"), keep_days=14, now=time.time())
            listed = read_spooled_session(SessionFolder(spool / session.name), time.time())
        finally:
            os.seteuid(0)
        assert found == LeftoverCounts(kept=1)
        assert (listed.state, listed.left) == ("unreadable", 0)
        assert "Permission denied" in listed.error
        assert (spool / hidden.name).exists()
    finally:
        shutil.rmtree(root)


def test_spool_list_waits_for_no_pipe(tmp_path: Path, session: Path) -> None:
    """A session whose files are pipes is listed as one that cannot be read; the command does not wait for them."""
    (session / "session.json").unlink()
    os.mkfifo(session / "session.json")
    ran = run([*CONSOLE, "spool", "list"], tmp_path, clean_environment(), exits=0)
    assert "it is not a file" in ran.out
