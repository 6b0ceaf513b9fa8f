"""From records to results: what never finished, what crashed, what ran again elsewhere."""

import json
from hashlib import sha256
from typing import Any

import pytest

from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.delivery.results import Result
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import NOT_RUN
from pytest_automation_report.spool.record_kinds import SPOOL_KINDS
from pytest_automation_report.spool.records import (
    Decoder,
    attempt_header,
    finish_record,
    pass_record,
    plain_record,
    start_record,
)


class Files:
    """Records of several workers, given to lanes as they would be read."""

    def __init__(self, rules: RecordingOptions | None = None, **orphans: set[int]) -> None:
        self.queues = WorkerQueues(rules or RecordingOptions(), orphans)
        self._decoders: dict[str, Decoder] = {}

    def write(self, worker: str, *records: bytes) -> None:
        """Give these records of this worker to the lanes."""
        decoder = self._decoders.setdefault(worker, Decoder(SPOOL_KINDS))
        for placed in decoder.feed(b"".join(records)):
            self.queues.apply(worker, placed)
        self.queues.of(worker).position = decoder.position

    def results(self, worker: str = "gw0") -> list[tuple[str, str, list[str]]]:
        """Return the worker's results: name, status, names of fields."""
        return [_told(each) for each in self.queues.of(worker).results]


def _told(result: Result) -> tuple[str, str, list[str]]:
    test = json.loads(result.test)
    return test["name"], test["status"], [each["name"] for each in test.get("fields", [])]


def _start(number: int, name: str, moment: int = 0) -> bytes:
    return start_record(number, moment, attempt_header(f"t.py::{name}", "t.py", 3))


def _finish(
    number: int, name: str, *, status: str = "passed", is_final: bool = True, moment: int = 10, extensions: str = ""
) -> bytes:
    fields = [] if status == "passed" else [{"type": 4, "name": "Failure", "value": "assert 0", "is_highlight": True}]
    test = {"key": f"k{name}", "name": name, "folder": "t", "status": status, "elapsed": 5, "fields": fields}
    return finish_record(
        number,
        moment,
        key=f"k{name}",
        status=status,
        elapsed=5,
        is_final=is_final,
        test=json.dumps(test),
        extensions=extensions,
    )


def _crash(worker: str, name: str, outcome: str = "failed") -> bytes:
    return plain_record(
        "crash", t=50, worker=worker, id=f"t.py::{name}", file="t.py", outcome=outcome, text=f"{worker} crashed"
    )


def _pass(number: int, name: str, *, moment: int = 10) -> bytes:
    return pass_record(number, moment, moment - 6, (5, 1, 2), attempt_header(f"t.py::{name}", "t.py", 3))


def test_passed_attempt_is_a_result() -> None:
    """A PASS makes the result that the server gets, by the session's rules, with its START and without."""
    rules = RecordingOptions(prefix="p", statuses={"passed": "ok"})
    for records in (_start(1, "a") + _pass(1, "a"), _pass(1, "a")):
        for pieces in ([records], [records[:60], records[60:]]):
            files = Files(rules)
            for piece in pieces:
                files.write("gw0", piece)
            queue = files.queues.of("gw0")
            (result,) = queue.results
            assert (result.nodeid, result.status, result.elapsed, result.ended_us) == ("t.py::a", "passed", 5, 10)
            key = sha256(b"p.t.a").hexdigest()
            assert result.key == key
            assert json.loads(result.test) == {
                "key": key, "name": "a", "folder": "p.t", "status": "ok", "elapsed": 5, "file": "t.py", "line": 4,
            }  # fmt: skip
            assert (queue.counts, queue.collection_results, queue.open, queue.started_us, queue.ended_us) == (
                {"passed": 1},
                0,
                None,
                queue.started_us,
                10,
            )
            assert queue.started_us in {0, 4}


