"""Results that no run of a test's own phases gives (floor 1): collection errors, skipped modules, tests cut short."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.api.limits import fit_to_limits
from pytest_automation_report.api.models import Field, FieldType, Status, Test
from pytest_automation_report.recording.identity import TestIdentity, identity
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import console_field, exception_type, skip_texts
from pytest_automation_report.text.limits import string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.recording.phases import CollectionReport
    from pytest_automation_report.text.redaction import TextCleaner

Location: TypeAlias = "tuple[str, int | None, str] | None"
"""Where pytest says a test is: path, line (0-based), its name there."""

Unfinished: TypeAlias = Literal["crashed", "died", "interrupted"]
"""How a test was cut short."""

UNTESTED = "untested"
"""Status of a test that was not run."""

_RAISED = re.compile(r"^E   (\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One attempt of one test and what came of it.

    ``test`` can stand as the result of its test. ``is_final`` is False when another attempt is to be expected; the
    test is then the result only if none comes. ``number`` counts the attempts from 1. ``line`` is the line of the
    test's file at which it failed, None where that is not known.
    """

    identity: TestIdentity
    test: Test
    is_final: bool
    status: Status
    number: int = 1
    line: int | None = None


def collection_test(report: CollectionReport, rules: RecordingOptions) -> AttemptResult | None:
    """Return the result that stands for a module (or other node) that could not be collected, None if it could."""
    if report.outcome == "passed":
        return None
    ident = identity(report.nodeid, prefix=rules.prefix)
    if "::" not in report.nodeid:
        module = identity(report.nodeid).name
        folder = string(f"{rules.prefix}.{module}") if rules.prefix else module
        ident = replace(ident, folder=folder)
    cleaner = cleaner_for(rules)
    status: Status = "skipped" if report.outcome == "skipped" else "error"
    told = _skipped_collection(report, cleaner) if status == "skipped" else _failed_collection(report, cleaner)
    fields = [told, *(output_fields(report.sections, cleaner) if rules.keeps_output(status) else ())]
    path = string(report.nodeid.partition("::")[0]) or None
    test = Test(ident.key, ident.name, ident.folder, rules.alias(status), file=path, fields=tuple(fields))
    return AttemptResult(ident, fit_to_limits(test), is_final=True, status=status)


def unfinished_test(
    nodeid: str,
    location: Location,
    rules: RecordingOptions,
    *,
    kind: Unfinished,
    detail: str,
    observed: int | None,
    worker: str,
) -> AttemptResult:
    """Return the error that stands for a test that was running when its process ended.

    ``nodeid`` has no ``@group`` of pytest-xdist, ``detail`` is what is known besides (a crash report, printed output),
    ``observed`` the microseconds since it began.
    """
    ident = identity(nodeid, prefix=rules.prefix)
    cleaner = cleaner_for(rules)
    sentence = _sentence(kind, worker)
    told = console_field("Error", cleaner.console(sentence, "\n\n" if detail else "", detail), sentence)
    fields = (told, *node_id_fields(ident, cleaner))
    file, line = place(location)
    elapsed = None if observed is None else max(0, observed)
    test = Test(ident.key, ident.name, ident.folder, rules.alias("error"), elapsed, file, line, fields)
    return AttemptResult(ident, fit_to_limits(test), is_final=True, status="error")


def passed_test(nodeid: str, location: Location, rules: RecordingOptions, elapsed: int) -> tuple[TestIdentity, Test]:
    """Return the result of a test that passed and has nothing else to say, with whose it is.

    Of a node id that is shown otherwise nothing is told: by then the secrets that it may hold are not known any more.
    """
    ident = identity(nodeid, prefix=rules.prefix)
    file, line = place(location)
    return ident, Test(ident.key, ident.name, ident.folder, rules.alias("passed"), elapsed, file, line)


def not_run_test(nodeid: str, rules: RecordingOptions) -> Test:
    """Return the result that stands for a test that was collected and never begun."""
    ident = identity(nodeid, prefix=rules.prefix)
    path = string(nodeid.partition("::")[0]) or None
    why = Field("Not run", "The session ended before it came to this test.")
    fields = (why, *node_id_fields(ident, cleaner_for(rules)))
    return fit_to_limits(Test(ident.key, ident.name, ident.folder, UNTESTED, file=path, fields=fields))


def place(location: Location) -> tuple[str | None, int | None]:
    """Return the path and the 1-based line of a location, None for what it does not tell."""
    if location is None:
        return None, None
    path, line, _ = location
    return string(path) or None, None if line is None or line < 0 else line + 1


def output_fields(sections: Iterable[tuple[str, str]], cleaner: TextCleaner) -> list[Field]:
    """Return the console fields of what was captured, one a stream, phases in their order."""
    fields: list[Field] = []
    entries = list(sections)
    for name, heading, between in (
        ("Output", "Captured stdout", ""),
        ("Errors", "Captured stderr", ""),
        ("Log", "Captured log", "\n"),
    ):
        parts: list[str] = []
        for title, content in entries:
            if content and title.startswith(heading):
                parts.extend((between, content) if parts and between else (content,))
        if parts:
            fields.append(Field(name, cleaner.console(*parts), FieldType.CONSOLE))
    return fields


def node_id_fields(ident: TestIdentity, cleaner: TextCleaner) -> tuple[Field, ...]:
    """Return the field with pytest's own spelling of a node id, where folder and name no longer show it."""
    return (Field("Node id", cleaner.string(ident.raw)),) if ident.is_respelled else ()


def _sentence(kind: Unfinished, worker: str) -> str:
    """Return what happened to a test that was cut short."""
    if kind == "crashed":
        return f"The worker {string(worker)} crashed while it ran this test (os._exit, a signal or a lost machine)."
    if kind == "died":
        return "The process that ran this test died before it finished (os._exit, a signal or a lost machine)."
    return "This test was interrupted (Ctrl-C, pytest.exit or -x) before it finished."


def _failed_collection(report: CollectionReport, cleaner: TextCleaner) -> Field:
    """Return the field that tells why a node could not be collected."""
    text = report.longreprtext or "pytest could not collect this and gave no text."
    raised = _RAISED.findall(text)
    message = raised[-1] if raised else "collection failure"
    kind = exception_type(message) if raised else ""
    return console_field("Error", cleaner.console(text), cleaner.paragraph(message), kind)


def _skipped_collection(report: CollectionReport, cleaner: TextCleaner) -> Field:
    """Return the field that tells why a module was skipped."""
    text, reason = skip_texts(report.longrepr, report.longreprtext)
    return console_field("Skipped", cleaner.console(text), cleaner.paragraph(reason), "pytest.skip")
