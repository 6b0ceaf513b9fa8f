"""Runs a small suite with a Recorder on its reports and reads what came of it, beside pytest's own JUnit XML."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from msgspec import convert, to_builtins

import pytest_automation_report
from pytest_automation_report.delivery.queues import WorkerQueues
from pytest_automation_report.recording.options import RecordingOptions
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.recording.results import collection_record
from pytest_automation_report.spool.records import SPOOL_KINDS, Decoder, FinishRecord, PositionedRecord
from support.repository import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.delivery.queues import Result as SentResult

# Before pytest 9 subtests are a plugin's; without it the tests that need them are skipped.
HAS_SUBTESTS = find_spec("_pytest.subtests") is not None
SUBTESTS = () if HAS_SUBTESTS else ("-p", "pytest_subtests.plugin")
needs_subtests = pytest.mark.skipif(
    not HAS_SUBTESTS and find_spec("pytest_subtests") is None, reason="neither pytest 9 nor pytest-subtests is here"
)

_RULES = "RECORDING_RULES"
_RESULTS = "RECORDING_RESULTS"


@dataclass(frozen=True)
class Result:
    """One finished attempt as the server would see it."""

    status: str
    is_final: bool
    number: int
    body: dict[str, Any]

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.body.get("fields", [])}

    @property
    def values(self) -> dict[str, str]:
        return {name: each["value"] for name, each in self.fields.items()}


NODE = "tests/test_a.py::test_x"
PLACE = ("tests/test_a.py", 4, "test_x")


class MadeReport(pytest.TestReport):
    """A report as pytest would make it, for what pytest seldom makes."""

    def __init__(self, when: str, outcome: str = "passed", *, longreprtext: str = "", **others: Any) -> None:  # noqa: ANN401
        # Plugins write other words than pytest's types allow.
        words: Any = {"when": when, "outcome": outcome, "longrepr": longreprtext or None}
        members = {"nodeid": NODE, "location": PLACE, "keywords": {}, "duration": 0.001, **others}
        super().__init__(**words, **members)


def ended(recorder: Recorder, nodeid: str = NODE, observed: int = 10_000) -> FinishRecord:
    """Return the record of the attempt that runs."""
    record = recorder.finish(nodeid, number=1, began=0, moment=observed)
    assert record is not None
    return record


def ran(*reports: MadeReport, recorder: Recorder | None = None, observed: int = 10_000) -> FinishRecord:
    """Return the record of an attempt with these reports."""
    recorder = recorder or Recorder(RecordingOptions())
    recorder.start(NODE, PLACE)
    for each in reports:
        recorder.add(each)
    return ended(recorder, observed=observed)


def results_of(records: Iterable[FinishRecord], rules: RecordingOptions | None = None) -> Iterator[SentResult]:
    """Yield for each attempt the result that the sender would have if no other attempt came."""
    queues = WorkerQueues((rules or RecordingOptions()).for_sender())
    queue = queues.of("main")
    for offset, each in enumerate(records):
        queues.apply("main", PositionedRecord(offset, each))
        result = queue.results[-1] if each.is_final else queue.pending_rerun
        assert result is not None
        yield result


def result_of(record: FinishRecord | None, rules: RecordingOptions | None = None) -> SentResult:
    """Return the result that the sender makes of one attempt."""
    assert record is not None
    return next(results_of([record], rules))


@dataclass
class Recorded:
    """What a suite came to: attempts in their order, and the cases of the JUnit XML."""

    results: list[Result]
    cases: list[ET.Element] = field(default_factory=list)

    @property
    def final(self) -> dict[str, Result]:
        """The results that count, by test name."""
        return {each.body["name"]: each for each in self.results if each.is_final}

    def only(self) -> Result:
        (result,) = self.results
        return result


class Recording:
    """The plugin that feeds a Recorder as the real plugin does."""

    def __init__(self, rules: RecordingOptions) -> None:
        self.rules = rules
        self.recorder = Recorder(rules)
        self.records: list[FinishRecord] = []
        self._begun = 0.0

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._begun = time.perf_counter()
        self.recorder.start(nodeid, location)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.recorder.add(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        observed = round((time.perf_counter() - self._begun) * 1e6)
        self._keep(self.recorder.finish(nodeid, number=len(self.records), began=0, moment=observed))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._keep(collection_record(report, self.rules))

    def _keep(self, record: FinishRecord | None) -> None:
        if record is not None:
            self.records.append(record)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(
        Recording(convert(json.loads(os.environ[_RULES]), RecordingOptions)), "recording-suite"
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    recording = config.pluginmanager.get_plugin("recording-suite")
    assert isinstance(recording, Recording)
    Path(os.environ[_RESULTS]).write_bytes(b"".join(each.framed() for each in recording.records))


def record(pytester: pytest.Pytester, *args: str, rules: RecordingOptions | None = None) -> Recorded:
    """Run the suite in pytester's folder with pytest's own plugins and those named by -p.

    It has a process of its own: flaky and pytest-retry keep state in their modules and patch pytest's runner.
    """
    results, xml = pytester.path / "results.records", pytester.path / "junit.xml"
    folders = (TESTS, Path(pytest_automation_report.__file__).parent.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
        patch.setenv(_RULES, json.dumps(to_builtins(rules or RecordingOptions())))
        patch.setenv(_RESULTS, str(results))
        pytester.runpytest_subprocess("-p", "support.recorded_suites", f"--junitxml={xml}", *args)
    records = [each for _, each in Decoder(SPOOL_KINDS).feed(results.read_bytes()) if isinstance(each, FinishRecord)]
    rows = [
        Result(sent.status, each.is_final, len(sent.attempts), to_builtins(sent.test))
        for each, sent in zip(records, results_of(records, rules), strict=True)
    ]
    return Recorded(rows, list(ET.parse(xml).iter("testcase")))
