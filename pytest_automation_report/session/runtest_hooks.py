"""Record the tests that run in this process: pytest calls the hooks, which append records to the spool.

The hooks run inside tests that patch clocks, files, sockets and modules, so the instance holds its own references to
all that it needs at each test. It opens no socket, starts no thread and waits for nothing.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, ParamSpec

import pytest

from pytest_automation_report.annotations.artifacts import attachment
from pytest_automation_report.annotations.collector import AnnotationCollector
from pytest_automation_report.annotations.functions import NOTES, activate, deactivate
from pytest_automation_report.annotations.markers import Markers
from pytest_automation_report.api.models import Artifact, Field, encoded
from pytest_automation_report.recording.attempts import ATTEMPTS
from pytest_automation_report.recording.failures import FAILED, Failures
from pytest_automation_report.recording.options import cleaner_for
from pytest_automation_report.recording.recorder import Recorder
from pytest_automation_report.session.annotation_hooks import (
    BrowserFiles,
    Describing,
    SuiteProperties,
    has_browsers,
    is_described,
    with_markers,
)
from pytest_automation_report.spool.artifacts import ArtifactSpool
from pytest_automation_report.spool.folder import NOT_RUN
from pytest_automation_report.spool.records import (
    FORMAT,
    attempt_header,
    collected_names,
    finish_record,
    pass_record,
    plain_record,
    start_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_automation_report.annotations.hook_values import ArtifactFile
    from pytest_automation_report.api.models import Test
    from pytest_automation_report.recording.annotations import Annotations
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.recording.synthetic_results import AttemptResult
    from pytest_automation_report.spool.folder import SessionFolder
    from pytest_automation_report.spool.writer import SpoolWriter, WriteLosses


def captured_files(config: pytest.Config) -> list[tuple[str, int, int, int]]:
    """Return the name of each captured stream, the descriptor of its file, and that file's device and inode.

    The sender reads the last output of a killed process by them. Empty without capturing, with capturing in memory
    (``--capture=sys``), and with a pytest whose capturing works differently.
    """
    capturing = getattr(config.pluginmanager.getplugin("capturemanager"), "_global_capturing", None)
    found: list[tuple[str, int, int, int]] = []
    for stream in ("out", "err"):
        try:
            descriptor = getattr(capturing, stream).tmpfile.fileno()
            status = os.fstat(descriptor)
        except (AttributeError, OSError, ValueError):  # what is kept in memory has no descriptor
            continue
        found.append((f"std{stream}", descriptor, status.st_dev, status.st_ino))
    return found


P = ParamSpec("P")

_LEFT_OUT: Final = Field("Left out", "The disk took no more: the texts of this result are lost.")
_FAULTS_SHOWN: Final = 3
_LAST_CHARACTERS: Final = 8192
_LAST_LOOKED_AT: Final = 16 << 10
_REPEATED_SHOWN: Final = 5


class Clock:
    """Whole microseconds since the session began, by the performance counter as it was when the module was imported.

    ``epoch`` is the counter's value, in seconds, when the session began; all processes of one machine share the
    counter.
    """

    __slots__ = ("_counter", "epoch")

    def __init__(self, epoch: float | None = None) -> None:
        self._counter = perf_counter
        self.epoch = perf_counter() if epoch is None else epoch

    def now(self) -> int:
        """Return the microseconds since the session began."""
        return max(0, int((self._counter() - self.epoch) * 1_000_000))


class InternalErrors:
    """Counts errors of this package inside pytest's hooks; they are reported at the end and never raised."""

    def __init__(self) -> None:
        self.count = 0
        self.texts: list[str] = []

    def add(self, place: str, error: Exception) -> None:
        """Count one error; the first few are kept with the place they came from."""
        self.count += 1
        if len(self.texts) < _FAULTS_SHOWN:
            self.texts.append(f"{place}: {type(error).__name__}: {error}")


