"""Every kind of bad answer to every kind of request: found out, not guessed."""

from pathlib import Path

import pytest

from pytest_automation_report.api.models import Field, NewRun
from support.delivered_results import assert_complete, assert_one_run, result_names
from support.deliveries import WrittenSession, ended_session, numbered, settled, step_until, stepping
from support.scripted_adapter import client_of
from support.scripted_server.checked import checked_in_process
from support.scripted_server.faults import (
    Fault,
    Rule,
    answer,
    applied_but,
    html,
    late,
    lost_answer,
    reset_before,
    reset_unapplied,
    throttled,
)
from support.scripted_server.server import ScriptedServer, Seen
from support.scripted_server.store import Reply
from support.scripted_server.variants import OPERATIONS, HalfServer
from support.sessions import TOKEN

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


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_bad_answer(server: ScriptedServer, written: WrittenSession, operation: str, fault: str) -> None:
    """Each result is there once, in one run that is completed once."""
    server.script([Rule("POST", OPERATIONS[operation], FAULTS[fault])])
    settled(written)
    assert_complete(server, numbered(3))


@pytest.mark.parametrize("fault", ["500-applied", "500-not-applied", "lost-answer"])
def test_a_field_with_the_name_of_ours_is_no_note(server: ScriptedServer, tmp_path: Path, fault: str) -> None:
    """The note on the session's end arrives once, also in a run to which a user has given a field named Session."""
    written = WrittenSession(tmp_path, server.address, fields=(Field("Session", "nightly"),))
    written.add(*numbered(1))
    written.end()
    server.script([Rule("POST", OPERATIONS["append-run"], FAULTS[fault])])
    settled(written)
    (run,) = [run for run in server.store.runs.values() if run.body["name"] == "ours"]
    assert run.is_completed
    values = [each["value"] for each in run.resources["fields"] if each["name"] == "Session"]
    assert values == ["nightly", "all tests passed"]


def test_other_fields_of_a_thread_are_no_note(server: ScriptedServer, tmp_path: Path) -> None:
    """In a run that others began the note is a thread's: after an error the thread's other fields are no note."""
    with client_of(server.address) as client:
        number = client.create_run(NewRun(name="shared", source="suite"))
    written = WrittenSession(tmp_path, server.address, joined_run=number)
    written.add(*numbered(1))
    written.end()
    server.script([Rule("POST", OPERATIONS["append-thread"], FAULTS["500-not-applied"], first=2)])
    settled(written)
    notes = [field for thread in server.store.threads.values() for field in thread.resources["fields"]]
    assert [each["value"] for each in notes if each["name"] == "Session"] == ["all tests passed"]


def unreadable() -> Rule:
    """Return the fate of reading a run's results where the server does not offer it."""
    return Rule("GET", r"/runs/\d+/tests$", answer(404), count=None)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_part_of_an_append_is_told_by_name(tmp_path: Path, is_restarted: bool) -> None:  # noqa: FBT001 - a parameter
    """When a part of a batch arrived, the thread's own list tells which, and the rest is sent; also by a new sender."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        written = ended_session(tmp_path, server, 260)
        if is_restarted:
            with stepping(written) as stepper:
                step_until(stepper, lambda: bool(server.results))
        with stepping(written) as stepper:
            stepper.run()
            assert stepper.delivery.is_finished
            assert not stepper.delivery.has_kept
            assert stepper.delivery.state.progress_of("main").acknowledged.count == 260
        assert_complete(server, numbered(260))


@pytest.mark.parametrize("order", ["asc", "mixed"])
def test_list_that_cannot_be_followed(tmp_path: Path, order: str) -> None:
    """A list in another order than asked for decides nothing: the batch is held."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        listed = server.store._list_tests

        def disordered(run_id: int, query: dict[str, list[str]]) -> Reply:
            reply = listed(run_id, {**query, "order": ["asc"]})
            if order == "mixed":
                reply.document["result"].sort(key=lambda row: row["key"])
            return reply

        server.store._list_tests = disordered  # type: ignore[method-assign]
        written = ended_session(tmp_path, server, 8)
        with stepping(written) as stepper:
            stepper.run()
            assert stepper.delivery.state.progress_of("main").held.count == 8


