"""Which results go into one append and when it goes, and what becomes of those that a server will not take."""

import json
import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import Field, FieldType
from pytest_automation_report.api.results import TypedTest
from pytest_automation_report.delivery.queues import Result, batch_from
from pytest_automation_report.delivery.refusals import reduced
from pytest_automation_report.spool.records import Attempt
from support.delivered_results import appends, assert_complete, assert_one_run, field_texts, result_named, result_names
from support.deliveries import Clock, WrittenSession, delivered, ended_session, numbered, settled, step_until, stepping
from support.scripted_server.checked import checked_in_process
from support.scripted_server.server import ScriptedServer
from support.scripted_server.store import Reply
from support.scripted_server.variants import HalfServer, Judge, PickyServer, naming, unknown_alias, unprocessable
from support.sessions import TOKEN


def silent(*bad: str) -> Judge:
    return lambda tests, _: unprocessable() if any(test["name"] in bad for test in tests) else None


def limited(most_bytes: int) -> Judge:
    """Return a judge of the body's length."""
    return lambda _, body: Reply(413, {"message": "Payload Too Large"}) if len(body) > most_bytes else None


def picky(judge: Judge) -> AbstractContextManager[ScriptedServer]:
    return checked_in_process(PickyServer(judge))


def sizes(server: ScriptedServer) -> list[int]:
    return [len(each.json["tests"]) for each in appends(server)]


def rejected(written: WrittenSession) -> list[dict[str, Any]]:
    path = written.folder.rejected
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()] if path.exists() else []


def assert_all_but(server: ScriptedServer, count: int, *bad: str) -> None:
    """Fail unless all results but these are there, each once, in a whole run."""
    assert result_names(server) == sorted(set(numbered(count)) - set(bad))
    assert_one_run(server)


def test_named_test_is_set_aside(tmp_path: Path) -> None:
    """Two tests whose keys the server names cost one more request; the others arrive, these are in the file."""
    bad = ("test_7", "test_200")
    with picky(naming("key", *bad)) as server:
        written = ended_session(tmp_path, server, 250)
        first, second = delivered(written), delivered(written)
        for delivery in (first, second):
            assert (delivery.is_finished, delivery.state.has_kept) == (True, True)
            assert delivery.state.progress("main").rejected.count == 2
        assert len(appends(server)) == 2
        assert_all_but(server, 250, *bad)
        found = rejected(written)
        assert [each["test"]["name"] for each in found] == list(bad)
        assert "tests.7.key: It is wrong." in found[0]["why"]
        assert "tests.200.key: It is wrong." in found[1]["why"]
        assert first.state.reasons[0].startswith("test_it.py::test_7: 422: ")


def test_named_content_is_left_out(tmp_path: Path) -> None:
    """A test with a field that the server names arrives without its fields, and says why."""
    with picky(naming("fields.0.value", "test_3")) as server:
        settled(ended_session(tmp_path, server, 10, text="as it was"))
        assert_complete(server, numbered(10))
        assert len(appends(server)) == 2
        assert field_texts(result_named(server, "test_2")) == "as it was"
        assert "It is wrong." in field_texts(result_named(server, "test_3"))
        assert [each["name"] for each in result_named(server, "test_3")["fields"]] == ["Left out"]


SET_ASIDE: dict[str, tuple[Judge, int, list[str]]] = {
    "one-unnamed": (silent("test_137"), 250, ["test_137"]),
    "at-both-ends": (silent("test_0", "test_1", "test_30", "test_99"), 100, ["test_0", "test_1", "test_30", "test_99"]),
    "too-large-in-every-form": (limited(200), 1, ["test_0"]),
    "no-word-for-its-status": (unknown_alias("passed", "pass", "success", "ok"), 3, numbered(3)),
}


@pytest.mark.parametrize("case", SET_ASIDE)
def test_results_that_no_form_makes_right(tmp_path: Path, case: str) -> None:
    """What the server cannot take in any form is found, named or not, and set aside; all others arrive.

    One bad test that the server does not name costs a few appends more than the binary logarithm, with its two forms.
    """
    judge, count, bad = SET_ASIDE[case]
    with picky(judge) as server:
        written = ended_session(tmp_path, server, count)
        assert delivered(written).is_finished
        assert_all_but(server, count, *bad)
        assert sorted(each["test"]["name"] for each in rejected(written)) == bad
        if len(bad) == 1:
            assert len(appends(server)) <= math.log2(count) + 5


