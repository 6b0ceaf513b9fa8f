"""What one report of pytest says, taken at the moment it arrives (floor 1).

Plugins that repeat tests change a report after they have logged it (pytest-retry turns its first report into the last
one), so nothing that is needed later is left in the report.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from pytest_automation_report.api.models import Field, FieldType, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.text.redaction import TextCleaner

PHASES = ("setup", "call", "teardown")

_EXCEPTION = re.compile(r"((?:[^\W\d]\w*\.)*[^\W\d]\w*)(?::|\s*\Z|\s*\n)")
_SUBTESTS_FAILED = re.compile(r"contains \d+ failed subtests?\Z")
_SEVERITY: dict[Status, int] = {"passed": 0, "skipped": 1, "failure": 2, "error": 3}
_SKIP_ENTRY = 3
_DOCTEST = re.compile(r"^.+:(?P<line>\d+): (?:DocTestFailure|UnexpectedException)\s*\Z", re.MULTILINE)
"""The last line of what pytest prints of a doctest that failed."""


class CollectionReport(Protocol):
    """The part of pytest's ``CollectReport`` that is read here."""

    @property
    @abstractmethod
    def nodeid(self) -> str:
        """Id of the node."""

    @property
    @abstractmethod
    def outcome(self) -> str:
        """``passed``, ``failed``, ``skipped``, or a word of a plugin that repeats tests."""

    @property
    @abstractmethod
    def longrepr(self) -> object:
        """What pytest would print about a failure."""

    @property
    @abstractmethod
    def longreprtext(self) -> str:
        """The same as text."""

    @property
    @abstractmethod
    def sections(self) -> Sequence[tuple[str, str]]:
        """What was captured since the test began: headings and texts."""


class Report(CollectionReport, Protocol):
    """The part of pytest's ``TestReport`` that is read here; a subtest's report has a ``context`` as well."""

    @property
    @abstractmethod
    def when(self) -> str | None:
        """Phase of the test."""

    @property
    @abstractmethod
    def user_properties(self) -> Sequence[tuple[str, object]]:
        """What ``record_property`` was given since the test began."""

    @property
    @abstractmethod
    def duration(self) -> float:
        """Seconds, by a clock that tests may have frozen."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One report that has something to say; its texts are clean and cut.

    ``message`` is what JUnit XML has as attribute, of a doctest the example that failed; ``kind`` is the exception's
    type where it is known; ``is_bare`` tells that pytest gave no text. ``line`` is the 1-based line of the test's own
    file at which it failed, None where that is not known.
    """

    when: str
    outcome: str
    text: str
    message: str = ""
    kind: str = ""
    is_bare: bool = False
    line: int | None = None

    @property
    def status(self) -> Status:
        """The status that this phase alone would give its test; an unknown outcome is never a pass."""
        if self.outcome in {"passed", "skipped"}:
            return "passed" if self.outcome == "passed" else "skipped"
        return "failure" if self.when == "call" else "error"

    @property
    def only_counts_subtests(self) -> bool:
        """Whether this says no more of a test with failed subtests than that it has some."""
        return self.is_bare or _SUBTESTS_FAILED.match(self.text) is not None

    def field(self, name: str) -> Field:
        """Return the highlighted console field that shows this phase."""
        return console_field(name, self.text, self.message, self.kind)


def phase(report: Report, texts: TextCleaner) -> Phase | None:
    """Return what a report says, None for a plain pass."""
    when, outcome = report.when or "", report.outcome
    reason = getattr(report, "wasxfail", None)
    if reason is not None and outcome in {"passed", "skipped"}:
        message = texts.paragraph(str(reason).removeprefix("reason: "))
        text = message or "The test is marked xfail."
        return Phase(when, outcome, text, message, "pytest.xfail")
    if outcome == "passed":
        return None
    if outcome == "skipped":
        return _skipped(when, report, texts)
    told = report.longreprtext
    text = texts.console(told)
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = str(crash.message) if crash is not None else text
    is_bare = not text
    text = text or f"pytest reported the outcome {outcome!r} of the {when} and no text."
    kind = exception_type(reason) if crash is not None else ""
    doctest = _DOCTEST.search(told) if crash is None else None
    if doctest is not None:
        reason = _doctest_reason(told[: doctest.start()])
    line = _failing_line(report) if doctest is None else int(doctest["line"])
    return Phase(when, outcome, text, texts.paragraph(_junit_message(when, reason)), kind, is_bare, line)


def _doctest_reason(text: str) -> str:
    """Return the example of a doctest that failed, and what came of it, in one line."""
    before, prompt, example = text.rpartition(">>> ")
    statement, _, result = (example if prompt else before).partition("\n")
    first = result.strip().partition("\n")[0]
    # Of an exception the first line says all; what was expected and what came fills several lines.
    told = first if first.startswith("UNEXPECTED EXCEPTION") else " ".join(result.split())
    return f"{statement.strip()}: {told}"


def _failing_line(report: Report) -> int | None:
    """Return the last line of the test's own file in the traceback, None where there is none."""
    location: tuple[str, object, str] | None = getattr(report, "location", None)
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
    if not location:
        return None
    for entry in reversed(entries):
        place = getattr(entry, "reprfileloc", None)  # missing with --tb=native
        if place is not None and _is_same_file(str(place.path), location[0]):
            return int(place.lineno)
    return None


def _is_same_file(path: str, other: str) -> bool:
    """Return whether paths from the current folder and from pytest's root folder can be of one file."""
    ends = [tuple(each for each in PurePath(name).parts if each not in {"..", "."}) for name in (path, other)]
    short, long = sorted(ends, key=len)
    return bool(short) and long[-len(short) :] == short


def console_field(name: str, text: str, message: str, kind: str = "") -> Field:
    """Return a highlighted console field with its text cleaned already."""
    meta = {key: value for key, value in (("message", message), ("type", kind)) if value}
    return Field(name, text, FieldType.CONSOLE, meta, is_highlight=True)


def skip_texts(longrepr: object, fallback: str) -> tuple[str, str]:
    """Return ``path:line: reason`` and the reason of a skip."""
    if isinstance(longrepr, tuple) and len(longrepr) == _SKIP_ENTRY:
        path, line, reason = longrepr
        reason = str(reason).removeprefix("Skipped: ")
        return f"{path}:{line}: {reason}", reason
    return fallback, fallback


def exception_type(message: str) -> str:
    """Return the exception's type where a crash message begins with one; pytest leaves it out for a bare assert."""
    if message.startswith("assert "):
        return "AssertionError"
    found = _EXCEPTION.match(message)
    return found.group(1) if found else ""


def worst(statuses: Sequence[Status]) -> Status:
    """Return the status that decides a test, ``passed`` when there is none."""
    return max(statuses, key=_SEVERITY.__getitem__) if statuses else "passed"


def _skipped(when: str, report: Report, texts: TextCleaner) -> Phase:
    """Return what the report of a skipped phase says."""
    text, reason = skip_texts(report.longrepr, report.longreprtext)
    return Phase(when, "skipped", texts.console(text), texts.paragraph(reason), "pytest.skip")


def _junit_message(when: str, reason: str) -> str:
    """Return the message attribute that JUnit XML has for a failed phase."""
    return f'failed on {when} with "{reason}"' if when in {"setup", "teardown"} else reason
