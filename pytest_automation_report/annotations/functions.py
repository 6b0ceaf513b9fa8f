"""What tests call to add to their results: functions, and the same bound to one attempt as a fixture.

In a session that is not reported everything does nothing; a value that can never be used raises in both, so that
reporting changes no verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pytest_automation_report.annotations.artifacts import attach, check_content
from pytest_automation_report.annotations.collector import Step
from pytest_automation_report.api.models import FieldType
from pytest_automation_report.recording.fields import field_type_of, property_field, typed_field
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from pytest_automation_report.annotations.collector import AnnotationCollector, AttemptAnnotations
    from pytest_automation_report.annotations.hook_values import Made
    from pytest_automation_report.recording.fields import FieldKind

NOTES: Final = "automation-report-notes"
"""Name under which a reported session has its `AnnotationCollector` among pytest's plugins."""


class Target(Protocol):
    """A receiver of the functions' annotations."""

    def pad_here(self) -> AttemptAnnotations | None:
        """Return the annotations that this thread or task adds to, None between tests."""
        ...

    def drop(self) -> None:
        """Count an annotation for which `pad_here` returned None."""
        ...


# A stack: a session that runs inside a test (pytester) receives the annotations until it ends.
_active: list[Target] = []


def activate(target: Target) -> None:
    """Send the functions' annotations to this target until `deactivate`."""
    _active.append(target)


def deactivate(target: Target) -> None:
    """Send the functions' annotations to the target before this one, or nowhere."""
    if target in _active:
        _active.remove(target)


class AutomationReport:
    """Adds to one attempt of one test; the fixture ``automation_report``.

    It may be used in any thread or task of the test. In fixtures of a wider scope than one test use the functions of
    `pytest_automation_report`, which add to the test that runs.
    """

    __slots__ = ("_pad",)

    def __init__(self, pad: AttemptAnnotations | None = None) -> None:
        self._pad = pad

    def field(self, name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's word
        """Add a field.

        Without a type an address can be followed, several lines stay lines, all else is one line. A type is
        ``"string"``, ``"text"``, ``"html"``, ``"console"``, ``"url"`` or a `FieldType`; ValueError for any other.
        """
        kind = None if type is None else field_type_of(type)
        if self._pad is not None:
            _add_field(self._pad, name, value, kind)

    def link(self, url: str, name: str = "Link") -> None:
        """Add a field that leads to a web address; what is none is shown as text."""
        if self._pad is not None:
            _add_field(self._pad, name, url, FieldType.URL)

    def artifact(self, content: Made, name: str | None = None, mime_type: str | None = None) -> None:
        """Add a file by its path, as bytes, or by a function that gives either; or one that has a web address already.

        A file is offered to the hook ``pytest_automation_report_publish_artifact``; without an address from it, and
        from the setting ``artifact_url``, it is copied as it is now, and stored where there is a store for it. Else a
        field names it. TypeError for what is no address, path, bytes or function.
        """
        check_content(content)
        if self._pad is not None:
            attach(self._pad, content, name, mime_type)

    def step(self, name: str) -> Step:
        """Return a context manager for a part of the test, with a status of its own; steps nest."""
        return Step(self._pad, "" if self._pad is None else _text(self._pad, name))


def field(name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's words
    """Add a field to the test that runs; see `AutomationReport.field`."""
    _here().field(name, value, type)


def link(url: str, name: str = "Link") -> None:
    """Add a field that leads to a web address to the test that runs."""
    _here().link(url, name)


def artifact(content: Made, name: str | None = None, mime_type: str | None = None) -> None:
    """Add a file to the test that runs; see `AutomationReport.artifact`."""
    _here().artifact(content, name, mime_type)


def step(name: str) -> Step:
    """Return a context manager for a part of the test that runs, with a status of its own."""
    return _here().step(name)


_SILENT: Final = AutomationReport()


def report_of(notes: AnnotationCollector | None) -> AutomationReport:
    """Return what adds to the attempt that runs in a session, or to nothing when it is not reported."""
    pad = None if notes is None else notes.pad()
    return _SILENT if pad is None else AutomationReport(pad)


def _here() -> AutomationReport:
    if not _active:
        return _SILENT
    pad = _active[-1].pad_here()
    if pad is None:
        _active[-1].drop()
        return _SILENT
    return AutomationReport(pad)


def _text(pad: AttemptAnnotations, name: object) -> str:
    return pad.notes.cleaner.string(safe_str(name))


def _add_field(pad: AttemptAnnotations, name: object, value: object, kind: FieldType | None) -> None:
    cleaner, title, text = pad.notes.cleaner, safe_str(name), safe_str(value)
    made = property_field(title, text, cleaner) if kind is None else typed_field(title, text, kind, cleaner)
    pad.add(field=made)
