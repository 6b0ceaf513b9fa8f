"""What is read of a session's records, how far ahead, and which results they make."""

import os
import re
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.models import Cause, Field, Status, Step
from pytest_automation_report.api.results import TypedTest
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.queues import Result, WorkerQueues
from pytest_automation_report.delivery.sender import Sender
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.records import SPOOL_KINDS, Attempt, Decoder, FinishRecord
from pytest_automation_report.spool.sessions import ledger_from
from pytest_automation_report.system.here import system
from support.delivered_results import assert_complete, field_texts, result_named, result_names
from support.deliveries import WrittenSession, ended_session, lived, stepping
from support.records import finish_line, line, start_line
from support.scripted_adapter import client_of
from support.scripted_server.faults import Rule, answer
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS


class Files:
    """Records of several workers, given to lanes as they would be read."""

    def __init__(self, rules: RecordingOptions | None = None) -> None:
        self.queues = WorkerQueues(rules or RecordingOptions())
        self._decoders: dict[str, Decoder] = {}

    def write(self, worker: str, *records: bytes) -> None:
        decoder = self._decoders.setdefault(worker, Decoder(SPOOL_KINDS))
        for placed in decoder.feed(b"".join(records)):
            self.queues.apply(worker, placed)
        self.queues.of(worker).position = decoder.position

    def results(self, worker: str = "gw0") -> list[tuple[str, str, list[str]]]:
        """Return the worker's results: name, status, names of fields."""
        return [_told(each) for each in self.queues.of(worker).results]


def _told(result: Result) -> tuple[str, str, list[str]]:
    return result.test.name, result.test.status, [each.name for each in result.contract().fields]


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
    causes = () if status == "passed" else (Cause("failure", "Failure", "assert 0"),)
    attempt = Attempt(status, 5, causes=causes, **more)
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
            assert result.test == TypedTest(key, "a", "p.t", "ok", 5, "t.py", 4, started=4)
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
    assert case.test == TypedTest("k", "n", "f", "passed", 5, None, 3, assertions=3)
    assert queue.collection_results == 2


STORIES = {
    "finish-without-start": (
        "gw0 start a; gw0 lost-start b; gw0 finish b", "gw0: a error Error; gw0: b passed", "could not be written",
    ),
    "lost-finish": ("gw0 start a; gw0 start b; gw0 finish b", "gw0: a error Error; gw0: b passed", "damaged"),
    "rerun-before-another-test": (
        "gw0 start a; gw0 rerun a; gw0 start b; gw0 finish b", "gw0: a failure Failure; gw0: b passed", "assert 0",
    ),
    "rerun-before-close": ("gw0 start a; gw0 rerun a; gw0 close", "gw0: a failure Failure", "assert 0"),
    "rerun-before-death": ("gw0 start a; gw0 rerun a; died", "gw0: a failure Failure", "assert 0"),
    "death-in-a-test": (
        "main start a; main finish a; main start b; died", "main: a passed; main: b error Error", "died before",
    ),
    "interrupted-test": (
        "main start a; main finish a; main start b", "main: a passed; main: b untested Not run", "was interrupted",
    ),
    "close-then-crash": ("gw0 start a; gw0 close; gw0 crash a failed", "gw0: a untested Not run", "interrupted"),
    "crash": ("gw0 start a; gw0 crash a failed", "gw0: a error Error", "gw0 crashed"),
    "crash-between-tests": (
        "gw0 start a; gw0 finish a; gw0 crash b failed", "gw0: a passed; gw0: b error Error", "gw0 crashed",
    ),
    "crash-that-runs-again": (
        "gw0 start a; gw0 crash a rerun; gw1 start a; gw1 finish a", "gw1: a passed Attempts, Attempt 1", "2 | crashed",
    ),
    "crash-that-is-read-last": (
        "gw0 start a; gw1 start a; gw1 finish a; gw0 crash a rerun", "gw1: a passed Attempts, Attempt 1", "2 | crashed",
    ),
    "crash-that-counts-as-a-failure": (
        "gw0 start a; gw0 crash a again; gw1 start a; gw1 finish a", "gw1: a error Error, Attempts, Attempt 1",
        "gw0 crashed | 2 | gw0 crashed",
    ),
    "failed-then-crashed-then-passed": (
        "gw0 start a; gw0 rerun a; gw0 start a; gw0 crash a rerun; gw1 start a; gw1 finish a",
        "gw1: a passed Attempts, Attempt 1, Attempt 2", "3 | assert 0 | gw0 crashed",
    ),
    "crash-on-every-worker": (
        "gw0 start a; gw0 crash a rerun; gw1 start a; gw1 crash a rerun; gw2 start a; gw2 crash a failed",
        "gw2: a error Error, Attempts, Attempt 1, Attempt 2", "gw2 crashed | 3 | gw0 crashed | gw1 crashed",
    ),
    "two-crashes-without-a-third-run": (
        "gw0 start a; gw0 crash a rerun; gw1 start a; gw1 crash a rerun; died",
        "gw1: a error Error, Attempts, Attempt 1", "gw1 crashed | 2 | gw0 crashed",
    ),
}  # fmt: skip
"""What workers wrote, the results with the names of their fields, and a part of each field of the last that has any."""


