"""Show how even the shards of a suite are: ``python benchmarks/shards.py``.

2,000 tests of 80 modules, some with a tenth of all tests, run in 8 jobs, 200 times. Durations are log-normal
(sigma 1), and differ by a fifth from run to run. The slowest job is compared with the mean. The durations are
simulated; the cut is that of sessions.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from pytest_automation_report.session.history import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Times: TypeAlias = dict[str, float]

TESTS, MODULES, JOBS, SUITES = 2000, 80, 8, 200


def suite(chance: random.Random) -> Times:
    """Return the usual durations of a suite in microseconds, by node id."""
    return {f"tests/test_{_module(chance)}.py::test_{number}": _duration(chance) for number in range(TESTS)}


def _module(chance: random.Random) -> str:
    return f"{int(MODULES * chance.random() ** 2):02}"


def _duration(chance: random.Random) -> float:
    return chance.lognormvariate(0, 1.0) * 100_000


def measured(times: Times, chance: random.Random) -> Times:
    """Return the durations of one run: a fifth more or less."""
    return {nodeid: time * chance.lognormvariate(0, 0.2) for nodeid, time in times.items()}


def slowest(times: Times, shards: Mapping[str, int]) -> float:
    """Return the time of the slowest job, divided by the mean."""
    loads: Counter[int] = Counter()
    for nodeid, time in times.items():
        loads[shards[nodeid]] += round(time)
    return max(loads.values()) * JOBS / sum(loads.values())


def cut_by(known: Times, tests: Times) -> dict[str, int]:
    """Return the shards of tests, by the durations that are known."""
    return cut({nodeid: round(known[nodeid]) if nodeid in known else None for nodeid in tests}, JOBS)


def same(times: Times, chance: random.Random) -> Times:
    """Change nothing."""
    del chance
    return times


def changed(times: Times, chance: random.Random) -> Times:
    """Add 100 tests, remove 100, and rename two modules."""
    names = sorted(times)
    kept = {nodeid: times[nodeid] for nodeid in sorted(set(names) - set(chance.sample(names, 100)))}
    renamed = {
        nodeid.replace("test_00.py", "new_00.py").replace("test_01.py", "new_01.py"): time
        for nodeid, time in kept.items()
    }
    added = {f"tests/test_{_module(chance)}.py::added_{number}": _duration(chance) for number in range(100)}
    return {**renamed, **added}


def main() -> None:
    """Print the table."""
    cases: list[tuple[str, int, Callable[[Times, random.Random], Times]]] = [
        ("no run recorded: cut by number", 0, same),
        ("one run recorded", 1, same),
        ("five runs recorded", 5, same),
        ("one run; then 100 added, 100 removed, 2 modules renamed", 1, changed),
    ]
    print("| slowest job / mean | median | worst of 200 | modules split |\n| --- | --- | --- | --- |")
    for name, runs, change in cases:
        ratios, split = [], []
        for seed in range(SUITES):
            chance = random.Random(seed)
            usual = suite(chance)
            recorded = [measured(usual, chance) for _ in range(runs)]
            known = {nodeid: sorted(run[nodeid] for run in recorded)[runs // 2] for nodeid in usual} if runs else {}
            tests = change(usual, chance)
            shards = cut_by(known, tests)
            ratios.append(slowest(measured(tests, chance), shards))
            places = {(nodeid.partition("::")[0], shard) for nodeid, shard in shards.items()}
            split.append(len(places) - len({module for module, _ in places}))
        ratios.sort()
        print(f"| {name} | {ratios[SUITES // 2]:.3f} | {ratios[-1]:.3f} | {sum(split) / SUITES:.1f} |")
    print(_repeated())


def _repeated() -> str:
    """Return what two commits at once, and a job that died and runs again, get."""
    chance = random.Random(1)
    usual = suite(chance)
    known = measured(usual, chance)
    other = changed(usual, chance)
    jobs = [cut_by(known, dict(chance.sample([*usual.items()], TESTS))) for _ in range(JOBS)]
    lost = sum(1 for nodeid in usual if sum(shards[nodeid] == job for job, shards in enumerate(jobs, 1)) != 1)
    others = [cut_by(known, other) for _ in range(JOBS)]
    lost += sum(1 for nodeid in other if sum(shards[nodeid] == job for job, shards in enumerate(others, 1)) != 1)
    again = cut_by(known, usual)
    is_same = all(again[nodeid] == jobs[2][nodeid] for nodeid in usual)
    return (
        f"\ntwo commits at once, tests shuffled in each job: {lost} tests not in exactly one job of their pipeline"
        f"\na job that died and runs again has the same tests: {'yes' if is_same else 'no'}"
    )


if __name__ == "__main__":
    main()
