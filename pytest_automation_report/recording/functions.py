"""The functions and the fixture with which tests add fields, links, artifacts and steps to their results.

Without reporting they do nothing. A value that can never be used raises with and without reporting, so that reporting
changes no verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import FieldType
from pytest_automation_report.recording.collector import Step
from pytest_automation_report.recording.fields import field_type_of, property_field, typed_field
from pytest_automation_report.recording.files import attach, check_content
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from typing import Protocol

    from pytest_automation_report.recording.collector import AnnotationCollector, AttemptAnnotations
    from pytest_automation_report.recording.fields import FieldKind
    from pytest_automation_report.recording.hooks import LazyContent

    class Target(Protocol):
        """A receiver of the functions' annotations."""

        def attempt_here(self) -> AttemptAnnotations | None:
            """Return the annotations that this thread or task adds to, None between tests."""
            ...

        def drop(self) -> None:
            """Count an annotation for which `attempt_here` returned None."""
            ...


HOOKS: Final = "automation-report-tests"
"""Name among pytest's plugins of the hooks that record the tests of a process; they have its `AnnotationCollector`."""


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

    __slots__ = ("_attempt",)

    def __init__(self, attempt: AttemptAnnotations | None = None) -> None:
        self._attempt = attempt

    def field(self, name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's word
        """Add a field.

        Without a type a web address becomes a link, several lines stay lines, any other value is one line. A type is
        ``"string"``, ``"text"``, ``"html"``, ``"console"``, ``"url"`` or a `FieldType`; ValueError for any other.
        """
        field_type = None if type is None else field_type_of(type)
        if self._attempt is not None:
            _add_field(self._attempt, name, value, field_type)

    def link(self, url: str, name: str = "Link") -> None:
        """Add a field that links to a web address; any other text is shown as text."""
        if self._attempt is not None:
            _add_field(self._attempt, name, url, FieldType.URL)

    def artifact(self, content: LazyContent, name: str | None = None, mime_type: str | None = None) -> None:
        """Add a file: its web address, its path, its bytes, or a function that returns one of these.

        A file without an address is passed to the hook ``pytest_automation_report_publish_artifact``. Without an
        address from it, and from the setting ``artifact_url``, the file is copied at once and the sender stores the
        copy. Without a store for it, a field names the file. TypeError for any other content.
        """
        check_content(content)
        if self._attempt is not None:
            attach(self._attempt, content, name, mime_type)

    def step(self, name: str) -> Step:
        """Return a context manager for a part of the test, with a separate status; steps nest."""
        if self._attempt is None:
            return Step(None, "")
        return Step(self._attempt, self._attempt.collector.cleaner.string(safe_str(name)))


def field(name: str, value: object, type: FieldType | FieldKind | None = None) -> None:  # noqa: A002 - the API's words
    """Add a field to the test that runs; see `AutomationReport.field`."""
    _here().field(name, value, type)


def link(url: str, name: str = "Link") -> None:
    """Add a field that links to a web address to the test that runs."""
    _here().link(url, name)


def artifact(content: LazyContent, name: str | None = None, mime_type: str | None = None) -> None:
    """Add a file to the test that runs; see `AutomationReport.artifact`."""
    _here().artifact(content, name, mime_type)


def step(name: str) -> Step:
    """Return a context manager for a part of the test that runs, with a separate status."""
    return _here().step(name)


_SILENT: Final = AutomationReport()


def report_of(collector: AnnotationCollector | None) -> AutomationReport:
    """Return the fixture's value: bound to the running attempt, or one that does nothing if no attempt is reported."""
    attempt = None if collector is None else collector.current_attempt()
    return _SILENT if attempt is None else AutomationReport(attempt)


def _here() -> AutomationReport:
    if not _active:
        return _SILENT
    attempt = _active[-1].attempt_here()
    if attempt is None:
        _active[-1].drop()
        return _SILENT
    return AutomationReport(attempt)


def _add_field(attempt: AttemptAnnotations, name: object, value: object, field_type: FieldType | None) -> None:
    cleaner, title, text = attempt.collector.cleaner, safe_str(name), safe_str(value)
    if field_type is None:
        attempt.add(field=property_field(title, text, cleaner))
    else:
        attempt.add(field=typed_field(title, text, field_type, cleaner))
