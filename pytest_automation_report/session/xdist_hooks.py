"""What only the controller of xdist's workers knows (floor 4): crashes, and results of workers on other hosts."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.recording.annotations import Annotations
from pytest_automation_report.recording.failures import Failures
from pytest_automation_report.recording.fields import clean_field
from pytest_automation_report.recording.options import cleaner_for
from pytest_automation_report.recording.steps import context_of
from pytest_automation_report.recording.synthetic_results import unfinished_test
from pytest_automation_report.session.annotation_hooks import ADDED
from pytest_automation_report.session.runtest_hooks import RuntestHooks, collected_record, guarded, write_names
from pytest_automation_report.spool.folder import NOT_RUN
from pytest_automation_report.spool.records import AGAIN, plain_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.session.runtest_hooks import Clock, InternalErrors
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.writer import SpoolWriter
    from pytest_automation_report.text.redaction import TextCleaner

_CRASHED: Final = "???"  # xdist's word
_NOTHING_CARRIED: Final[Mapping[str, Any]] = {"added": [], "told": []}


class ControllerHooks:
    """Hooks of the controller for reports that workers send it."""

    def __init__(
        self,
        folder: SessionFolder,
        rules: RecordingOptions,
        clock: Clock,
        faults: InternalErrors,
        controller: SpoolWriter,
        *,
        is_grouped: bool = False,
    ) -> None:
        self.faults = faults
        self._folder = folder
        self._rules = rules
        self._clock = clock
        self._controller = controller
        self._is_grouped = is_grouped
        self.failures = Failures()
        self._is_pending = False
        self._recordings: dict[str, RemoteWorkerRecorder | None] = {}
        self._lines: dict[str, int | None] = {}

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - see below
        """Note how many tests there are where the worker cannot, and once their names; counts go by the files."""
        recording = self._recording(node.gateway.id)
        is_naming = self._rules.report_not_run and not self._folder.records(NOT_RUN).exists()
        if recording is None and not is_naming:
            return
        names = [_without_group(each) if self._is_grouped else each for each in ids]
        if recording is not None:
            recording.write(collected_record(names))
        if is_naming:
            write_names(self._folder, names)

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_handlecrashitem(self, crashitem: str, sched: Any) -> None:  # noqa: ANN401 - xdist is not at hand without it
        """Note whether the crashed test is to run again: xdist's schedulers by scope put it back into their queue."""
        work = getattr(sched, "assigned_work", {}).values()
        units = [*getattr(sched, "workqueue", {}).values(), *(unit for each in work for unit in each.values())]
        self._is_pending = any(unit.get(crashitem) is False for unit in units)

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Remember where a test is, in case that its worker crashes before it reports a phase."""
        if any(self._recordings.values()):
            self._lines[nodeid] = location[1]

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a crash; record a phase where the worker cannot."""
        worker = getattr(report, "worker_id", None)
        if worker is None and str(report.when) == _CRASHED:  # pytest-forked uses the word too, in the worker
            self._record_crash(report)
            return
        recording = None if worker is None else self._recording(worker)
        if recording is not None:
            recording.add(report)

    def close(self) -> None:
        """End the files that were written for others."""
        for recording in self._recordings.values():
            if recording is not None:
                recording.close()
                recording.shut()

    def _recording(self, worker: str) -> RemoteWorkerRecorder | None:
        """Return the recording of a worker that does not write itself, a new one when there is none."""
        if worker not in self._recordings:
            is_local = self._folder.records(worker).exists()
            self._recordings[worker] = None if is_local else self._new_recording(worker)
        return self._recordings[worker]

    def _new_recording(self, worker: str) -> RemoteWorkerRecorder:
        writer = self._folder.writer(worker)
        recording = RemoteWorkerRecorder(writer, self._rules, self._clock, worker, self.faults)
        recording.is_grouped = self._is_grouped
        return recording

    def _record_crash(self, report: Any) -> None:  # noqa: ANN401 - xdist hangs the worker's node on it
        node = getattr(report, "node", None)
        worker = node.gateway.id if node is not None else "unknown"
        recording = self._recordings.get(worker)
        if recording is not None:
            recording.give_up()
        nodeid = _without_group(report.nodeid) if self._is_grouped else report.nodeid
        place = (report.location[0], self._lines.get(report.nodeid), nodeid)
        if report.outcome == "failed" and not self._is_pending:
            known = unfinished_test(
                nodeid, place, self._rules, kind="crashed", detail="", observed_us=None, worker=worker
            )
            self.failures.add(known.test, known.status)
        self._controller.write(
            plain_record(
                "crash",
                t=self._clock.now(),
                worker=worker,
                id=nodeid,
                file=place[0],
                line=place[1],
                outcome=AGAIN if self._is_pending and report.outcome == "failed" else report.outcome,
                text=cleaner_for(self._rules).console(report.longreprtext),
            )
        )