def test_server_that_takes_no_test_is_left_alone(tmp_path: Path) -> None:
    """When test after test is refused without a reason nothing more is set aside: the rest is kept to be sent."""
    with picky(silent(*numbered(300))) as server:
        written = ended_session(tmp_path, server, 300)
        delivery = delivered(written)
        assert delivery.retry_policy.stopped
        assert (len(rejected(written)), delivery.state.total("acknowledged")) == (10, 0)
        assert len(appends(server)) < 60


def test_refusal_that_is_not_about_tests(tmp_path: Path) -> None:
    """A 422 that names other things than tests ends the sending; everything is kept."""
    with picky(lambda _, __: unprocessable({"elapsed_observed": "It is negative."})) as server:
        delivery = delivered(ended_session(tmp_path, server, 5))
        assert "elapsed_observed: It is negative." in delivery.retry_policy.stopped
        assert (delivery.state.total("acknowledged"), len(appends(server))) == (0, 1)


def test_body_too_large(tmp_path: Path) -> None:
    """After a 413 batches are halved until they fit, and the limit is kept in mind."""
    with picky(limited(65_536)) as server:
        settled(ended_session(tmp_path, server, 240, text="x" * 1000))
        assert_complete(server, numbered(240))
        assert [each.status for each in appends(server)].count(413) <= 3
        assert {field_texts(test) for _, _, test in server.results} == {"x" * 1000}


@pytest.mark.parametrize(("most", "field"), [(3_000, "Text"), (900, "Left out")])
def test_single_result_too_large(tmp_path: Path, most: int, field: str) -> None:
    """A result that is too large alone arrives with its text cut, or without it."""
    with picky(limited(most)) as server:
        settled(ended_session(tmp_path, server, 2, text="x" * 10_000))
        assert_complete(server, numbered(2))
        assert [each["name"] for each in result_named(server, "test_1")["fields"]] == [field]
        if field == "Text":
            assert "characters cut" in field_texts(result_named(server, "test_1"))


def test_unknown_status_is_renamed_for_all(tmp_path: Path) -> None:
    """A status that the server does not know costs one request, not one for each test, and is told."""
    with picky(unknown_alias("passed")) as server:
        delivery = settled(ended_session(tmp_path, server, 600))
        assert_complete(server, numbered(600))
        assert {test["status"] for _, _, test in server.results} == {"pass"}
        assert (len(appends(server)), delivery.state.renamed) == (4, {"passed": "pass"})


def test_renaming_outlives_a_sender(tmp_path: Path) -> None:
    """A sender that goes on for another one does not ask again for a status that is unknown."""
    with picky(unknown_alias("passed", "pass")) as server:
        written = ended_session(tmp_path, server, 400)
        with stepping(written) as stepper:
            step_until(stepper, lambda: len(server.results) == 250)
        delivered(written)
        assert_complete(server, numbered(400))
        assert [each.status for each in appends(server)] == [422, 422, 204, 204]


class PartServer(HalfServer):
    """Takes half of the tests of the first append and refuses the append."""

    reply = unprocessable({"tests.125.key": "It is wrong."})


def test_refusal_after_a_part_was_taken(tmp_path: Path) -> None:
    """Before a refused batch is sent again the thread is counted: the part that arrived is not sent twice."""
    with checked_in_process(PartServer(token=TOKEN)) as server:
        settled(ended_session(tmp_path, server, 250))
        assert_complete(server, numbered(250))
        assert sizes(server) == [125, 125]  # the first as it was applied


def test_thread_completed_by_somebody_else(server: ScriptedServer, fresh: WrittenSession) -> None:
    """When an append is refused since its thread is completed, the results go into a new one."""
    fresh.add(*numbered(250))
    with stepping(fresh) as stepper:
        step_until(stepper, lambda: len(server.results) == 250)
        server.store.threads[1].is_completed = True
        more = WrittenSession.reopened(fresh)
        more.add("test_more")
        more.end()
        stepper.run()
        assert not stepper.delivery.state.has_kept
    assert_complete(server, [*numbered(250), "test_more"])
    more.close()


