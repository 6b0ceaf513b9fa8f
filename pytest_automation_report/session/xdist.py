"""Hooks for pytest-xdist: of its workers, and of the controller that configures them and records their crashes.

A worker that sees the spool writes to it. One on another host cannot: the controller records its tests.
"""

from __future__ import annotations

import ast
import copy
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec import convert, to_builtins
from msgspec.structs import replace

from pytest_automation_report.errors import UNLOADED, SpoolError
from pytest_automation_report.guards import Errors, Hooks, guarded
from pytest_automation_report.recording.collector import DESCRIBE_TEST, HOOKS, AnnotationCollector, active
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for, secrets_from
from pytest_automation_report.recording.phases import FirstFailures, is_subtest
from pytest_automation_report.recording.recorder import line_number
from pytest_automation_report.session.collection import collected_record, is_counted, write_collected_ids
from pytest_automation_report.session.runtest_hooks import Clock, RuntestHooks
from pytest_automation_report.settings.token import token_from
from pytest_automation_report.spool.folder import NOT_RUN, SessionFolder, head_and_tail
from pytest_automation_report.spool.records import AGAIN, CapturedRecord, CrashRecord, FinishRecord, OpenRecord
from pytest_automation_report.spool.writer import SpoolWriter, WriteLosses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.session.end import TerminalReport
    from pytest_automation_report.session.setup import SessionSetup


# Keys of xdist's worker output: the worker's write losses, and that its tests have annotations that are not reported.
LOSSES: Final = "automation_report_losses"
UNREPORTED: Final = "automation_report_unreported"


class WorkerHooks(RuntestHooks):
    """Hooks of an xdist worker that writes to the spool."""

    # trylast: other plugins' hooks at the session's end may still add suite properties.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the worker's file, and send the controller the number of records that the disk refused."""
        self.close()
        self.shut()
        if (losses := self.writer.losses) != WriteLosses():
            getattr(session.config, "workeroutput", {})[LOSSES] = to_builtins(losses)


class RemoteWorkerHooks(Hooks):
    """Hooks of an xdist worker that cannot write to the spool.

    The controller records from the reports that xdist sends, which have no annotations: its summary shows it once.
    """

    def __init__(self, options: RecordingOptions, internal_errors: Errors) -> None:
        self.internal_errors = internal_errors
        # No attempt begins in it: it counts what tests add.
        self.collector = AnnotationCollector(options, "", "")
        self._has_annotations = False

    def watch(self, config: pytest.Config) -> None:
        """Note calls of the annotation functions."""
        config.pluginmanager.register(self, HOOKS)
        active.append(self.collector)

    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note whether any test uses the fixture or a marker, or a hook describes tests."""
        self._has_annotations |= bool(getattr(session.config.hook, DESCRIBE_TEST).get_hookimpls())
        for item in session.items:
            self._has_annotations |= "automation_report" in getattr(item, "fixturenames", ())
            self._has_annotations |= self.collector.is_marked(item)

    @guarded
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the controller whether annotations are missing."""
        active.remove(self.collector)
        if self._has_annotations or self.collector.warnings():
            getattr(session.config, "workeroutput", {})[UNREPORTED] = True


def worker_hooks(workerinput: Mapping[str, Any], errors: Errors) -> WorkerHooks | RemoteWorkerHooks:
    """Return the hooks of a worker by the input that its controller sent."""
    shared: Mapping[str, Any] = workerinput["automation_report"]
    worker: str = workerinput["workerid"]
    folder = SessionFolder(Path(shared["folder"]))
    try:
        writer = folder.writer(worker) if folder.has_manifest else None
    except (OSError, SpoolError):
        writer = None
    options = worker_options(shared, os.environ)
    if writer is None:
        return RemoteWorkerHooks(options, errors)
    return WorkerHooks(writer, options, Clock(shared["epoch"]), worker, errors)


def worker_options(shared: Mapping[str, Any], environ: Mapping[str, str]) -> RecordingOptions:
    """Return the recording options that the controller sent, with the secrets of this worker's environment."""
    options = convert(shared["options"], RecordingOptions)
    token = token_from(environ, shared["token_file"]).token
    return replace(options, secrets=secrets_from(environ, token, is_builtin=options.redact_builtin))


_CRASHED: Final = "???"  # xdist's phase of a crash report
_REMOTE_ANNOTATIONS: Final = (
    "annotations of tests on other hosts are not reported: these results are without their fields, artifacts and steps"
)


