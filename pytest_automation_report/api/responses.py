"""Responses: `classify` sorts each into a success or an error; other classes are bodies in the words of the contract.

`classify` is the only rule, and opens no connection, so that tests can try every case: a result is lost or delivered
twice exactly where this rule is wrong.

=================================================  ==========================================================
response                                           result
=================================================  ==========================================================
the documented status, a body that can be parsed   the parsed body
the documented status, any other body              unknown: `UnknownAnswerError`
429                                                again: `ThrottledError`
401, 403                                           refused: `TokenRefusedError`
3xx, and 4xx but those named here                  refused: `RefusedError`
409 with ``Retry-After``, whole request sent       unknown: `InProgressError`
408, 409, 5xx, another 2xx                         unknown if the whole request left this machine, else again
no response                                        unknown if the whole request left this machine, else again
=================================================  ==========================================================

Of bodies, members on which decisions depend (ids, counts, ``is_completed``) are strict. Others are forgiven: servers
leave them out, or write ``null`` or ``[]`` for "nothing". Each reader raises `ValueError` with the path of the wrong
member. Members that nothing reads never make a response unreadable.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, Generic, Literal, TypeAlias, TypeVar

from msgspec import Meta, Struct, ValidationError, convert, field
from msgspec.json import Decoder
from msgspec.structs import replace

from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Json, SessionSummary
from pytest_automation_report.api.sessions import session_fields, session_from
from pytest_automation_report.errors import AutomationReportError
from pytest_automation_report.text.dates import time_from
from pytest_automation_report.text.limits import STRING_UNITS, utf16_length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

TEXT_CHARACTERS: Final = 200  # of the server in a message, at most
_CONFLICT: Final = 409
# Time-out and conflict: the server may apply the request all the same.
_UNKNOWN_4XX: Final = (408, _CONFLICT)


class ClientError(AutomationReportError):
    """A request to the server did not succeed.

    ``status`` is the response's, 0 without one. ``errors`` is the server's map of property paths to messages.
    ``retry_after_seconds`` is None if ``Retry-After`` is missing or invalid.
    """

    def __init__(
        self,
        message: str,
        status: int = 0,
        errors: Mapping[str, Sequence[str]] | None = None,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.errors, self.retry_after_seconds = status, dict(errors or {}), retry_after_seconds


class NotSentError(ClientError):
    """The whole request never left this machine (DNS, connect, TLS, proxy, cut body): safe to repeat."""


class OutOfTimeError(NotSentError):
    """The time that the client has for all of its requests was over before this one."""


class ThrottledError(ClientError):
    """The server answered 429."""


class RefusedError(ClientError):
    """The server refused the request, and would refuse it again (3xx, or 4xx but 401, 403, 408, 409 and 429)."""


class TokenRefusedError(ClientError):
    """The server answered 401 or 403: the token is wrong, revoked, or its user may not do this.

    Not a `RefusedError`: a caller can skip a refused request and send others, but not without a valid token.
    """


class UnknownAnswerError(ClientError):
    """The server may or may not have applied the request (time-out, reset, 5xx, an invalid response)."""


class InProgressError(UnknownAnswerError):
    """The server answered 409 with ``Retry-After``: it is still working on a request with the same idempotency key."""


class ApiRequest(Struct, frozen=True):
    """One request of the API."""

    method: Literal["GET", "POST"]
    path: str
    success: Literal[200, 201, 204]  # the documented status of its response
    query: Mapping[str, str] = {}
    body: bytes | None = None  # JSON
    file: tuple[BinaryIO, int] | None = None  # to upload, with its size in bytes
    key: str = ""  # its Idempotency-Key


class HttpResponse(Struct, frozen=True):
    """A response that arrived completely; the three headers are empty if missing."""

    status: int
    body: bytes = b""
    retry_after: str = ""
    date: str = ""
    location: str = ""


class NoResponse(Struct, frozen=True):
    """A response that is missing, incomplete or cannot be read, with the reason in a few words."""

    reason: str


HttpOutcome: TypeAlias = "HttpResponse | NoResponse"


def classify(
    request: ApiRequest, outcome: HttpOutcome, parse: Callable[[object], T], *, was_sent: bool, secret: str = ""
) -> T:
    """Return the parsed body of a documented success; raise the error of its class for everything else.

    ``parse`` gets the JSON value of the body, None for a 204, and raises `ValueError` for a value of the wrong shape.
    ``was_sent`` is True if the last byte of the request left this machine. ``secret`` is removed from all messages,
    also if the server repeats it.
    """
    if isinstance(outcome, HttpResponse) and outcome.status == request.success and was_sent:
        try:
            return parse(None if request.success == 204 else decoded(outcome.body))  # noqa: PLR2004 - no content
        except ValueError as error:
            reason = f"{outcome.status} with an invalid body ({error})"
        raise UnknownAnswerError(displayable(reason, secret))
    raise _error(request, outcome, was_sent=was_sent, secret=secret)


def decoded(body: bytes) -> object:
    """Return the JSON value of a body; raise `ValueError` for anything else, also for values nested too deep."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def retry_after_seconds(value: str, date: str) -> float | None:
    """Return the seconds of a ``Retry-After`` header: never negative, None for a header that cannot be read.

    A date is compared with the ``Date`` header of the same response, so that our own clock may be wrong.
    """
    value = value.strip()
    if re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value):
        return max(0.0, float(value))
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - the embedded store sends no dates

    try:
        moments = [parsedate_to_datetime(text) for text in (value, date)]
        # A date without a zone is one of UTC.
        then, now = (moment.replace(tzinfo=moment.tzinfo or timezone.utc) for moment in moments)
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # the e-mail parser raises all of these
        return None


