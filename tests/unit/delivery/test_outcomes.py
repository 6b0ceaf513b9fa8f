"""What becomes of each request, case by case: found out, not guessed."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.models import Field, NewRun
from support.delivered_results import assert_complete, result_names
from support.deliveries import WrittenSession, delivered, ended_session, numbered, settled, step_until, stepping
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
from support.scripted_server.variants import OPERATIONS, EditedServer, HalfServer
from support.sessions import TOKEN

APPEND, COMPLETE_THREAD, CREATE = (OPERATIONS[name] for name in ("append-thread", "complete-thread", "create-run"))
RUN, TESTS, RUNS = r"/runs/\d+$", r"/runs/\d+/tests$", r"projects/1/automation/runs$"

FAULTS = {
    "500-not-applied": answer(500, {"message": "Server error."}), "500-applied": applied_but(500),
    "503-not-applied": answer(503), "408-applied": applied_but(408), "409-applied": applied_but(409),
    "lost-answer": lost_answer(), "reset-after-reading": reset_unapplied(), "reset-before-reading": reset_before(),
    "web-page": html(), "web-page-applied": Fault(reply=html().reply), "other-success-applied": applied_but(202),
    "throttled": throttled("0"), "throttled-without-a-time": throttled(),
    "cut-json": Fault(reply=Reply(201, raw=b'{"id": 1')), "id-of-text-applied": applied_but(201, {"id": "7"}),
}  # fmt: skip


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


class Rearranged(HalfServer):
    """Stores the first half of what it makes of the results of the first append, and answers it with 500."""

    def __init__(self, edit: Callable[[list[Any]], list[Any]]) -> None:
        super().__init__(token=TOKEN)
        self.edit = edit

    def applied(self, seen: Seen) -> Reply:
        if not self.is_done and "tests" in (seen.json or {}):
            seen.json["tests"] = self.edit(seen.json["tests"])
        return super().applied(seen)


def half() -> ScriptedServer:
    return HalfServer(token=TOKEN)


def listing(edit: Callable[[dict[str, Any]], object]) -> Callable[[], ScriptedServer]:
    """Return what makes a server that stores half of the first append, and lists results so."""
    return lambda: EditedServer(TESTS, edit)


def each_row(**members: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: [row.update(members) for row in document["result"]]


def paged(next_page: object) -> Callable[[dict[str, Any]], object]:
    """Return an edit that leaves the rest of a list out and says that it is on this page."""
    return lambda document: document.update(result=document["result"][:100], next_page=next_page)


UNREADABLE = Rule("GET", TESTS, answer(404), count=None)
NO_RUN = Rule("GET", RUN, answer(404), count=None)
LOST = Rule("POST", APPEND, answer(500))
NO_LIST = "of one request arrived in thread 1: the server does not show a run's results"
NOT_SHOWN = "the server does not show what arrived in thread 1"
UNANSWERED: dict[str, tuple[Callable[[], ScriptedServer], list[Rule], int, int, str]] = {
    "part": (half, [], 260, 0, ""),
    "part-with-holes": (lambda: Rearranged(lambda all_: [*all_[::2], *all_[1::2]]), [], 6, 0, ""),
    "list-without-keys": (listing(each_row(key="")), [], 4, 0, ""),
    "no-list": (half, [UNREADABLE], 4, 4, f"2 of the 4 results {NO_LIST}"),
    "other-batches-go-on": (half, [UNREADABLE], 260, 250, f"125 of the 250 results {NO_LIST}"),
    "list-of-others": (listing(each_row(key="x", name="x")), [], 4, 4, "are not one batch"),
    "list-in-order": (listing(lambda document: document["result"].reverse()), [], 8, 8, "cannot be followed"),
    "list-mixed": (
        listing(lambda document: document["result"].sort(key=lambda row: row["key"])), [], 8, 8, "cannot be followed",
    ),
    **{
        f"page-{page}": (listing(paged(page)), [], 240, 240, "list of the run's results cannot be followed")
        for page in (1, 3, 2**53, None)
    },
    "more-than-was-sent": (
        lambda: Rearranged(lambda all_: [test for test in all_ for _ in range(4)]),
        [], 3, 3, "6 of the 3 results of one request arrived",
    ),
    "no-run": (lambda: ScriptedServer(token=TOKEN), [LOST, NO_RUN], 3, 3, NOT_SHOWN),
    "no-threads": (
        lambda: EditedServer(RUN, lambda document: document["result"].update(threads=[]), is_half=False),
        [LOST], 3, 3, NOT_SHOWN,
    ),
}  # fmt: skip
"""The server, its rules, the number of results, how many of them are held in the end, and why."""


@pytest.mark.parametrize("case", UNANSWERED)
def test_unanswered_appends(tmp_path: Path, case: str) -> None:
    """The list of a thread's results shows what arrived of a batch; where it does not, the batch is held with a reason.

    It costs one reading of the list, no other batch, and a held batch is never sent by itself.
    """
    make, rules, count, held, reason = UNANSWERED[case]
    with checked_in_process(make()) as server:
        server.script(list(map(copy, rules)))
        written = ended_session(tmp_path, server, count)
        arrived = []
        for _ in range(2):
            delivery = delivered(written)
            assert (delivery.is_finished, delivery.state.has_kept) == (True, held > 0)
            assert delivery.state.total("held") == held
            assert [reason in why for why in delivery.state.reasons] == [True] * bool(held)
            arrived.append(result_names(server))
        assert arrived[0] == arrived[1]
        assert sum(each.path.endswith("/tests") for each in server.log) <= 1
        if not held:
            assert_complete(server, numbered(count))


@pytest.mark.parametrize("next_page", [0, -1, "2", 1.5, [], True])
def test_pages_that_make_no_sense(tmp_path: Path, next_page: object) -> None:
    """A list whose next page is no page is no answer: it is asked again, ever more seldom, and nothing is decided."""
    shown = {"next_page": next_page}
    server = EditedServer(TESTS, lambda document: document.update(shown))
    with checked_in_process(server), stepping(ended_session(tmp_path, server, 240)) as stepper:
        for _ in range(100):
            stepper.clock.now += 0 if stepper.step() else 5
        assert stepper.delivery.state.open_intent is not None
        assert not stepper.delivery.state.has_kept
        shown["next_page"] = None
        stepper.run()
        assert_complete(server, numbered(240))


def test_fence_is_learnt_once(tmp_path: Path, server: ScriptedServer) -> None:
    """That completed threads take nothing is tried with an append without tests at the first fence, and never again."""
    server.script([Rule("POST", APPEND, applied_but(500), first=each) for each in (1, 5)])
    assert settled(ended_session(tmp_path, server, 600)).state.fencing == "fences"
    assert_complete(server, numbered(600))
    probes = [each.status for each in server.log if "/threads/" in each.path and each.json == {}]
    assert probes == [204, 204, 422, 204]  # open; the fence; closed; the second fence


class OpenServer(ScriptedServer):
    """Its completed threads take results all the same."""

    def applied(self, seen: Seen) -> Reply:
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
        server.script([Rule("POST", APPEND, late(502))])
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


def test_storm_costs_three_threads_at_most(tmp_path: Path, server: ScriptedServer) -> None:
    """While appends go unanswered only ones without tests are tried, ever more seldom, and no more threads are made."""
    server.script([Rule("POST", APPEND, answer(500), count=60)])
    with stepping(ended_session(tmp_path, server, 600)) as stepper:
        stepper.run(steps=20_000)
        assert stepper.delivery.is_finished
    assert_complete(server, numbered(600))
    assert len(server.store.threads) <= 4  # three in the storm; one more may be unanswered at its end
    appends = [each for each in server.log if each.path.endswith("/append") and "tests" in (each.json or {})]
    assert sum(each.status == 500 for each in appends) <= 3
    assert stepper.clock.now > 1000 + 50 * 30


NOTHING_LOST = {
    "recount-refused": [Rule("POST", APPEND, answer(422, {"message": "No."})), NO_RUN],
    "completion-not-shown": [NO_RUN, Rule("POST", OPERATIONS["complete-run"], lost_answer())],
    "fence-only-seemed-there": [LOST, Rule("POST", COMPLETE_THREAD, answer(422))],
}  # fmt: skip
"""A refusal counts for the whole append where the run is not shown; a run that is not shown and refuses to be completed
again is completed; a thread that is called completed, and shown as open, is completed again."""


@pytest.mark.parametrize("case", NOTHING_LOST)
def test_reads_that_are_refused(server: ScriptedServer, written: WrittenSession, case: str) -> None:
    """Where a server does not show what became of a request, the delivery ends all the same, with each result once."""
    server.script(list(map(copy, NOTHING_LOST[case])))
    settled(written)
    assert_complete(server, numbered(3))
    if case.startswith("fence"):
        completions = [each.status for each in server.log if each.path.endswith("/threads/1/complete")]
        assert completions == [422, 204]


def test_note_that_is_not_shown_is_not_sent_again(server: ScriptedServer, written: WrittenSession) -> None:
    """Where the run is not shown, a note without a response counts as arrived: it never stands there twice."""
    server.script([Rule("POST", OPERATIONS["append-run"], lost_answer()), copy(NO_RUN)])
    settled(written)
    (run,) = [run for run in server.store.runs.values() if run.body["name"] == "ours"]
    assert [each["value"] for each in run.resources["fields"] if each["name"] == "Session"] == ["all tests passed"]


@pytest.mark.parametrize(
    ("fault", "failure"),
    [(throttled("7"), "throttled"), (answer(502), "unknown"), (answer(404), "")],
    ids=["throttled", "error", "gone"],
)
def test_an_error_while_finding_out(
    server: ScriptedServer, written: WrittenSession, fault: Fault, failure: str
) -> None:
    """A count that cannot be read now is read later; the pause is the server's where it asks for one."""
    server.script([Rule("POST", APPEND, answer(500)), Rule("GET", RUN, fault)])
    with stepping(written) as stepper:
        step_until(stepper, lambda: any(each.method == "GET" for each in server.log), seconds_a_step=0.5)
        assert stepper.delivery.state.error_class == failure
        if failure == "throttled":
            stepper.clock.now += 6.5
            assert stepper.delivery.retry_policy.is_waiting
        if failure:
            stepper.run()
            assert_complete(server, numbered(3))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_token_refused(server: ScriptedServer, written: WrittenSession, operation: str, status: int) -> None:
    """A token that is refused, whatever for, ends the sending after that one request, and nothing is decided."""
    server.script([Rule("POST", OPERATIONS[operation], answer(status))])
    delivery = delivered(written)
    assert [each.status for each in server.log].count(status) == 1
    assert server.log[-1].status == status
    assert (delivery.state.error_class, delivery.state.open_intent, delivery.state.has_kept) == ("token", None, False)
    settled(written)
    assert_complete(server, numbered(3))


