"""Pytest's reports in, one result out (floor 1): the only place where pytest's words become the server's.

Pure: the caller brings the clock. pytest-rerunfailures and flaky log a start and a finish for each attempt,
pytest-retry one pair for all; both ways end as one result that carries the attempts before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from pytest_automation_report.api.limits import FIELD_LIMIT, fit_to_limits
from pytest_automation_report.api.models import Artifact, Field, Status, Test
from pytest_automation_report.recording.annotations import Annotations, merged
from pytest_automation_report.recording.attempts import with_earlier_attempts
from pytest_automation_report.recording.fields import printed_annotations, property_field
from pytest_automation_report.recording.identity import TestIdentity, identity
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import PHASES, Phase, console_field, phase, worst
from pytest_automation_report.recording.steps import Subtests, context_of, steps_field
from pytest_automation_report.recording.synthetic_results import (
    AttemptResult,
    Location,
    node_id_fields,
    output_fields,
    place,
)
from pytest_automation_report.text.limits import STRING_UNITS, string
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.recording.phases import Report
    from pytest_automation_report.recording.steps import Context
    from pytest_automation_report.text.redaction import TextCleaner

_Entry = TypeVar("_Entry")

_RERUN = "rerun"
_NO_CALL = (
    "The test did not finish: pytest reported no outcome of its call. "
    "(A plugin that repeats tests, flaky for one, keeps back the outcome of an attempt that it repeats.)"
)


@dataclass(frozen=True, slots=True)
class PreviousAttempts:
    """The attempts in a row of one test before the running one, and what they have left in pytest's item."""

    number: int = 0
    tests: tuple[Test, ...] = ()
    sections: Sequence[tuple[str, str]] = ()
    properties: Sequence[tuple[str, object]] = ()


_NOTHING = PreviousAttempts()
_PASSED = dict.fromkeys(PHASES)
"""What is told of an attempt whose phases have all passed."""


class _Attempt:
    """What was reported of the running attempt of one test."""

    __slots__ = ("before", "durations", "earlier", "location", "phases", "properties", "sections", "subtests")

    def __init__(self, before: PreviousAttempts, location: Location) -> None:
        self.before = before
        self.location = location
        self.phases: dict[str, Phase | None] = {}
        self.durations: dict[str, float] = {}
        self.sections: Sequence[tuple[str, str]] = ()
        self.properties: Sequence[tuple[str, object]] = ()
        self.subtests: Subtests | None = None
        self.earlier: tuple[tuple[Phase | None, Subtests | None], ...] = ()

    def told(self) -> list[Phase]:
        """Return the phases that say more than passed, in the order of a test's life."""
        phases = [each for each in self.phases.values() if each is not None]
        if len(phases) > 1:
            phases.sort(key=lambda each: PHASES.index(each.when) if each.when in PHASES else len(PHASES))
        return phases

    def is_without_call(self) -> bool:
        """Return whether the test should have run and nothing says how that ended."""
        if "call" in self.phases or not self.phases.keys() <= set(PHASES):
            return False
        setup = self.phases.get("setup")
        return setup is None or setup.status == "passed"

    def verdict(self, told: Sequence[Phase]) -> tuple[Status, bool]:
        """Return the status of the worst phase or subtest, and whether no other attempt is announced.

        One without a call may be repeated by a plugin that hides it.
        """
        is_without_call = self.is_without_call()
        statuses: list[Status] = [each.status for each in told]
        if is_without_call:
            statuses.append("error")
        if self.subtests is not None and self.subtests.has_failed:
            statuses.append("failure")
        return worst(statuses), not is_without_call and all(each.outcome != _RERUN for each in told)

    def begin_again(self) -> None:
        """Take what is known so far for an attempt before this one: a plugin runs the call again."""
        self.earlier = (*self.earlier, (self.phases.pop("call"), self.subtests))
        self.subtests = None
        self.before = replace(self.before, sections=self.sections, properties=self.properties)

    def elapsed(self, observed: int) -> int:
        """Return the microseconds of the phases, or the observed ones where a test has moved pytest's clock."""
        observed = max(0, observed)
        durations = self.durations.values()
        total = sum(durations) * 1e6
        if 0 < total <= observed and min(durations) >= 0:
            return min(round(total), observed)
        return observed


