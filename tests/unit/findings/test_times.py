"""Which series of durations are a change, how the speed of a run is measured, and where each test stands in time."""

import random

import pytest

from pytest_automation_report.findings.documents import TimeShare
from pytest_automation_report.findings.times import (
    MAX_BLOCKS,
    BlockKind,
    DurationChange,
    TimedResult,
    WorkerTime,
    estimate_speed,
    estimate_starts,
    factor,
    find_change,
    find_waste,
    join_blocks,
    median,
    ranked,
    time_shares,
    time_to_go,
    usual_speed,
)

MS = 1000


def noisy(milliseconds: int, runs: int, seed: int, share: float = 0.05) -> list[float]:
    """Return durations in microseconds with normal noise."""
    chance = random.Random(seed)
    return [milliseconds * MS * max(0.1, chance.gauss(1, share)) for _ in range(runs)]


STEADY = [200.0 * MS] * 20

SERIES = {
    "steady": (STEADY + [200.0 * MS] * 3, None), "step-up": (STEADY + [400.0 * MS] * 3, "slower"),
    "step-down": (STEADY + [90.0 * MS] * 3, "faster"),
    "one-spike": ([*STEADY, 200.0 * MS, 900.0 * MS, 200.0 * MS], None),
    "two-of-three": ([*STEADY, 200.0 * MS, 900.0 * MS, 900.0 * MS], "slower"),
    "one-third-more": (STEADY + [270.0 * MS] * 3, None), "noisy": (noisy(200, 23, 1, 0.3), None),
    "noisy-and-double": (noisy(200, 20, 2) + noisy(400, 3, 3), "slower"),
    "bimodal": ([100.0 * MS, 500.0 * MS] * 10 + [500.0 * MS] * 3, None),
    "ramp": ([(200 + 4 * run) * MS for run in range(23)], None),
    "steep-ramp": ([(100 + 40 * run) * MS for run in range(23)], None),
    "short-tests": ([1.0 * MS] * 20 + [50.0 * MS] * 3, None), "clock": ([0.0] * 20 + [16.0 * MS] * 3, None),
    "from-nothing": ([0.0] * 20 + [160.0 * MS] * 3, "slower"),
    "seven-runs": ([200.0 * MS] * 4 + [900.0 * MS] * 3, None),
    "eight-runs": ([200.0 * MS] * 5 + [900.0 * MS] * 3, "slower"), "nothing": ([], None),
    "spikes": ([*STEADY, 900.0 * MS, 900.0 * MS, *STEADY[:9]], None),
    "old-times-are-forgotten": ([900.0 * MS] * 30 + [200.0 * MS] * 30 + [210.0 * MS] * 3, None),
}  # fmt: skip


@pytest.mark.parametrize(("durations", "word"), list(SERIES.values()), ids=list(SERIES))
def test_change_of_a_series(durations: list[float], word: str | None) -> None:
    """Each series is slower, faster or neither, as a person would say."""
    change = find_change(durations, [round(duration) for duration in durations])
    assert (change and ("slower" if change.elapsed > change.median else "faster")) == word


def test_numbers_of_a_change() -> None:
    """A change tells the usual durations since and before as they were, and how many times as long the test takes."""
    durations = [400 * MS] * 20 + [1200 * MS, 1000 * MS, 900 * MS]
    change = find_change([duration / 2 for duration in durations], durations)
    assert change is not None
    assert (change.elapsed, change.median, change.ratio) == (1000 * MS, 400 * MS, 2.5)


def told(milliseconds: list[int]) -> dict[int, tuple[int, int]]:
    """Return for each run that is the first to show a change when that began, and what was usual until then."""
    found = {}
    for count in range(1, len(milliseconds) + 1):
        durations = [each * MS for each in milliseconds[:count]]
        change = find_change(durations, durations)
        if change is not None and change.is_new:
            found[count] = count - change.runs + 1, change.median // MS
    return found


