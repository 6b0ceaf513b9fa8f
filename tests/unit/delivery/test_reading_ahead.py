"""How much of a spool a sender takes into its memory, and that it ends although it has not taken all."""

import os
import re
import time
from pathlib import Path

import pytest

from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.sender import Sender
from pytest_automation_report.spool.folder import Process
from pytest_automation_report.spool.sessions import ledger_from
from support.delivered_results import assert_complete, field_texts, result_named, result_names
from support.deliveries import WrittenSession, ended_session, lived, stepping
from support.records import line
from support.scripted_adapter import client_of
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS

MORE_THAN_IS_READ_AHEAD = 3000
WORKERS = ("gw0", "gw1")
GONE = Process(2**30)
"""A process that is gone: no system has so large an id."""

CONTROLLER_BEGINS = line("open", format=1, worker="controller", pid=0, t=0)


@pytest.mark.parametrize("is_own", [False, True], ids=["send", "pytest-died"])
@pytest.mark.parametrize("count", [3, MORE_THAN_IS_READ_AHEAD])
def test_life_without_a_server_ends(tmp_path: Path, server: ScriptedServer, count: int, is_own: bool) -> None:  # noqa: FBT001 - a parameter
    """Without an answer a sender gives up after its time, however much is left, and says how much and why."""
    written = ended_session(tmp_path, server, count)
    written.close()
    server.down()
    began = time.monotonic()
    delivery = lived(written, server, controller=GONE if is_own else None)
    assert 0.5 < time.monotonic() - began < 10
    state = ledger_from(written.folder.ledger)
    assert not delivery.is_finished
    assert (state.done.complete, state.done.left) == (False, count)
    assert state.done.seen == {"main": count}
    assert state.done.why


def test_life_with_a_refused_token_ends_at_once(tmp_path: Path, server: ScriptedServer) -> None:
    """Where nothing more can be sent a sender ends, although it has not read all that is left."""
    server.script([Rule("POST", OPERATIONS["create-run"], answer(401))])
    written = ended_session(tmp_path, server, MORE_THAN_IS_READ_AHEAD)
    written.close()
    began = time.monotonic()
    delivery = lived(written, server)
    assert time.monotonic() - began < 10
    assert delivery.state.trouble_class == "token"
    assert delivery.state.done.left == MORE_THAN_IS_READ_AHEAD
    assert len(server.log) == 1
    assert lived(written, server).is_finished
    assert len(result_names(server)) == MORE_THAN_IS_READ_AHEAD


def of_worker(worker: str, count: int) -> list[str]:
    return [f"test_{worker}_{number}" for number in range(count)]


def test_workers_of_xdist_wait_on_disk(server: ScriptedServer, fresh: WrittenSession) -> None:
    """However much the workers have recorded, a sender holds little more than the next 1,000 results of each."""
    server.checks.clear()  # reading so many bodies by the contract takes long; other tests do it
    fresh.folder.records("controller").write_bytes(line("open", format=1, worker="controller", pid=0, t=0))
    for worker in WORKERS:
        fresh.add_worker(worker, *of_worker(worker, 6000))
    fresh.end()
    longest = 0
    with stepping(fresh) as stepper:
        while not stepper.delivery.is_finished:
            stepper.clock.now += 0 if stepper.step() else 0.5
            longest = max(longest, *(len(each.results) for each in stepper.following.queues.by_worker.values()))
    assert 1000 <= longest < 4000
    assert_complete(server, [name for worker in WORKERS for name in of_worker(worker, 6000)])


def test_reading_is_progress(server: ScriptedServer, fresh: WrittenSession) -> None:
    """However long the reading of a file takes, a sender does not give up because of it before it has sent anything."""

    def bytes_read() -> float:
        return float(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]

    with fresh.folder.records("main").open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.truncate(file.tell() + (10 << 20))
    fresh.add("test_it")
    fresh.end()
    # A clock by which a megabyte takes five seconds, and nothing else takes time.
    runtime = Runtime(clock=lambda: bytes_read() / 2e5, random=lambda: 0.5, log=lambda _: None)
    with client_of(server.address) as client:
        delivery = Sender(fresh.folder, fresh.session, Timeouts(send_progress=30.0), client, runtime).run()
    assert delivery.is_finished
    assert_complete(server, ["test_it"])


def test_end_is_known_before_all_is_read(fresh: WrittenSession) -> None:
    """A session counts as over once its end is read, although its workers' results wait on the disk."""
    fresh.add_worker("gw0", *of_worker("gw0", MORE_THAN_IS_READ_AHEAD))
    with stepping(fresh) as stepper:
        stepper.read()
        assert stepper.following.files.is_behind
        assert not stepper.following.has_ended
        fresh.end()
        stepper.read()
        assert stepper.following.files.is_behind
        assert [stepper.following.has_ended] == [True]


def test_crash_after_results_that_are_not_read_yet(server: ScriptedServer, fresh: WrittenSession) -> None:
    """A crash report is taken after all that its worker wrote, and before the test's next attempt is sent."""
    server.checks.clear()
    controller = fresh.folder.records("controller")
    controller.write_bytes(CONTROLLER_BEGINS)
    fresh.add_worker("gw0", *of_worker("gw0", 6000), dies_in="test_it")
    fresh.add_worker("gw1", *of_worker("gw1", 6000), "test_it")
    with stepping(fresh) as stepper:
        stepper.read()
        assert stepper.following.files.is_behind
        about = {"id": "test_it.py::test_it", "file": "test_it.py", "line": 0}
        with controller.open("ab") as file:
            file.write(line("crash", t=9, worker="gw0", outcome="rerun", text="gw0 crashed", **about))
        fresh.end()
        while not stepper.delivery.is_finished:
            stepper.clock.now += 0 if stepper.step() else 0.5
    assert_complete(server, [*(name for worker in WORKERS for name in of_worker(worker, 6000)), "test_it"])
    assert result_named(server, "test_it")["status"] == "passed"
    assert "gw0 crashed" in field_texts(result_named(server, "test_it"))
