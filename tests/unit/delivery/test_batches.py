"""Which results go into one append, and when it goes: four causes, and no other."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import Field, FieldType, Test
from pytest_automation_report.delivery.batches import batch_from, reduced
from pytest_automation_report.delivery.queues import Result
from support.deliveries import Stepper, WrittenSession, numbered, step_until, stepping
from support.scripted_server.server import ScriptedServer

MIB = 1 << 20


def one(number: int, *, key: str | None = None, size: int = 100) -> Result:
    test = Test(key or str(number), "n", "f", "passed", 7)
    return Result("main", number, number, "", "passed", number, test, size=size)


def appends(server: ScriptedServer) -> list[list[str]]:
    """Return the names of the tests of each append to a thread."""
    paths = [each for each in server.log if "/threads/" in each.path and each.path.endswith("/append")]
    return [[test["name"] for test in each.json["tests"]] for each in paths]


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    return WrittenSession(tmp_path, server.address)


def delivered(stepper: Stepper) -> None:
    stepper.run()
    assert stepper.delivery.is_finished


def test_batch_of_one_result_larger_than_the_limit() -> None:
    """A result that is larger than a batch may be goes alone; it does not stop the others."""
    assert len(batch_from([one(0, size=5 * MIB), one(1)]).results) == 1


def test_results_wait_five_seconds(server: ScriptedServer, written: WrittenSession) -> None:
    """Results of a running session are sent together once the first has waited 5 s, not before."""
    written.add("test_a", "test_b")
    with stepping(written) as stepper:
        step_until(stepper, lambda: len(server.log) == 1)  # the run
        stepper.step()
        stepper.clock.now += 4.9
        written.add("test_c")
        assert not stepper.step()
        stepper.clock.now += 0.1
        step_until(stepper, lambda: bool(appends(server)))
        assert appends(server) == [["test_a", "test_b", "test_c"]]
        written.end()
        delivered(stepper)


def test_full_batches_do_not_wait(server: ScriptedServer, written: WrittenSession) -> None:
    """250 results go at once; the rest waits for its age, or for the end."""
    written.add(*numbered(600))
    with stepping(written) as stepper:
        step_until(stepper, lambda: len(server.results) == 500)
        for _ in range(5):
            assert not stepper.step()
        written.end()
        delivered(stepper)
    assert [len(each) for each in appends(server)] == [250, 250, 100]


def test_large_results_make_small_batches(server: ScriptedServer, written: WrittenSession) -> None:
    """No append has more than 4 MiB."""
    written.add(*numbered(200), text="\u20ac" * 16_000)
    written.end()
    with stepping(written) as stepper:
        delivered(stepper)
    assert [len(each) for each in appends(server)] == [86, 86, 28]
    assert max(len(each.body) for each in server.log) <= 4 * MIB


def test_same_test_twice_goes_in_two_batches(server: ScriptedServer, written: WrittenSession) -> None:
    """Results of one key arrive in appends of their own, in their order."""
    written.add("test_a", "test_b", "test_a", "test_c")
    written.end()
    with stepping(written) as stepper:
        delivered(stepper)
    assert appends(server) == [["test_a", "test_b"], ["test_a", "test_c"]]


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
    long, short, page = reduced(result, "cut").test.fields
    assert (long.type, short, page.type) == (FieldType.STRING, fields[1], FieldType.TEXT)
    assert max(len(each.value or "") for each in (long, page)) < 5000
    bare = reduced(result, "bare", "too large", "ok")
    assert bare.test == replace(test, status="ok", fields=(Field("Left out", "too large"),))
    assert bare.offset == 7