@pytest.mark.parametrize("times", [(5, -1, -1), (5, -1, 2), (5, 1, -1)])
def test_a_pass_without_phases_has_none(times: tuple[int, int, int]) -> None:
    """Phases that the session did not measure are not sent; the start of the test is."""
    files = Files()
    files.write("gw0", pass_record(1, 10, 4, times, attempt_header("t.py::a", "t.py", 3)))
    (result,) = files.queues.of("gw0").results
    assert (result.started_us, result.extensions) == (4, "")


@pytest.mark.parametrize(
    ("extensions", "kept"),
    [('{"steps":[]}', '{"steps":[]}'), ("", ""), ("[1]", ""), ('{"steps":', ""), ("[" * 9999, "")],
)
def test_extensions_of_a_damaged_record_are_left_out(extensions: str, kept: str) -> None:
    """Extensions that are no JSON object would make the request unreadable: the result is sent without them."""
    files = Files()
    record = finish_record(
        1, 9, key="k", status="passed", elapsed=5, is_final=True, test='{"key":"k"}', extensions=extensions
    )
    files.write("gw0", _start(1, "a"), record)
    (result,) = files.queues.of("gw0").results
    assert (result.extensions, result.test) == (kept, '{"key":"k"}')


def test_pass_ends_what_was_before() -> None:
    """A PASS without its START tells of another test that never finished, and of a rerun that nothing followed."""
    files = Files()
    files.write("gw0", _start(1, "a"), _pass(2, "b"))
    assert files.results() == [("a", "error", ["Error"]), ("b", "passed", [])]
    files.write("gw0", _start(3, "c"), _finish(3, "c", status="failure", is_final=False), _start(4, "d"), _pass(4, "d"))
    assert files.results()[2:] == [("c", "failure", ["Failure"]), ("d", "passed", [])]


@pytest.mark.parametrize("after", ["other test", "close", "end"])
def test_rerun_attempt_without_a_next_is_the_result(after: str) -> None:
    """When nothing comes after a rerun attempt, it is the result: another test, the worker's end or death tell."""
    files = Files()
    files.write("gw0", _start(1, "a"), _finish(1, "a", status="failure", is_final=False))
    if after == "other test":
        files.write("gw0", _start(2, "b"))
    elif after == "close":
        files.write("gw0", plain_record("close", t=9, counts={}))
    else:
        files.queues.finalize("died")
    assert files.results()[0] == ("a", "failure", ["Failure"])


@pytest.mark.parametrize(("kind", "words"), [("died", "died before it finished"), ("interrupted", "was interrupted")])
def test_open_attempt_is_an_error_at_the_end(kind: Any, words: str) -> None:  # noqa: ANN401 - a literal of the code
    """A test that was running when the session ended is an error that says how."""
    files = Files()
    files.write("main", _start(1, "a"), _finish(1, "a"), _start(2, "b"))
    files.queues.finalize(kind)
    assert files.results("main") == [("a", "passed", []), ("b", "error", ["Error"])]
    assert words in files.queues.of("main").results[1].test


def test_crash_is_the_result_of_the_running_test() -> None:
    """A crashed worker's running test is an error in that worker's lane, with the crash report's text."""
    files = Files()
    files.write("gw0", _start(1, "a"))
    files.write("controller", _crash("gw0", "a"))
    assert files.results() == [("a", "error", ["Error"])]
    assert "gw0 crashed" in files.queues.of("gw0").results[0].test
    files.queues.finalize("interrupted")
    assert len(files.results()) == 1


def _added(number: int, name: str) -> bytes:
    return plain_record("artifact", n=number, artifact={"name": name, "url": f"https://files.test/{name}"})


def _artifacts(files: Files, worker: str) -> list[tuple[str, str | None]]:
    (result,) = files.queues.of(worker).results
    return [(each["name"], each.get("note")) for each in json.loads(result.test).get("artifacts", [])]


def test_crashed_attempt_keeps_its_own_artifacts() -> None:
    """What the running attempt had added stands with it: not what others added, at most what a result can hold."""
    files = Files()
    files.write("gw0", _start(1, "a"), _added(1, "of a"), _finish(1, "a"))
    files.queues.of("gw0").results.clear()
    files.write("gw0", _added(1, "late"), _start(2, "b"), _added(1, "other"))
    files.write("gw0", *(_added(2, f"{number}") for number in range(40)))
    files.write("controller", _crash("gw0", "b"))
    assert _artifacts(files, "gw0") == [(f"{number}", None) for number in range(25)]


