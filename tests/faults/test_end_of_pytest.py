"""A sender whose pytest ends, dies or leaves: what it still delivers, writes and removes."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec.json import decode, encode
from msgspec.structs import replace

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Endpoint, Token
from pytest_automation_report.delivery.dispatcher import Delivery
from pytest_automation_report.delivery.launch import Runtime, SenderConfig, SenderProcess, Timeouts
from pytest_automation_report.delivery.sender import Sender, run_sender
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.session.end import LedgerTail
from pytest_automation_report.spool.folder import SessionFolder, remove_session
from pytest_automation_report.spool.records import Attempt
from pytest_automation_report.spool.sessions import locked
from pytest_automation_report.system.here import system
from support.delivered_results import assert_complete, result_named, result_names
from support.deliveries import WrittenSession, lived, numbered
from support.projects import wait_for_death
from support.records import finish_line, line, start_line
from support.scripted_adapter import client_of
from support.scripted_server.checked import checked_in_process
from support.scripted_server.server import ScriptedServer
from support.session_processes import eventually
from support.sessions import SHORT_LIMITS, TOKEN


def handed_over(written: WrittenSession, controller: int) -> SenderConfig:
    """Return what a sender of this session is given, as it comes out of the pipe."""
    handover = SenderConfig(
        folder=str(written.folder.path),
        endpoint=Endpoint(written.session.origin, 1),
        token=Token(TOKEN),
        controller=controller,
        timeouts=Timeouts(**SHORT_LIMITS),
        options=RecordingOptions(redact=("pin-[0-9]+",), secrets=("s3cr3t-value",)),
    )
    assert decode(encode(handover), type=SenderConfig) == handover
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
    run_sender(replace(handover, timeouts=replace(handover.timeouts, alone=0.1)))
    log = written.folder.log.read_text()
    assert f"follows session {written.session.id} of pytest {os.getpid()}" in log
    assert log.endswith("done\n")
    assert_complete(server, numbered(3))
    run_sender(handed_over(written, dead()))
    assert list(tmp_path.iterdir()) == []
    assert_complete(server, numbered(3))


@pytest.mark.parametrize("who", ["sender", "pytest"])
def test_delivered_session_is_removed_once(server: ScriptedServer, written: WrittenSession, who: str) -> None:
    """When all has arrived the sender removes the session of a killed pytest, and makes nothing of one that is gone."""
    written.close()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as controller:
        sender = SenderProcess(written.folder.id, is_embedded=False, has_bucket=False, inherited=())
        sender.hand_over(handed_over(written, controller.pid))
        ledger = LedgerTail(written.folder.ledger)
        eventually(lambda: ledger.read() and ledger.done is not None, "all is delivered")
        assert written.folder.has_manifest
        if who == "pytest":
            assert remove_session(written.folder.path) == ""
            wait_for_death(ledger.sender_pid)
        controller.kill()
    wait_for_death(ledger.sender_pid)
    assert not written.folder.path.exists()
    assert_complete(server, numbered(3))


def test_unusable_session_is_told_in_the_log(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that cannot go on leaves its last words in the log, and the lock to others."""
    written.close()
    (written.folder.path / "session.json").write_text("{}")
    with pytest.raises(SpoolError, match="cannot be read"):
        run_sender(handed_over(written, dead()))
    assert "cannot be read" in written.folder.log.read_text()
    lock = locked(written.folder)
    assert lock is not None
    lock.close()
    assert result_names(server) == []


def test_lock_of_one_who_only_looks(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that begins while another process looks whether the session has a sender delivers all the same."""
    written.close()
    held = locked(written.folder)
    assert held is not None
    looks = threading.Timer(0.2, held.close)
    looks.start()
    run_sender(handed_over(written, dead()))
    looks.join()
    assert_complete(server, numbered(3))


def test_worker_that_outlives_its_session(tmp_path: Path, server: ScriptedServer) -> None:
    """Who delivers a session whose pytest and sender were killed waits for a worker that lives on for a while."""
    written = WrittenSession(tmp_path, server.address)
    with subprocess.Popen(["sleep", "60"]) as worker:
        birth = system.process_start_time(worker.pid)
        writer = written.folder.writer("gw0")
        writer.write(line("open", format=1, worker="gw0", pid=worker.pid, birth=birth, t=0))
        writer.write(start_line(1, 10, "test_it.py::test_slow", "test_it.py", 0))

        def end() -> None:
            writer.write(finish_line(1, 15, "test_it.py::test_slow", "test_it.py", 0, Attempt("passed", 5), began=10))
            worker.kill()

        ends = threading.Timer(0.3, end)
        ends.start()
        delivery = lived(written, server, worker_grace=30.0)
        ends.join()
        assert delivery.is_finished
        assert_complete(server, ["test_slow"])
        assert result_named(server, "test_slow")["status"] == "passed"


def test_killed_session_with_a_living_worker(tmp_path: Path) -> None:
    """The next session leaves a killed one alone as long as a worker of it lives, and delivers it after that."""
    database = str(tmp_path / "store.sqlite3")
    written, began = WrittenSession(tmp_path, EMBEDDED_ORIGIN), system.process_start_time(os.getpid())
    killed = replace(written.session, database=database, pid=dead(), pid_birth=began, is_followed=True)
    written.add("test_fast")
    with subprocess.Popen(["sleep", "60"]) as worker:
        birth = system.process_start_time(worker.pid)
        written.folder.writer("gw0").write(line("open", format=1, worker="gw0", pid=worker.pid, birth=birth, t=0))
        written.close()
        for is_alive in (True, False):
            written.folder.write_session(killed)
            path = tmp_path / "20270102T030405-00000002"
            path.mkdir(mode=0o700)
            SessionFolder(path).write_session(replace(killed, id=path.name, pid=os.getpid()))
            own = replace(handed_over(written, dead()), folder=str(path))
            if not is_alive:
                worker.kill()
                worker.wait()
            run_sender(replace(own, endpoint=Endpoint(EMBEDDED_ORIGIN, 1, database)))
            assert written.folder.path.exists() is is_alive
            assert not path.exists()


@pytest.mark.parametrize("end", ["record", "death"])
def test_end_of_a_session_is_noticed_at_the_next_look(tmp_path: Path, end: str) -> None:
    """A sender reads what there is now and then alone, and does not let a session that has ended wait for that."""
    look, ended = 1.0, list[float]()
    with checked_in_process() as server, subprocess.Popen(["sleep", "60"]) as leader:
        written = WrittenSession(tmp_path, server.address)
        written.add("test_only")
        timeouts = Timeouts(**{**SHORT_LIMITS, "poll": look, "batch_age": 0.0, "worker_grace": 0.0})
        runtime = Runtime(clock=time.monotonic, random=lambda: 0.5, log=lambda _: None)

        def stop(delivery: Delivery) -> None:
            if not ended and delivery.state.total("acknowledged"):
                ended.append(time.monotonic())
                waiting.start()

        def end_it() -> None:
            written.end() if end == "record" else leader.kill()

        waiting = threading.Timer(0.1 * look, end_it)
        try:
            with client_of(server.address) as client:
                Sender(
                    written.folder,
                    written.session,
                    timeouts,
                    client,
                    runtime,
                    system.Process(leader.pid),
                    on_progress=stop,
                ).run()
        finally:
            leader.kill()
        assert time.monotonic() - ended[0] < 3 * look
        assert_complete(server, ["test_only"])
