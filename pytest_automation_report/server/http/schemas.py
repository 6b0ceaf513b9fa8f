"""Declare the bodies of requests once: decoding, checks and the words of refusals follow from these structs.

msgspec decodes and checks a body in one pass and stops at its first mistake. `mistakes` then reads the body property by
property with the same declarations, so that the answer names every mistake. A ``description`` completes its sentence
"Must be ...".
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, cast

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from msgspec.json import Encoder
from msgspec.structs import replace

from pytest_automation_report.server.http import extension_bodies
from pytest_automation_report.server.store.inputs import (
    INT64_MAX,
    RunSubmission,
    StoredAttachment,
    StoredTest,
    ThreadSubmission,
    json_text,
)
from pytest_automation_report.server.store.statuses import DEFAULT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.server.store.inputs import Kind
    from pytest_automation_report.server.store.statuses import ResultStatus, StatusTable

NOTE_LENGTH: Final = 80
"""Longest note, in characters."""

NAME_LENGTH: Final = 4096
"""Longest name, folder, path or tag, in characters: pages and lists show hundreds of them at once."""

MAX_ENTRIES: Final = 1000
"""Most fields, artifacts or links of one test, or that one request adds to a run or thread; most pairs of a meta."""

MAX_TAGS: Final = 100
"""Most tags of a run."""

MAX_TESTS: Final = 50_000
"""Most tests of one append; clients that send whole suites at once must fit."""

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
_FieldType = Annotated[int, Meta(ge=1, le=5, description="an integer from 1 to 5")]
_Flag = Annotated[bool, Meta(description="true or false")]
_Pairs = Annotated[dict[str, _Text], Meta(max_length=MAX_ENTRIES, description="an object")]
_Tags = Annotated[tuple[_Name, ...], Meta(max_length=MAX_TAGS, description="a list")]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A JSON object of a request.

    Properties that the contract does not have are ignored, but not by msgspec: they could be nested deeper than any
    other reader takes. A body that has some is read as one with mistakes is, and then found to have none.

    Bodies are trees, so that the garbage collector need not track them, and their lists are tuples, since an empty one
    is no new object. With three tracked objects a test, one append in twelve paid 24 ms for a full collection.
    """

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


class TestBody(Body, frozen=True, kw_only=True):
    """One result of one test; ``elapsed`` is in microseconds."""

    __test__ = False  # pytest must not collect it

    key: _Key
    name: _Name
    folder: _Name
    status: _Text
    elapsed: _Count | UnsetType = UNSET
    file: _NameOrEmpty | UnsetType = UNSET
    line: _Count | UnsetType = UNSET
    assertions: _Count | UnsetType = UNSET
    fields: _Fields = ()
    artifacts: _Artifacts = ()
    started: extension_bodies.Started | UnsetType = UNSET
    phases: extension_bodies.Phases | UnsetType = UNSET
    steps: extension_bodies.Steps | UnsetType = UNSET
    comparison: extension_bodies.ComparisonBody | UnsetType = UNSET
    colours: extension_bodies.Colours | UnsetType = UNSET
    attempts: extension_bodies.Attempts | UnsetType = UNSET

    ignorable: ClassVar[frozenset[str]] = frozenset({"started", "phases", "steps", "comparison", "colours", "attempts"})

    def row(self, by_alias: Mapping[str, ResultStatus]) -> StoredTest:
        """Return the test as it is stored."""
        return StoredTest(
            self.key,
            self.name,
            self.folder,
            by_alias[self.status].id,
            None if self.elapsed is UNSET else self.elapsed,
            None if self.file is UNSET else self.file,
            None if self.line is UNSET else self.line,
            None if self.assertions is UNSET else self.assertions,
            _text(self.fields) if self.fields else None,
            _text(self.artifacts) if self.artifacts else None,
            None if self.started is UNSET else self.started,
            *extension_bodies.phase_columns(self.phases, self.elapsed),
            extension_bodies.steps_column(self.steps),
            extension_bodies.comparison_column(self.comparison),
            extension_bodies.colours_column(self.colours),
            extension_bodies.attempts_column(self.attempts),
        )


