"""Turn one report of pytest (setup, call, teardown, subtest or collection) into status, texts, message and line.

Reports are read when they arrive: pytest-retry turns its first report into the last one later.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    FIELD_LIMIT,
    STEP_LIMIT,
    Cause,
    CauseKind,
    Field,
    OutputName,
    Status,
    Step,
    first_cause,
)
from pytest_automation_report.errors import group_members
from pytest_automation_report.guards import safe_str
from pytest_automation_report.recording.options import FAILED, RecordingOptions, cleaner_for
from pytest_automation_report.spool.records import (
    Attempt,
    Colours,
    FailedTest,
    FinishRecord,
    Subtests,
    identify,
    one_based,
)
from pytest_automation_report.text.limits import cut_end, string, utf16_length
from pytest_automation_report.text.visible import ColouredText, Span
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from pytest_automation_report.api.models import Artifact, SharedFixture, StepStatus
    from pytest_automation_report.spool.records import TestIdentity
    from pytest_automation_report.text.redaction import TextCleaner


# A crash message that begins with the name of an exception: ``pkg.SomeError: text`` or the name alone.
_EXCEPTION = lazy_pattern(r"((?:[^\W\d]\w*\.)*[^\W\d]\w*)(?::|\s*\Z|\s*\n)")
# pytest's own text for a test whose call passed and whose subtests failed.
_SUBTESTS_FAILED = lazy_pattern(r"contains \d+ failed subtests?\Z")
_SEVERITY: dict[Status, int] = {"passed": 0, "skipped": 1, "failure": 2, "error": 3}
# A line of pytest's traceback that shows an exception.
_RAISED = lazy_pattern(r"^E   (\S.*)$", re.MULTILINE)
# The last line that pytest prints for a failed doctest.
_DOCTEST = lazy_pattern(r"^.+:(?P<line>\d{1,9}): (?:DocTestFailure|UnexpectedException)\s*\Z", re.MULTILINE)


class Phase(Struct, frozen=True):
    """A phase that did not simply pass: texts without secrets, cut to the limits.

    ``message`` is as in pytest's JUnit XML, or the example of a doctest that failed. ``type_name`` is the exception's
    type. ``is_bare`` is True if pytest's report had no text. ``line`` is the 1-based line of the test's own file.
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
        known: Mapping[str, Status] = {"passed": "passed", "skipped": "skipped"}
        return known.get(self.outcome, "failure" if self.when == "call" else "error")

    @property
    def only_counts_subtests(self) -> bool:
        """Whether the text only counts failed subtests, or is missing."""
        return self.is_bare or _SUBTESTS_FAILED.match(self.text) is not None

    def cause(self, kind: CauseKind, name: str, subtest: str | None = None) -> Cause:
        """Return the cause that this phase is."""
        phase = self.when if self.status in FAILED else ""
        return Cause(kind, name, self.text, self.message, self.type_name, phase, subtest)


def read_phase(report: pytest.TestReport | pytest.CollectReport, cleaner: TextCleaner) -> Phase | None:
    """Read a report; return None for a phase that simply passed."""
    when, outcome = str(report.when), report.outcome
    xfail_reason = getattr(report, "wasxfail", None)
    # With another outcome a plugin has changed the report: like every unknown outcome, that is a failure.
    if xfail_reason is not None and outcome in {"passed", "skipped"}:
        message = cleaner.paragraph(str(xfail_reason).removeprefix("reason: "))
        text = message or "The test is marked xfail."
        return Phase(when, outcome, text, message, "pytest.xfail")
    if outcome == "passed":
        return None
    if outcome == "skipped":
        text = reason = report.longreprtext
        if isinstance(report.longrepr, tuple) and len(report.longrepr) == 3:  # noqa: PLR2004 - path, line, reason
            path, line, reason = report.longrepr
            reason = str(reason).removeprefix("Skipped: ")
            text = f"{path}:{line}: {reason}"
        return Phase(when, outcome, cleaner.console(text), cleaner.paragraph(reason), "pytest.skip")
    return _failed_phase(when, report, cleaner)


