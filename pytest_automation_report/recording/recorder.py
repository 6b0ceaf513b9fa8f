"""Turn pytest's reports of one attempt into its record.

Nothing above this folder knows pytest's phases. The caller passes all times, so that a test that patches the clock
cannot change a result.

Plugins repeat tests in two ways, and the sender makes one result of all attempts:

- pytest-rerunfailures and flaky log a start and a finish for each attempt: each has its record.
- pytest-retry logs one start and one finish for all attempts. `RunningAttempt` then gets a second report of the call,
  and keeps the first one as a `HiddenAttempt`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import astuple

from pytest_automation_report.recording.running import ALL_PASSED, NOTHING_LEFT, Leftovers, RunningAttempt, line_of
from pytest_automation_report.spool.records import Attempt, FinishRecord
from pytest_automation_report.text.limits import STRING_UNITS, cut_end, string, utf16_length
from pytest_automation_report.unpatched import python_imports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Status
    from pytest_automation_report.recording.attempts import AttemptReader
    from pytest_automation_report.recording.comparison import Sides
    from pytest_automation_report.recording.options import RecordingOptions
    from pytest_automation_report.recording.phases import Annotations, Report
    from pytest_automation_report.recording.running import Location


class Recorder:
    """Build the record of each attempt from pytest's reports; owned by the process that runs the tests.

    ``groups`` maps node ids to which pytest-xdist added a ``@group`` to those without; its owner may go on filling it.
    ``release`` closes a descriptor for a moment, if a test has left none.
    """

    def __init__(
        self,
        options: RecordingOptions,
        groups: Mapping[str, str] | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._groups = {} if groups is None else groups
        self._release = release
        self._open: dict[str, RunningAttempt] = {}
        # What attempts that are not final left, until the next start of the same test.
        self._before: dict[str, Leftovers] = {}
        self._needs_output = options.keeps_output("passed") or options.output_annotations
        # A prefix that must be respelled makes each folder differ from its node id: 0 then excludes all node ids.
        is_plain_prefix = options.prefix.isascii() and options.prefix.isprintable()
        self._max_plain_length = STRING_UNITS - len(options.prefix) if is_plain_prefix else 0

    @cached_property
    def _reader(self) -> AttemptReader:
        """The reader of what is no plain pass, loaded at its first use, in the middle of a test."""
        with python_imports():
            try:
                from pytest_automation_report.recording.attempts import AttemptReader  # noqa: PLC0415 - see above
            except OSError:  # the test has taken all descriptors
                self._release()
                from pytest_automation_report.recording.attempts import AttemptReader  # noqa: PLC0415 - see above
        return AttemptReader(self._options, self._has_plain_name)

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
        if getattr(report, "context", None) is not None and self._reader.add_subtest(attempt, report):
            return
        when = report.when or ""
        if when == "call" and "call" in attempt.phases:
            self._reader.hide_call(attempt)
        is_plain = report.outcome == "passed" and getattr(report, "wasxfail", None) is None
        attempt.phases[when] = None if is_plain else self._reader.phase(report)
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
        plain_nodeid = self._groups.get(nodeid, nodeid)
        if not annotations and self._is_plain_pass(attempt, plain_nodeid):
            file, line = attempt.location[0] if attempt.location else "", line_of(attempt.location)
            passed = Attempt("passed", *attempt.times_us(moment - began))
            return FinishRecord(number, moment, plain_nodeid, passed, began, file, line)
        record = self._reader.record(
            attempt,
            plain_nodeid,
            number=number,
            began=began,
            moment=moment,
            annotations=annotations,
            comparison=comparison,
        )
        if not record.is_final:
            self._before[nodeid] = Leftovers(attempt.sections, attempt.properties)
        return record

    def _is_plain_pass(self, attempt: RunningAttempt, nodeid: str) -> bool:
        """Whether an attempt passed and has nothing else to report, as most do: that costs a third of the others."""
        return (
            attempt.phases == ALL_PASSED
            and attempt.before is NOTHING_LEFT
            and attempt.subtests is None
            and not attempt.hidden
            and not attempt.properties
            and not (attempt.sections and self._needs_output)
            and self._has_plain_name(nodeid)
        )

    def _has_plain_name(self, nodeid: str) -> bool:
        """Whether folder and name certainly show this node id unchanged.

        The check is cheap and may be False for a node id that is shown unchanged: the reader finds that out.
        """
        return (
            0 < len(nodeid) < self._max_plain_length
            and nodeid.isascii()
            and nodeid.isprintable()
            and not nodeid.endswith("::")
        )


SHOWN: Final = 50
"""Most failures of one process that are stored."""

# Of the record with all failures; about the length of one long result.
_MAX_BYTES: Final = 20_000
_TEXT_UNITS: Final = 240


class FailedTest(Struct, frozen=True):
    """A failed test: its name, and the first line of its failure.

    ``line`` is the 1-based line at which it failed, or the line of the test if that is not known.
    """

    status: Status
    folder: str
    name: str
    message: str
    file: str = ""
    line: int | None = None

    @classmethod
    def of_record(cls, record: FinishRecord, prefix: str) -> FailedTest:
        """Return the failure of an attempt; ``prefix`` is that of the folders, the texts are clean already."""
        from pytest_automation_report.recording.results import identity_of, one_based  # noqa: PLC0415 - only for failures

        attempt, identity = record.attempt, identity_of(record.nodeid, prefix=prefix)
        failure = next((field for field in attempt.fields if field.is_highlight), None)
        text = "" if failure is None else failure.meta.get("message") or failure.value or ""
        return cls(
            attempt.status,
            cut_end(record.folder or identity.folder, _TEXT_UNITS),
            cut_end(record.name or identity.name, _TEXT_UNITS),
            cut_end(text.strip().partition("\n")[0], _TEXT_UNITS),
            cut_end(string(record.file), _TEXT_UNITS),
            one_based(record.line) if attempt.line is None else attempt.line,
        )


class Failures:
    """The first failures of one process, in their order; owned by its runtest hooks."""

    __slots__ = ("_remaining_bytes", "kept")

    def __init__(self) -> None:
        self.kept: list[FailedTest] = []
        self._remaining_bytes = _MAX_BYTES

    def add(self, record: FinishRecord, prefix: str) -> None:
        """Store the failure of an attempt while there is room."""
        if len(self.kept) == SHOWN or self._remaining_bytes <= 0:
            return
        failure = FailedTest.of_record(record, prefix)
        texts = (failure.folder, failure.name, failure.message, failure.file)
        # The longest that ASCII JSON can be: two bytes for a quote or a backslash, six for a unit as \uXXXX.
        self._remaining_bytes -= sum(len(text) * 2 if text.isascii() else utf16_length(text) * 6 for text in texts)
        self.kept.append(failure)

    @property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """The members of all failures, as a record holds them."""
        return tuple(map(astuple, self.kept))
