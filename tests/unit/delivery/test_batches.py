"""Which results go into one append, and when it goes: four causes, and no other."""

from msgspec.structs import replace

from pytest_automation_report.api.models import Field, FieldType, Test
from pytest_automation_report.delivery.queues import Result, batch_from
from pytest_automation_report.delivery.requests import reduced
from support.delivered_results import appends
from support.deliveries import WrittenSession, numbered, settled, step_until, stepping
from support.scripted_server.server import ScriptedServer

MIB = 1 << 20


def names(server: ScriptedServer) -> list[list[str]]:
    return [[test["name"] for test in each.json["tests"]] for each in appends(server)]


def test_batch_of_one_result_larger_than_the_limit() -> None:
    """A result that is larger than a batch may be goes alone; it does not stop the others."""
    large, small = (
        Result("main", 0, 0, "", "passed", 0, Test(key, "n", "f", "passed"), size=size)
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
    test = Test("0" * 64, "test_it", "tests", "passed", 5, fields=fields)
    result = Result("main", 7, 1, "id", "passed", 9, test)
    assert reduced(result, "whole") is result
    long, short, page = reduced(result, "cut").test.fields
    assert (long.type, short, page.type) == (FieldType.STRING, kept, FieldType.TEXT)
    assert max(len(each.value or "") for each in (long, page)) < 5000
    bare = reduced(result, "bare", "too large", "ok")
    assert bare.test == replace(test, status="ok", fields=(Field("Left out", "too large"),))
    assert bare.offset == 7
