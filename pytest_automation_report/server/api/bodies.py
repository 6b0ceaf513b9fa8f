"""Declare the bodies of requests once: decoding, checks, words of refusals and the columns of the store follow.

msgspec checks a body in one pass and stops at its first mistake. `decoding` then reads it with the same declarations,
so that the answer names every mistake: a ``description`` completes its sentence "Must be ...". An extension that is
malformed or too large is ignored, so that its result is stored.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from msgspec.json import Decoder, decode, encode
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    MAX_ANCESTORS,
    Amount,
    Cause,
    Known,
    SessionSummary,
    SharedFixture,
    ShortText,
    Step,
)
from pytest_automation_report.api.results import AttemptParts, ColourSpans, Phases, Streams, failed_attempts
from pytest_automation_report.api.text_fields import may_say, read_fields
from pytest_automation_report.server.api.decoding import body_from, is_too_deep
from pytest_automation_report.server.store.store import IdempotentRequest
from pytest_automation_report.server.store.values import (
    INT64_MAX,
    RESULT_STATUSES,
    STATUS_IDS,
    Extension,
    ResultClass,
    RunAddition,
    RunningTest,
    RunSubmission,
    StoredAttachment,
    StoredTest,
    ThreadSubmission,
)
from pytest_automation_report.server.store.writes import Writer
from pytest_automation_report.text.limits import ANCESTOR_DIGITS
from pytest_automation_report.text.node_ids import USED_BY_FIELD, read_node_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.values import PartKind

# Largest JSON of one extension that is stored; our clients send at most half of it.
MAX_EXTENSION_BYTES: Final = 64 * 1024
MAX_ATTEMPTS_BYTES: Final = 1 << 20  # largest JSON of all earlier attempts of a test
MAX_RUNNING: Final = 100  # most tests that run at the same time in one thread


class ValueBody(Extension, frozen=True, kw_only=True):
    """A value or a part of one; see `failures.values.Value` for the properties."""

    type: ShortText
    text: str | UnsetType = UNSET
    items: tuple[ValueBody, ...] | UnsetType = UNSET
    entries: tuple[tuple[ValueBody, ValueBody], ...] | UnsetType = UNSET
    fields: tuple[tuple[ShortText, ValueBody], ...] | UnsetType = UNSET
    size: Amount | UnsetType = UNSET
    start: Amount = 0


class ComparisonBody(Extension, frozen=True, kw_only=True):
    """The sides of a comparison that failed."""

    operator: ShortText
    left: ValueBody
    right: ValueBody


class JobBody(Extension, frozen=True, kw_only=True):
    """The job whose results a thread has; see `api.models.JOB`."""

    name: Annotated[str, Meta(min_length=1, max_length=4096)]
    attempt: Annotated[int, Meta(ge=1, le=INT64_MAX)] = 1


class CollectionBody(Extension, frozen=True, kw_only=True):
    """The tests that a session collected, by their digest and number, and how many of them it was to run."""

    digest: Annotated[str, Meta(pattern=r"\A[0-9a-f]{16,64}\Z")]
    tests: Amount
    chosen: Amount


class AttemptBody(AttemptParts, frozen=True, omit_defaults=True):
    """An attempt before the last one."""

    comparison: ComparisonBody | None = None


Steps = tuple[Step, ...]
Attempts = tuple[AttemptBody, ...]


def _column(value: object, most_bytes: int = MAX_EXTENSION_BYTES) -> str | None:
    """Return an extension as JSON, None if it is too large or nested too deeply."""
    body = encode(value)
    return body.decode() if len(body) <= most_bytes and not is_too_deep(decode(body)) else None


NOTE_LENGTH: Final = 80  # longest note, in characters
# Longest name, folder, path or tag, in characters: pages and lists show hundreds of them at once.
NAME_LENGTH: Final = 4096
# Most fields, artifacts or links of one test, or that one request adds to a run or thread; most pairs of a meta.
MAX_ENTRIES: Final = 1000
MAX_TAGS: Final = 100  # most tags of a run
MAX_TESTS: Final = 50_000  # most tests of one append; clients that send whole suites at once must fit
_Text = Annotated[str, Meta(description="a text")]
_Name = Annotated[
    str, Meta(min_length=1, max_length=NAME_LENGTH, description=f"a text of 1 to {NAME_LENGTH} characters")
]
_NameOrEmpty = Annotated[str, Meta(max_length=NAME_LENGTH, description=f"a text of at most {NAME_LENGTH} characters")]
_Note = Annotated[str, Meta(max_length=NOTE_LENGTH, description=f"a text of at most {NOTE_LENGTH} characters")]
_Key = Annotated[str, Meta(pattern=r"\A[a-z0-9]{1,64}\Z", description="1 to 64 of the characters a-z and 0-9")]
# Which schemes a page makes links of is the page's rule.
_Url = Annotated[
    str, Meta(pattern=r"(?s)\A[A-Za-z][A-Za-z0-9+.-]*:.", description="an address with a scheme, like https://")
]
_Count = Annotated[int, Meta(ge=0, le=INT64_MAX, description=f"an integer from 0 to {INT64_MAX}")]
_Id = Annotated[int, Meta(ge=1, le=INT64_MAX, description=f"an integer from 1 to {INT64_MAX}")]
_Status = Annotated[
    str, Meta(pattern=rf"\A({'|'.join(STATUS_IDS)})\Z", description=f"a known status: {', '.join(STATUS_IDS)}")
]
_Ancestor = Annotated[str, Meta(pattern=rf"\A[0-9a-f]{{{ANCESTOR_DIGITS}}}\Z")]
_FieldType = Annotated[int, Meta(ge=1, le=5, description="an integer from 1 to 5")]
_Flag = Annotated[bool, Meta(description="true or false")]
_Pairs = Annotated[dict[str, _Text], Meta(max_length=MAX_ENTRIES, description="an object")]
_Tags = Annotated[tuple[_Name, ...], Meta(max_length=MAX_TAGS, description="a list")]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A JSON object of a request; properties that the contract does not have are ignored."""

    # msgspec refuses unknown properties, which could be nested deeper than any other reader takes: `decoding` reads a
    # body that has some, and finds no mistakes. Bodies are trees, which the garbage collector need not track, and an
    # empty tuple is no new object: with three tracked objects a test, an append in twelve paid 24 ms for a collection.
    # Properties that are left out instead of refused if they are malformed.
    ignorable: ClassVar[frozenset[str]] = frozenset()