def guarded(hook: Callable[P, None]) -> Callable[P, None]:
    """Make a hook of an object with ``internal_errors`` count our own errors.

    What pytest raises to end a session derives from ``BaseException`` and passes.
    """

    @functools.wraps(hook)
    def guard(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the one edge where our errors must not reach the session
            owner: Any = args[0]
            owner.internal_errors.add(hook.__name__, error)

    return guard


class RuntestHooks:
    """Hooks for a process that runs tests: the only one, or one xdist worker."""

    def __init__(
        self, writer: SpoolWriter, rules: RecordingOptions, clock: Clock, worker: str, internal_errors: InternalErrors
    ) -> None:
        self.internal_errors = internal_errors
        self.worker = worker
        self.modules = 0
        self.counts: Counter[str] = Counter()
        self.failures = Failures()
        self._groups: dict[str, str] = {}
        self._writer = writer
        self._rules = rules
        self._clock = clock
        self._recorder = Recorder(rules, self._groups)
        stash = ArtifactSpool(writer.folder, worker, most_bytes=rules.artifact_size, most_together=rules.artifact_total)
        self._notes = AnnotationCollector(cleaner_for(rules), stash, rules.artifact_url)
        self._notes.told_at_once = self._write_artifact
        self._markers = Markers(rules, self._notes)
        self._number = 0
        self._began = 0
        self._open: str | None = None
        self._about = ""
        self._interrupted = ""
        self._collected = b""
        self._unclosed: tuple[str, str] | None = None
        writer.write(plain_record("open", format=FORMAT, worker=worker, pid=os.getpid(), t=clock.now()))

    def watch(self, config: pytest.Config) -> None:
        """Let the tests of this process add to their results."""
        config.pluginmanager.register(self._notes, NOTES)
        SuiteProperties(self.write, self._notes.cleaner).watch(config)
        activate(self._notes)
        captured = captured_files(config) if self._rules.keeps_output("error") else []
        if captured:
            self._writer.write(plain_record("captured", files=captured))

    @pytest.hookimpl(trylast=True)
    @guarded
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note how many tests there are, and which of them the server cannot tell apart."""
        self._notes.troubles.add_unknown_hooks(session.config)  # now that the conftests of all folders are loaded
        if is_described(session.config):
            session.config.pluginmanager.register(Describing(self._notes))
        if self._rules.browser_artifacts and has_browsers():
            session.config.pluginmanager.register(BrowserFiles(self._notes))
        if getattr(session.config.option, "loadgroup", False):
            self._groups.update(ungrouped(session.items))
        self._collected = collected_record([self._groups.get(each.nodeid, each.nodeid) for each in session.items])
        self._writer.write(self._collected)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Note that an attempt begins, so that it is known if the process dies in it."""
        try:
            self._number += 1
            if self._unclosed is not None and self._unclosed[0] != nodeid:
                self._count_unclosed()
            self._began = self._clock.now()
            self._notes.begin()
            self._recorder.start(nodeid, location)
            self._about = attempt_header(self._groups.get(nodeid, nodeid), location[0], location[1])
            self._open = nodeid
            self._writer.write(start_record(self._number, self._began, self._about))
        except Exception as error:  # noqa: BLE001 - as in `guarded`, which costs a call at each phase of each test
            self.internal_errors.add("pytest_runtest_logstart", error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note whose attempt it is."""
        self._notes.set_up(item)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase, or a subtest, to its test: here, since this hook runs in the process that owns the test."""
        try:
            self._recorder.add(report)
        except Exception as error:  # noqa: BLE001 - as above
            self.internal_errors.add("pytest_runtest_logreport", error)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Close the attempt: its result exists once it is a line in the spool."""
        try:
            self.finish_attempt(nodeid, self._added())
        except Exception as error:  # noqa: BLE001 - as above
            self.internal_errors.add("pytest_runtest_logfinish", error)

    def _added(self) -> Sequence[Annotations | None]:
        """Return what the attempt's user has added; an error in that must not cost the result."""
        try:
            return with_markers(self._notes.end(), self._markers, self._notes.item)
        except Exception as error:  # noqa: BLE001 - nodes are other plugins' objects; the result is more than its additions
            self.internal_errors.add("annotations", error)
            return ()

    def finish_attempt(self, nodeid: str, annotations: Sequence[Annotations | None]) -> None:
        """Write the result of an attempt, with what its user has added."""
        now = self._clock.now()
        is_plain = nodeid == self._open and not annotations
        elapsed = self._recorder.finish_plain_pass(nodeid, observed_us=now - self._began) if is_plain else None
        if elapsed is not None:
            self._open = None
            if self._writer.write(pass_record(self._number, now, self._began, elapsed, self._about)):
                self.counts["passed"] += 1
            return
        finished = self._recorder.finish(nodeid, observed_us=now - self._began, annotations=annotations)
        self._open = None
        if finished is not None:
            self._unclosed = None if finished.is_final else (nodeid, finished.status)
            self.write_finished(finished, self._number, now)

    def write_finished(self, finished: AttemptResult, number: int, moment: int) -> None:
        """Write one result; only a forked child of a test would not own the spool, and it does not count either."""
        record = _record_of(finished, number, moment, finished.test)
        is_own = self._writer.write(record, functools.partial(_short_record_of, finished, number, moment))
        if is_own and finished.is_final:
            self.counts[finished.status] += 1
            if finished.status in FAILED:
                self.failures.add(finished.test, finished.status, finished.line)

    def write_result(self, finished: AttemptResult) -> None:
        """Write a result that no attempt led to: a module that could not be collected."""
        self._number += 1
        self.modules += 1
        self.write_finished(finished, self._number, self._clock.now())

    def write(self, record: bytes) -> None:
        """Append a record that is not about one test."""
        self._writer.write(record)

    def add_to_run(self, session: pytest.Session, files: Iterable[ArtifactFile]) -> None:
        """Add files to the run: copied now, stored by the sender, and named in a field where nobody stores them."""
        for each in files:
            made = attachment(self._notes, session, each.content, each.name, each.mime_type, folder=session.path)
            if made is not None:
                kind = "artifact" if isinstance(made, Artifact) else "field"
                self._writer.write(plain_record("property", **{kind: made.body()}))

    def _write_artifact(self, artifact: Artifact) -> None:
        """Note what the open attempt has added, for the case that its process dies before its end."""
        self._writer.write(plain_record("artifact", n=self._number, artifact=artifact.body()))

    @guarded
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember what interrupts the test that runs, and where."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self._interrupted = f"Ended by pytest.exit: {excinfo.value}"
        elif type(excinfo.value) is KeyboardInterrupt:
            place = excinfo.traceback[-1]
            self._interrupted = f"Interrupted by Ctrl-C at {place.path}:{place.lineno + 1}"

    def _last_words(self) -> str:
        """Return what interrupted the test that is open, and what it printed last, as far as pytest has captured it."""
        sections: Sequence[tuple[str, str, str]] = getattr(self._notes.item, "_report_sections", ())
        cleaner = self._notes.cleaner.console
        printed = [
            # Cleaned before it is cut: of a secret that is cut nothing would be found.
            f"Captured {stream} {when}\n{cleaner(content[-_LAST_LOOKED_AT:])[-_LAST_CHARACTERS:]}"
            for when, stream, content in (sections if self._rules.keeps_output("error") else ())
            if content
        ]
        return "\n\n".join([*filter(None, (cleaner(self._interrupted),)), *printed])

    def _count_unclosed(self) -> None:
        """Count a rerun attempt that no other followed: it is the result."""
        if self._unclosed is not None:
            self.counts[self._unclosed[1]] += 1
            self._unclosed = None

    def set_plain_nodeid(self, nodeid: str, plain: str) -> None:
        """Set the node id without xdist's group, under which a test is reported."""
        self._groups[nodeid] = plain

    def abandon_attempt(self) -> None:
        """Forget the open attempt and an attempt that waits for its rerun: the crash record has their result."""
        self._open = None
        self._unclosed = None

    def close(self) -> None:
        """Write the CLOSE record. A test that is still running is recorded as interrupted."""
        detail: dict[str, object] = {}
        if self._open is not None:
            self.counts["error"] += 1
            detail["detail"] = self._last_words()
        else:
            self._count_unclosed()
        if self._collected:
            self._writer.write(self._collected)  # once more, at the end: who counts reads both ends of a file alone
        cleaner, errors = self._notes.cleaner.string, self.internal_errors
        told = [cleaner(each) for each in self._notes.told()]
        more: dict[str, object] = {**self.failures.members(), **({"told": told} if told else {}), **detail}
        if errors.count:
            more |= {"faults": errors.count, "texts": [cleaner(text) for text in errors.texts]}
        self._writer.write(plain_record("close", t=self._clock.now(), counts=dict(self.counts), **more))

    def shut(self) -> None:
        """Close the file; nothing is recorded any more."""
        deactivate(self._notes)
        self._writer.close()

    @property
    def losses(self) -> WriteLosses:
        """What the disk did not take."""
        return self._writer.losses


def _record_of(finished: AttemptResult, number: int, moment: int, test: Test) -> bytes:
    return finish_record(
        number,
        moment,
        key=finished.identity.key,
        status=finished.status,
        elapsed=test.elapsed or 0,
        is_final=finished.is_final,
        test=encoded(test),
    )


def _short_record_of(finished: AttemptResult, number: int, moment: int) -> bytes:
    """Return the record of a result without its texts: they go before any outcome does."""
    fields = (*(each for each in finished.test.fields if each.name == ATTEMPTS), _LEFT_OUT)
    return _record_of(finished, number, moment, replace(finished.test, fields=fields, artifacts=()))


def write_names(folder: SessionFolder, nodeids: Sequence[str]) -> None:
    """Write the names of all tests that were collected, for the report of those that are not run."""
    writer = folder.writer(NOT_RUN)
    for each in collected_names(nodeids):
        writer.write(each)
    writer.close()


def ungrouped(items: Iterable[pytest.Item]) -> dict[str, str]:
    """Return for each item whose node id xdist gave a group's name: the node id without it."""
    found = {}
    for item in items:
        path, at, group = item.nodeid.rpartition("@")
        names = sorted({_group_name(mark) for mark in item.iter_markers("xdist_group")})
        if at and group == "_".join(names):
            found[item.nodeid] = path
    return found


def _group_name(mark: pytest.Mark) -> str:
    return str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))


def collected_record(nodeids: Sequence[str]) -> bytes:
    """Return the record of how many tests a worker has collected, with the first of those that share a key."""
    return plain_record("collected", count=len(nodeids), repeated=_repeated(nodeids))


def _repeated(nodeids: Iterable[str]) -> list[list[object]]:
    """Return the first few tests that occur more than once under one key, each with its number."""
    counts = Counter(nodeid.replace("/", ".").replace(".py::", ".").replace("::", ".") for nodeid in nodeids)
    return [[name, count] for name, count in counts.items() if count > 1][:_REPEATED_SHOWN]