class RunAppendBody(Body, frozen=True, kw_only=True):
    """An addition to a run."""

    fields: _Fields = ()
    artifacts: _Artifacts = ()
    links: _Links = ()

    def attachments(self) -> tuple[StoredAttachment, ...]:
        """Return the fields, artifacts and links as they are stored."""
        return (
            *_attachments("fields", self.fields),
            *_attachments("artifacts", self.artifacts),
            *_attachments("links", self.links),
        )


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
            json_text(self.tags),
            self.attachments(),
            tuple(dict.fromkeys(self.tags)),
        )


class RunCompletionBody(Body, frozen=True, kw_only=True):
    """The completion of a run; ``measure_elapsed`` measures its time since its creation, not by its longest thread."""

    measure_elapsed: _Flag = False


class ThreadCompletionBody(Body, frozen=True, kw_only=True):
    """The final durations of a thread, in microseconds."""

    elapsed_observed: _Count | UnsetType = UNSET
    elapsed_computed: _Count | UnsetType = UNSET

    def durations(self) -> tuple[int | None, int | None]:
        """Return the observed and the computed duration, None if missing."""
        return (
            None if self.elapsed_observed is UNSET else self.elapsed_observed,
            None if self.elapsed_computed is UNSET else self.elapsed_computed,
        )


class ThreadBody(ThreadCompletionBody, frozen=True, kw_only=True):
    """A thread to create."""

    fields: _Fields = ()
    artifacts: _Artifacts = ()
    session_started: extension_bodies.Started | UnsetType = UNSET
    job: extension_bodies.JobBody | UnsetType = UNSET

    ignorable: ClassVar[frozenset[str]] = frozenset({"session_started", "running", "job", "collection"})

    def submission(
        self, tests: Sequence[StoredTest] = (), statuses: StatusTable = DEFAULT_STATUSES
    ) -> ThreadSubmission:
        """Return the thread as the store takes it."""
        attachments = (*_attachments("fields", self.fields), *_attachments("artifacts", self.artifacts))
        session_started = None if self.session_started is UNSET else self.session_started
        job = (None, None) if self.job is UNSET else (self.job.name, self.job.attempt)
        return ThreadSubmission(*self.durations(), attachments, tests, statuses, session_started, *job)


class ThreadAppendBody(ThreadBody, frozen=True, kw_only=True):
    """An addition to a thread; `thread_append` returns its form for a project's statuses."""

    tests: tuple[TestBody, ...] = ()
    running: extension_bodies.Running | UnsetType = UNSET
    collection: extension_bodies.CollectionBody | UnsetType = UNSET

    def addition(self, statuses: StatusTable) -> ThreadSubmission:
        """Return the addition as the store takes it; the body must have been checked with the same statuses."""
        by_alias = statuses.by_alias
        submission = self.submission([test.row(by_alias) for test in self.tests], statuses)
        return replace(
            submission,
            running=extension_bodies.running_column(self.running),
            collection=extension_bodies.collection_column(self.collection),
        )


@lru_cache(maxsize=64)
def thread_append(statuses: StatusTable) -> type[ThreadAppendBody]:
    """Return the append of a project: the words that a test's status may have are the project's."""
    aliases = tuple(statuses.by_alias)
    status: Any = Annotated[Literal[aliases], Meta(description=f"a known status: {', '.join(aliases)}")]
    test = defstruct("TestBody", [("status", status)], bases=(TestBody,), kw_only=True)
    # More tests are no mistake in one of them: clients answer 413 by smaller appends.
    tests: Any = Annotated[tuple[test, ...], Meta(max_length=MAX_TESTS, description="a list", extra={"status": 413})]  # type: ignore[valid-type] # as above
    properties: Any = [("tests", tests, ())]
    body = defstruct("ThreadAppendBody", properties, bases=(ThreadAppendBody,), kw_only=True)
    return cast("type[ThreadAppendBody]", body)


_encode = Encoder().encode


def _text(value: object) -> str:
    """Return a struct, or a list of them, as compact JSON without the properties that were not sent."""
    return _encode(value).decode()


def _attachments(kind: Kind, entries: Iterable[Body]) -> Iterable[StoredAttachment]:
    return (StoredAttachment(kind, _text(entry)) for entry in entries)
