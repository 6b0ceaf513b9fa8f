"""From records to results: what never finished, what crashed, what ran again elsewhere."""

from hashlib import sha256
from typing import Any

import pytest

from pytest_automation_report.api.models import Field, FieldType, Status, Test
from pytest_automation_report.delivery.attempts import EarlierAttempt, Extensions
from pytest_automation_report.delivery.queues import Result, WorkerQueues
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.folder import NOT_RUN
from pytest_automation_report.spool.records import SPOOL_KINDS, Attempt, Decoder, FinishRecord, Step
from support.records import finish_line, line, start_line


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
    return result.test.name, result.test.status, [each.name for each in result.test.fields]


def _texts(result: Result) -> str:
    return "\n".join(each.value or "" for each in result.test.fields)


def _start(number: int, name: str, moment: int = 0) -> bytes:
    return start_line(number, moment, f"t.py::{name}", "t.py", 3)


def _finish(
    number: int,
    name: str,
    *,
    status: Status = "passed",
    is_final: bool = True,
    moment: int = 10,
    **more: Any,  # noqa: ANN401 - members of the attempt
) -> bytes:
    fields = () if status == "passed" else (Field("Failure", "assert 0", FieldType.CONSOLE, is_highlight=True),)
    attempt = Attempt(status, 5, fields=fields, **more)
    return finish_line(number, moment, f"t.py::{name}", "t.py", 3, attempt, began=moment - 6, is_final=is_final)


def _crash(worker: str, name: str, outcome: str = "failed") -> bytes:
    return line(
        "crash", t=50, worker=worker, id=f"t.py::{name}", file="t.py", outcome=outcome, text=f"{worker} crashed"
    )


def test_passed_attempt_is_a_result() -> None:
    """A FINISH makes the result that the server gets, by the session's rules, with its START and without."""
    rules = RecordingOptions(prefix="p", statuses={"passed": "ok"})
    for records in (_start(1, "a", 4) + _finish(1, "a"), _finish(1, "a")):
        for pieces in ([records], [records[:60], records[60:]]):
            files = Files(rules)
            for piece in pieces:
                files.write("gw0", piece)
            queue = files.queues.of("gw0")
            (result,) = queue.results
            assert (result.nodeid, result.status, result.test.elapsed, result.ended_us) == ("t.py::a", "passed", 5, 10)
            key = sha256(b"p.t.a").hexdigest()
            assert result.test == Test(key, "a", "p.t", "ok", 5, "t.py", 4)
            assert result.extensions == Extensions(started=4)
            assert (queue.counts, queue.collection_results, queue.open) == ({"passed": 1}, 0, None)
            assert (queue.started_us, queue.ended_us) == (4, 10)


def test_result_without_an_attempt() -> None:
    """A module, or a case of a result file, says itself where it stands, and counts as no test that was run."""
    files = Files()
    attempt = Attempt("error", None, fields=(Field("Error", "boom"),))
    files.write("main", FinishRecord(1, 7, "a.py", attempt, folder="a", file="a.py").framed())
    whole = FinishRecord(2, 0, "", Attempt("passed", 5), key="k", folder="f", name="n", line=2, assertions=3)
    files.write("main", whole.framed())
    queue = files.queues.of("main")
    module, case = queue.results
    assert (module.test.folder, module.test.name, module.test.file, module.test.elapsed) == ("a", "a", "a.py", None)
    assert case.test == Test("k", "n", "f", "passed", 5, None, 3, assertions=3)
    assert (queue.collection_results, case.extensions) == (2, Extensions())


def test_finish_ends_what_was_before() -> None:
    """A FINISH without its START tells of another test that never finished, and of a rerun that nothing followed."""
    files = Files()
    files.write("gw0", _start(1, "a"), _finish(2, "b"))
    assert files.results() == [("a", "error", ["Error"]), ("b", "passed", [])]
    files.write(
        "gw0", _start(3, "c"), _finish(3, "c", status="failure", is_final=False), _start(4, "d"), _finish(4, "d")
    )
    assert files.results()[2:] == [("c", "failure", ["Failure"]), ("d", "passed", [])]


@pytest.mark.parametrize("after", ["other test", "close", "end"])
def test_rerun_attempt_without_a_next_is_the_result(after: str) -> None:
    """When nothing comes after a rerun attempt, it is the result: another test, the worker's end or death tell."""
    files = Files()
    files.write("gw0", _start(1, "a"), _finish(1, "a", status="failure", is_final=False))
    if after == "other test":
        files.write("gw0", _start(2, "b"))
    elif after == "close":
        files.write("gw0", line("close", t=9, counts={}))
    else:
        files.queues.finalize("died")
    assert files.results()[0] == ("a", "failure", ["Failure"])


@pytest.mark.parametrize(
    ("kind", "status", "field", "words"),
    [("died", "error", "Error", "died before it finished"), ("interrupted", "untested", "Not run", "was interrupted")],
)
def test_open_attempt_has_a_result_at_the_end(kind: Any, status: str, field: str, words: str) -> None:  # noqa: ANN401 - a literal of the code
    """A test that was running when the session ended is an error, or untested if it was interrupted, and says how."""
    files = Files()
    files.write("main", _start(1, "a"), _finish(1, "a"), _start(2, "b"))
    files.queues.finalize(kind)
    assert files.results("main") == [("a", "passed", []), ("b", status, [field])]
    assert words in _texts(files.queues.of("main").results[1])