def test_part_of_an_append_is_held(tmp_path: Path) -> None:
    """Where nobody can tell which part of a batch arrived it is held, named, and never sent again by itself."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        server.script([unreadable()])
        written = ended_session(tmp_path, server, 4)
        for _ in range(2):
            with stepping(written) as stepper:
                stepper.run()
                assert stepper.delivery.is_finished
                assert stepper.delivery.has_kept
                progress = stepper.delivery.state.progress_of("main")
                assert (progress.held.count, progress.acknowledged.count) == (4, 0)
                (reason,) = stepper.delivery.state.reasons
                assert reason.startswith("2 of the 4 results of one request arrived in thread 1: the server does not")
        assert result_names(server) == ["test_0", "test_1"]
        assert_one_run(server)


def test_other_batches_go_on_after_a_held_one(tmp_path: Path) -> None:
    """A held batch keeps no other from being delivered."""
    with checked_in_process(HalfServer(token=TOKEN)) as server:
        server.script([unreadable()])
        with stepping(ended_session(tmp_path, server, 260)) as stepper:
            stepper.run()
            progress = stepper.delivery.state.progress_of("main")
            assert (progress.held.count, progress.acknowledged.count) == (250, 10)
        assert len(result_names(server)) == 125 + 10


def test_fence_is_learnt_once(tmp_path: Path) -> None:
    """That completed threads take nothing is tried with an append without tests at the first fence, and never again."""
    with checked_in_process() as server:
        server.script([Rule("POST", OPERATIONS["append-thread"], applied_but(500), first=each) for each in (1, 5)])
        with stepping(ended_session(tmp_path, server, 600)) as stepper:
            stepper.run()
            assert stepper.delivery.is_finished
            assert stepper.delivery.state.fencing == "fences"
        assert_complete(server, numbered(600))
        probes = [each.status for each in server.log if "/threads/" in each.path and each.json == {}]
        assert probes == [204, 204, 422, 204]  # open; the fence; closed; the second fence


class OpenServer(ScriptedServer):
    """Its completed threads take results all the same."""

    def applied(self, seen: Seen) -> Reply:
        """Apply a request, an append as if its thread were open."""
        for thread in self.store.threads.values() if seen.path.endswith("/append") else ():
            if seen.path.endswith(f"/threads/{thread.id}/append"):
                was_completed, thread.is_completed = thread.is_completed, False
                reply = super().applied(seen)
                thread.is_completed = was_completed
                return reply
        return super().applied(seen)


def test_server_without_a_fence_settles(tmp_path: Path) -> None:
    """Where completed threads take results, a late copy may land for two minutes: nothing is decided before."""
    with checked_in_process(OpenServer(token=TOKEN)) as server:
        server.script([Rule("POST", OPERATIONS["append-thread"], late(502))])
        with stepping(ended_session(tmp_path, server, 3)) as stepper:
            step_until(stepper, lambda: bool(server.log) and server.log[-1].status == 502)
            stepper.clock.now += 1
            step_until(stepper, lambda: stepper.delivery.is_busy)
            assert stepper.delivery.state.fencing == "settles"
            stepper.clock.now += 100
            assert not stepper.step()
            server.release()
            stepper.run()
            assert stepper.delivery.is_finished
            assert stepper.clock.now > 1000 + 120
        assert_complete(server, numbered(3))


def test_storm_costs_three_threads_at_most(tmp_path: Path) -> None:
    """While appends go unanswered only ones without tests are tried, ever more seldom, and no more threads are made."""
    with checked_in_process() as server:
        server.script([Rule("POST", OPERATIONS["append-thread"], answer(500), count=60)])
        with stepping(ended_session(tmp_path, server, 600)) as stepper:
            stepper.run(steps=20_000)
            assert stepper.delivery.is_finished
        assert_complete(server, numbered(600))
        assert len(server.store.threads) <= 4  # three in the storm; one more may be unanswered at its end
        appends = [each for each in server.log if each.path.endswith("/append") and "tests" in (each.json or {})]
        assert sum(each.status == 500 for each in appends) <= 3
        assert stepper.clock.now > 1000 + 50 * 30


def test_completion_that_cannot_be_read_is_taken_as_done(server: ScriptedServer, written: WrittenSession) -> None:
    """A server that shows no run and refuses to complete it once more ends the delivery: it is completed."""
    server.script([
        Rule("GET", r"/runs/\d+$", answer(404), count=None),
        Rule("POST", OPERATIONS["complete-run"], lost_answer()),
    ])  # fmt: skip
    settled(written)
    assert_complete(server, numbered(3))
