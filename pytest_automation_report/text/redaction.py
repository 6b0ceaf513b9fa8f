"""Which values of the environment are secrets, and the spellings in which they turn up (floor 0, pure).

What is hidden in texts before they are written anywhere (floor 0, pure): patterns, known values, known shapes.
"""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote

from pytest_automation_report.text import limits
from pytest_automation_report.text.credential_patterns import without_credentials
from pytest_automation_report.text.named_secrets import is_named_secret, named_values
from pytest_automation_report.text.secret_heuristics import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "KnownSecrets",
    "Redaction",
    "secret_values",
]

_NAMES: Final = re.compile(
    "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CONN(?:ECTION)?_?STR|"
    "(?:_|^)(?:KEY|PASS|PWD|PAT|DSN|JWT|AUTH)$",
    re.IGNORECASE,
)
# Variables with the place of a secret, or with facts about it; PWD is the shell's folder.
_OTHER_NAMES: Final = re.compile(
    "^PWD$|_(?:FILE|PATH|DIR|SOCK|URL|URI|(?<!SECRET_)ID|NAME|USER|TYPE|TTL|EXPIRES?|EXPIRATION)$", re.IGNORECASE
)
_USER: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:(?![0-9]{1,5}(?:[/?#]|$))")
_AT: Final = re.compile(r"@[\w.\[\]:,-]+(?:[/?#]|$)")

_LONG: Final = 16
_SHORT: Final = 8
_SHORTEST_IN_OTHERS: Final = 6
_CUT: Final = 40
_PART: Final = 24
_ELLIPSIS: Final = re.compile(r"\.\.\.|\u2026")
_END: Final = 4
_ONE_END: Final = 6
_ENDS_CHARACTERS: Final = 256
_MOST_TRIES: Final = 8
_SKIPPED: Final = re.compile("identical (?:leading|trailing) characters")
_SKIPPED_LONG: Final = 20
_SKIPPED_PART: Final = 10


def secret_values(environ: Mapping[str, str], *, is_path: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the values that must not be shown: those of variables named like secrets, and passwords in addresses.

    ``is_path`` tells a value that names a file, as variables do that say where a secret is kept.
    """
    found: dict[str, None] = {}
    for name, value in environ.items():
        text = value.strip()
        if _is_named_like_secret(name) and _is_secret(text) and not ("/" in text and is_path(text)):
            found[text] = None
        found.update((part, None) for part in _parts(text) if _is_secret(part))
    return tuple(found)


def _parts(text: str) -> Iterator[str]:
    """Yield the passwords in a value: of an address, as it is written and as it is meant, and of a connection string.

    A password may have the sign that ends it, and so may the rest of the address: both readings count.
    """
    address = _USER.match(text) if "://" in text else None
    if address is not None:
        ends = [match.start() for match in _AT.finditer(text, address.end())]
        for end in dict.fromkeys((*ends[:1], *ends[-1:])):
            password = text[address.end() : end]
            yield password
            yield unquote(password)
    if "=" in text:
        for start, end, _ in named_values(text):
            yield text[start:end]


def _is_named_like_secret(name: str) -> bool:
    return _NAMES.search(name) is not None and _OTHER_NAMES.search(name) is None


def _is_secret(text: str) -> bool:
    """Whether a value is long enough, or no plain word: those would be hidden wherever somebody writes them."""
    return len(text) >= _LONG or (len(text) >= _SHORT and not text.isalpha())


class KnownSecrets:
    """Hides known values in texts, in the spellings in which programs write them; owned by whoever cleans texts.

    A value is looked for as it is, as JSON, ``repr``, HTML and addresses spell it, and within base64 of a longer text.
    Of a value of 40 characters and more, pieces that were cut off at either end are found as well, and of one with
    several lines each line; of any, the ends that stand on the two sides of an ellipsis, and what pytest leaves of it
    in a comparison whose equal parts it skips.
    """

    __slots__ = ("_long", "_spellings", "_values")

    def __init__(self, values: Iterable[str]) -> None:
        whole = dict.fromkeys(value for value in values if value)
        lines = (line.strip() for value in whole for line in value.splitlines())
        whole.update(dict.fromkeys(line for line in lines if _is_secret(line)))
        found = dict.fromkeys(each for value in whole for each in _spellings(value))
        # The longest first: a shorter one may be a part of it.
        self._spellings = tuple(sorted(found, key=len, reverse=True))
        self._values = tuple(
            dict.fromkeys(each for value in whole if len(value) > _ONE_END for each in (value, repr(value)[1:-1]))
        )
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
        if self._values and _ELLIPSIS.search(text):
            text = self._without_ends(text)
        return self._without_skipped(text) if _SKIPPED.search(text) else text

    def _without_ends(self, text: str) -> str:
        """Return the text without the two ends of a value around an ellipsis: `'Zq7Lw2...Hg3Fd6'`."""
        values = [value for value in self._values if value[:_END] in text or value[-_END:] in text]
        if not values:
            return text
        pieces: list[str] = []
        done = 0
        for match in _ELLIPSIS.finditer(text):
            before = text[max(done, match.start() - _ENDS_CHARACTERS) : match.start()]
            after = text[match.end() : match.end() + _ENDS_CHARACTERS]
            ends = ((_head(value, before), _tail(value, after)) for value in values)
            head, tail = max(ends, key=sum)
            if (head and tail) or max(head, tail) >= _ONE_END:
                pieces += [text[done : match.start() - head], MARK if head else "", match[0], MARK if tail else ""]
                done = match.end() + tail
        return "".join((*pieces, text[done:]))

    def _without_skipped(self, text: str) -> str:
        """Return the text without the ends of values that pytest keeps beside equal parts that it skips."""
        for value in self._values:
            if len(value) >= _SKIPPED_LONG:
                for piece in (value[:_SKIPPED_PART], value[-_SKIPPED_PART:]):
                    text = text.replace(piece, MARK)
        return text


def _head(value: str, before: str) -> int:
    """Return how many characters of a value's beginning end a text."""
    place = len(before)
    for _ in range(_MOST_TRIES):
        place = before.rfind(value[:_END], 0, place + _END - 1)
        if place < 0:
            return 0
        if value.startswith(before[place:]):
            return len(before) - place
    return 0


def _tail(value: str, after: str) -> int:
    """Return how many characters of a value's end begin a text."""
    place = -1
    for _ in range(_MOST_TRIES):
        place = after.find(value[-_END:], place + 1)
        if place < 0:
            return 0
        if value.endswith(after[: place + _END]):
            return place + _END
    return 0


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


class Redaction:
    """Hides secrets in texts; what stays of a text stays exactly as it was.

    ``patterns`` are a user's regular expressions, ``secrets`` are values that must not be shown, ``is_builtin`` tells
    whether everything that looks like a credential is hidden too. Raises ``re.error`` for a pattern that is no regular
    expression.
    """

    __slots__ = ("_is_builtin", "_patterns", "_secrets")

    def __init__(self, patterns: Sequence[str] = (), *, secrets: Sequence[str] = (), is_builtin: bool = True) -> None:
        self._patterns = tuple(map(re.compile, patterns))
        self._secrets = KnownSecrets(secrets)
        self._is_builtin = is_builtin

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._patterns or self._secrets or self._is_builtin)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        text = self._without_known(text)
        return without_credentials(text) if self._is_builtin else text

    def address(self, text: str) -> str:
        """Return the address of something that is to be opened, without secrets but with its signature."""
        text = self._without_known(text)
        return without_credentials(text, is_address=True) if self._is_builtin else text

    def beside(self, name: str, value: str) -> str:
        """Return the value of a field, or the mark where the field's name says that it is a secret."""
        return MARK if self._is_builtin and is_named_secret(name, value) else value

    def _without_known(self, text: str) -> str:
        for pattern in self._patterns:
            # A pattern that also matches nothing would otherwise write its mark between all characters.
            text = pattern.sub(lambda match: MARK if match.group() else "", text)
        return self._secrets.hidden(text)


class TextCleaner:
    """Makes foreign texts fit for fields: secrets hidden, control characters visible, cut to the limits."""

    def __init__(self, redaction: Redaction) -> None:
        self._redact = redaction or None

    def console(self, *parts: str) -> str:
        """Return the parts as one console text."""
        return limits.console(*parts, redact=self._redact)

    def paragraph(self, text: str) -> str:
        """Return a text of few lines."""
        return limits.paragraph(text, self._redact)

    def string(self, text: str) -> str:
        """Return a text as one line."""
        return limits.string(text, self._redact)

    def beside(self, name: str, value: str) -> str:
        """Return the value of a field as it is, or a mark where the field's name says that it is a secret."""
        return value if self._redact is None else self._redact.beside(name, value)

    def address(self, text: str) -> str:
        """Return a web address that is to be followed: one line, with the signature that opens what is there."""
        return limits.string(text, None if self._redact is None else self._redact.address)


def safe_str(value: object) -> str:
    """Return a value of a user's test as text, whatever its ``__str__`` does."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a foreign __str__ may raise anything; the text tells what it raised
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


@lru_cache(maxsize=16)
def cached_cleaner(redact: tuple[str, ...], secrets: tuple[str, ...], is_builtin: bool) -> TextCleaner:  # noqa: FBT001 - a part of the cache's key
    return TextCleaner(Redaction(redact, secrets=secrets, is_builtin=is_builtin))