class Recorder:
    """Makes one result of what pytest reports about each attempt of a test; owned by the process that runs the tests.

    ``groups`` maps node ids that pytest-xdist has given a ``@group`` to those without; its owner may go on filling it.
    Raises ``re.error`` for a redaction that is no regular expression.
    """

    def __init__(self, rules: RecordingOptions, groups: Mapping[str, str] | None = None) -> None:
        self._rules = rules
        self._groups = {} if groups is None else groups
        self._texts = cleaner_for(rules)
        self._open: dict[str, _Attempt] = {}
        self._before: dict[str, PreviousAttempts] = {}
        self._is_output_kept = rules.keeps_output("passed") or rules.output_annotations
        self._most_shown = (
            STRING_UNITS - len(rules.prefix) if rules.prefix.isascii() and rules.prefix.isprintable() else 0
        )

    def start(self, nodeid: str, location: Location) -> int:
        """Begin an attempt of a test and return its number: 1, or one more than that of an attempt not final."""
        before = self._before.pop(nodeid, _NOTHING)
        abandoned = self._open.get(nodeid)
        if abandoned is not None:
            before = replace(abandoned.before, number=abandoned.before.number + 1)
        self._open[nodeid] = _Attempt(before, location)
        return before.number + 1

    def add(self, report: Report) -> None:
        """Take a report of a phase or of a subtest."""
        nodeid = report.nodeid
        attempt = self._open.get(nodeid)
        if attempt is None:
            self.start(nodeid, getattr(report, "location", None))
            attempt = self._open[nodeid]
        context = context_of(report)
        if context is not None:
            self._add_subtest(attempt, report, context)
            return
        when = report.when or ""
        if when == "call" and "call" in attempt.phases:
            attempt.begin_again()
        attempt.phases[when] = phase(report, self._texts)
        attempt.durations[when] = report.duration
        attempt.sections = report.sections
        attempt.properties = report.user_properties

    def passed(self, nodeid: str, *, observed: int) -> int | None:
        """End an attempt that passed with nothing to say and return its microseconds; None, and not ended, for others.

        ``observed`` in microseconds. What a node id does not show of its test as it is, is said, too.
        """
        attempt = self._open.get(nodeid)
        if (
            attempt is None
            or attempt.phases != _PASSED
            or attempt.before is not _NOTHING
            or attempt.subtests is not None
            or attempt.properties
            or (attempt.sections and self._is_output_kept)
            or not self._is_shown(self._groups.get(nodeid, nodeid))
        ):
            return None
        del self._open[nodeid]
        return attempt.elapsed(observed)

    def _is_shown(self, nodeid: str) -> bool:
        """Whether folder and name show this node id; not certain for some that do, which are made with the others."""
        return (
            0 < len(nodeid) < self._most_shown
            and nodeid.isascii()
            and nodeid.isprintable()
            and not nodeid.endswith("::")
        )

    def finish(self, nodeid: str, *, observed: int, added: Sequence[Annotations | None] = ()) -> AttemptResult | None:
        """End an attempt and return its result, None when it was never started; ``observed`` in microseconds.

        ``added`` is what the user has added: last to this attempt, before that to those that a plugin has run within
        the same start and finish.
        """
        attempt = self._open.pop(nodeid, None)
        if attempt is None:
            return None
        ident = identity(self._groups.get(nodeid, nodeid), prefix=self._rules.prefix)
        told = attempt.told()
        status, is_final = attempt.verdict(told)
        file, line = place(attempt.location)
        fields, artifacts = self._fields(attempt, told, ident, status, added[-1] if added else None)
        if added:
            ident = _moved(ident, merged(added))
        own = fit_to_limits(
            Test(
                ident.key,
                ident.name,
                ident.folder,
                self._rules.alias(status),
                attempt.elapsed(observed),
                file,
                line,
                fields,
                artifacts,
            )
        )
        earlier = (*attempt.before.tests, *self._tests_before(attempt, own, added[:-1]))
        number = attempt.before.number + 1
        if not is_final:
            self._before[nodeid] = PreviousAttempts(number, (*earlier, own), attempt.sections, attempt.properties)
        failing_line = next((each.line for each in told if each.line is not None), None)
        return AttemptResult(ident, with_earlier_attempts(own, earlier), is_final, status, number, failing_line)

    def _add_subtest(self, attempt: _Attempt, report: Report, context: Context) -> None:
        """Count a subtest, whose output pytest keeps apart from its test's."""
        if "call" in attempt.phases:
            # The subtests of a call are reported before it.
            attempt.begin_again()
        if attempt.subtests is None:
            attempt.subtests = Subtests()
        attempt.subtests.add(report, context, self._texts)
        if self._rules.output != "none":
            sections = _after(report.sections, attempt.before.sections)
            attempt.subtests.output.extend(each for each in sections if each[0].endswith(" call"))

    def _fields(
        self, attempt: _Attempt, told: Sequence[Phase], ident: TestIdentity, status: Status, added: Annotations | None
    ) -> tuple[tuple[Field, ...], tuple[Artifact, ...]]:
        """Return the fields of an attempt, those that tell of failure first, and its artifacts."""
        subtests = attempt.subtests
        highlights = _phase_fields(told, subtests)
        if attempt.is_without_call():
            highlights.append(console_field("Error", _NO_CALL, _NO_CALL))
        others = [*node_id_fields(ident, self._texts)]
        if attempt.sections or subtests is not None:
            others[:0] = self._output(attempt, status)
        if attempt.properties:
            others += _property_fields(attempt.properties, attempt.before.properties, self._texts)
        artifacts: tuple[Artifact, ...] = ()
        if self._rules.output_annotations:
            said, references = self._printed(attempt)
            others, artifacts = [*others, *said], tuple(references)
        if added is not None:
            others, artifacts = [*others, *added.fields], (*artifacts, *added.artifacts)
        if subtests is not None:
            highlights += subtests.fields(FIELD_LIMIT - len(highlights) - len(others), added)
        elif added is not None and added.steps:
            others.insert(0, steps_field(added.steps, added.counts))
        return (*highlights, *others), artifacts

    def _printed(self, attempt: _Attempt) -> tuple[list[Field], list[Artifact]]:
        """Return what an attempt's output says about its test."""
        sections = _after(attempt.sections, attempt.before.sections)
        subtests = attempt.subtests.output if attempt.subtests is not None else []
        return printed_annotations([*sections, *subtests], self._texts)

    def _output(self, attempt: _Attempt, status: Status) -> list[Field]:
        """Return the console fields of what an attempt's own phases and subtests printed, in their order."""
        if not self._rules.keeps_output(status):
            return []
        sections = _after(attempt.sections, attempt.before.sections)
        printed_annotations = attempt.subtests.output if attempt.subtests is not None else []
        setup = [each for each in sections if each[0].endswith(" setup")]
        later = [each for each in sections if not each[0].endswith(" setup")]
        return output_fields([*setup, *printed_annotations, *later], self._texts)

    def _tests_before(self, attempt: _Attempt, test: Test, added: Sequence[Annotations | None]) -> list[Test]:
        """Return a test for each attempt that a plugin has run before the last within one start and finish."""
        tests: list[Test] = []
        last = len(attempt.earlier) - 1
        for place_, (call, subtests) in enumerate(attempt.earlier):
            # pytest-retry reports the first attempt and the last: what those between have added stands with the first.
            more = merged(added[place_ : place_ + 1] if place_ < last else added[place_:])
            told = [call] if call is not None else []
            failed = subtests is not None and subtests.has_failed
            status = worst(["failure" if failed else "passed", *(each.status for each in told)])
            fields = _phase_fields(told, subtests)
            if subtests is not None:
                fields += subtests.fields(FIELD_LIMIT - len(fields), more)
            elif more is not None and more.steps:
                fields.append(steps_field(more.steps, more.counts))
            fields += more.fields if more is not None else ()
            artifacts = more.artifacts if more is not None else ()
            alias = self._rules.alias(status)
            tests.append(fit_to_limits(replace(test, status=alias, fields=tuple(fields), artifacts=artifacts)))
        return tests


