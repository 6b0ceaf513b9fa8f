"""The sender's own steps: what stands on disk before a request, how long it waits, what it does after a death."""

import re

import pytest

from support.delivered_results import assert_complete, field_texts, result_named
from support.deliveries import Clock, WrittenSession, numbered, settled, step_until, stepping
from support.scripted_server.faults import Rule, answer, throttled
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS


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
