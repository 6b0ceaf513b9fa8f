"""Turn pytest's reports of one attempt into its record: failures, output, subtests, steps and annotations.

The caller passes all times: a test that patches the clock cannot change a result. All that a failing test needs is
loaded with this module: in the middle of a test Python may find no module, since tests replace its importers and files.

pytest-rerunfailures and flaky log a start and a finish for each attempt: each has its record. pytest-retry logs one of
both for all attempts: `RunningAttempt` gets a second report of the call, and keeps the first in a hidden attempt.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from msgspec.structs import replace

from pytest_automation_report.api.models import (
    KNOWN_FIELD,
    PAST_FIELD,
    Artifact,
    Cause,
    Field,
    Known,
    OutputName,
    SharedFixture,
    Status,
)
from pytest_automation_report.errors import group_members
from pytest_automation_report.guards import goes_on, safe_str
from pytest_automation_report.recording.comparison import Sides, captured_sides, clean_comparison
from pytest_automation_report.recording.options import (
    FAILED,
    FoundSecrets,
    RecordingOptions,
    cleaner_for,
    printed_annotations,
    property_field,
)
from pytest_automation_report.recording.phases import (
    KNOWN_MARK,
    Annotations,
    Phase,
    SubtestCounter,
    captured,
    gather_notes,
    is_subtest,
    keeps_output,
    merge_colours,
    merged,
    node_id_fields,
    read_phase,
    worst_status,
)
from pytest_automation_report.spool.records import Attempt, FinishRecord, identify, test_key
from pytest_automation_report.text.limits import STRING_UNITS, string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import CodeType, TracebackType

    import pytest


_Entry = TypeVar("_Entry")
_MAX_LINE: Final = 1 << 31

_PHASES: Final = ("setup", "call", "teardown")
# The phases of an attempt that passed without anything to report: most attempts, so that one comparison finds them.
_ALL_PASSED: Final[Mapping[str, None]] = dict.fromkeys(_PHASES)

Location: TypeAlias = "tuple[str, int | None, str] | None"
"""pytest's ``location`` of a test: path, line (0-based), name in the file."""

Times: TypeAlias = "tuple[int, int | None, int | None]"
"""Microseconds of an attempt, of its setup and of its teardown; the last two are None if they are not known."""

_LEAST_PAUSE_US: Final = 1_000  # less in an attempt is not told: it changes no comparison of durations


_NO_PAUSES: Final[Mapping[str, float]] = {}
_NO_FIXTURES: Final[Mapping[str, tuple[tuple[SharedFixture, ...], bool]]] = {}


class RunningAttempt:
    """The reports of the running attempt of one test; ``hidden`` are those that a plugin repeated since its start.

    What the attempt ``before`` added is still in pytest's item, which is one for all of them.
    """

    __slots__ = (
        "before", "counted", "durations", "fixtures", "hidden", "known", "last", "location", "notes", "pauses",
        "phases", "properties", "sections", "subtests",
    )  # fmt: skip

    def __init__(self, before: RunningAttempt | None, location: Location) -> None:
        self.before = before or self  # only `_NONE` has none
        # Of earlier attempts: failures that pytest has counted, by which the test stays failed; what it reported last.
        self.counted: Sequence[Phase] = before.counted if before else ()
        self.last: Sequence[Phase] = before.last if before else ()
        self.location = location
        # None stands for a phase that simply passed.
        self.phases: dict[str, Phase | None] = {}
        self.durations: dict[str, float] = {}
        self.pauses: Mapping[str, float] = _NO_PAUSES
        self.sections: Sequence[tuple[str, str]] = ()
        self.properties: Sequence[tuple[str, object]] = ()
        self.subtests: SubtestCounter | None = None
        self.hidden: tuple[RunningAttempt, ...] = ()
        self.notes: Sequence[str] = ()
        self.fixtures: Mapping[str, tuple[tuple[SharedFixture, ...], bool]] = _NO_FIXTURES
        self.known: Mapping[str, str] | None = None

    def times_us(self, observed_us: int) -> Times:
        """Return the observed time if a test moved pytest's clock, else the sum of the phases' durations."""
        observed_us = max(0, observed_us)
        durations = self.durations
        total_us = sum(durations.values()) * 1e6
        # Phases cannot last longer than the attempt around them: such a sum comes from a frozen or moved clock.
        if not 0 < total_us <= observed_us or min(durations.values()) < 0:
            return observed_us, None, None
        setup, teardown = durations.get("setup", 0.0), durations.get("teardown", 0.0)
        return min(round(total_us), observed_us), int(setup * 1e6), int(teardown * 1e6)

    def paused_us(self, times: Times) -> int:
        """Return the time in which Python collected garbage, a part of these times; 0 for a short one."""
        # One that fell between two phases is in no duration. Without those only the whole time is known.
        bounds = self.durations if times[1] is not None else {}
        paused_us = sum(min(pause, bounds.get(when, pause)) for when, pause in self.pauses.items()) * 1e6
        return 0 if paused_us < _LEAST_PAUSE_US else min(int(paused_us), times[0])


