"""The response bodies of the API as values, in the words of the contract.

Parsing is strict for members on which decisions depend (ids, counts, ``is_completed``). Elsewhere it is tolerant:
servers leave members out, or write ``null``, ``[]`` or ``0`` for "nothing". Each ``from_json`` raises `ValueError` with
the path of the wrong member. Elapsed times are whole microseconds; points in time are the server's own texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pytest_automation_report.api.json_reader import JsonReader
from pytest_automation_report.api.models import Artifact, Field, FieldType, Json, Link

if TYPE_CHECKING:
    from collections.abc import Callable

CUSTOM_STATUSES = 24
"""Number of ``statusN_count`` members beside ``untested_count``."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of tests of a run or thread; ``statuses[N-1]`` is the contract's ``statusN_count``."""

    total: int
    success: int = 0
    failure: int = 0
    completed: int = 0
    untested: int = 0
    statuses: tuple[int, ...] = (0,) * CUSTOM_STATUSES

    @classmethod
    def from_json(cls, obj: object) -> Counts:
        """Read the counts of a run or thread; raise `ValueError` without a ``total_count``."""
        return _counts(JsonReader(obj))


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of a run, with the counts of its tests."""

    id: int
    index: int
    name: str
    status: int | None
    elapsed: int | None
    is_completed: bool
    counts: Counts
    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    created_at: str | None = None
    created_by: int | None = None
    completed_at: str | None = None
    completed_by: int | None = None

    @classmethod
    def from_json(cls, obj: object) -> Thread:
        """Read a thread; raise `ValueError` without a valid id, ``is_completed`` or total."""
        return _thread(JsonReader(obj))


@dataclass(frozen=True, slots=True)
class Run:
    """A run with its threads; ``expands`` has the related records that the request named."""

    id: int
    project_id: int | None
    source_id: int | None
    name: str
    status: int | None
    is_completed: bool
    counts: Counts
    config_id: int | None = None
    milestone_id: int | None = None
    elapsed: int | None = None
    threads: tuple[Thread, ...] = ()
    fields: tuple[Field, ...] = ()
    links: tuple[Link, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    tags: tuple[str, ...] = ()
    thread_count: int = 0
    thread_active_count: int = 0
    thread_completed_count: int = 0
    created_at: str | None = None
    created_by: int | None = None
    updated_at: str | None = None
    updated_by: int | None = None
    completed_at: str | None = None
    completed_by: int | None = None
    expands: Json = field(default_factory=dict)

    @classmethod
    def from_json(cls, obj: object) -> Run:
        """Read a run; raise `ValueError` without a valid id, ``is_completed`` or total, or with an invalid thread."""
        return _run(JsonReader(obj), {})

    @classmethod
    def from_row(cls, obj: object) -> Run:
        """Read the response for a single run: an object with ``result`` and ``expands``."""
        row = JsonReader(obj)
        return _run(row.inner("result"), row.mapping("expands"))

    def thread(self, thread_id: int) -> Thread | None:
        """Return the thread with this id, None if the run has no such thread."""
        return next((thread for thread in self.threads if thread.id == thread_id), None)


@dataclass(frozen=True, slots=True)
class RunTest:
    """One result of a run; servers may leave out everything but the ids."""

    id: int | None
    automation_case_id: int | None
    repository_case_id: int | None
    key: str | None = None
    name: str | None = None
    folder: str | None = None
    status: int | None = None
    elapsed: int | None = None
    thread_id: int | None = None
    created_at: str | None = None

    @classmethod
    def from_json(cls, obj: object) -> RunTest:
        """Read a result; raise `ValueError` for an invalid id."""
        return _run_test(JsonReader(obj))


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a project."""

    id: int
    project_id: int | None
    name: str
    status: int | None
    is_retired: bool
    run_count: int = 0
    test_count_average: int | None = None
    elapsed_average: int | None = None
    ran_at: str | None = None
    created_at: str | None = None
    created_by: int | None = None
    updated_at: str | None = None
    updated_by: int | None = None
    retired_at: str | None = None
    retired_by: int | None = None
    expands: Json = field(default_factory=dict)

    @classmethod
    def from_json(cls, obj: object) -> Source:
        """Read a source; raise `ValueError` without a valid id."""
        return _source(JsonReader(obj), {})

    @classmethod
    def from_row(cls, obj: object) -> Source:
        """Read the response for a single source: an object with ``result`` and ``expands``."""
        row = JsonReader(obj)
        return _source(row.inner("result"), row.mapping("expands"))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; the page numbers are None if there is no such page."""

    page: int | None
    prev_page: int | None
    next_page: int | None
    last_page: int | None
    per_page: int
    total: int
    result: tuple[T, ...]
    expands: Json


class RunPage(Page[Run]):
    """One page of a project's runs."""

    __slots__ = ()

    @classmethod
    def from_json(cls, obj: object) -> RunPage:
        """Read the page; raise `ValueError` without a list of valid runs."""
        return cls(**_page(JsonReader(obj), lambda reader: _run(reader, {})))


class TestPage(Page[RunTest]):
    """One page of a run's results."""

    __slots__ = ()
    __test__ = False  # pytest must not collect it

    @classmethod
    def from_json(cls, obj: object) -> TestPage:
        """Read the page; raise `ValueError` without a list of results."""
        return cls(**_page(JsonReader(obj), _run_test))


