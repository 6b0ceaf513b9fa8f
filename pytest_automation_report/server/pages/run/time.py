"""The time of a run: shares, lanes of the workers, waste, slowest files; outcomes and usual times of the last runs.

And what an open run still has to do.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from msgspec.structs import asdict

from pytest_automation_report.findings.flakiness import WINDOW
from pytest_automation_report.findings.times import HISTORY, LAST, WorkerTime, time_shares
from pytest_automation_report.server.pages.drawings import STRIP_RUNS
from pytest_automation_report.server.pages.run.head import SILENT_US
from pytest_automation_report.server.pages.state import Lane
from pytest_automation_report.server.pages.words import duration, quantity
from pytest_automation_report.server.store.extensions import running_tests
from pytest_automation_report.server.store.histories import histories, last_letters, series_of
from pytest_automation_report.server.store.records import find_cases
from pytest_automation_report.text.names import split_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import RunFindings, RunLanes, RunOverview, RunTime, TimeShare
    from pytest_automation_report.findings.times import Kind
    from pytest_automation_report.findings.verdict import RunNumbers
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.pages.run.changes import WorkerNames
    from pytest_automation_report.server.pages.run.head import Phrase, RunFacts
    from pytest_automation_report.server.pages.state import RunState
    from pytest_automation_report.server.store.extensions import RunningTest
    from pytest_automation_report.server.store.histories import Series, SeriesRun


SLOWEST_SHOWN: Final = 10
"""Tests and files in the lists of the slowest."""

_TONES: Final[Mapping[str, str]] = {"fa": "fail", "fl": "flaky", "sk": "skip", "pa": "pass"}
_WORDS: Final[Mapping[str, Kind]] = {"fa": "failed", "fl": "flaky", "sk": "skipped", "pa": "passed"}
_LEFT, _RIGHT, _WIDTH, _TOP, _LANE, _HEIGHT = 72.0, 1264.0, 1272, 26, 41, 30
_STEPS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_MOST_STEPS: Final = 12
# Pixels from which the name of a test fits on its block, and width of one character.
_LABEL_LEAST, _CHARACTER = 50.0, 6.7


def clock(microseconds: float) -> str:
    """Return a time into the run, as in ``1:05``."""
    seconds = microseconds / 1_000_000
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def time_of(overview: RunLanes, time: RunTime | None) -> RunTime | None:
    """Return the shares of the workers' time: those of the drawing if each test has a start and each worker a lane.

    ``time`` is that of the findings, which is true to one batch of results.
    """
    workers, wall = overview["workers"], overview["wall"]
    if time is None or not workers or not overview["is_exact"] or overview["worker_count"] > len(workers):
        return time
    shares = time_shares(wall, [WorkerTime(row["start"], row["end"], row["busy"]) for row in workers], ())
    return cast("RunTime", {**time, **asdict(shares), "balanced": time["balanced"]})


def shares_of(time: RunTime) -> list[Json]:
    """Return the four shares of the workers' time, with their part of it in percent."""
    names: Sequence[tuple[TimeShare, str, str]] = (
        ("tests", "Tests ran", "of the workers' time"),
        ("between", "Between tests", "reports, waiting for work"),
        ("before", "Before the first test", "start, collection"),
        ("waiting", "Waiting for the last worker", ""),
    )
    whole = sum(time[key] for key, *_ in names)
    return [
        {"name": name, "time": time[key], "percent": round(100 * time[key] / whole) if whole else 0, "note": note}
        for key, name, note in names
    ]


