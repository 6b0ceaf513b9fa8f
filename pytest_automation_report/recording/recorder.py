"""Turn pytest's reports of one attempt into its record.

Nothing above this folder knows pytest's phases. The caller passes all times, so that a test that patches the clock
cannot change a result.

Plugins repeat tests in two ways, and the sender makes one result of all attempts:

- pytest-rerunfailures and flaky log a start and a finish for each attempt: each has its record.
- pytest-retry logs one start and one finish for all attempts. `RunningAttempt` then gets a second report of the call,
  and keeps the first one as a `HiddenAttempt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.api.models import FIELD_LIMIT, Artifact, Field, Status
from pytest_automation_report.recording.fields import FoundSecrets, printed_annotations, property_field
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import PHASES, Phase, Times, console_field, read_phase, worst_status
from pytest_automation_report.recording.results import (
    Location,
    colours_of,
    identity_of,
    line_of,
    node_id_fields,
    output_fields,
)
from pytest_automation_report.recording.steps import Annotations, Subtests, context_of, merged, steps_field
from pytest_automation_report.spool.records import Attempt, FinishRecord
from pytest_automation_report.text.limits import STRING_UNITS, string
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.recording.comparison import Sides
    from pytest_automation_report.recording.phases import Report
    from pytest_automation_report.recording.steps import Context
    from pytest_automation_report.text.redaction import TextCleaner


_NO_CALL = (
    "The test did not finish: pytest reported no outcome of its call. "
    "(A plugin that repeats tests, such as flaky, hides the outcome of an attempt that it repeats.)"
)


class Recorder:
    """Build the record of each attempt from pytest's reports; owned by the process that runs the tests.

    ``groups`` maps node ids to which pytest-xdist added a ``@group`` to those without; its owner may go on filling it.
    Raises ``re.error`` for a redaction that is not a regular expression.
    """

    def __init__(self, options: RecordingOptions, groups: Mapping[str, str] | None = None) -> None:
        self._options = options
        self._groups = {} if groups is None else groups
        self._cleaner = cleaner_for(options)
        self._open: dict[str, RunningAttempt] = {}
        # What attempts that are not final left, until the next start of the same test.
        self._before: dict[str, Leftovers] = {}
        self._needs_output = options.keeps_output("passed") or options.output_annotations
        # A prefix that must be respelled makes each folder differ from its node id: 0 then excludes all node ids.
        is_plain_prefix = options.prefix.isascii() and options.prefix.isprintable()
        self._max_plain_length = STRING_UNITS - len(options.prefix) if is_plain_prefix else 0

    def start(self, nodeid: str, location: Location) -> None:
        """Begin an attempt of a test."""
        self._open[nodeid] = RunningAttempt(self._before.pop(nodeid, NOTHING_LEFT), location)

    def add(self, report: Report) -> None:
        """Add the report of a phase or of a subtest to its attempt."""
        nodeid = report.nodeid
        attempt = self._open.get(nodeid)
        if attempt is None:
            self.start(nodeid, getattr(report, "location", None))
            attempt = self._open[nodeid]
        # Asked here, as below: three reports of each test have neither a context nor anything to read.
        if getattr(report, "context", None) is not None and (context := context_of(report)) is not None:
            self._add_subtest(attempt, report, context)
            return
        when = report.when or ""
        if when == "call" and "call" in attempt.phases:
            attempt.hide_call()
        is_plain = report.outcome == "passed" and getattr(report, "wasxfail", None) is None
        attempt.phases[when] = None if is_plain else read_phase(report, self._cleaner)
        attempt.durations[when] = report.duration
        attempt.sections = report.sections
        attempt.properties = report.user_properties

    def finish(
        self,
        nodeid: str,
        *,
        number: int,
        began: int,
        moment: int,
        annotations: Sequence[Annotations | None] = (),
        comparison: Sides | None = None,
    ) -> FinishRecord | None:
        """End an attempt and return its record, None if it was never started.

        ``number`` is that of its START, and ``began`` and ``moment`` are its times. ``annotations`` are the user's: the
        last entry belongs to this attempt, those before it to the hidden attempts within the same start and finish.
        ``comparison`` is the one that failed the attempt.
        """
        attempt = self._open.pop(nodeid, None)
        if attempt is None:
            return None
        nodeid_of_item, nodeid = nodeid, self._groups.get(nodeid, nodeid)
        file, line = attempt.location[0] if attempt.location else "", line_of(attempt.location)
        times = attempt.times_us(moment - began)
        if not annotations and self._is_plain_pass(attempt, nodeid):
            return FinishRecord(number, moment, nodeid, Attempt("passed", *times), began, file, line)
        phases = attempt.notable_phases()
        status, is_final = attempt.verdict(phases)
        if not is_final:
            self._before[nodeid_of_item] = Leftovers(attempt.sections, attempt.properties)
        own = annotations[-1] if annotations else None
        # First: a comparison may show that a value is a secret.
        values = self._clean(comparison) if comparison is not None and status != "passed" else None
        fields, artifacts = self._fields(attempt, phases, nodeid, status, own)
        hidden = [self._hidden(*each) for each in _with_annotations(attempt.hidden, annotations[:-1])]
        hide = self._hiding()
        failing_line = next((phase.line for phase in phases if phase.line is not None), None)
        ended = hide(
            Attempt(status, *times, fields, artifacts, () if own is None else own.timed_steps, {}, values, failing_line)
        )
        added = merged(annotations)
        key, folder = (None, None) if added is None else (added.key, added.folder)
        return FinishRecord(
            number, moment, nodeid, ended, began, file, line, is_final, tuple(map(hide, hidden)), key, folder
        )

    def _is_plain_pass(self, attempt: RunningAttempt, nodeid: str) -> bool:
        """Whether an attempt passed and has nothing else to report, as most do: that costs a third of the others."""
        return (
            attempt.phases == ALL_PASSED
            and attempt.before is NOTHING_LEFT
            and attempt.subtests is None
            and not attempt.hidden
            and not attempt.properties
            and not (attempt.sections and self._needs_output)
            and self._is_plain(nodeid)
        )

    def _is_plain(self, nodeid: str) -> bool:
        """Whether folder and name certainly show this node id unchanged.

        The check is cheap and may be False for a node id that is shown unchanged: `_fields` finds that out.
        """
        return (
            0 < len(nodeid) < self._max_plain_length
            and nodeid.isascii()
            and nodeid.isprintable()
            and not nodeid.endswith("::")
        )

    def _hiding(self) -> Callable[[Attempt], Attempt]:
        """Return the function that hides what the texts of this attempt showed to be secrets, in few tests any."""
        found = self._cleaner.take_found()
        if not found:
            return _with_colours
        secrets = FoundSecrets(found)

        def hide(attempt: Attempt) -> Attempt:
            return _with_colours(
                replace(
                    attempt,
                    fields=secrets.of_fields(attempt.fields),
                    artifacts=secrets.of_artifacts(attempt.artifacts),
                    steps=secrets.of_steps(attempt.steps),
                    comparison=secrets.of_value(attempt.comparison),
                )
            )

        return hide

    def _clean(self, comparison: Sides) -> Json | None:
        # Not before: most sessions have no failed comparison.
        from pytest_automation_report.recording.comparison import clean_comparison  # noqa: PLC0415

        return clean_comparison(comparison, self._cleaner)

    def _add_subtest(self, attempt: RunningAttempt, report: Report, context: Context) -> None:
        """Count a subtest and keep its output, which pytest does not add to the output of its test."""
        if "call" in attempt.phases:
            # pytest reports the subtests of a call before the call itself: these belong to the next attempt.
            attempt.hide_call()
        if attempt.subtests is None:
            attempt.subtests = Subtests()
        attempt.subtests.add(report, context, self._cleaner)
        if self._options.output != "none":
            sections = without_earlier(report.sections, attempt.before.sections)
            attempt.subtests.output.extend(section for section in sections if section[0].endswith(" call"))

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
        highlights = _phase_fields(phases, subtests)
        if attempt.is_without_call():
            highlights.append(console_field("Error", _NO_CALL, _NO_CALL))
        others: list[Field] = []
        artifacts: list[Artifact] = []
        if attempt.sections or subtests is not None:
            sections = without_earlier(attempt.sections, attempt.before.sections)
            others += self._output_fields(sections, subtests, status)
        if not self._is_plain(nodeid):
            others += node_id_fields(identity_of(nodeid, prefix=self._options.prefix), self._cleaner)
        if attempt.properties:
            others += _property_fields(attempt.properties, attempt.before.properties, self._cleaner)
        if annotations is not None:
            # First: steps name their files by these places.
            artifacts += annotations.artifacts
        if self._options.output_annotations:
            printed_fields, printed_artifacts = self._printed_annotations(attempt)
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

    def _printed_annotations(self, attempt: RunningAttempt) -> tuple[list[Field], list[Artifact]]:
        """Return the fields and artifacts that a test printed as ``[[PROPERTY|...]]`` and ``[[ATTACHMENT|...]]``."""
        sections = without_earlier(attempt.sections, attempt.before.sections)
        subtest_sections = attempt.subtests.output if attempt.subtests is not None else []
        return printed_annotations([*sections, *subtest_sections], self._cleaner)

    def _output_fields(
        self, sections: Sequence[tuple[str, str]], subtests: Subtests | None, status: Status
    ) -> list[Field]:
        """Return the console fields of an attempt's own output, in the order in which it was printed."""
        if not self._options.keeps_output(status):
            return []
        subtest_sections = subtests.output if subtests is not None else []
        setup = [section for section in sections if section[0].endswith(" setup")]
        later = [section for section in sections if not section[0].endswith(" setup")]
        return output_fields([*setup, *subtest_sections, *later], self._cleaner)

    def _hidden(self, hidden: HiddenAttempt, added: Annotations | None) -> Attempt:
        """Return an attempt that a plugin repeated between start and finish."""
        fields = _phase_fields(hidden.notable_phases(), hidden.subtests)
        if hidden.subtests is not None:
            fields += hidden.subtests.fields(FIELD_LIMIT - len(fields), added)
        elif added is not None and added.steps:
            fields.append(steps_field(added.steps, added.counts))
        fields += self._output_fields(hidden.sections, hidden.subtests, hidden.status())
        fields += added.fields if added is not None else ()
        artifacts, steps = ((), ()) if added is None else (added.artifacts, added.timed_steps)
        return Attempt(hidden.status(), hidden.elapsed_us, fields=tuple(fields), artifacts=artifacts, steps=steps)


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