class FieldBody(Body, frozen=True, kw_only=True):
    """A field of a run, thread or test, in the order of the stored JSON."""

    type: _FieldType
    name: _Name
    value: _Text | UnsetType | None = UNSET
    meta: _Pairs | UnsetType = UNSET
    is_highlight: _Flag | UnsetType = UNSET


class ArtifactBody(Body, frozen=True, kw_only=True):
    """A file that is stored elsewhere, in the order of the stored JSON."""

    name: _Name
    note: _Note | UnsetType | None = UNSET
    url: _Url
    mime_type: _NameOrEmpty | UnsetType | None = UNSET
    size: _Count | UnsetType | None = UNSET


class LinkBody(Body, frozen=True, kw_only=True):
    """A web address of a run, in the order of the stored JSON."""

    name: _Name
    note: _Note | UnsetType | None = UNSET
    url: _Url


_Fields = Annotated[tuple[FieldBody, ...], Meta(max_length=MAX_ENTRIES, description="a list")]
_Artifacts = Annotated[tuple[ArtifactBody, ...], Meta(max_length=MAX_ENTRIES, description="a list")]
_Links = Annotated[tuple[LinkBody, ...], Meta(max_length=MAX_ENTRIES, description="a list")]


_Causes = Annotated[tuple[Cause, ...], Meta(max_length=MAX_ENTRIES)]


