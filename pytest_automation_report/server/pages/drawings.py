"""Compute the geometry of small drawings: bars, trends, strips of the last outcomes of a test.

The policy of the pages allows no style attributes, so all of them are SVG with numbers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.words import duration, quantity, verdict_in_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import FindingsSummary


# Width of a bar, and of its smallest part: one failure among 100,000 tests must be seen.
_BAR: Final = 1_000.0
_MIN_PART: Final = 5.0
_GAP: Final = 2.0
# A trend: bars stand on the ground, the highest one has room for its number above it.
TREND_WIDTH: Final = 400
_TREND_GROUND: Final = 62.0
_TREND_HIGHEST: Final = 48.0
_TREND_LOWEST: Final = 5.0
# One failure is higher than none, also without colours.
_TREND_LOWEST_FAILED: Final = 9.0
_NUMBER_ROOM: Final = 60
_LAST_NUMBER_ROOM: Final = 75


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


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run of a trend: its number, the drawn value, the same in words, its tone, and the address of a click.

    ``label`` stands above the bar if it is the highest or the last one. ``is_part``: the run did not run all of its
    suite, so the bar is hollow.
    """

    run: int
    value: float
    words: str
    tone: str
    address: str = ""
    label: str = ""
    is_part: bool = False


class TrendBar(NamedTuple):
    """One bar of a trend; ``above`` is the place of its label. ``has_number``: the number of its run stands below."""

    point: TrendPoint
    x: str
    y: str
    width: str
    height: str
    middle: str
    above: str
    label: str
    has_number: bool


def trend(points: Sequence[TrendPoint]) -> list[TrendBar]:
    """Return the bars of a trend, oldest first, of which the last one stands at the right edge.

    Heights grow with the square root: 300 failures in one run must not flatten the single ones of all others. Below
    the bars stand the numbers of the first and the last run, and of the one with which the failures of the last runs
    began, if there is room for it between them.
    """
    most = max((point.value for point in points), default=0)
    highest = max((place for place, point in enumerate(points) if point.value == most), default=0)
    step = TREND_WIDTH / max(len(points), 12)
    first = TREND_WIDTH - step * len(points)
    began = next((place for place in reversed(range(len(points))) if points[place].tone != "fail"), -1) + 1
    is_apart = first + _NUMBER_ROOM <= first + (began + 0.5) * step <= TREND_WIDTH - _LAST_NUMBER_ROOM
    bars = []
    for place, point in enumerate(points):
        lowest = _TREND_LOWEST_FAILED if point.tone == "fail" else _TREND_LOWEST
        height = max(lowest, _TREND_HIGHEST * (point.value / (most or 1)) ** 0.5)
        x, width, y = first + place * step + step * 0.3, step * 0.7, _TREND_GROUND - height
        label = point.label if place in (highest, len(points) - 1) and point.value else ""
        has_number = place in (0, len(points) - 1) or (is_apart and place == began)
        x_text, y_text, width_text, height_text, middle, above = (
            f"{number:.1f}" for number in (x, y, width, height, x + width / 2, y - 4)
        )
        bars.append(TrendBar(point, x_text, y_text, width_text, height_text, middle, above, label, has_number))
    return bars


def failure_trend(rows: Iterable[Mapping[str, Any]], known: Mapping[int, FindingsSummary]) -> list[TrendPoint]:
    """Return the failed tests of some runs, oldest first; ``known`` has the summaries of their findings by run."""
    points = []
    for row in rows:
        said = verdict_in_list(row, known.get(row["id"]))
        failed = f"{row['failure_count']:,}"
        words = f"{row['success_count']:,} passed" if said["kind"] == "passed" else said["short"]
        tone = "fail" if row["failure_count"] else said["tone"] if said["tone"] in {"fail", "pass"} else "idle"
        is_part = said["kind"] not in {"passed", "failed"} or bool(said["part"])
        words = ", ".join(filter(None, (words, said["part"])))
        points.append(
            TrendPoint(row["id"], row["failure_count"], words, tone, link("run", row["id"]), failed, is_part=is_part)
        )
    return points


def duration_trend(rows: Iterable[Mapping[str, Any]]) -> list[TrendPoint]:
    """Return the durations of some runs, oldest first."""
    return [
        TrendPoint(row["id"], row["elapsed"] or 0, duration(row["elapsed"]), "skip", link("run", row["id"]))
        for row in rows
    ]


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


STRIP_RUNS: Final = 20
"""Runs that a strip shows, the newest at its right end."""

# Tone, height in pixels and word of each letter of a history (see `store.histories`).
_OUTCOMES: Final[Mapping[str, tuple[str, int, str]]] = {
    "f": ("fail", 17, "failed"),
    "r": ("flaky", 13, "flaky"),
    "p": ("pass", 8, "passed"),
    "s": ("skip", 4, "skipped"),
    ".": ("idle", 2, "not run"),
}
_STEP, _MARK, _GROUND = 6, 4, 18
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
        tone, height, _ = _OUTCOMES[letter]
        shapes.setdefault(tone, []).append(f"M{place * _STEP} {_GROUND - height}h{_MARK}v{height}h-{_MARK}z")
    words = Counter(_OUTCOMES[letter][2] for letter in letters)
    label = f"last {quantity(len(letters), 'run')}: " + ", ".join(f"{count} {word}" for word, count in words.items())
    paths = [(tone, "".join(parts)) for tone, parts in shapes.items()]
    if has_now:
        paths.append(("now", f"M{(len(letters) - 1) * _STEP} 21h{_MARK}v2h-{_MARK}z"))
    return Strip(len(letters) * _STEP - _STEP + _MARK, tuple(paths), label)
