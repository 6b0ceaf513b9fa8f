"""Record the tests that run in this process: pytest calls the hooks, which append records to the spool.

Tests patch clocks, files, sockets and modules, so the hooks hold references to all objects that they need at each test.
They open no socket, start no thread and wait for nothing.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard, cast

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import Artifact, Field
from pytest_automation_report.guards import Errors, Hooks, guarded, safe_str
from pytest_automation_report.recording.collector import (
    DESCRIBE_TEST,
    HOOKS,
    AnnotationCollector,
    active,
    add_unknown_hooks,
)
from pytest_automation_report.recording.options import FAILED, RecordingOptions, property_field
from pytest_automation_report.recording.phases import Annotations, FirstFailures, merged
from pytest_automation_report.recording.recorder import FailedComparisons, Recorder, place_in
from pytest_automation_report.session.collection import (
    HISTORY_HOOKS,
    captured_files,
    collected_record,
    is_counted,
    plain_nodeids,
)
from pytest_automation_report.spool.records import (
    FORMAT,
    ArtifactRecord,
    Attempt,
    CapturedRecord,
    CloseRecord,
    OpenRecord,
    PropertyRecord,
    StartRecord,
)
from pytest_automation_report.system.here import system
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_automation_report.recording.hooks import ArtifactFile
    from pytest_automation_report.spool.records import FinishRecord
    from pytest_automation_report.spool.writer import SpoolWriter


_LEFT_OUT: Final = Field("Left out", "The disk took no more: the texts of this result are lost.")
# Characters of the last output of an interrupted test: so many are cleaned, and so many of them reported.
_CLEANED_CHARACTERS: Final = 16 << 10
_LAST_CHARACTERS: Final = 8192
# Packages that drive browsers.
_BROWSERS: Final = ("playwright", "selenium", "appium")


def __dir__() -> list[str]:
    """Name the fixture alone, for the reason that `guards.Hooks` has: the module is a plugin of reported sessions."""
    return ["record_testsuite_property"]


# A function of the module: pytest 9.2 warns of session fixtures that are methods of an object.
@pytest.fixture(scope="session")
def record_testsuite_property(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Callable[[str, object], None]:
    """Record a name and a value for the whole session, in JUnit XML and as a field of the run."""
    hooks = cast("RuntestHooks", request.config.pluginmanager.get_plugin(HOOKS))

    def record(name: str, value: object) -> None:
        record_testsuite_property(name, value)
        hooks.record_property(name, value)

    return record


class Clock:
    """Whole microseconds since the session began; ``epoch`` is the performance counter's value then, in seconds."""

    __slots__ = ("_counter", "epoch")

    def __init__(self, epoch: float | None = None) -> None:
        self._counter = Unpatched.counter
        self.epoch = Unpatched.counter() if epoch is None else epoch

    def now(self) -> int:
        """Return the microseconds since the session began."""
        return max(0, int((self._counter() - self.epoch) * 1_000_000))


# The list itself: Python calls those in it, whatever a test binds to that name. PyPy has none.
_GC_CALLBACKS: Final[list[object]] = getattr(gc, "callbacks", [])


class GarbagePauses:
    """Seconds in which Python collected garbage in this process, since they were taken."""

    __slots__ = ("_began", "_counter", "seconds")

    def __init__(self) -> None:
        self._counter = Unpatched.counter
        self._began = self.seconds = 0.0

    def __call__(self, phase: str, _info: object) -> None:
        """Python calls this before and after each collection, as often as every few microseconds."""
        if phase == "start":
            self._began = self._counter()
        elif self._began:
            self.seconds += self._counter() - self._began
            self._began = 0.0

    def begin(self) -> None:
        """Begin anew; a test may have removed all callbacks."""
        self.seconds = 0.0
        if self not in _GC_CALLBACKS:
            self._began = 0.0
            _GC_CALLBACKS.append(self)

    def take(self) -> float:
        """Return the seconds and begin anew."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def stop(self) -> None:
        """Measure no more."""
        if self in _GC_CALLBACKS:
            _GC_CALLBACKS.remove(self)


def is_usage_error_of_hook(error: BaseException | None) -> TypeGuard[pytest.UsageError]:
    """Whether a hook of a conftest or plugin raised pytest's usage error; not pytest itself, as for a wrong path."""
    if not isinstance(error, pytest.UsageError):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return not module.startswith(("_pytest.", "pytest_automation_report."))


