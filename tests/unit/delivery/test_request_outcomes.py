"""What follows from each answer, case by case."""

from pathlib import Path

import pytest

from pytest_automation_report.api.models import Field, FieldType, Test
from pytest_automation_report.delivery.batches import reduced
from pytest_automation_report.delivery.queues import Result
from support.delivered_results import assert_complete, result_names
from support.deliveries import WrittenSession, ended_session, numbered, settled, step_until, stepping
from support.scripted_server.checked import checked_in_process
from support.scripted_server.faults import Fault, Rule, answer, applied_but, throttled
from support.scripted_server.server import ScriptedServer, Seen
from support.scripted_server.store import Reply
from support.scripted_server.variants import OPERATIONS, HalfServer
from support.sessions import TOKEN

APPEND = OPERATIONS["append-thread"]
RUN = r"/runs/\d+$"


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [(throttled("7"), "throttled"), (answer(502), "unknown"), (answer(404), "")],
    ids=["throttled", "error", "gone"],
)
def test_trouble_while_finding_out(server: ScriptedServer, written: WrittenSession, fault: Fault, trouble: str) -> None:
    """A count that cannot be read now is read later; the pause is the server's where it asks for one."""
    server.script([Rule("POST", APPEND, answer(500)), Rule("GET", RUN, fault)])
    with stepping(written) as stepper:
        for _ in range(300):
            if any(each.method == "GET" for each in server.log):
                break
            stepper.clock.now += 0 if stepper.step() else 0.5
        assert stepper.delivery.state.trouble_class == trouble
        if trouble == "throttled":
            stepper.clock.now += 6.5
            assert stepper.delivery.retry_policy.is_waiting
        if trouble:
            stepper.run()
            assert_complete(server, numbered(3))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_token_refused(server: ScriptedServer, written: WrittenSession, operation: str, status: int) -> None:
    """A token that is refused, whatever for, ends the sending after that one request, and nothing is decided."""
    server.script([Rule("POST", OPERATIONS[operation], answer(status))])
    with stepping(written) as stepper:
        stepper.run()
        assert stepper.delivery.state.trouble_class == "token"
        assert [each.status for each in server.log].count(status) == 1
        assert server.log[-1].status == status
        assert stepper.delivery.state.open_intent is None
        assert not stepper.delivery.has_kept
    with stepping(written) as stepper:
        stepper.run()
    assert_complete(server, numbered(3))


@pytest.mark.parametrize("operation", ["create-run", "create-thread", "append-thread", "complete-run"])
def test_gone(server: ScriptedServer, written: WrittenSession, operation: str) -> None:
    """A 404 ends the sending: what is left can be sent when the address is right, or to a new run."""
    server.script([Rule("POST", OPERATIONS[operation], answer(404, {"message": "It is gone."}))])
    with stepping(written) as stepper:
        stepper.run()
        assert stepper.delivery.state.trouble_class == "refused"
        assert "It is gone." in stepper.delivery.retry_policy.stopped
        assert server.log[-1].status == 404


@pytest.mark.parametrize("is_completed", [True, False])
@pytest.mark.parametrize(
    ("status", "errors"), [(422, {"run": ["It is closed."]}), (422, {}), (400, {})], ids=["property", "bare", "other"]
)
def test_completed_run_is_recognised_by_reading_it(
    server: ScriptedServer, written: WrittenSession, status: int, errors: dict[str, list[str]], *, is_completed: bool
) -> None:
    """A run that takes no thread since it is completed needs a new run, whatever the refusal says; no other does."""
    refusal = answer(status, {"message": "No.", "errors": errors})
    server.script([Rule("POST", OPERATIONS["create-thread"], refusal)])
    with stepping(written) as stepper:
        step_until(stepper, lambda: stepper.delivery.state.run is not None)
        server.store.runs[stepper.delivery.state.run or 0].is_completed = is_completed
        stepper.run()
        assert stepper.delivery.retry_policy.stopped
        assert stepper.delivery.state.is_run_gone is is_completed


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_note_that_is_refused(server: ScriptedServer, written: WrittenSession, status: int) -> None:
    """A note that the server does not take costs the run its note, and nothing else."""
    server.script([Rule("POST", OPERATIONS["append-run"], answer(status, {"message": "No notes."}))])
    with stepping(written) as stepper:
        stepper.run()
        assert stepper.delivery.is_finished
        assert any("No notes." in each for each in stepper.delivery.state.reasons)
    assert result_names(server) == numbered(3)
    assert all(run.is_completed for run in server.store.runs.values() if run.body["name"] == "ours")


def test_refused_append_that_cannot_be_recounted(server: ScriptedServer, written: WrittenSession) -> None:
    """Where the server shows no run, a refusal is taken to be of the whole append."""
    server.script([Rule("POST", APPEND, answer(422, {"message": "No."})), Rule("GET", RUN, answer(404), count=None)])
    settled(written)
    assert_complete(server, numbered(3))


def test_fence_that_is_refused(server: ScriptedServer, written: WrittenSession) -> None:
    """A thread that cannot be completed, and not since it is, is no fence: nothing is decided."""
    server.script(
        [Rule("POST", APPEND, answer(500)), Rule("POST", OPERATIONS["complete-thread"], answer(405), count=None)]
    )
    with stepping(written) as stepper:
        stepper.run()
        assert stepper.delivery.state.trouble_class == "refused"
        assert stepper.delivery.state.open_intent is not None
        assert not stepper.delivery.has_kept
    server.forget()
    with stepping(written) as stepper:
        stepper.run()
    assert_complete(server, numbered(3))