def slow_clock(clock: Clock, server: ScriptedServer, seconds: float) -> None:
    def passes(method: str, path: str, query: str, body: bytes | None) -> None:
        del method, query, body
        clock.now += seconds if "/threads/" in path and path.endswith("/append") else 0.0

    server.checks.append(passes)


def test_slow_server_gets_larger_appends(tmp_path: Path, server: ScriptedServer) -> None:
    """When appends take long and more is waiting they grow to 1,000 tests: a slow server does not hold up the end."""
    clock = Clock()
    slow_clock(clock, server, 0.2)
    settled(ended_session(tmp_path, server, 3_000), clock)
    assert sizes(server) == [250, 1000, 1000, 750]
    assert_complete(server, numbered(3_000))


def test_large_append_that_is_refused(tmp_path: Path) -> None:
    """A server that does not take more than 250 tests at once is believed, and not asked again."""
    clock, refusal = Clock(), unprocessable({"tests": "There are too many."})
    with picky(lambda tests, _: refusal if len(tests) > 250 else None) as server:
        slow_clock(clock, server, 0.2)
        settled(ended_session(tmp_path, server, 1_500), clock)
        assert sizes(server) == [250, 1000, *[250] * 5]
        assert_complete(server, numbered(1_500))


MIB = 1 << 20


def names(server: ScriptedServer) -> list[list[str]]:
    return [[test["name"] for test in each.json["tests"]] for each in appends(server)]


def test_batch_of_one_result_larger_than_the_limit() -> None:
    """A result that is larger than a batch may be goes alone; it does not stop the others."""
    large, small = (
        Result("main", 0, 0, "", "passed", 0, TypedTest(key, "n", "f", "passed"), size=size)
        for key, size in (("a", 5 * MIB), ("b", 100))
    )
    assert batch_from([large, small]).results == (large,)


def test_results_wait_five_seconds(server: ScriptedServer, fresh: WrittenSession) -> None:
    """Results of a running session are sent together once the first has waited 5 s, not before."""
    fresh.add("test_a", "test_b")
    with stepping(fresh) as stepper:
        step_until(stepper, lambda: len(server.log) == 1)  # the run
        stepper.step()
        stepper.clock.now += 4.9
        fresh.add("test_c")
        assert not stepper.step()
        stepper.clock.now += 0.1
        step_until(stepper, lambda: bool(names(server)))
        assert names(server) == [["test_a", "test_b", "test_c"]]


def test_full_batches_do_not_wait(server: ScriptedServer, fresh: WrittenSession) -> None:
    """250 results go at once; the rest waits for its age, or for the end."""
    fresh.add(*numbered(600))
    with stepping(fresh) as stepper:
        step_until(stepper, lambda: len(server.results) == 500)
        for _ in range(5):
            assert not stepper.step()
        fresh.end()
        stepper.run()
    assert [len(each) for each in names(server)] == [250, 250, 100]


def test_large_results_make_small_batches(server: ScriptedServer, fresh: WrittenSession) -> None:
    """No append has more than 4 MiB."""
    fresh.add(*numbered(200), text="\u20ac" * 16_000)
    fresh.end()
    settled(fresh)
    assert [len(each) for each in names(server)] == [86, 86, 28]
    assert max(len(each.body) for each in server.log) <= 4 * MIB


def test_forms_of_a_result() -> None:
    """Cut, only long values are shortened, and markup becomes text; bare, nothing but the reason is left."""
    kept, page = Field("Short", "x", FieldType.HTML), Field("Page", "<b>" * 5000, FieldType.HTML)
    fields = (Field("Long", "x" * 20_000), kept, page)
    test = TypedTest("0" * 64, "test_it", "tests", "passed", 5, fields=fields)
    result = Result("main", 7, 1, "id", "passed", 9, test, (Attempt("passed", 5, fields=fields),))
    assert reduced(result, "whole") is result
    long, short, page = reduced(result, "cut").contract().fields
    assert (long.type, short, page.type) == (FieldType.STRING, kept, FieldType.TEXT)
    assert max(len(each.value or "") for each in (long, page)) < 5000
    bare = reduced(result, "bare", "too large", "ok")
    assert bare.test == replace(test, status="ok", fields=(Field("Left out", "too large"),))
    assert bare.offset == 7