def parse_time(text: str | None) -> datetime | None:
    """Return a time that the server gave, UTC in ISO 8601; None for any other text."""
    try:
        return time_from(text or "")
    except ValueError:
        return None


def displayable(text: str, secret: str = "") -> str:
    """Return a text of the server as one line for a message: cut, without the secret, and printable."""
    # Stricter than `text.limits.visible`: behind characters that it keeps a server could hide its text in a log.
    head = (text.replace(secret, "***") if secret else text)[:TEXT_CHARACTERS]
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in head)
    return shown[:TEXT_CHARACTERS]


def _error(  # noqa: PLR0911 - a table of responses and statuses
    request: ApiRequest, outcome: HttpOutcome, *, was_sent: bool, secret: str
) -> ClientError:
    if isinstance(outcome, NoResponse):
        message = displayable(outcome.reason, secret)
        return UnknownAnswerError(message) if was_sent else NotSentError(message)
    status = outcome.status
    text, errors = _error_texts(outcome.body, secret)
    # Another 2xx looks like a success: only then the message names the status that was expected.
    is_plain = status >= 300 or status == request.success  # noqa: PLR2004 - the first redirect
    shown = str(status) if is_plain else f"{status} instead of {request.success}"
    message = displayable(f"{shown}: {text}" if text else f"the server answered {shown}", secret)
    wait_seconds = retry_after_seconds(outcome.retry_after, outcome.date)
    match status:
        case 429:
            return ThrottledError(message, status, retry_after_seconds=wait_seconds)
        case 401 | 403:
            return TokenRefusedError(message, status)
    if 300 <= status < 400:  # noqa: PLR2004 - the range of redirects
        target = f" to {outcome.location}" if outcome.location else ""
        reason = f"redirected ({status}{target}): the server's URL is wrong"
        return RefusedError(displayable(reason, secret), status)
    if 400 <= status < 500 and status not in _UNKNOWN_4XX:  # noqa: PLR2004 - the range of refusals
        return RefusedError(message, status, errors)
    # A request cut in the middle is no valid JSON, so the server cannot have applied it, unless it claims so.
    if not was_sent and status != request.success:
        return NotSentError(message, status)
    if status == _CONFLICT and wait_seconds is not None:
        return InProgressError(message, status, retry_after_seconds=wait_seconds)
    return UnknownAnswerError(message, status)


