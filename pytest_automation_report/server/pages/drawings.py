"""Compute small drawings: bars, trends, strips, lanes. All are SVG: the pages' policy allows no style attributes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from pytest_automation_report.server.pages.urls import RunState, link
from pytest_automation_report.server.pages.words import OUTCOME_TONES, OUTCOMES
from pytest_automation_report.server.store.findings import verdict_in_list
from pytest_automation_report.server.store.searches import Lane
from pytest_automation_report.text.limits import duration, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import FindingsSummary, LaneOwner, RunLanes
    from pytest_automation_report.findings.times import BlockKind
    from pytest_automation_report.server.pages.words import Part
    from pytest_automation_report.server.store.stored import StoredRun

# Width of a bar, of its smallest part, and of the gaps: one failure among 100,000 tests must be seen.
_BAR, _MIN_PART, _GAP = 1_000.0, 5.0, 2.0
# A trend: bars stand on the ground, the highest one has room for its number above it.
TREND_WIDTH: Final = 400
_TREND_GROUND, _TREND_HIGHEST = 62.0, 48.0
# One failure is higher than none, also without colours.
_TREND_LOWEST, _TREND_LOWEST_FAILED = 5.0, 9.0
_NUMBER_ROOM, _LAST_NUMBER_ROOM = 60, 75


def slices(parts: Sequence[Part]) -> list[tuple[Part, str, str]]:
    """Return each part of a bar with its start and width; also the smallest part is wide enough to be seen."""
    total = sum(part.count for part in parts)
    room = _BAR - _GAP * (len(parts) - 1)
    widths = [max(_MIN_PART, room * part.count / total) for part in parts]
    # The minimum widths can make the bar too long.
    scale = room / sum(widths) if widths else 1.0
    rectangles, start = [], 0.0
    for part, width in zip(parts, widths, strict=True):
        rectangles.append((part, f"{start:.2f}", f"{width * scale:.2f}"))
        start += width * scale + _GAP
    return rectangles


class TrendPoint(Struct, frozen=True):
    """One run of a trend: its number, the drawn value, the same in words, its tone, and the address of a click."""

    run: int
    value: float
    words: str
    tone: str
    address: str = ""
    label: str = ""  # stands above the bar if it is the highest or the last one
    is_part: bool = False  # the run did not run all of its suite, so the bar is hollow


class TrendBar(NamedTuple):
    """One bar of a trend; ``above`` is the place of its label. ``has_number``: the number of its run stands below."""

    point: TrendPoint
    x: float
    y: float
    width: float
    height: float
    middle: float
    above: float
    label: str
    has_number: bool


def trend(points: Sequence[TrendPoint]) -> list[TrendBar]:
    """Return the bars of a trend, oldest first; the last one stands at the right edge."""
    most = max((point.value for point in points), default=0)
    highest = max((place for place, point in enumerate(points) if point.value == most), default=0)
    step = TREND_WIDTH / max(len(points), 12)
    first = TREND_WIDTH - step * len(points)
    # The failures of the last runs began with it: its number stands between the first and the last number.
    began = next((place for place in reversed(range(len(points))) if points[place].tone != "fail"), -1) + 1
    is_apart = first + _NUMBER_ROOM <= first + (began + 0.5) * step <= TREND_WIDTH - _LAST_NUMBER_ROOM
    tops = [
        _TREND_GROUND
        - max(
            _TREND_LOWEST_FAILED if point.tone == "fail" else _TREND_LOWEST,
            _TREND_HIGHEST * point.value / (most or 1),
        )
        for point in points
    ]
    last = len(points) - 1
    bars = []
    for place, (point, y) in enumerate(zip(points, tops, strict=True)):
        x, width, above = first + place * step + step * 0.3, step * 0.7, y
        label = point.label if place in (highest, last) and point.value else ""
        if label and place == last != highest:
            # It ends at the right edge, above all bars that it covers; the label of the highest one has no room for it.
            covered = max(0, last - int(_CHARACTER * len(label) / step))
            label, above = "" if highest >= covered else label, min(tops[covered:])
        has_number = place in (0, last) or (is_apart and place == began)
        height, middle = _TREND_GROUND - y, x + width / 2
        bars.append(TrendBar(point, x, y, width, height, middle, above - 4, label, has_number))
    return bars


def failure_trend(rows: Iterable[StoredRun], known: Mapping[int, FindingsSummary]) -> list[TrendPoint]:
    """Return the failed tests of some runs, oldest first; ``known`` has the summaries of their findings by run."""
    points = []
    for row in rows:
        said = verdict_in_list(row, known.get(row.id))
        failed = f"{row.failure_count:,}"
        words = f"{row.success_count:,} passed" if said["kind"] == "passed" else said["short"]
        tone = "fail" if row.failure_count else said["tone"] if said["tone"] in {"fail", "pass"} else "idle"
        is_part = said["kind"] not in {"passed", "failed"} or bool(said["part"])
        words = ", ".join(filter(None, (words, said["part"])))
        points.append(TrendPoint(row.id, row.failure_count, words, tone, link("run", row.id), failed, is_part=is_part))
    return points


STRIP_RUNS: Final = 20  # runs that a strip shows, the newest at its right end
# Heights of the letters of a history in pixels.
_HEIGHTS: Final = {"f": 17, "r": 13, "p": 8, "s": 4, ".": 2}
_STEP, _MARK, _GROUND = 6, 4, 18


class Strip(Struct, frozen=True):
    """A strip: its width in pixels, one path of SVG for each tone, and the words for readers who do not see it."""

    width: int
    paths: tuple[tuple[str, str], ...]
    label: str


def merged_letters(histories: Iterable[str]) -> str:
    """Return one letter for each run: the worst of these tests; the histories end with the same run."""
    texts = [letters[-STRIP_RUNS:].rjust(STRIP_RUNS) for letters in histories]
    columns = zip(*texts, strict=True)
    return "".join(min(column, key="frps. ".index) for column in columns).lstrip()


def strip_of(letters: str, *, has_now: bool = False) -> Strip | None:
    """Return the strip of the last runs, with a mark below the last one if ``has_now``; None without any."""
    # Runs from before there was this test are no part of its history.
    letters = letters[-STRIP_RUNS:].lstrip(".")
    if not letters:
        return None
    heights = [_HEIGHTS[letter] for letter in letters]
    paths = _paths(
        (OUTCOME_TONES[OUTCOMES[letter]], f"M{place * _STEP} {_GROUND - height}h{_MARK}v{height}h-{_MARK}z")
        for place, (letter, height) in enumerate(zip(letters, heights, strict=True))
    )
    words = Counter(OUTCOMES[letter] for letter in letters)
    label = f"last {quantity(len(letters), 'run')}: " + ", ".join(f"{count} {word}" for word, count in words.items())
    if has_now:
        paths.append(("now", f"M{(len(letters) - 1) * _STEP} 21h{_MARK}v2h-{_MARK}z"))
    return Strip(len(letters) * _STEP - _STEP + _MARK, tuple(paths), label)


# Tones of the outcomes that an overview has for blocks of a lane and squares of a grid.
TONES: Final[Mapping[str, str]] = {"fa": "fail", "fl": "flaky", "sk": "skip", "pa": "pass"}
# Squares of a grid that are links, while they are few, and their distance in units of the drawing.
_MAX_LINKED_CELLS, _GRID_WIDTH, _CELL, _SMALL_CELL = 60, 996, 16.0, 9.9


class Square(NamedTuple):
    """A test of a grid: the id of its result, its tone, and its name or parameters."""

    result: int
    tone: str
    name: str


class Grid(NamedTuple):
    """A grid in units of its drawing: squares with their places while they are few, else one path for each tone."""

    height: float
    size: float
    squares: Sequence[tuple[Square, float, float]] = ()
    paths: Sequence[tuple[str, str]] = ()


def grid_of(cells: Sequence[Square]) -> Grid:
    """Return the drawing of these tests."""
    step = _CELL if len(cells) <= _MAX_LINKED_CELLS else _SMALL_CELL
    columns, size = int(_GRID_WIDTH / step), step * 0.78
    height = -(-len(cells) // columns) * step
    placed = [(cell, index % columns * step, index // columns * step) for index, cell in enumerate(cells)]
    if len(cells) <= _MAX_LINKED_CELLS:
        return Grid(height, size, placed)
    shapes = ((cell.tone, f"M{x:.1f} {y:.1f}h{size:.1f}v{size:.1f}h-{size:.1f}z") for cell, x, y in placed)
    return Grid(height, size, paths=_paths(shapes))


def _paths(shapes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return one path of SVG for each tone of some shapes."""
    by_tone: dict[str, list[str]] = {}
    for tone, shape in shapes:
        by_tone.setdefault(tone, []).append(shape)
    return [(tone, "".join(own)) for tone, own in by_tone.items()]


