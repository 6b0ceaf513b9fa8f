"""Whole lives of a sender in this process: what they write at their end, and what a user's decisions change."""

import os
import shutil
import time
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Endpoint, Token
from pytest_automation_report.delivery.captured_output import CapturedOutput
from pytest_automation_report.delivery.launch import Timeouts
from pytest_automation_report.delivery.requests import Unknown
from pytest_automation_report.delivery.stores import connected
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.session.end import LedgerTail
from pytest_automation_report.settings.run import LIMITS_VARIABLE, timeouts_from
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger import Intent
from pytest_automation_report.spool.records import DoneRecord, WorkerTotals
from pytest_automation_report.spool.sessions import (
    LedgerFile,
    LeftoverCounts,
    delivered_state,
    expire_old_sessions,
    ledger_from,
    locked,
)
from pytest_automation_report.system.here import system
from support.delivered_results import result_names
from support.deliveries import (
    Pending,
    WrittenSession,
    awaited_life,
    ended_session,
    lived,
    numbered,
    session_of_workers,
    stepping,
    until_appends_are_under_way,
)
from support.scripted_server.checked import checked_in_process
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS, HalfServer, LossyServer
from support.sessions import SHORT_LIMITS, TOKEN

RUN = r"/runs/\d+$"


HIDDEN_RUN = answer(404)
HIDDEN_THREADS = answer(200, {"result": {"id": 2, "is_completed": True, "total_count": 4}})


@pytest.mark.parametrize(
    ("server", "shown", "rules"),
    [
        (ScriptedServer, 4, []),
        (LossyServer, 2, []),
        (LossyServer, None, [Rule("GET", RUN, HIDDEN_RUN, count=None)]),
        (LossyServer, None, [Rule("GET", RUN, HIDDEN_THREADS, count=None)]),
    ],
    ids=["honest", "lossy", "no-run", "no-threads"],
)
def test_life_tells_of_all(tmp_path: Path, server: type[ScriptedServer], shown: int | None, rules: list[Rule]) -> None:
    """At its end a sender writes what became of each worker's results, and how many of them the server shows.

    A server that shows no run, or none of its threads, contradicts nothing that it has confirmed.
    """
    with checked_in_process(server(token=TOKEN)) as scripted:
        scripted.script([copy(rule) for rule in rules])
        written = ended_session(tmp_path, scripted, 4)
        lived(written, scripted)
    state = ledger_from(written.folder.ledger)
    assert state.done == DoneRecord(
        complete=True,
        counts={"passed": 4},
        difference="the server shows 2 of 4 results that it confirmed" if shown == 2 else "",
        workers={"main": WorkerTotals(seen=4, acknowledged=4, threads=1)},
        run=state.run,
    )


def test_totals_of_a_killed_sender(tmp_path: Path) -> None:
    """Pytest's numbers are those that the sender wrote; without them the ledger adds up to the same, not confirmed."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        server.script([Rule("GET", r"/runs/\d+/tests$", answer(404), count=None)])
        written = ended_session(tmp_path, server)
        written.close()
        lived(written, server)
    ledger, tail = written.folder.ledger, LedgerTail(written.folder.ledger)
    tail.read()
    totals = tail.totals()
    assert (totals, totals.workers["main"].held, len(totals.reasons)) == (ledger_from(ledger).done, 3, 1)
    *lines, done = ledger.read_bytes().splitlines(keepends=True)
    assert b'{"k":"done"' in done
    ledger.write_bytes(b"".join(lines))
    tail = LedgerTail(ledger)
    tail.read()
    workers = {worker: replace(numbers, seen=None) for worker, numbers in totals.workers.items()}
    unfinished = replace(totals, complete=False, why=tail.totals().why, counts={}, workers=workers)
    assert tail.totals() == unfinished
    assert "stopped waiting" in unfinished.why
    ready = next(line for line in lines if b'{"k":"ready"' in line)
    ledger.write_bytes(b"".join([*lines, done, ready]))
    tail = LedgerTail(ledger)
    tail.read()
    assert tail.done is None  # a sender that begins later has totals of its own


@pytest.mark.parametrize(("unknown", "arrived"), [("send", [0, 0, 1, 2]), ("drop", [0])])
def test_held_results_are_decided_by_a_later_life(tmp_path: Path, unknown: Unknown, arrived: list[int]) -> None:
    """What one life held the next one sends or drops when it is told to, and nothing else."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        server.script([Rule("GET", r"/runs/\d+/tests$", answer(404), count=None)])
        written = ended_session(tmp_path, server)
        written.close()
        assert lived(written, server).state.has_kept
        assert ledger_from(written.folder.ledger).total("held") == 3
        assert lived(written, server).state.has_kept
        # The first life has completed the run, which takes nothing any more.
        delivery = lived(written, server, unknown, is_in_new_run=unknown == "send")
        assert delivery.is_finished, delivery.retry_policy.stopped
        assert not delivery.state.has_kept
        assert (delivery.state.total("held"), delivery.state.total("dropped")) == (0, 3 if unknown == "drop" else 0)
        assert result_names(server) == [f"test_{number}" for number in arrived]


