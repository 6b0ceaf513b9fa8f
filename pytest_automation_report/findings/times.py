"""Find tests that got slower or faster, at the speed of each run, and show where the time of a run went."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from itertools import accumulate, groupby
from math import sqrt
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


_Value = TypeVar("_Value")

HISTORY: Final = 20
"""Runs before the last ones that a duration is compared with."""

LAST: Final = 3
"""Runs at the end that are taken together, so that one slow run is no change."""

USUAL_RUNS: Final = 2 * HISTORY + LAST
"""Runs in which a usual time is found: each of the last twenty is compared with those before it."""

LEAST_CHANGE_US: Final = 100_000
"""A difference that is not larger is no change."""

# With fewer runs before the last ones nothing is said.
_LEAST: Final = 5
_RATIO: Final = 1.4
_DEVIATIONS: Final = 3
# From the median of the absolute deviations to a standard deviation of normal noise.
_MAD_FACTOR: Final = 1.4826
# The share of the durations before a change, and of those since then, that must be nearer to what was usual then: two
# of the last three.
_CLEAR_SHARE: Final = 2 / 3
# The share of a change that must show in the durations as they were, with the machines' speeds in them.
_OBSERVED_RATIO: Final = 1.2
# Speeds this near to a usual run's are noise.
_USUAL_SPEEDS: Final = (0.9, 1.1)
# A single long test must not be the measure of all others.
_MOST_WEIGHT_US: Final = 100_000
# With fewer tests a slow test looks like a slow machine, so no test weighs more than a fifth.
_LEAST_TESTS_FOR_SPEED: Final = 5
# Before that the runs of a series say nothing of the speed that is usual in it.
_LEAST_SPEEDS: Final = 5
# Earlier runs that a duration is divided by, spread over the history: the speed of one run is noise.
_COMPARED_RUNS: Final = 4
# The weights depend on the speed; after these rounds the speed changes by less than 0.1 %.
_ROUNDS: Final = 3


class DurationChange(Struct, frozen=True):
    """A test that got slower or faster: the usual duration since then and before, in microseconds, as they were.

    ``runs`` is the number of runs since the change, with the last one. ``is_new``: no run before shows it.
    """

    elapsed: int
    median: int
    runs: int = 1
    is_new: bool = False

    @property
    def ratio(self) -> float:
        """Duration divided by the earlier one; below 1 for a faster test."""
        return self.elapsed / self.median if self.median else float("inf")


def median(values: Iterable[float]) -> float:
    """Return the middle of some numbers; raises IndexError if there are none."""
    # The one of `statistics` takes twice as long, and to load that module takes 10 ms.
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def estimate_speed(durations: Iterable[tuple[int, Sequence[float]]]) -> float:
    """Return how slow a run was, 1.3 if its tests took 1.3 times as long as usual, 1.0 if nothing can be said.

    ``durations`` has for each test that passed its microseconds, and its earlier ones at usual speed, oldest first.
    """
    # A weighted median of duration / earlier duration. The shorter of the two is the weight, since tests of a
    # millisecond measure the scheduler. Ratios to the median of the earlier ones would be biased, since a median
    # varies less than a single duration: the speeds of some suites grew from run to run.
    tests = [
        (elapsed, spread([duration for duration in earlier[-HISTORY:] if duration > 0]))
        for elapsed, earlier in durations
        if elapsed > 0
    ]
    if sum(bool(earlier) for _, earlier in tests) < _LEAST_TESTS_FOR_SPEED:
        return 1.0
    ratios = sorted(
        (elapsed / duration, elapsed, min(duration, _MOST_WEIGHT_US), test)
        for test, (elapsed, earlier) in enumerate(tests)
        for duration in earlier
    )
    speed = 1.0
    for _ in range(_ROUNDS):
        # Not `min`, which takes twice as long.
        weights = [weight if (weight := elapsed / speed) < most else most for _, elapsed, most, _ in ratios]
        # A test has this weight with each of its earlier durations: in a long suite none has too much of it.
        if sum(weights) < _LEAST_TESTS_FOR_SPEED * _COMPARED_RUNS * _MOST_WEIGHT_US:
            weights = _limited(weights, [test for *_, test in ratios])
        # The ratio in the middle of all weight.
        sums = [*accumulate(weights)]
        speed = ratios[bisect_left(sums, sums[-1] / 2)][0]
    return speed


def _limited(weights: Sequence[float], tests: Sequence[int]) -> list[float]:
    """Return the weights, less for a test that would have more than its part; ``tests`` has the test of each."""
    by_test: dict[int, float] = {}
    for test, weight in zip(tests, weights, strict=True):
        by_test[test] = by_test.get(test, 0.0) + weight
    most = (sum(by_test.values()) - max(by_test.values())) / (_LEAST_TESTS_FOR_SPEED - 1)
    return [weight * min(1.0, most / by_test[test]) for test, weight in zip(tests, weights, strict=True)]


def usual_speed(speeds: Sequence[float | None]) -> float:
    """Return how slow the last runs of a series were by their speeds, oldest first: not 1.0 after new hardware."""
    known = [speed for speed in speeds[-HISTORY:] if speed is not None]
    if len(known) < _LEAST_SPEEDS:
        return 1.0
    usual = median(known)
    return 1.0 if _USUAL_SPEEDS[0] <= usual <= _USUAL_SPEEDS[1] else usual


def spread(values: Sequence[_Value]) -> Sequence[_Value]:
    """Return some of these runs, or durations in them: those that one is compared with."""
    gaps = _COMPARED_RUNS - 1
    if len(values) <= _COMPARED_RUNS:
        return values
    return [values[(len(values) - 1) * place // gaps] for place in range(_COMPARED_RUNS)]


def factor(ratio: float) -> str:
    """Return in words how many times as long a test takes."""
    digits = 0 if ratio >= 9.95 else 1 if ratio >= 0.995 else 2  # noqa: PLR2004 - half of the last digit below 10 and 1
    return f"×{ratio:,.{digits}f}"  # noqa: RUF001 - typography


def find_change(durations: Sequence[float], observed: Sequence[int]) -> DurationChange | None:
    """Return the last change of a test's durations, oldest first, that lasts; None without one, or if unknown.

    ``durations`` are at the speed of a usual run, ``observed`` are the same as they were. Each of the last runs is
    looked at with what was known then, so that a change stays the same in all runs after it.
    """
    count, began = len(durations), 0
    if not count or max(durations) - min(durations) <= LEAST_CHANGE_US:
        return None  # nearly all tests
    found: list[tuple[int, int, int, DurationChange]] = []
    for end in range(max(_LEAST + LAST, count - HISTORY + 1), count + 1):
        # After a change its first runs are what later ones are compared with.
        first, last = max(began, end - HISTORY - LAST), end - LAST
        change = _change(durations[:end], observed, slice(first, last), slice(last, end), observed[end - 1 : end])
        if change is not None:
            began = end - change.runs
            found.append((first, began, end, change))
    for first, began, end, change in reversed(found):
        before, since = slice(first, max(began, first + _LEAST)), slice(began, None)
        if end == count or _change(durations, observed, before, since, ()):
            return DurationChange(
                round(median(observed[began:][-HISTORY:])), change.median, count - began, end == count
            )
    return None


def change_over(durations: Sequence[float], observed: Sequence[int]) -> DurationChange | None:
    """Return the change of a test's durations from the first of them to the last, which may have grown from run to run.

    Up to 20 runs at each end are compared.
    """
    runs = min(HISTORY, len(durations) // LAST)
    return _change(durations, observed, slice(runs), slice(len(durations) - runs, None), ())


def _change(
    durations: Sequence[float], observed: Sequence[int], first: slice, end: slice, own: Sequence[int]
) -> DurationChange | None:
    """Return the change between the first runs and those at the end; ``own`` is the duration of a single run."""
    is_slower = _is_slower(durations[first], durations[end])
    if is_slower is None:
        # Nearly all tests: the rest of the rule need not be computed.
        return None
    # A test that waits, for a network or a clock, takes as long on a machine twice as fast. And what is said of a run
    # must be true of its own duration.
    usual, now = median(observed[first]), median(observed[end])
    for each in (now, *own):
        if not (each > usual * _OBSERVED_RATIO if is_slower else each < usual / _OBSERVED_RATIO):
            return None
    runs = _runs_since(durations, median(durations[first]), median(durations[end]))
    return DurationChange(round(now), round(usual), runs)


def _is_slower(before: Sequence[float], last: Sequence[float]) -> bool | None:
    """Whether a test got slower between these durations; False for a faster one, None without a change."""
    if len(before) < _LEAST:
        return None
    now, usual = median(last), median(before)
    if usual / _RATIO <= now <= usual * _RATIO:
        return None
    middle = sqrt(now * usual)
    for some, is_long in ((before, now < usual), (last, now > usual)):
        if sum((duration > middle) == is_long for duration in some) < _CLEAR_SHARE * len(some):
            return None  # it takes now this time, now that
    deviation = median(abs(duration - usual) for duration in before)
    noise = _DEVIATIONS * _MAD_FACTOR * deviation
    if now > max(_RATIO * usual, usual + noise, usual + LEAST_CHANGE_US):
        return True
    return False if now < min(usual / _RATIO, usual - noise, usual - LEAST_CHANGE_US) else None


def _runs_since(durations: Sequence[float], usual: float, now: float) -> int:
    """Return the number of the last runs, in which most durations are nearer to ``now`` than to ``usual``."""
    middle, runs, most, balance = sqrt(usual * now), 1, 0, 0
    for number, duration in enumerate(reversed(durations), 1):
        balance += 1 if (duration > middle) == (now > usual) else -1
        # A single run that was as fast as before does not end it.
        if balance >= most:
            most, runs = balance, number
    return runs


def ranked(changes: Mapping[int, DurationChange]) -> list[int]:
    """Return the tests of changes by the seconds of a run that they cost or save, the most first."""
    return sorted(changes, key=lambda key: (-abs(changes[key].elapsed - changes[key].median), key))


BlockKind: TypeAlias = Literal["failed", "flaky", "skipped", "passed"]
"""Outcome of a test in a lane; a flaky one passed after a failed attempt."""

MAX_BLOCKS: Final = 500
"""Most blocks of all lanes together: each is a link, and a page has at most 2,500 elements."""

# A lane is about this many pixels wide.
_PIXELS: Final = 1_200
# Passed tests shorter than this are drawn together; a block of them ends at this width.
_SHORT_PIXELS: Final = 3
_FULL_PIXELS: Final = 12
# An arrival this much later than the observed time of its worker was delayed: it says nothing about the test's end.
_LATE_US: Final = 30_000_000


class TimedResult(NamedTuple):
    """One result of a worker, in microseconds since the run began; ``started`` is None if the client sent none."""

    result: int
    kind: BlockKind
    elapsed: int
    arrived: int
    started: int | None = None


class Block(Struct, frozen=True):
    """Neighbouring tests of one kind in a lane, with ids from ``result`` to ``last``; times in microseconds."""

    start: int
    end: int
    kind: BlockKind
    count: int
    result: int
    last: int


class Waste(TypedDict):
    """The test that kept all other workers waiting: lane, id of its result, start, microseconds waited."""

    worker: int
    result: int
    start: int
    waited: int


def estimate_starts(results: Sequence[TimedResult], observed: int | None) -> list[int]:
    """Return the start of each result of a worker that was ``observed`` so long; exact if the client sent it."""
    if all(result.started is not None for result in results):
        return [result.started or 0 for result in results]
    # A worker runs one test after another, and the results of a batch had ended when it arrived. If results arrived
    # late, as after a pause of the network, the time between tests is spread evenly.
    total = sum(result.elapsed for result in results)
    first, last = results[0].arrived, results[-1].arrived
    is_late = observed is not None and last - first > observed + _LATE_US
    batches = [list(batch) for _, batch in groupby(results, key=lambda result: result.arrived)]
    if is_late or (len(batches) == 1 and observed is not None):
        span = max(observed or 0, total)
        begin = max(0, first - span)
        gap = (span - total) / len(results)
        ends = accumulate((result.elapsed + gap for result in results[:-1]), initial=float(begin))
        return [round(end) for end in ends]
    starts: list[int] = []
    cursor = 0
    for batch in batches:
        length = sum(result.elapsed for result in batch)
        cursor = max(cursor, batch[0].arrived - length)
        for result in batch:
            starts.append(cursor)
            cursor += result.elapsed
    return starts


def join_blocks(lanes: Sequence[Sequence[tuple[int, TimedResult]]], wall: int) -> list[list[Block]]:
    """Return the blocks of each lane, whose results stand in the order of their starts, at most `MAX_BLOCKS` in all."""
    pixel = max(1.0, wall / _PIXELS)
    while True:
        blocks = [_merged(lane, pixel) for lane in lanes]
        if sum(map(len, blocks)) <= max(MAX_BLOCKS, len(lanes)) or pixel > wall:
            return blocks
        pixel *= 1.6


def _merged(lane: Iterable[tuple[int, TimedResult]], pixel: float) -> list[Block]:
    """Return the blocks of one lane, passed tests first: the others are drawn over them."""
    # A test is drawn with the one before it of its kind if both are near and short, whatever ran between them: a
    # failure of one pixel among passed tests stays visible.
    blocks: dict[BlockKind, list[Block]] = {"passed": [], "skipped": [], "flaky": [], "failed": []}
    for start, result in lane:
        end = start + result.elapsed
        of_kind = blocks[result.kind]
        last = of_kind[-1] if of_kind else None
        if (
            last is not None
            and result.elapsed < _SHORT_PIXELS * pixel
            and start - last.end < _SHORT_PIXELS * pixel
            and last.end - last.start < _FULL_PIXELS * pixel
        ):
            ids = min(last.result, result.result), max(last.last, result.result)
            of_kind[-1] = Block(last.start, max(last.end, end), last.kind, last.count + 1, *ids)
        else:
            of_kind.append(Block(start, end, result.kind, 1, result.result, result.result))
    return [block for of_kind in blocks.values() for block in of_kind]


def find_waste(lanes: Mapping[int, Sequence[tuple[int, TimedResult]]], wall: int) -> Waste | None:
    """Return the last test of the last worker if it alone kept the others waiting for 2 % of the run and a second."""
    ends = {worker: max(start + result.elapsed for start, result in lane) for worker, lane in lanes.items() if lane}
    if len(ends) <= 1:
        return None
    worker = max(ends, key=lambda key: ends[key])
    others = max(end for key, end in ends.items() if key != worker)
    start, result = max(lanes[worker], key=lambda entry: entry[0] + entry[1].elapsed)
    waited = ends[worker] - max(others, start)
    if waited < max(wall / 50, 1_000_000):
        return None
    return {"worker": worker, "result": result.result, "start": start, "waited": waited}


class WorkerTime(TypedDict):
    """When a worker began and ended, since the run began, and the sum of its tests' durations, in microseconds.

    Its session lasted from ``began`` to ``over``, which is None if that is the end of the run.
    """

    started: int
    ended: int
    tests: int
    began: int
    over: int | None


class RunTime(TypedDict):
    """Shares of the workers' wall time, in microseconds; ``before`` to ``after`` add up to the sessions of all workers.

    A worker that has ended is ``waiting`` until the last one of its session has; what follows is ``after`` the last
    test. ``balanced`` is the wall time of the same durations spread evenly over the workers.
    """

    wall: int
    before: int
    tests: int
    between: int
    waiting: int
    after: int
    balanced: int
    workers: Sequence[WorkerTime]


def time_to_go(to_come: float, running: Sequence[tuple[float, int]], workers: int) -> int:
    """Return about how many microseconds an open run takes: the longest rest of a test, or all shared by the workers.

    ``to_come`` is the usual duration of all tests that have not begun, together; ``running`` has of each test that runs
    how long it usually takes, and how long it has run. Below zero the last tests have taken so much longer than usual.
    """
    rests = [usual - lasted for usual, lasted in running]
    longest = max(rests, default=0.0)
    shared = (to_come + sum(rest for rest in rests if rest > 0)) / workers
    return round(max(longest, shared) if shared else longest)


def time_shares(wall: int, workers: Sequence[WorkerTime], durations: Iterable[int]) -> RunTime:
    """Return the shares of a run that took ``wall`` microseconds; ``durations`` are its tests'."""
    # The longest tests are begun first, each on the worker that is free first. No share is negative, even if a clock
    # jumped and a worker has less time than its tests took.
    ends = [0] * max(1, len(workers))
    for duration in sorted(durations, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    last: dict[tuple[int, int | None], int] = {}
    for worker in workers:
        session = worker["began"], worker["over"]
        last[session] = min(wall, max(last.get(session, 0), worker["ended"]))
    lasts = [last[worker["began"], worker["over"]] for worker in workers]
    overs = [wall if worker["over"] is None else min(worker["over"], wall) for worker in workers]
    return {
        "wall": wall,
        "before": sum(min(max(worker["started"] - worker["began"], 0), wall) for worker in workers),
        "tests": sum(worker["tests"] for worker in workers),
        "between": sum(max(0, worker["ended"] - worker["started"] - worker["tests"]) for worker in workers),
        "waiting": sum(max(0, end - worker["ended"]) for worker, end in zip(workers, lasts, strict=True)),
        "after": sum(max(0, over - end) for over, end in zip(overs, lasts, strict=True)),
        "balanced": max(ends),
        "workers": workers,
    }