@pytest.mark.parametrize(
    ("milliseconds", "news"),
    [
        ([57] * 7 + [901] * 80, {9: (8, 57)}), ([57] * 7 + [301] * 7 + [901] * 40, {9: (8, 57), 16: (15, 301)}),
        ([57] * 7 + [901] * 20 + [57] * 40, {9: (8, 57), 29: (28, 901)}), ([100, 500] * 40, {}),
        ([100, 100, 500] * 30, {}),
    ],
    ids=["one", "two", "there-and-back", "now-this-now-that", "now-and-then"],
)  # fmt: skip
def test_a_change_is_news_in_one_run(milliseconds: list[int], news: dict[int, tuple[int, int]]) -> None:
    """The second run that shows a change tells it, no run after it does; a second step is compared with the first."""
    assert told(milliseconds) == news


def test_a_change_stays_the_same_in_later_runs() -> None:
    """A page of any run after a change says since when, and what was usual before, as the first one that told it."""
    durations = [each * MS for each in [57] * 7 + [901] * 17]
    found = [find_change(durations[:count], durations[:count]) for count in range(9, 25)]
    assert found == [DurationChange(901 * MS, 57 * MS, count - 7, count == 9) for count in range(9, 25)]


@pytest.mark.parametrize(
    ("last", "runs"),
    [
        ([900, 900, 900], 3), ([900] * 8, 8), ([900, 900, 200, 900, 900], 5), ([900, 200, 900], 3),
        ([900, *[200] * 4, 900, 900], 2), ([200, 900, 900], 2),
    ],
    ids=["three", "eight", "a-fast-one-between", "two-of-three", "an-old-outlier", "two"],
)  # fmt: skip
def test_a_change_began_with_the_first_of_the_last_slow_runs(last: list[int], runs: int) -> None:
    """The runs since a change are those at the end of which most were slow; a single fast one among them is one."""
    durations = [duration * MS for duration in (*[200] * 20, *last)]
    change = find_change(durations, durations)
    assert change is not None
    assert change.runs == runs


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(855.4, "×855"), (12_345.0, "×12,345"), (9.96, "×10"), (9.9, "×9.9"), (1.5, "×1.5"), (0.5, "×0.50")],  # noqa: RUF001 - the sign
)
def test_a_change_is_told_as_a_factor(ratio: float, words: str) -> None:
    """A factor has two digits that count, or all before its point."""
    assert factor(ratio) == words


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
    assert estimate_speed(durations) == pytest.approx(speed)


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
        found.append(estimate_speed(zip(elapsed, series, strict=True)))
        series = [[*before[-22:], round(now / found[-1])] for before, now in zip(series, elapsed, strict=True)]
    return found, series


def test_speed_of_a_suite_of_short_tests() -> None:
    """Tests of a millisecond, which the scheduler now and then lets wait, make no run faster than the others."""
    found, series = speeds(tests=600, runs=25, waiting=0.1, seed=7)
    assert 0.8 < min(found) <= max(found) < 1.25
    assert not [durations for durations in series if find_change(durations, durations) is not None]


@pytest.mark.parametrize("waiting", [0.03, 0.1, 0.3])
def test_speed_does_not_drift(waiting: float) -> None:
    """A machine that stays the same has the speed of 80 runs before, however uneven its suite is."""
    found, _ = speeds(tests=300, runs=100, waiting=waiting, seed=3)
    assert median(found[-20:]) / median(found[5:25]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("speeds_of_runs", "usual"),
    [
        ([], 1.0), ([2.0] * 4, 1.0), ([1.0] + [2.0] * 4, 2.0), ([None] * 30 + [2.0] * 4, 1.0),
        ([1.0] * 80 + [2.0] * 9, 1.0), ([1.0] * 80 + [2.0] * 11, 2.0), ([1.0] * 80 + [0.5] * 11, 0.5),
        ([1.09] * 20, 1.0), ([0.91] * 20, 1.0),
    ],
    ids=["none", "few", "enough", "unknown", "not-yet", "slower-machine", "faster-machine", "noise", "faster-noise"],
)  # fmt: skip
def test_usual_speed(speeds_of_runs: list[float | None], usual: float) -> None:
    """The speed of half of the last runs is the usual one, also if the first run was faster; noise changes nothing."""
    assert usual_speed(speeds_of_runs) == usual