class ControllerHooks(Hooks):
    """Hooks of the controller: it records crashes of workers, and the reports of those that cannot write files."""

    def __init__(
        self,
        setup: SessionSetup,
        folder: SessionFolder,
        clock: Clock,
        writer: SpoolWriter,
        report: TerminalReport,
        *,
        is_grouped: bool,
    ) -> None:
        self.internal_errors = report.internal_errors
        self.failures = FirstFailures()
        self.has_failed = False  # as pytest counts it
        self.losses: list[WriteLosses] = []
        self._options = setup.options
        self._token_file = setup.settings.token_file
        self._folder = folder
        self._clock = clock
        from pytest_automation_report.delivery.captured_output import CapturedOutput  # noqa: PLC0415 - not in workers

        self._captured = CapturedOutput(setup.options)
        # Of the controller's own records: crashes.
        self._writer = writer
        self._report = report
        # With `--dist loadgroup` xdist adds the group to the node ids of the tests.
        self._plain: Callable[[str], str] = _without_group if is_grouped else str
        # Whether the crashed test that xdist reports next runs again in another worker.
        self._is_pending = False
        # None for a worker that writes to the spool itself.
        self._recorders: dict[str, RemoteWorkerRecorder | None] = {}
        # By node id, for crashes of workers on other hosts.
        self._lines: dict[str, int | None] = {}

    @guarded
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Send a worker the folder of the spool and the options for recording, before it starts."""
        node.workerinput["automation_report"] = {
            "folder": str(self._folder.path),
            "options": to_builtins(self._options.without_secrets()),
            "token_file": self._token_file,
            "epoch": self._clock.epoch,
        }

    @guarded
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Add what a worker reported at its end."""
        if error is None:  # else xdist reports the test that was running next
            self._captured.forget(node.gateway.id)
        output = getattr(node, "workeroutput", {})  # A worker that crashed has none.
        if (losses := output.get(LOSSES)) is not None:
            self.losses.append(WriteLosses(**losses))
        if (reason := output.get(UNLOADED)) is not None:
            text = f"its results are without annotations: its Python cannot load the plugin: {reason}"
            self._report.warn(f"worker {node.gateway.id}: {text}")
        if UNREPORTED in output:
            self._report.warn(_REMOTE_ANNOTATIONS)

    @guarded
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Write the number of tests for a worker that cannot write it, and once the names of all tests."""
        recorder = self._recorder(node.gateway.id)
        # The worker waits for its first test: now its capture files can be opened, for its last words.
        if recorder is None and self._options.output != "none":
            records = [placed.record for placed in head_and_tail(self._folder.records(node.gateway.id))[0]]
            pid = next((record.pid for record in records if isinstance(record, OpenRecord)), 0)
            files = next((record.files for record in records if isinstance(record, CapturedRecord)), ())
            self._captured.watch(node.gateway.id, pid, files)
        is_naming = self._options.report_not_run and not self._folder.records(NOT_RUN).exists()
        if recorder is None and not is_naming:
            return
        names = [*map(self._plain, ids)]
        if recorder is not None:
            recorder.hooks.writer.write(collected_record(names))
        if is_naming:
            write_collected_ids(self._folder, names)

    @guarded
    def pytest_handlecrashitem(self, crashitem: str, sched: Any) -> None:  # noqa: ANN401 - xdist's type is not at hand without xdist
        """Note whether the crashed test, reported next, runs again: schedulers by scope put it into their queue."""
        # Attributes of xdist 3.8's LoadScopeScheduling: scopes by name, each with its tests and whether they are done.
        assigned = getattr(sched, "assigned_work", {}).values()
        scopes = [*getattr(sched, "workqueue", {}).values(), *(scope for work in assigned for scope in work.values())]
        self._is_pending = any(scope.get(crashitem) is False for scope in scopes)

    @guarded
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Note the line of a test, whose worker may crash before it reports a phase."""
        if any(self._recorders.values()):
            self._lines[nodeid] = line_number(location)

    # trylast: other plugins change the report before.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a crash, or a phase of a worker that cannot write to the spool."""
        if report.outcome == "failed":
            self.has_failed |= is_counted(report)
        worker = getattr(report, "worker_id", None)
        if worker is None and str(report.when) == _CRASHED:  # pytest-forked uses the word too, in the worker
            self._record_crash(report)
            return
        recorder = None if worker is None else self._recorder(worker)
        if recorder is not None:
            recorder.add(report)

    def close(self) -> None:
        """Close the files of workers that could not write them, and the files of captured output."""
        self._captured.close()
        for recorder in self._recorders.values():
            if recorder is not None:
                recorder.close()

    def _recorder(self, worker: str) -> RemoteWorkerRecorder | None:
        """Return the recorder of a worker, created at its first use; None if the worker writes to the spool itself."""
        if worker not in self._recorders:
            self._recorders[worker] = None
            if not self._folder.records(worker).exists():
                writer = self._folder.writer(worker)
                hooks = RuntestHooks(writer, self._options, self._clock, worker, self.internal_errors)
                self._recorders[worker] = RemoteWorkerRecorder(hooks, self._plain)
        return self._recorders[worker]

    def _record_crash(self, report: Any) -> None:  # noqa: ANN401 - xdist sets the worker's node on it
        node = getattr(report, "node", None)
        worker = node.gateway.id if node is not None else "unknown"
        recorder = self._recorders.get(worker)
        if recorder is not None:
            recorder.give_up()
        nodeid = self._plain(report.nodeid)
        file, line = report.location[0].replace(os.sep, "/"), self._lines.get(report.nodeid)
        if report.outcome == "failed" and not self._is_pending:
            from pytest_automation_report.delivery.attempts import unfinished_attempt  # noqa: PLC0415 - few workers crash

            attempt = unfinished_attempt(
                nodeid, self._options, kind="crashed", detail="", observed_us=None, worker=worker
            )
            self.failures.add(FinishRecord(0, 0, nodeid, attempt, file=file, line=line), self._options.prefix)
        record = CrashRecord(
            self._clock.now(),
            worker,
            nodeid,
            file,
            outcome=AGAIN if self._is_pending and report.outcome == "failed" else report.outcome,
            text=cleaner_for(self._options).console(report.longreprtext),
            line=line,
            words=self._captured.last_words(worker),
        )
        self._writer.write(record.framed())


