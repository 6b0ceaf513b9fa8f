"""Extensions on the way of a sender: for a server that announces them, and for no other."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import EXTENSIONS, Test
from pytest_automation_report.delivery.attempts import Extensions
from pytest_automation_report.delivery.batches import Batch
from pytest_automation_report.delivery.queues import Result
from pytest_automation_report.delivery.scheduler import SHOWN_AFTER_SECONDS
from support.deliveries import Clock, Stepper, WrittenSession, stepping
from support.scripted_server.checked import checked_in_process
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN

ALL = "started, phases, steps, running, comparison"
BEGAN = 1_800_000_000_000_000


@pytest.fixture(params=[ALL])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    """Run a scripted server that announces the parameter."""
    with checked_in_process(ScriptedServer(token=TOKEN, extensions=request.param)) as server:
        yield server


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    """Return a session that began at a known time."""
    written = WrittenSession(tmp_path, server.address)
    written.session = replace(written.session, started_us=BEGAN)
    return written


def going_on(stepper: Stepper) -> None:
    """Step until there is nothing to do at this time."""
    while stepper.step():
        pass


def _appends(server: ScriptedServer) -> list[dict[str, Any]]:
    """Return the bodies of the appends to threads, in the order of their arrival."""
    return [seen.json for seen in server.log if "/threads/" in seen.path and seen.path.endswith("/append")]


def _test(name: str, since: int) -> dict[str, object]:
    return {"key": sha256(f"test_it.{name}".encode()).hexdigest(), "name": name, "folder": "test_it", "since": since}


def test_a_long_test_is_shown_while_it_runs(server: ScriptedServer, written: WrittenSession) -> None:
    """A test that runs longer than a second is shown once, by itself; its result replaces it by the next one."""
    clock = Clock()
    with stepping(written, clock) as stepper:
        written.start("test_long")
        going_on(stepper)  # the run is created
        assert _appends(server) == []
        clock.now += SHOWN_AFTER_SECONDS
        going_on(stepper)  # the thread is created, and the test is shown
        assert _appends(server) == [{"session_started": BEGAN, "running": [_test("test_long", 10)]}]
        clock.now += 60.0
        assert not stepper.step()
        written.finish("test_long")
        written.start("test_next")
        clock.now += 1.0
        stepper.step()
        clock.now += 5.0
        going_on(stepper)
        (_, second) = _appends(server)
        assert (second["running"], [test["name"] for test in second["tests"]]) == (
            [_test("test_next", 20)],
            ["test_long"],
        )
        clock.now += 60.0
        assert not stepper.step(), "a running test that an append has shown is not shown again"


def test_short_tests_cost_no_request(server: ScriptedServer, written: WrittenSession) -> None:
    """Tests that run for less than a second are shown with the results alone."""
    clock = Clock()
    with stepping(written, clock) as stepper:
        for number in range(8):
            written.start(f"test_{number}")
            stepper.step()
            stepper.step()
            clock.now += 0.5
            written.finish(f"test_{number}")
        written.end()
        stepper.run()
    assert all(append.get("tests") for append in _appends(server))
    assert server.results
    assert _appends(server)[-1]["running"] == []


def test_a_refusal_of_running_tests_stops_nothing(server: ScriptedServer, written: WrittenSession) -> None:
    """A server that refuses to show a running test gets no other one, and all results."""
    server.script([Rule("POST", r"/append$", answer(422, {"message": "No."}))])
    clock = Clock()
    with stepping(written, clock) as stepper:
        written.start("test_long")
        going_on(stepper)
        clock.now += 1.0
        going_on(stepper)
        assert _appends(server) == [{"session_started": BEGAN, "running": [_test("test_long", 10)]}]
        written.finish("test_long")
        written.start("test_other")
        clock.now += 30.0
        going_on(stepper)
        clock.now += 30.0
        going_on(stepper)
        written.finish("test_other")
        written.end()
        stepper.run()
        assert stepper.delivery.is_finished
    assert [test["name"] for _, _, test in server.results] == ["test_long", "test_other"]
    assert not any("running" in append for append in _appends(server)[1:])


@pytest.mark.parametrize(
    ("server", "names"),
    [
        (ALL, {"session_started", "running", "started", "phases"}),
        ("started", {"session_started", "started"}),
        ("phases, teleport", {"phases"}),
        ("running", {"running"}),
        ("", set()),
    ],
    indirect=["server"],
)
def test_only_announced_extensions_are_sent(server: ScriptedServer, written: WrittenSession, names: set[str]) -> None:
    """A server gets the extensions that it lists, and one that lists none gets the contract alone."""
    clock = Clock()
    with stepping(written, clock) as stepper:
        written.add("test_one")
        written.start("test_two")
        stepper.step()
        clock.now += 30.0
        going_on(stepper)
        written.finish("test_two")
        written.end()
        stepper.run()
    sent = {name for append in _appends(server) for name in append}
    sent |= {name for _, _, test in server.results for name in test}
    contract = {"elapsed_observed", "elapsed_computed", "tests", "key", "name", "folder", "status", "elapsed"}
    assert sent - contract - {"file", "line"} == names
    if "phases" in names:
        assert all(test["phases"] == [2, 2, 1] for _, _, test in server.results)


def test_a_session_without_a_clock_sends_the_contract_alone(server: ScriptedServer, tmp_path: Path) -> None:
    """A session of an imported file has no times to send."""
    written = WrittenSession(tmp_path, server.address)
    written.add("test_one")
    written.end()
    with stepping(written) as stepper:
        stepper.run()
    ((_, _, test),) = server.results
    assert "started" not in test
    assert not any("session_started" in append or "running" in append for append in _appends(server))


def test_the_next_sender_asks_before_it_sends(server: ScriptedServer, written: WrittenSession) -> None:
    """A sender that goes on with a thread of an earlier one learns first what the server stores."""
    clock = Clock()
    with stepping(written, clock) as stepper:
        written.add("test_one")
        stepper.step()
        clock.now += 30.0
        going_on(stepper)
    again = WrittenSession.reopened(written)
    again.add("test_two")
    again.end()
    with stepping(again, clock) as stepper:
        stepper.run()
    assert [test["started"] for _, _, test in server.results] == [10, 20]


TEST = {"key": "k", "name": "n", "folder": "f", "status": "passed"}
PHASES = {"phases": [1, 2, 3]}
COMPARED = {"comparison": {"operator": "=="}}


def _result(**extensions: Any) -> Result:  # noqa: ANN401 - its members
    return Result("main", 0, 1, "t.py::a", "passed", 2, Test("k", "n", "f", "passed"), Extensions(**extensions))


@pytest.mark.parametrize(
    ("result", "announced", "test"),
    [
        (_result(started=7, **PHASES, **COMPARED), set(EXTENSIONS), {**TEST, "started": 7, **PHASES, **COMPARED}),
        (_result(started=7, **PHASES, **COMPARED), {"comparison"}, {**TEST, **COMPARED}),
        (_result(started=7, **PHASES), {"running"}, TEST),
        (_result(started=7, **PHASES), set(), TEST),
        (_result(), {"started", "phases"}, TEST),
    ],
)  # fmt: skip
def test_the_body_of_a_result_has_what_is_announced(result: Result, announced: set[str], test: object) -> None:
    """Of the extensions of a result those are sent that the server stores."""
    body = Batch((result,), is_full=False).body(None, announced)
    assert json.loads(body)["tests"] == [test]