class Stop(NamedTuple):
    """What ended a process early: the error, where it was raised, and the node id of the test that ran."""

    error: str
    place: str
    test: str


NOT_STOPPED: Final = Stop("", "", "")


class RuntestHooks(Hooks):
    """Hooks for a process that runs tests: the only one, or one xdist worker; and the records of xdist's controller.

    One attempt of a test::

        pytest_runtest_logstart    START is on disk: from now on a death of the process leaves a result
        pytest_runtest_setup       annotations go to this item
        pytest_runtest_logreport   a phase, or a subtest, goes to the recorder
        pytest_runtest_logfinish   FINISH is on disk: the result exists

    """

    def __init__(
        self, writer: SpoolWriter, options: RecordingOptions, clock: Clock, worker: str, internal_errors: Errors
    ) -> None:
        self.internal_errors = internal_errors
        self.worker = worker
        # Results of modules, which are no tests.
        self.modules = self.skipped_modules = 0
        # Final results by status.
        self.counts: Counter[str] = Counter()
        self.failures = FirstFailures()
        self.has_failed = False  # as pytest counts it
        # By node id with xdist's group, the one without it; shared with the recorder.
        self.plain_nodeids: dict[str, str] = {}
        self.writer = writer
        self._options = options
        self._clock = clock
        self._recorder = Recorder(options, self.plain_nodeids)
        self.collector = AnnotationCollector(options, writer.folder, worker)
        self.collector.on_artifact = self._write_artifact
        # The last attempt: its number in this process, and its start.
        self._attempt_number = self._started_us = 0
        # Node id of the running attempt, None between tests.
        self._open_nodeid: str | None = None
        # Node id and status of an attempt that a plugin wants to run again. If another test starts, no rerun came, and
        # the attempt is the result.
        self._pending_rerun: tuple[str, str] | None = None
        # The reason for which pytest was interrupted while a test ran, for its result.
        self._interruption = ""
        self._stop = NOT_STOPPED
        self.root = ""  # of the project, with a separator at its end
        self._comparisons = FailedComparisons()
        self._pauses = GarbagePauses()
        self._collected = b""
        # The collected items, with their node ids before xdist adds groups; only in a run of several jobs.
        self._items: dict[pytest.Item, str] = {}
        self._found = 0
        birth = system.process_start_time(os.getpid())
        writer.write(OpenRecord(os.getpid(), clock.now(), worker=worker, format=FORMAT, birth=birth).framed())

    def watch(self, config: pytest.Config) -> None:
        """Record the tests of this process, let them add annotations, and let the sender find its captured output."""
        self.root = f"{config.rootpath}{os.sep}"
        # The collector is found by these hooks: pytest searches each plugin for hooks and fixtures, which takes 0.5 ms.
        config.pluginmanager.register(self, HOOKS)
        # The fixture of this module replaces pytest's, unless the plugin with that is switched off.
        if config.pluginmanager.has_plugin("junitxml"):
            # Not `import_plugin`: pytest before 9.2 warns that the module is imported already.
            config.pluginmanager.register(sys.modules[__name__], __name__)
        active.append(self.collector)
        captured = captured_files(config) if self._options.output != "none" else []
        if captured:
            self.writer.write(CapturedRecord(tuple(captured)).framed())

    # tryfirst: before a plugin leaves items to other jobs.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what was collected, for the proof that the jobs of a run ran each test once."""
        self._found = len(items)
        if self._options.is_shared:
            self._items = {item: item.nodeid for item in items}

    # trylast: the items as other plugins leave them are the tests that run.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Register the hooks that the collected tests need, and write the number of the tests."""
        # Not before: the conftests of all folders are loaded only now.
        add_unknown_hooks(self.collector.user_errors, session.config)
        self._add_hooks(session.config)
        if getattr(session.config.option, "loadgroup", False):
            self.plain_nodeids.update(plain_nodeids(session.items))
        self._collected = collected_record(
            [self.plain_nodeids.get(item.nodeid, item.nodeid) for item in session.items],
            self._before_sharding(session.config),
            max(0, self._found - len(session.items)),
            getattr(session.config.pluginmanager.get_plugin(HISTORY_HOOKS), "unanswered", ""),
        )
        self._items.clear()
        self.writer.write(self._collected)

    def _add_hooks(self, config: pytest.Config) -> None:
        """Register the hooks for users' hooks that describe tests, and for packages that drive browsers."""
        if "pytest_automation_report.recording.functions" in sys.modules:  # of test modules that add to their results
            from pytest_automation_report.recording.user_code import copy_function  # noqa: PLC0415 - loaded by then

            copy_function(self.collector)
        is_described = bool(getattr(config.hook, DESCRIBE_TEST).get_hookimpls())
        # Test modules have imported the package when they are collected.
        has_browsers = self._options.browser_artifacts and any(package in sys.modules for package in _BROWSERS)
        if is_described or has_browsers:
            from pytest_automation_report.recording.hooks import AnnotationHooks  # noqa: PLC0415 - few need it

            hooks = AnnotationHooks(self.collector, self.internal_errors, has_browsers=has_browsers)
            config.pluginmanager.register(hooks)

    @guarded
    def _before_sharding(self, config: pytest.Config) -> list[str] | None:
        own: list[str] | None = getattr(config.pluginmanager.get_plugin(HISTORY_HOOKS), "collected", None)
        if own is not None and self._options.is_shared:
            return own
        if not self._items:
            return None
        from pytest_automation_report.session.history import before_sharding  # noqa: PLC0415 - few sessions share a run

        left = before_sharding(list(self._items), config)
        return None if left is None else [self._items[item] for item in left]

    # tryfirst: START is on disk before another plugin's hook can end the process, and its time is the attempt's.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Begin an attempt and write START."""
        self._attempt_number += 1
        if self._pending_rerun is not None and self._pending_rerun[0] != nodeid:
            self._count_pending_rerun()
        self._started_us = self._clock.now()
        self.collector.begin()
        self._comparisons.take()  # of the attempt before: they did not fail it
        self._recorder.start(nodeid, location)
        plain_nodeid = self.plain_nodeids.get(nodeid, nodeid)
        file, line = place_in(plain_nodeid, location)
        self._open_nodeid = nodeid
        self.writer.write(StartRecord(self._attempt_number, self._started_us, plain_nodeid, file, line).framed())

    # tryfirst: other plugins' setup, and fixtures, may annotate already.
    @pytest.hookimpl(tryfirst=True)
    @guarded
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Send annotations to this item from now on, and measure its pauses."""
        self.collector.set_up(item)
        self._pauses.begin()

    # trylast: other plugins change the report before.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase, or a subtest, to its test."""
        self._recorder.add(report)
        # Asked here, too: few phases have any.
        if self._pauses.seconds and report.nodeid == self._open_nodeid:
            self._recorder.add_pause(report, self._pauses.take())
        # Asked here, too: nearly no report failed.
        if report.outcome == "failed":
            self.has_failed |= is_counted(report)

    # trylast: annotations that other plugins add in this hook still belong to the attempt.
    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """End the attempt: its result exists once it is a line in the spool."""
        self.finish_attempt(nodeid, self._annotations() or ())

    # Returns None, so that the explanations of pytest and of other plugins stay as they are.
    @guarded
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Capture the sides of a failed comparison."""
        self._comparisons.capture(op, left, right)

    @guarded
    def pytest_exception_interact(
        self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[object], report: object
    ) -> None:
        """Keep the last comparison if it has failed the test, and the shared fixtures that have."""
        if call.excinfo is not None and isinstance(report, pytest.TestReport):
            self._comparisons.keep(call.excinfo, report)
            self._recorder.add_notes(call.excinfo.value)
            if report.when != "call":
                self._recorder.add_fixtures(call.excinfo.value, report, node.config.rootpath)

    @guarded
    def _annotations(self) -> Sequence[Annotations | None] | None:
        """Return the annotations of the attempt; None if collecting them raised: the result must not be lost."""
        annotations, item = self.collector.end(), self.collector.item
        if item is None:
            return annotations
        is_marked, bdd = self.collector.is_marked(item), sys.modules.get("pytest_bdd.scenario")
        if not is_marked and bdd is None:
            return annotations
        from pytest_automation_report.recording.hooks import annotations_of_markers, scenario_field  # noqa: PLC0415 - few need them

        of_markers = annotations_of_markers(self.collector, item) if is_marked else None
        feature = scenario_field(item, bdd, self.collector.cleaner)
        return [*annotations[:-1], merged([of_markers, feature, *annotations[-1:]])]

    def finish_attempt(self, nodeid: str, annotations: Sequence[Annotations | None]) -> None:
        """Write the result of an attempt, if its reports make one."""
        record = self._recorder.finish(
            nodeid,
            number=self._attempt_number,
            began=self._started_us,
            moment=self._clock.now(),
            annotations=annotations,
            comparison=self._comparisons.take(),
        )
        self._open_nodeid = None
        if record is not None:
            is_settled = record.is_final or record.is_silent
            self._pending_rerun = None if is_settled else (nodeid, record.attempt.status)
            self._write_result(record)

    def write_module_result(self, record: FinishRecord) -> None:
        """Write the result of a module that could not be collected, or skipped itself; no attempt precedes it."""
        self._attempt_number += 1
        self.modules += 1
        self.skipped_modules += record.attempt.status == "skipped"
        self._write_result(replace(record, number=self._attempt_number, moment=self._clock.now()))

    def _write_result(self, record: FinishRecord) -> None:
        status = record.attempt.status
        is_written = self.writer.write(record.framed(), lambda: _short(record).framed())
        # A child that a test forked does not own the spool: it writes nothing, so its results do not count.
        if is_written and record.is_final:
            self.counts[status] += 1
            if status in FAILED:
                self.failures.add(record, self._options.prefix)

    def record_property(self, name: object, value: object) -> None:
        """Write a value of ``record_testsuite_property`` as a field of the run; equal ones of workers become one."""
        field = property_field(safe_str(name), safe_str(value), self.collector.cleaner)
        self.writer.write(PropertyRecord(field).framed())

    def add_to_run(self, session: pytest.Session, files: Sequence[ArtifactFile]) -> None:
        """Add files to the run; they are copied now, and stored by the sender or named in a field."""
        from pytest_automation_report.recording.user_code import attachment  # noqa: PLC0415 - few runs have files

        for file in files:
            attached = attachment(self.collector, session, file.content, file.name, file.mime_type, folder=session.path)
            # A file is an artifact, or a field if it could not be copied.
            if isinstance(attached, Artifact):
                self.writer.write(PropertyRecord(artifact=attached).framed())
            elif attached is not None:
                self.writer.write(PropertyRecord(attached).framed())

    def _write_artifact(self, artifact: Artifact) -> None:
        """Write ARTIFACT for the open attempt, so that its file is known if the process dies before the result."""
        self.writer.write(ArtifactRecord(self._attempt_number, artifact).framed())

    @guarded
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note the reason for which the running test is interrupted, and the line."""
        if issubclass(excinfo.type, pytest.exit.Exception):
            self.note_stop(f"pytest.exit: {excinfo.value}", excinfo.value)
        elif type(excinfo.value) is KeyboardInterrupt:
            entry = excinfo.traceback[-1]
            self._interruption = f"Interrupted by Ctrl-C at {entry.path}:{entry.lineno + 1}"

    @guarded
    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note the error, which ends the session while a test runs."""
        self.note_stop(f"an internal error of pytest: {excinfo.exconly()}", excinfo.value)

    def note_stop(self, words: str, error: BaseException) -> None:
        """Note the error that ends the session, where it was raised, and the test that runs; the first one counts."""
        self._interruption = self._interruption or f"Ended by {words}"
        if not self._stop.error:
            nodeid = self._open_nodeid and self.plain_nodeids.get(self._open_nodeid, self._open_nodeid)
            self._stop = Stop(
                self.collector.cleaner.string(words.partition("\n")[0]), self._raised_at(error), nodeid or ""
            )

    def _raised_at(self, error: BaseException) -> str:
        """Return file and line that raised an error: of the project, if there is one among them."""
        places = []
        trace = error.__traceback__
        while trace is not None:
            places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next
        own = [place for place in places if place[0].startswith(self.root) and "-packages" not in place[0]]
        file, line = (own or places or [("", 0)])[-1]
        file = file.removeprefix(self.root).rpartition("-packages" + os.sep)[2]
        return self.collector.cleaner.string(f"{file}:{line}") if file else ""

    def _last_words(self) -> str:
        """Return the reason of the interruption, and the end of the output that pytest captured of the open test."""
        sections: Sequence[tuple[str, str, str]] = getattr(self.collector.item, "_report_sections", ())
        cleaner = self.collector.cleaner.console
        outputs = [
            # Cleaned before it is cut: half of a secret would not be recognised.
            f"Captured {stream} {when}\n{cleaner(content[-_CLEANED_CHARACTERS:])[-_LAST_CHARACTERS:]}"
            for when, stream, content in (sections if self._options.output != "none" else ())
            if content
        ]
        return "\n\n".join([*filter(None, (cleaner(self._interruption),)), *outputs])

    def _count_pending_rerun(self) -> None:
        if self._pending_rerun is not None:
            self.counts[self._pending_rerun[1]] += 1
            self._pending_rerun = None

    def abandon_attempt(self) -> None:
        """Forget the open attempt and an attempt that waits for its rerun: the CRASH record has their result."""
        self._open_nodeid = None
        self._pending_rerun = None

    def close(self) -> None:
        """Write the CLOSE record. A test that is still running is recorded as interrupted, unless it has failed."""
        detail, cleaner, raised = "", self.collector.cleaner.string, sys.exc_info()[1]
        if is_usage_error_of_hook(raised):
            self.note_stop(f"a usage error: {raised}", raised)
        if self._open_nodeid is not None and self._recorder.has_failed(self._open_nodeid):
            # pytest has counted the failure: of a debugger that the user left, or before an interrupted teardown.
            self.pytest_runtest_logfinish(self._open_nodeid)
        if self._open_nodeid is not None:
            self.counts["untested"] += 1
            detail = self._last_words()
        else:
            self._count_pending_rerun()
        if self._collected:
            # A second time: the summary reads only both ends of a large file.
            self.writer.write(self._collected)
        texts = self.collector.warnings(), self.internal_errors.texts
        warnings, faults = (tuple(map(cleaner, each)) for each in texts)
        record = CloseRecord(
            self._clock.now(), self.counts, tuple(self.failures.kept), detail, warnings, faults, 0, *self._stop
        )
        self.writer.write(record.framed())

    def shut(self) -> None:
        """Close the file and accept no more annotations."""
        if self.collector in active:
            active.remove(self.collector)
        self._pauses.stop()
        self.writer.close()


def _short(record: FinishRecord) -> FinishRecord:
    """Return a record without its texts, for a full disk: the outcome is worth more than they are."""
    whole = record.attempt
    attempt = Attempt(whole.status, whole.elapsed, whole.setup, whole.teardown, (_LEFT_OUT,), line=whole.line)
    hidden = tuple(Attempt(earlier.status, earlier.elapsed, fields=(_LEFT_OUT,)) for earlier in record.hidden)
    return replace(record, attempt=attempt, hidden=hidden)