def test_artifacts_of_a_crashed_attempt_that_ran_again() -> None:
    """The attempt before stands with its artifacts in the result of the one that another worker ran."""
    files = Files()
    files.write("gw0", _start(1, "a"), _added(1, "first"))
    files.write("controller", _crash("gw0", "a", "rerun"))
    files.write("gw1", _start(1, "a"), _finish(1, "a"))
    files.queues.merge_crashed()
    assert _artifacts(files, "gw1") == [("first", "attempt 1")]


def test_crash_before_the_start_is_still_one_result() -> None:
    """A worker that crashed between tests: xdist blames the next test, which is an error in that worker's lane."""
    files = Files()
    files.write("gw0", _start(1, "a"), _finish(1, "a"))
    files.write("controller", _crash("gw0", "b"))
    assert files.results() == [("a", "passed", []), ("b", "error", ["Error"])]


@pytest.mark.parametrize("is_crash_read_last", [False, True])
def test_crash_that_is_run_again_is_an_earlier_attempt(is_crash_read_last: bool) -> None:  # noqa: FBT001 - a parameter
    """A crash that reruns is an attempt before the result of the other worker, in whatever order both are read."""
    files = Files()
    files.write("gw0", _start(1, "a"))
    if not is_crash_read_last:
        files.write("controller", _crash("gw0", "a", "rerun"))
    files.write("gw1", _start(1, "a"), _finish(1, "a"))
    if is_crash_read_last:
        files.write("controller", _crash("gw0", "a", "rerun"))
    files.queues.merge_crashed()
    assert files.results("gw0") == []
    assert files.results("gw1") == [("a", "passed", ["Attempts", "Attempt 1"])]
    files.queues.finalize("interrupted")
    assert files.results("gw0") == []


def test_failed_then_crashed_then_passed_is_one_result() -> None:
    """A failed attempt and a crashed one stand before the result, in their order."""
    files = Files()
    files.write("gw0", _start(1, "a"), _finish(1, "a", status="failure", is_final=False), _start(2, "a"))
    files.write("controller", _crash("gw0", "a", "rerun"))
    files.write("gw1", _start(1, "a"), _finish(1, "a"))
    files.queues.merge_crashed()
    assert files.results("gw1") == [("a", "passed", ["Attempts", "Attempt 1", "Attempt 2"])]
    number, first, second = json.loads(files.queues.of("gw1").results[0].test)["fields"]
    assert "assert 0" in first["value"]
    assert "gw0 crashed" in second["value"]
    assert number["value"] == "3"


def test_extensions_of_attempts_in_several_processes_are_numbered_as_their_fields_are() -> None:
    """What each process knows of its attempts stands under the numbers that the result has for them."""
    files = Files()
    first = '{"phases":[1,2,3],"steps":[{"name":"s","status":"passed"}]}'
    files.write(
        "gw0", _start(1, "a"), _finish(1, "a", status="failure", is_final=False, extensions=first), _start(2, "a")
    )
    files.write("controller", _crash("gw0", "a", "rerun"))
    last = '{"phases":[4,5,6],"attempts":[{"number":1,"output":{"Output":"x"}},5,{"number":"2"}]}'
    files.write("gw1", _start(1, "a"), _finish(1, "a", extensions=last))
    files.queues.merge_crashed()
    (result,) = files.queues.of("gw1").results
    assert json.loads(result.extensions) == {
        "phases": [4, 5, 6],
        "attempts": [{"number": 1, **json.loads(first)}, {"number": 3, "output": {"Output": "x"}}],
    }


