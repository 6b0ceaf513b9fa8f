"""From records to results: what never finished, what crashed, what ran again elsewhere."""

from collections import Counter
from hashlib import sha256
from typing import Any

import pytest

from pytest_automation_report.api.models import Field, FieldType, Status, Test
from pytest_automation_report.delivery.attempts import EarlierAttempt, Extensions
from pytest_automation_report.delivery.queues import Result, WorkerQueues
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.spool.records import SPOOL_KINDS, Attempt, Decoder, FinishRecord, Step
from support.records import finish_line, line, start_line


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
    return result.test.name, result.test.status, [each.name for each in result.test.fields]


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
    told = [result.test.fields for result in results if result.test.fields][-1]
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
    assert [field.name for field in result.test.fields] == names
    assert result.test.fields[0].value == "4"
    assert result.extensions.attempts == (EarlierAttempt(1, steps=steps), EarlierAttempt(3, steps=steps))