def with_open_requests(folder: Path, server: ScriptedServer, *, arrived: int = 0) -> WrittenSession:
    """Return a session of three workers whose sender was killed with an append of each under way."""
    written = session_of_workers(folder, server, 3)
    pending: Pending = []
    with stepping(written, pending=pending) as stepper:
        until_appends_are_under_way(stepper, pending, 3)
        for each in pending[:arrived]:
            each()
    return written


@pytest.mark.parametrize("arrived", [0, 1, 3])
def test_new_run_after_several_requests(tmp_path: Path, server: ScriptedServer, arrived: int) -> None:
    """Who leaves a run that can be looked at has each result once: there, or in the new one.

    That it takes time to find out what arrived is no lack of progress.
    """
    written = with_open_requests(tmp_path, server, arrived=arrived)
    server.store.apply("POST", "/api/v1/automation/runs/2/complete", "", {})
    delivery = lived(written, server, is_in_new_run=True, send_progress=1.0, read_back=0.4 if arrived == 1 else 0.1)
    assert delivery.is_finished
    assert not delivery.state.has_kept
    assert result_names(server) == numbered(3)
    assert sorted(run for run, _, _ in server.results) == [2] * arrived + [3] * (3 - arrived)


def test_run_that_was_left_is_not_taken_for_the_new_one(tmp_path: Path, server: ScriptedServer) -> None:
    """If the request for the new run fails, the one that is left is not found in its place, though it is still open."""
    written = with_open_requests(tmp_path, server)
    server.script([Rule("POST", OPERATIONS["create-run"], answer(500))])
    assert lived(written, server, is_in_new_run=True).is_finished
    assert sorted((run, test["name"]) for run, _, test in server.results) == [(3, name) for name in numbered(3)]


@pytest.mark.parametrize("unknown", ["hold", "send", "drop"])
def test_new_run_after_requests_that_nobody_knows_of(tmp_path: Path, server: ScriptedServer, unknown: Unknown) -> None:
    """Who leaves a deleted run decides about the results of all requests that were open: held, sent, or dropped."""
    written = with_open_requests(tmp_path, server)
    del server.store.runs[2]
    server.store.threads.clear()
    server.store.runs[9] = server.store.runs[1]
    delivery = lived(written, server, unknown, is_in_new_run=True)
    assert delivery.is_finished
    assert (delivery.state.left_runs, delivery.state.has_kept) == ({2}, unknown == "hold")
    assert delivery.state.total("held") == (3 if unknown == "hold" else 0)
    assert delivery.state.total("dropped") == (3 if unknown == "drop" else 0)
    assert result_names(server) == (numbered(3) if unknown == "send" else [])
    assert {run for run, _, _ in server.results} <= {3}