_NONE: Final = RunningAttempt(None, None)
_NO_ANNOTATIONS: Final = Annotations()
_XPASS: Final = "The test is marked xfail and passed."
_CALLED_BY_ASSERT: Final = "_call_reprcompare"
_MAX_FRAMES: Final = 30


class FailedComparisons:
    """The last comparison that pytest explained, and the comparison that failed the running test.

    pytest explains a comparison also where the test expects that its assert raises. So one counts only if the exception
    of the test is an `AssertionError` from the same line of the same code.
    """

    __slots__ = ("_failed", "_last")

    def __init__(self) -> None:
        self._last: tuple[CodeType, int, Sides] | None = None
        self._failed: Sides | None = None

    def capture(self, operator: str, left: object, right: object) -> None:
        """Capture a comparison that an assert explains; other callers of pytest's hook raise no exception of it."""
        self._last = None
        frame = sys._getframe(1)  # noqa: SLF001 - the function of `sys`
        for _ in range(_MAX_FRAMES):
            following = frame.f_back
            if following is None:
                return
            if frame.f_code.co_name == _CALLED_BY_ASSERT:
                try:
                    sides = captured_sides(operator, left, right)
                except Exception as error:  # in code of users' objects
                    if goes_on(error):
                        raise
                    return
                self._last = following.f_code, following.f_lineno, sides
                return
            frame = following

    def keep(self, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> None:
        """Keep the last comparison if it raised this exception; the call's wins over setup's and teardown's."""
        last, self._last = self._last, None
        trace: TracebackType | None = excinfo.tb  # None if another plugin has dropped it
        # Subtests have no place for values. By the type: `isinstance` asks an object for its class.
        if last is None or trace is None or not issubclass(excinfo.type, AssertionError) or is_subtest(report):
            return
        while trace.tb_next is not None:
            trace = trace.tb_next
        if (trace.tb_frame.f_code, trace.tb_lineno) == last[:2] and (self._failed is None or report.when == "call"):
            self._failed = last[2]

    def take(self) -> Sides | None:
        """Return the comparison that failed the attempt that ends, and forget all."""
        failed, self._failed, self._last = self._failed, None, None
        return failed


# Functions of pytest in which a fixture's own code runs: for its setup and its teardown.
_OF_FIXTURES: Final[Mapping[str, Literal["setup", "teardown"]]] = {"execute": "setup", "finish": "teardown"}
_SETUPS: Final = ("setup_module", "setUpModule", "setup_class", "setUpClass")
_TEARDOWNS: Final = ("teardown_module", "tearDownModule", "teardown_class", "tearDownClass")
# Fixtures that pytest makes of such functions, by their names, with the functions that such classes and modules have.
_MADE_BY_PYTEST: Final[Mapping[str, Mapping[str, str]]] = {
    "_xunit_setup_module_fixture": {"setup": "setup_module", "teardown": "teardown_module"},
    "_xunit_setup_class_fixture": {"setup": "setup_class", "teardown": "teardown_class"},
    "_unittest_setUpClass_fixture": {"setup": "setUpClass", "teardown": "tearDownClass"},
}


class FixtureFailure(NamedTuple):
    """A fixture that tests share, the function of a class or module that it stands for ("" without one), its error."""

    fixture: Any
    function: str
    phase: Literal["setup", "teardown"]
    error: BaseException


def shared_failures(error: BaseException) -> tuple[list[FixtureFailure], bool]:
    """Return the shared fixtures that failed in a phase, and whether something of the test itself did."""
    found = [(fixture, each) for fixture, each in _failed_fixtures(error, None)]
    shared: dict[int, FixtureFailure] = {}
    for entry, each in found:
        if entry is not None and entry[0].scope != "function":
            fixture, trace = entry
            phase: Literal["setup", "teardown"] = _OF_FIXTURES[trace.tb_frame.f_code.co_name]
            failure = FixtureFailure(fixture, _function_in(fixture, trace, phase), phase, each)
            shared.setdefault(id(fixture), failure)
    return [*shared.values()], any(entry is None or entry[0].scope == "function" for entry, _ in found)


_Found: TypeAlias = "tuple[Any, TracebackType]"


def _failed_fixtures(error: BaseException, outer: _Found | None) -> Iterator[tuple[_Found | None, BaseException]]:
    """Yield the exceptions that an error consists of, each with the innermost fixture in whose code it was raised."""
    found, trace = outer, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name in _OF_FIXTURES:
            fixture = trace.tb_frame.f_locals.get("self")
            # By the name of the class: this module must not load pytest.
            if type(fixture).__name__ == "FixtureDef":
                found = fixture, trace
        trace = trace.tb_next
    members = group_members(error)
    if not members:
        yield found, error
    for member in members:
        yield from _failed_fixtures(member, found)


def _function_in(fixture: Any, trace: TracebackType | None, phase: str) -> str:  # noqa: ANN401 - pytest's FixtureDef
    prefix = fixture.argname.partition("_fixture")[0] + "_fixture"
    made = _MADE_BY_PYTEST.get(prefix)
    if made is None:
        return ""
    names = _SETUPS if phase == "setup" else _TEARDOWNS
    while trace is not None:
        if trace.tb_frame.f_code.co_name in names:
            return trace.tb_frame.f_code.co_name
        trace = trace.tb_next
    return made[phase]


def describe_fixture(fixture: Any, function: str, root: Path) -> SharedFixture:  # noqa: ANN401 - pytest's FixtureDef
    """Return a shared fixture by its name and where it is defined, below the root folder of pytest."""
    own = fixture.func
    while (wrapped := getattr(own, "__wrapped__", None) or getattr(own, "func", None)) is not None:
        own = wrapped
    code = getattr(own, "__code__", None)
    file, _, classes = fixture.baseid.partition("::")
    if function:
        identity = identify(f"{fixture.baseid}::{function}")
        return SharedFixture(identity.key, identity.folder, identity.name, file)
    path = code.co_filename.replace(os.sep, "/") if code is not None else ""
    base = f"{str(root).replace(os.sep, '/').rstrip('/')}/"
    name = f"{fixture.argname} [{fixture.scope}]"
    if code is None or not path.startswith(base) or "site-packages/" in path or "dist-packages/" in path:
        module = string(str(getattr(own, "__module__", "") or "plugin"))
        return SharedFixture(test_key(module, name), module, name)
    file = path.removeprefix(base)
    identity = identify("::".join(filter(None, (file, classes, name))))
    return SharedFixture(identity.key, identity.folder, identity.name, string(file), code.co_firstlineno)


def fixture_name(fixture: SharedFixture) -> str:
    """Return the name by which people and the file of known failures call a shared fixture."""
    module = fixture.file.removesuffix(".py").replace("/", ".")
    classes = fixture.folder.removeprefix(module).strip(".").replace(".", "::") if fixture.file else ""
    return "::".join(filter(None, (fixture.file or fixture.folder, classes, fixture.name)))


def item_fixtures(item: pytest.Item, root: Path) -> Iterator[SharedFixture]:
    """Yield the shared fixtures that a collected test uses, also those that pytest makes of functions of its module."""
    found: Mapping[str, Sequence[Any]] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for definitions in found.values():
        for fixture in definitions:
            if fixture.scope != "function":
                made = fixture.argname.partition("_fixture")[0] + "_fixture" in _MADE_BY_PYTEST
                for function in (*_SETUPS, *_TEARDOWNS) if made else ("",):
                    yield describe_fixture(fixture, function, root)


_NO_CALL: Final = (
    "The test did not finish: pytest reported no outcome of its call. "
    "(A plugin that repeats tests, such as flaky, hides the outcome of an attempt that it repeats.)"
)
# The outcome that pytest-rerunfailures reports of a phase after which the test runs again.
_RERUN: Final = "rerun"
# A plugin that may run a test again after an xfail, and that reports each of them as if it were the last.
_FLAKY: Final = "flaky.flaky_pytest_plugin"


class Recorder:
    """Build the record of each attempt from pytest's reports; owned by the process that runs the tests.

    ``groups`` maps node ids to which pytest-xdist added a ``@group`` to those without; its owner may go on filling it.
    """

    def __init__(self, options: RecordingOptions, groups: Mapping[str, str] | None = None) -> None:
        self._options = options
        self._groups = {} if groups is None else groups
        self._cleaner = cleaner_for(options)
        self._open: dict[str, RunningAttempt] = {}
        # Attempts that are not final, until the next start of the same test.
        self._before: dict[str, RunningAttempt] = {}
        # Those of the exceptions of the running attempt.
        self._notes: list[str] = []
        # The shared fixtures that failed in it, by phase, and whether something else did.
        self._fixtures: dict[str, tuple[tuple[SharedFixture, ...], bool]] = {}
        self._needs_output = options.output == "all" or options.output_annotations
        # A prefix that must be respelled makes each folder differ from its node id: 0 then excludes all node ids.
        is_plain_prefix = options.prefix.isascii() and options.prefix.isprintable()
        self._max_plain_length = STRING_UNITS - len(options.prefix) if is_plain_prefix else 0

    def start(self, nodeid: str, location: Location) -> None:
        """Begin an attempt of a test."""
        self._open[nodeid] = RunningAttempt(self._before.pop(nodeid, _NONE), location)

    def add(self, report: pytest.TestReport) -> None:
        """Add the report of a phase or of a subtest to its attempt."""
        nodeid = report.nodeid
        attempt = self._open.get(nodeid)
        if attempt is None:
            self.start(nodeid, getattr(report, "location", None))
            attempt = self._open[nodeid]
        # Asked here, as below: three reports of each test have neither a context nor anything to read.
        if getattr(report, "context", None) is not None and is_subtest(report):
            self._add_subtest(attempt, report)
            return
        when = report.when
        if when == "call" and "call" in attempt.phases:
            self._hide_call(attempt)
        is_plain = report.outcome == "passed" and getattr(report, "wasxfail", None) is None
        attempt.phases[when] = None if is_plain else read_phase(report, self._cleaner)
        if not is_plain:
            mark: Mapping[str, str] | None = getattr(report, KNOWN_MARK, None)
            # That of a fixture says nothing of the test.
            attempt.known = attempt.known if mark is None or mark.get("fixture") else mark
        attempt.durations[when] = report.duration
        attempt.sections = report.sections
        attempt.properties = report.user_properties

    def add_pause(self, report: pytest.TestReport, seconds: float) -> None:
        """Add the time in which Python collected garbage during the phase of a report that was added, or a subtest."""
        attempt = self._open.get(report.nodeid)
        if attempt is not None:
            attempt.pauses = {**attempt.pauses, report.when: attempt.pauses.get(report.when, 0.0) + seconds}

    def add_notes(self, error: BaseException) -> None:
        """Keep the notes of an exception of the running attempt, whose text may be cut where they stand."""
        self._notes += gather_notes(error)

    def add_fixtures(self, error: BaseException, report: pytest.TestReport, root: Path) -> None:
        """Keep the shared fixtures that failed in a phase of the running attempt."""
        found, is_own = shared_failures(error)
        mark: Mapping[str, str] = getattr(report, KNOWN_MARK, {})
        known = Known(mark["until"], mark["reason"], bool(mark["again"])) if mark.get("fixture") else None
        several = len(found) > 1 or is_own
        fixtures = [
            replace(
                describe_fixture(each.fixture, each.function, root),
                phase=each.phase,
                message=self._cleaner.paragraph(_error_line(each.error)) if several else "",
                known=known,
            )
            for each in found
        ]
        if fixtures:
            self._fixtures[report.when] = tuple(fixtures), is_own

    def has_failed(self, nodeid: str) -> bool:
        """Whether a phase of a running attempt has failed."""
        phases = self._open.get(nodeid, _NONE).phases.values()
        return any(phase is not None and phase.status in FAILED for phase in phases)

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

        ``began`` and ``moment`` are in microseconds. The last of the ``annotations`` belongs to this attempt, those
        before it to the hidden attempts within the same start and finish.
        """
        attempt = self._open.pop(nodeid, None)
        notes, self._notes = self._notes, []
        fixtures, self._fixtures = self._fixtures, {}
        if attempt is None:
            return None
        attempt.notes, attempt.fixtures = notes, fixtures
        plain_nodeid = self._groups.get(nodeid, nodeid)
        file, line = place_in(plain_nodeid, attempt.location) if attempt.location else ("", None)
        times = attempt.times_us(moment - began)
        paused = attempt.paused_us(times) if attempt.pauses else 0
        if not annotations and self._is_plain_pass(attempt, plain_nodeid):
            passed = Attempt("passed", *times, paused=paused)
            return FinishRecord(number, moment, plain_nodeid, passed, began, file, line)
        added = merged(annotations)
        key, folder = (None, None) if added is None else (added.key, added.folder)
        ended, *hidden = self._read(attempt, plain_nodeid, times, annotations, comparison)
        if paused:
            ended = replace(ended, paused=paused)
        is_final = _is_final(attempt)
        if not is_final:
            attempt.before, attempt.last = _NONE, _reported(attempt)
            failed = [phase for phase in attempt.phases.values() if phase is not None and phase.outcome == "failed"]
            attempt.counted = [*attempt.counted, *failed]
            self._before[nodeid] = attempt
        return FinishRecord(
            number, moment, plain_nodeid, ended, began, file, line, is_final, tuple(hidden), key, folder,
            is_silent=_is_silent(attempt),
        )  # fmt: skip

    def _is_plain_pass(self, attempt: RunningAttempt, nodeid: str) -> bool:
        """Whether an attempt passed and has nothing else to report, as most do: that costs a third of the others."""
        return (
            attempt.phases == _ALL_PASSED
            and attempt.before is _NONE
            and attempt.subtests is None
            and not attempt.hidden
            and not attempt.properties
            and not (attempt.sections and self._needs_output)
            and self._has_plain_name(nodeid)
        )

    def _has_plain_name(self, nodeid: str) -> bool:
        """Whether folder and name certainly show this node id unchanged; of others the reader finds it out."""
        return (
            0 < len(nodeid) < self._max_plain_length
            and nodeid.isascii()
            and nodeid.isprintable()
            and not nodeid.endswith("::")
        )

    def _add_subtest(self, attempt: RunningAttempt, report: pytest.TestReport) -> None:
        """Count a subtest and keep its output, which its test's output leaves out."""
        if "call" in attempt.phases:
            # pytest reports the subtests of a call before the call itself: these belong to the next attempt.
            self._hide_call(attempt)
        if attempt.subtests is None:
            attempt.subtests = SubtestCounter()
        attempt.known = getattr(report, KNOWN_MARK, attempt.known)
        attempt.subtests.add(report, self._cleaner)
        if self._options.output != "none":
            sections = without_earlier(report.sections, attempt.before.sections)
            attempt.subtests.output.extend(section for section in sections if section[0].endswith(" call"))

    def _hide_call(self, attempt: RunningAttempt) -> None:
        """Store the call and its subtests as a hidden attempt, since a plugin runs the call again."""
        hidden = RunningAttempt(attempt.before, attempt.location)
        hidden.phases["call"], hidden.durations["call"] = attempt.phases.pop("call"), attempt.durations.pop("call", 0.0)
        hidden.sections, hidden.properties, hidden.known = attempt.sections, attempt.properties, attempt.known
        hidden.subtests, attempt.subtests = attempt.subtests, None
        attempt.pauses = _NO_PAUSES  # of the setup, too, which is no matter: a repeated test is not compared
        attempt.hidden, attempt.before = (*attempt.hidden, hidden), hidden

    def _read(
        self,
        attempt: RunningAttempt,
        nodeid: str,
        times: Times,
        annotations: Sequence[Annotations | None],
        comparison: Sides | None,
    ) -> list[Attempt]:
        """Return an attempt that is no plain pass, with its hidden attempts behind it."""
        own, earlier = (annotations[-1] if annotations else None), annotations[:-1]
        attempts = [self._ended(attempt, nodeid, times, own, comparison)]
        for index, hidden in enumerate(attempt.hidden):
            # The last one gets all that remain: pytest-retry runs four attempts, for example, and reports the first and
            # the last. Then there is one hidden attempt, with the annotations of the first three.
            is_last = hidden is attempt.hidden[-1]
            added = merged(earlier[index:] if is_last else earlier[index : index + 1])
            elapsed_us = max(0, round(hidden.durations["call"] * 1e6))
            attempts.append(self._ended(hidden, nodeid, (elapsed_us, None, None), added))
        # What the texts of this attempt showed to be secrets is hidden in all of them; few tests have any.
        if found := self._cleaner.take_found():
            secrets = FoundSecrets(found)
            attempts = [secrets.of_attempt(each) for each in attempts]
        colours = [merge_colours(each) for each in attempts]
        if any(colours):
            attempts = [replace(each, colours=spans) for each, spans in zip(attempts, colours, strict=True)]
        return attempts

    def _ended(
        self, attempt: RunningAttempt, nodeid: str, times: Times, own: Annotations | None, sides: Sides | None = None
    ) -> Attempt:
        phases = _notable_phases(attempt)
        status = _status(attempt, phases)
        # First: a comparison may show that a value is a secret.
        values = None if sides is None or status == "passed" else clean_comparison(sides, self._cleaner)
        subtests, added = attempt.subtests, own or _NO_ANNOTATIONS
        causes = _causes(phases, subtests)
        if attempt.fixtures:
            causes = [_with_fixtures(cause, *attempt.fixtures.get(cause.phase, ((), False))) for cause in causes]
        if _is_without_call(attempt) and status in FAILED:
            causes.append(Cause("error", "Error", _NO_CALL, _NO_CALL))
        lost = _lost(attempt.notes, causes) if subtests is None else ()
        sections = without_earlier(attempt.sections, attempt.before.sections) if attempt.sections else ()
        fields, artifacts, known, place = self._additions(attempt, nodeid, sections, added)
        return Attempt(
            status,
            *times,
            fields,
            artifacts,
            added.steps,
            {},
            values,
            next((phase.line for phase in phases if phase.line is not None), None),
            (*causes, *(subtests.causes if subtests else ())),
            self._output(sections, subtests, status),
            self._cleaner.console("\n\n".join(lost)) if lost else "",
            subtests.counted() if subtests else None,
            added.more_steps,
            known=known,
            known_place=place,
        )

    def _additions(
        self, attempt: RunningAttempt, nodeid: str, sections: Sequence[tuple[str, str]], added: Annotations
    ) -> tuple[tuple[Field, ...], tuple[Artifact, ...], Known | None, int]:
        """Return fields and artifacts of the test's author, and the node id where folder and name do not show it.

        The last are the entry that knows the failure, and the place of its property among the fields.
        """
        fields: list[Field] = []
        known: tuple[Known | None, int] = None, 0
        if not self._has_plain_name(nodeid):
            fields += node_id_fields(identify(nodeid, prefix=self._options.prefix), self._cleaner)
        if attempt.properties:
            named, earlier = (
                [(safe_str(name), safe_str(value)) for name, value in properties]
                for properties in (attempt.properties, attempt.before.properties)
            )
            for name, value in without_earlier(named, earlier):
                own = property_field(name, value, self._cleaner)
                if attempt.known is not None and name in {KNOWN_FIELD, PAST_FIELD}:
                    until, is_past = attempt.known["until"], bool(attempt.known["again"])
                    known = Known(until, (own.value or "")[len(until) :].lstrip(), is_past), len(fields)
                else:
                    fields.append(own)
        # First: steps name their files by these places.
        artifacts = [*added.artifacts]
        if self._options.output_annotations:
            printed = [*sections, *(attempt.subtests.output if attempt.subtests is not None else ())]
            printed_fields, printed_artifacts = printed_annotations(printed, self._cleaner)
            fields += printed_fields
            artifacts += printed_artifacts
        return (*fields, *added.fields), tuple(artifacts), known[0], known[1]

    def _output(
        self, sections: Sequence[tuple[str, str]], subtests: SubtestCounter | None, status: Status
    ) -> Mapping[OutputName, str]:
        """Return the captured streams of an attempt, in the order in which they were printed."""
        if not (sections or subtests) or not keeps_output(self._options, status):
            return {}
        subtest_sections = subtests.output if subtests is not None else []
        setup = [section for section in sections if section[0].endswith(" setup")]
        later = [section for section in sections if not section[0].endswith(" setup")]
        return captured([*setup, *subtest_sections, *later], self._cleaner)


def without_earlier(entries: Sequence[_Entry], earlier: Sequence[_Entry]) -> Sequence[_Entry]:
    """Return the entries that this attempt added; pytest's item also holds entries of earlier attempts, in front."""
    # They are not there if a plugin cleared the item between attempts.
    is_behind = earlier and list(entries[: len(earlier)]) == list(earlier)
    return entries[len(earlier) :] if is_behind else entries


def place_in(nodeid: str, location: tuple[str, int | None, str]) -> tuple[str, int | None]:
    """Return file and line of a test; where a library wraps it, as pytest-bdd does, the file of its node id alone."""
    path, own = location[0].replace(os.sep, "/"), nodeid.partition("::")[0]
    is_outside = path.startswith(("..", "/")) or path[1:2] == ":"
    if path != own and (is_outside or "site-packages" in path or "dist-packages" in path):
        return own, None
    return path, line_number(location)


def line_number(location: Location) -> int | None:
    """Return pytest's line of a test; None for anything else, which items of other plugins may have there."""
    line: object = location[1] if location else None
    return line if type(line) is int and abs(line) < _MAX_LINE else None


def _with_fixtures(cause: Cause, fixtures: tuple[SharedFixture, ...], is_own: bool) -> Cause:  # noqa: FBT001
    return replace(cause, fixtures=fixtures, is_own=is_own) if fixtures else cause


def _error_line(error: BaseException) -> str:
    """Return an exception as the first line of a traceback's end has it."""
    return f"{type(error).__name__}: {safe_str(error)}".partition("\n")[0]


def _notable_phases(attempt: RunningAttempt) -> list[Phase]:
    """Return the phases that did not simply pass, behind failures of earlier attempts that count."""
    return [*attempt.counted, *_reported(attempt)]


def _reported(attempt: RunningAttempt) -> Sequence[Phase]:
    """Return the phases that did not simply pass in pytest's order; without any and without a call, those before."""
    phases = [phase for phase in attempt.phases.values() if phase is not None]
    if len(phases) > 1:
        phases.sort(key=lambda phase: _PHASES.index(phase.when) if phase.when in _PHASES else len(_PHASES))
    return phases or (attempt.last if _is_without_call(attempt) else ())


def _is_without_call(attempt: RunningAttempt) -> bool:
    """Whether the call is missing although setup passed, so that the test's outcome is not known."""
    setup = attempt.phases.get("setup")
    is_set_up = setup is None or setup.status == "passed"
    return is_set_up and "call" not in attempt.phases and attempt.phases.keys() <= set(_PHASES)


def _is_silent(attempt: RunningAttempt) -> bool:
    """Whether pytest reported nothing of an attempt but that its setup and teardown passed."""
    return _is_without_call(attempt) and not _notable_phases(attempt)


def _is_final(attempt: RunningAttempt) -> bool:
    # Not without a call: flaky hides the call of an attempt that it repeats.
    return not _is_without_call(attempt) and not any(map(_may_run_again, attempt.phases.values()))


def _may_run_again(phase: Phase | None) -> bool:
    """Whether a plugin may run the test again after this phase: the attempt waits for the start of the next test."""
    if phase is None:
        return False
    is_xfail = phase.outcome == "skipped" and phase.type_name == "pytest.xfail" and phase.when != "teardown"
    return phase.outcome == _RERUN or (is_xfail and _FLAKY in sys.modules)


def _status(attempt: RunningAttempt, phases: Sequence[Phase]) -> Status:
    statuses: list[Status] = [phase.status for phase in phases]
    if _is_silent(attempt):
        statuses.append("error")
    if attempt.subtests is not None and attempt.subtests.has_failed:
        statuses.append("failure")
    return worst_status(statuses)


def _lost(notes: Sequence[str], causes: Sequence[Cause]) -> list[str]:
    """Return the notes of exceptions that no cause shows whole: the text of a failure is cut in its middle."""
    texts = [cause.text for cause in causes]
    return [
        note
        for note in notes
        if texts and not any(all(line.strip() in text for line in note.splitlines()) for text in texts)
    ]


def _causes(phases: Sequence[Phase], subtests: SubtestCounter | None) -> list[Cause]:
    causes: list[Cause] = []
    for phase in phases:
        if phase.status == "passed":
            causes.append(Cause("xpass", "Unexpected pass", string(phase.message or _XPASS)))
        elif phase.status == "skipped":
            causes.append(phase.cause("skipped", "Skipped"))
        elif phase.status == "failure":
            # Each failing subtest has its own cause: a call that only counts them would repeat that.
            if not (phase.only_counts_subtests and subtests is not None and subtests.has_failed):
                causes.append(phase.cause("failure", "Failure"))
        else:
            is_second = any(cause.name == "Error" for cause in causes)
            causes.append(phase.cause("error", f"Error [{phase.when}]" if is_second else "Error"))
    return causes
