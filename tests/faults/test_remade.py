"""Processes killed while they make again what a test has deleted: just before what they made gets its name."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger_file import LedgerFile, ledger_from
from pytest_automation_report.spool.ledger_records import LEDGER_KINDS
from pytest_automation_report.spool.liveness import Process
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.record_kinds import OpenRecord
from pytest_automation_report.spool.records import plain_record, record_from
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
        file.write(plain_record("open", format=1, worker="gw0", pid=2, t=0))
    assert pids(files) == [2]
    (folder.path / "gw1.records~").write_bytes(plain_record("open", format=1, worker="gw0", pid=3, t=0))
    folder.remove()
    assert not folder.path.exists()


def test_session_of_a_killed_process(tmp_path: Path) -> None:
    """What was recorded before it was deleted can be sent, though nobody but the process that died knew where to."""
    with checked_scripted_server() as server:
        remake(tmp_path, "session", server.address)
        left = WrittenSession.left_in(tmp_path)
        assert not (left.folder.path / "session.json").exists()
        assert lived(left, server).is_finished
        assert_complete(server, ["test_early"])


def test_ledger_of_a_killed_sender(tmp_path: Path) -> None:
    """A sender that died leaves a whole copy of its ledger: the next one knows what was sent, and sends the rest."""
    with checked_scripted_server() as server:
        remake(tmp_path, "sender", server.address)
        left = WrittenSession.left_in(tmp_path)
        assert not left.folder.ledger.exists()
        assert ledger_from(left.folder.ledger).total("acknowledged") == 1
        assert lived(left, server).is_finished
        assert not left.folder.ledger.with_name("ledger~").exists()
        assert ledger_from(left.folder.ledger).total("acknowledged") == 2
        assert_complete(server, ["test_early", "test_late"])


def test_sender_makes_a_session_again(tmp_path: Path) -> None:
    """A sender whose folder is deleted leaves a session, not a ledger of which nobody knows what it is about."""
    with checked_scripted_server() as server:
        written = WrittenSession(tmp_path, server.address)
        written.add("test_early")
        written.end()
        written.close()

        def delete(delivery: Dispatcher) -> None:
            if delivery.state.total("acknowledged") == 1 and written.folder.records("main").exists():
                shutil.rmtree(written.folder.path)

        assert lived(written, server, on_progress=delete).is_finished
        assert sorted(each.name for each in written.folder.path.iterdir()) == ["ledger", "lock", "session.json"]
        assert WrittenSession.left_in(tmp_path).session == replace(written.session, is_remade=True)


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
    written.close()
    return WrittenSession.left_in(tmp_path)


def test_results_whose_ledger_is_gone_are_held(tmp_path: Path) -> None:
    """Of results that were deleted with the ledger nobody can tell whether they were sent: they are not sent twice."""
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=True)
        before = [test["name"] for _, _, test in server.results]
        assert before == ["test_early"]
        for _ in range(2):
            delivery = lived(left, server)
            assert (delivery.state.total("held"), delivery.left, delivery.is_finished) == (2, 0, False)
            assert "a test deleted the spool" in delivery.stopped
        assert [test["name"] for _, _, test in server.results] == before
        dropped = lived(left, server, "drop")
        assert (dropped.state.total("dropped"), dropped.is_finished) == (2, True)
        assert [test["name"] for _, _, test in server.results] == before


def test_results_that_were_held_can_be_sent(tmp_path: Path) -> None:
    """Who knows that they were not sent, or who can bear them twice, has them sent: at once or later."""
    looked: tuple[tuple[Unknown, ...], ...] = (("send",), ("hold", "send"))
    for number, looks in enumerate(looked):
        with checked_scripted_server() as server:
            folder = tmp_path / str(number)
            folder.mkdir()
            left = remade(folder, server, is_sent=False)
            deliveries = [lived(left, server, unknown) for unknown in looks]
            assert deliveries[-1].is_finished
            assert_complete(server, ["test_early", "test_late"])


def test_holding_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    """A sender that is killed while it holds results leaves none of them to be sent."""
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=True)
        lived(left, server)
        lines = left.folder.ledger.read_bytes().splitlines(keepends=True)
        kinds = [record_from(line[18:-1].decode(), LEDGER_KINDS) for line in lines]
        cuts = [
            number
            for number, each in enumerate(kinds)
            if each is not None and each.kind in {"doubted", "ready", "intent"}
        ]
        assert len(cuts) == 3
        for cut in cuts:
            left.folder.ledger.write_bytes(b"".join(lines[: cut + 1]))
            assert lived(left, server).state.total("held") == 2
        assert len(server.results) == 1


@pytest.mark.parametrize("is_followed", [False, True], ids=["later", "first sender"])
def test_remade_session_that_nobody_can_have_sent(tmp_path: Path, is_followed: bool) -> None:  # noqa: FBT001 - a parameter
    """Without a sender before it, everything that was made again is sent: later, or by the session's own sender."""
    with checked_scripted_server() as server:
        left = remade(tmp_path, server, is_sent=False, is_followed=is_followed)
        assert lived(left, server, controller=Process(os.getpid()) if is_followed else None).is_finished
        assert_complete(server, ["test_early", "test_late"])


@pytest.mark.parametrize("length", [0, 30, -1])
def test_part_of_a_ledger_is_none(tmp_path: Path, length: int) -> None:
    """Of a ledger that was copied in part nobody can tell what was sent: nothing is, and the error says why."""
    path = tmp_path / "ledger"
    (tmp_path / "ledger~").write_bytes((plain_record("joined", run=12) + plain_record("copied"))[:length])
    for read in (ledger_from, LedgerFile):
        with pytest.raises(SpoolError, match="ledger: was deleted, and its copy is not whole: what was sent is not"):
            read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["ledger~"]
