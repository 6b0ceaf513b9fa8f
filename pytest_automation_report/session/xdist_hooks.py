"""Record in xdist's controller: crashes of workers, and tests of workers on other hosts."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.recording.failures import Failures
from pytest_automation_report.recording.options import cleaner_for
from pytest_automation_report.recording.steps import context_of
from pytest_automation_report.recording.synthetic_results import unfinished_test
from pytest_automation_report.session.runtest_hooks import RuntestHooks, collected_record, guarded, write_names
from pytest_automation_report.spool.folder import NOT_RUN
from pytest_automation_report.spool.records import AGAIN, plain_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.session.runtest_hooks import Clock, InternalErrors
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.writer import SpoolWriter

_CRASHED: Final = "???"  # xdist's phase of a crash report


class ControllerHooks:
    """Hooks of the controller for the reports that workers send."""

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
        """Write the number of tests for a worker that cannot write it, and once the names of all tests."""
        recording = self._recording(node.gateway.id)
        is_naming = self._rules.report_not_run and not self._folder.records(NOT_RUN).exists()
        if recording is None and not is_naming:
            return
        names = [_without_group(nodeid) if self._is_grouped else nodeid for nodeid in ids]
        if recording is not None:
            recording.write(collected_record(names))
        if is_naming:
            write_names(self._folder, names)

    @pytest.hookimpl(optionalhook=True)
    @guarded
    def pytest_handlecrashitem(self, crashitem: str, sched: Any) -> None:  # noqa: ANN401 - xdist is not at hand without it
        """Note whether the crashed test runs again: xdist's schedulers by scope put it back into their queue."""
        work = getattr(sched, "assigned_work", {}).values()
        units = [*getattr(sched, "workqueue", {}).values(), *(unit for each in work for unit in each.values())]
        self._is_pending = any(unit.get(crashitem) is False for unit in units)

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Note the line of a test, for the case that its worker crashes before it reports a phase."""
        if any(self._recordings.values()):
            self._lines[nodeid] = location[1]

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a crash, or a phase of a worker that cannot write to the spool."""
        worker = getattr(report, "worker_id", None)
        if worker is None and str(report.when) == _CRASHED:  # pytest-forked uses the word too, in the worker
            self._record_crash(report)
            return
        recording = None if worker is None else self._recording(worker)
        if recording is not None:
            recording.add(report)

    def close(self) -> None:
        """Close the files of the workers that could not write them."""
        for recording in self._recordings.values():
            if recording is not None:
                recording.close()

    def _recording(self, worker: str) -> RemoteWorkerRecorder | None:
        """Return the recorder of a worker, created at its first use; None if the worker writes to the spool itself."""
        if worker not in self._recordings:
            is_local = self._folder.records(worker).exists()
            self._recordings[worker] = None if is_local else self._new_recording(worker)
        return self._recordings[worker]

    def _new_recording(self, worker: str) -> RemoteWorkerRecorder:
        writer = self._folder.writer(worker)
        hooks = RuntestHooks(writer, self._rules, self._clock, worker, self.faults)
        return RemoteWorkerRecorder(hooks, is_grouped=self._is_grouped)

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
    """The arguments of a subtest as its worker wrote them."""

    msg: object
    kwargs: Mapping[str, object]


class RemoteWorkerRecorder:
    """Records the tests of one worker that cannot write to the spool, from the reports that it sends.

    Owned by `ControllerHooks`. It drives the runtest hooks of that worker, which the controller does not register with
    pytest. Phases mark the attempts: the report of another test begins one, a teardown ends it. Annotations are not on
    the reports, so these results have none.
    """

    def __init__(self, hooks: RuntestHooks, *, is_grouped: bool) -> None:
        self._hooks = hooks
        self._is_grouped = is_grouped
        self._open_nodeid = ""
        # True while an attempt waits for its rerun: pytest-rerunfailures before 16.7 sends no teardown of such an
        # attempt, so it ends with the next setup of the same test.
        self._is_pending_rerun = False

    def add(self, report: pytest.TestReport) -> None:
        """Add a phase of the test that the worker runs."""
        if self._is_pending_rerun and report.nodeid == self._open_nodeid and report.when == "setup":
            self._finish(report.nodeid)
        self._is_pending_rerun = str(report.outcome) == "rerun"
        if report.nodeid != self._open_nodeid:
            self._open_nodeid = report.nodeid
            if self._is_grouped:
                self._hooks.set_plain_nodeid(report.nodeid, _without_group(report.nodeid))
            self._hooks.pytest_runtest_logstart(report.nodeid, report.location)
        self._hooks.pytest_runtest_logreport(_as_in_worker(report))
        if str(report.when) in {"teardown", _CRASHED}:
            self._finish(report.nodeid)

    def give_up(self) -> None:
        """Abandon the open attempt after a crash of the worker: the CRASH record has its result."""
        if self._is_pending_rerun:
            # This attempt was over before the crash, so it keeps its own result.
            self._finish(self._open_nodeid)
        self._open_nodeid, self._is_pending_rerun = "", False
        self._hooks.abandon_attempt()

    def write(self, record: bytes) -> None:
        """Append a record that is not about one test."""
        self._hooks.write(record)

    def close(self) -> None:
        """Write the CLOSE record and close the file."""
        self._hooks.close()
        self._hooks.shut()

    def _finish(self, nodeid: str) -> None:
        self._open_nodeid = ""
        self._hooks.finish_attempt(nodeid, annotations=())


def _as_in_worker(report: Any) -> Any:  # noqa: ANN401 - other plugins set attributes on it
    """Return a copy of the report with the texts that it had in its worker.

    - Without xdist's `node`, for which pytest adds a line about the worker to the traceback.
    - With the arguments of a subtest quoted once. pytest 9 quotes them in the worker, and again in the controller when
      it reads the report: ``number='1'`` for ``number=1``.
    """
    copied = copy.copy(report)
    copied.__dict__.pop("node", None)
    context = context_of(report)
    if context is not None:
        copied.context = _Context(context.msg, {name: _unquoted(value) for name, value in context.kwargs.items()})
    return copied


def _unquoted(value: object) -> object:
    try:
        inner = ast.literal_eval(str(value))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value  # cut short by pytest, or never quoted
    return inner if isinstance(inner, str) else value


def _without_group(nodeid: str) -> str:
    """Return a node id without the ``@group`` that xdist has added; by xdist's own rule it stands at the end."""
    test, at, group = nodeid.rpartition("@")
    return test if at and not any(sign in group for sign in ("]", "::", "/")) else nodeid
