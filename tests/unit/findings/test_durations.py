"""Which series of durations are a change, and how the speed of a run is measured."""

import random

import pytest

from pytest_automation_report.findings.durations import (
    Change,
    change_of,
    is_observed,
    median,
    ranked,
    speed_of,
    usual_speed,
)

MS = 1000


def noisy(milliseconds: int, runs: int, seed: int, share: float = 0.05) -> list[float]:
    """Return durations in microseconds with normal noise."""
    chance = random.Random(seed)
    return [milliseconds * MS * max(0.1, chance.gauss(1, share)) for _ in range(runs)]


STEADY = [200.0 * MS] * 20

SERIES = {
    "steady": (STEADY + [200.0 * MS] * 3, None),
    "step-up": (STEADY + [400.0 * MS] * 3, "slower"),
    "step-down": (STEADY + [90.0 * MS] * 3, "faster"),
    "one-spike": ([*STEADY, 200.0 * MS, 900.0 * MS, 200.0 * MS], None),
    "two-of-three": ([*STEADY, 200.0 * MS, 900.0 * MS, 900.0 * MS], "slower"),
    "one-third-more": (STEADY + [270.0 * MS] * 3, None),
    "noisy": (noisy(200, 23, 1, 0.3), None),
    "noisy-and-double": (noisy(200, 20, 2) + noisy(400, 3, 3), "slower"),
    "bimodal": ([100.0 * MS, 500.0 * MS] * 10 + [500.0 * MS] * 3, None),
    "ramp": ([(200 + 4 * run) * MS for run in range(23)], None),
    "steep-ramp": ([(100 + 40 * run) * MS for run in range(23)], None),
    "short-tests": ([1.0 * MS] * 20 + [50.0 * MS] * 3, None),
    "clock": ([0.0] * 20 + [16.0 * MS] * 3, None),
    "from-nothing": ([0.0] * 20 + [160.0 * MS] * 3, "slower"),
    "seven-runs": ([200.0 * MS] * 4 + [900.0 * MS] * 3, None),
    "eight-runs": ([200.0 * MS] * 5 + [900.0 * MS] * 3, "slower"),
    "nothing": ([], None),
    "old-times-are-forgotten": ([900.0 * MS] * 30 + [200.0 * MS] * 20 + [210.0 * MS] * 3, None),
}


@pytest.mark.parametrize(("durations", "word"), list(SERIES.values()), ids=list(SERIES))
def test_change_of_a_series(durations: list[float], word: str | None) -> None:
    """Each series is slower, faster or neither, as a person would say."""
    change = change_of(durations)
    assert (change and ("slower" if change.elapsed > change.median else "faster")) == word


def test_numbers_of_a_change() -> None:
    """A change tells both durations, and how many times as long it takes."""
    change = change_of([200.0 * MS] * 20 + [500.0 * MS, 600.0 * MS, 500.0 * MS])
    assert change is not None
    assert (change.elapsed, change.median, change.ratio) == (500 * MS, 200 * MS, 2.5)


@pytest.mark.parametrize(
    ("durations", "speed"),
    [
        ([], 1.0),
        ([(130 * MS, [100 * MS])] * 5, 1.3),
        ([(130 * MS, [100 * MS] * 30)] * 5, 1.3),
        ([(10 * MS, [1 * MS])] * 50 + [(130 * MS, [100 * MS])] * 5, 1.3),
        ([(260 * MS, [200 * MS])] * 20 + [(60_000 * MS, [20_000 * MS])], 1.3),
        ([(130 * MS, [100 * MS])] * 4, 1.0),
        ([(130 * MS, [100 * MS] * 9)] * 4 + [(130 * MS, [])], 1.0),
        ([(130 * MS, [100 * MS])] * 5 + [(9000 * MS, [100 * MS])] * 2, 1.3),
        ([(0, [100 * MS]), (50 * MS, [0]), (50 * MS, [])] * 9 + [(50 * MS, [100 * MS])] * 5, 0.5),
        ([(130 * MS, [900 * MS] * 9 + [100 * MS] * 20)] * 5, 1.3),
        ([(13 * MS, [10 * MS] * 4)] * 5 + [(800 * MS, [100 * MS] * 4)], 1.3),
    ],
    ids=[
        "nothing", "slow", "history", "short-ones", "a-long-one", "too-few", "too-few-known", "outliers", "no-duration",
        "forgotten", "most-of-the-time",
    ],
)  # fmt: skip
def test_speed_of_a_run(durations: list[tuple[int, list[int]]], speed: float) -> None:
    """The speed of a run is that of its usual test, whatever a few tests do; short tests say little."""
    assert speed_of(durations) == pytest.approx(speed)