_Entry = TypeVar("_Entry")

# The outcome that pytest-rerunfailures reports of a phase after which the test runs again.
_RERUN: Final = "rerun"


class Leftovers(Struct, frozen=True):
    """What the attempts of a test before this one left in pytest's item: it keeps one for all of them."""

    sections: Sequence[tuple[str, str]] = ()
    properties: Sequence[tuple[str, object]] = ()


class HiddenAttempt(Struct, frozen=True):
    """One attempt that a plugin repeated between pytest's start and finish of a test: its call and its subtests.

    ``call`` is None for a call that passed. ``elapsed_us`` is the time of the call by pytest's clock, in microseconds.
    ``sections`` are the headings and texts that were captured in it.
    """

    call: Phase | None
    subtests: Subtests | None
    elapsed_us: int
    sections: Sequence[tuple[str, str]] = ()

    def notable_phases(self) -> list[Phase]:
        """Return the phases that did not simply pass."""
        return [] if self.call is None else [self.call]

    def status(self) -> Status:
        """Return the worst status of the call and of the subtests."""
        has_failed = self.subtests is not None and self.subtests.has_failed
        return worst_status(["failure" if has_failed else "passed", *(phase.status for phase in self.notable_phases())])


NOTHING_LEFT: Final = Leftovers()
ALL_PASSED: Final[Mapping[str, None]] = dict.fromkeys(PHASES)
"""The phases of an attempt that passed without anything to report: most attempts, so that one comparison finds them."""