def _error_texts(body: bytes, secret: str) -> tuple[str, dict[str, list[str]]]:
    """Return ``message`` and ``errors`` of an error body, empty if it has none."""
    try:
        document = decoded(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return "", {}
    message, errors = document.get("message"), document.get("errors")
    texts: dict[str, list[str]] = {}
    for name, values in errors.items() if isinstance(errors, dict) else ():
        listed = values if isinstance(values, list) else [values]
        texts[displayable(name, secret)] = [displayable(value, secret) for value in listed if isinstance(value, str)]
    return displayable(message, secret) if isinstance(message, str) else "", texts


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


Id: TypeAlias = Annotated[int, Meta(gt=0, le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_STARTS: Final = ("https://", "http://", f"{EMBEDDED_ORIGIN}/")
# Texts on which no decision depends: a value of another type counts as missing.
_TEXTS: Final = frozenset({"name", "url", "value", "key", "folder", "created_at", "completed_at", "mime_type"})
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
        elif name == "session":
            with suppress(ValidationError):  # a server that is not ours may have anything of this name
                members[name] = convert(value, SessionSummary)
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
    summary: SessionSummary | None = field(default=None, name="session")  # always of a server of ours, of no other

    @property
    def session(self) -> SessionSummary:
        """What its session has told; of a server that is not ours it is read from the fields."""
        if self.summary is not None:
            return self.summary
        return session_from((field.name, field.value) for field in self.fields)

    @property
    def shown_fields(self) -> Sequence[FieldText]:
        """Its fields, and those that say what its session has told."""
        if self.summary is None:
            return self.fields
        made = [FieldText(each.name, each.value) for each in session_fields(self.summary)]
        names = {each.name for each in made}
        return [*(each for each in self.fields if each.name not in names), *made]


class Run(Thread, frozen=True):
    """A run with its threads."""

    source_id: Id | None = None
    config_id: Id | None = None
    name: str = ""
    threads: tuple[Thread, ...] = ()
    links: tuple[LinkText, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: str | None = None  # the server's own text
    completed_at: str | None = None
    elapsed: Count | None = None  # microseconds
    verdict: str = ""  # in a few words, in a list of a server of ours
    document: Json = field(default_factory=dict, name="")  # the JSON of a single run, empty for a run of a page

    def field_value(self, name: str) -> str:
        """Return the value of the first field of this name, "" if there is none."""
        return next((field.value or "" for field in self.fields if field.name == name), "")

    @property
    def source(self) -> str:
        """The name of the source, "" unless the request named its kind."""
        return self._expanded("automation_sources", self.source_id)

    @property
    def config(self) -> str:
        """The name of the configuration, "" unless the request named its kind."""
        return self._expanded("configs", self.config_id)

    def _expanded(self, kind: str, record_id: int | None) -> str:
        records = (self.document.get("expands") or {}).get(kind) or ()
        return next((str(each["name"]) for each in records if each["id"] == record_id), "")

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


class ResultPage(Struct, Generic[T], frozen=True):
    """One page of a list."""

    result: tuple[T, ...]
    next_page: Id | None = None  # None on the last page
    total: Count = 0
    expands: Json = field(default_factory=dict)  # the related records that the request named
    document: Json = field(default_factory=dict, name="")  # the server's JSON of it


class StoredFile(Struct, frozen=True):
    """A stored file; raises `ValueError` for a URL of anything else."""

    url: str
    mime_type: str = ""  # the store's judgement, empty if it made none

    def __post_init__(self) -> None:
        if not self.url.startswith(_STARTS) or utf16_length(self.url) > STRING_UNITS:
            raise ValueError(f"not a URL for an artifact: {self.url!r}")


class Created(Struct):
    """The response to the creation of a run or thread."""

    id: Id


class _SingleRun(Struct):
    result: Run


# msgspec ends the process by a segmentation fault when two threads read a class for the first time at the same moment:
# this makes all of them ready.
Decoder(tuple[Created, StoredFile, _SingleRun, ResultPage[Run], ResultPage[RunTest], ResultPage[Source]])


def parse_stored_file(document: object) -> StoredFile:
    """Read the response to an upload; raises `ValueError` without the URL of a file."""
    return convert(_forgiven(document), StoredFile)


def run_from(document: Any) -> Run:  # noqa: ANN401 - any JSON
    """Read the response for a single run; raises `ValueError` without a valid id, ``is_completed``, total or thread."""
    return replace(convert(_forgiven(document), _SingleRun).result, document=document)


def page_from(kind: type[ResultPage[T]], document: Any) -> ResultPage[T]:  # noqa: ANN401 - any JSON
    """Read a page of a list; raises `ValueError` without a list of valid records."""
    return replace(convert(_forgiven(document), kind), document=document)
