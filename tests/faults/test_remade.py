"""Processes killed while they create again what a test has deleted, and senders whose ledger a test has deleted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.liveness import Process
from pytest_automation_report.spool.records import plain_record
from support.delivered_results import assert_complete
from support.deliveries import SESSION_ID, WrittenSession, lived
from support.scripted_server.checked import checked_scripted_server
from support.sessions import clean_environment, run

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_automation_report.delivery.dispatcher import Dispatcher
    from pytest_automation_report.delivery.reconciliation import Unknown
    from support.scripted_server.server import ScriptedServer


def remake(folder: Path, who: str, *more: str) -> None:
    """Run the process that is killed."""
    command = [sys.executable, "-m", "support.killed_recreation", who, str(folder), *more]
    ran = run(command, folder, clean_environment(PYTHONPATH=os.pathsep.join(sys.path)))
    assert ran.exit == -signal.SIGKILL, ran.text


def test_records_of_a_killed_process(tmp_path: Path) -> None:
    """A process that dies while it creates its deleted records again leaves nothing that is read in part."""
    remake(tmp_path, "records")
    folder = SessionFolder(tmp_path / SESSION_ID)
    assert [each.name for each in folder.path.iterdir()] == ["gw0.records~"]
    assert folder.workers() == []
    folder.remove()
    assert not folder.path.exists()


def test_ledger_of_a_killed_sender(tmp_path: Path) -> None:
    """Without the ledger of a sender that died nothing is sent, until the user decides to risk it twice."""
    with checked_scripted_server() as server:
        remake(tmp_path, "sender", server.address)
        left = WrittenSession.left_in(tmp_path)
        assert sorted(each.name for each in left.folder.path.iterdir()) == [
            "ledger~", "lock", "main.records", "session.json"
        ]  # fmt: skip
        with pytest.raises(SpoolError, match="a test deleted the spool"):
            lived(left, server)
        assert [test["name"] for _, _, test in server.results] == ["test_early"]
        assert lived(left, server, "send").is_finished
        assert Counter(test["name"] for _, _, test in server.results) == {"test_early": 2, "test_late": 1}


def test_sender_whose_folder_is_deleted_goes_on(tmp_path: Path) -> None:
    """A sender whose folder is deleted delivers the rest, and has the new folder's lock."""
    with checked_scripted_server() as server:
        written = WrittenSession(tmp_path, server.address)
        written.add("test_early")
        written.end()
        written.close()
        locks: list[int | None] = []

        def delete(delivery: Dispatcher) -> None:
            if delivery.state.total("acknowledged") == 1 and written.folder.records("main").exists():
                shutil.rmtree(written.folder.path)
            elif written.folder.ledger.exists() and not written.folder.has_manifest:
                locks.append(written.folder.locked())

        assert lived(written, server, on_progress=delete).is_finished
        assert set(locks) == {None}
        assert sorted(each.name for each in written.folder.path.iterdir()) == ["ledger", "lock"]
        assert_complete(server, ["test_early"])


def test_sender_leaves_what_it_cannot_send_with_its_manifest(tmp_path: Path) -> None:
    """When pytest was killed after a test had deleted the spool, its sender leaves a session that can be sent."""
    with checked_scripted_server() as server:
        written = WrittenSession(tmp_path, server.address, is_followed=True)
        shutil.rmtree(written.folder.path)
        written.add("test_early")
        written.close()
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        server.down()
        assert not lived(written, server, controller=Process(dead.pid)).is_finished
        server.up()
        left = WrittenSession.left_in(tmp_path)
        assert left.session == written.session
        assert lived(left, server).is_finished
        assert_complete(server, ["test_early"])


class KilledError(Exception):
    """Ends a sender where it is."""


def remade(tmp_path: Path, server: ScriptedServer, *, is_sent: bool, is_followed: bool = True) -> WrittenSession:
    """Return a session whose spool was deleted, perhaps after a result was sent, and that the next test made again."""
    written = WrittenSession(tmp_path, server.address, is_followed=is_followed)
    written.add("test_early")

    def die(delivery: Dispatcher) -> None:
        if delivery.state.total("acknowledged") == 1:
            raise KilledError

    if is_sent:
        with pytest.raises(KilledError):
            lived(written, server, controller=Process(os.getpid()), on_progress=die)
    shutil.rmtree(written.folder.path)
    written.add("test_late")
    written.end()
    written.folder.restore(written.session)
    written.close()
    return WrittenSession.left_in(tmp_path)


def test_results_whose_ledger_is_gone_are_kept(tmp_path: Path) -> None:
    """Of results that were deleted with the ledger it is unknown whether they were sent: they are not sent twice."""
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=True)
        before = [test["name"] for _, _, test in server.results]
        assert before == ["test_early"]
        looks: tuple[Unknown, ...] = ("hold", "drop", "hold")
        for unknown in looks:
            with pytest.raises(SpoolError, match=r"a test deleted the spool.*--unknown=send, or remove them with"):
                lived(left, server, unknown)
        assert [test["name"] for _, _, test in server.results] == before


def test_results_whose_ledger_is_gone_can_be_sent(tmp_path: Path) -> None:
    """A user who knows that they were not sent has them sent."""
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=False)
        assert lived(left, server, "send").is_finished
        assert_complete(server, ["test_early", "test_late"])


@pytest.mark.parametrize("kinds", [["doubted"], ["doubted", "ready", "held"]])
def test_doubted_ledger_of_an_earlier_version(tmp_path: Path, kinds: list[str]) -> None:
    """A ledger by which an earlier version held all results, or was about to, sends nothing before a user decides."""
    members: dict[str, dict[str, object]] = {"ready": {"pid": 1}, "held": {"i": 1, "why": ""}}
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=False)
        left.folder.ledger.write_bytes(b"".join(plain_record(kind, **members.get(kind, {})) for kind in kinds))
        for _ in range(2):
            with pytest.raises(SpoolError, match="a test deleted the spool"):
                lived(left, server)
        assert lived(left, server, "send").is_finished
        assert_complete(server, ["test_early", "test_late"])


@pytest.mark.parametrize("is_followed", [False, True], ids=["later", "first sender"])
def test_remade_session_that_nobody_can_have_sent(tmp_path: Path, is_followed: bool) -> None:  # noqa: FBT001 - a parameter
    """Without a sender before it, everything that was made again is sent: later, or by the session's own sender."""
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=False, is_followed=is_followed)
        assert lived(left, server, controller=Process(os.getpid()) if is_followed else None).is_finished
        assert_complete(server, ["test_early", "test_late"])
