"""The functions and the fixture with which tests add fields, links, artifacts and steps to their results.

Without reporting they do nothing. A value that can never be used raises in both cases: reporting changes no verdict.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextvars import ContextVar
from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, cast

from pytest_automation_report.api.models import STEP_LIMIT, Artifact, Field, FieldType
from pytest_automation_report.api.models import Step as TimedStep
from pytest_automation_report.guards import safe_str
from pytest_automation_report.recording.collector import active
from pytest_automation_report.recording.options import NO_NAME, FieldKind, property_field
from pytest_automation_report.recording.phases import Annotations, merged
from pytest_automation_report.recording.user_code import LazyContent, attachment, check_content, copy_function
from pytest_automation_report.text.limits import TEXT_UNITS, utf16_length
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    import pytest

    from pytest_automation_report.api.models import StepStatus
    from pytest_automation_report.recording.collector import AnnotationCollector
    from pytest_automation_report.text.redaction import TextCleaner

__tracebackhide__ = True  # pytest shows the line of the test alone

# Limits of memory, for a test that adds in an endless loop. A result shows fewer: the recorder cuts it to the API's
# limits and counts the rest, for steps with the counts of all that began.
_MAX_ANNOTATIONS: Final = 500
_MAX_STEPS: Final = 10_000


FIELD_TYPES: Final[Mapping[str, FieldType]] = {type_.name.lower(): type_ for type_ in FieldType}
"""The types of fields by the words of users."""


def parse_field_type(kind: FieldType | FieldKind | int) -> FieldType:
    """Return the field type for one of the words or one of the server's numbers; ValueError for any other."""
    type_ = FIELD_TYPES.get(kind) if isinstance(kind, str) else FieldType(kind)
    if type_ is None:
        raise ValueError(f"{kind!r} is not a type of field: write {', '.join(FIELD_TYPES)}")
    return type_


def typed_field(name: str, value: str, kind: FieldType | None, cleaner: TextCleaner) -> Field:
    """Return a field of this type, or of the nearest that can hold the whole value; without a type the fitting one."""
    if kind is None or kind is FieldType.URL:
        return property_field(name, value, cleaner)
    value = cleaner.redact_by_name(name, value)
    name = cleaner.string(name) or NO_NAME
    if kind is FieldType.STRING:
        return Field(name, cleaner.string(value), kind)
    if kind is FieldType.HTML and utf16_length(value[: TEXT_UNITS + 1]) > TEXT_UNITS:
        kind = FieldType.TEXT  # markup that is cut is broken
    return Field(name, cleaner.console(value), kind)


class OpenStep:
    """One step, from its beginning on; ``status`` is None while it is open."""

    __slots__ = ("artifacts", "attempt", "began", "children", "elapsed_us", "name", "parent", "status", "thread")

    def __init__(self, attempt: AttemptAnnotations, name: str, parent: OpenStep | None) -> None:
        self.attempt = attempt
        self.name = name
        self.parent = parent
        self.thread = get_ident()
        self.status: StepStatus | None = None
        self.children: list[OpenStep] = []
        self.artifacts: list[Artifact] = []
        self.began = Unpatched.counter()
        self.elapsed_us: int | None = None

    def timed(self, places: Mapping[int, int], more: Counter[StepStatus], depth: int = STEP_LIMIT) -> TimedStep:
        """Return the step with ``depth`` levels of those inside it, and take them from the counts of ``more``.

        ``places`` are of artifacts, by their ``id``.
        """
        status = self.status or "skipped"
        more[status] -= 1
        steps = tuple(child.timed(places, more, depth - 1) for child in self.children) if depth else ()
        files = tuple(places[id(artifact)] for artifact in self.artifacts if id(artifact) in places)
        return TimedStep(self.name, status, self.elapsed_us, files, steps, is_open=self.status is None)


_open_step: ContextVar[OpenStep | None] = ContextVar("automation_report_step", default=None)