def _failed_phase(when: str, report: pytest.TestReport | pytest.CollectReport, cleaner: TextCleaner) -> Phase:
    raw_text = report.longreprtext
    text = cleaner.console(raw_text)
    crash = getattr(report.longrepr, "reprcrash", None)
    # A doctest, and a module that cannot be imported, have no crash entry: the text is all there is.
    doctest = _DOCTEST.search(raw_text) if crash is None else None
    raised = _RAISED.findall(raw_text) if crash is None and when == "collect" else []
    if crash is not None:
        reason = str(crash.message)
    elif doctest is not None:
        reason = _doctest_reason(raw_text[: doctest.start()])
    else:
        # The last one: pytest shows a chain of exceptions in the order in which they were raised.
        reason = raised[-1] if raised else text
    return Phase(
        when,
        report.outcome,
        text or f"pytest reported the outcome {report.outcome!r} of the {when} and no text.",
        # As the attribute in pytest's JUnit XML.
        message=cleaner.paragraph(f'failed on {when} with "{reason}"' if when in {"setup", "teardown"} else reason),
        type_name=exception_type(reason) if crash is not None or raised else "",
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


def _failing_line(report: pytest.TestReport | pytest.CollectReport) -> int | None:
    """Return the last line of the traceback that is in the test's own file; None if no line is."""
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
    if path == other:  # as nearly always; to take paths apart takes as long as to clean a message
        return bool(path)
    parts = [tuple(part for part in PurePath(name).parts if part not in {"..", "."}) for name in (path, other)]
    short, long = sorted(parts, key=len)
    return bool(short) and long[-len(short) :] == short


def collection_record(report: pytest.CollectReport, options: RecordingOptions) -> FinishRecord:
    """Return the result of a node that pytest could not collect, or skipped, without number and moment."""
    folder = None
    if "::" not in report.nodeid:
        # pytest's XML writes a module's name as the class, too, so the result stands in a folder of that name.
        module = identify(report.nodeid).name
        folder = string(f"{options.prefix}.{module}") if options.prefix else module
    cleaner = cleaner_for(options)
    status: Literal["skipped", "error"] = "skipped" if report.outcome == "skipped" else "error"
    phase = read_phase(report, cleaner)
    assert phase is not None  # it did not pass
    name = "Skipped" if status == "skipped" else "Error"
    cause = Cause(status, name, phase.text, phase.message, phase.type_name)
    output = captured(report.sections, cleaner) if keeps_output(options, status) else {}
    attempt = Attempt(status, causes=(cause,), output=output)
    attempt = replace(attempt, colours=merge_colours(attempt))
    return FinishRecord(0, 0, report.nodeid, attempt, file=report.nodeid.partition("::")[0], folder=folder)


def merge_colours(attempt: Attempt) -> Colours:
    """Return the coloured parts of an attempt's texts by name: where several share a name, the first one counts."""
    colours: dict[str, Sequence[Span]] = {}
    for name, text in attempt.texts():
        # Nearly all values have no colours: this loop is all that they cost.
        if type(text) is ColouredText:
            colours.setdefault(name, text.spans)
        elif colours:
            colours.setdefault(name, ())
    return {name: tuple(spans) for name, spans in colours.items() if spans}


def keeps_output(options: RecordingOptions, status: Status) -> bool:
    """Whether the captured output of a test with this status is recorded."""
    return options.output == "all" or (options.output == "failed" and status in FAILED)


def captured(sections: Iterable[tuple[str, str]], cleaner: TextCleaner) -> dict[OutputName, str]:
    """Return the captured streams, each with the phases in their order."""
    output: dict[OutputName, str] = {}
    sections = list(sections)
    for name, heading in _HEADINGS.items():
        parts = [content for title, content in sections if content and title.startswith(heading)]
        if name == "Log":
            # pytest strips log texts; printed ones end as the test printed them.
            parts = ["\n".join(parts)] if parts else []
        if parts:
            output[name] = cleaner.console(*parts)
    return output


def node_id_fields(identity: TestIdentity, cleaner: TextCleaner) -> tuple[Field, ...]:
    """Return a field with pytest's node id, nothing if folder and name show it unchanged."""
    return (Field("Node id", cleaner.string(identity.raw)),) if identity.is_respelled else ()


_HEADINGS: Final[Mapping[OutputName, str]] = {
    "Output": "Captured stdout", "Errors": "Captured stderr", "Log": "Captured log",
}  # fmt: skip
_MAX_ERRORS = 100


def gather_notes(error: BaseException) -> list[str]:
    """Return the notes of an exception, of its causes, and of the members of groups."""
    notes: list[str] = []
    seen: set[int] = set()
    errors: list[object] = [error]
    while errors and len(seen) < _MAX_ERRORS:
        each = errors.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            own: object = getattr(each, "__notes__", ())  # it may have anything: a test can write it
            notes += [note for note in own if isinstance(note, str)] if isinstance(own, list) else []
            errors += [each.__cause__ or (None if each.__suppress_context__ else each.__context__)]
            errors += group_members(each)
    return notes


def exception_type(message: str) -> str:
    """Return the exception type at the beginning of a crash message, empty without one."""
    if message.startswith("assert "):  # pytest leaves the type out
        return "AssertionError"
    match = _EXCEPTION.match(message)
    return match[1] if match else ""


def worst_status(statuses: Sequence[Status]) -> Status:
    """Return the worst of these statuses, ``passed`` if the list is empty."""
    return max(statuses, key=_SEVERITY.__getitem__) if statuses else "passed"


KNOWN_MARK: Final = "automation_report_known"
"""Attribute of the report of a failed test that a file names as known.

A dict with ``until`` (as 2026-12-31), ``reason``, and in ``again`` a line for a failure that counts again, else "". If
not the test is known but a fixture that tests share, ``fixture`` has its name.
"""


def is_subtest(report: pytest.TestReport) -> bool:
    """Whether a report is a subtest's: in pytest 9 and in pytest-subtests it has a context with arguments."""
    context = getattr(report, "context", None)
    return hasattr(context, "kwargs") and hasattr(context, "msg")


class SubtestCounter:
    """Count the subtests of one attempt and collect their failures; owned by the recorder."""

    def __init__(self) -> None:
        # Captured output: headings and texts, in their order.
        self.output: list[tuple[str, str]] = []
        self.causes: list[Cause] = []
        self._counts: Counter[StepStatus] = Counter()
        self._steps: list[Step] = []

    @property
    def has_failed(self) -> bool:
        """Whether any subtest failed."""
        return self._counts["failed"] > 0

    def add(self, report: pytest.TestReport, cleaner: TextCleaner) -> None:
        """Count one subtest, and store its texts while there is room for them."""
        # An unknown outcome counts as failed, never as passed.
        status: StepStatus = report.outcome if report.outcome in {"passed", "skipped"} else "failed"
        # Message and arguments distinguish a subtest from the others.
        context = report.context
        arguments = ", ".join(f"{name}={safe_str(value)}" for name, value in context.kwargs.items())
        description = arguments or "<subtest>"
        if context.msg is not None:
            message = safe_str(context.msg)
            description = f"{message} ({arguments})" if arguments else message
        description = cleaner.string(description)
        self._counts[status] += 1
        if len(self._steps) < STEP_LIMIT:
            self._steps.append(Step(description, status))
        if status == "failed" and len(self.causes) < FIELD_LIMIT:
            failure = read_phase(report, cleaner)
            if failure is not None:
                self.causes.append(failure.cause("failure", string(f"Failure [{description}]"), description))

    def counted(self) -> Subtests:
        """Return the counts, and the first subtests."""
        return Subtests(dict(self._counts), tuple(self._steps))


class Annotations(Struct, frozen=True):
    """Fields, artifacts and steps of one attempt; ``more_steps`` counts the steps that ``steps`` lacks.

    ``key`` and ``folder`` replace the result's own unless they are None.
    """

    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[Step, ...] = ()
    more_steps: Mapping[StepStatus, int] = field(default_factory=dict)
    key: str | None = None
    folder: str | None = None


def merged(parts: Iterable[Annotations | None]) -> Annotations | None:
    """Merge several annotations into one, None without any; the last key and the last folder win."""
    present = [part for part in parts if part is not None]
    if len(present) < 2:  # noqa: PLR2004 - nothing to merge
        return present[0] if present else None
    more: Counter[StepStatus] = Counter()
    whole = Annotations()
    for part in present:
        more.update(part.more_steps)
        count = len(whole.artifacts)
        whole = Annotations(
            whole.fields + part.fields,
            whole.artifacts + part.artifacts,
            whole.steps + moved(part.steps, dict(enumerate(range(count, count + len(part.artifacts))))),
            more,
            whole.key if part.key is None else part.key,
            whole.folder if part.folder is None else part.folder,
        )
    return whole


def moved(steps: Iterable[Step], places: Mapping[int, int]) -> tuple[Step, ...]:
    """Return steps whose files have new places; those that are gone are left out."""
    return tuple(
        replace(
            step, files=tuple(places[place] for place in step.files if place in places), steps=moved(step.steps, places)
        )
        for step in steps
    )


SHOWN: Final = 50
"""Most failures of one process that are stored."""

# Of the record with all failures; about the length of one long result.
_MAX_BYTES: Final = 20_000
_TEXT_UNITS: Final = 240


class FirstFailures:
    """The first failures of one process, in their order; owned by its runtest hooks."""

    __slots__ = ("_remaining_bytes", "kept")

    def __init__(self) -> None:
        self.kept: list[FailedTest] = []
        self._remaining_bytes = _MAX_BYTES

    def add(self, record: FinishRecord, prefix: str) -> None:
        """Store the failure of an attempt, whose texts are clean, while there is room; ``prefix`` is of its folder."""
        if len(self.kept) == SHOWN or self._remaining_bytes <= 0:
            return
        attempt, identity = record.attempt, identify(record.nodeid, prefix=prefix)
        failure = first_cause(attempt.causes)
        message = "" if failure is None else failure.message or failure.text
        line = one_based(record.line) if attempt.line is None else attempt.line
        place = record.folder or identity.folder, record.name or identity.name, string(record.file)
        if (fixture := _failed_fixture(attempt)) is not None:
            place, line = (fixture.folder, fixture.name, fixture.file), fixture.line
            if any((each.folder, each.name) == place[:2] for each in self.kept):
                return  # tests that its setup kept from running
        whole = (*place[:2], message.strip().partition("\n")[0], place[2])
        texts = [cut_end(text, _TEXT_UNITS) for text in whole]
        # The longest that ASCII JSON can be: two bytes for a quote or a backslash, six for a unit as \uXXXX.
        self._remaining_bytes -= sum(len(text) * 2 if text.isascii() else utf16_length(text) * 6 for text in texts)
        folder, name, message, file = texts
        is_known = _is_excused(attempt)
        self.kept.append(FailedTest(attempt.status, folder, name, message, file, line, is_known))


def _failed_fixture(attempt: Attempt) -> SharedFixture | None:
    """Return the fixture that tests share by whose failure alone an attempt failed; None if the test failed itself."""
    failed = [cause for cause in attempt.causes if cause.phase]
    if not failed or any(cause.is_own or not cause.fixtures for cause in failed):
        return None
    return failed[0].fixtures[0]


def _is_excused(attempt: Attempt) -> bool:
    """Whether the failures of an attempt are known: its own, and those of fixtures that it shares."""
    failed = [cause for cause in attempt.causes if cause.phase]
    shared = [fixture.known for cause in failed for fixture in cause.fixtures]
    own = [attempt.known] if not shared or any(cause.is_own or not cause.fixtures for cause in failed) else []
    return all(known is not None and not known.is_past for known in (*own, *shared))
