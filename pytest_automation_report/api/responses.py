"""The response bodies of the API as values, in the words of the contract, with the members that this package reads.

Members on which decisions depend (ids, counts, ``is_completed``) are strict. Others are forgiven: servers leave them
out, or write ``null`` or ``[]`` for "nothing". Each reader raises `ValueError` with the path of the wrong member.
Members that nothing reads are not looked at, and so never make a response unreadable.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from msgspec import Meta, Struct, convert, field
from msgspec.json import Decoder
from msgspec.structs import replace

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Json
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length

T = TypeVar("T")

Id: TypeAlias = Annotated[int, Meta(gt=0, le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_STARTS: Final = ("https://", "http://", f"{EMBEDDED_ORIGIN}/")
# Texts on which no decision depends: a value of another type counts as missing.
_TEXTS: Final = frozenset({"name", "url", "value", "key", "folder", "created_at", "mime_type"})
_NESTED: Final = frozenset({"result", "threads", "fields", "links"})


def _forgiven(document: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON of a server without the nulls, and in the spellings that the classes declare."""
    if type(document) is list:
        return [_forgiven(item) if type(item) is dict else item for item in document]
    if type(document) is not dict:
        return document
    members = {}
    for name, value in document.items():
        # No class has such names; msgspec could not read one with a lone surrogate.
        is_foreign = not name or not name.isascii()
        if is_foreign or value is None or (name in _TEXTS and type(value) is not str):
            continue
        if name in _NESTED:
            members[name] = _forgiven(value)
        elif name == "is_completed" and type(value) is int and value in {0, 1}:
            members[name] = bool(value)
        elif name == "tags" and type(value) is list:
            members[name] = [tag for tag in value if type(tag) is str]
        elif name != "expands" or value != []:  # an empty object of PHP
            members[name] = value
    return members


class FieldText(Struct, frozen=True):
    """Name and value of a field. Its type is not read: a newer server may have others."""

    name: str = ""
    value: str | None = None


class LinkText(Struct, frozen=True):
    """Name and address of a link."""

    name: str = ""
    url: str = ""


class Thread(Struct, frozen=True):
    """A thread of a run, with the numbers of its tests: all, those that passed, and those that failed."""

    id: Id
    is_completed: bool
    # Required: reconciliation would take a missing total for "nothing arrived", and send all again.
    total: Count = field(name="total_count")
    success: Count = field(default=0, name="success_count")
    failure: Count = field(default=0, name="failure_count")
    fields: tuple[FieldText, ...] = ()


class Run(Thread, frozen=True):
    """A run with its threads; ``created_at`` is the server's own text.

    ``document`` is the whole JSON of the response for a single run, empty for a run of a page. Of a page of ours, a run
    has its ``verdict`` in a few words.
    """

    source_id: Id | None = None
    config_id: Id | None = None
    name: str = ""
    threads: tuple[Thread, ...] = ()
    links: tuple[LinkText, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: str | None = None
    verdict: str = ""
    document: Json = field(default_factory=dict, name="")

    def field_value(self, name: str) -> str:
        """Return the value of the first field of this name, "" if there is none."""
        return next((field.value or "" for field in self.fields if field.name == name), "")

    def thread(self, thread_id: int) -> Thread | None:
        """Return the thread with this id, None if the run has no such thread."""
        return next((thread for thread in self.threads if thread.id == thread_id), None)


class RunTest(Struct, frozen=True):
    """One result of a run; servers may leave out everything."""

    id: Id | None = field(default=None, name="automation_test_id")
    key: str | None = None
    name: str | None = None
    folder: str | None = None


class Source(Struct, frozen=True):
    """A source of a project."""

    id: Id
    name: str = ""


class Page(Struct, Generic[T], frozen=True):
    """One page of a list; ``document`` is the server's JSON of it, ``next_page`` None on the last page.

    ``expands`` has the related records that the request named.
    """

    result: tuple[T, ...]
    next_page: Id | None = None
    total: Count = 0
    expands: Json = field(default_factory=dict)
    document: Json = field(default_factory=dict, name="")


class StoredFile(Struct, frozen=True):
    """URL of a stored file; ``mime_type`` is the store's judgement of its type, empty if it made none.

    Raises `ValueError` for a URL that is none of a file.
    """

    url: str
    mime_type: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(_STARTS) or utf16_length(self.url) > STRING_UNITS:
            raise ValueError(f"not a URL for an artifact: {self.url[:100]!r}")


class _Created(Struct):
    id: Id


class _SingleRun(Struct):
    result: Run


# msgspec ends the process by a segmentation fault when two threads read a class for the first time at the same moment:
# this makes all of them ready.
Decoder(tuple[_Created, StoredFile, _SingleRun, Page[Run], Page[RunTest], Page[Source]])


def created_id(document: object) -> int:
    """Return the id of the object that a POST created; raises `ValueError` for an invalid one."""
    return convert(document, _Created).id


def stored_file(document: object) -> StoredFile:
    """Read the response to an upload; raises `ValueError` without the URL of a file."""
    return convert(_forgiven(document), StoredFile)


def run_from(document: Any) -> Run:  # noqa: ANN401 - any JSON
    """Read the response for a single run; raises `ValueError` without a valid id, ``is_completed``, total or thread."""
    return replace(convert(_forgiven(document), _SingleRun).result, document=document)


def page_from(kind: type[Page[T]], document: Any) -> Page[T]:  # noqa: ANN401 - any JSON
    """Read a page of a list; raises `ValueError` without a list of valid records."""
    return replace(convert(_forgiven(document), kind), document=document)
