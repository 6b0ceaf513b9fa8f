"""Turn pytest's reports of one attempt into one result of the API.

Nothing above this folder knows pytest's phases, and nothing below it knows the server's statuses. The caller passes all
times, so that a test that patches the clock cannot change a result.

Plugins repeat tests in two ways, and both end as one result that carries the attempts before it:

- pytest-rerunfailures and flaky log a start and a finish for each attempt. `Recorder` keeps the attempts that are not
  final (`PreviousAttempts`) until the next start of the same test.
- pytest-retry logs one start and one finish for all attempts. `RunningAttempt` then gets a second report of the call,
  and keeps the first one as a `HiddenAttempt`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_automation_report.api.limits import FIELD_LIMIT, fit_to_limits
from pytest_automation_report.api.models import Artifact, Field, Status, Test
from pytest_automation_report.recording.annotations import Annotations, merged
from pytest_automation_report.recording.attempts import EarlierAttempt, with_earlier_attempts
from pytest_automation_report.recording.extensions import encoded_extensions, extensions_of, with_attempts
from pytest_automation_report.recording.fields import printed_annotations, property_field
from pytest_automation_report.recording.identity import TestIdentity, identity_of
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for
from pytest_automation_report.recording.phases import console_field, read_phase
from pytest_automation_report.recording.running_attempt import (
    ALL_PASSED,
    NO_ATTEMPTS,
    PreviousAttempts,
    RunningAttempt,
    without_earlier,
)
from pytest_automation_report.recording.steps import Subtests, context_of, steps_field
from pytest_automation_report.recording.synthetic_results import (
    AttemptResult,
    Location,
    file_and_line,
    node_id_fields,
    output_fields,
)
from pytest_automation_report.text.limits import STRING_UNITS, string
from pytest_automation_report.text.redaction import safe_str
from pytest_automation_report.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.recording.comparison import Sides
    from pytest_automation_report.recording.found_secrets import FoundSecrets
    from pytest_automation_report.recording.phases import Phase, Report, Times
    from pytest_automation_report.recording.steps import Context
    from pytest_automation_report.text.redaction import TextCleaner

_NO_CALL = (
    "The test did not finish: pytest reported no outcome of its call. "
    "(A plugin that repeats tests, such as flaky, hides the outcome of an attempt that it repeats.)"
)


class Recorder:
    """Build one result from pytest's reports of each attempt; owned by the process that runs the tests.

    ``groups`` maps node ids to which pytest-xdist added a ``@group`` to those without; its owner may go on filling it.
    Raises ``re.error`` for a redaction that is not a regular expression.
    """

    def __init__(self, options: RecordingOptions, groups: Mapping[str, str] | None = None) -> None:
        self._options = options
        self._groups = {} if groups is None else groups
        self._cleaner = cleaner_for(options)
        self._open: dict[str, RunningAttempt] = {}
        self._before: dict[str, PreviousAttempts] = {}
        self._needs_output = options.keeps_output("passed") or options.output_annotations
        # A prefix that must be respelled makes each folder differ from its node id: 0 then excludes all node ids.
        is_plain_prefix = options.prefix.isascii() and options.prefix.isprintable()
        self._max_plain_length = STRING_UNITS - len(options.prefix) if is_plain_prefix else 0

    def start(self, nodeid: str, location: Location) -> int:
        """Begin an attempt of a test and return its number: 1, or one more than a last attempt that was not final."""
        before = self._before.pop(nodeid, NO_ATTEMPTS)
        abandoned = self._open.get(nodeid)
        if abandoned is not None:
            # A second start without a finish: the attempt counts, its reports are lost.
            before = replace(abandoned.before, number=abandoned.before.number + 1)
        self._open[nodeid] = RunningAttempt(before, location)
        return before.number + 1

    def add(self, report: Report) -> None:
        """Add the report of a phase or of a subtest to its attempt."""
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
            attempt.hide_call()
        attempt.phases[when] = read_phase(report, self._cleaner)
        attempt.durations[when] = report.duration
        attempt.sections = report.sections
        attempt.properties = report.user_properties

    def finish_plain_pass(self, nodeid: str, *, observed_us: int) -> Times | None:
        """End an attempt whose result is fully described by node id and location; return its times.

        Most attempts are such passes. The caller writes them as a short PASS record, and the sender builds the result:
        that takes 7 instead of 18 microseconds of pytest's process for each test (see `pass_record`). Returns None, and
        ends nothing, for an attempt that has anything else to report: output, properties, earlier attempts, or a node
        id that folder and name do not show unchanged.
        """
        attempt = self._open.get(nodeid)
        if (
            attempt is None
            or attempt.phases != ALL_PASSED
            or attempt.before is not NO_ATTEMPTS
            or attempt.subtests is not None
            or attempt.properties
            or (attempt.sections and self._needs_output)
            or not self._is_plain(self._groups.get(nodeid, nodeid))
        ):
            return None
        del self._open[nodeid]
        return attempt.times_us(observed_us)

    def _is_plain(self, nodeid: str) -> bool:
        """Whether folder and name certainly show this node id unchanged.

        The check is cheap and may be False for a node id that is shown unchanged: `finish` handles such a test.
        """
        return (
            0 < len(nodeid) < self._max_plain_length
            and nodeid.isascii()
            and nodeid.isprintable()
            and not nodeid.endswith("::")
        )

    def finish(
        self,
        nodeid: str,
        *,
        observed_us: int,
        annotations: Sequence[Annotations | None] = (),
        comparison: Sides | None = None,
    ) -> AttemptResult | None:
        """End an attempt and return its result, None if it was never started.

        ``annotations`` are the user's: the last entry belongs to this attempt, those before it to the hidden attempts
        within the same start and finish. ``comparison`` is the one that failed the attempt.
        """
        attempt = self._open.pop(nodeid, None)
        if attempt is None:
            return None
        identity = identity_of(self._groups.get(nodeid, nodeid), prefix=self._options.prefix)
        identity = _with_user_key(identity, merged(annotations))
        phases = attempt.notable_phases()
        status, is_final = attempt.verdict(phases)
        own_annotations = annotations[-1] if annotations else None
        times = attempt.times_us(observed_us)
        test = self._build_test(attempt, phases, identity, status, own_annotations, times[0])
        # First: a comparison may show that a value is a secret.
        values = self._encoded(comparison) if comparison is not None and status != "passed" else ""
        secrets = self._found_secrets()
        test, extensions = _without(
            secrets, test, lambda test: encoded_extensions(times, own_annotations, test, values)
        )
        earlier = (*attempt.before.attempts, *self._hidden_attempts(attempt, test, annotations[:-1], secrets))
        number = attempt.before.number + 1
        if not is_final:
            attempts = (*earlier, EarlierAttempt(test, extensions))
            self._before[nodeid] = PreviousAttempts(number, attempts, attempt.sections, attempt.properties)
        line = next((phase.line for phase in phases if phase.line is not None), None)
        if earlier:
            test = with_earlier_attempts(test, [other.test for other in earlier])
            extensions = with_attempts(extensions, earlier)
        return AttemptResult(identity, test, is_final, status, number, line, extensions)

    def _found_secrets(self) -> FoundSecrets | None:
        """Return what the texts of this attempt showed to be secrets, None for most."""
        found = self._cleaner.take_found()
        if not found:
            return None
        from pytest_automation_report.recording.found_secrets import FoundSecrets  # noqa: PLC0415 - few have any

        return FoundSecrets(found)

    def _encoded(self, comparison: Sides) -> str:
        # Not before: most sessions have no failed comparison.
        from pytest_automation_report.recording.comparison import encoded_comparison  # noqa: PLC0415

        return encoded_comparison(comparison, self._cleaner)

    def _build_test(
        self,
        attempt: RunningAttempt,
        phases: Sequence[Phase],
        identity: TestIdentity,
        status: Status,
        annotations: Annotations | None,
        elapsed_us: int,
    ) -> Test:
        """Return the result of one attempt, without the attempts before it."""
        fields, artifacts = self._fields(attempt, phases, identity, status, annotations)
        file, line = file_and_line(attempt.location)
        key, name, folder, alias = identity.key, identity.name, identity.folder, self._options.alias(status)
        # All members by position: 1.2 us instead of 2.5.
        return fit_to_limits(Test(key, name, folder, alias, elapsed_us, file, line, fields, artifacts, None))

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
        identity: TestIdentity,
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
        others += node_id_fields(identity, self._cleaner)
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

    def _hidden_attempts(
        self,
        attempt: RunningAttempt,
        test: Test,
        annotations: Sequence[Annotations | None],
        secrets: FoundSecrets | None,
    ) -> list[EarlierAttempt]:
        """Return a result for each hidden attempt: a copy of the last one with its own status, fields and artifacts."""
        attempts: list[EarlierAttempt] = []
        for hidden, added in zip(attempt.hidden, _distributed(annotations, len(attempt.hidden)), strict=True):
            fields = _phase_fields(hidden.notable_phases(), hidden.subtests)
            if hidden.subtests is not None:
                fields += hidden.subtests.fields(FIELD_LIMIT - len(fields), added)
            elif added is not None and added.steps:
                fields.append(steps_field(added.steps, added.counts))
            fields += self._output_fields(hidden.sections, hidden.subtests, hidden.status())
            fields += added.fields if added is not None else ()
            artifacts = added.artifacts if added is not None else ()
            alias, elapsed = self._options.alias(hidden.status()), hidden.elapsed_us
            hidden_test = replace(test, status=alias, elapsed=elapsed, fields=tuple(fields), artifacts=artifacts)
            attempts.append(
                EarlierAttempt(
                    *_without(secrets, fit_to_limits(hidden_test), partial(extensions_of, annotations=added))
                )
            )
        return attempts


def _without(secrets: FoundSecrets | None, test: Test, extensions: Callable[[Test], str]) -> tuple[Test, str]:
    """Return a result and its extensions without these secrets."""
    if secrets is None:
        return test, extensions(test)
    test = secrets.of_test(test)
    return test, secrets.of_json(extensions(test))


def _distributed(annotations: Sequence[Annotations | None], count: int) -> list[Annotations | None]:
    """Distribute the annotations of hidden attempts over the ``count`` of them that pytest reported.

    The last one gets all that remain. pytest-retry runs, for example, four attempts and reports the first and the
    last: then there is one hidden attempt, and it gets the annotations of the first three.
    """
    if not count:
        return []
    last = count - 1
    return [*(merged(annotations[index : index + 1]) for index in range(last)), merged(annotations[last:])]


def _with_user_key(identity: TestIdentity, annotations: Annotations | None) -> TestIdentity:
    """Return the identity with the key and the folder that the user set."""
    if annotations is None or (annotations.key is None and annotations.folder is None):
        return identity
    key = identity.key if annotations.key is None else annotations.key
    folder = identity.folder if annotations.folder is None else annotations.folder
    return replace(identity, key=key, folder=folder)


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
