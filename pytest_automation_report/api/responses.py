"""The response bodies of the API as values, in the words of the contract, with the members that this package reads.

`response_types` has the types: strict for members on which decisions depend (ids, counts, ``is_completed``), tolerant
for others. Each parser raises `JsonError` with the path of the wrong member. Members that nothing reads are not looked
at, and so never make a response unreadable.

The sender reads responses with `JsonValue` and not with msgspec: importing msgspec takes 12 to 40 ms, and a session of
one test needs two or three responses.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

from pytest_automation_report.api.json_values import INLINE
from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Json
from pytest_automation_report.api.response_types import (
    Answer,
    Count,
    Flag,
    Id,
    PhpObject,
    Text,
    TextOrNone,
    Texts,
)
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length
from pytest_automation_report.values import Value, field, replace

T = TypeVar("T")

_STARTS: Final = ("https://", "http://", f"{EMBEDDED_ORIGIN}/")


class FieldText(Answer):
    """Name and value of a field. Its type is not read: a newer server may have others."""

    name: Text = ""
    value: TextOrNone = None


class LinkText(Answer):
    """Name and address of a link."""

    name: Text = ""
    url: Text = ""


class Counts(Answer):
    """Numbers of tests of a run or thread."""

    # Required: reconciliation would take a missing total for "nothing arrived", and send all again.
    total: Count = field(key="total_count")
    success: Count = field(default=0, key="success_count")
    failure: Count = field(default=0, key="failure_count")


class Thread(Answer):
    """A thread of a run, with the counts of its tests."""

    id: Id
    is_completed: Flag
    counts: Counts = field(key=INLINE)
    fields: tuple[FieldText, ...] = ()


class Run(Answer):
    """A run with its threads; ``created_at`` is the server's own text.

    ``document`` is the whole JSON of the response for a single run, empty for a run of a page.
    """

    id: Id
    is_completed: Flag
    counts: Counts = field(key=INLINE)
    source_id: Id | None = None
    config_id: Id | None = None
    name: Text = ""
    threads: tuple[Thread, ...] = ()
    fields: tuple[FieldText, ...] = ()
    links: tuple[LinkText, ...] = ()
    tags: Texts = ()
    created_at: TextOrNone = None
    document: Json = field(default_factory=dict, key=None)

    def field_value(self, name: str) -> str:
        """Return the value of the first field of this name, "" if there is none."""
        return next((field.value or "" for field in self.fields if field.name == name), "")

    def thread(self, thread_id: int) -> Thread | None:
        """Return the thread with this id, None if the run has no such thread."""
        return next((thread for thread in self.threads if thread.id == thread_id), None)


class RunTest(Answer):
    """One result of a run; servers may leave out everything."""

    id: Id | None = field(default=None, key="automation_test_id")
    key: TextOrNone = None
    name: TextOrNone = None
    folder: TextOrNone = None


class Source(Answer):
    """A source of a project."""

    id: Id
    name: Text = ""


class Page(Value, Generic[T]):
    """One page of a list; ``document`` is the server's JSON of it, ``next_page`` None on the last page.

    ``expands`` has the related records that the request named.
    """

    next_page: int | None
    total: int
    result: tuple[T, ...]
    expands: Json
    document: Json


class StoredFile(Answer):
    """URL of a stored file; ``mime_type`` is the store's judgement of its type, empty if it made none.

    Raises `ValueError` for a URL that is none of a file.
    """

    url: str
    mime_type: Text = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(_STARTS) or utf16_length(self.url) > STRING_UNITS:
            raise ValueError(f"not a URL for an artifact: {self.url[:100]!r}")


class _Created(Answer):
    id: Id


class _SingleRun(Answer):
    result: Run


class _PageFrame(Answer):
    """The members of a page that do not depend on its items."""

    next_page: Id | None = None
    total: Count = 0
    expands: PhpObject = field(default_factory=dict)


class _Runs(Answer):
    result: tuple[Run, ...]


class _Tests(Answer):
    result: tuple[RunTest, ...]


class _Sources(Answer):
    result: tuple[Source, ...]


def created_id(document: object) -> int:
    """Return the id of the object that a POST created; raises `JsonError` for an invalid one."""
    return _Created.from_body(document).id


def run_from(document: Any) -> Run:  # noqa: ANN401 - an object, once it is read
    """Read the response for a single run; raises `JsonError` without a valid id, ``is_completed``, total or thread."""
    return replace(_SingleRun.from_body(document).result, document=document)


def page_of_runs(document: object) -> Page[Run]:
    """Read a page of a project's runs; raises `JsonError` without a list of valid runs."""
    return _page(document, _Runs.from_body(document).result)


def page_of_tests(document: object) -> Page[RunTest]:
    """Read a page of a run's results; raises `JsonError` without a list of results, and for an invalid id."""
    return _page(document, _Tests.from_body(document).result)


def page_of_sources(document: object) -> Page[Source]:
    """Read a page of a project's sources; raises `JsonError` without a list of valid sources."""
    return _page(document, _Sources.from_body(document).result)


def _page(document: Any, items: tuple[T, ...]) -> Page[T]:  # noqa: ANN401 - an object, as its items were read
    frame = _PageFrame.from_body(document)
    return Page(frame.next_page, frame.total, items, frame.expands, document)
