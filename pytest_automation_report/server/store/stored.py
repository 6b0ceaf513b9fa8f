"""Define the records of a store as values, and make them of rows.

A member has the name of its column without ``_id``.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - get_type_hints looks it up
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, field

from pytest_automation_report.api.models import Cause, Ending, Known, SessionSummary
from pytest_automation_report.server.store.values import PartKind, ResultStatus, RunningTest, not_found, slot_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_automation_report.server.store.database import StoreConnection

T = TypeVar("T", bound=Struct)


class Columns(Generic[T]):
    """The columns that the members of a Struct have: ``sql`` names them in a SELECT, and a row becomes the Struct.

    A member of a tuple or a Struct is stored as JSON; one with a default is no column.
    """

    def __init__(self, struct: type[T], sql: str = "", table: str = "") -> None:
        self._struct = struct
        columns = struct.__struct_encode_fields__[: len(struct.__struct_fields__) - len(struct.__struct_defaults__)]
        self.sql = sql or ", ".join(f'{table}"{column}"' for column in columns)

    @cached_property
    def _converters(self) -> list[tuple[int, Callable[[Any], object]]]:
        # Only when a row is read: to resolve all of these types costs a sender that starts 2 ms.
        hints = get_type_hints(self._struct)
        found = [_converter(hints[name]) for name in self._struct.__struct_fields__]
        return [(place, convert) for place, convert in enumerate(found) if convert is not None]

    def make(self, row: Sequence[Any]) -> T:
        """Return the Struct of a row that has the columns of ``sql``."""
        values = [*row]
        for place, convert in self._converters:
            if values[place] is not None:
                values[place] = convert(values[place])
        return self._struct(*values)

    def each(
        self, connection: StoreConnection, rest: str, values: Sequence[object] = (), before: str = ""
    ) -> Iterator[T]:
        """Yield the records that a SELECT finds; ``rest`` follows its columns, ``before`` is its WITH."""
        cursor = connection.cursor(f"{before}SELECT {self.sql} {rest}", values)
        if self._converters:
            yield from map(self.make, cursor)
        else:
            struct = self._struct
            yield from (struct(*row) for row in cursor)

    def all(self, connection: StoreConnection, rest: str, values: Sequence[object] = (), before: str = "") -> list[T]:
        """Return the records that a SELECT finds, as `each` yields them."""
        return [*self.each(connection, rest, values, before)]

    def first(self, connection: StoreConnection, rest: str, values: Sequence[object] = ()) -> T | None:
        """Return the first record that a SELECT finds, None without one."""
        return next(iter(self.all(connection, rest, values)), None)


def known(what: str, found: T | None) -> T:
    """Return a record that was looked for; raises `ApiError` (404) if there is none."""
    if found is None:
        raise not_found(what)
    return found


def _converter(hint: Any) -> Callable[[Any], object] | None:  # noqa: ANN401 - of any type
    """Return what makes a member's value of that of its column; None for values that are the same."""
    kinds = {*get_args(hint)} - {type(None)} if type(None) in get_args(hint) else {hint}
    if kinds == {bool}:
        return bool  # SQLite has 0 and 1
    if all(kind in {int, str, float} or get_origin(kind) is Literal for kind in kinds):
        return None
    (kind,) = kinds
    return msgspec.json.Decoder(kind).decode


class Counts(Struct, frozen=True):
    """Numbers of results of a run or thread, by the contract's names; one of a status has its name in `slot_name`."""

    untested_count: int
    status1_count: int
    status2_count: int
    status3_count: int
    status4_count: int
    status5_count: int
    success_count: int
    failure_count: int
    completed_count: int
    total_count: int

    def of_status(self, status_id: int) -> int:
        """Return the number of results with this status."""
        return int(getattr(self, slot_name(status_id)))