def speeds(*, tests: int, runs: int, waiting: float, seed: int) -> tuple[list[float], list[list[int]]]:
    """Return the speeds of runs of tests of a millisecond that now and then wait, and the last durations of each.

    The machine is the same in each run; ``waiting`` is the share of results that the scheduler lets wait.
    """
    chance = random.Random(seed)
    series: list[list[int]] = [[] for _ in range(tests)]
    found = []
    for _ in range(runs):
        elapsed = [
            round(chance.lognormvariate(7.5, 0.5) + (chance.uniform(5, 90) * MS if chance.random() < waiting else 0.0))
            for _ in series
        ]
        found.append(speed_of(zip(elapsed, series, strict=True)))
        series = [[*before[-22:], round(now / found[-1])] for before, now in zip(series, elapsed, strict=True)]
    return found, series


def test_speed_of_a_suite_of_short_tests() -> None:
    """Tests of a millisecond, which the scheduler now and then lets wait, make no run faster than the others."""
    found, series = speeds(tests=600, runs=25, waiting=0.1, seed=7)
    assert 0.8 < min(found) <= max(found) < 1.25
    assert not [durations for durations in series if change_of(durations) is not None]


@pytest.mark.parametrize("waiting", [0.03, 0.1, 0.3])
def test_speed_does_not_drift(waiting: float) -> None:
    """A machine that stays the same has the speed of 80 runs before, however uneven its suite is."""
    found, _ = speeds(tests=300, runs=100, waiting=waiting, seed=3)
    assert median(found[-20:]) / median(found[5:25]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("speeds_of_runs", "usual"),
    [
        ([], 1.0),
        ([2.0] * 4, 1.0),
        ([1.0] + [2.0] * 4, 2.0),
        ([None] * 30 + [2.0] * 4, 1.0),
        ([1.0] * 80 + [2.0] * 9, 1.0),
        ([1.0] * 80 + [2.0] * 11, 2.0),
        ([1.0] * 80 + [0.5] * 11, 0.5),
        ([1.09] * 20, 1.0),
        ([0.91] * 20, 1.0),
    ],
    ids=["none", "few", "enough", "unknown", "not-yet", "slower-machine", "faster-machine", "noise", "faster-noise"],
)
def test_usual_speed(speeds_of_runs: list[float | None], usual: float) -> None:
    """The speed of half of the last runs is the usual one, also if the first run was faster; noise changes nothing."""
    assert usual_speed(speeds_of_runs) == usual


@pytest.mark.parametrize(
    ("now", "before", "observed"),
    [(200, 100, True), (125, 100, True), (115, 100, False), (100, 200, False), (100, 100, False)],
)
def test_a_change_shows_in_the_durations_as_they_were(now: int, before: int, *, observed: bool) -> None:
    """A slower test took longer, a faster one less, whatever the speeds of the machines say."""
    slower, faster = Change(400, 200), Change(200, 400)
    assert is_observed(slower, [before] * 20 + [now] * 3) is observed
    assert is_observed(faster, [now] * 20 + [before] * 3) is observed
    assert not is_observed(slower, [now] * 3)


def test_most_seconds_first() -> None:
    """Changes are in the order of the seconds that they cost or save."""
    series = {
        "doubled": [300.0 * MS] * 20 + [600.0 * MS] * 3,
        "ten times": [20.0 * MS] * 20 + [200.0 * MS] * 3,
        "saved": [5000.0 * MS] * 20 + [1000.0 * MS] * 3,
    }
    changes = {key: change for key, durations in series.items() if (change := change_of(durations))}
    assert ranked(changes) == ["saved", "doubled", "ten times"]