@pytest.mark.parametrize("operation", ["create-run", "create-thread", "append-thread", "complete-run"])
def test_gone(server: ScriptedServer, written: WrittenSession, operation: str) -> None:
    """A 404 ends the sending: what is left can be sent when the address is right, or to a new run."""
    server.script([Rule("POST", OPERATIONS[operation], answer(404, {"message": "It is gone."}))])
    delivery = delivered(written)
    assert (delivery.state.error_class, server.log[-1].status) == ("refused", 404)
    assert "It is gone." in delivery.retry_policy.stopped


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
    assert any("No notes." in each for each in settled(written).state.reasons)
    assert result_names(server) == numbered(3)
    assert all(run.is_completed for run in server.store.runs.values() if run.body["name"] == "ours")


def test_fence_that_is_refused(server: ScriptedServer, written: WrittenSession) -> None:
    """A thread that cannot be completed, and not since it is, is no fence: nothing is decided."""
    server.script([Rule("POST", APPEND, answer(500)), Rule("POST", COMPLETE_THREAD, answer(405), count=None)])
    delivery = delivered(written)
    assert (delivery.state.error_class, delivery.state.has_kept) == ("refused", False)
    assert delivery.state.open_intent is not None
    server.forget()
    settled(written)
    assert_complete(server, numbered(3))


