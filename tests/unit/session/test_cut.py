"""How tests are cut into shards."""

import random
import time
from collections import Counter
from collections.abc import Mapping

import pytest

from pytest_automation_report.session.history import History, cut, estimated, rank_tests


def timed(**modules: list[int | None]) -> dict[str, int | None]:
    """Return tests by their modules, whose durations these are."""
    return {
        f"{module}.py::test_{number:02}": duration
        for module, durations in modules.items()
        for number, duration in enumerate(durations)
    }


def loads_of(durations: Mapping[str, int | None], shards: Mapping[str, int], total: int) -> list[int]:
    """Return the sum of the durations of each shard."""
    loads = Counter(dict.fromkeys(range(1, total + 1), 0))
    for nodeid, shard in shards.items():
        loads[shard] += durations[nodeid] or 0
    return [loads[shard] for shard in sorted(loads)]


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        (timed(a=[2, None, 9, 4], b=[9]), [2, 5, 9, 4, 9]),
        (timed(a=[2, 9, 4], new=[None]), [2, 9, 4, 5]),
        (timed(a=[None, None]), [1, 1]),
        (timed(a=[0, 5]), [1, 5]),
        ({}, []),
    ],
    ids=["of a known module", "of a new module", "nothing known", "no time at all", "no test"],
)
def test_durations_that_are_not_known(durations: dict[str, int | None], expected: list[int]) -> None:
    """A test without a duration takes the mean of its module, else of all, else counts as one."""
    assert [*estimated(durations).values()] == expected


@pytest.mark.parametrize(
    ("durations", "total", "loads", "split"),
    [
        (timed(a=[10, 10], b=[19], c=[5, 5, 11]), 3, [21, 20, 19], set()),
        (timed(a=[10] * 8, b=[10] * 2), 2, [50, 50], {"a"}),
        (timed(a=[100], b=[10], c=[10]), 3, [100, 10, 10], set()),
        (timed(a=[5], b=[5]), 4, [5, 5, 0, 0], set()),
        (timed(a=[10] * 10), 1, [100], set()),
        ({}, 2, [0, 0], set()),
    ],
    ids=["whole modules", "too large a module", "one long test", "fewer tests than shards", "one shard", "no test"],
)
def test_modules_stay_whole_unless_that_costs_balance(
    durations: dict[str, int | None], total: int, loads: list[int], split: set[str]
) -> None:
    """Each test is in one shard; a module is in several only where its shard would be 5 % longer than the mean."""
    shards = cut(durations, total)
    assert shards.keys() == durations.keys()
    assert loads_of(durations, shards, total) == loads
    places: dict[str, set[int]] = {}
    for nodeid, shard in shards.items():
        places.setdefault(nodeid.partition(".py")[0], set()).add(shard)
    assert {module for module, found in places.items() if len(found) > 1} == split


def test_without_durations_the_numbers_of_tests_are_even() -> None:
    """If no duration is known, shards differ by one test at most."""
    durations = timed(a=[None] * 30, b=[None] * 7, c=[None] * 2)
    assert sorted(Counter(cut(durations, 4).values()).values()) == [9, 10, 10, 10]


def test_tests_that_belong_together_are_in_one_shard() -> None:
    """Tests of one name stay in one shard, however long they take."""
    durations = timed(a=[10] * 8, b=[10] * 2)
    shards = cut(durations, 2, {nodeid: "a" for nodeid in durations if nodeid.startswith("a")})
    assert loads_of(durations, shards, 2) == [80, 20]


def suite(seed: int) -> dict[str, int | None]:
    """Return 2,000 tests of 80 modules, some with a tenth of all tests, whose durations are log-normal."""
    chance = random.Random(seed)
    return {
        f"tests/test_{int(80 * chance.random() ** 2):02}.py::test_{number}": int(chance.lognormvariate(0, 1) * 100_000)
        for number in range(2000)
    }


@pytest.mark.parametrize("seed", range(5))
def test_slowest_of_eight_jobs(seed: int) -> None:
    """After one run the slowest of 8 jobs takes at most 1.1 of the mean, though durations vary and tests are new."""
    usual, chance = suite(seed), random.Random(seed + 100)
    known: dict[str, int | None] = {nodeid: int((time or 0) * _noise(chance)) for nodeid, time in usual.items()}
    known |= dict.fromkeys(chance.sample(sorted(known), 100))  # new, or renamed
    now = {nodeid: int((time or 0) * _noise(chance)) for nodeid, time in usual.items()}
    loads = loads_of(now, cut(known, 8), 8)
    assert max(loads) <= 1.1 * sum(loads) / 8


def _noise(chance: random.Random) -> float:
    return chance.lognormvariate(0, 0.2)


def test_any_order_gives_the_same_cut() -> None:
    """A plugin that shuffles the tests, in each job otherwise, changes nothing."""
    durations = suite(1)
    shuffled = [*durations.items()]
    random.Random(7).shuffle(shuffled)
    assert cut(dict(shuffled), 8) == cut(durations, 8)


def test_a_large_suite_without_durations_is_ranked_at_once() -> None:
    """Before the first run nothing is known of 30,000 tests, and a session does not look for it among all of them."""
    nodeids = [f"tests/test_{number % 100}.py::test_{number}" for number in range(30_000)]
    keys = {nodeid: f"key of {nodeid}" for nodeid in nodeids}
    began = time.process_time()
    assert {*rank_tests(History(None, "failed-first"), nodeids, keys)} == {2}
    assert time.process_time() - began < 2, "seconds"