@dataclass(frozen=True, slots=True)
class _Context:
    """What a subtest was called with, as its worker has spelled it."""

    msg: object
    kwargs: Mapping[str, object]


class RemoteWorkerRecorder(RuntestHooks):
    """Records for one worker on another host, attempt by attempt: a teardown ends one."""

    def add(self, report: pytest.TestReport) -> None:
        """Add a phase of the test that the worker runs."""
        if self._left_open is not None and report.nodeid == self._open_nodeid and report.when == "setup":
            self._finish(report.nodeid, self._left_open)
        carried = getattr(report, ADDED, _NOTHING_CARRIED)
        self._left_open = carried if str(report.outcome) == "rerun" else None
        if report.nodeid != self._open_nodeid:
            self._open_nodeid = report.nodeid
            if self.is_grouped:
                self._groups[report.nodeid] = _without_group(report.nodeid)
            self.pytest_runtest_logstart(report.nodeid, report.location)
        self.pytest_runtest_logreport(_as_in_worker(report))
        if str(report.when) in {"teardown", _CRASHED}:
            self._finish(report.nodeid, carried)

    def _finish(self, nodeid: str, carried: Mapping[str, Any]) -> None:
        """End an attempt with what its worker has hung on a report."""
        self._open_nodeid = ""
        for text in carried["told"]:
            self._notes.troubles.add(text)
        cleaner = self._notes.cleaner
        added = [each and _cleaned(Annotations.from_json(each), cleaner) for each in carried["added"]]
        self.finish_attempt(nodeid, added)

    def give_up(self) -> None:
        """Leave the attempt that is open to the crash report, which says what became of it."""
        if self._left_open is not None:
            self._finish(self._open_nodeid, self._left_open)
        self._open_nodeid, self._left_open = "", None
        self._open = None
        self._unclosed = None

    is_grouped: bool = False
    _open_nodeid: str = ""
    _left_open: Mapping[str, Any] | None = None
    """What an attempt adds that is to run again: pytest-rerunfailures before 16.7 tells nothing of its teardown."""


def _as_in_worker(report: Any) -> Any:  # noqa: ANN401 - a report that other plugins have hung things on
    """Return the report as it was in its worker: no line about the worker in its texts, values quoted once.

    pytest quotes what a subtest was called with again when it reads the report.
    """
    copied = copy.copy(report)
    copied.__dict__.pop("node", None)
    context = context_of(report)
    if context is not None:
        copied.context = _Context(context.msg, {name: _unquoted(value) for name, value in context.kwargs.items()})
    return copied


def _cleaned(added: Annotations, cleaner: TextCleaner) -> Annotations:
    """Return what a test on another host has added without the secrets that only this process knows."""
    return replace(
        added,
        fields=tuple(clean_field(field, cleaner) for field in added.fields),
        steps=tuple((status, cleaner.string(name)) for status, name in added.steps),
    )


def _without_group(nodeid: str) -> str:
    """Return a node id without the ``@group`` that xdist has added, by xdist's own rule: it stands behind all else."""
    test, at, group = nodeid.rpartition("@")
    return test if at and not any(each in group for each in ("]", "::", "/")) else nodeid


def _unquoted(value: object) -> object:
    try:
        inner = ast.literal_eval(str(value))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value  # cut short, or never quoted
    return inner if isinstance(inner, str) else value
