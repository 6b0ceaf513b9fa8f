"""A sender's whole life, as it is started by pytest, in this process: what it writes, removes and leaves."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_automation_report.api.models import Endpoint, Token
from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.delivery.connection import connected
from pytest_automation_report.delivery.handover import RedactionSettings, Runtime, SenderConfig, Timeouts
from pytest_automation_report.delivery.launch import start_sender
from pytest_automation_report.delivery.process import Sender, run
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.session.waiting import LedgerTail
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger_file import ledger_from
from pytest_automation_report.spool.sessions import LeftoverCounts, expire_old_sessions, is_delivered
from support.delivered_results import assert_complete, result_names
from support.deliveries import ended_session, lived, numbered
from support.projects import wait_for_death
from support.session_processes import eventually
from support.sessions import SHORT_LIMITS, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from support.deliveries import WrittenSession
    from support.scripted_server.server import ScriptedServer


def handed_over(written: WrittenSession, controller: int) -> SenderConfig:
    """Return what a sender of this session is given, as it comes out of the pipe."""
    handover = SenderConfig(
        folder=str(written.folder.path),
        endpoint=Endpoint(written.session.origin, 1),
        token=Token(TOKEN),
        controller=controller,
        timeouts=Timeouts(**SHORT_LIMITS),
        hiding=RedactionSettings(("pin-[0-9]+",), ("s3cr3t-value",), is_builtin=False),
    )
    assert SenderConfig.from_json(handover.to_json()) == handover
    assert "s3cr3t-value" not in repr(handover)
    return handover


def dead() -> int:
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_delivered_session_is_removed_when_pytest_is_gone(
    tmp_path: Path, server: ScriptedServer, written: WrittenSession
) -> None:
    """What is delivered is left to pytest, which tells of it and removes it; when that has died its sender does."""
    written.close()
    handover = handed_over(written, os.getpid())
    run(replace(handover, timeouts=replace(handover.timeouts, alone=0.1)))
    log = written.folder.log.read_text()
    assert f"follows session {written.session.id} of pytest {os.getpid()}" in log
    assert log.endswith("done\n")
    assert_complete(server, numbered(3))
    run(handed_over(written, dead()))
    assert list(tmp_path.iterdir()) == []
    assert_complete(server, numbered(3))


def test_session_is_removed_when_pytest_dies_after_its_delivery(
    server: ScriptedServer, written: WrittenSession
) -> None:
    """When all has arrived while pytest lives, and pytest is killed or gives up before its end, nothing is left."""
    written.close()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as controller:
        start_sender(handed_over(written, controller.pid))
        eventually(lambda: ledger_from(written.folder.ledger).is_done, "all is delivered")
        sender = ledger_from(written.folder.ledger).sender_pid
        assert written.folder.has_manifest
        controller.kill()
    wait_for_death(sender)
    assert not written.folder.path.exists()
    assert_complete(server, numbered(3))


def test_nothing_is_written_after_the_last_record(server: ScriptedServer, written: WrittenSession) -> None:
    """The log's last line is there before the ledger says that all is done: pytest removes the folder from then on."""
    written.close()
    lines: list[tuple[str, bool]] = []

    def log(line: str) -> None:
        lines.append((line, ledger_from(written.folder.ledger).is_done))

    runtime = Runtime(clock=time.monotonic, random=random.random, log=log)
    with connected(Endpoint(server.address, 1), Token(TOKEN), deadline_seconds=5.0) as client:
        Sender(written.folder, written.session, Timeouts(**SHORT_LIMITS), client, runtime).run()
    assert lines[-1] == ("done", False)
    assert ledger_from(written.folder.ledger).is_done