class RemoteWorkerRecorder:
    """Records the tests of one worker that cannot write to the spool, from the reports that it sends.

    It drives the runtest hooks of that worker, which are not registered with pytest: the report of another test begins
    an attempt, a teardown ends it.
    """

    def __init__(self, hooks: RuntestHooks, plain: Callable[[str], str]) -> None:
        self.hooks = hooks
        self._plain = plain
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
            self.hooks.plain_nodeids[report.nodeid] = self._plain(report.nodeid)
            self.hooks.pytest_runtest_logstart(report.nodeid, report.location)
        self.hooks.pytest_runtest_logreport(_as_in_worker(report))
        if str(report.when) in {"teardown", _CRASHED}:
            self._finish(report.nodeid)

    def give_up(self) -> None:
        """Abandon the open attempt after a crash of the worker: the CRASH record has its result."""
        if self._is_pending_rerun:
            # This attempt was over before the crash, so it keeps its own result.
            self._finish(self._open_nodeid)
        self._open_nodeid, self._is_pending_rerun = "", False
        self.hooks.abandon_attempt()

    def close(self) -> None:
        """Write the CLOSE record and close the file."""
        self.hooks.close()
        self.hooks.shut()

    def _finish(self, nodeid: str) -> None:
        self._open_nodeid = ""
        self.hooks.finish_attempt(nodeid, annotations=())


def _as_in_worker(report: Any) -> Any:  # noqa: ANN401 - other plugins set attributes on it
    """Return a copy of the report with the texts that it had in its worker."""
    copied = copy.copy(report)
    # pytest adds a line about the worker to the traceback for it.
    copied.__dict__.pop("node", None)
    # pytest 9 quotes arguments in the worker, and again when the controller reads the report: number='1' for number=1.
    if is_subtest(report):
        arguments = {name: _unquoted(value) for name, value in report.context.kwargs.items()}
        copied.context = SimpleNamespace(msg=report.context.msg, kwargs=arguments)
    return copied


def _unquoted(value: object) -> object:
    try:
        inner = ast.literal_eval(str(value))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value  # cut short by pytest, or never quoted
    return inner if isinstance(inner, str) else value


def _without_group(nodeid: str) -> str:
    """Return a node id without the ``@group`` that xdist has added at its end; the names of tests have no ``@``."""
    at = nodeid.find("@", max(nodeid.rfind("]"), nodeid.rfind("::"), 0))
    return nodeid if at < 0 else nodeid[:at]
