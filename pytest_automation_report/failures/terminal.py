"""Split text for a terminal into lines and pieces with their colours, as names of the style sheet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MAX_LINES", "Screen", "TerminalLine", "terminal_lines"]

TerminalLine: TypeAlias = "tuple[tuple[str, str], ...]"
"""One line in pieces: (classes, text); empty classes are plain text."""

MAX_LINES: Final = 5_000
"""Most lines of one text that are returned: its first and its last ones."""

_HEAD_LINES: Final = 1_000
_MAX_LINE: Final = 10_000
_MAX_CHARACTERS: Final = 400_000
_SGR: Final = re.compile(r"\x1b\[([0-9;:]{0,60})m")
# Every other sequence: moves of the cursor, titles, links, character sets. They have no place on a page.
_OTHER: Final = re.compile(
    r"\x1b\[[0-?]{0,60}[ -/]{0,10}[@-~]|\x1b\][^\x07\x1b\n]{0,5000}(?:\x07|\x1b\\)|\x1b[()*+][0-9A-Z]|\x1b[=>NOM78]"
)
_COLOURS: Final[Mapping[int, str]] = {
    30: "dim", 31: "bad", 32: "ok", 33: "warn", 34: "info", 35: "note", 36: "info", 37: "",
    90: "dim", 91: "bad", 92: "ok", 93: "warn", 94: "info", 95: "note", 96: "info", 97: "",
}  # fmt: skip
_EXTENDED: Final = frozenset({38, 48})


@dataclass(frozen=True, slots=True)
class Screen:
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


@dataclass(slots=True)
class _Style:
    """The state that a terminal has."""

    colour: str = ""
    is_bold: bool = False
    is_dim: bool = False

    @property
    def classes(self) -> str:
        names = ["dim" if self.is_dim and not self.colour else self.colour, "bold" if self.is_bold else ""]
        return " ".join(f"ansi-{name}" for name in names if name)

    def apply(self, codes: str) -> None:
        """Change the state by the numbers of one sequence; unknown ones are ignored."""
        numbers = [int(code) if code.isdecimal() else 0 for code in re.split("[;:]", codes or "0")]
        position = 0
        while position < len(numbers):
            number = numbers[position]
            if number in _EXTENDED:
                # 38;5;n and 38;2;r;g;b: any of 16 million colours, of which none is in the style sheet.
                position += {5: 3, 2: 5}.get(numbers[position + 1] if position + 1 < len(numbers) else 0, 1)
                continue
            self._apply_one(number)
            position += 1

    def _apply_one(self, number: int) -> None:
        if number == 0:
            self.colour, self.is_bold, self.is_dim = "", False, False
        elif number == 1:
            self.is_bold = True
        elif number == 2:  # noqa: PLR2004 - a code of the terminal
            self.is_dim = True
        elif number == 22:  # noqa: PLR2004 - as above
            self.is_bold = self.is_dim = False
        elif number == 39:  # noqa: PLR2004 - as above
            self.colour = ""
        elif number in _COLOURS:
            self.colour = _COLOURS[number]


def terminal_lines(text: str) -> Screen:
    """Return the lines of a text with their colours; control characters are escaped, long texts and lines are cut.

    A carriage return writes over its line, as progress bars do: the last state of the line is what a terminal shows.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    head, tail = _shown_lines(lines)
    omitted = len(lines) - head - tail
    if omitted:
        lines = lines[:head] + lines[len(lines) - tail :]
    style = _Style()
    return Screen(tuple(_line(line, style) for line in lines), head, omitted)


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
    total = 0
    for number, length in enumerate(lengths[:count]):
        total += length
        if total > characters:
            return number
    return min(len(lengths), count)


def _line(line: str, style: _Style) -> TerminalLine:
    if "\r" in line:
        line = line.rstrip("\r").rpartition("\r")[2]
    rest = len(line) - _MAX_LINE
    if rest > 0:
        line = line[:_MAX_LINE]
    pieces: list[tuple[str, str]] = []
    if "\x1b" in line:
        position = 0
        for match in _SGR.finditer(line):
            _add(pieces, style, line[position : match.start()])
            style.apply(match[1])
            position = match.end()
        _add(pieces, style, line[position:])
    else:
        _add(pieces, style, line)
    if rest > 0:
        pieces.append(("quiet", f" … {rest:,} more characters"))
    return tuple(pieces)


def _add(pieces: list[tuple[str, str]], style: _Style, text: str) -> None:
    text = visible(_OTHER.sub("", text))
    if text:
        pieces.append((style.classes, text))
