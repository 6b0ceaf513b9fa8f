"""Hooks of pytest in, records out."""

from pathlib import Path
from typing import Any

from pytest_automation_report.guards import InternalErrors
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks
from pytest_automation_report.spool.records import SPOOL_KINDS, Decoder, FinishRecord
from pytest_automation_report.spool.writer import SpoolWriter
from support.recorded_suites import MadeReport


def test_start_that_fails_does_not_give_its_result_to_another_test(tmp_path: Path) -> None:
    """A plugin that gives no location costs its test's START, not its result, and the test before it has one alone."""
    path, faults, nowhere = tmp_path / "main.records", InternalErrors(), None
    recording = RuntestHooks(SpoolWriter(path), RecordingOptions(), Clock(), "main", faults)
    places: dict[str, Any] = {"a.py::one": ("a.py", 1, "one"), "a.py::two": nowhere}
    for nodeid, place in places.items():
        recording.pytest_runtest_logstart(nodeid, place)
        for when in ("setup", "call", "teardown"):
            recording.pytest_runtest_logreport(MadeReport(nodeid=nodeid, when=when))
        recording.pytest_runtest_logfinish(nodeid)
    _, _, one, two = (each.record for each in Decoder(SPOOL_KINDS).feed(path.read_bytes()))
    assert isinstance(one, FinishRecord)
    assert (one.nodeid, one.file, one.line) == ("a.py::one", "a.py", 1)
    assert isinstance(two, FinishRecord)
    assert (two.nodeid, two.attempt.status) == ("a.py::two", "passed")
    assert (faults.count, recording.counts) == (1, {"passed": 2})
