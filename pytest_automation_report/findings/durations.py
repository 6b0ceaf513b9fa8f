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
# Shorter tests measure the clock and the scheduler more than the machine.
_LEAST_FOR_SPEED_US: Final = 10_000


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
    """
    ratios = [elapsed / usual for elapsed, usual in durations if usual >= _LEAST_FOR_SPEED_US and elapsed > 0]
    return median(ratios) if ratios else 1.0


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