class AttemptAnnotations:
    """Annotations of one attempt. Threads may add at once: `list.append` and `next` of a count are atomic."""

    __slots__ = ("_added", "_steps", "artifacts", "collector", "fields", "hook_annotations", "is_closed",
                 "item", "roots")  # fmt: skip

    def __init__(self, collector: AnnotationCollector, item: pytest.Item | None) -> None:
        self.collector = collector
        self.item = item
        copy_function(collector)
        self.is_closed = False
        self.fields: list[Field] = []
        self.artifacts: list[Artifact] = []
        self.roots: list[OpenStep] = []
        self.hook_annotations: list[Annotations] = []
        self._added = count()
        self._steps: list[OpenStep] = []

    def add(self, annotation: Field | Artifact) -> None:
        """Add a field or an artifact; count it as dropped if the attempt is over or full."""
        if self.is_closed:
            self.collector.drop()
        elif next(self._added) >= _MAX_ANNOTATIONS:
            self.collector.drop_surplus()
        elif isinstance(annotation, Artifact):
            self.artifacts.append(annotation)
            step = self._open_step()
            if step is not None:
                step.artifacts.append(annotation)
            self.collector.report_artifact(annotation)
        else:
            self.fields.append(annotation)

    def _open_step(self) -> OpenStep | None:
        """Return the open step of this context that belongs to this attempt."""
        step = _open_step.get()
        # The chain may hold others. One has ended: a task copied the context inside it, and runs on. One is of another
        # attempt: a thread of an earlier test kept its context, or a fixture with a wider scope yields inside a step.
        while step is not None and (step.attempt is not self or step.status is not None):
            step = step.parent
        return step

    def begin_step(self, name: str) -> OpenStep | None:
        """Begin a step below the open one of this context, or a root; return None if the attempt is over or full."""
        if self.is_closed:
            self.collector.drop()
            return None
        if len(self._steps) >= _MAX_STEPS:
            self.collector.drop_surplus()
            return None
        parent = self._open_step()
        step = OpenStep(self, name, parent)
        self._steps.append(step)
        (self.roots if parent is None else parent.children).append(step)
        return step

    def close(self) -> Annotations:
        """Return the annotations and accept no more."""
        self.is_closed = True
        places = {id(artifact): place for place, artifact in enumerate(self.artifacts)} if self.roots else {}
        more = Counter[Any](step.status or "skipped" for step in self._steps)
        steps = tuple(step.timed(places, more) for step in self.roots[:STEP_LIMIT])
        own = Annotations(tuple(self.fields), tuple(self.artifacts), steps, dict(+more))
        return merged([own, *self.hook_annotations]) or own