def test_new_run_after_a_part_arrived(tmp_path: Path) -> None:
    """Of a batch of which a part arrived in the run that is left, only the others go to the new one."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        server.script([Rule("GET", RUN, answer(500), count=None)])
        written = ended_session(tmp_path, server, 4)
        written.close()
        lived(written, server)
        assert len(result_names(server)) == 2
        server.forget()
        delivery = lived(written, server, is_in_new_run=True)
        assert not delivery.state.has_kept
        assert result_names(server) == numbered(4)
        assert sorted(run for run, _, _ in server.results) == [2, 2, 3, 3]


def test_new_run_that_the_server_does_not_let_us_begin(tmp_path: Path, server: ScriptedServer) -> None:
    """A refused token, or a server that is down, decides nothing: later all results go where they are asked to."""
    written = with_open_requests(tmp_path, server, arrived=1)
    server.script([Rule("*", "/api", answer(401), count=None)])
    delivery = lived(written, server, is_in_new_run=True)
    assert (delivery.state.error_class, delivery.state.total("held")) == ("token", 0)
    server.forget()
    server.down()
    delivery = lived(written, server, is_in_new_run=True)
    assert (delivery.state.error_class, delivery.state.total("held")) == ("again", 0)
    server.up()
    assert lived(written, server, is_in_new_run=True).is_finished
    assert result_names(server) == numbered(3)


def test_all_that_a_completed_run_refused_goes_to_a_new_one(tmp_path: Path, server: ScriptedServer) -> None:
    """When somebody completes the run under several requests, none of their results is in doubt."""
    written = session_of_workers(tmp_path, server, 3)
    pending: Pending = []
    with stepping(written, pending=pending) as stepper:
        until_appends_are_under_way(stepper, pending, 3)
        server.store.apply("POST", "/api/v1/automation/runs/2/complete", "", {})
        stepper.idle = lambda: bool(pending and [pending.pop(0)()])
        stepper.run()
        assert stepper.delivery.state.open_intent is None
    requests = len(server.log)
    assert lived(written, server, is_in_new_run=True).is_finished
    assert server.log[requests].method == "POST"
    assert result_names(server) == numbered(3)


@pytest.mark.parametrize("is_open", [False, True], ids=["new", "unanswered"])
def test_store_that_cannot_be_opened(tmp_path: Path, is_open: bool) -> None:  # noqa: FBT001 - a parameter
    """A store that is no database ends the sending, also while a request is looked into; what is to be sent is kept."""
    written = WrittenSession(tmp_path, EMBEDDED_ORIGIN)
    written.add(*numbered(3))
    if is_open:
        ledger = LedgerFile(written.folder.ledger)
        ledger.write(Intent(1, "create_run", at=time.time()))
        ledger.close()
    database = tmp_path / "store.db"
    database.write_bytes(b"no database" * 1000)
    with connected(Endpoint(EMBEDDED_ORIGIN, 1, str(database)), Token(TOKEN), deadline_seconds=5.0) as client:
        delivery = awaited_life(written, client, Timeouts(**SHORT_LIMITS), is_awaited=False)
    assert delivery.state.error_class == "store"
    assert str(database) in delivery.retry_policy.stopped
    assert delivery.state.done.left == 3
    assert (delivery.state.open_intent is not None) is is_open
    assert database.read_bytes() == b"no database" * 1000


def test_delivered_session_that_nobody_removed(tmp_path: Path, server: ScriptedServer, written: WrittenSession) -> None:
    """A delivered session whose sender and pytest were killed is removed by the next one, neither kept nor lost."""
    lived(written, server)
    written.close()
    assert delivered_state(written.folder) is not None
    with written.folder.records("gw0").open("wb") as file:
        file.write(b"later")
    os.utime(written.folder.records("gw0"), ns=(2**62, 2**62))
    assert delivered_state(written.folder) is None
    written.folder.records("gw0").unlink()
    own = SessionFolder(tmp_path / "20270102T030405-00000001")
    pid = os.getpid()
    living = replace(written.session, pid=pid, pid_birth=system.process_start_time(pid))
    for session, is_there in ((living, True), (written.session, False)):  # a living one has yet to read it
        written.folder.write_session(session)
        assert expire_old_sessions(tmp_path, own, keep_days=14, now=time.time()) == LeftoverCounts()
        assert written.folder.path.exists() is is_there


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
            locked(written.folder)


@pytest.mark.parametrize(
    ("is_embedded", "environ", "seconds"), [(False, "{}", 5.0), (True, "{}", 1.0), (True, '{"batch_age": 0.2}', 0.2)]
)
def test_the_store_on_this_machine_gets_results_sooner(is_embedded: bool, environ: str, seconds: float) -> None:  # noqa: FBT001 - a parameter
    """A result waits 5 s for others on its way to a server, and 1 s to the embedded store, whose pages are live."""
    timeouts = timeouts_from({LIMITS_VARIABLE: environ}, is_embedded=is_embedded, exit_all=7.0)
    assert (timeouts.batch_age, timeouts.exit_all) == (seconds, 7.0)


@pytest.mark.parametrize("what", ["named", "other", "missing", "folder"])
def test_only_captured_files_are_opened(tmp_path: Path, what: str) -> None:
    """A record that names a descriptor of something else than a file without a name opens nothing."""
    path = tmp_path / "named"
    path.write_text("s3cr3t of a file that somebody has")
    descriptor = os.open(tmp_path if what == "folder" else path, os.O_RDONLY)
    if what == "other":
        path.unlink()
    found = os.fstat(descriptor)
    captured = CapturedOutput(RecordingOptions())
    inode = found.st_ino + (what == "other")
    captured.watch("main", os.getpid(), [["stdout", 10_000 if what == "missing" else descriptor, found.st_dev, inode]])
    assert captured.last_words("main") == ""
    captured.close()
    os.close(descriptor)


def test_last_output_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result of a test whose process died arrives without the last output of the process."""

    def broken(*_: object) -> str:
        raise LookupError("broken on purpose")

    monkeypatch.setattr(CapturedOutput, "last_words", broken)
    with checked_in_process() as server:
        written = WrittenSession(tmp_path, server.address)
        written.add("test_a")
        written.start("test_dies")
        written.close()
        state = lived(written, server).state
        assert result_names(server) == ["test_a", "test_dies"]
    assert state.done.left_out == ("last output left out: LookupError: broken on purpose",)