class TestBody(Body, frozen=True, kw_only=True):
    """One result of one test; ``elapsed`` is in microseconds."""

    __test__ = False  # pytest must not collect it

    key: _Key
    name: _Name
    folder: _Name
    status: _Status
    elapsed: _Count | UnsetType = UNSET
    file: _NameOrEmpty | UnsetType = UNSET
    line: _Count | UnsetType = UNSET
    assertions: _Count | UnsetType = UNSET
    fields: _Fields = ()
    artifacts: _Artifacts = ()
    started: Amount | UnsetType = UNSET
    phases: Phases | UnsetType = UNSET
    steps: Steps | UnsetType = UNSET
    comparison: ComparisonBody | UnsetType = UNSET
    colours: ColourSpans | UnsetType = UNSET
    attempts: Attempts | UnsetType = UNSET
    known: Known | UnsetType = UNSET
    causes: _Causes | UnsetType = UNSET
    output: Streams | UnsetType = UNSET
    owner: ShortText | UnsetType = UNSET
    paused: Amount | UnsetType = UNSET

    ignorable: ClassVar[frozenset[str]] = frozenset(
        {
            *("started", "phases", "steps", "comparison", "colours", "attempts", "causes", "output", "owner", "known"),
            "paused",
        }
    )

    def rows(self) -> Iterator[StoredTest]:
        """Yield the test as it is stored, without what shared fixtures did to it, and behind it these fixtures."""
        row, causes = self._row(), self.causes or ()
        shared = [cause for cause in causes if cause.fixtures]
        if not shared:
            yield row
            return
        own = [cause for cause in causes if not cause.fixtures]
        own += [replace(cause, fixtures=(), is_own=False) for cause in shared if cause.is_own]
        kinds = [cause.kind for cause in own]
        if "error" in kinds or "failure" in kinds:
            yield row._replace(causes=encode(own).decode())
        elif any(cause.phase == "setup" for cause in shared):
            yield row._replace(status=STATUS_IDS["blocked"], known=None, is_excused=None)
        else:
            status = STATUS_IDS["skipped" if "skipped" in kinds else "passed"]
            kept = encode(own).decode() if own else None
            yield row._replace(status=status, causes=kept, output=None, owner=None, known=None, is_excused=None)
        node = read_node_id(row.file, row.folder, row.name, self.fields, row.line)
        for cause in shared:
            yield from (_fixture_row(fixture, cause, node) for fixture in cause.fixtures)

    def _row(self) -> StoredTest:
        fields: object = self.fields
        causes, output, owner = self.causes or (), self.output or {}, self.owner or None
        is_told = causes or output or owner
        if not is_told and any(may_say(each.name, each.meta or {}, each.is_highlight) for each in self.fields):
            # A client that knows no extension says it in fields.
            result_class = RESULT_STATUSES[STATUS_IDS[self.status]].result_class
            read = read_fields(
                to_builtins(self.fields),
                has_failed=result_class == ResultClass.FAILURE,
                has_passed=result_class == ResultClass.SUCCESS,
            )
            fields, causes, output, owner = read.fields, tuple(read.causes), read.output, read.owner or None
        return StoredTest(
            self.key,
            self.name,
            self.folder,
            STATUS_IDS[self.status],
            None if self.elapsed is UNSET else self.elapsed,
            None if self.file is UNSET else self.file,
            None if self.line is UNSET else self.line,
            None if self.assertions is UNSET else self.assertions,
            encode(fields).decode() if fields else None,
            encode(self.artifacts).decode() if self.artifacts else None,
            None if self.started is UNSET else self.started,
            *self._phases(),
            _column(self.steps) if self.steps else None,
            None if self.comparison is UNSET else _column(self.comparison),
            _column(self.colours) if self.colours else None,
            _column(self.attempts, MAX_ATTEMPTS_BYTES) if self.attempts else None,
            None if self.known is UNSET else _column(self.known),
            None if self.known is UNSET else not self.known.is_past,
            encode(causes).decode() if causes else None,
            encode(output).decode() if output else None,
            owner,
            failed_attempts(self.attempts) if self.attempts else None,
            None if self.paused is UNSET or self.elapsed is UNSET else min(self.paused, self.elapsed),
        )

    def _phases(self) -> tuple[int | None, int | None]:
        """Return the microseconds of setup and teardown, None for both if they are more than the whole test took."""
        if self.phases is UNSET or self.elapsed is UNSET or self.phases.setup + self.phases.teardown > self.elapsed:
            return None, None
        return self.phases.setup, self.phases.teardown


