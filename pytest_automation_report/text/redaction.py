"""Hide secrets in texts: the user's patterns, known values of the environment, and everything that looks like one.

All foreign texts pass here before they are written to a file or sent. `secret_values` collects the secrets of the
environment, `KnownSecrets` finds them in the spellings in which programs write them, `masked_credentials` finds unknown
ones by their shape or their name. `TextCleaner` applies both, after the user's own patterns.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from functools import lru_cache
from html import escape
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus, unquote

from pytest_automation_report.text import limits
from pytest_automation_report.text.credentials import lowered, masked_credentials, names_in, values_beside
from pytest_automation_report.text.visible import FILLER, MARK, common_length, filled, mark_fillers, unmasked
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# Names of variables that hold a secret: with one of these words, or with the last word of another set. Each session
# looks at all variables, and to compile two expressions would take 2 ms.
_SECRET_WORDS: Final = (
    *("TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "COOKIE"),
    *("API_KEY", "APIKEY", "ACCESS_KEY", "ACCESSKEY", "PRIVATE_KEY", "PRIVATEKEY"),
    *("CONN_STR", "CONNSTR", "CONNECTION_STR", "CONNECTIONSTR"),
)
_SECRET_ENDINGS: Final = frozenset({"KEY", "PASS", "PWD", "PAT", "DSN", "JWT", "AUTH"})
# Last words of names that look so but hold the path of a secret, or facts about one.
_INNOCENT_ENDINGS: Final = frozenset(
    {"FILE", "PATH", "DIR", "SOCK", "URL", "URI", "ID", "NAME", "USER", "TYPE", "TTL"}
    | {"EXPIRE", "EXPIRES", "EXPIRATION"}
)
# The beginning of a URL up to its password; `host:8080` is a port.
_URL_USER: Final = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:(?![0-9]{1,5}(?:[/?#]|$))")
_URL_HOST: Final = lazy_pattern(r"@[\w.\[\]:,-]+(?:[/?#]|$)")

# All lengths are in characters. A value of any kind is hidden from this length on...
_MIN_LENGTH: Final = 16
# ...one with a digit or a sign from this: a short plain word would be hidden in every text that has it.
_MIN_LENGTH_NO_WORD: Final = 8
# Other spellings (JSON, base64 and so on) of shorter values would match by chance.
_MIN_LENGTH_RESPELLED: Final = 6
# Values from this length on are also found cut, if this many characters of one end are there.
_MIN_LENGTH_CUT: Final = 40
_CUT_PART: Final = 24
# Programs shorten a value to 'Zq7L...Hg3F': both ends need this many characters, one end alone needs more.
_ELLIPSIS: Final = lazy_pattern(r"\.\.\.|\u2026")
# Searched before the expressions: in 32,000 characters a literal takes 4 us, and `_ELLIPSIS` 200. Of literals with more
# than 5 characters the last ones are searched: Python needs five times as long to search a longer one.
_DOTS: Final = ("...", "\u2026")
_PROBE: Final = 5
_MIN_BOTH_ENDS: Final = 4
_MIN_ONE_END: Final = 6
_ELLIPSIS_WINDOW: Final = 256
# Sequences of colours, also as `repr` and JSON write them.
_COLOURED: Final = ("\x1b", "1b[")
_COLOUR: Final = lazy_pattern(r"((?:\x1b|\\x1b|\\u001b)\[[0-9;:]{0,60}m)")
# Bounds the work for texts that repeat the beginning of a value.
_MAX_TRIES: Final = 8
# pytest's comparison of two long strings skips equal characters, and shows this many beside them.
_SKIPPED: Final = lazy_pattern("identical (?:leading|trailing) characters")
_SKIPPED_LITERAL: Final = "ntica"
_MIN_LENGTH_SKIPPED: Final = 20
_SKIPPED_PART: Final = 10


def secret_values(environ: Mapping[str, str], *, is_path: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the secrets of an environment; some variables named like secrets only hold the path of a file."""
    secrets: dict[str, None] = {}
    for name, value in environ.items():
        text = value.strip()
        if _is_named_like_secret(name) and _is_secret(text) and not ("/" in text and is_path(text)):
            secrets[text] = None
        secrets.update((password, None) for password in _passwords(text) if _is_secret(password))
    return tuple(secrets)


def _passwords(text: str) -> Iterator[str]:
    """Yield the passwords in a value: of a URL, as it is and unquoted, and of a connection string."""
    user = _URL_USER.match(text) if "://" in text else None
    if user is not None:
        # Password and path may both contain an "@": the first and the last one that can end the password count.
        ends = [match.start() for match in _URL_HOST.finditer(text, user.end())]
        for end in dict.fromkeys((*ends[:1], *ends[-1:])):
            password = text[user.end() : end]
            yield password
            yield unquote(password)
    if "=" in text:
        lower = lowered(text)
        for start, end, _ in values_beside(text, lower, names_in(lower)):
            yield text[start:end]


