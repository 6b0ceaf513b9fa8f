"""Pack pages that have most of their lines in common: each distinct line once, and one character for each line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.report.columns import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["SharedLines"]

_MOST_CHARACTERS: Final = 4_000_000
_MOST_LINES: Final = 500_000


class SharedLines:
    """The lines of some pages of a report, which are read together.

    Compression alone finds the common parts of two pages only within 32 KB, which is less than two pages. The lines are
    sorted, so that those that differ a little stand together: 140 pages of tests need 60 % of the space.
    """

    def __init__(self) -> None:
        self._pages: list[Sequence[str]] = []
        self._lines: set[str] = set()
        self._characters = 0

    @property
    def is_full(self) -> bool:
        """Whether other pages should go elsewhere: a browser reads all lines to show one page."""
        return self._characters > _MOST_CHARACTERS or len(self._lines) > _MOST_LINES

    def add(self, lines: Sequence[str]) -> int:
        """Add a page and return its number, which counts from 0; ``lines`` have no newline."""
        self._characters += sum(len(line) for line in set(lines) - self._lines)
        self._lines.update(lines)
        self._pages.append(lines)
        return len(self._pages) - 1

    def fragments(self) -> Iterator[str]:
        """Yield the distinct lines as one text, then each page as characters that name its lines."""
        ordered = sorted(self._lines)
        codes = {line: code(number) for number, line in enumerate(ordered)}
        yield "\n".join(ordered)
        for lines in self._pages:
            yield "".join([codes[line] for line in lines])
