"""Processes killed while they make again what a test has deleted, just before it gets its name, and forked ones."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from pytest_automation_report.delivery.dispatcher import Delivery
from pytest_automation_report.recording.user_code import ArtifactSpool
from pytest_automation_report.spool.folder import SessionFolder, remove_session
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import OpenRecord
from pytest_automation_report.system.here import system
from support.delivered_results import assert_complete
from support.deliveries import SESSION_ID, WrittenSession, lived
from support.records import line
from support.scripted_server.server import ScriptedServer
from support.sessions import clean_environment, run

assert sys.platform != "win32"


def remake(folder: Path, who: str, *more: str) -> None:
    command = [sys.executable, "-m", "support.killed_recreation", who, str(folder), *more]
    run(command, folder, clean_environment(PYTHONPATH=os.pathsep.join(sys.path)), exits=-signal.SIGKILL)


def pids(files: SpoolReader) -> list[int]:
    return [each.record.pid for _, added in files.added() for each in added if isinstance(each.record, OpenRecord)]


def test_records_of_a_killed_process(tmp_path: Path) -> None:
    """What a process had recorded before it was deleted is read, though it died; had it lived, it would go on there."""
    remake(tmp_path, "records")
    folder = SessionFolder(tmp_path / SESSION_ID)
    assert [each.name for each in folder.path.iterdir()] == ["gw0.records~"]
    assert folder.workers() == ["gw0"]
    files = SpoolReader(folder)
    assert pids(files) == [0, 1]
    folder.written("gw0").rename(folder.records("gw0"))
    with folder.records("gw0").open("ab") as file:
        file.write(line("open", format=1, worker="gw0", pid=2, t=0))
    assert pids(files) == [2]
    (folder.path / "gw1.records~").write_bytes(line("open", format=1, worker="gw0", pid=3, t=0))
    remove_session(folder.path)
    assert not folder.path.exists()


def test_session_of_a_killed_process(tmp_path: Path, server: ScriptedServer) -> None:
    """What was recorded before it was deleted can be sent, though nobody but the process that died knew where to."""
    remake(tmp_path, "session", server.address)
    left = WrittenSession.left_in(tmp_path)
    assert not (left.folder.path / "session.json").exists()
    assert lived(left, server).is_finished
    assert_complete(server, ["test_early"])


def test_sender_makes_a_session_again(tmp_path: Path, server: ScriptedServer) -> None:
    """A sender whose folder is deleted leaves a session, not a ledger of which nobody knows what it is about."""
    written = WrittenSession(tmp_path, server.address)
    written.add("test_early")
    written.end()
    written.close()

    def delete(delivery: Delivery) -> None:
        if delivery.state.total("acknowledged") == 1 and written.folder.records("main").exists():
            shutil.rmtree(written.folder.path)

    assert lived(written, server, on_progress=delete).is_finished
    assert sorted(each.name for each in written.folder.path.iterdir()) == ["ledger", "lock", "session.json"]
    assert WrittenSession.left_in(tmp_path).session == written.session


class KilledError(Exception):
    """Ends a sender where it is."""


@pytest.mark.parametrize("is_sent", [False, True])
def test_results_whose_ledger_is_gone_are_sent(tmp_path: Path, server: ScriptedServer, is_sent: bool) -> None:  # noqa: FBT001 - a parameter
    """A session whose spool was deleted arrives whole; what a sender sent that was killed arrives a second time."""
    written = WrittenSession(tmp_path, server.address)
    written.add("test_early")

    def die(delivery: Delivery) -> None:
        if delivery.state.total("acknowledged") == 1:
            raise KilledError

    if is_sent:
        with pytest.raises(KilledError):
            lived(written, server, controller=system.Process(os.getpid()), on_progress=die)
    shutil.rmtree(written.folder.path)
    written.add("test_late")
    written.end()
    written.close()
    assert lived(WrittenSession.left_in(tmp_path), server).is_finished
    names = ["test_early"] * is_sent + ["test_early", "test_late"]
    assert [test["name"] for _, _, test in server.results] == names


def test_a_forked_process_keeps_nothing(tmp_path: Path) -> None:
    """What a child of a test adds belongs to no result, and takes no number from those that do."""
    own = ArtifactSpool(str(tmp_path), "main", most_bytes=100, most_together=1000)
    pid = os.fork()
    if pid == 0:
        try:
            own.add(b"child")
        except ValueError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert own.add(b"parent") == ("main-1", 6)
