"""Find tests that got slower or faster, with the speed of each run divided out.

Machines differ from run to run: a rule on bare durations is wrong in 3 to 5 of 100 cases, one that divides by the run's
own speed in 1 of 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.comparison import Key

__all__ = ["HISTORY", "LAST", "Change", "change_of", "median", "ranked", "speed_of"]

HISTORY: Final = 20
"""Runs before the last ones that a duration is compared with."""

LAST: Final = 3
"""Runs at the end that are taken together, so that one slow run is no change."""

# With fewer runs before the last ones nothing is said.
_LEAST: Final = 5
_RATIO: Final = 1.4
_DEVIATIONS: Final = 3
# From the median of the absolute deviations to a standard deviation of normal noise.
_MAD_FACTOR: Final = 1.4826
_LEAST_CHANGE_US: Final = 100_000
# A single long test must not be the measure of all others.
_MOST_WEIGHT_US: Final = 100_000
# Of fewer tests nothing says whether the machine or a test was slower.
_LEAST_TESTS_FOR_SPEED: Final = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A test that got slower or faster: durations in microseconds, at the speed of a usual run."""

    elapsed: int
    median: int

    @property
    def ratio(self) -> float:
        """Duration divided by the earlier one; below 1 for a faster test."""
        return self.elapsed / self.median if self.median else float("inf")


def median(values: Iterable[float]) -> float:
    """Return the middle of some numbers; raises IndexError if there are none.

    The one of `statistics` takes twice as long, and to load that module takes 10 ms.
    """
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def speed_of(durations: Iterable[tuple[int, int]]) -> float:
    """Return how slow a run was: 1.3 if its tests took 1.3 times as long as usual, 1.0 if nothing can be said.

    ``durations`` has (elapsed, median of the test so far) in microseconds of each test that passed.

    It is the median of the ratios, each with the shorter duration as its weight: tests of a millisecond measure the
    scheduler. The longer one, or a limit for the usual duration, would choose tests that met the scheduler once: of 600
    short tests such a limit chose those, and found runs of the usual speed to be ten times faster than usual.
    """
    ratios = sorted(
        (elapsed / usual, min(elapsed, usual, _MOST_WEIGHT_US))
        for elapsed, usual in durations
        if elapsed > 0 and usual > 0
    )
    if len(ratios) < _LEAST_TESTS_FOR_SPEED:
        return 1.0
    left = sum(weight for _, weight in ratios) / 2
    for ratio, weight in ratios:
        left -= weight
        if left <= 0:
            return ratio
    return ratios[-1][0]


def change_of(durations: Sequence[float]) -> Change | None:
    """Return the change of a test's duration; None if it did not change, or too few runs are known.

    ``durations`` are microseconds of its passed results, oldest first, each divided by the speed of its run.
    """
    before, last = durations[-HISTORY - LAST : -LAST], durations[-LAST:]
    if len(before) < _LEAST:
        return None
    now, usual = median(last), median(before)
    if usual / _RATIO <= now <= usual * _RATIO:
        # Nearly all tests: the rest of the rule need not be computed.
        return None
    deviation = median(abs(duration - usual) for duration in before)
    noise = _DEVIATIONS * _MAD_FACTOR * deviation
    is_slower = now > max(_RATIO * usual, usual + noise, usual + _LEAST_CHANGE_US)
    is_faster = now < min(usual / _RATIO, usual - noise, usual - _LEAST_CHANGE_US)
    return Change(round(now), round(usual)) if is_slower or is_faster else None


def ranked(changes: Mapping[Key, Change]) -> list[Key]:
    """Return the keys of changes by the seconds of a run that they cost or save, the most first."""
    return sorted(changes, key=lambda key: (-abs(changes[key].elapsed - changes[key].median), key))