@pytest.mark.parametrize(
    ("last", "before", "is_shown"),
    [
        ([200] * 2, 100, True), ([125] * 2, 100, True), ([115] * 2, 100, False), ([100] * 2, 200, False),
        ([100] * 2, 100, False), ([200, 110], 100, False),
    ],
)  # fmt: skip
def test_a_change_shows_in_the_durations_as_they_were(last: list[int], before: int, *, is_shown: bool) -> None:
    """A slower test took longer, a faster one less, also in the last run, whatever the speeds of machines say."""
    slower = find_change(STEADY + [400.0 * MS] * 2, [before] * 20 + last)
    faster = find_change(
        [400.0 * MS] * 20 + [200.0 * MS] * 2, [10_000 // before] * 20 + [10_000 // one for one in last]
    )
    assert (slower is not None, faster is not None) == (is_shown, is_shown)


def test_most_seconds_first() -> None:
    """Changes are in the order of the seconds that they cost or save."""
    doubled, ten_times, saved = (
        DurationChange(600 * MS, 300 * MS),
        DurationChange(200 * MS, 20 * MS),
        DurationChange(1000 * MS, 5000 * MS),
    )
    assert ranked({1: doubled, 2: ten_times, 3: saved}) == [3, 1, 2]


SECOND = 1_000_000


def timed(
    number: int, elapsed: float, arrived: float, kind: BlockKind = "passed", started: float | None = None
) -> TimedResult:
    start = None if started is None else round(started * SECOND)
    return TimedResult(number, kind, round(elapsed * SECOND), round(arrived * SECOND), start)


@pytest.mark.parametrize(
    ("results", "observed", "starts"),
    [
        ([timed(1, 1, 9, started=2), timed(2, 1, 9, started=5)], 9, [2, 5]),
        # Two batches: each had ended when it arrived, and a worker runs one test after another.
        ([timed(1, 1, 5), timed(2, 2, 5), timed(3, 1, 10)], None, [2, 3, 9]),
        # A second batch that is longer than the time since the first one.
        ([timed(1, 2, 3), timed(2, 4, 5)], None, [1, 3]),
        # One batch of a worker that was observed for 6 s: the time between its tests is spread evenly.
        ([timed(1, 1, 6), timed(2, 1, 6)], 6, [0, 3]),
        # Results that arrived an hour late say nothing about the times of the tests.
        ([timed(1, 1, 100), timed(2, 1, 3700)], 4, [96, 98]),
    ],
)
def test_starts_of_results(results: list[TimedResult], observed: int | None, starts: list[int]) -> None:
    """Starts that the client sent are shown as they are; without them a batch had ended when it arrived."""
    found = estimate_starts(results, None if observed is None else observed * SECOND)
    assert found == [start * SECOND for start in starts]


def test_tests_of_one_worker_never_overlap() -> None:
    """Whatever the arrivals, a test begins after the one before it has ended."""
    results = [timed(number, 0.4 + number % 3, 2 * (number // 4)) for number in range(40)]
    starts = estimate_starts(results, None)
    ends = [start + result.elapsed for start, result in zip(starts, results, strict=True)]
    assert all(start >= end for start, end in zip(starts[1:], ends[:-1], strict=True))


def test_short_tests_of_one_kind_are_drawn_together_and_failures_stay_apart() -> None:
    """Ten passed tests of a millisecond are one block, a failure among them is another, a long one is alone."""
    lane = [(number * 1000, timed(number, 0.001, 0, "failed" if number == 5 else "passed")) for number in range(11)]
    lane.append((20_000, timed(99, 30, 0)))
    (blocks,) = join_blocks([lane], 60 * SECOND)
    shown = [(block.kind, block.count, block.result, block.last) for block in blocks]
    assert shown == [("passed", 10, 0, 10), ("passed", 1, 99, 99), ("failed", 1, 5, 5)]
    assert (blocks[0].start, blocks[0].end) == (0, 11_000)


def test_a_page_has_a_limited_number_of_blocks() -> None:
    """20,000 tests of changing kinds are drawn with no more blocks than a page may have."""
    lane = [
        (number * SECOND, timed(number, 0.9, 0, "failed" if number % 9 == 0 else "passed")) for number in range(20_000)
    ]
    blocks = join_blocks([lane], 20_000 * SECOND)
    assert sum(map(len, blocks)) <= MAX_BLOCKS
    assert sum(block.count for block in blocks[0]) == 20_000


def test_the_last_test_that_kept_others_waiting_is_named() -> None:
    """Its start, and how long the other workers waited; nothing if there is one worker, or nobody waited."""
    lanes = {7: [(0, timed(1, 10, 0))], 8: [(0, timed(2, 1, 0)), (SECOND, timed(3, 29, 0))]}
    waste = find_waste(lanes, 30 * SECOND)
    assert waste == {"worker": 8, "result": 3, "start": SECOND, "waited": 20 * SECOND}
    assert find_waste({7: lanes[7]}, 10 * SECOND) is None
    assert find_waste({7: lanes[7], 8: lanes[7]}, 10 * SECOND) is None


def test_the_shares_of_a_run_are_all_of_its_time() -> None:
    """Workers that have ended wait for the last one; what follows its last test is waited for by nobody."""
    ends = [(2, 8, 5), (1, 5, 4)]
    workers: list[WorkerTime] = [
        {"started": start * SECOND, "ended": end * SECOND, "tests": tests * SECOND, "began": 0, "over": None}
        for start, end, tests in ends
    ]
    shares: tuple[TimeShare, ...] = ("before", "tests", "between", "waiting", "after")
    time = time_shares(10 * SECOND, workers, ())
    assert [time[name] // SECOND for name in shares] == [3, 9, 1, 3, 4]
    assert sum(time[name] for name in shares) == 2 * time["wall"]
    alone = time_shares(10 * SECOND, workers[:1], ())
    assert [alone[name] // SECOND for name in shares] == [2, 5, 1, 0, 2]
    jobs: list[WorkerTime] = [{**workers[0], "over": 9 * SECOND}, {**workers[1], "began": SECOND, "over": 6 * SECOND}]
    time = time_shares(10 * SECOND, jobs, ())
    assert [time[name] // SECOND for name in shares] == [2, 9, 1, 0, 2]


@pytest.mark.parametrize(
    ("to_come", "running", "workers", "seconds"),
    [
        (100, [], 4, 25), (0, [(12, 5)], 4, 7), (40, [(12, 2), (6, 4)], 2, 26), (10, [(60, 20), (5, 4)], 2, 40),
        (0, [(12, 20)], 1, -8), (0, [(12, 20), (9, 12)], 2, -3), (8, [(12, 20)], 2, 4), (0, [], 2, 0),
    ],
    ids=[
        "none-runs", "the-last-one", "all-together", "a-long-one", "too-long", "two-of-them", "and-others", "-",
    ],
)  # fmt: skip
def test_time_to_go(to_come: int, running: list[tuple[int, int]], workers: int, seconds: int) -> None:
    """It is the longest rest of a running test, or the rest of all by workers, whichever is more."""
    times = [(usual * float(SECOND), lasted * SECOND) for usual, lasted in running]
    assert time_to_go(to_come * SECOND, times, workers) == seconds * SECOND
