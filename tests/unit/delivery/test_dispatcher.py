"""The sender's own steps: what stands on disk before a request, how long it waits, what it does after a death."""

import re
from pathlib import Path

import pytest

from support.delivered_results import assert_complete, field_texts, result_named
from support.deliveries import Clock, WrittenSession, numbered, step_until, stepping
from support.scripted_server.faults import Rule, answer, throttled
from support.scripted_server.server import ScriptedServer

POSTS = {
    "create_run": r"/automation/runs$",
    "create_thread": r"/threads$",
    "append_thread": r"/threads/\d+/append$",
    "complete_thread": r"/threads/\d+/complete$",
    "append_run": r"/runs/\d+/append$",
    "complete_run": r"/runs/\d+/complete$",
}


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
    [
        ("0", 0.0),
        ("1", 1.0),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", 0.0),
        (None, 60.0),
        ("", 60.0),
        ("soon", 60.0),
        ("-5", 0.0),
        ("1000000000", 1e9),
    ],
)
def test_wait_after_429(server: ScriptedServer, written: WrittenSession, header: str | None, seconds: float) -> None:
    """The wait is what the header says, by the server's own clock, one minute when it says nothing that can be read."""
    headers = {"Date": DATE} if header is None else {"Date": DATE, "Retry-After": header}
    server.script([Rule("POST", POSTS["create_run"], answer(429, {"message": "Too Many Attempts."}, headers))])
    with stepping(written, Clock(number=0.0)) as stepper:
        assert stepper.step()
        if seconds:
            stepper.clock.now += seconds - 0.01
            assert not stepper.step()
            stepper.clock.now += 0.02
        assert stepper.step()
        stepper.run()
    assert_complete(server, numbered(3))


def test_one_pause_for_all_threads(tmp_path: Path, server: ScriptedServer) -> None:
    """When one thread's append is throttled, none of the others is tried before the pause is over."""
    written = WrittenSession(tmp_path, server.address)
    written.add(*numbered(3))
    written.add_worker("gw1", "test_other")
    written.end()
    server.script([Rule("POST", POSTS["append_thread"], throttled("7"))])
    with stepping(written) as stepper:
        step_until(stepper, lambda: any(each.status == 429 for each in server.log))
        requests = len(server.log)
        for _ in range(6):
            stepper.clock.now += 1
            assert not stepper.step()
        assert len(server.log) == requests
        stepper.run()
    assert_complete(server, [*numbered(3), "test_other"])


def test_late_finish_of_a_test_that_was_reported_as_died(tmp_path: Path, server: ScriptedServer) -> None:
    """A test that was reported as died is not reported again by a later life that finds its end."""
    written = WrittenSession(tmp_path, server.address)
    written.start("test_slow")
    with stepping(written) as stepper:
        stepper.read()
        stepper.following.queues.finalize("died")
        step_until(stepper, lambda: len(server.results) == 1)
    again = WrittenSession.reopened(written)
    again.finish("test_slow")
    again.end()
    with stepping(again) as stepper:
        stepper.run()
        assert stepper.delivery.is_finished
    assert_complete(server, ["test_slow"])
    assert "died before it finished" in field_texts(result_named(server, "test_slow"))


def fields_sent(server: ScriptedServer, operation: str) -> list[dict[str, str]]:
    """Return name and value of the fields in the requests of this operation."""
    seen = [each for each in server.log if each.method == "POST" and re.search(POSTS[operation], each.path)]
    return [{field["name"]: field["value"] for field in each.json.get("fields", ())} for each in seen]


def test_number_of_tests_is_known_from_the_start(server: ScriptedServer, written: WrittenSession) -> None:
    """The run is created with the number of collected tests, so that its page can show what is still to come."""
    written.collect(7)
    with stepping(written) as stepper:
        stepper.run()
    assert [fields["Collected"] for fields in fields_sent(server, "create_run")] == ["7"]
    assert ["Collected" in fields for fields in fields_sent(server, "append_run")] == [False]


def test_number_of_tests_that_is_known_late(tmp_path: Path, server: ScriptedServer) -> None:
    """A run that was created before the end of the collection, for an error in it, gets the number at its end."""
    written = WrittenSession(tmp_path, server.address)
    written.add(*numbered(3))
    with stepping(written) as stepper:
        step_until(stepper, lambda: stepper.delivery.state.run is not None)
        written.collect(5)
        written.end()
        stepper.run()
    assert ["Collected" in fields for fields in fields_sent(server, "create_run")] == [False]
    (note,) = fields_sent(server, "append_run")
    assert (note["Collected"], note["Not run"]) == ("5", "2")