class RunningAttempt:
    """The reports of the running attempt of one test."""

    __slots__ = ("before", "durations", "hidden", "location", "phases", "properties", "sections", "subtests")

    def __init__(self, before: Leftovers, location: Location) -> None:
        self.before = before
        self.location = location
        # None stands for a phase that simply passed.
        self.phases: dict[str, Phase | None] = {}
        self.durations: dict[str, float] = {}
        self.sections: Sequence[tuple[str, str]] = ()
        self.properties: Sequence[tuple[str, object]] = ()
        self.subtests: Subtests | None = None
        self.hidden: tuple[HiddenAttempt, ...] = ()

    def notable_phases(self) -> list[Phase]:
        """Return the phases that did not simply pass, in the order in which pytest runs them."""
        phases = [phase for phase in self.phases.values() if phase is not None]
        if len(phases) > 1:
            phases.sort(key=lambda phase: PHASES.index(phase.when) if phase.when in PHASES else len(PHASES))
        return phases

    def is_without_call(self) -> bool:
        """Return whether the call is missing although setup passed, so that the test's outcome is not known."""
        if "call" in self.phases or not self.phases.keys() <= set(PHASES):
            return False
        setup = self.phases.get("setup")
        return setup is None or setup.status == "passed"

    def verdict(self, phases: Sequence[Phase]) -> tuple[Status, bool]:
        """Return the worst status of phases and subtests, and whether this attempt is final.

        An attempt without a call is not final: flaky hides the call of an attempt that it repeats.
        """
        is_without_call = self.is_without_call()
        statuses: list[Status] = [phase.status for phase in phases]
        if is_without_call:
            statuses.append("error")
        if self.subtests is not None and self.subtests.has_failed:
            statuses.append("failure")
        return worst_status(statuses), not is_without_call and all(phase.outcome != _RERUN for phase in phases)

    def hide_call(self) -> None:
        """Store the call and its subtests as a hidden attempt, since a plugin runs the call again."""
        elapsed_us = max(0, round(self.durations.pop("call", 0.0) * 1e6))
        sections = without_earlier(self.sections, self.before.sections)
        self.hidden = (*self.hidden, HiddenAttempt(self.phases.pop("call"), self.subtests, elapsed_us, sections))
        self.subtests = None
        self.before = Leftovers(self.sections, self.properties)

    def times_us(self, observed_us: int) -> Times:
        """Return the sum of the phases' durations, and those of setup and teardown.

        If a test moved pytest's clock, the sum is the observed time, and the others are not known.
        """
        observed_us = max(0, observed_us)
        durations = self.durations
        total_us = sum(durations.values()) * 1e6
        # Phases cannot last longer than the attempt around them: such a sum comes from a frozen or moved clock.
        if not 0 < total_us <= observed_us or min(durations.values()) < 0:
            return observed_us, None, None
        setup, teardown = durations.get("setup", 0.0), durations.get("teardown", 0.0)
        return min(round(total_us), observed_us), int(setup * 1e6), int(teardown * 1e6)


def without_earlier(entries: Sequence[_Entry], earlier: Sequence[_Entry]) -> Sequence[_Entry]:
    """Return the entries that this attempt added; pytest's item also holds those of earlier attempts, in front.

    Returns all entries if they do not begin with the earlier ones: then a plugin cleared the item between attempts.
    """
    if earlier and list(entries[: len(earlier)]) == list(earlier):
        return entries[len(earlier) :]
    return entries
