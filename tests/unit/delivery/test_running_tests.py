"""Extensions on the way of a sender: for a server that announces them, and for no other."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_automation_report.delivery.scheduler import SHOWN_AFTER_SECONDS
from support.delivered_results import appends
from support.deliveries import Clock, WrittenSession, settled, stepping
from support.scripted_server.checked import checked_in_process
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN

ALL = "started, phases, steps, running, comparison"
BEGAN = 1_800_000_000_000_000


@pytest.fixture(params=[ALL])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with checked_in_process(ScriptedServer(token=TOKEN, extensions=request.param)) as server:
        yield server


@pytest.fixture
def written(fresh: WrittenSession) -> WrittenSession:
    """Return a session that began at a known time."""
    fresh.session = replace(fresh.session, started_us=BEGAN)
    return fresh


def _appends(server: ScriptedServer) -> list[dict[str, Any]]:
    return [each.json for each in appends(server)]


def _test(name: str, since: int) -> dict[str, object]:
    return {"key": sha256(f"test_it.{name}".encode()).hexdigest(), "name": name, "folder": "test_it", "since": since}


def test_a_long_test_is_shown_while_it_runs(server: ScriptedServer, written: WrittenSession) -> None:
    """A test that runs longer than a second is shown once, by itself; its result replaces it by the next one."""
    with stepping(written) as stepper:
        written.start("test_long")
        stepper.wait()  # the run is created
        assert _appends(server) == []
        stepper.wait(SHOWN_AFTER_SECONDS)  # the thread is created, and the test is shown
        assert _appends(server) == [{"session_started": BEGAN, "running": [_test("test_long", 10)]}]
        stepper.clock.now += 60.0
        assert not stepper.step()
        written.finish("test_long")
        written.start("test_next")
        stepper.wait(1.0)
        stepper.wait(5.0)
        (_, second) = _appends(server)
        assert second["running"] == [_test("test_next", 20)]
        assert [test["name"] for test in second["tests"]] == ["test_long"]
        stepper.clock.now += 60.0
        assert not stepper.step(), "a running test that an append has shown is not shown again"


def test_short_tests_cost_no_request(server: ScriptedServer, written: WrittenSession) -> None:
    """Tests that run for less than a second are shown with the results alone."""
    with stepping(written) as stepper:
        for number in range(8):
            written.start(f"test_{number}")
            stepper.wait()
            stepper.clock.now += 0.5
            written.finish(f"test_{number}")
        written.end()
        stepper.run()
    assert all(append.get("tests") for append in _appends(server))
    assert server.results
    assert _appends(server)[-1]["running"] == []


def test_a_refusal_of_running_tests_stops_nothing(server: ScriptedServer, written: WrittenSession) -> None:
    """A server that refuses to show a running test gets no other one, and all results."""
    server.script([Rule("POST", r"/append$", answer(422, {"message": "No."}))])
    with stepping(written) as stepper:
        written.start("test_long")
        stepper.wait()
        stepper.wait(1.0)
        assert _appends(server) == [{"session_started": BEGAN, "running": [_test("test_long", 10)]}]
        written.finish("test_long")
        written.start("test_other")
        stepper.wait(30.0)
        stepper.wait(30.0)
        written.finish("test_other")
        written.end()
        stepper.run()
        assert stepper.delivery.is_finished
    assert [test["name"] for _, _, test in server.results] == ["test_long", "test_other"]
    assert not any("running" in append for append in _appends(server)[1:])


@pytest.mark.parametrize(
    ("server", "names"),
    [
        (ALL, {"session_started", "running", "started", "phases"}), ("started", {"session_started", "started"}),
        ("phases, teleport", {"phases"}), ("running", {"running"}), ("", set()),
    ],
    indirect=["server"],
)  # fmt: skip
def test_only_announced_extensions_are_sent(server: ScriptedServer, written: WrittenSession, names: set[str]) -> None:
    """A server gets the extensions that it lists, and one that lists none gets the contract alone."""
    with stepping(written) as stepper:
        written.add("test_one")
        written.start("test_two")
        stepper.step()
        stepper.wait(30.0)
        written.finish("test_two")
        written.end()
        stepper.run()
    sent = {name for append in _appends(server) for name in append}
    sent |= {name for _, _, test in server.results for name in test}
    contract = {"elapsed_observed", "elapsed_computed", "tests", "key", "name", "folder", "status", "elapsed"}
    assert sent - contract - {"file", "line"} == names
    if "phases" in names:
        assert all(test["phases"] == [2, 2, 1] for _, _, test in server.results)


def test_a_session_without_a_clock_sends_the_contract_alone(server: ScriptedServer, fresh: WrittenSession) -> None:
    """A session of an imported file has no times to send."""
    fresh.add("test_one")
    fresh.end()
    settled(fresh)
    ((_, _, test),) = server.results
    assert "started" not in test
    assert not any("session_started" in append or "running" in append for append in _appends(server))


def test_the_next_sender_asks_before_it_sends(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that goes on with a thread of an earlier one learns first what the server stores."""
    clock = Clock()
    with stepping(written, clock) as stepper:
        written.add("test_one")
        stepper.step()
        stepper.wait(30.0)
    again = WrittenSession.reopened(written)
    again.add("test_two")
    again.end()
    settled(again, clock)
    assert [test["started"] for _, _, test in server.results] == [10, 20]
