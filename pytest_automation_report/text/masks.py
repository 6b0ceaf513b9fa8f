"""Hide parts of a text in steps: a masked text is as long as the raw one, so that all positions stay the same.

Each step replaces what it hides by fillers. No expression takes a filler for a part of a secret, and at the end each
run of them becomes one `MARK`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.patterns import lazy_pattern

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

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