class SourcePage(Page[Source]):
    """One page of a project's sources."""

    __slots__ = ()

    @classmethod
    def from_json(cls, obj: object) -> SourcePage:
        """Read the page; raise `ValueError` without a list of valid sources."""
        return cls(**_page(JsonReader(obj), lambda reader: _source(reader, {})))


def created_id(obj: object) -> int:
    """Return the id of the object that a POST created; raise `ValueError` for an invalid one."""
    return JsonReader(obj).identity("id")


def _page(members: JsonReader, read: Callable[[JsonReader], T]) -> dict[str, Any]:
    return {
        **{name: members.identity_or_none(name) for name in ("page", "prev_page", "next_page", "last_page")},
        "per_page": members.count("per_page"),
        "total": members.count("total"),
        "result": tuple(read(item) for item in members.objects("result", is_required=True)),
        "expands": members.mapping("expands"),
    }


def _counts(members: JsonReader) -> Counts:
    return Counts(
        # Required: reconciliation would take a missing total for "nothing arrived", and send all again.
        total=members.count("total_count", is_required=True),
        success=members.count("success_count"),
        failure=members.count("failure_count"),
        completed=members.count("completed_count"),
        untested=members.count("untested_count"),
        statuses=tuple(members.count(f"status{number}_count") for number in range(1, CUSTOM_STATUSES + 1)),
    )


def _thread(members: JsonReader) -> Thread:
    return Thread(
        id=members.identity("id"),
        index=members.count("index"),
        name=members.text("name"),
        status=members.number_or_none("status"),
        elapsed=members.number_or_none("elapsed"),
        is_completed=members.flag("is_completed", is_required=True),
        counts=_counts(members),
        fields=_fields(members),
        artifacts=_artifacts(members),
        **_events(members, "created", "completed"),
    )


def _run(members: JsonReader, expands: Json) -> Run:
    return Run(
        id=members.identity("id"),
        project_id=members.identity_or_none("project_id"),
        source_id=members.identity_or_none("source_id"),
        name=members.text("name"),
        status=members.number_or_none("status"),
        is_completed=members.flag("is_completed", is_required=True),
        counts=_counts(members),
        config_id=members.number_or_none("config_id"),
        milestone_id=members.number_or_none("milestone_id"),
        elapsed=members.number_or_none("elapsed"),
        threads=tuple(_thread(thread) for thread in members.objects("threads")),
        fields=_fields(members),
        links=tuple(
            Link(link.text("name"), link.text("url"), link.text_or_none("note")) for link in members.objects("links")
        ),
        artifacts=_artifacts(members),
        tags=tuple(tag for tag in members.items("tags") if isinstance(tag, str)),
        thread_count=members.count("thread_count"),
        thread_active_count=members.count("thread_active_count"),
        thread_completed_count=members.count("thread_completed_count"),
        **_events(members, "created", "updated", "completed"),
        expands=expands,
    )


def _run_test(members: JsonReader) -> RunTest:
    return RunTest(
        id=members.identity_or_none("automation_test_id"),
        automation_case_id=members.identity_or_none("automation_case_id"),
        repository_case_id=members.identity_or_none("repository_case_id"),
        key=members.text_or_none("key"),
        name=members.text_or_none("name"),
        folder=members.text_or_none("folder"),
        status=members.number_or_none("status"),
        elapsed=members.number_or_none("elapsed"),
        thread_id=members.identity_or_none("thread_id"),
        created_at=members.text_or_none("created_at"),
    )


def _source(members: JsonReader, expands: Json) -> Source:
    return Source(
        id=members.identity("id"),
        project_id=members.identity_or_none("project_id"),
        name=members.text("name"),
        status=members.number_or_none("status"),
        is_retired=members.flag("is_retired"),
        run_count=members.count("run_count"),
        test_count_average=members.number_or_none("test_count_average"),
        elapsed_average=members.number_or_none("elapsed_average"),
        ran_at=members.text_or_none("ran_at"),
        **_events(members, "created", "updated", "retired"),
        expands=expands,
    )


def _events(members: JsonReader, *events: str) -> dict[str, Any]:
    """Return time and user id of each event."""
    return {
        **{f"{event}_at": members.text_or_none(f"{event}_at") for event in events},
        **{f"{event}_by": members.number_or_none(f"{event}_by") for event in events},
    }


def _fields(members: JsonReader) -> tuple[Field, ...]:
    return tuple(_field(field_) for field_ in members.objects("fields"))


def _field(members: JsonReader) -> Field:
    type_ = members.number_or_none("type")
    meta = members.values.get("meta")
    return Field(
        name=members.text("name"),
        value=members.text_or_none("value"),
        # A newer server may have types that we do not know: these are read as text.
        type=FieldType(type_) if type_ in set(FieldType) else FieldType.TEXT,
        meta={name: text for name, text in meta.items() if isinstance(text, str)} if isinstance(meta, dict) else {},
    )


def _artifacts(members: JsonReader) -> tuple[Artifact, ...]:
    return tuple(
        Artifact(
            name=artifact.text("name"),
            url=artifact.text("url"),
            note=artifact.text_or_none("note"),
            mime_type=artifact.text_or_none("mime_type"),
            size=artifact.number_or_none("size"),
        )
        for artifact in members.objects("artifacts")
    )
