"""Classify a response: a success, or an error of the class again, refused or unknown.

`classify` is the only rule. It opens no connection, so that tests can try every case: a result is lost or delivered
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
"""

from __future__ import annotations

import json
import re
from datetime import timezone
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from msgspec import Struct

from pytest_automation_report.errors import (
    ClientError,
    InProgressError,
    NotSentError,
    RefusedError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

T = TypeVar("T")

TEXT_CHARACTERS = 200
"""Longest text of the server in a message, in characters."""

_TOO_MANY_REQUESTS = 429
_TOKEN_REFUSED = (401, 403)
_CONFLICT = 409
# Time-out and conflict: the server may apply the request all the same.
_UNKNOWN_4XX = (408, _CONFLICT)

_NO_CONTENT = 204


class ApiRequest(Struct, frozen=True):
    """One request: ``success`` is the documented status of its response, ``key`` its Idempotency-Key.

    ``body`` is JSON; ``file`` is a file to upload, with its size in bytes.
    """

    method: Literal["GET", "POST"]
    path: str
    success: Literal[200, 201, 204]
    query: Mapping[str, str] = {}
    body: bytes | None = None
    file: tuple[BinaryIO, int] | None = None
    key: str = ""


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


Outcome: TypeAlias = "HttpResponse | NoResponse"


def classify(
    request: ApiRequest, outcome: Outcome, parse: Callable[[object], T], *, was_sent: bool, secret: str = ""
) -> T:
    """Return the parsed body of a documented success; raise the error of its class for everything else.

    ``parse`` gets the JSON value of the body, None for a 204, and raises `ValueError` for a value of the wrong shape.
    ``was_sent`` is True if the last byte of the request left this machine. ``secret`` is removed from all messages,
    also if the server repeats it.
    """
    if isinstance(outcome, HttpResponse) and outcome.status == request.success and was_sent:
        try:
            return parse(None if request.success == _NO_CONTENT else decoded(outcome.body))
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


def displayable(text: str, secret: str = "") -> str:
    """Return a text of the server as one line for a message: cut, without the secret, and printable."""
    # Stricter than `text.limits.visible`: behind characters that it keeps a server could hide its text in a log.
    head = (text.replace(secret, "***") if secret else text)[:TEXT_CHARACTERS]
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in head)[
        :TEXT_CHARACTERS
    ]


def _error(  # noqa: PLR0911 - a table of responses
    request: ApiRequest, outcome: Outcome, *, was_sent: bool, secret: str
) -> ClientError:
    """Return the error for a response that is not the documented success; see the table at the top."""
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
    if status == _TOO_MANY_REQUESTS:
        return ThrottledError(message, wait_seconds)
    if status in _TOKEN_REFUSED:
        return TokenRefusedError(message, status)
    if 300 <= status < 400:  # noqa: PLR2004 - the range of redirects
        target = f" to {outcome.location}" if outcome.location else ""
        reason = f"redirected ({status}{target}): the server's URL is wrong"
        return RefusedError(displayable(reason, secret), status)
    if 400 <= status < 500 and status not in _UNKNOWN_4XX:  # noqa: PLR2004 - the range of refusals
        return RefusedError(message, status, errors)
    # A request cut in the middle is no valid JSON, so the server cannot have applied it, unless it claims so.
    if not was_sent and status != request.success:
        return NotSentError(message)
    if status == _CONFLICT and wait_seconds is not None:
        return InProgressError(message, wait_seconds)
    return UnknownAnswerError(message)


def _error_texts(body: bytes, secret: str) -> tuple[str, dict[str, list[str]]]:
    """Return ``message`` and ``errors`` of an error body, empty if it has none."""
    try:
        document = decoded(body)
    except ValueError:
        return "", {}
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