def _write(files: Files, steps: list[str]) -> None:
    """Give the records of a story to the queues; attempts of a worker are numbered as they start."""
    numbers: Counter[str] = Counter()
    for worker, action, *words in map(str.split, steps):
        numbers[worker] += action.endswith("start")
        match action, *words:
            case "start", name:
                files.write(worker, _start(numbers[worker], name))
            case "finish", name:
                files.write(worker, _finish(numbers[worker], name))
            case "rerun", name:
                files.write(worker, _finish(numbers[worker], name, status="failure", is_final=False))
            case "crash", name, outcome:
                files.write("controller", _crash(worker, name, outcome))
            case "close", *_:
                files.write(worker, line("close", t=9, counts={}))


@pytest.mark.parametrize("story", STORIES)
def test_one_result_of_each_test(story: str) -> None:
    """Whatever a test met, it has one result with all its attempts, in the queue of the worker that had it last."""
    steps, expected, texts = STORIES[story]
    files, (*before, last) = Files(), steps.split("; ")
    _write(files, before if last == "died" else [*before, last])
    files.queues.merge_crashed()
    files.queues.finalize("died" if last == "died" else "interrupted")
    queues = files.queues.by_worker
    shown = [
        f"{worker}: {name} {status} {', '.join(fields)}".strip()
        for worker in queues
        for name, status, fields in files.results(worker)
    ]
    assert "; ".join(shown) == expected
    results = [result for queue in queues.values() for result in queue.results]
    assert sum((queue.counts for queue in queues.values()), Counter()) == Counter(result.status for result in results)
    told = [result.contract().fields for result in results if result.contract().fields][-1]
    for text, field in zip(texts.split(" | "), told, strict=True):
        assert text in (field.value or "")


def test_artifacts_of_a_crashed_attempt_that_ran_again() -> None:
    """The attempt before stands with its artifacts in the result of the one that another worker ran."""
    files = Files()
    added = line("artifact", n=1, artifact={"name": "first", "url": "https://files.test/first"})
    files.write("gw0", _start(1, "a"), added)
    files.write("controller", _crash("gw0", "a", "rerun"))
    files.write("gw1", _start(1, "a"), _finish(1, "a"))
    files.queues.merge_crashed()
    (result,) = files.queues.of("gw1").results
    assert [(each.name, each.note) for each in result.test.artifacts] == [("first", "attempt 1")]


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
    assert [field.name for field in result.contract().fields] == names
    assert result.contract().fields[0].value == "4"
    assert [(each.number, each.steps) for each in result.test.attempts] == [(1, steps), (2, ()), (3, steps)]


MORE_THAN_IS_READ_AHEAD = 3000
WORKERS = ("gw0", "gw1")
GONE = system.Process(2**30)
"""A process that is gone: no system has so large an id."""

CONTROLLER_BEGINS = line("open", format=1, worker="controller", pid=0, t=0)


@pytest.mark.parametrize("is_own", [False, True], ids=["send", "pytest-died"])
@pytest.mark.parametrize("count", [3, MORE_THAN_IS_READ_AHEAD])
def test_life_without_a_server_ends(tmp_path: Path, server: ScriptedServer, count: int, is_own: bool) -> None:  # noqa: FBT001 - a parameter
    """Without an answer a sender gives up after its time, however much is left, and says how much and why."""
    written = ended_session(tmp_path, server, count)
    written.close()
    server.down()
    began = time.monotonic()
    delivery = lived(written, server, controller=GONE if is_own else None)
    assert 0.5 < time.monotonic() - began < 10
    state = ledger_from(written.folder.ledger)
    assert not delivery.is_finished
    assert (state.done.complete, state.done.left) == (False, count)
    assert state.done.workers["main"].seen == count
    assert state.done.why