def test_folder_that_pytest_removes_stays_removed(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that has written its last record makes nothing in the folder again."""
    written.close()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as controller:
        start_sender(handed_over(written, controller.pid))
        ledger = LedgerTail(written.folder.ledger)
        eventually(lambda: ledger.read() and ledger.state.is_done, "all is delivered")
        assert written.folder.remove() == ""
        wait_for_death(ledger.state.sender_pid)
        controller.kill()
    assert not written.folder.path.exists()
    assert_complete(server, numbered(3))


def test_delivered_session_that_nobody_removed(tmp_path: Path, server: ScriptedServer, written: WrittenSession) -> None:
    """A delivered session whose sender and pytest were killed is removed by the next one, neither kept nor lost."""
    lived(written, server)
    written.close()
    assert is_delivered(written.folder)
    with written.folder.records("gw0").open("wb") as file:
        file.write(b"later")
    os.utime(written.folder.records("gw0"), ns=(2**62, 2**62))
    assert not is_delivered(written.folder)
    written.folder.records("gw0").unlink()
    own = SessionFolder(tmp_path / "20270102T030405-00000001")
    assert expire_old_sessions(tmp_path, own, keep_days=14, now=time.time()) == LeftoverCounts()
    assert not written.folder.path.exists()


def test_lock_of_a_folder_that_was_removed(written: WrittenSession) -> None:
    """Who gets the lock just when its holder has removed the session does not take what is gone for a session."""
    written.close()
    opened = os.open

    def removed(*given: Any, **more: Any) -> int:  # noqa: ANN401 - stands for os.open
        descriptor = opened(*given, **more)
        if given[0] == "lock":
            shutil.rmtree(written.folder.path)
        return descriptor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", removed)
        with pytest.raises(FileNotFoundError):
            written.folder.locked()


def test_session_of_another_sender_is_left_alone(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that does not get the session's lock says so and sends nothing."""
    written.close()
    lock = written.folder.locked()
    assert lock is not None
    run(handed_over(written, dead()))
    os.close(lock)
    assert written.folder.log.read_text().endswith("another sender holds this session\n")
    assert result_names(server) == []


def test_unusable_session_is_told_in_the_log(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that cannot go on leaves its last words in the log, and the lock to others."""
    written.close()
    (written.folder.path / "session.json").write_text("{}")
    with pytest.raises(SpoolError, match="cannot be read"):
        run(handed_over(written, dead()))
    assert "cannot be read" in written.folder.log.read_text()
    lock = written.folder.locked()
    assert lock is not None
    os.close(lock)
    assert result_names(server) == []


def test_dead_server_leaves_the_session(tmp_path: Path, server: ScriptedServer) -> None:
    """What cannot be delivered is kept, and the log says how much that is and why."""
    written = ended_session(tmp_path, server)
    written.close()
    server.down()
    run(handed_over(written, dead()))
    assert "3 results left" in written.folder.log.read_text()
    assert written.folder.has_manifest


@pytest.mark.parametrize("what", ["named", "other", "missing", "folder"])
def test_only_captured_files_are_opened(tmp_path: Path, what: str) -> None:
    """A record that names a descriptor of something else than a file without a name opens nothing."""
    path = tmp_path / "named"
    path.write_text("s3cr3t of a file that somebody has")
    descriptor = os.open(tmp_path if what == "folder" else path, os.O_RDONLY)
    if what == "other":
        path.unlink()
    found = os.fstat(descriptor)
    captured = CapturedOutput(RedactionSettings().redaction())
    inode = found.st_ino + (what == "other")
    captured.watch("main", os.getpid(), [["stdout", 10_000 if what == "missing" else descriptor, found.st_dev, inode]])
    assert captured.last_words("main") == ""
    captured.close()
    os.close(descriptor)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="captured files are found through /proc")  # noqa: PTH110 - at hand here
def test_end_of_what_was_captured(tmp_path: Path) -> None:
    """The last 8,192 characters of each stream are shown, hidden before they are cut; empty streams are not."""
    files = []
    for stream, printed in (("stdout", b"s3cr3t-value " * 20_000 + b"\xff pin-12 end"), ("stderr", b"")):
        descriptor = os.open(tmp_path / stream, os.O_RDWR | os.O_CREAT, 0o600)
        (tmp_path / stream).unlink()
        os.write(descriptor, printed)
        found = os.fstat(descriptor)
        files.append([stream, descriptor, found.st_dev, found.st_ino])
    captured = CapturedOutput(RedactionSettings(("pin-[0-9]+",), ("s3cr3t-value",)).redaction())
    captured.watch("main", os.getpid(), files)
    for each in files:
        os.close(int(str(each[1])))
    shown = captured.last_words("main")
    captured.close()
    heading, _, text = shown.partition("\n")
    assert heading == "Captured stdout, the last of it"
    assert text.endswith("[redacted] \ufffd [redacted] end")
    assert "3cr3t" not in text.replace("[redacted]", "")
    assert len(text) == 8192
    assert captured.last_words("gw0") == ""
