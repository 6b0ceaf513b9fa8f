"""Make the record of an attempt that is no plain pass: its failures, output, subtests, steps and annotations.

Most sessions have few of them, so nothing of this is loaded before the first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pytest_automation_report.api.models import FIELD_LIMIT, Artifact, Field, Status
from pytest_automation_report.recording.fields import FoundSecrets, printed_annotations, property_field
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import (
    Annotations,
    Phase,
    Subtests,
    console_field,
    context_of,
    merged,
    read_phase,
    steps_field,
    worst_status,
)
from pytest_automation_report.recording.results import colours_of, identity_of, node_id_fields, output_fields
from pytest_automation_report.recording.running import PHASES, HiddenAttempt, Leftovers, line_of, without_earlier
from pytest_automation_report.spool.records import Attempt, FinishRecord
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_automation_report.recording.comparison import Sides
    from pytest_automation_report.recording.phases import Report
    from pytest_automation_report.recording.running import RunningAttempt
    from pytest_automation_report.text.redaction import TextCleaner

_NO_CALL: Final = (
    "The test did not finish: pytest reported no outcome of its call. "
    "(A plugin that repeats tests, such as flaky, hides the outcome of an attempt that it repeats.)"
)
# The outcome that pytest-rerunfailures reports of a phase after which the test runs again.
_RERUN: Final = "rerun"


class AttemptReader:
    """Reads reports that did not simply pass, and makes the records of their attempts; owned by the recorder.

    ``has_plain_name`` returns True if folder and name certainly show a node id.
    """

    def __init__(self, options: RecordingOptions, has_plain_name: Callable[[str], bool]) -> None:
        self._options = options
        self._has_plain_name = has_plain_name
        self._cleaner = cleaner_for(options)

    def phase(self, report: Report) -> Phase | None:
        """Read the report of a phase; return None if it simply passed."""
        return read_phase(report, self._cleaner)

    def add_subtest(self, attempt: RunningAttempt, report: Report) -> bool:
        """Count a subtest and keep its output, which pytest does not add to the output of its test.

        Return False for the report of a phase.
        """
        context = context_of(report)
        if context is None:
            return False
        if "call" in attempt.phases:
            # pytest reports the subtests of a call before the call itself: these belong to the next attempt.
            self.hide_call(attempt)
        if attempt.subtests is None:
            attempt.subtests = Subtests()
        attempt.subtests.add(report, context, self._cleaner)
        if self._options.output != "none":
            sections = without_earlier(report.sections, attempt.before.sections)
            attempt.subtests.output.extend(section for section in sections if section[0].endswith(" call"))
        return True

    def hide_call(self, attempt: RunningAttempt) -> None:
        """Store the call and its subtests as a hidden attempt, since a plugin runs the call again."""
        elapsed_us = max(0, round(attempt.durations.pop("call", 0.0) * 1e6))
        sections = without_earlier(attempt.sections, attempt.before.sections)
        hidden = HiddenAttempt(attempt.phases.pop("call"), attempt.subtests, elapsed_us, sections)
        attempt.hidden = (*attempt.hidden, hidden)
        attempt.subtests = None
        attempt.before = Leftovers(attempt.sections, attempt.properties)

    def record(
        self,
        attempt: RunningAttempt,
        nodeid: str,
        *,
        number: int,
        began: int,
        moment: int,
        annotations: Sequence[Annotations | None],
        comparison: Sides | None,
    ) -> FinishRecord:
        """Return the record of an attempt; the arguments are those of `Recorder.finish`."""
        file, line = attempt.location[0] if attempt.location else "", line_of(attempt.location)
        phases = _notable_phases(attempt)
        status, is_final = _verdict(attempt, phases)
        own = annotations[-1] if annotations else None
        values = None
        # First: a comparison may show that a value is a secret.
        if comparison is not None and status != "passed":
            # Not before: most sessions have no failed comparison.
            from pytest_automation_report.recording.comparison import clean_comparison  # noqa: PLC0415

            values = clean_comparison(comparison, self._cleaner)
        fields, artifacts = self._fields(attempt, phases, nodeid, status, own)
        hidden = [self._hidden(*each) for each in _with_annotations(attempt.hidden, annotations[:-1])]
        steps = () if own is None else own.timed_steps
        failing_line = next((phase.line for phase in phases if phase.line is not None), None)
        times = attempt.times_us(moment - began)
        ended = Attempt(status, *times, fields, artifacts, steps, {}, values, failing_line)
        # What the texts of this attempt showed to be secrets is hidden in all of them; few tests have any.
        if found := self._cleaner.take_found():
            secrets = FoundSecrets(found)
            ended, hidden = secrets.of_attempt(ended), [secrets.of_attempt(each) for each in hidden]
        ended, earlier = _with_colours(ended), tuple(map(_with_colours, hidden))
        added = merged(annotations)
        key, folder = (None, None) if added is None else (added.key, added.folder)
        return FinishRecord(number, moment, nodeid, ended, began, file, line, is_final, earlier, key, folder)

    def _fields(
        self,
        attempt: RunningAttempt,
        phases: Sequence[Phase],
        nodeid: str,
        status: Status,
        annotations: Annotations | None,
    ) -> tuple[tuple[Field, ...], tuple[Artifact, ...]]:
        """Return the fields of an attempt, with those about failures first, and its artifacts."""
        subtests = attempt.subtests
        sections = without_earlier(attempt.sections, attempt.before.sections) if attempt.sections else ()
        highlights = _phase_fields(phases, subtests)
        if _is_without_call(attempt):
            highlights.append(console_field("Error", _NO_CALL, _NO_CALL))
        others = self._output_fields(sections, subtests, status)
        if not self._has_plain_name(nodeid):
            others += node_id_fields(identity_of(nodeid, prefix=self._options.prefix), self._cleaner)
        if attempt.properties:
            others += _property_fields(attempt.properties, attempt.before.properties, self._cleaner)
        # First: steps name their files by these places.
        artifacts = [] if annotations is None else [*annotations.artifacts]
        if self._options.output_annotations:
            printed = [*sections, *(subtests.output if subtests is not None else ())]
            printed_fields, printed_artifacts = printed_annotations(printed, self._cleaner)
            others += printed_fields
            artifacts += printed_artifacts
        if annotations is not None:
            others += annotations.fields
        if subtests is not None:
            # Last, since failing subtests fill the places that all other fields leave free.
            highlights += subtests.fields(FIELD_LIMIT - len(highlights) - len(others), annotations)
        elif annotations is not None and annotations.steps:
            others.insert(0, steps_field(annotations.steps, annotations.counts))
        return (*highlights, *others), tuple(artifacts)

    def _output_fields(
        self, sections: Sequence[tuple[str, str]], subtests: Subtests | None, status: Status
    ) -> list[Field]:
        """Return the console fields of an attempt's own output, in the order in which it was printed."""
        if not (sections or subtests) or not self._options.keeps_output(status):
            return []
        subtest_sections = subtests.output if subtests is not None else []
        setup = [section for section in sections if section[0].endswith(" setup")]
        later = [section for section in sections if not section[0].endswith(" setup")]
        return output_fields([*setup, *subtest_sections, *later], self._cleaner)

    def _hidden(self, hidden: HiddenAttempt, added: Annotations | None) -> Attempt:
        """Return an attempt that a plugin repeated between start and finish."""
        phases = [] if hidden.call is None else [hidden.call]
        has_failed = hidden.subtests is not None and hidden.subtests.has_failed
        status = worst_status(["failure" if has_failed else "passed", *(phase.status for phase in phases)])
        fields = _phase_fields(phases, hidden.subtests)
        if hidden.subtests is not None:
            fields += hidden.subtests.fields(FIELD_LIMIT - len(fields), added)
        elif added is not None and added.steps:
            fields.append(steps_field(added.steps, added.counts))
        fields += self._output_fields(hidden.sections, hidden.subtests, status)
        fields += added.fields if added is not None else ()
        artifacts, steps = ((), ()) if added is None else (added.artifacts, added.timed_steps)
        return Attempt(status, hidden.elapsed_us, fields=tuple(fields), artifacts=artifacts, steps=steps)