def lanes_of(overview: RunLanes, name_of: Callable[[int], str], names: Mapping[int, str], state: RunState) -> Json:
    """Return the drawing of the lanes; ``name_of`` names a thread, ``names`` the tests of long blocks by result.

    A block of one test leads to that test, a block of several to their list.
    """
    wall = max(1, overview["wall"])
    scale = (_RIGHT - _LEFT) / wall
    seconds = wall / 1_000_000
    # Beyond two days, which a clock that was wrong pretends, the step is as long as it must be.
    step = next((step for step in _STEPS_S if seconds / step <= _MOST_STEPS), max(_STEPS_S[-1], seconds / _MOST_STEPS))
    ticks = [
        {"x": f"{_LEFT + number * step * 1_000_000 * scale:.1f}", "text": _tick(number * step, step)}
        for number in range(int(seconds / step) + 1)
    ]
    lanes = []
    for row, (worker, blocks) in enumerate(zip(overview["workers"], overview["lanes"], strict=True)):
        top = _TOP + row * _LANE
        drawn = []
        for start, end, kind, count, result, last in blocks:
            x, width = _LEFT + start * scale, max(1.6, (end - start) * scale - 1.0)
            words = f"{names[result]}, " if count == 1 and result in names else f"{quantity(count, 'test')}, "
            drawn.append(
                {
                    "x": f"{x:.1f}",
                    "width": f"{width:.1f}",
                    "tone": _TONES[kind],
                    "href": state.result(result)
                    if count == 1
                    else state.at("tests", lane=Lane(worker["thread"], result, last, _WORDS[kind])).address,
                    "title": f"{words}{_WORDS[kind]}, {duration(end - start)}, from {_tick(start / 1_000_000, step)}",
                    "label": _label(names.get(result, ""), width) if count == 1 else "",
                    "label_x": f"{x + 5:.1f}",
                }
            )
        end_x = _LEFT + worker["end"] * scale
        lanes.append(
            {
                "name": name_of(worker["thread"]),
                "href": state.at("tests", lane=Lane(worker["thread"])).address,
                "top": top,
                "text_y": top + 19,
                "blocks": drawn,
                "setup": f"{max(0.0, worker['start'] * scale - 1):.1f}",
                "end": _tick(worker["end"] / 1_000_000, step),
                "end_x": f"{min(end_x + 5, _RIGHT - 34):.1f}",
                "has_end": worker["end"] < wall * 0.97,
            }
        )
    return {
        "ticks": ticks,
        "lanes": lanes,
        "width": _WIDTH,
        "left": _LEFT,
        "lane_width": _RIGHT - _LEFT,
        "lane_height": _HEIGHT,
        "bottom": _TOP + len(lanes) * _LANE,
        "height": _TOP + len(lanes) * _LANE + 6,
        "is_exact": overview["is_exact"],
        "hidden": overview["worker_count"] - len(lanes),
    }


def small_lanes(overview: RunLanes) -> Json:
    """Return the lanes of the rail: one path for each tone, at most eight workers."""
    wall = max(1, overview["wall"])
    scale = 288 / wall
    shapes: dict[str, list[str]] = {}
    workers = list(zip(overview["workers"], overview["lanes"], strict=True))[:8]
    for row, (worker, blocks) in enumerate(workers):
        top = row * 13
        if worker["start"] * scale >= 1:
            shapes.setdefault("setup", []).append(_box(0, top, worker["start"] * scale))
        for start, end, kind, *_ in blocks:
            shapes.setdefault(_TONES[kind], []).append(_box(start * scale, top, max(0.8, (end - start) * scale)))
    busy = sum(worker["busy"] for worker, _ in workers)
    return {
        "height": max(9, len(workers) * 13 - 4),
        "rows": [row * 13 for row in range(len(workers))],
        "paths": [(tone, "".join(boxes)) for tone, boxes in shapes.items()],
        "busy": round(100 * busy / (wall * len(workers))) if workers else 0,
        "wall": overview["wall"],
        "label": f"{quantity(len(workers), 'worker')}, busy for {round(100 * busy / (wall * max(1, len(workers))))} %",
    }


def _box(x: float, y: float, width: float) -> str:
    return f"M{x:.1f} {y}h{width:.1f}v9h-{width:.1f}z"


