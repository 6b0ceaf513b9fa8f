"""The response bodies of the API as values, in the words of the contract, with the members that this package reads.

Parsing is strict for members on which decisions depend (ids, counts, ``is_completed``). Elsewhere it is tolerant:
servers leave members out, or write ``null``, ``[]`` or ``0`` for "nothing". Each parser raises `ValueError` with the
path of the wrong member. Members that nothing reads are not looked at, and so never make a response unreadable.

The sender reads responses with `JsonReader` and not with msgspec: importing msgspec takes 12 to 40 ms, and a session of
one test needs two or three responses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_automation_report.api.json_reader import JsonReader
from pytest_automation_report.api.models import Field, Json
from pytest_automation_report.values import Value, field

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Counts(Value):
    """Numbers of tests of a run or thread."""

    total: int
    success: int = 0
    failure: int = 0


class Thread(Value):
    """A thread of a run, with the counts of its tests."""

    id: int
    is_completed: bool
    counts: Counts
    fields: tuple[Field, ...] = ()


class Run(Value):
    """A run with its threads; ``created_at`` is the server's own text.

    ``document`` is the whole JSON of the response for a single run, empty for a run of a page.
    """

    id: int
    source_id: int | None
    name: str
    is_completed: bool
    counts: Counts
    threads: tuple[Thread, ...]
    fields: tuple[Field, ...]
    tags: tuple[str, ...]
    created_at: str | None
    document: Json = field(default_factory=dict)

    def thread(self, thread_id: int) -> Thread | None:
        """Return the thread with this id, None if the run has no such thread."""
        return next((thread for thread in self.threads if thread.id == thread_id), None)


class RunTest(Value):
    """One result of a run; servers may leave out everything."""

    id: int | None
    key: str | None
    name: str | None
    folder: str | None


class Page(Value, Generic[T]):
    """One page of a list; ``document`` is the server's JSON of it, ``next_page`` None on the last page.

    ``expands`` has the related records that the request named.
    """

    next_page: int | None
    total: int
    result: tuple[T, ...]
    expands: Json
    document: Json


def created_id(document: object) -> int:
    """Return the id of the object that a POST created; raise `ValueError` for an invalid one."""
    return JsonReader(document).identity("id")


def run_from(document: object) -> Run:
    """Read the response for a single run; raise `ValueError` without a valid id, ``is_completed``, total or thread."""
    reader = JsonReader(document)
    return _run(reader.inner("result"), reader.values)


def page_of_runs(document: object) -> Page[Run]:
    """Read a page of a project's runs; raise `ValueError` without a list of valid runs."""
    return _page(document, lambda run: _run(run, {}))


def page_of_tests(document: object) -> Page[RunTest]:
    """Read a page of a run's results; raise `ValueError` without a list of results, and for an invalid id."""
    return _page(document, _run_test)


def page_of_sources(document: object) -> Page[int]:
    """Read the ids on a page of a project's sources; raise `ValueError` without a list of valid sources."""
    return _page(document, lambda source: source.identity("id"))


def _page(document: object, read: Callable[[JsonReader], T]) -> Page[T]:
    reader = JsonReader(document)
    return Page(
        next_page=reader.identity_or_none("next_page"),
        total=reader.count("total"),
        result=tuple(read(item) for item in reader.objects("result", is_required=True)),
        expands=reader.mapping("expands"),
        document=reader.values,
    )


def _run(reader: JsonReader, document: Json) -> Run:
    return Run(
        id=reader.identity("id"),
        source_id=reader.identity_or_none("source_id"),
        name=reader.text_or_none("name") or "",
        is_completed=reader.flag("is_completed"),
        counts=_counts(reader),
        threads=tuple(_thread(thread) for thread in reader.objects("threads")),
        fields=_fields(reader),
        tags=tuple(tag for tag in reader.items("tags") if isinstance(tag, str)),
        created_at=reader.text_or_none("created_at"),
        document=document,
    )


def _thread(reader: JsonReader) -> Thread:
    return Thread(reader.identity("id"), reader.flag("is_completed"), _counts(reader), _fields(reader))


def _counts(reader: JsonReader) -> Counts:
    return Counts(
        # Required: reconciliation would take a missing total for "nothing arrived", and send all again.
        total=reader.count("total_count", is_required=True),
        success=reader.count("success_count"),
        failure=reader.count("failure_count"),
    )


def _fields(reader: JsonReader) -> tuple[Field, ...]:
    """Return the fields without their types: a newer server may have others."""
    return tuple(
        Field(member.text_or_none("name") or "", member.text_or_none("value")) for member in reader.objects("fields")
    )


def _run_test(reader: JsonReader) -> RunTest:
    return RunTest(
        reader.identity_or_none("automation_test_id"),
        reader.text_or_none("key"),
        reader.text_or_none("name"),
        reader.text_or_none("folder"),
    )
