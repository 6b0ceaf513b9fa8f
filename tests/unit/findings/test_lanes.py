"""Lanes of workers: where each test stands in time, which are drawn together, which one kept the others waiting."""

import pytest

from pytest_automation_report.findings.lanes import (
    MAX_BLOCKS,
    Kind,
    TimedResult,
    blocks_of,
    starts_of,
    waste_of,
)

SECOND = 1_000_000


def timed(
    number: int, elapsed: float, arrived: float, kind: Kind = "passed", started: float | None = None
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
def test_starts_are_those_of_the_client_or_true_to_one_batch(
    results: list[TimedResult], observed: int | None, starts: list[int]
) -> None:
    """Starts that the client sent are shown as they are; without them a batch had ended when it arrived."""
    found = starts_of(results, None if observed is None else observed * SECOND)
    assert found == [start * SECOND for start in starts]


def test_tests_of_one_worker_never_overlap() -> None:
    """Whatever the arrivals, a test begins after the one before it has ended."""
    results = [timed(number, 0.4 + number % 3, 2 * (number // 4)) for number in range(40)]
    starts = starts_of(results, None)
    ends = [start + result.elapsed for start, result in zip(starts, results, strict=True)]
    assert all(start >= end for start, end in zip(starts[1:], ends[:-1], strict=True))


def test_short_tests_of_one_kind_are_drawn_together_and_failures_stay_apart() -> None:
    """Ten passed tests of a millisecond are one block, a failure among them is another, a long one is alone."""
    lane = [(number * 1000, timed(number, 0.001, 0, "failed" if number == 5 else "passed")) for number in range(11)]
    lane.append((20_000, timed(99, 30, 0)))
    (blocks,) = blocks_of([lane], 60 * SECOND)
    assert [(block.kind, block.count, block.result, block.last) for block in blocks] == [
        ("passed", 10, 0, 10),
        ("passed", 1, 99, 99),
        ("failed", 1, 5, 5),
    ]
    assert (blocks[0].start, blocks[0].end) == (0, 11_000)


def test_a_page_has_a_limited_number_of_blocks() -> None:
    """20,000 tests of changing kinds are drawn with no more blocks than a page may have."""
    lane = [
        (number * SECOND, timed(number, 0.9, 0, "failed" if number % 9 == 0 else "passed")) for number in range(20_000)
    ]
    blocks = blocks_of([lane], 20_000 * SECOND)
    assert sum(map(len, blocks)) <= MAX_BLOCKS
    assert sum(block.count for block in blocks[0]) == 20_000


def test_the_last_test_that_kept_others_waiting_is_named() -> None:
    """Its start, and how long the other workers waited; nothing if there is one worker, or nobody waited."""
    lanes = {7: [(0, timed(1, 10, 0))], 8: [(0, timed(2, 1, 0)), (SECOND, timed(3, 29, 0))]}
    waste = waste_of(lanes, 30 * SECOND)
    assert waste is not None
    assert (waste.worker, waste.result, waste.start, waste.waited) == (8, 3, SECOND, 20 * SECOND)
    assert waste_of({7: lanes[7]}, 10 * SECOND) is None
    assert waste_of({7: lanes[7], 8: lanes[7]}, 10 * SECOND) is None
