"""Compute the geometry of small drawings: bars, strips of outcomes, trends.

The policy of the pages allows no style attributes, so all of them are SVG with numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Rectangle",
    "TrendBar",
    "TrendPoint",
    "outcome_words",
    "polyline",
    "slices",
    "strip",
    "trend",
]

# Width of a bar, and of its smallest part: one failure among 100,000 tests must be seen.
_BAR: Final = 1_000.0
_MIN_PART: Final = 5.0
_GAP: Final = 2.0
# Outcomes of a strip by their letter in the store: the tone, the word and the height, which differs for each.
_OUTCOMES: Final[Mapping[str, tuple[str, str, int]]] = {
    "f": ("fail", "failed", 17),
    "w": ("fail", "failed", 17),
    "r": ("flaky", "flaky", 13),
    "p": ("pass", "passed", 8),
    "s": ("skip", "skipped", 4),
    ".": ("idle", "not run", 2),
}
_STRIP_GROUND: Final = 18
_STRIP_STEP: Final = 6
# A trend: bars stand on the ground, the highest one has room for its number above it.
TREND_WIDTH: Final = 400
_TREND_GROUND: Final = 62.0
_TREND_HIGHEST: Final = 48.0
_TREND_LOWEST: Final = 5.0


class Rectangle(NamedTuple):
    """A part of a drawing."""

    tone: str
    x: str
    y: str
    width: str
    height: str


def slices(parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return tone, start and width of each part of a bar; also the smallest part is wide enough to be seen."""
    present = [(str(part["tone"]), int(part["count"])) for part in parts if part["count"]]
    total = sum(count for _, count in present)
    room = _BAR - _GAP * (len(present) - 1)
    widths = [max(_MIN_PART, room * count / total) for _, count in present]
    # The minimum widths can make the bar too long.
    scale = room / sum(widths) if widths else 1.0
    rectangles, start = [], 0.0
    for (tone, _), width in zip(present, widths, strict=True):
        rectangles.append((tone, f"{start:.2f}", f"{width * scale:.2f}"))
        start += width * scale + _GAP
    return rectangles


def strip(letters: str) -> list[Rectangle]:
    """Return the marks of a strip of outcomes, oldest first; ``letters`` are those of a test's history."""
    marks = []
    for place, letter in enumerate(letters):
        tone, _, height = _OUTCOMES[letter]
        marks.append(Rectangle(tone, str(place * _STRIP_STEP), str(_STRIP_GROUND - height), "4", str(height)))
    return marks


def outcome_words(letters: str) -> str:
    """Return a strip in words: the number of each outcome, failures first."""
    counts: dict[str, int] = {}
    for letter, (_, word, _) in _OUTCOMES.items():
        if count := letters.count(letter):
            counts[word] = counts.get(word, 0) + count
    runs = f"last {len(letters)} runs" if len(letters) > 1 else "last run"
    return f"{runs}: {', '.join(f'{count} {word}' for word, count in counts.items()) or 'none'}"


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run of a trend: its number, the drawn value, the same in words, its tone, and the address of a click.

    ``label`` stands above the bar if it is the highest or the last one.
    """

    run: int
    value: float
    words: str
    tone: str
    address: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class TrendBar:
    """One bar of a trend; ``end`` is its right edge, ``above`` is where its label stands."""

    point: TrendPoint
    x: str
    y: str
    width: str
    height: str
    end: str
    above: str
    label: str


def trend(points: Sequence[TrendPoint]) -> list[TrendBar]:
    """Return the bars of a trend, oldest first, of which the last one stands at the right edge.

    Heights grow with the square root: 300 failures in one run must not flatten the single ones of all others.
    """
    most = max((point.value for point in points), default=0)
    highest = max((place for place, point in enumerate(points) if point.value == most), default=0)
    step = min(TREND_WIDTH / max(len(points), 1), TREND_WIDTH / 12)
    first = TREND_WIDTH - step * len(points)
    bars = []
    for place, point in enumerate(points):
        height = max(_TREND_LOWEST, _TREND_HIGHEST * (point.value / (most or 1)) ** 0.5)
        x, width, y = first + place * step + step * 0.3, step * 0.7, _TREND_GROUND - height
        label = point.label if place in (highest, len(points) - 1) and point.value else ""
        bars.append(
            TrendBar(
                point,
                f"{x:.1f}",
                f"{y:.1f}",
                f"{width:.1f}",
                f"{height:.1f}",
                f"{x + width:.1f}",
                f"{y - 4:.1f}",
                label,
            )
        )
    return bars


def polyline(values: Sequence[float | None], width: int = 400, height: int = 48) -> list[str]:
    """Return the points of a line through values, from left to right, as SVG has them; a None interrupts the line."""
    most = max((value for value in values if value is not None), default=0) or 1
    step = width / max(len(values) - 1, 1)
    lines, current = list[str](), list[str]()
    for place, value in enumerate(values):
        if value is None:
            lines, current = [*lines, " ".join(current)] if current else lines, []
        else:
            current.append(f"{place * step:.1f},{height - height * value / most:.1f}")
    return [*lines, " ".join(current)] if current else lines
