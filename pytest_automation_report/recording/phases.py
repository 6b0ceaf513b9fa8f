"""Turn one report of pytest (setup, call, teardown or subtest) into status, text, message and line.

Everything is read from a report when it arrives, and nothing later: plugins that repeat tests change a report after
they have logged it (pytest-retry turns its first report into the last one).
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from pytest_automation_report.api.models import Field, FieldType, Status
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from abc import abstractmethod
    from collections.abc import Sequence
    from typing import Protocol

    from pytest_automation_report.text.redaction import TextCleaner

    class CollectionReport(Protocol):
        """The part of pytest's ``CollectReport`` that is read here."""

        @property
        @abstractmethod
        def nodeid(self) -> str:
            """Node id."""

        @property
        @abstractmethod
        def outcome(self) -> str:
            """``passed``, ``failed``, ``skipped``, or ``rerun`` and the like from plugins that repeat tests."""

        @property
        @abstractmethod
        def longrepr(self) -> object:
            """Traceback or skip reason, as an object that pytest can print."""

        @property
        @abstractmethod
        def longreprtext(self) -> str:
            """``longrepr`` as text."""

        @property
        @abstractmethod
        def sections(self) -> Sequence[tuple[str, str]]:
            """Headings and texts captured since the first attempt of the test began."""

    class Report(CollectionReport, Protocol):
        """The part of pytest's ``TestReport`` that is read here; a subtest's report has a ``context`` as well."""

        @property
        @abstractmethod
        def when(self) -> str | None:
            """Phase: ``setup``, ``call`` or ``teardown``."""

        @property
        @abstractmethod
        def user_properties(self) -> Sequence[tuple[str, object]]:
            """Names and values from ``record_property`` since the first attempt of the test began."""

        @property
        @abstractmethod
        def duration(self) -> float:
            """Seconds, measured by a clock that tests may have frozen."""


PHASES = ("setup", "call", "teardown")

Times: TypeAlias = "tuple[int, int | None, int | None]"
"""Microseconds of an attempt, of its setup and of its teardown; the last two are None if they are not known."""

# A crash message that begins with the name of an exception: ``pkg.SomeError: text`` or the name alone.
_EXCEPTION = lazy_pattern(r"((?:[^\W\d]\w*\.)*[^\W\d]\w*)(?::|\s*\Z|\s*\n)")
# pytest's own text for a test whose call passed and whose subtests failed.
_SUBTESTS_FAILED = lazy_pattern(r"contains \d+ failed subtests?\Z")
_SEVERITY: dict[Status, int] = {"passed": 0, "skipped": 1, "failure": 2, "error": 3}
# pytest reports a skip as (path, line, reason).
_SKIP_ENTRY_LENGTH = 3
# The last line that pytest prints for a failed doctest.
_DOCTEST = lazy_pattern(r"^.+:(?P<line>\d{1,9}): (?:DocTestFailure|UnexpectedException)\s*\Z", re.MULTILINE)


class Phase(Struct, frozen=True):
    """A phase that did not simply pass: texts without secrets, cut to the limits.

    ``message`` is the ``message`` attribute of pytest's JUnit XML; for a doctest it is the example that failed.
    ``type_name`` is the exception's type, empty if not known. ``is_bare`` is True if pytest's report had no text.
    ``line`` is the 1-based line of the test's own file at which it failed, None if not known.
    """

    when: str
    outcome: str
    text: str
    message: str = ""
    type_name: str = ""
    is_bare: bool = False
    line: int | None = None

    @property
    def status(self) -> Status:
        """Status of a test with this phase alone. An unknown outcome counts as failed, never as passed."""
        if self.outcome in {"passed", "skipped"}:
            return "passed" if self.outcome == "passed" else "skipped"
        return "failure" if self.when == "call" else "error"

    @property
    def is_failure(self) -> bool:
        """Whether a test with this phase has failed."""
        return self.status in {"failure", "error"}

    @property
    def only_counts_subtests(self) -> bool:
        """Whether the text only counts failed subtests, or is missing."""
        return self.is_bare or _SUBTESTS_FAILED.match(self.text) is not None

    def field(self, name: str) -> Field:
        """Return the highlighted console field that shows this phase."""
        return console_field(name, self.text, self.message, self.type_name, self.when if self.is_failure else "")