class Doubling(ScriptedServer):
    """Stores each append twice, and answers the first with 500."""

    is_first = True

    def applied(self, seen: Seen) -> Reply:
        """Apply a request, appends of tests twice."""
        reply = super().applied(seen)
        if self.is_first and "tests" in (seen.json or {}):
            self.is_first = False
            super().applied(seen)
            return Reply(500, {"message": "Server error."})
        return reply


def test_thread_with_more_than_was_sent(tmp_path: Path) -> None:
    """A count that no batch of ours explains decides nothing: the batch is held, and the numbers are told."""
    with checked_in_process(Doubling(token=TOKEN)) as server:
        written = ended_session(tmp_path, server)
        with stepping(written) as stepper:
            stepper.run()
            assert stepper.delivery.state.total("held") == 3
            assert "6 of the 3 results of one request arrived in thread 1" in stepper.delivery.state.reasons[0]


def test_fence_that_only_seemed_to_be_there(server: ScriptedServer, written: WrittenSession) -> None:
    """A thread that the server calls completed, and shows as open, is completed again before anything is decided."""
    server.script([Rule("POST", APPEND, answer(500)), Rule("POST", OPERATIONS["complete-thread"], answer(422))])
    settled(written)
    completions = [each.status for each in server.log if each.path.endswith("/threads/1/complete")]
    assert completions == [422, 204]
    assert_complete(server, numbered(3))


def test_list_of_runs_that_is_refused(server: ScriptedServer, written: WrittenSession) -> None:
    """Where runs are not listed, an unanswered one may stay behind empty; the results are in the next, once."""
    create = OPERATIONS["create-run"]
    server.script([Rule("POST", create, applied_but(500)), Rule("GET", create, answer(404), count=None)])
    settled(written)
    assert result_names(server) == numbered(3)
    assert [run.id for run in server.store.runs.values() if run.body["name"] == "ours"] == [2, 3]
    assert {run for run, _, _ in server.results} == {3}


class Muddled(HalfServer):
    """Stores half of the first append, and lists results of other keys."""

    def applied(self, seen: Seen) -> Reply:
        """Apply a request, and change the keys and names of a list."""
        reply = super().applied(seen)
        if seen.path.endswith("/tests"):
            for each in reply.document["result"]:
                each["key"] = each["name"] = "of somebody else"
        return reply


class EverySecond(HalfServer):
    """Stores every second result of the first append, then answers 500."""

    def applied(self, seen: Seen) -> Reply:
        """Apply a request, the first append with holes."""
        if "tests" in (seen.json or {}) and not self.is_done:
            tests = seen.json["tests"]
            seen.json["tests"] = [*tests[::2], *tests[1::2]]  # the first half of these is stored
        return super().applied(seen)


def test_part_with_holes(tmp_path: Path) -> None:
    """When every second result of a batch arrived, exactly the others are sent."""
    with checked_in_process(EverySecond(token=TOKEN)) as server:
        written = ended_session(tmp_path, server, 6)
        settled(written)
        assert_complete(server, numbered(6))


class Keyless(HalfServer):
    """Stores half of the first append, and lists results without their keys."""

    def applied(self, seen: Seen) -> Reply:
        """Apply a request, and leave the keys out of a list."""
        reply = super().applied(seen)
        if seen.path.endswith("/tests"):
            for each in reply.document["result"]:
                each["key"] = ""
        return reply


def test_list_without_keys(tmp_path: Path) -> None:
    """Where a list has no keys, folder and name tell which part of an append arrived."""
    with checked_in_process(Keyless(token=TOKEN)) as server:
        written = ended_session(tmp_path, server, 4)
        settled(written)
        assert_complete(server, numbered(4))


def test_list_of_other_results(tmp_path: Path) -> None:
    """A list whose latest results are not of the batch decides nothing."""
    with checked_in_process(Muddled(token=TOKEN)) as server:
        written = ended_session(tmp_path, server, 4)
        with stepping(written) as stepper:
            stepper.run()
            assert stepper.delivery.state.total("held") == 4
            assert "not those of one batch" in stepper.delivery.state.reasons[0]


def test_forms_of_a_result() -> None:
    """Cut, only long values are shortened, and markup becomes text; bare, nothing but the reason is left."""
    fields = (
        Field("Long", "x" * 20_000),
        Field("Short", "x", FieldType.HTML),
        Field("Page", "<b>" * 5000, FieldType.HTML),
    )
    test = Test("0" * 64, "test_it", "tests", "passed", 5, fields=fields)
    result = Result("main", 7, 1, "id", "passed", 9, test)
    assert reduced(result, "whole") is result
    cut = reduced(result, "cut").test
    assert [len(each.value or "") < 5000 for each in cut.fields] == [True] * 3
    assert [each.type for each in cut.fields] == [FieldType.STRING, FieldType.HTML, FieldType.TEXT]
    assert cut.fields[1] == fields[1]
    bare = reduced(result, "bare", "too large", "ok").test
    assert [each.value for each in bare.fields] == ["too large"]
    assert (bare.status, bare.key, bare.name) == ("ok", test.key, "test_it")
    assert reduced(result, "bare").offset == 7