def waste_sentence(overview: RunLanes, time: RunTime | None, name_of: Callable[[int], str]) -> list[Phrase]:
    """Return the sentence that names the largest waste of a run; nothing if there is none worth a sentence."""
    waste = overview["waste"]
    if waste:
        sentence: list[Phrase] = [
            (name_of(waste["worker"]), "code"),
            (" began ", ""),
            (waste["name"], "code"),
            (f" at {clock(waste['start'])} and kept the other workers waiting for {duration(waste['waited'])}", ""),
        ]
        saved = 0 if time is None else overview["wall"] - max(time["balanced"], waste["elapsed"] or 0)
        if saved >= overview["wall"] // 50 and saved > 0:
            sentence.append((f"; begun first, the run takes up to {duration(min(saved, waste['waited']))} less", ""))
        return sentence
    if time is None or not time["workers"]:
        return []
    whole = time["tests"] + time["between"] + time["before"] + time["waiting"]
    wasted: Sequence[tuple[TimeShare, str]] = (
        ("before", "before the first tests: start of pytest, collection"),
        ("between", "between tests: reports, waiting for work"),
        ("waiting", "waiting for the last worker"),
    )
    for key, words in wasted:
        if whole and time[key] >= whole * 0.3:
            return [(f"{round(100 * time[key] / whole)} % of the workers' time passed {words}", "")]
    return []


def slowest_tests(overview: RunOverview, medians: Mapping[int, int | None], shown: int = SLOWEST_SHOWN) -> list[Json]:
    """Return the slowest tests with their share of the slowest and their usual time."""
    rows = overview["slowest"][:shown]
    longest = max((row["elapsed"] for row in rows), default=1) or 1
    return [
        {
            **row,
            "short": split_name(row["name"]),
            "share": round(100 * row["elapsed"] / longest),
            "median": medians.get(row["case"]),
        }
        for row in rows
    ]


def slowest_files(overview: RunOverview) -> list[Json]:
    """Return the slowest files by the sum of their tests."""
    files = sorted(overview["files"], key=lambda entry: -entry["elapsed"])[:SLOWEST_SHOWN]
    longest = max((entry["elapsed"] for entry in files), default=1) or 1
    return [
        {
            "path": entry["file"] or entry["folder"] or "(no folder)",
            "elapsed": entry["elapsed"],
            "share": round(100 * entry["elapsed"] / longest),
            "count": sum(entry["counts"].values()),
        }
        for entry in files
        if entry["elapsed"]
    ]


def _tick(seconds: float, step: float) -> str:
    """Return a time into the run as it is written at an axis with marks of ``step`` seconds."""
    return f"{seconds:.1f} s" if step < 1 else clock(seconds * 1_000_000)


def _label(name: str, width: float) -> str:
    """Return the name of a test cut to the width of its block; empty if it is too narrow."""
    if width < _LABEL_LEAST or not name:
        return ""
    name = name.removeprefix("test_")
    room = int((width - 10) / _CHARACTER)
    return name if len(name) <= room else f"{name[: room - 1]}…"


_LAST: Final = HISTORY + LAST
"""Runs of a strip and of a usual time."""


class Histories:
    """Outcomes and medians of tests up to one run: of its branch, or of the base's if its branch has no earlier run."""

    def __init__(self, reader: PageReader, run: Json, found: RunFindings | None) -> None:
        self._connection = reader.connection
        # Durations of histories are at the speed of a usual run.
        self._speed = 1.0 if found is None else float(found["speed"])
        self._letters: dict[int, str] = {}
        self._medians: dict[int, int | None] = {}
        self._series = _series_of(reader, run)
        base = None if found is None or found["base"] is None else reader.known_run(found["base"]["run"])
        if not self.before and base is not None and base["branch"] != run["branch"]:
            self._series = _series_of(reader, base)

    @property
    def before(self) -> SeriesRun | None:
        """The run before the one of the page in its series; None if there is none."""
        return self._series.runs[-2] if len(self._series.runs) > 1 else None

    @property
    def run_ids(self) -> list[int]:
        """The runs of the history, oldest first."""
        return [run.id for run in self._series.runs]

    def load(self, cases: Iterable[int], *, is_whole: bool = False) -> None:
        """Read the histories of these tests, which `letters` and `median` then return without a query.

        Those of the last runs, or, if ``is_whole``, of all runs that findings look at.
        """
        missing = {case for case in cases if is_whole or case not in self._letters}
        found = histories(self._connection, self._series, missing, last=WINDOW if is_whole else _LAST)
        for case, history in found.items():
            self._letters[case] = history.letters
            self._medians[case] = history.median

    def load_all(self) -> None:
        """Read the strips of all tests, for a page that shows each test of a run."""
        self._letters |= last_letters(self._connection, self._series.runs[-STRIP_RUNS:])

    def letters(self, case: int) -> str:
        """Return the outcomes of a test, one letter for each run; empty for an unknown one."""
        return self._letters.get(case, "")

    def median(self, case: int) -> int | None:
        """Return the usual time of a test at the speed of this run, in microseconds; None if it is not known."""
        median = self._medians.get(case)
        return None if median is None else round(median * self._speed)

    def usual(self, case: int) -> int | None:
        """Return the usual time of a test at the speed of a usual run, as its own page shows it; None if unknown."""
        return self._medians.get(case)