class StoredRun(Counts, frozen=True):
    """A run; times are microseconds since 1970, and as the table ``run`` says."""

    id: int
    project: int = field(name="project_id")
    source: int = field(name="source_id")
    name: str
    config: int | None = field(name="config_id")
    milestone: int | None = field(name="milestone_id")
    tags: tuple[str, ...]
    status: int
    is_completed: bool
    elapsed: int | None
    thread_count: int
    thread_active_count: int
    created: int
    updated: int | None
    completed: int | None
    branch: str | None
    commit: str | None
    target_branch: str | None
    author: str | None
    selection: str | None
    collected: int | None
    deselected: int | None
    changes: str | None
    speed: float | None
    session_ended: int | None
    unexplained_exit: int | None
    ending: Ending | None
    not_run: int | None

    @property
    def session(self) -> SessionSummary:
        """What its session has told of itself."""
        return SessionSummary(self.session_ended, self.ending, self.collected, self.deselected or 0, self.not_run or 0)

    @property
    def changed(self) -> int:
        """The time of the last news of the run."""
        return self.updated or self.created


class CollectedTests(Struct, frozen=True):
    """The tests that a session collected, by their digest and number, and how many of them it was to run."""

    digest: str
    tests: int
    chosen: int


class StoredThread(Counts, frozen=True):
    """A thread of a run; ``position`` counts from 1 in it, and the rest is as the table ``thread`` says."""

    id: int
    run: int = field(name="run_id")
    position: int
    status: int
    is_completed: bool
    elapsed_observed: int | None
    elapsed_computed: int | None
    created: int
    completed: int | None
    session_started: int | None
    running: tuple[RunningTest, ...] | None
    job: str | None
    attempt: int | None
    collection: CollectedTests | None
    session_ended: int | None
    unexplained_exit: int | None
    ending: Ending | None
    not_run: int | None

    @property
    def session(self) -> SessionSummary:
        """What the session that it is of has told of itself."""
        return SessionSummary(self.session_ended, self.ending, not_run=self.not_run or 0)


class StoredEntry(Struct, frozen=True):
    """A field, artifact or link; members that its kind does not have, or its client left out, have their defaults."""

    name: str
    type: int = 1
    value: str | None = None
    meta: Mapping[str, str] = {}
    is_highlight: bool = False
    url: str = ""
    note: str | None = None
    mime_type: str | None = None
    size: int | None = None


_entries: Final = msgspec.json.Decoder(tuple[StoredEntry, ...]).decode
_causes: Final = msgspec.json.Decoder(tuple[Cause, ...]).decode


def entries_in(text: str | None) -> tuple[StoredEntry, ...]:
    """Return the fields or artifacts of a result, as a column has them."""
    return _entries(text) if text else ()


def causes_in(text: str | None) -> tuple[Cause, ...]:
    """Return the causes of a result, as a column has them."""
    return _causes(text) if text else ()


class Attachment(Struct, frozen=True):
    """A field, artifact or link of a run, or of one of its threads."""

    run: int = field(name="run_id")
    thread: int | None = field(name="thread_id")
    kind: PartKind
    body: StoredEntry


class Named(Struct, frozen=True):
    """A record that runs refer to."""

    id: int
    name: str


class NamedStatus(ResultStatus, frozen=True):
    """A result status with its name for programs."""

    program_name: str = field(name="system_name", default="")


class SuiteNumbers(Struct, frozen=True):
    """A source with the number of its runs, the time of the last one and its status, and means of all of them."""

    id: int
    project: int
    name: str
    created: int
    run_count: int
    ran: int | None
    test_average: float | None
    elapsed_average: float | None
    last_run_status: int | None


class TestOfRun(Struct, frozen=True):
    """A result as the contract's list of tests has it; ``status`` is the class of its status."""

    __test__ = False  # pytest must not collect it

    id: int
    thread: int
    case: int
    name: str
    folder: str
    status: int
    elapsed: int | None
    created: int
    key: str


class Suite(Struct, frozen=True):
    """A source of runs."""

    id: int
    project: int = field(name="project_id")
    name: str


class BriefResult(Struct, frozen=True):
    """A result by name; ``elapsed`` is in microseconds."""

    id: int
    name: str
    folder: str
    status: int
    elapsed: int | None