def _notable_phases(attempt: RunningAttempt) -> list[Phase]:
    """Return the phases that did not simply pass, in the order in which pytest runs them."""
    phases = [phase for phase in attempt.phases.values() if phase is not None]
    if len(phases) > 1:
        phases.sort(key=lambda phase: PHASES.index(phase.when) if phase.when in PHASES else len(PHASES))
    return phases


def _is_without_call(attempt: RunningAttempt) -> bool:
    """Return whether the call is missing although setup passed, so that the test's outcome is not known."""
    if "call" in attempt.phases or not attempt.phases.keys() <= set(PHASES):
        return False
    setup = attempt.phases.get("setup")
    return setup is None or setup.status == "passed"


def _verdict(attempt: RunningAttempt, phases: Sequence[Phase]) -> tuple[Status, bool]:
    """Return the worst status of phases and subtests, and whether this attempt is final.

    An attempt without a call is not final: flaky hides the call of an attempt that it repeats.
    """
    is_without_call = _is_without_call(attempt)
    statuses: list[Status] = [phase.status for phase in phases]
    if is_without_call:
        statuses.append("error")
    if attempt.subtests is not None and attempt.subtests.has_failed:
        statuses.append("failure")
    return worst_status(statuses), not is_without_call and all(phase.outcome != _RERUN for phase in phases)