class RunningStep:
    """Context manager for a part of a test with a separate status; does nothing if ``attempt`` is None."""

    __slots__ = ("_attempt", "_begun", "_name")

    def __init__(self, attempt: AttemptAnnotations | None, name: str) -> None:
        self._attempt = attempt
        self._name = name
        # The step of each `__enter__`, None if it was not counted, with the step that was open before. A list: one
        # object may be entered again, also within itself.
        self._begun: list[tuple[OpenStep | None, OpenStep | None]] = []

    def __enter__(self) -> None:
        """Begin the step."""
        if self._attempt is None:
            return
        step = self._attempt.begin_step(self._name)
        self._begun.append((step, _open_step.get()))
        if step is not None:
            _open_step.set(step)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the step as passed, skipped (pytest's skip and xfail) or failed; the exception is not swallowed."""
        if not self._begun:
            return
        step, before = self._begun.pop()
        if step is not None:
            step.elapsed_us = int((Unpatched.counter() - step.began) * 1_000_000)
            step.status = _status(kind)
            # A fixture's two halves may run in different contexts, where a token could not be reset.
            _open_step.set(before)


def _status(kind: type[BaseException] | None) -> StepStatus:
    if kind is None:
        return "passed"
    # Not imported: a script that calls the functions outside of pytest must not load it.
    pytest: Any = sys.modules.get("pytest")
    unittest: Any = sys.modules.get("unittest")
    kinds = () if pytest is None else (pytest.skip.Exception, pytest.xfail.Exception)
    kinds += () if unittest is None else (unittest.SkipTest,)
    return "skipped" if issubclass(kind, kinds) else "failed"


def current_attempt(collector: AnnotationCollector) -> AttemptAnnotations | None:
    """Return the annotations of the running attempt, None between tests."""
    if not collector.is_open:
        return None
    number = collector.number
    if number not in collector.attempts:
        # `setdefault` is atomic: two threads that add first get the same object.
        collector.attempts.setdefault(number, AttemptAnnotations(collector, collector.item))
    return cast("AttemptAnnotations", collector.attempts[number])


def _attempt_here(collector: AnnotationCollector) -> AttemptAnnotations | None:
    """Return the annotations that this thread or task adds to, None between tests.

    Inside an open step that was begun in another thread they are the step's: a thread of test 1 may be inside
    ``with step("upload")`` when test 2 runs. Else they are the running test's, also inside the step of a session
    fixture that yields there.
    """
    step = _open_step.get()
    while step is not None and step.status is not None:
        step = step.parent
    if step is None or step.attempt.collector is not collector or step.thread == collector.thread:
        return current_attempt(collector)
    return step.attempt


def attach(
    attempt: AttemptAnnotations,
    content: LazyContent,
    name: str | None,
    mime_type: str | None,
    *,
    folder: Path | None = None,
) -> None:
    """Add an artifact to an attempt; a relative path starts from the folder, by default the current one."""
    attached = attachment(attempt.collector, attempt.item, content, name, mime_type, folder=folder)
    if attached is not None:
        attempt.add(attached)


class AutomationReport:
    """Adds to one attempt of one test; the fixture ``automation_report``.

    It may be used in any thread or task of the test. In fixtures of a wider scope than one test use the functions of
    `pytest_automation_report`, which add to the test that runs.
    """

    __slots__ = ("_attempt",)

    def __init__(self, attempt: AttemptAnnotations | None = None) -> None:
        self._attempt = attempt

    def field(self, name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's word
        """Add a field.

        Without a type a web address becomes a link, several lines stay lines, any other value is one line. A type is
        ``"string"``, ``"text"``, ``"html"``, ``"console"``, ``"url"`` or a `FieldType`; ValueError for any other.
        """
        field_type = None if type is None else parse_field_type(type)
        if self._attempt is not None:
            cleaner = self._attempt.collector.cleaner
            self._attempt.add(typed_field(safe_str(name), safe_str(value), field_type, cleaner))

    def link(self, url: str, name: str = "Link") -> None:
        """Add a field that links to a web address; any other text is shown as text."""
        self.field(name, url, FieldType.URL)

    def artifact(self, content: LazyContent, name: str | None = None, mime_type: str | None = None) -> None:
        """Add a file: its web address, its path, its bytes, or a function that returns one of these.

        A file without an address is passed to the hook ``pytest_automation_report_publish_artifact``. Without an
        address from it, and from the setting ``artifact_url``, the file is copied at once and the sender stores the
        copy. Without a store for it, a field names the file. TypeError for any other content.
        """
        check_content(content)
        if self._attempt is not None:
            attach(self._attempt, content, name, mime_type)

    def step(self, name: str) -> RunningStep:
        """Return a context manager for a part of the test, with a separate status; steps nest."""
        if self._attempt is None:
            return RunningStep(None, "")
        return RunningStep(self._attempt, self._attempt.collector.cleaner.string(safe_str(name)))


def field(name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's words
    """Add a field to the test that runs; see `AutomationReport.field`."""
    _here().field(name, value, type)


def link(url: str, name: str = "Link") -> None:
    """Add a field that links to a web address to the test that runs."""
    _here().link(url, name)


def artifact(content: LazyContent, name: str | None = None, mime_type: str | None = None) -> None:
    """Add a file to the test that runs; see `AutomationReport.artifact`."""
    _here().artifact(content, name, mime_type)


def step(name: str) -> RunningStep:
    """Return a context manager for a part of the test that runs, with a separate status."""
    return _here().step(name)


_SILENT: Final = AutomationReport()


def running_report(collector: AnnotationCollector | None) -> AutomationReport:
    """Return the fixture's value: bound to the running attempt, or one that does nothing if none is reported."""
    attempt = None if collector is None else current_attempt(collector)
    return _SILENT if attempt is None else AutomationReport(attempt)


def _here() -> AutomationReport:
    if not active:
        return _SILENT
    attempt = _attempt_here(active[-1])
    if attempt is None:
        active[-1].drop()
        return _SILENT
    return AutomationReport(attempt)
