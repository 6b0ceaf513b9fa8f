"""Show where the time of a run went: in tests, between them, before the first, waiting for the last worker."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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
