"""Which values of the environment are secrets, and the spellings in which they turn up (floor 0, pure)."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote

from pytest_automation_report.secret_shapes import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["KnownSecrets", "secret_values"]

_NAMES: Final = re.compile(
    "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CONN(?:ECTION)?_?STR|"
    "(?:_|^)(?:KEY|PASS|PWD|PAT|DSN|JWT|AUTH)$",
    re.IGNORECASE,
)
# What tells where a secret is, or about it; PWD is the shell's folder.
_OTHER_NAMES: Final = re.compile(
    "^PWD$|_(?:FILE|PATH|DIR|SOCK|URL|URI|ID|NAME|USER|TYPE|TTL|EXPIRES?|EXPIRATION)$", re.IGNORECASE
)
_USER: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:([^\s/?#]+)@")

_LONG: Final = 16
_SHORT: Final = 8
_SHORTEST_IN_OTHERS: Final = 6
_CUT: Final = 40
_PART: Final = 24


def secret_values(environ: Mapping[str, str], *, is_path: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the values that must not be shown: those of variables named like secrets, and passwords in addresses.

    ``is_path`` tells a value that names a file, as variables do that say where a secret is kept.
    """
    found: dict[str, None] = {}
    for name, value in environ.items():
        text = value.strip()
        if _is_named_like_secret(name) and _is_secret(text) and not ("/" in text and is_path(text)):
            found[text] = None
        address = _USER.match(text) if "://" in text else None
        if address is not None:
            found.update((each, None) for each in (address[1], unquote(address[1])) if _is_secret(each))
    return tuple(found)


def _is_named_like_secret(name: str) -> bool:
    return _NAMES.search(name) is not None and _OTHER_NAMES.search(name) is None


def _is_secret(text: str) -> bool:
    """Whether a value is long enough, or no plain word: those would be hidden wherever somebody writes them."""
    return len(text) >= _LONG or (len(text) >= _SHORT and not text.isalpha())


class KnownSecrets:
    """Hides known values in texts, in the spellings in which programs write them; owned by whoever cleans texts.

    A value is looked for as it is, as JSON, ``repr``, HTML and addresses spell it, and within base64 of a longer text.
    Of a value of 40 characters and more, pieces that were cut off at either end are found as well, and of one with
    several lines each line.
    """

    __slots__ = ("_long", "_spellings")

    def __init__(self, values: Iterable[str]) -> None:
        whole = dict.fromkeys(value for value in values if value)
        lines = (line.strip() for value in whole for line in value.splitlines())
        whole.update(dict.fromkeys(line for line in lines if _is_secret(line)))
        found = dict.fromkeys(each for value in whole for each in _spellings(value))
        # The longest first: a shorter one may be a part of it.
        self._spellings = tuple(sorted(found, key=len, reverse=True))
        self._long = tuple((each[:_PART], each[-_PART:], each) for each in whole if len(each) >= _CUT)

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._spellings)

    def hidden(self, text: str) -> str:
        """Return the text with `MARK` in the place of each value."""
        for each in self._spellings:
            if each in text:
                text = text.replace(each, MARK)
        for head, tail, value in self._long:
            if head in text:
                text = _without_heads(text, head, value)
            if tail in text:
                text = _without_heads(text[::-1], tail[::-1], value[::-1], MARK[::-1])[::-1]
        return text


def _without_heads(text: str, head: str, value: str, mark: str = MARK) -> str:
    """Return the text without the beginnings of a value, each as long as it goes."""
    pieces: list[str] = []
    done = 0
    while (start := text.find(head, done)) >= 0:
        pieces += [text[done:start], mark]
        found = text[start : start + len(value)]
        done = start + next((at for at, one in enumerate(found) if one != value[at]), len(found))
    return "".join((*pieces, text[done:]))


def _spellings(value: str) -> Iterator[str]:
    """Yield a value as programs write it; what base64 makes of it at each of the three places in a longer text."""
    yield value
    if len(value) < _SHORTEST_IN_OTHERS:
        return
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield escape(value)
    data = value.encode("utf-8", "surrogateescape")
    for each in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield each
        yield _lower_escapes(each)
    for before in range(3):
        # Left out is what also depends on the bytes around the value.
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        coded = b2a_base64(bytes(before) + data, newline=False).decode("ascii")[first:last]
        yield coded
        yield coded.replace("+", "-").replace("/", "_")


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text)