def _series_of(reader: PageReader, run: Json) -> Series:
    return series_of(reader.connection, {**run, "source_id": run["source"], "config_id": run["config"]})


# Twice the median of a test of a few milliseconds is noise.
_LEAST_MEDIAN_US: Final = 250_000


def news_tag(reader: PageReader, run_id: int, query: str, now: int) -> str:
    """Return the ETag of an open run's page without rendering it; raises `ApiError` (404) for an unknown run.

    Every append changes `updated`. A sender that falls silent changes nothing: the page then says so by itself.
    """
    row = reader.run_row(run_id)
    state = [row[name] for name in ("updated", "created", "total_count", "status", "is_completed")]
    is_silent = now - (row["updated"] or row["created"]) >= SILENT_US
    return f'"{sha256(repr((state, query, is_silent)).encode("utf-8", "replace")).hexdigest()[:32]}"'


def arrived_words(counts: RunNumbers, seen: str) -> str:
    """Return the words of the pill: what arrived since the page was loaded, which moves nothing by itself.

    ``seen`` has the number of failures and of results that the page shows.
    """
    failed, _, total = seen.partition(".")
    if not failed.isdecimal() or not total.isdecimal():
        return ""
    if counts.failed > int(failed):
        return f"{quantity(counts.failed - int(failed), 'more failure')} below"
    if not counts.is_open:
        return "The run has ended: show all of it"
    if counts.finished > int(total) and not int(total):
        return f"{quantity(counts.finished, 'result')} below"
    return ""


def time_to_go(facts: RunFacts, counts: RunNumbers, reader: PageReader, histories: Histories) -> int | None:
    """Return about how many microseconds an open run still takes; None if that cannot be said.

    By the times that the tests that are still to come took in the run before, spread over the workers; without these
    times by the time that the tests took so far.
    """
    if counts.collected is None or counts.is_silent or not 0 < counts.finished < counts.collected:
        return None
    before = histories.before
    usual = None if before is None else reader.usual_times(before.id, facts.row["id"])
    workers = max(1, int(facts.row["thread_active_count"]))
    if usual is not None and usual.known * 2 >= counts.collected:
        # Tests that are new were not in it: they count as one of the others.
        missing = counts.collected - counts.finished
        known_missing = max(1, usual.known - usual.ran_count)
        speed = 1.0 if facts.findings is None else float(facts.findings["speed"])
        return round(max(0, usual.all - usual.ran) * speed * missing / known_missing / workers)
    elapsed = facts.now - int(facts.row["created"])
    return round(elapsed * (counts.collected - counts.finished) / counts.finished)


def running_now(facts: RunFacts, reader: PageReader, histories: Histories, workers: WorkerNames) -> list[Json]:
    """Return the tests that run now, those that have run longest first; none if the client does not send them."""
    running: list[Json] = []
    found: list[tuple[Json, RunningTest]] = [(row, test) for row in facts.record.threads for test in running_tests(row)]
    cases = find_cases(reader.connection, facts.row["source"], [test.key for _, test in found])
    histories.load(cases.values())
    for row, test in found:
        session = row["session_started"] or row["created"]
        lasted = max(0, facts.now - session - test.since)
        median = histories.median(cases[test.key]) if test.key in cases else None
        limit = None if median is None else 2 * max(median, _LEAST_MEDIAN_US)
        running.append(
            {
                "short": split_name(test.name),
                "folder": test.folder,
                "lasted": lasted,
                "clock": clock(lasted),
                "median": median,
                "limit": limit,
                "is_slow": limit is not None and lasted >= limit,
                "worker": workers.name(row["id"]),
            }
        )
    return sorted(running, key=lambda test: -test["lasted"])