def _with_colours(attempt: Attempt) -> Attempt:
    colours = colours_of(attempt.fields)
    return replace(attempt, colours=colours) if colours else attempt


def _with_annotations(
    hidden: Sequence[HiddenAttempt], annotations: Sequence[Annotations | None]
) -> list[tuple[HiddenAttempt, Annotations | None]]:
    """Return hidden attempts with their annotations; the last one that pytest reported gets all that remain.

    pytest-retry runs, for example, four attempts and reports the first and the last: then there is one hidden attempt,
    and it gets the annotations of the first three.
    """
    last = len(hidden) - 1
    return [
        (attempt, merged(annotations[index : index + 1] if index < last else annotations[index:]))
        for index, attempt in enumerate(hidden)
    ]


def _phase_fields(phases: Sequence[Phase], subtests: Subtests | None) -> list[Field]:
    """Return a field for each phase that did not simply pass."""
    fields: list[Field] = []
    for phase in phases:
        if phase.status == "passed":
            text = string(phase.message or "The test is marked xfail and passed.")
            fields.append(Field("Unexpected pass", text))
        elif phase.status == "skipped":
            fields.append(phase.field("Skipped"))
        elif phase.status == "failure":
            # Each failing subtest has its own field: a call that only counts them would repeat that.
            if not (phase.only_counts_subtests and subtests is not None and subtests.has_failed):
                fields.append(phase.field("Failure"))
        else:
            is_second = any(field.name == "Error" for field in fields)
            fields.append(phase.field(f"Error [{phase.when}]" if is_second else "Error"))
    return fields


def _property_fields(
    properties: Sequence[tuple[str, object]],
    earlier: Sequence[tuple[str, object]],
    cleaner: TextCleaner,
) -> list[Field]:
    """Return a field for each call of ``record_property`` in this attempt."""
    pairs = [(safe_str(name), safe_str(value)) for name, value in properties]
    own_pairs = without_earlier(pairs, [(safe_str(name), safe_str(value)) for name, value in earlier])
    return [property_field(name, value, cleaner) for name, value in own_pairs]
