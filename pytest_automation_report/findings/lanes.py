"""Show where the time of a run went: its tests in lanes, one of each worker, and the shares of the workers' time."""

from __future__ import annotations

import heapq
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


Kind: TypeAlias = Literal["failed", "flaky", "skipped", "passed"]
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
    """One result of a worker; times in microseconds since the start of the run.

    ``arrived`` is the time at which the server got it. ``started`` is None if the client did not send it.
    """

    result: int
    kind: Kind
    elapsed: int
    arrived: int
    started: int | None = None


class Block(Struct, frozen=True):
    """Neighbouring tests of one kind in a lane, with ids from ``result`` to ``last``; times in microseconds."""

    start: int
    end: int
    kind: Kind
    count: int
    result: int
    last: int


class Waste(Struct, frozen=True):
    """The test that kept all other workers waiting: lane, id of its result, start and end, microseconds waited."""

    worker: int
    result: int
    start: int
    waited: int


def starts_of(results: Sequence[TimedResult], observed: int | None) -> list[int]:
    """Return the start of each result of one worker, in their order; exact if the client sent it.

    Otherwise a worker runs one test after another, and the results of a batch had ended when it arrived: the starts are
    true to one batch. ``observed`` is the time for which the worker was observed; None if unknown. If results arrived
    later than that, as after a pause of the network, the time between tests is spread evenly.
    """
    if all(result.started is not None for result in results):
        return [result.started or 0 for result in results]
    total = sum(result.elapsed for result in results)
    first, last = results[0].arrived, results[-1].arrived
    is_late = observed is not None and last - first > observed + _LATE_US
    batches = [list(batch) for _, batch in groupby(results, key=lambda result: result.arrived)]
    if is_late or (len(batches) == 1 and observed is not None):
        span = max(observed or 0, total)
        begin = max(0, first - span)
        gap = (span - total) / len(results)
        return _in_a_row(results, begin, gap)
    starts: list[int] = []
    cursor = 0
    for batch in batches:
        length = sum(result.elapsed for result in batch)
        cursor = max(cursor, batch[0].arrived - length)
        for result in batch:
            starts.append(cursor)
            cursor += result.elapsed
    return starts


def _in_a_row(results: Sequence[TimedResult], begin: int, gap: float) -> list[int]:
    starts: list[int] = []
    cursor = float(begin)
    for result in results:
        starts.append(round(cursor))
        cursor += result.elapsed + gap
    return starts


def blocks_of(lanes: Sequence[Sequence[tuple[int, TimedResult]]], wall: int) -> list[list[Block]]:
    """Return the blocks of each lane, whose results stand in the order of their starts, at most `MAX_BLOCKS` in all."""
    pixel = max(1.0, wall / _PIXELS)
    while True:
        blocks = [_merged(lane, pixel) for lane in lanes]
        if sum(map(len, blocks)) <= max(MAX_BLOCKS, len(lanes)) or pixel > wall:
            return blocks
        pixel *= 1.6


def _merged(lane: Iterable[tuple[int, TimedResult]], pixel: float) -> list[Block]:
    """Return the blocks of one lane, those of passed tests first: the others are drawn over them.

    A test is drawn with the one before it of its kind if both are near and short, whatever ran between them: so a
    failure of one pixel among passed tests stays visible.
    """
    blocks: dict[Kind, list[Block]] = {"passed": [], "skipped": [], "flaky": [], "failed": []}
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
            of_kind[-1] = Block(
                last.start,
                max(last.end, end),
                last.kind,
                last.count + 1,
                min(last.result, result.result),
                max(last.last, result.result),
            )
        else:
            of_kind.append(Block(start, end, result.kind, 1, result.result, result.result))
    return [block for of_kind in blocks.values() for block in of_kind]


def waste_of(lanes: Mapping[int, Sequence[tuple[int, TimedResult]]], wall: int) -> Waste | None:
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
    return Waste(worker, result.result, start, waited)


class WorkerTime(Struct, frozen=True):
    """One worker of a run; times in microseconds.

    ``started`` and ``ended`` count from the start of the run. ``tests`` is the sum of its tests' durations.
    """

    started: int
    ended: int
    tests: int


class TimeShares(Struct, frozen=True):
    """Shares of the workers' wall time, in microseconds; ``before`` to ``waiting`` add up to all workers' ``wall``.

    ``balanced`` is the wall time that the same durations would take if they were spread evenly over the workers.
    """

    wall: int
    before: int
    tests: int
    between: int
    waiting: int
    balanced: int


def time_shares(wall: int, workers: Sequence[WorkerTime], durations: Iterable[int]) -> TimeShares:
    """Return the shares of a run that took ``wall`` microseconds; ``durations`` are those of its tests.

    A clock that jumped may give a worker less time than its tests took: no share is ever negative.
    """
    before = sum(min(max(worker.started, 0), wall) for worker in workers)
    tests = sum(worker.tests for worker in workers)
    between = sum(max(0, worker.ended - worker.started - worker.tests) for worker in workers)
    waiting = sum(max(0, wall - worker.ended) for worker in workers)
    return TimeShares(wall, before, tests, between, waiting, balanced(durations, len(workers)))


def balanced(durations: Iterable[int], workers: int) -> int:
    """Return the wall time of tests whose longest are begun first, each on the worker that is free first."""
    ends = [0] * max(1, workers)
    for duration in sorted(durations, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)
