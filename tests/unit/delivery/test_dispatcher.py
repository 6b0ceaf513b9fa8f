"""When requests go out: one after the other or several at once, and after which pauses."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from pytest_automation_report.api.responses import NotSentError, ThrottledError
from pytest_automation_report.delivery.launch import Timeouts
from support.delivered_results import assert_complete, field_texts, result_named, result_names
from support.deliveries import (
    Clock,
    Pending,
    Stepper,
    WrittenSession,
    lived,
    numbered,
    session_of_workers,
    settled,
    step_until,
    stepping,
    until_appends_are_under_way,
)
from support.scripted_server.checked import checked_in_process
from support.scripted_server.faults import Rule, answer, applied_but, delayed, throttled
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS
from support.sessions import TOKEN


@pytest.mark.parametrize("number", [0.0, 0.25, 1.0])
def test_waits_have_full_jitter(server: ScriptedServer, written: WrittenSession, number: float) -> None:
    """Each wait is any part of a ceiling, which doubles from 0.5 s up to 30 s."""
    server.down()
    clock = Clock(number=number)
    ceilings = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    with stepping(written, clock) as stepper:
        for ceiling in ceilings:
            tries = len(clock.lines)
            assert stepper.step()
            assert len(clock.lines) == tries + 1
            clock.now += ceiling * number - 0.001
            if number:
                assert not stepper.step()
            clock.now += 0.002


DATE = "Fri, 02 Jan 2026 03:04:05 GMT"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0.0), ("1", 1.0), ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0), (None, 60.0), ("soon", 60.0)],
)
def test_wait_after_429(server: ScriptedServer, written: WrittenSession, header: str | None, seconds: float) -> None:
    """The wait is what the header says, by the server's own clock, one minute when it says nothing that can be read."""
    headers = {"Date": DATE} if header is None else {"Date": DATE, "Retry-After": header}
    server.script([Rule("POST", OPERATIONS["create-run"], answer(429, {"message": "Too Many Attempts."}, headers))])
    with stepping(written, Clock(number=0.0)) as stepper:
        assert stepper.step()
        if seconds:
            stepper.clock.now += seconds - 0.01
            assert not stepper.step()
            stepper.clock.now += 0.02
        assert stepper.step()
        stepper.run()
    assert_complete(server, numbered(3))


def test_one_pause_for_all_threads(server: ScriptedServer, fresh: WrittenSession) -> None:
    """When one thread's append is throttled, none of the others is tried before the pause is over."""
    fresh.add(*numbered(3))
    fresh.add_worker("gw1", "test_other")
    fresh.end()
    server.script([Rule("POST", OPERATIONS["append-thread"], throttled("7"))])
    with stepping(fresh) as stepper:
        step_until(stepper, lambda: any(each.status == 429 for each in server.log))
        requests = len(server.log)
        for _ in range(6):
            stepper.clock.now += 1
            assert not stepper.step()
        assert len(server.log) == requests
        stepper.run()
    assert_complete(server, [*numbered(3), "test_other"])


def test_late_finish_of_a_test_that_was_reported_as_died(server: ScriptedServer, fresh: WrittenSession) -> None:
    """A test that was reported as died is not reported again by a later life that finds its end."""
    fresh.start("test_slow")
    with stepping(fresh) as stepper:
        stepper.read()
        stepper.following.queues.finalize("died")
        step_until(stepper, lambda: len(server.results) == 1)
    again = WrittenSession.reopened(fresh)
    again.finish("test_slow")
    again.end()
    settled(again)
    assert_complete(server, ["test_slow"])
    assert "died before it finished" in field_texts(result_named(server, "test_slow"))


def fields_sent(server: ScriptedServer, operation: str) -> list[dict[str, str]]:
    seen = [each for each in server.log if each.method == "POST" and re.search(OPERATIONS[operation], each.path)]
    return [{field["name"]: field["value"] for field in each.json.get("fields", ())} for each in seen]


def test_number_of_tests_is_known_from_the_start(server: ScriptedServer, written: WrittenSession) -> None:
    """The run is created with the number of collected tests, so that its page can show what is still to come."""
    written.collect(7)
    settled(written)
    assert [fields["Collected"] for fields in fields_sent(server, "create-run")] == ["7"]
    assert ["Collected" in fields for fields in fields_sent(server, "append-run")] == [False]


