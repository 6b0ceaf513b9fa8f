"""Hide users and passwords in addresses, and parameters whose names say secret."""

from __future__ import annotations

import re
from typing import Final

from pytest_automation_report.text.secret_heuristics import MARK, Strength, is_innocent, is_placeholder

__all__ = ["without_parameters", "without_users"]

_SURE_NAMES: Final = (
    "access_token|api[_-]?key|apikey|client_secret|id_token|passwd|password|private_token|pwd|refresh_token|secret|"
    "token"
)
# Of these, `?key=name`, `?pass=12` and `?auth=basic` are no secrets.
_OTHER_NAMES: Final = "auth|key|pass"
_SIGNATURE_NAMES: Final = (
    "sig|signature|X-Amz-Credential|X-Amz-Security-Token|X-Amz-Signature|X-Goog-Credential|X-Goog-Signature"
)
_PARAMETER: Final = re.compile(
    rf"[?&](?:(?P<sure>{_SURE_NAMES})|(?P<other>{_OTHER_NAMES})|{_SIGNATURE_NAMES})=(?P<value>[^&\s\"'<>#\\]+)",
    re.IGNORECASE,
)

_USER: Final = re.compile(r"://([^\s/?#@:\"'<>\\\[]*)([:@])")
_PORT: Final = re.compile(r"[0-9]{1,5}(?=[/?#\s\"'<>),;\]}`\\]|\Z)")
# The last sign before a host: passwords hold the same sign, too.
_AT: Final = re.compile(r"@(?=(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:[/?#\s\"'<>(),;\]}`\\&]|\Z))")
# The scheme of an address and the quote before it, read backwards.
_SCHEME: Final = re.compile(r"[\w+.:-]*([\"'`]\\{0,3})?")
_QUOTED: Final = {quote: re.compile(rf"(?:[^\\\n{quote}]|\\.)*") for quote in "\"'`"}
_RUN: Final = re.compile(r"[^\s<>]*")
_LINE: Final = re.compile(r"[^\r\n]*")
_LONGEST_PASSWORD: Final = 256
_LONGEST_SCHEME: Final = 40
_LONGEST_USER_NAME: Final = 16


def without_parameters(text: str, *, is_signed: bool) -> str:
    """Return the text without the values of parameters named like secrets; ``is_signed`` keeps signatures."""

    def hidden(match: re.Match[str]) -> str:
        if match["other"]:
            is_kept = is_innocent(match["value"], Strength.MEDIUM)
        else:
            is_kept = (is_signed and not match["sure"]) or is_placeholder(match["value"])
        return match[0] if is_kept else f"{match[0][: -len(match['value'])]}{MARK}"

    return _PARAMETER.sub(hidden, text)


def without_users(text: str) -> str:
    """Return the text without users and passwords in addresses; a short user alone is no secret."""
    pieces: list[str] = []
    done = 0
    following = text.find("@")
    while following >= 0 and (match := _USER.search(text, done)) is not None:
        if following < match.end() - 1:
            following = text.find("@", match.end() - 1)
            if following < 0:
                break
        end = _end_of_user(text, match, following)
        if end is None:
            pieces.append(text[done : match.end()])
            done = match.end()
        else:
            pieces += [text[done : match.start(1)], MARK]
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _end_of_user(text: str, match: re.Match[str], following: int) -> int | None:
    """Return the place of the sign behind a user and a password; ``following`` is that of the next such sign."""
    if match[2] == "@":
        return match.end() - 1 if len(match[1]) >= _LONGEST_USER_NAME else None
    start = match.end()
    if following - start > _LONGEST_PASSWORD or text[start].isspace() or _PORT.match(text, start):
        return None
    places = [found.start() for found in _AT.finditer(text, start, _end_of_address(text, match))]
    return places[-1] if places and not is_placeholder(text[start : places[-1]]) else None


def _end_of_address(text: str, match: re.Match[str]) -> int:
    """Return where an address ends: at the quote that closes it, else at a space, which a password may have."""
    start = match.end()
    other = text.find("://", start, start + _LONGEST_PASSWORD)
    last = start + _LONGEST_PASSWORD if other < 0 else other
    scheme = _SCHEME.match(text[max(0, match.start() - _LONGEST_SCHEME) : match.start()][::-1])
    quote = scheme[1] if scheme else None
    if quote is not None:
        if len(quote) == 1:
            return _end(_QUOTED[quote], text, start, last)
        closing = text.find(quote[::-1], start, last)
        return last if closing < 0 else closing
    end = _end(_RUN, text, start, last)
    if "/" in text[start:end] or text.find("@", start, end) >= 0:
        return end
    return _end(_LINE, text, start, last)


def _end(pattern: re.Pattern[str], text: str, start: int, last: int) -> int:
    match = pattern.match(text, start, last)
    return start if match is None else match.end()
