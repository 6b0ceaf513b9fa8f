"""Draw the last outcomes of a test as a strip: height and colour both show the outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.numbers import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["STRIP_RUNS", "Strip", "merged_letters", "strip_of"]

STRIP_RUNS: Final = 20
"""Runs that a strip shows, the newest at its right end."""

# Tone, height in pixels and word of each letter of a history (see `store.histories`).
_LOOKS: Final[Mapping[str, tuple[str, int, str]]] = {
    "f": ("fail", 17, "failed"),
    "r": ("flaky", 13, "flaky"),
    "p": ("pass", 8, "passed"),
    "s": ("skip", 4, "skipped"),
    ".": ("idle", 2, "not run"),
}
_STEP, _WIDTH, _BASE = 6, 4, 18
_RANK: Final = "frps."


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip: its width in pixels, one path of SVG for each tone, and the words for readers who do not see it.

    One path a tone instead of one rectangle a run: a page has up to 200 strips.
    """

    width: int
    paths: tuple[tuple[str, str], ...]
    label: str


def merged_letters(histories: Iterable[str]) -> str:
    """Return one letter for each run: the worst of these tests; the histories end with the same run."""
    texts = [letters[-STRIP_RUNS:].rjust(STRIP_RUNS) for letters in histories]
    columns = zip(*texts, strict=True)
    return "".join(min(column, key=(_RANK + " ").index) for column in columns).lstrip()


def strip_of(letters: str, *, has_now: bool = False) -> Strip | None:
    """Return the strip of the last runs, with a mark below the last one if ``has_now``; None without any."""
    # Runs from before there was this test are no part of its history.
    letters = letters[-STRIP_RUNS:].lstrip(".")
    if not letters:
        return None
    shapes: dict[str, list[str]] = {}
    for place, letter in enumerate(letters):
        tone, height, _ = _LOOKS[letter]
        shapes.setdefault(tone, []).append(f"M{place * _STEP} {_BASE - height}h{_WIDTH}v{height}h-{_WIDTH}z")
    words = Counter(_LOOKS[letter][2] for letter in letters)
    label = f"last {quantity(len(letters), 'run')}: " + ", ".join(f"{count} {word}" for word, count in words.items())
    paths = [(tone, "".join(parts)) for tone, parts in shapes.items()]
    if has_now:
        paths.append(("now", f"M{(len(letters) - 1) * _STEP} 21h{_WIDTH}v2h-{_WIDTH}z"))
    return Strip(len(letters) * _STEP - _STEP + _WIDTH, tuple(paths), label)
