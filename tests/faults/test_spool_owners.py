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
from pytest_automation_report.text.files import find_other_writers
from support.delivered_results import assert_complete
from support.fault_projects import NUMBERED
from support.projects import Project
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
        (f"it belongs to user {NOBODY}: work as that user, or chown it", lambda: os.chown(session, 0, -1)),
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


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
SUITE = "def test_one():\n    pass\n"


def _given_away(place: Path) -> None:
    os.chown(place, NOBODY, -1)


def _opened(place: Path) -> None:
    place.chmod(place.stat().st_mode | 0o022)


def changed(given_away: str, opened: str) -> pytest.MarkDecorator:
    """Give one of these places to another user, and let others write to the other one."""
    foreign = pytest.param(given_away, _given_away, f"it belongs to user {NOBODY}", marks=ROOT_ONLY)
    return pytest.mark.parametrize(("name", "act", "says"), [foreign, (opened, _opened, "others can write to it")])


@changed(".automation-report", ".automation-report/spool")
def test_a_session_uses_no_folder_that_another_user_can_change(
    tmp_path: Path, name: str, act: Callable[[Path], None], says: str
) -> None:
    """The tests go on and are kept in the user's own folder; a session with no such folder says why it reports nothing.

    The commands refuse the folder with exit code 2.
    """
    project = Project(tmp_path / "project", SUITE)
    place = project.root / name
    place.mkdir(parents=True, mode=0o700)
    act(place)
    before = sorted(path.relative_to(place) for path in place.rglob("*"))
    state = tmp_path / "state"
    kept = project.report("--automation-report-delivery=later", env=clean_environment(XDG_STATE_HOME=str(state)))
    assert "1 passed" in kept.out
    assert f"{place} is not used: {says}" in " ".join(kept.text.split())
    assert [path for path in state.rglob("*.records") if path.stat().st_size], kept.text
    alone = project.report("--automation-report-delivery=later", env=clean_environment(HOME="", XDG_STATE_HOME=""))
    assert "1 passed" in alone.out
    assert f"{place} is not used: {says}" in " ".join(alone.text.split())
    assert sorted(path.relative_to(place) for path in place.rglob("*")) == before
    for words in (["send"], ["spool", "list"]):
        assert f"{place} is not used: {says}" in run([*CONSOLE, *words], project.root, clean_environment(), exits=2).err


@changed(".automation-report/store.sqlite3", ".automation-report")
def test_no_command_uses_a_store_that_another_user_can_change(
    tmp_path: Path, name: str, act: Callable[[Path], None], says: str
) -> None:
    """A store's file or folder of another user, or that others can write, is refused: by serve, and by what reads it.

    A session keeps its results, and says why they are not stored.
    """
    project = Project(tmp_path / "project", SUITE)
    assert "1 passed" in project.report(env=clean_environment()).out
    place = project.root / name
    act(place)
    for words in (["serve"], ["run", "list"], ["gate"], ["store", "check"]):
        ran = run([*CONSOLE, *words], project.root, clean_environment(), exits=2)
        assert f"{place} is not used: {says}" in ran.err, words
    if place.is_file():
        ran = project.report(env=clean_environment())
        assert "1 passed" in ran.out
        assert f"is not used: {says}" in " ".join(ran.text.split())


@ROOT_ONLY
def test_another_user_cannot_lend_a_folder() -> None:
    """A user's own process refuses what root or another user has made for it, but takes a sticky folder of root."""
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        root.chmod(0o755)
        for name, mode in (("sticky", 0o1777), ("open", 0o777), ("other", 0o755)):
            (root / name).mkdir()
            (root / name).chmod(mode)
        os.chown(root / "other", NOBODY - 1, -1)
        os.seteuid(NOBODY)
        try:
            found = {path.name: find_other_writers(path, is_shared=True) for path in sorted(root.iterdir())}
            own = find_other_writers(root / "sticky")
        finally:
            os.seteuid(0)
    finally:
        shutil.rmtree(root)
    assert found["sticky"] == ""
    assert found["open"].startswith("others can write to it")
    assert found["other"].startswith(f"it belongs to user {NOBODY - 1}")
    assert own.startswith("it belongs to user 0")


def test_spool_list_waits_for_no_pipe(tmp_path: Path, session: Path) -> None:
    """A session whose files are pipes is listed as one that cannot be read; the command does not wait for them."""
    (session / "session.json").unlink()
    os.mkfifo(session / "session.json")
    ran = run([*CONSOLE, "spool", "list"], tmp_path, clean_environment(), exits=0)
    assert "it is not a file" in ran.out