def test_list_of_runs_that_is_refused(server: ScriptedServer, written: WrittenSession) -> None:
    """Where runs are not listed, an unanswered one may stay behind empty; the results are in the next, once."""
    server.script([Rule("POST", CREATE, applied_but(500)), Rule("GET", CREATE, answer(404), count=None)])
    settled(written)
    assert result_names(server) == numbered(3)
    assert [run.id for run in server.store.runs.values() if run.body["name"] == "ours"] == [2, 3]
    assert {run for run, _, _ in server.results} == {3}


TOKEN_REFUSED = {
    "fence": [Rule("POST", APPEND, applied_but(500)), Rule("POST", COMPLETE_THREAD, answer(401))],
    "fence-tried-before": [Rule("POST", APPEND, applied_but(500)), Rule("POST", APPEND, answer(401), first=2)],
    "fence-tried-after": [Rule("POST", APPEND, applied_but(500)), Rule("POST", APPEND, answer(401), first=3)],
    "count": [Rule("POST", APPEND, applied_but(500)), Rule("GET", RUN, answer(403))],
    "recount": [Rule("POST", APPEND, answer(422, {"message": "No."})), Rule("GET", RUN, answer(401))],
    "find-run": [Rule("POST", CREATE, applied_but(500)), Rule("GET", RUNS, answer(401))],
    "look-at-run": [Rule("POST", OPERATIONS["complete-run"], applied_but(500)), Rule("GET", RUN, answer(401))],
    "look-at-note": [Rule("POST", OPERATIONS["append-run"], applied_but(500)), Rule("GET", RUN, answer(401))],
    "part": [Rule("GET", TESTS, answer(401))],
}