def _is_named_like_secret(name: str) -> bool:
    upper = name.upper()
    before, _, last = upper.rpartition("_")
    if last not in _SECRET_ENDINGS and not any(word in upper for word in _SECRET_WORDS):
        return False
    if not before:
        return upper != "PWD"  # the shell's current folder
    return last not in _INNOCENT_ENDINGS or upper.endswith("SECRET_ID")


def _is_secret(text: str) -> bool:
    """Whether a value is long enough to be hidden everywhere."""
    return len(text) >= _MIN_LENGTH or (len(text) >= _MIN_LENGTH_NO_WORD and not text.isalpha())


class KnownSecrets:
    """Hide known values in texts; owned by a `TextCleaner`.

    A value is found unchanged, escaped for JSON, ``repr``, HTML and URLs, and inside the base64 of a longer text. Also
    found are each line of a value with several lines, a value of 40 characters or more that was cut at one end, both
    ends of a value around an ellipsis, and the rest of one in a comparison of pytest that skips equal characters.
    """

    __slots__ = ("_cuttable", "_ends", "_spellings", "_values")

    def __init__(self, values: Iterable[str]) -> None:
        whole = dict.fromkeys(value for value in values if value)
        lines = (line.strip() for value in whole for line in value.splitlines())
        whole.update(dict.fromkeys(line for line in lines if _is_secret(line)))
        spellings = dict.fromkeys(spelling for value in whole for spelling in _spellings(value))
        # The longest first: a shorter one may be a part of it.
        self._spellings = tuple((spelling[-_PROBE:], spelling) for spelling in sorted(spellings, key=len, reverse=True))
        # Values as they are and as `repr` writes them, to look for their ends.
        self._values = tuple(
            dict.fromkeys(text for value in whole if len(value) > _MIN_ONE_END for text in (value, repr(value)[1:-1]))
        )
        long = (value for value in self._values if len(value) >= _MIN_LENGTH_SKIPPED)
        self._ends = tuple(end for value in long for end in (value[:_SKIPPED_PART], value[-_SKIPPED_PART:]))
        # Head, tail and whole value of each long one, to look for cut ones.
        self._cuttable = tuple(
            (value[:_CUT_PART], value[-_CUT_PART:], value) for value in whole if len(value) >= _MIN_LENGTH_CUT
        )

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._spellings)

    def masked(self, text: str) -> str:
        """Mask each value."""
        for probe, spelling in self._spellings:
            if probe in text:
                text = text.replace(spelling, FILLER * len(spelling))
        for head, tail, value in self._cuttable:
            if head in text:
                text = _masked_heads(text, head, value)
            if tail in text:
                # The same, read backwards: the end of a value is the beginning of the reversed one.
                text = _masked_heads(text[::-1], tail[::-1], value[::-1])[::-1]
        if self._values and any(dots in text for dots in _DOTS):
            text = self._masked_ends(text)
        if _SKIPPED_LITERAL in text and _SKIPPED.search(text):
            for end in self._ends:
                text = text.replace(end, FILLER * len(end))
        return text

    def _masked_ends(self, text: str) -> str:
        """Mask the ends of a value around an ellipsis, as pytest shortens a ``repr``: `'Zq7Lw2...Hg3Fd6'`."""
        # Most texts with an ellipsis have no end of a value: these are passed over before the loop.
        values = [value for value in self._values if value[:_MIN_BOTH_ENDS] in text or value[-_MIN_BOTH_ENDS:] in text]
        if not values:
            return text
        pieces: list[str] = []
        done = 0
        for match in _ELLIPSIS.finditer(text):
            before = text[max(done, match.start() - _ELLIPSIS_WINDOW) : match.start()]
            after = text[match.end() : match.end() + _ELLIPSIS_WINDOW]
            # The end of a value is the beginning of the reversed one.
            lengths = ((_head_length(value, before), _head_length(value[::-1], after[::-1])) for value in values)
            head, tail = max(lengths, key=sum)
            if (head and tail) or max(head, tail) >= _MIN_ONE_END:
                pieces += [text[done : match.start() - head], FILLER * head, match[0], FILLER * tail]
                done = match.end() + tail
        return "".join((*pieces, text[done:]))


def _head_length(value: str, before: str) -> int:
    """Return how much of the beginning of ``value`` stands at the end of ``before``."""
    start = len(before)
    for _ in range(_MAX_TRIES):
        start = before.rfind(value[:_MIN_BOTH_ENDS], 0, start + _MIN_BOTH_ENDS - 1)
        if start < 0:
            return 0
        if value.startswith(before[start:]):
            return len(before) - start
    return 0


