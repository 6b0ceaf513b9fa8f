"""The contract's limits on texts and lists, and how a text is made to keep them (floor 0).

Pure and linear in the length of its input. Long texts are narrowed to their ends before anything expensive looks at
them, so that 100 MB of output cost the memory of a few limits and no more.
Lengths called units are UTF-16 code units, which is what the API's clients count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

STRING_UNITS = 750
"""Longest name, URL, folder, path, status, meta key, meta value and value of field types 1 and 5, in units."""

TEXT_UNITS = 16_384
"""Longest value of field types 2, 3 and 4, in units."""

NOTE_UNITS = 80
"""Longest note, in units."""


Redaction: TypeAlias = Callable[[str], str]
"""Takes a text and returns it without its secrets."""

_STRING_WINDOW = 4 * STRING_UNITS
_TEXT_WINDOW = TEXT_UNITS
# What stands at the edge of a narrowed text may be half a secret or half an escape sequence: it is not shown.
_EDGE = 256
_CHUNK = 65_536

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Colours and cursor moves (CSI), titles and links (OSC), choice of a character set; nothing else, so that an escape
# character that a test is about stays visible.
_ANSI = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[()*+][0-9A-Z]")


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units; a lone surrogate counts one."""
    if text.isascii():
        return len(text)
    chunks = range(0, len(text), _CHUNK)
    return sum(len(text[each : each + _CHUNK].encode("utf-16-le", "surrogatepass")) // 2 for each in chunks)


def visible(text: str) -> str:
    r"""Return a text whose control characters, bidi controls and lone surrogates are spelled ``\x00`` or ``\ud800``.

    Newlines and tabs stay, ``\r\n`` becomes ``\n``. The result can always be encoded as UTF-8.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return _HIDDEN.sub(_spelling, text)


def without_ansi(text: str) -> str:
    """Return a text without terminal colours, cursor moves, titles and links."""
    return _ANSI.sub("", text) if "\x1b" in text else text


def cut_middle(text: str, units: int) -> str:
    """Return the text, or its head and tail around a line that says how many characters are missing."""
    if _fits(text, units):
        return text
    return _middle(text, -len(text), text, units)


def cut_end(text: str, units: int) -> str:
    """Return the text, or its head and a remark that says how many characters are missing."""
    return _end(text, 0, units)


def string(text: str, redact: Redaction | None = None) -> str:
    r"""Return a text as one visible line (newlines spelled ``\n``) of at most `STRING_UNITS`."""
    if redact is None and len(text) <= STRING_UNITS and text.isascii() and text.isprintable():
        return text
    head, skipped = _start(text)
    head = visible(redact(head) if redact else head).replace("\n", "\\n")
    return _end(*_without_edge(head, skipped), STRING_UNITS)


def paragraph(text: str, redact: Redaction | None = None) -> str:
    """Return a text without ANSI sequences, visible, with its lines kept, of at most `STRING_UNITS`."""
    head, skipped = _start(text)
    return _end(*_without_edge(_clean(head, redact), skipped), STRING_UNITS)


def console(*parts: str, redact: Redaction | None = None) -> str:
    """Return the parts as one text without ANSI sequences, visible, cut in its middle to `TEXT_UNITS`."""
    length = sum(map(len, parts))
    if length <= 2 * _TEXT_WINDOW:
        return cut_middle(_clean("".join(parts), redact), TEXT_UNITS)
    head, tail = _ends(parts)
    head, skipped = _without_edge(_clean(head, redact), length - 2 * _TEXT_WINDOW)
    tail = _clean(tail, redact)
    return _middle(head, skipped + min(_EDGE, len(tail)), tail[_EDGE:], TEXT_UNITS)


def _spelling(match: re.Match[str]) -> str:
    """Return the escape that Python would write for a character."""
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - the largest two-digit escape


def _clean(text: str, redact: Redaction | None) -> str:
    """Return the text without ANSI, then without secrets (which colours may cut in two), then visible."""
    plain = without_ansi(text)
    return visible(redact(plain) if redact else plain)


def _fits(text: str, units: int) -> bool:
    """Whether a text has at most so many units; long texts are not measured."""
    return len(text) * 2 <= units or (len(text) <= units and utf16_length(text) <= units)


def _start(text: str) -> tuple[str, int]:
    """Return the part of a text that can matter for a string, and how many characters follow it."""
    return text[:_STRING_WINDOW], max(0, len(text) - _STRING_WINDOW)


def _ends(parts: Sequence[str]) -> tuple[str, str]:
    """Return the first and the last characters of the parts together, without joining them all."""
    first: list[str] = []
    last: list[str] = []
    room = _TEXT_WINDOW
    for part in parts:
        first.append(part[:room])
        room -= len(first[-1])
        if not room:
            break
    room = _TEXT_WINDOW
    for part in reversed(parts):
        last.append(part[-room:])
        room -= len(last[-1])
        if not room:
            break
    return "".join(first), "".join(reversed(last))


def _without_edge(head: str, skipped: int) -> tuple[str, int]:
    """Return a narrowed head without its last characters, and how many are missing after it."""
    if not skipped:
        return head, 0
    kept = head[:-_EDGE]
    return kept, skipped + len(head) - len(kept)


def _middle(head: str, skipped: int, tail: str, units: int) -> str:
    """Return the ends of a text around a remark; ``skipped`` characters lie between head and tail."""
    longest = _remark(len(head) + skipped + len(tail))
    room = units - len(longest)
    if room <= 0:
        return _head(head, units)
    first = _head(head, room // 2)
    last = _tail(tail, room - utf16_length(first))
    missing = skipped + len(head) - len(first) + len(tail) - len(last)
    return f"{first}{_remark(missing)}{last}"


def _remark(characters: int) -> str:
    """Return the line that stands for what was cut."""
    return f"\n... {characters:,} characters cut ...\n"


def _end(head: str, skipped: int, units: int) -> str:
    """Return the head of a text and a remark; ``skipped`` characters follow the head."""
    if not skipped and _fits(head, units):
        return head
    room = units - len(f" ... {len(head) + skipped:,} characters cut")
    if room <= 0:
        return _head(head, units)
    first = _head(head, room)
    return f"{first} ... {len(head) - len(first) + skipped:,} characters cut"


def _head(text: str, units: int) -> str:
    """Return the longest start of a text that has at most so many units."""
    piece = text[:units]
    while (excess := utf16_length(piece) - units) > 0:
        # A character has one or two units: so many characters must go at least.
        piece = piece[: len(piece) - (excess + 1) // 2]
    return piece


def _tail(text: str, units: int) -> str:
    """Return the longest end of a text that has at most so many units."""
    piece = text[max(0, len(text) - units) :]
    while (excess := utf16_length(piece) - units) > 0:
        piece = piece[(excess + 1) // 2 :]
    return piece