def test_crash_on_every_attempt_is_one_result_in_the_last_lane() -> None:
    """A test that crashes each worker it runs in is one error, with the crashes before as attempts."""
    files = Files()
    files.write("gw0", _start(1, "a"))
    files.write("controller", _crash("gw0", "a", "rerun"))
    files.write("gw1", _start(1, "a"))
    files.write("controller", _crash("gw1", "a", "rerun"))
    files.write("gw2", _start(1, "a"))
    files.write("controller", _crash("gw2", "a"))
    files.queues.finalize("interrupted")
    assert (files.results("gw0"), files.results("gw1")) == ([], [])
    assert files.results("gw2") == [("a", "error", ["Error", "Attempts", "Attempt 1", "Attempt 2"])]


def test_two_crashes_without_a_third_run_are_one_result() -> None:
    """When the session ends before the next rerun, the last crash is the result and the first its earlier attempt."""
    files = Files()
    for worker in ("gw0", "gw1"):
        files.write(worker, _start(1, "a"))
        files.write("controller", _crash(worker, "a", "rerun"))
    files.queues.finalize("died")
    assert files.results("gw0") == []
    assert files.results("gw1") == [("a", "error", ["Error", "Attempts", "Attempt 1"])]


def test_worker_that_ends_in_order_interrupts_its_test() -> None:
    """An open test of a worker that says that it ends was interrupted; xdist's crash report is the same result."""
    files = Files()
    files.write("gw0", _start(1, "a"), plain_record("close", t=9, counts={}))
    files.write("controller", _crash("gw0", "a"))
    files.queues.finalize("interrupted")
    assert files.results() == [("a", "error", ["Error"])]
    assert "interrupted" in files.queues.of("gw0").results[0].test


def test_session_is_closing_once_all_workers_have_ended() -> None:
    """A session is on its way to its end when each worker has told its own; the controller's comes long after."""
    files, told = Files(), []
    files.write("controller", plain_record("plan", each=False))
    files.queues.of(NOT_RUN)  # of the tests without a result, which ends with all others
    files.write("gw0", _start(1, "a"))
    files.write("gw1", _start(1, "b"))
    for worker in ("gw0", "gw1"):
        told.append(files.queues.is_closing)
        files.write(worker, _finish(1, "a"), plain_record("close", t=20, counts={}))
    assert [*told, files.queues.is_closing] == [False, False, True]


def test_lost_finish_is_told() -> None:
    """A test whose FINISH is missing while its process went on is an error that says what was lost."""
    files = Files()
    files.write("gw0", _start(1, "a"), _start(2, "b"), _finish(2, "b"))
    assert files.results() == [("a", "error", ["Error"]), ("b", "passed", [])]
    assert "damaged or could not be written" in files.queues.of("gw0").results[0].test


def test_attempt_reported_as_unfinished_stays_so() -> None:
    """What an earlier sender reported as never finished keeps its place, although it has finished since."""
    files = Files(gw0={2})
    files.write("gw0", _start(1, "a"), _finish(1, "a"), _start(2, "b"), _finish(2, "b"), _start(3, "c"))
    assert files.results() == [("a", "passed", []), ("b", "error", ["Error"])]
    offsets = [each.offset for each in files.queues.of("gw0").results]
    assert offsets == sorted(offsets)


@pytest.mark.parametrize("is_cut", [False, True], ids=["together", "apart"])
def test_attempt_reported_as_unfinished_keeps_its_place(is_cut: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    """It is known by the offset of its START, also where its PASS stands beside that: it is settled, not sent again."""
    files = Files(gw0={2})
    for piece in (
        (_start(1, "a") + _pass(1, "a") + _start(2, "b"), _pass(2, "b"))
        if is_cut
        else (_start(1, "a") + _pass(1, "a") + _start(2, "b") + _pass(2, "b"),)
    ):
        files.write("gw0", piece)
    assert files.results() == [("a", "passed", []), ("b", "error", ["Error"])]
    orphan = files.queues.of("gw0").results[1]
    assert (orphan.offset, orphan.is_orphan) == (len(_start(1, "a") + _pass(1, "a")), True)


def test_records_of_later_versions_are_passed_over() -> None:
    """A kind of record that this version does not know changes nothing."""
    files = Files()
    files.write("gw0", plain_record("novelty", x=1), _start(1, "a"), _finish(1, "a"))
    assert files.results() == [("a", "passed", [])]