def test_number_of_tests_that_is_known_late(server: ScriptedServer, fresh: WrittenSession) -> None:
    """A run that was created before the end of the collection, for an error in it, gets the number at its end."""
    fresh.add(*numbered(3))
    with stepping(fresh) as stepper:
        step_until(stepper, lambda: stepper.delivery.state.run is not None)
        fresh.collect(5)
        fresh.end()
        stepper.run()
    assert ["Collected" in fields for fields in fields_sent(server, "create-run")] == [False]
    (note,) = fields_sent(server, "append-run")
    assert (note["Collected"], note["Not run"]) == ("5", "2")


APPEND = r"/threads/\d+/append$"
NAMES = numbered(6)


def going_on(stepper: Stepper, pending: Pending) -> None:
    """Step until nothing is left to do but to wait for answers."""
    while stepper.step():
        assert len(pending) <= 4


def waits(stepper: Stepper, seconds: float) -> bool:
    """Let time pass; return whether the sender still waits then."""
    stepper.clock.now += seconds
    return stepper.delivery.retry_policy.is_waiting


@pytest.mark.parametrize("place", [0, -1], ids=["in-order", "last-first"])
def test_each_thread_has_one_request_at_a_time(tmp_path: Path, server: ScriptedServer, place: int) -> None:
    """Requests to different threads are under way together, four at most, and each follows the answer that it needs."""
    pending: Pending = []
    most = 0
    with stepping(session_of_workers(tmp_path, server, 6), pending=pending) as stepper:
        going_on(stepper, pending)
        assert len(pending) == 1, "no thread without its run"
        while not stepper.delivery.is_finished:
            pending.pop(place)()
            going_on(stepper, pending)
            most = max(most, len(pending))
            workers = [each.worker for each in stepper.delivery.state.open_intents.values()]
            assert len(set(workers)) == len(workers) == len(pending)
    assert most == 4
    assert_complete(server, NAMES)
    paths = [each.path for each in server.log]
    assert paths[-1].endswith("/complete")
    assert sum(bool(re.search(r"/runs/\d+/(append|complete)$", path)) for path in paths) == 2
    told: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if "/threads/" in path:
            told[path.split("/")[-2]].append(path.split("/")[-1])
    assert list(told.values()) == [["append", "complete"]] * 6


def test_one_request_at_a_time_while_tests_run(server: ScriptedServer, fresh: WrittenSession) -> None:
    """Before all workers have ended, a server has one request of a session at a time."""
    pending: Pending = []
    fresh.add("test_main")
    fresh.add_worker("gw0", *NAMES)
    with stepping(fresh, pending=pending) as stepper:
        going_on(stepper, pending)
        stepper.clock.now += 10
        going_on(stepper, pending)
        assert pending == []
        assert result_names(server) == sorted(["test_main", *NAMES])


@pytest.mark.parametrize("place", [0, -1], ids=["in-order", "last-first"])
def test_last_words_in_a_run_of_others(tmp_path: Path, server: ScriptedServer, place: int) -> None:
    """In a joined run the thread that ends last has the last words, also when all threads end at the same time."""
    server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": "shared", "source": "suite"})
    pending: Pending = []
    with stepping(session_of_workers(tmp_path, server, 4, joined_run=2), pending=pending) as stepper:
        stepper.idle = lambda: bool(pending and [pending.pop(place)()])
        stepper.run()
    threads = server.store.runs[2].threads
    assert len(threads) == 4
    assert all(thread.is_completed for thread in threads)
    fields = [field["name"] for thread in threads for field in thread.resources["fields"]]
    assert fields.count("Session") == 1
    assert not server.store.runs[2].is_completed


@pytest.mark.parametrize("second", [204, 500])
def test_answers_are_awaited_when_nothing_more_is_sent(tmp_path: Path, server: ScriptedServer, second: int) -> None:
    """What was under way when the token was refused counts as its answer says; the refused token stays the reason."""
    pending: Pending = []
    with stepping(session_of_workers(tmp_path, server, 3), pending=pending) as stepper:
        until_appends_are_under_way(stepper, pending, 3)
        server.script([Rule("POST", APPEND, answer(401)), Rule("POST", APPEND, applied_but(second), first=2)])
        pending.pop(0)()
        going_on(stepper, pending)
        stopped, state = stepper.delivery.retry_policy.stopped, stepper.delivery.state
        for each in pending:
            each()
        stepper.delivery.await_responses()
        assert len(result_names(server)) == 2
        assert state.total("acknowledged") == (2 if second == 204 else 1)
        assert (state.open_intent is None) is (second == 204)
        assert (state.error_class, state.error) == ("token", stopped)