def _fixture_row(fixture: SharedFixture, cause: Cause, node: str) -> StoredTest:
    """Return the result of a fixture that tests share, which failed in this phase of one of them, ``node``."""
    own = replace(cause, name="Error", phase=fixture.phase, fixtures=(fixture,), is_own=False)
    if fixture.message:
        own = replace(own, message=fixture.message, type="")
    known = fixture.known
    return StoredTest(
        fixture.key,
        fixture.name,
        fixture.folder,
        STATUS_IDS["error"],
        file=fixture.file or None,
        line=fixture.line,
        fields=encode([{"type": 1, "name": USED_BY_FIELD, "value": node}]).decode() if node else None,
        known=None if known is None else _column(known),
        is_excused=None if known is None else not known.is_past,
        causes=encode([own]).decode(),
        is_fixture=True,
    )


class RunAppendBody(Body, frozen=True, kw_only=True):
    """An addition to a run."""

    fields: _Fields = ()
    artifacts: _Artifacts = ()
    links: _Links = ()
    session: SessionSummary | UnsetType = UNSET

    ignorable: ClassVar[frozenset[str]] = frozenset({"session"})

    def addition(self) -> RunAddition:
        """Return the addition as the store takes it."""
        return RunAddition(attachments_of(self), self._session())

    def _session(self) -> dict[str, str | int]:
        return {**_session_columns(self.session), **_count_columns(self.session)}


class RunBody(RunAppendBody, frozen=True, kw_only=True):
    """A run to create; an empty name of a configuration or milestone means none."""

    name: _Name
    source: _Name
    config: _NameOrEmpty = ""
    config_id: _Id | UnsetType = UNSET
    milestone: _NameOrEmpty = ""
    milestone_id: _Id | UnsetType = UNSET
    tags: _Tags = ()

    def submission(self) -> RunSubmission:
        """Return the run as the store takes it."""
        return RunSubmission(
            self.name,
            self.source,
            self.config or None,
            None if self.config_id is UNSET else self.config_id,
            self.milestone or None,
            None if self.milestone_id is UNSET else self.milestone_id,
            self.tags,
            attachments_of(self),
            self._session(),
        )


class RunCompletionBody(Body, frozen=True, kw_only=True):
    """The completion of a run; ``measure_elapsed`` measures its time since its creation, not by its longest thread."""

    measure_elapsed: _Flag = False


class ThreadCompletionBody(Body, frozen=True, kw_only=True):
    """The final durations of a thread, in microseconds."""

    elapsed_observed: _Count | UnsetType = UNSET
    elapsed_computed: _Count | UnsetType = UNSET

    def durations(self) -> dict[str, int]:
        """Return the durations that were sent, by their names."""
        both = {"elapsed_observed": self.elapsed_observed, "elapsed_computed": self.elapsed_computed}
        return {name: value for name, value in both.items() if value is not UNSET}


class ThreadBody(ThreadCompletionBody, frozen=True, kw_only=True):
    """A thread to create."""

    fields: _Fields = ()
    artifacts: _Artifacts = ()
    session_started: Amount | UnsetType = UNSET
    job: JobBody | UnsetType = UNSET
    ancestors: Annotated[tuple[_Ancestor, ...], Meta(max_length=MAX_ANCESTORS)] | UnsetType = UNSET
    session: SessionSummary | UnsetType = UNSET

    ignorable: ClassVar[frozenset[str]] = frozenset(
        {"session_started", "running", "job", "collection", "ancestors", "session"}
    )

    def submission(self, tests: Sequence[StoredTest] = (), **extensions: str | int | None) -> ThreadSubmission:
        """Return the thread as the store takes it, with these tests and these columns of extensions."""
        if self.session_started is not UNSET:
            extensions["session_started"] = self.session_started
        if self.job is not UNSET:
            extensions |= {"job": self.job.name, "attempt": self.job.attempt}
        known = {name: value for name, value in extensions.items() if value is not None}
        of_run: dict[str, str | int] = {**_count_columns(self.session)}
        if self.ancestors is not UNSET:
            of_run["ancestors"] = " ".join(self.ancestors)
        return ThreadSubmission(
            self.durations(), attachments_of(self), tests, {**known, **_session_columns(self.session)}, of_run
        )


