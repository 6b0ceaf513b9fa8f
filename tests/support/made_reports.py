"""Reports as pytest seldom makes them, the records of the attempts that they end, and the results of these."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from pytest_automation_report.delivery.queues import Result, WorkerQueues
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.spool.records import FinishRecord, PositionedRecord

NODE = "tests/test_a.py::test_x"
PLACE = ("tests/test_a.py", 4, "test_x")


class MadeReport(pytest.TestReport):
    """A report of one phase of the test `NODE`."""

    def __init__(self, when: str, outcome: str = "passed", *, longreprtext: str = "", **others: Any) -> None:  # noqa: ANN401
        # Plugins write other words than pytest's types allow.
        words: Any = {"when": when, "outcome": outcome, "longrepr": longreprtext or None}
        members = {"nodeid": NODE, "location": PLACE, "keywords": {}, "duration": 0.001, **others}
        super().__init__(**words, **members)


def ended(recorder: Recorder, nodeid: str = NODE, observed: int = 10_000) -> FinishRecord:
    record = recorder.finish(nodeid, number=1, began=0, moment=observed)
    assert record is not None
    return record


def ran(*reports: MadeReport, recorder: Recorder | None = None, observed: int = 10_000) -> FinishRecord:
    recorder = recorder or Recorder(RecordingOptions())
    recorder.start(NODE, PLACE)
    for each in reports:
        recorder.add(each)
    return ended(recorder, observed=observed)


def results_of(records: Iterable[FinishRecord], options: RecordingOptions | None = None) -> Iterator[Result]:
    """Yield for each attempt the result that the sender would have if no other attempt came."""
    queues = WorkerQueues((options or RecordingOptions()).for_sender())
    queue = queues.of("main")
    for offset, each in enumerate(records):
        queues.apply("main", PositionedRecord(offset, each))
        result = queue.results[-1] if each.is_final else queue.pending_rerun
        assert result is not None
        yield result


def result_of(record: FinishRecord | None, options: RecordingOptions | None = None) -> Result:
    assert record is not None
    return next(results_of([record], options))