def read_phase(report: Report, cleaner: TextCleaner) -> Phase | None:
    """Read a report; return None for a phase that simply passed."""
    when, outcome = report.when or "", report.outcome
    xfail_reason = getattr(report, "wasxfail", None)
    # With another outcome a plugin has changed the report: like every unknown outcome, that is a failure.
    if xfail_reason is not None and outcome in {"passed", "skipped"}:
        message = cleaner.paragraph(str(xfail_reason).removeprefix("reason: "))
        text = message or "The test is marked xfail."
        return Phase(when, outcome, text, message, "pytest.xfail")
    if outcome == "passed":
        return None
    if outcome == "skipped":
        text, reason = skip_texts(report.longrepr, report.longreprtext)
        return Phase(when, outcome, cleaner.console(text), cleaner.paragraph(reason), "pytest.skip")
    return _failed_phase(when, report, cleaner)


def _failed_phase(when: str, report: Report, cleaner: TextCleaner) -> Phase:
    """Read the report of a failed phase; any outcome that is not known counts as one."""
    raw_text = report.longreprtext
    text = cleaner.console(raw_text)
    crash = getattr(report.longrepr, "reprcrash", None)
    # A doctest has no crash entry: its text is all there is.
    doctest = _DOCTEST.search(raw_text) if crash is None else None
    if crash is not None:
        reason = str(crash.message)
    elif doctest is not None:
        reason = _doctest_reason(raw_text[: doctest.start()])
    else:
        reason = text
    return Phase(
        when,
        report.outcome,
        text or f"pytest reported the outcome {report.outcome!r} of the {when} and no text.",
        message=cleaner.paragraph(_junit_message(when, reason)),
        type_name=exception_type(reason) if crash is not None else "",
        is_bare=not text,
        line=_failing_line(report) if doctest is None else int(doctest["line"]),
    )


def _doctest_reason(text: str) -> str:
    """Return the last example of a failed doctest and its result in one line."""
    before, prompt, example = text.rpartition(">>> ")
    statement, _, result = (example if prompt else before).partition("\n")
    first_line = result.strip().partition("\n")[0]
    # Of an exception the first line is enough; "Expected ... Got ..." needs all lines.
    is_exception = first_line.startswith("UNEXPECTED EXCEPTION")
    return f"{statement.strip()}: {first_line if is_exception else ' '.join(result.split())}"


def _failing_line(report: Report) -> int | None:
    """Return the last line of the traceback that is in the test's own file, None if there is none."""
    location: tuple[str, object, str] | None = getattr(report, "location", None)
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
    if not location:
        return None
    for entry in reversed(entries):
        file_location = getattr(entry, "reprfileloc", None)  # missing with --tb=native
        if file_location is not None and _is_same_file(str(file_location.path), location[0]):
            return int(file_location.lineno)
    return None


def _is_same_file(path: str, other: str) -> bool:
    """Whether two paths can belong to one file: one is relative to the current folder, one to pytest's root folder."""
    parts = [tuple(part for part in PurePath(name).parts if part not in {"..", "."}) for name in (path, other)]
    short, long = sorted(parts, key=len)
    return bool(short) and long[-len(short) :] == short


def console_field(name: str, text: str, message: str, type_name: str = "", phase: str = "") -> Field:
    """Return a highlighted console field; the texts must be clean already. ``phase`` is that of a failure."""
    meta = {key: value for key, value in (("message", message), ("type", type_name), ("phase", phase)) if value}
    return Field(name, text, FieldType.CONSOLE, meta, is_highlight=True)


def skip_texts(longrepr: object, fallback: str) -> tuple[str, str]:
    """Return ``path:line: reason`` and the reason of a skip; ``fallback`` for both if pytest reported it otherwise."""
    if isinstance(longrepr, tuple) and len(longrepr) == _SKIP_ENTRY_LENGTH:
        path, line, reason = longrepr
        reason = str(reason).removeprefix("Skipped: ")
        return f"{path}:{line}: {reason}", reason
    return fallback, fallback


def exception_type(message: str) -> str:
    """Return the exception type at the beginning of a crash message, empty if there is none.

    pytest leaves it out for a bare assert.
    """
    if message.startswith("assert "):
        return "AssertionError"
    match = _EXCEPTION.match(message)
    return match[1] if match else ""


def worst_status(statuses: Sequence[Status]) -> Status:
    """Return the worst of these statuses, ``passed`` if there is none."""
    return max(statuses, key=_SEVERITY.__getitem__) if statuses else "passed"


def _junit_message(when: str, reason: str) -> str:
    """Return the ``message`` attribute that pytest's JUnit XML would have for a failed phase."""
    return f'failed on {when} with "{reason}"' if when in {"setup", "teardown"} else reason