_KIND_WORDS: Final[Mapping[str, BlockKind]] = {"fa": "failed", "fl": "flaky", "sk": "skipped", "pa": "passed"}
_LEFT, _RIGHT, _TOP, _LANE = 72.0, 1264.0, 26, 41
_STEPS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_MOST_STEPS: Final = 12
# Pixels from which the name of a test fits on its block, and width of one character.
_LABEL_LEAST, _CHARACTER = 50.0, 6.7
_MOST_LEFT: Final = 260.0  # of the names of jobs


def clock(microseconds: float) -> str:
    """Return a time into the run, as in ``1:05``."""
    seconds = microseconds / 1_000_000
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


class DrawnLane(Struct, frozen=True):
    """One worker's lane: its blocks with place, width, tone, address, title and label, and the end of its work."""

    name: str
    label: str  # the name, cut to the room before the lanes
    href: str
    top: int
    blocks: Sequence[tuple[float, float, str, str, str, str, float]]
    left: float  # where its session begins
    width: float  # of its session
    setup: float  # width before the first test
    end: str
    end_x: float
    has_end: bool


class Lanes(Struct, frozen=True):
    """The timeline of a run's workers; ``hidden`` workers have no lanes."""

    ticks: Sequence[tuple[float, str]]
    lanes: Sequence[DrawnLane]
    bottom: int
    is_exact: bool
    hidden: int


