"""Hide users and passwords in URLs, and the values of query parameters with the names of secrets."""

from __future__ import annotations

import re
from typing import Final

from pytest_automation_report.text.masks import FILLER, masked
from pytest_automation_report.text.patterns import lazy_pattern
from pytest_automation_report.text.secret_heuristics import Strength, is_innocent, is_placeholder

_SURE_NAMES: Final = (
    "access_token|api[_-]?key|apikey|client_secret|id_token|passwd|password|private_token|pwd|refresh_token|secret|"
    "token"
)
# The value decides: `?key=name`, `?pass=12` and `?auth=basic` are not secrets.
_OTHER_NAMES: Final = "auth|key|pass"
_SIGNATURE_NAMES: Final = (
    "sig|signature|X-Amz-Credential|X-Amz-Security-Token|X-Amz-Signature|X-Goog-Credential|X-Goog-Signature"
)
_PARAMETER: Final = lazy_pattern(
    rf"[?&](?:(?P<sure>{_SURE_NAMES})|(?P<other>{_OTHER_NAMES})|{_SIGNATURE_NAMES})=(?P<value>[^&\s\"'<>#\\]+)",
    re.IGNORECASE,
)

_USER: Final = lazy_pattern(r"://([^\s/?#@:\"'<>\\\[]*)([:@])")
_PORT: Final = lazy_pattern(r"[0-9]{1,5}(?=[/?#\s\"'<>),;\]}`\\]|\Z)")
# An "@" before a host. Passwords may contain it, so the last one counts.
_AT: Final = lazy_pattern(r"@(?=(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:[/?#\s\"'<>(),;\]}`\\&]|\Z))")
# The scheme of a URL and the quote before it, read backwards.
_SCHEME: Final = lazy_pattern(r"[\w+.:-]*([\"'`]\\{0,3})?")
_QUOTED: Final = {quote: lazy_pattern(rf"(?:[^\\\n{quote}]|\\.)*") for quote in "\"'`"}
_RUN: Final = lazy_pattern(r"[^\s<>]*")
_LINE: Final = lazy_pattern(r"[^\r\n]*")
_MAX_PASSWORD_LENGTH: Final = 256
_MAX_SCHEME_LENGTH: Final = 40
_MIN_TOKEN_LENGTH: Final = 16


def masked_parameters(text: str, *, is_signed: bool) -> str:
    """Mask the values of secret parameters; ``is_signed`` keeps signatures."""

    def hidden(match: re.Match[str]) -> str:
        if match["other"]:
            is_kept = is_innocent(match["value"], Strength.MEDIUM)
        else:
            is_kept = (is_signed and not match["sure"]) or is_placeholder(match["value"])
        length = len(match["value"])
        return match[0] if is_kept else f"{match[0][:-length]}{FILLER * length}"

    return _PARAMETER.sub(hidden, text)


def masked_users(text: str) -> str:
    """Mask users and passwords in URLs; a short user without a password stays."""
    spans: list[tuple[int, int]] = []
    done = 0
    # A URL has a user only if an "@" follows: looking for the next one first passes over nearly all URLs.
    next_at = text.find("@")
    while next_at >= 0 and (match := _USER.search(text, done)) is not None:
        if next_at < match.end() - 1:
            next_at = text.find("@", match.end() - 1)
            if next_at < 0:
                break
        end = _end_of_user(text, match, next_at)
        done = match.end() if end is None else end
        if end is not None:
            spans.append((match.start(1), end))
    return masked(text, spans)


def _end_of_user(text: str, match: re.Match[str], next_at: int) -> int | None:
    """Return the index of the "@" behind user and password, None if there is no secret; ``next_at`` is the next "@"."""
    if match[2] == "@":
        # Without a password a long user is a token: `https://TOKEN@github.com`.
        return match.end() - 1 if len(match[1]) >= _MIN_TOKEN_LENGTH else None
    start = match.end()
    if next_at - start > _MAX_PASSWORD_LENGTH or text[start].isspace() or _PORT.match(text, start):
        return None
    ends = [at.start() for at in _AT.finditer(text, start, _end_of_url(text, match))]
    return ends[-1] if ends and not is_placeholder(text[start : ends[-1]]) else None


def _end_of_url(text: str, match: re.Match[str]) -> int:
    """Return the end of a URL: its closing quote, else a space; a space within a password is recognised."""
    start = match.end()
    next_url = text.find("://", start, start + _MAX_PASSWORD_LENGTH)
    last = start + _MAX_PASSWORD_LENGTH if next_url < 0 else next_url
    scheme = _SCHEME.match(text[max(0, match.start() - _MAX_SCHEME_LENGTH) : match.start()][::-1])
    quote = scheme[1] if scheme else None
    if quote is not None:
        if len(quote) == 1:
            return _end(_QUOTED[quote], text, start, last)
        closing = text.find(quote[::-1], start, last)
        return last if closing < 0 else closing
    end = _end(_RUN, text, start, last)
    # Up to the space there is a path or an "@", so the URL is complete; otherwise the space belongs to the password.
    if "/" in text[start:end] or text.find("@", start, end) >= 0:
        return end
    return _end(_LINE, text, start, last)


def _end(pattern: re.Pattern[str], text: str, start: int, last: int) -> int:
    match = pattern.match(text, start, last)
    return start if match is None else match.end()