def _moved(ident: TestIdentity, added: Annotations | None) -> TestIdentity:
    """Return the identity with the key and folder that were added."""
    if added is None or (added.key is None and added.folder is None):
        return ident
    key = ident.key if added.key is None else added.key
    return replace(ident, key=key, folder=ident.folder if added.folder is None else added.folder)


def _phase_fields(told: Sequence[Phase], subtests: Subtests | None) -> list[Field]:
    """Return a field for each phase that says more than passed."""
    fields: list[Field] = []
    for each in told:
        if each.status == "passed":
            fields.append(Field("Unexpected pass", string(each.message or "The test is marked xfail and passed.")))
        elif each.status == "skipped":
            fields.append(each.field("Skipped"))
        elif each.status == "failure":
            if not (each.only_counts_subtests and subtests is not None and subtests.has_failed):
                fields.append(each.field("Failure"))
        else:
            is_second = any(field.name == "Error" for field in fields)
            fields.append(each.field(f"Error [{each.when}]" if is_second else "Error"))
    return fields


def _property_fields(
    entries: Sequence[tuple[str, object]],
    before: Sequence[tuple[str, object]],
    cleaner: TextCleaner,
) -> list[Field]:
    """Return the fields of what ``record_property`` was given in this attempt."""
    pairs = [(safe_str(name), safe_str(value)) for name, value in entries]
    added = _after(pairs, [(safe_str(name), safe_str(value)) for name, value in before])
    return [property_field(name, value, cleaner) for name, value in added]


def _after(entries: Sequence[_Entry], before: Sequence[_Entry]) -> Sequence[_Entry]:
    """Return what was added since an earlier attempt: pytest's item hands on what earlier attempts have left in it."""
    if before and list(entries[: len(before)]) == list(before):
        return entries[len(before) :]
    return entries
