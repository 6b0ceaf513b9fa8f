"""Every kind of bad answer to every kind of request: found out, not guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripted.faults import (
    Fault,
    Rule,
    answer,
    applied_but,
    html,
    lost_answer,
    reset_before,
    reset_unapplied,
    throttled,
)
from scripted.server import ScriptedServer, Seen
from scripted.store import Reply
from sessions import TOKEN

from faults.deliveries import WrittenSession, numbered, step_until, stepping
from faults.oracle import assert_one_run, assert_whole, checked_server, names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPERATIONS = {
    "create-run": r"projects/1/automation/runs$",
    "create-thread": r"/threads$",
    "append-thread": r"/threads/\d+/append$",
    "complete-thread": r"/threads/\d+/complete$",
    "append-run": r"/runs/\d+/append$",
    "complete-run": r"/runs/\d+/complete$",
}
FAULTS = {
    "500-not-applied": answer(500, {"message": "Server error."}),
    "500-applied": applied_but(500),
    "503-not-applied": answer(503),
    "408-applied": applied_but(408),
    "409-applied": applied_but(409),
    "lost-answer": lost_answer(),
    "reset-after-reading": reset_unapplied(),
    "reset-before-reading": reset_before(),
    "web-page": html(),
    "web-page-applied": Fault(reply=html().reply),
    "other-success-applied": applied_but(202),
    "throttled": throttled("0"),
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with checked_server() as server:
        yield server


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    written = WrittenSession(tmp_path, server.address)
    written.add(*numbered(3))
    written.end()
    return written


def settled(written: WrittenSession) -> None:
    """Deliver a session to its end."""
    with stepping(written) as stepper:
        stepper.run()
        assert stepper.delivery.is_finished, stepper.clock.lines
        assert not stepper.delivery.has_kept


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_bad_answer(server: ScriptedServer, written: WrittenSession, operation: str, fault: str) -> None:
    """Each result is there once, in one run that is completed once."""
    server.script([Rule("POST", OPERATIONS[operation], FAULTS[fault])])
    settled(written)
    assert_whole(server, numbered(3))


@pytest.mark.parametrize("fault", ["500-applied", "500-not-applied", "lost-answer"])
def test_bad_answers_to_reads(server: ScriptedServer, written: WrittenSession, fault: str) -> None:
    """A read that fails while an append is being settled is repeated; nothing is decided without it."""
    server.script([
        Rule("POST", OPERATIONS["append-thread"], FAULTS[fault]),
        Rule("GET", r"/runs/\d+$", answer(500), count=3),
    ])  # fmt: skip
    settled(written)
    assert_whole(server, numbered(3))


@pytest.mark.parametrize("fault", ["500-applied", "500-not-applied", "lost-answer"])
def test_bad_answers_to_the_fence(server: ScriptedServer, written: WrittenSession, fault: str) -> None:
    """A fence whose own answer is lost is looked at before it counts."""
    server.script([
        Rule("POST", OPERATIONS["append-thread"], lost_answer()),
        Rule("POST", OPERATIONS["complete-thread"], FAULTS[fault], count=2),
    ])  # fmt: skip
    settled(written)
    assert_whole(server, numbered(3))


def test_storm(server: ScriptedServer, written: WrittenSession) -> None:
    """A server that fails every second time, before or after it applied, gets everything once."""
    server.script([Rule("*", "/api", applied_but(500), first=number) for number in range(2, 40, 4)])
    server.script([Rule("*", "/api", answer(502), first=number) for number in range(4, 40, 4)])
    settled(written)
    assert_whole(server, numbered(3))


def test_append_that_is_lost_goes_on_in_a_new_thread(server: ScriptedServer, written: WrittenSession) -> None:
    """After an unknown answer the old thread is closed and not used again."""
    server.script([Rule("POST", OPERATIONS["append-thread"], answer(500))])
    settled(written)
    appends = [each.path for each in server.log if each.path.endswith("/append") and "threads" in each.path]
    assert appends == ["/api/v1/automation/runs/threads/1/append", "/api/v1/automation/runs/threads/2/append"]


def test_late_copy_before_the_second_read(server: ScriptedServer, written: WrittenSession) -> None:
    """A copy that lands after the first read of the count is seen by the second: one read alone would double it."""
    later: list[str] = []

    def land_late(method: str, path: str, query: str, body: bytes | None) -> None:
        del query, body
        if later or (method == "GET" and path.endswith("/runs/2")):
            later.append(path)
            if len(later) == 2:
                thread = server.store.threads[1]
                thread.is_completed = False  # a fence that takes effect late still lets it in
                server.store.apply("POST", append.path, "", append.json)
                thread.is_completed = True

    server.script([Rule("POST", OPERATIONS["append-thread"], answer(502))])
    with stepping(written) as stepper:
        step_until(stepper, lambda: any("threads/1/append" in each.path for each in server.log))
        append = next(each for each in server.log if "threads/1/append" in each.path)
        server.checks.append(land_late)
        stepper.run()
        assert stepper.delivery.is_finished
    assert_whole(server, numbered(3))


class HalfServer(ScriptedServer):
    """Stores half of the first append, then answers 500."""

    is_done = False

    def applied(self, seen: Seen) -> Reply:
        """Apply a request, the first append by half."""
        if self.is_done or not ("/threads/" in seen.path and seen.path.endswith("/append")):
            return super().applied(seen)
        self.is_done = True
        seen.json["tests"] = seen.json["tests"][: len(seen.json["tests"]) // 2]
        super().applied(seen)
        return Reply(500, {"message": "Server error."})


def test_part_of_an_append_is_held(tmp_path: Path) -> None:
    """When a part of a batch arrived nobody can tell what to send: it is held, named, and never sent again."""
    with checked_server(HalfServer(token=TOKEN)) as server:
        written = WrittenSession(tmp_path, server.address)
        written.add(*numbered(4))
        written.end()
        for _ in range(2):
            with stepping(written) as stepper:
                stepper.run()
                assert stepper.delivery.is_finished
                assert stepper.delivery.has_kept
                account = stepper.delivery.state.account("main")
                assert (account.held.count, account.acknowledged.count, stepper.delivery.left) == (4, 0, 0)
                assert stepper.delivery.state.reasons == ["2 of the 4 results of one request arrived in thread 1"]
        assert names(server) == ["test_0", "test_1"]
        assert_one_run(server)


def test_other_batches_go_on_after_a_held_one(tmp_path: Path) -> None:
    """A held batch keeps no other from being delivered."""
    with checked_server(HalfServer(token=TOKEN)) as server:
        written = WrittenSession(tmp_path, server.address)
        written.add(*numbered(260))
        written.end()
        with stepping(written) as stepper:
            stepper.run()
            account = stepper.delivery.state.account("main")
            assert (account.held.count, account.acknowledged.count) == (250, 10)
        assert len(names(server)) == 125 + 10