def test_life_with_a_refused_token_ends_at_once(tmp_path: Path, server: ScriptedServer) -> None:
    """Where nothing more can be sent a sender ends, although it has not read all that is left."""
    server.script([Rule("POST", OPERATIONS["create-run"], answer(401))])
    written = ended_session(tmp_path, server, MORE_THAN_IS_READ_AHEAD)
    written.close()
    began = time.monotonic()
    delivery = lived(written, server)
    assert time.monotonic() - began < 10
    assert delivery.state.error_class == "token"
    assert delivery.state.done.left == MORE_THAN_IS_READ_AHEAD
    assert len(server.log) == 1
    assert lived(written, server).is_finished
    assert len(result_names(server)) == MORE_THAN_IS_READ_AHEAD


def of_worker(worker: str, count: int) -> list[str]:
    return [f"test_{worker}_{number}" for number in range(count)]


def test_workers_of_xdist_wait_on_disk(server: ScriptedServer, fresh: WrittenSession) -> None:
    """However much the workers have recorded, a sender holds little more than the next 1,000 results of each."""
    server.checks.clear()  # reading so many bodies by the contract takes long; other tests do it
    fresh.folder.records("controller").write_bytes(line("open", format=1, worker="controller", pid=0, t=0))
    for worker in WORKERS:
        fresh.add_worker(worker, *of_worker(worker, 6000))
    fresh.end()
    longest = 0
    with stepping(fresh) as stepper:
        while not stepper.delivery.is_finished:
            stepper.clock.now += 0 if stepper.step() else 0.5
            longest = max(longest, *(len(each.results) for each in stepper.following.queues.by_worker.values()))
    assert 1000 <= longest < 4000
    assert_complete(server, [name for worker in WORKERS for name in of_worker(worker, 6000)])


def test_reading_is_progress(server: ScriptedServer, fresh: WrittenSession) -> None:
    """However long the reading of a file takes, a sender does not give up because of it before it has sent anything."""

    def bytes_read() -> float:
        return float(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]

    with fresh.folder.records("main").open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.truncate(file.tell() + (10 << 20))
    fresh.add("test_it")
    fresh.end()
    # A clock by which a megabyte takes five seconds, and nothing else takes time.
    runtime = Runtime(clock=lambda: bytes_read() / 2e5, random=lambda: 0.5, log=lambda _: None)
    with client_of(server.address) as client:
        delivery = Sender(fresh.folder, fresh.session, Timeouts(send_progress=30.0), client, runtime).run()
    assert delivery.is_finished
    assert_complete(server, ["test_it"])


def test_end_is_known_before_all_is_read(fresh: WrittenSession) -> None:
    """A session counts as over once its end is read, although its workers' results wait on the disk."""
    fresh.add_worker("gw0", *of_worker("gw0", MORE_THAN_IS_READ_AHEAD))
    with stepping(fresh) as stepper:
        stepper.read()
        assert stepper.following.files.is_behind
        assert not stepper.following.has_ended
        fresh.end()
        stepper.read()
        assert stepper.following.files.is_behind
        assert [stepper.following.has_ended] == [True]


def test_crash_after_results_that_are_not_read_yet(server: ScriptedServer, fresh: WrittenSession) -> None:
    """A crash report is taken after all that its worker wrote, and before the test's next attempt is sent."""
    server.checks.clear()
    controller = fresh.folder.records("controller")
    controller.write_bytes(CONTROLLER_BEGINS)
    fresh.add_worker("gw0", *of_worker("gw0", 6000), dies_in="test_it")
    fresh.add_worker("gw1", *of_worker("gw1", 6000), "test_it")
    with stepping(fresh) as stepper:
        stepper.read()
        assert stepper.following.files.is_behind
        about = {"id": "test_it.py::test_it", "file": "test_it.py", "line": 0}
        with controller.open("ab") as file:
            file.write(line("crash", t=9, worker="gw0", outcome="rerun", text="gw0 crashed", **about))
        fresh.end()
        while not stepper.delivery.is_finished:
            stepper.clock.now += 0 if stepper.step() else 0.5
    assert_complete(server, [*(name for worker in WORKERS for name in of_worker(worker, 6000)), "test_it"])
    assert result_named(server, "test_it")["status"] == "passed"
    assert "gw0 crashed" in field_texts(result_named(server, "test_it"))