@pytest.mark.parametrize("where", TOKEN_REFUSED)
def test_token_refused_while_finding_out(tmp_path: Path, where: str) -> None:
    """A token that is refused while a request is looked into decides nothing: the next life finds out."""
    with checked_in_process(half() if where == "part" else None) as server:
        server.script(list(map(copy, TOKEN_REFUSED[where])))
        written = ended_session(tmp_path, server, 4)
        delivery = delivered(written)
        assert delivery.state.error_class == "token"
        assert not delivery.is_finished
        assert not delivery.state.has_kept
        server.forget()
        settled(written)
        assert_complete(server, numbered(4))


class Stormy(ScriptedServer):
    """Answers no append with tests, and from the third on those without with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(token=TOKEN)
        self.status, self.empty, self.is_over = status, 0, False
        self.answers: list[int] = []

    def applied(self, seen: Seen) -> Reply:
        if self.is_over or not ("/threads/" in seen.path and seen.path.endswith("/append")):
            return super().applied(seen)
        if "tests" in seen.json:
            return Reply(500, {"message": "Server error."})
        self.empty += 1
        if self.empty < 3:
            return super().applied(seen)
        self.answers.append(self.status)
        return Reply(self.status, {"message": "No."}, {"Retry-After": "7"} if self.status == 429 else {})


@pytest.mark.parametrize(("status", "failure"), [(401, "token"), (404, ""), (429, "throttled"), (503, "unknown")])
def test_answer_to_a_probe(tmp_path: Path, status: int, failure: str) -> None:
    """In a storm a refused token ends the sending, a throttled probe waits, any other refusal is an answer."""
    server = Stormy(status)
    with checked_in_process(server):
        written = ended_session(tmp_path, server, 600)
        with stepping(written) as stepper:
            step_until(stepper, lambda: bool(server.answers), seconds_a_step=0.5)
            assert server.answers == [status]
            assert stepper.delivery.state.error_class == failure or not failure
            asked = len(server.log)
            assert bool(stepper.delivery.retry_policy.stopped) is (status == 401)
            stepper.step()
            assert (len(server.log) > asked) is (status == 404)
        server.is_over = True
        settled(written)
        assert_complete(server, numbered(600))