def _masked_heads(text: str, head: str, value: str) -> str:
    """Mask the beginnings of a value, each to the first character that differs."""
    pieces: list[str] = []
    done = 0
    while (start := text.find(head, done)) >= 0:
        candidate = text[start : start + len(value)]
        same = common_length(candidate, value)
        pieces += [text[done:start], FILLER * same]
        done = start + same
    return "".join((*pieces, text[done:]))


def _spellings(value: str) -> Iterator[str]:
    """Yield a value as programs write it, and its base64 inside a longer text."""
    yield value
    if len(value) < _MIN_LENGTH_RESPELLED:
        return
    yield encode_basestring_ascii(value)[1:-1]
    yield encode_basestring(value)[1:-1]
    yield repr(value)[1:-1]
    yield escape(value)
    data = value.encode("utf-8", "surrogateescape")
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    # Base64 turns three bytes into four characters: its spelling depends on the number of bytes before, modulo three.
    for bytes_before in range(3):
        # The first and the last character also depend on the bytes around the value: only those between are sure.
        first = -(-bytes_before * 8 // 6)
        last = (bytes_before + len(data)) * 8 // 6
        encoded = b2a_base64(bytes(bytes_before) + data, newline=False).decode("ascii")[first:last]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")


class TextCleaner:
    """Make foreign texts fit for fields: hide secrets, show control characters, cut to the limits.

    ``patterns`` are the user's regular expressions, ``secrets`` are known values. With ``is_builtin`` everything that
    looks like a credential is hidden, too. Raises ``re.error`` for an invalid pattern. A call only hides secrets.
    """

    __slots__ = ("_found", "_is_builtin", "_patterns", "_redact", "_secrets")

    def __init__(self, patterns: Sequence[str] = (), *, secrets: Sequence[str] = (), is_builtin: bool = True) -> None:
        self._patterns = tuple(map(re.compile, patterns))
        self._secrets = KnownSecrets(secrets)
        self._is_builtin = is_builtin
        # Values that were hidden as secrets and are to be hidden in the other texts of a result, too.
        self._found: dict[str, None] = {}
        self._redact = self if self._patterns or self._secrets or is_builtin else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        return mark_fillers(text, self.masked(text))

    def masked(self, text: str, *, is_address: bool = False) -> str:
        """Return a text of the same length with `FILLER` for each character of a secret."""
        if self._redact is None:
            return text
        # A colour would hide the name of a secret or a part of it.
        parts = _COLOUR.split(text) if any(sign in text for sign in _COLOURED) else [text]
        return "".join(_recoloured(parts, self._masked("".join(parts[::2]), is_address=is_address)))

    def _masked(self, text: str, *, is_address: bool) -> str:
        text = unmasked(text)
        for pattern in self._patterns:
            text = pattern.sub(filled, text)
        text = self._secrets.masked(text)
        return masked_credentials(text, self._found, is_address=is_address) if self._is_builtin else text

    def console(self, *parts: str) -> str:
        """Return the parts as one text of several lines, cut in its middle."""
        return limits.console(*parts, redact=self._redact)

    def console_ends(self, head: str, missing: int, tail: str) -> str:
        """Return the two ends of a console text; ``missing`` characters stood between them."""
        return limits.console_ends(head, missing, tail, redact=self._redact)

    def paragraph(self, text: str) -> str:
        """Return a short text with its line breaks."""
        return limits.paragraph(text, self._redact)

    def string(self, text: str) -> str:
        """Return a text as one line."""
        return limits.string(text, self._redact)

    def address(self, text: str) -> str:
        """Return a URL as one line without secrets, but with its signature: else it could not be opened."""
        return limits.string(text, lambda text: mark_fillers(text, self.masked(text, is_address=True)))

    def redact_by_name(self, name: str, value: str) -> str:
        """Return the value of a field unchanged, or the mark if the field has the name of a secret."""
        if not self._is_builtin or (name.isascii() and not names_in(name.lower())):
            return value
        head = f"{name.strip()!r}: "
        mask = masked_credentials(f"{head}{value!r}", self._found)[len(head) + 1 : -1]
        return value if mask.strip(FILLER) else MARK

    def take_found(self) -> list[str]:
        """Return the values that were found to be secrets since the last call."""
        found = list(self._found)
        self._found.clear()
        return found


def _recoloured(parts: Sequence[str], mask: str) -> Iterator[str]:
    """Yield a masked text with the sequences between its parts, which are at the odd places."""
    done = 0
    for index, part in enumerate(parts):
        yield part if index % 2 else mask[done : done + len(part)]
        done += 0 if index % 2 else len(part)


@lru_cache(maxsize=16)
def cached_cleaner(redact: tuple[str, ...], secrets: tuple[str, ...], is_builtin: bool) -> TextCleaner:  # noqa: FBT001 - a part of the cache's key
    """Return one cleaner for equal arguments: patterns and spellings are prepared once in a process."""
    return TextCleaner(redact, secrets=secrets, is_builtin=is_builtin)