class ListedResult(BriefResult, frozen=True):
    """A result as lists show it; ``message`` is the first line of a failure's, ``run`` is known to searches alone."""

    case: int = field(name="case_id")
    file: str | None
    line: int | None
    thread: int = field(name="thread_id")
    failed_attempts: int | None
    phase: str | None
    message: str | None
    fingerprint: int | None


class FoundResult(ListedResult, frozen=True):
    """A result that a search of all stored runs finds."""

    run: int = field(name="run_id")


class ReportedResult(ListedResult, frozen=True):
    """A result as the report in one file lists it.

    ``skip`` has the causes of a result that has nothing else, ``facts`` the fields by which lists may select.
    """

    result_class: int
    artifacts: str | None
    has_more: bool
    skip: str | None
    facts: str | None
    owner: str | None
    is_xpass: bool | None


class StoredResult(FoundResult, frozen=True):
    """A result with all that is stored of it, as the table ``result`` says."""

    result_class: int
    is_replaced: bool
    assertions: int | None
    fields: str | None
    artifacts: str | None
    created: int
    started: int | None
    setup: int | None
    teardown: int | None
    steps: str | None
    comparison: str | None
    colours: str | None
    attempts: str | None
    known: Known | None
    is_excused: bool | None
    causes: str | None
    output: str | None
    owner: str | None
    paused: int | None
    key: str = ""
    source: int = 0
    moved_from: int | None = None


class StoredCase(Struct, frozen=True):
    """A test across runs."""

    id: int
    source: int = field(name="source_id")
    key: str
    moved_from: int | None


class PastResult(Struct, frozen=True):
    """A result in the history of its test, with its run and job."""

    id: int
    run: int
    name: str
    folder: str
    file: str | None
    line: int | None
    status: int
    result_class: int
    elapsed: int | None
    created: int
    failed_attempts: int | None
    fingerprint: int | None
    message: str | None
    branch: str | None
    commit: str | None
    changes: str | None
    job: str | None
    attempt: int | None
    thread: int


FACTS: Final = 'CASE WHEN "fields" LIKE ? THEN "fields" END, "owner", "causes" LIKE ?'
"""The columns from which `overview.facts_of` returns the facts of a test, with `overview.FACTS_VALUES`."""

RUN: Final = Columns(StoredRun)
BRIEF: Final = Columns(BriefResult)
LISTED: Final = Columns(ListedResult)
FOUND: Final = Columns(FoundResult)
RESULT: Final = Columns(StoredResult)
CASE: Final = Columns(StoredCase)
REPORTED: Final = Columns(
    ReportedResult,
    f'{LISTED.sql}, "result_class", "artifacts", COALESCE("fields", "steps", "causes", "output") IS NOT NULL,'
    ' CASE WHEN "result_class" NOT IN (2, 3) AND COALESCE("fields", "steps", "output") IS NULL THEN "causes" END,'
    f" {FACTS}",
)
PAST: Final = Columns(
    PastResult,
    'r."id", r."run_id", r."name", r."folder", r."file", r."line", r."status", r."result_class", r."elapsed",'
    ' r."created", r."failed_attempts", r."fingerprint", r."message", u."branch", u."commit", u."changes",'
    ' t."job", t."attempt", t."id"',
)
THREAD: Final = Columns(StoredThread)
ATTACHMENT: Final = Columns(Attachment)
NAMED: Final = Columns(Named)
SUITE: Final = Columns(Suite)
SUITE_NUMBERS: Final = Columns(
    SuiteNumbers,
    's."id", s."project_id", s."name", s."created", COUNT(r."id"), MAX(r."created"), AVG(r."total_count"),'
    ' AVG(r."elapsed"), (SELECT l."status" FROM "run" AS l WHERE l."source_id" = s."id"'
    ' ORDER BY l."created" DESC, l."id" DESC LIMIT 1)',
)
TEST_OF_RUN: Final = Columns(
    TestOfRun,
    '"result"."id", "result"."thread_id", "result"."case_id", "result"."name", "result"."folder",'
    ' "result"."result_class", "result"."elapsed", "result"."created", "case"."key"',
)