def lanes_of(overview: RunLanes, name_of: Callable[[int], str], names: Mapping[int, str], state: RunState) -> Lanes:
    """Return the drawing of the lanes; ``name_of`` names a thread, ``names`` the tests of long blocks by result."""
    wall = max(1, overview["wall"])
    who = [name_of(worker["thread"]) or "pytest" for worker in overview["workers"]]
    left = round(min(_MOST_LEFT, max([_LEFT, *(_CHARACTER * len(name) + 12 for name in who)])))
    most = int((left - 12) / _CHARACTER)
    scale = (_RIGHT - left) / wall
    seconds = wall / 1_000_000
    # Beyond two days, which a clock that was wrong pretends, the step is as long as it must be.
    step = next((step for step in _STEPS_S if seconds / step <= _MOST_STEPS), max(_STEPS_S[-1], seconds / _MOST_STEPS))
    times = [number * step for number in range(int(seconds / step) + 1)]
    lanes = []
    for row, (worker, blocks) in enumerate(zip(overview["workers"], overview["lanes"], strict=True)):
        drawn = []
        for start, end, kind, count, result, last in blocks:
            x, width = left + start * scale, max(1.6, (end - start) * scale - 1.0)
            name = names[result] if count == 1 and result in names else quantity(count, "test")
            since = _tick(start / 1_000_000, step)
            stretch = Lane(worker["thread"], result, last, _KIND_WORDS[kind])
            href = state.result(result) if count == 1 else state.at("tests", lane=stretch).address
            title = f"{name}, {_KIND_WORDS[kind]}, {duration(end - start)}, from {since}"
            label = _label(names.get(result, ""), width) if count == 1 else ""
            drawn.append((x, width, TONES[kind], href, title, label, x + 5))
        lane = DrawnLane(
            name=who[row],
            label=who[row] if len(who[row]) <= most else f"{who[row][: most - 1]}…",
            href=state.at("tests", lane=Lane(worker["thread"])).address,
            top=_TOP + row * _LANE,
            blocks=drawn,
            left=left + worker["began"] * scale,
            width=(_over(worker, wall) - worker["began"]) * scale,
            setup=(worker["start"] - worker["began"]) * scale - 1,
            end=_tick(worker["end"] / 1_000_000, step),
            end_x=min(left + worker["end"] * scale + 5, _RIGHT - 34),
            has_end=worker["end"] < wall * 0.97,
        )
        lanes.append(lane)
    return Lanes(
        ticks=[(left + time * 1_000_000 * scale, _tick(time, step)) for time in times],
        lanes=lanes,
        bottom=_TOP + len(lanes) * _LANE,
        is_exact=overview["is_exact"],
        hidden=overview["worker_count"] - len(lanes),
    )


def _over(worker: LaneOwner, wall: int) -> int:
    """Return when the session of a worker was over, or its last test."""
    return wall if worker["over"] is None else max(worker["end"], min(worker["over"], wall))


class SmallLanes(Struct, frozen=True):
    """The lanes of the rail: one path for each tone; ``busy`` is in percent of ``wall``."""

    height: int
    paths: Sequence[tuple[str, str]]
    busy: int
    wall: int
    label: str


def small_lanes(overview: RunLanes, busy: int) -> SmallLanes:
    """Return the lanes of the rail: one path for each tone, at most eight workers; ``busy`` is in percent."""
    wall = max(1, overview["wall"])
    scale = 288 / wall
    shapes: list[tuple[str, str]] = []
    workers = list(zip(overview["workers"], overview["lanes"], strict=True))[:8]
    for row, (worker, blocks) in enumerate(workers):
        top, began = row * 13, worker["began"] * scale
        shapes.append(("gap", _box(began, top, _over(worker, wall) * scale - began)))
        if worker["start"] * scale - began >= 1:
            shapes.append(("setup", _box(began, top, worker["start"] * scale - began)))
        for start, end, kind, *_ in blocks:
            shapes.append((TONES[kind], _box(start * scale, top, max(0.8, (end - start) * scale))))
    return SmallLanes(
        height=max(9, len(workers) * 13 - 4),
        paths=_paths(shapes),
        busy=busy,
        wall=overview["wall"],
        label=f"{quantity(overview['worker_count'], 'worker')}, busy for {busy} %",
    )


def _box(x: float, y: float, width: float) -> str:
    return f"M{x:.1f} {y}h{width:.1f}v9h-{width:.1f}z"


def _tick(seconds: float, step: float) -> str:
    """Return a time into the run as it is written at an axis with marks of ``step`` seconds."""
    return f"{seconds:.1f} s" if step < 1 else clock(seconds * 1_000_000)


def _label(name: str, width: float) -> str:
    """Return the name of a test cut to the width of its block; empty if it is too narrow."""
    if width < _LABEL_LEAST:
        return ""
    name = name.removeprefix("test_")
    room = int((width - 10) / _CHARACTER)
    return name if len(name) <= room else f"{name[: room - 1]}…"