def test_pause_stays_the_reason(tmp_path: Path, server: ScriptedServer) -> None:
    """That the server asked for a pause is still told when a request that was under way is answered after it."""
    pending: Pending = []
    with stepping(session_of_workers(tmp_path, server, 2), pending=pending) as stepper:
        until_appends_are_under_way(stepper, pending, 2)
        server.script([Rule("POST", APPEND, throttled("60"))])
        for each in pending:
            each()
        going_on(stepper, pending)
        state = stepper.delivery.state
        assert state.total("acknowledged") == 1
        assert (state.error_class, "429" in state.error) == ("throttled", True)
        pending.clear()
        stepper.clock.now += 61
        stepper.idle = lambda: bool(pending and [pending.pop(0)()])
        stepper.run()
        assert not state.error
    assert_complete(server, NAMES[:2])


def test_slow_answer_is_no_lack_of_progress(tmp_path: Path, server: ScriptedServer) -> None:
    """The command does not give up while an answer is awaited, however long the last one is ago."""
    server.script([Rule("POST", APPEND, delayed(0.8))])  # longer than the time without progress
    delivery = lived(session_of_workers(tmp_path, server, 3), server, max_in_flight=4)
    assert delivery.is_finished
    assert_complete(server, NAMES[:3])


def test_files_are_stored_when_nothing_is_under_way(tmp_path: Path) -> None:
    """No answer waits for a file that is being stored, which may take long."""
    with checked_in_process(ScriptedServer(token=TOKEN, keeps_artifacts=True)) as server:
        written = WrittenSession(tmp_path, server.address)
        written.add_worker("gw0", NAMES[0])
        written.add_worker("gw1", NAMES[1], file="gw1-1")
        written.add_worker("gw2", NAMES[2], file="gw2-1")
        written.describe("main-1")
        written.end()
        pending: Pending = []
        uploads = 0
        with stepping(written, pending=pending) as stepper:
            while not stepper.delivery.is_finished:
                if not stepper.step():
                    pending.pop(0)()
                before, uploads = uploads, sum(each.path == "/artifacts" for each in server.log)
                assert uploads == before or not pending
        assert uploads == 3
        assert_complete(server, NAMES[:3])
        assert len(server.artifacts) == 3
        assert [each["name"] for each in server.store.runs[2].resources["artifacts"]] == ["main-1"]


def test_longest_pause_counts(written: WrittenSession) -> None:
    """A pause that the server asks for is kept when another request fails; our own wait ends with the session."""
    with stepping(written, Clock(number=1.0)) as stepper:
        retry_policy = stepper.delivery.retry_policy
        for _ in range(3):
            retry_policy.handle_error(NotSentError("no route"))
            stepper.clock.now += 40
        retry_policy.handle_error(NotSentError("no route"))
        retry_policy.handle_error(ThrottledError("no", retry_after_seconds=1.0))
        retry_policy.skip_backoff()
        assert not waits(stepper, 1.6)
        retry_policy.handle_error(ThrottledError("no", retry_after_seconds=60.0))
        retry_policy.handle_error(ThrottledError("no", retry_after_seconds=1.0))
        retry_policy.handle_error(NotSentError("no route"))
        retry_policy.skip_backoff()
        assert waits(stepper, 59)
        assert not waits(stepper, 2)
        retry_policy.handle_error(NotSentError("no route"))
        retry_policy.skip_backoff()
        assert not waits(stepper, 0)


def test_failures_at_the_same_time_are_one(written: WrittenSession) -> None:
    """Requests that fail together make the next wait no longer than one of them would."""
    with stepping(written, Clock(number=1.0)) as stepper:
        retry_policy, seconds = stepper.delivery.retry_policy, Timeouts().retry_base
        for factor in (1, 2, 4):
            for _ in range(4):
                retry_policy.handle_error(NotSentError("no route"))
            assert waits(stepper, 0.9 * factor * seconds)
            assert not waits(stepper, 0.2 * factor * seconds)