def test_crash_is_the_result_of_the_running_test() -> None:
    """A crashed worker's running test is an error in that worker's lane, with the crash report's text."""
    files = Files()
    files.write("gw0", _start(1, "a"))
    files.write("controller", _crash("gw0", "a"))
    assert files.results() == [("a", "error", ["Error"])]
    assert "gw0 crashed" in _texts(files.queues.of("gw0").results[0])
    files.queues.finalize("interrupted")
    assert len(files.results()) == 1


def _added(number: int, name: str) -> bytes:
    return line("artifact", n=number, artifact={"name": name, "url": f"https://files.test/{name}"})


def _artifacts(files: Files, worker: str) -> list[tuple[str, str | None]]:
    (result,) = files.queues.of(worker).results
    return [(each.name, each.note) for each in result.test.artifacts]


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
    number, first, second = files.queues.of("gw1").results[0].test.fields
    assert "assert 0" in (first.value or "")
    assert "gw0 crashed" in (second.value or "")
    assert number.value == "3"


def test_attempts_in_several_processes_are_numbered_on() -> None:
    """What each process knows of its attempts stands under the numbers that the result has for them."""
    files = Files()
    steps = (Step("s", "passed"),)
    failed = _finish(1, "a", status="failure", is_final=False, steps=steps)
    files.write("gw0", _start(1, "a"), failed, _start(2, "a"))
    files.write("controller", _crash("gw0", "a", "rerun"))
    files.write("gw1", _start(1, "a"), failed, _start(2, "a"), _finish(2, "a"))
    files.queues.merge_crashed()
    (result,) = files.queues.of("gw1").results
    names = ["Attempts", "Attempt 1", "Attempt 2", "Attempt 3"]
    assert [field.name for field in result.test.fields] == names
    assert result.test.fields[0].value == "4"
    assert result.extensions.attempts == (EarlierAttempt(1, steps=steps), EarlierAttempt(3, steps=steps))


def test_crash_that_counts_as_a_failure_stays_one() -> None:
    """A test whose crash pytest has counted stays an error, with the crash, although it passed when it ran again."""
    files = Files()
    files.write("gw0", _start(1, "a"))
    files.write("controller", _crash("gw0", "a", "again"))
    files.write("gw1", _start(1, "a"), _finish(1, "a"))
    files.queues.merge_crashed()
    assert files.results("gw1") == [("a", "error", ["Error", "Attempts", "Attempt 1"])]
    assert files.queues.of("gw1").counts == {"error": 1, "passed": 0}


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
    files.write("gw0", _start(1, "a"), line("close", t=9, counts={}))
    files.write("controller", _crash("gw0", "a"))
    files.queues.finalize("interrupted")
    assert files.results() == [("a", "untested", ["Not run"])]
    assert "interrupted" in _texts(files.queues.of("gw0").results[0])


def test_session_is_closing_once_all_workers_have_ended() -> None:
    """A session is on its way to its end when each worker has told its own; the controller's comes long after."""
    files, told = Files(), []
    files.write("controller", line("plan", each=False))
    files.queues.of(NOT_RUN)  # of the tests without a result, which ends with all others
    files.write("gw0", _start(1, "a"))
    files.write("gw1", _start(1, "b"))
    for worker in ("gw0", "gw1"):
        told.append(files.queues.is_closing)
        files.write(worker, _finish(1, "a"), line("close", t=20, counts={}))
    assert [*told, files.queues.is_closing] == [False, False, True]


def test_lost_finish_is_told() -> None:
    """A test whose FINISH is missing while its process went on is an error that says what was lost."""
    files = Files()
    files.write("gw0", _start(1, "a"), _start(2, "b"), _finish(2, "b"))
    assert files.results() == [("a", "error", ["Error"]), ("b", "passed", [])]
    assert "damaged or could not be written" in _texts(files.queues.of("gw0").results[0])


def test_attempt_reported_as_unfinished_stays_so() -> None:
    """What an earlier sender reported as never finished keeps its place, although it has finished since."""
    files = Files(gw0={2})
    files.write("gw0", _start(1, "a"), _finish(1, "a"), _start(2, "b"), _finish(2, "b"), _start(3, "c"))
    assert files.results() == [("a", "passed", []), ("b", "error", ["Error"])]
    offsets = [each.offset for each in files.queues.of("gw0").results]
    assert offsets == sorted(offsets)


def test_attempt_reported_as_unfinished_keeps_its_place() -> None:
    """It is known by the offset of its START: it is settled, not sent again."""
    files = Files(gw0={2})
    before = _start(1, "a") + _finish(1, "a")
    files.write("gw0", before + _start(2, "b") + _finish(2, "b"))
    orphan = files.queues.of("gw0").results[1]
    assert (orphan.offset, orphan.is_orphan) == (len(before), True)