class ThreadAppendBody(ThreadBody, frozen=True, kw_only=True):
    """An addition to a thread."""

    # More tests are no mistake in one of them: clients answer 413 by smaller appends.
    tests: Annotated[tuple[TestBody, ...], Meta(max_length=MAX_TESTS, description="a list", extra={"status": 413})] = ()
    running: Annotated[tuple[RunningTest, ...], Meta(max_length=MAX_RUNNING)] | UnsetType = UNSET
    collection: CollectionBody | UnsetType = UNSET

    def addition(self) -> ThreadSubmission:
        """Return the addition as the store takes it."""
        return self.submission(
            [row for test in self.tests for row in test.rows()],
            running=None if self.running is UNSET else _column(self.running),
            collection=None if self.collection is UNSET else _column(self.collection),
        )


def _session_columns(session: SessionSummary | UnsetType) -> dict[str, str | int]:
    """Return the columns of the run or thread that has a session, by what it has told so far."""
    if session is UNSET:
        return {}
    ending = session.ending
    columns = {
        "session_ended": session.ended,
        "ending": None if ending is None else _column(ending),
        "unexplained_exit": ending.status if ending is not None and ending.is_unexplained else None,
        "not_run": session.not_run or None,
    }
    return {name: value for name, value in columns.items() if value is not None}


def _count_columns(session: SessionSummary | UnsetType) -> dict[str, int]:
    """Return the columns of a run whose session has told how many tests it collected."""
    if session is UNSET or session.collected is None:
        return {}
    return {"collected": session.collected, "deselected": session.deselected}


def attachments_of(body: RunAppendBody | ThreadBody) -> tuple[StoredAttachment, ...]:
    """Return the fields, artifacts and links of a body as they are stored; threads have no links."""
    kinds: tuple[PartKind, ...] = ("fields", "artifacts", "links")
    return tuple(StoredAttachment(kind, encode(entry).decode()) for kind in kinds for entry in getattr(body, kind, ()))


class PostOperation(NamedTuple):
    """What a POST does."""

    decoder: Decoder[Any]
    value: Callable[[Any], object]  # what the store takes, from a body
    apply: Callable[[Writer, int, Any], int | None]
    is_body_optional: bool = False

    def __call__(
        self, store: Store, record_id: int, body: bytes, path: str, key: str | None, *, has_all_projects: bool = True
    ) -> int | None:
        """Change the store, once for each ``key``, and return the id of a new record; raises `ApiError`.

        A client that does not have all projects names only contents of its own.
        """
        value = self.value(body_from(body, self.decoder))
        request = IdempotentRequest.of(key, path, body) if key else None
        return store.change(
            lambda writer: self.apply(replace(writer, has_all_projects=has_all_projects), record_id, value), request
        )


# Decoders are made here and not by the first request: msgspec ends the process by a segmentation fault when two threads
# read a class for the first time at the same moment.
POSTS: Final[Mapping[str, PostOperation]] = {
    "/projects/{}/automation/runs": PostOperation(Decoder(RunBody), RunBody.submission, Writer.create_run),
    "/automation/runs/{}/append": PostOperation(Decoder(RunAppendBody), RunAppendBody.addition, Writer.append_to_run),
    "/automation/runs/{}/complete": PostOperation(
        Decoder(RunCompletionBody),
        attrgetter("measure_elapsed"),
        lambda writer, run_id, is_measured: writer.complete_run(run_id, measure_elapsed=is_measured),
        is_body_optional=True,
    ),
    "/automation/runs/{}/threads": PostOperation(
        Decoder(ThreadBody), ThreadBody.submission, Writer.create_thread, is_body_optional=True
    ),
    "/automation/runs/threads/{}/append": PostOperation(
        Decoder(ThreadAppendBody), ThreadAppendBody.addition, Writer.append_to_thread
    ),
    "/automation/runs/threads/{}/complete": PostOperation(
        Decoder(ThreadCompletionBody),
        ThreadCompletionBody.durations,
        Writer.complete_thread,
        is_body_optional=True,
    ),
}
"""The changes by path, with ``{}`` for an id."""
