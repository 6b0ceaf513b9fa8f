"""Captured output as a terminal shows it: lines in pieces with their styles."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from pytest_automation_report.text.visible import SGR, Span, StyleState, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


TerminalLine: TypeAlias = "tuple[tuple[str, str], ...]"
"""One line in pieces: (classes, text); empty classes are plain text."""

MAX_LINES: Final = 5_000
"""Most lines of one text that are returned: its first and its last ones."""

_HEAD_LINES: Final = 1_000
_MAX_LINE: Final = 10_000
_MAX_CHARACTERS: Final = 400_000
# Every other sequence: moves of the cursor, titles, links, character sets. They have no place on a page.
_OTHER: Final = re.compile(
    r"\x1b\[[0-?]{0,60}[ -/]{0,10}[@-~]|\x1b\][^\x07\x1b\n]{0,5000}(?:\x07|\x1b\\)|\x1b[()*+][0-9A-Z]|\x1b[=>NOM78]"
)
# Black and dim text are shown as quiet text, white and light grey as plain text: both must be read on a page.
_COLOURS: Final = ("dim", "bad", "ok", "warn", "info", "note", "aqua", "")
_WORDS: Final = {"1": "bold", "2": "dim", "3": "italic", "4": "underline"}


class Screen(Struct, frozen=True):
    """The lines of a text; ``omitted`` lines are left out after the first ``head`` ones."""

    lines: tuple[TerminalLine, ...]
    head: int
    omitted: int = 0

    @property
    def numbered(self) -> list[tuple[int, TerminalLine]]:
        """The lines with their numbers in the whole text, from 1."""
        return [
            (number + (self.omitted if number > self.head else 0), line) for number, line in enumerate(self.lines, 1)
        ]


@lru_cache(maxsize=512)
def _classes(style: str) -> str:
    names: list[str] = []
    for code in style.split(";") if style else ():
        number = int(code)
        if code in _WORDS:
            names.append(_WORDS[code])
        elif number % 10 < len(_COLOURS):
            name = _COLOURS[number % 10]
            is_ground = number // 10 in {4, 10}
            # The page has the bright colours, too; text keeps its own colour on a ground.
            names.append(f"on-{name or 'plain'}" if is_ground else name)
    return " ".join(f"ansi-{name}" for name in dict.fromkeys(names) if name)


def terminal_lines(text: str, spans: Iterable[Span] = ()) -> Screen:
    """Return the lines of a text with their colours, ``spans`` of a text without sequences; long ones are cut."""
    text = sequences_from(text, spans) if spans else text
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    head, tail = _shown_lines(lines)
    omitted = len(lines) - head - tail
    if omitted:
        lines = lines[:head] + lines[len(lines) - tail :]
    state = StyleState()
    return Screen(tuple(_line(line, state) for line in lines), head, omitted)


def sequences_from(text: str, spans: Iterable[Span]) -> str:
    """Return the text with sequences for its spans, but not for those outside of it or out of order."""
    pieces: list[str] = []
    done = 0
    for start, end, style in spans:
        if start < done or end <= start or end > len(text):
            continue
        part = text[start:end].replace("\n", f"\x1b[m\n\x1b[{style}m")
        pieces += [text[done:start], f"\x1b[{style}m{part}\x1b[m"]
        done = end
    return "".join((*pieces, text[done:]))


def _shown_lines(lines: Sequence[str]) -> tuple[int, int]:
    """Return how many lines of the beginning and of the end are shown: all, or those within the limits."""
    lengths = [min(len(line), _MAX_LINE) for line in lines]
    if len(lines) <= MAX_LINES and sum(lengths) <= _MAX_CHARACTERS:
        return len(lines), 0
    head = _fitting(lengths[:_HEAD_LINES], _MAX_CHARACTERS // 4)
    return head, _fitting(
        lengths[: head - 1 : -1] if head else lengths[::-1], _MAX_CHARACTERS * 3 // 4, MAX_LINES - head
    )


def _fitting(lengths: Sequence[int], characters: int, count: int = MAX_LINES) -> int:
    """Return how many of the first lines have no more than this number of characters together."""
    return bisect_right(list(accumulate(lengths[:count])), characters)


def _line(line: str, state: StyleState) -> TerminalLine:
    if "\r" in line:
        # It writes over its line, as progress bars do: a terminal shows the last state.
        line = line.rstrip("\r").rpartition("\r")[2]
    rest = len(line) - _MAX_LINE
    if rest > 0:
        line = line[:_MAX_LINE]
    pieces: list[tuple[str, str]] = []
    position = 0
    for match in SGR.finditer(line):
        _add(pieces, state.style, line[position : match.start()])
        state.apply(match[1])
        position = match.end()
    _add(pieces, state.style, line[position:])
    if rest > 0:
        pieces.append(("quiet", f" … {rest:,} more characters"))
    return tuple(pieces)


def _add(pieces: list[tuple[str, str]], style: str, text: str) -> None:
    text = visible(_OTHER.sub("", text))
    if text:
        pieces.append((_classes(style), text))
