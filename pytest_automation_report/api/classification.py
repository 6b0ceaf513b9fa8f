"""What an answer means (floor 2): applied, or which of the errors says why not.

The one rule is `classify`. It is pure, so that every class can be tried without a server: a result is delivered twice
or lost exactly where this rule is wrong.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

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
    from collections.abc import Callable

T = TypeVar("T")

TEXT_CHARACTERS = 200
"""How much of a text of the server goes into a message, in characters."""

_TOO_MANY_REQUESTS = 429
_TOKEN_REFUSED = (401, 403)
_CONFLICT = 409
_UNSETTLED = (408, _CONFLICT)
"""Time-out and conflict: the request may be under way all the same."""

_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as its answer's meaning depends on it; ``success`` is the documented status."""

    method: Literal["GET", "POST"]
    path: str
    success: Literal[200, 201, 204]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer that arrived whole; the three headers are empty when missing."""

    status: int
    body: bytes = b""
    retry_after: str = ""
    date: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No answer, or one that did not arrive whole; ``reason`` says why in a few words."""

    reason: str


Outcome: TypeAlias = "HttpResponse | NoResponse"


def classify(call: Call, outcome: Outcome, parse: Callable[[object], T], *, was_sent: bool, secret: str = "") -> T:
    """Return what ``parse`` makes of a documented success; raise the error of its class for everything else.

    ``parse`` gets the JSON value of the body, ``None`` for a 204, and raises `ValueError` for what it cannot take.
    ``was_sent``: the request's last byte left this machine. ``secret`` is shown in no message, whoever wrote it there.
    """
    if isinstance(outcome, HttpResponse) and outcome.status == call.success and was_sent:
        try:
            return parse(None if call.success == _NO_CONTENT else decoded(outcome.body))
        except ValueError as error:
            reason = f"{outcome.status} with a body that makes no sense ({error})"
        raise UnknownAnswerError(_message(call, reason, secret))
    raise _error(call, outcome, was_sent=was_sent, secret=secret)


def decoded(body: bytes) -> object:
    """Return the JSON value of a body; raise `ValueError` for anything else, however deep or large."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def retry_after_seconds(value: str, date: str) -> float | None:
    """Return the wait that a ``Retry-After`` header asks for: never negative, ``None`` when it cannot be read.

    A moment is taken relative to the ``Date`` header of the same answer, so that no clock of ours matters.
    """
    value = value.strip()
    if re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value):
        return max(0.0, float(value))
    try:
        return max(0.0, (_moment(value) - _moment(date)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):  # what the e-mail parser raises for other texts
        return None


def displayable(text: str, secret: str = "") -> str:
    """Return a foreign text for one line of a message: cut, control characters escaped, without the secret."""
    if secret:
        text = text.replace(secret, "***")
    text = text[:TEXT_CHARACTERS]
    if not text.isprintable():
        text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return text[:TEXT_CHARACTERS]


def _error(call: Call, outcome: Outcome, *, was_sent: bool, secret: str) -> ClientError:
    """Return the error for everything that is no documented success."""
    if isinstance(outcome, NoResponse):
        message = _message(call, outcome.reason, secret)
        return UnknownAnswerError(message) if was_sent else NotSentError(message)
    status = outcome.status
    text, errors = _error_texts(outcome.body, secret)
    what = str(status) if status >= 300 or status == call.success else f"{status} instead of {call.success}"  # noqa: PLR2004
    message = _message(call, f"{what}: {text}" if text else what, secret)
    wait = retry_after_seconds(outcome.retry_after, outcome.date)
    if status == _TOO_MANY_REQUESTS:
        return ThrottledError(message, wait)
    if status in _TOKEN_REFUSED:
        return TokenRefusedError(message, status)
    if 300 <= status < 400:  # noqa: PLR2004 - the range of redirects
        target = f" to {outcome.location}" if outcome.location else ""
        reason = f"redirected ({status}{target}): the address is configured wrongly"
        return RefusedError(_message(call, reason, secret), status)
    if 400 <= status < 500 and status not in _UNSETTLED:  # noqa: PLR2004 - the range of refusals
        return RefusedError(message, status, errors)
    # A cut JSON object never parses, so nothing of it can have been applied, unless the server claims just that.
    return NotSentError(message) if not was_sent and status != call.success else _unknown(status, message, wait)


def _unknown(status: int, message: str, wait: float | None) -> UnknownAnswerError:
    """Return the error of an unknown outcome; a conflict with a wait comes from a server that is up."""
    return UnknownAnswerError(message) if status != _CONFLICT or wait is None else InProgressError(message, wait)


def _error_texts(body: bytes, secret: str) -> tuple[str, dict[str, list[str]]]:
    """Return the message and the errors of an error body, as far as it has them."""
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
        texts[displayable(name, secret)] = [displayable(each, secret) for each in listed if isinstance(each, str)]
    return displayable(message, secret) if isinstance(message, str) else "", texts


def _message(call: Call, reason: str, secret: str) -> str:
    return f"{call.method} {call.path}: {displayable(reason, secret)}"


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
