"""Make control characters of texts visible, remove terminal sequences, hide parts without moving what follows.

Here is also the text whose colours are kept beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from typing_extensions import Self


Span: TypeAlias = "tuple[int, int, str]"
"""First character, the one after the last, and the style of a coloured part of a text (`text.colours`)."""

# C0 and C1 controls but tab and newline, marks that change the direction of writing, lone surrogates.
_INVISIBLE = lazy_pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SPECIAL = lazy_pattern(r"[^\w\s]|_")
# All others of ASCII.
_SHOWN = bytes((9, 10, *range(32, 127)))

ANSI = lazy_pattern("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[()*+][0-9A-Z]")
"""Colours and cursor moves (CSI), titles and links (OSC), choice of a character set.

No others are removed: an escape character that a test is about must stay visible.
"""


class ColouredText(str):
    """A clean text with the colours that it had on a terminal; every text that is made of it is a plain one."""

    __slots__ = ("spans",)

    spans: tuple[Span, ...]

    def __new__(cls, text: str, spans: tuple[Span, ...]) -> Self:
        """Return the text with its spans, which are in order and do not overlap."""
        self = super().__new__(cls, text)
        self.spans = spans
        return self


def visible(text: str) -> str:
    r"""Return a text with control characters, bidi controls and lone surrogates escaped (``\x00``, ``\ud800``).

    Newlines and tabs stay, ``\r\n`` becomes ``\n``. The result can always be encoded as UTF-8.
    """
    # Most texts need no change. In 32,000 characters of ASCII this finds it in 30 us, `isprintable` in 85.
    if text.isascii():
        if not text.encode("ascii").translate(None, _SHOWN):
            return text
    elif text.replace("\n", "").replace("\t", "").isprintable():
        return text
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return _INVISIBLE.sub(_escaped, text)


def without_ansi(text: str) -> str:
    """Return a text without terminal colours, cursor moves, titles and links."""
    return ANSI.sub("", text) if "\x1b" in text else text


def plain(text: str) -> str:
    """Return a text without terminal sequences, and with control and bidi characters escaped."""
    return visible(without_ansi(text))


def referenced(text: str) -> str:
    """Return a text whose special characters are numeric references, which Markdown and HTML only show."""
    return _SPECIAL.sub(lambda sign: f"&#{ord(sign[0])};", text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - the largest two-digit escape


def common_length(left: str, right: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    # By halves: Python compares slices much faster than single characters.
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


MARK: Final = "[redacted]"
"""The text that replaces a secret."""

FILLER: Final = "\x01"
"""The character that stands for each hidden one in a masked text."""

_RUNS: Final = lazy_pattern(f"{FILLER}+")


def unmasked(text: str) -> str:
    """Return a text of the same length that has no filler yet, to be masked."""
    return text.replace(FILLER, "\x02")


def masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the text with fillers in these spans, which are in order and may overlap."""
    pieces: list[str] = []
    done = 0
    for begin, end in spans:
        start = max(begin, done)
        if start < end:
            pieces += [text[done:start], FILLER * (end - start)]
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


def filled(match: re.Match[str]) -> str:
    """Return fillers for a match."""
    return FILLER * (match.end() - match.start())


def runs(mask: str) -> list[tuple[int, int]]:
    """Return the spans of fillers in a masked text."""
    return [match.span() for match in _RUNS.finditer(mask)] if FILLER in mask else []


def marked(text: str, mask: str) -> str:
    """Return a text with `MARK` for each run of fillers in its masked text."""
    pieces: list[str] = []
    done = 0
    for start, end in runs(mask):
        pieces += [text[done:start], MARK]
        done = end
    return "".join((*pieces, text[done:])) if pieces else text
