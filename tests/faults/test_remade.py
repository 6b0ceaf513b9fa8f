"""Processes killed while they make again what a test has deleted: just before what they made gets its name."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from sessions import clean_environment, run

from faults.deliveries import SESSION_ID, WrittenSession, lived
from faults.oracle import assert_whole, checked_server
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.records import plain_record
from pytest_automation_report.sender.book import LedgerBook, ledger_from
from pytest_automation_report.sender.files import RecordFiles, remove_delivered
from pytest_automation_report.spool import SessionFolder

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.sender.delivery import Delivery


def remake(folder: Path, who: str, *more: str) -> None:
    """Run the process that is killed."""
    command = [sys.executable, "-m", "faults.remaking", who, str(folder), *more]
    ran = run(command, folder, clean_environment(PYTHONPATH=os.pathsep.join(sys.path)))
    assert ran.exit == -signal.SIGKILL, ran.text


def pids(files: RecordFiles) -> list[int]:
    return [each.record.members["pid"] for _, added in files.added() for each in added]


def test_records_of_a_killed_process(tmp_path: Path) -> None:
    """What a process had recorded before it was deleted is read, though it died; had it lived, it would go on there."""
    remake(tmp_path, "records")
    folder = SessionFolder(tmp_path / SESSION_ID)
    assert [each.name for each in folder.path.iterdir()] == ["gw0.records~"]
    assert folder.workers() == ["gw0"]
    files = RecordFiles(folder)
    assert pids(files) == [0, 1]
    folder.written("gw0").rename(folder.records("gw0"))
    with folder.records("gw0").open("ab") as file:
        file.write(plain_record("open", format=1, worker="gw0", pid=2, t=0))
    assert pids(files) == [2]
    (folder.path / "gw1.records~").write_bytes(plain_record("open", format=1, worker="gw0", pid=3, t=0))
    remove_delivered(folder)
    assert not folder.path.exists()


def test_session_of_a_killed_process(tmp_path: Path) -> None:
    """What was recorded before it was deleted can be sent, though nobody but the process that died knew where to."""
    with checked_server() as server:
        remake(tmp_path, "session", server.address)
        left = WrittenSession.left_in(tmp_path)
        assert not (left.folder.path / "session.json").exists()
        assert lived(left, server).is_finished
        assert_whole(server, ["test_early"])


def test_ledger_of_a_killed_sender(tmp_path: Path) -> None:
    """A sender that died leaves a whole copy of its ledger: the next one knows what was sent, and sends the rest."""
    with checked_server() as server:
        remake(tmp_path, "sender", server.address)
        left = WrittenSession.left_in(tmp_path)
        assert not left.folder.ledger.exists()
        assert ledger_from(left.folder.ledger).total("acknowledged") == 1
        assert lived(left, server).is_finished
        assert not left.folder.ledger.with_name("ledger~").exists()
        assert ledger_from(left.folder.ledger).total("acknowledged") == 2
        assert_whole(server, ["test_early", "test_late"])


def test_sender_makes_a_session_again(tmp_path: Path) -> None:
    """A sender whose folder is deleted leaves a session, not a ledger of which nobody knows what it is about."""
    with checked_server() as server:
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


@pytest.mark.parametrize("length", [0, 30, -1])
def test_part_of_a_ledger_is_none(tmp_path: Path, length: int) -> None:
    """Of a ledger that was copied in part nobody can tell what was sent: nothing is, and the error says why."""
    path = tmp_path / "ledger"
    (tmp_path / "ledger~").write_bytes((plain_record("joined", run=12) + plain_record("copied"))[:length])
    for read in (ledger_from, LedgerBook):
        with pytest.raises(SpoolError, match="ledger: was deleted, and its copy is not whole: what was sent is not"):
            read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["ledger~"]
