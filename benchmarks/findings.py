"""How often the findings are right, in made-up worlds whose truth is known.

    python benchmarks/findings.py --tests 3000 --runs 100 --json findings.json

Flaky tests: 4 % of the tests fail at random, with a probability between 0.5 and 40 %; one commit in ten breaks 1 to 6
tests until one of the next commits mends them. Four worlds differ in what gives evidence: tests that failed are run
again in the same run, or commits are run more than once. In the worlds with storms one run in twenty meets an
outage: of the whole suite, or of 20 to 150 tests that fail with one reason.

Time: of tests that fail with 5, 15 and 30 % in a history of new commits and one attempt, and that failed twice, the
share that is called flaky after some runs.

Slower tests: durations with noise of 5 to 35 %, on machines whose speed differs by up to 1.8 times.

Moves: the suite moves to a machine twice as fast, or half as fast, and 20 % of its tests wait for a clock or a network
and take as long as before. ``alarms`` is the share of tests called slower or faster in any of the runs after it,
``settled`` the number of runs until the new machine is the usual one.

Drift: the measured speed of the last runs divided by that of the first ones, in suites of tests of a millisecond of
which 3 to 30 % wait for the scheduler now and then. The machine is the same in all runs, so it should be 1.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_automation_report.findings.flakiness import Content, Outcome, judge_flakiness, storm
from pytest_automation_report.findings.times import estimate_speed, find_change, usual_speed

if TYPE_CHECKING:
    from collections.abc import Sequence

FLAKY_SHARE = 0.04
LOWEST, HIGHEST = 0.005, 0.4
BROKEN_SHARE = 0.1
STORM_SHARE = 0.05
WHOLE_SHARE = 0.3
"""Outages that meet the whole suite; then so many of its tests fail:"""
WHOLE_FAILED = 0.8
HISTORY = 20
"""Runs before a change of duration."""
RATES = (0.05, 0.15, 0.3)
RUNS = (20, 40, 60)
RUNS_AFTER_MOVE = 30
USUAL = 0.1
"""Largest difference to 1 of the speed of a usual run."""
WAITING = (0.03, 0.1, 0.3)
"""Shares of results that wait for the scheduler."""
CHECKED_EVERY = 5
"""The state is looked at after so many runs: a user looks now and then, not after each run."""

WORLDS = {
    "no reruns, each commit once": (0, 0.0),
    "no reruns, 30 % of runs repeat a commit": (0, 0.3),
    "2 reruns, each commit once": (2, 0.0),
    "2 reruns, 30 % of runs repeat a commit": (2, 0.3),
}


@dataclass(frozen=True)
class Row:
    """One world: of the tests called flaky the share that is, and of the flaky ones the share that is called so.

    Flaky tests that failed in one run of all are left out of the second: one failure could be anything.
    """

    world: str
    has_storms: bool
    precision: float
    recall: float
    called: int


class World:
    """Tests, commits and outages; each run yields (test, failed attempts, has it failed, fingerprint)."""

    def __init__(self, tests: int, *, reruns: int, repeated: float, has_storms: bool, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tests, self.reruns, self.repeated, self.has_storms = tests, reruns, repeated, has_storms
        span = math.log(HIGHEST / LOWEST)
        self.flaky = {
            test: LOWEST * math.exp(self.chance.random() * span)
            for test in range(tests)
            if self.chance.random() < FLAKY_SHARE
        }
        self.broken: dict[int, int] = {}
        self.commit = 0

    def run(self, number: int) -> dict[int, tuple[Outcome, str]]:
        """Return the outcome of each test that did not simply pass, with the fingerprint of its failure."""
        if number == 0 or self.chance.random() >= self.repeated:
            self._new_commit()
        failing = self._storm()
        outcomes: dict[int, tuple[Outcome, str]] = {}
        for test in {*self.flaky, *self.broken, *failing}:
            reason = failing.get(test) or (f"broken {test}" if test in self.broken else f"flaky {test}")
            always = test in failing or test in self.broken
            attempts = [always or self.chance.random() < self.flaky.get(test, 0.0)]
            while attempts[-1] and len(attempts) <= self.reruns:
                attempts.append(always or self.chance.random() < self.flaky[test])
            if any(attempts):
                verdict = "failed" if attempts[-1] else "passed"
                outcomes[test] = (Outcome(number, verdict, Content(f"c{self.commit}"), len(attempts) > 1), reason)
        return outcomes

    def _new_commit(self) -> None:
        self.commit += 1
        self.broken = {test: commits - 1 for test, commits in self.broken.items() if commits > 1}
        if self.chance.random() < BROKEN_SHARE:
            lasts = self.chance.randint(1, 8)
            self.broken.update({self.chance.randrange(self.tests): lasts for _ in range(self.chance.randint(1, 6))})

    def _storm(self) -> dict[int, str]:
        """Return the tests that an outage lets fail, with its reason."""
        if not self.has_storms or self.chance.random() >= STORM_SHARE:
            return {}
        if self.chance.random() < WHOLE_SHARE:
            return {test: "outage" for test in range(self.tests) if self.chance.random() < WHOLE_FAILED}
        return dict.fromkeys(self.chance.sample(range(self.tests), self.chance.randint(20, 150)), "part of an outage")


def played(world: World, runs: int) -> tuple[set[int], set[int]]:
    """Return the tests that were called flaky at some time, and those that are flaky and have shown it."""
    history: dict[int, list[Outcome]] = {}
    plain: list[str] = []
    called: set[int] = set()
    for number in range(runs):
        outcomes = world.run(number)
        commit = f"c{world.commit}"
        reasons = [reason for outcome, reason in outcomes.values() if outcome.verdict == "failed"]
        shared = storm(reasons, world.tests)
        for test, (outcome, reason) in outcomes.items():
            passed_before = [Outcome(run, "passed", Content(plain[run])) for run in range(number)]
            is_storm = outcome.verdict == "failed" and (shared is None or reason in shared)
            kept = Outcome(number, outcome.verdict, outcome.content, outcome.has_failed_attempt, is_storm)
            history.setdefault(test, passed_before).append(kept)
        for test in history.keys() - outcomes.keys():
            history[test].append(Outcome(number, "passed", Content(commit)))
        plain.append(commit)
        if number % CHECKED_EVERY == CHECKED_EVERY - 1:
            called |= {test for test, made in history.items() if judge_flakiness(made)["state"] == "flaky"}
    return called, {test for test in history if test in world.flaky and _has_shown(history[test])}


def _has_shown(outcomes: list[Outcome]) -> bool:
    """Whether a test failed in two runs, or in one and passed there at a later attempt; failures in storms left out."""
    failures = sum(outcome.verdict == "failed" and not outcome.is_storm for outcome in outcomes)
    return failures > 1 or any(outcome.verdict == "passed" and outcome.has_failed_attempt for outcome in outcomes)


def flaky_rows(tests: int, runs: int, seed: int) -> list[Row]:
    """Play all worlds, with and without storms."""
    rows = []
    for has_storms in (False, True):
        for name, (reruns, repeated) in WORLDS.items():
            world = World(tests, reruns=reruns, repeated=repeated, has_storms=has_storms, seed=seed)
            called, flaky = played(world, runs)
            right = called & set(world.flaky)
            rows.append(
                Row(
                    name,
                    has_storms,
                    len(right) / max(1, len(called)),
                    len(right & flaky) / max(1, len(flaky)),
                    len(called),
                )
            )
    return rows


def found_after(runs: int, tests: int, seed: int) -> dict[str, float]:
    """Return of flaky tests that failed twice the share that was called flaky, by their probability of failing."""
    chance = random.Random(seed)
    found = {}
    for rate in RATES:
        called = shown = 0
        for _ in range(tests):
            outcomes = [
                Outcome(run, "failed" if chance.random() < rate else "passed", Content(f"c{run}"))
                for run in range(runs)
            ]
            looks = range(CHECKED_EVERY, runs + 1, CHECKED_EVERY)
            if _has_shown(outcomes):
                shown += 1
                called += any(judge_flakiness(outcomes[:look])["state"] == "flaky" for look in looks)
        found[f"{rate:.0%}"] = called / max(1, shown)
    return found


def slower_rows(tests: int, seed: int) -> dict[str, float]:
    """Return the share of tests that are called slower: of unchanged ones, and of those that take 1.5 and 2 times."""
    chance = random.Random(seed)
    usual = [math.exp(chance.gauss(math.log(150_000), 1.2)) for _ in range(tests)]
    noise = [chance.uniform(0.05, 0.35) for _ in range(tests)]
    factor = [{0: 1.5, 1: 2.0}.get(test % 20, 1.0) for test in range(tests)]
    series: list[list[int]] = [[] for _ in range(tests)]
    observed: list[list[float]] = [[] for _ in range(tests)]
    for run in range(HISTORY + 3):
        machine = chance.uniform(1.0, 1.8)
        elapsed = [
            usual[test] * machine * chance.lognormvariate(0, noise[test]) * (factor[test] if run >= HISTORY else 1.0)
            for test in range(tests)
        ]
        speed = estimate_speed((round(elapsed[test]), series[test]) for test in range(tests)) if run else machine
        for test in range(tests):
            series[test].append(round(elapsed[test] / speed))
            observed[test].append(elapsed[test])
    called = [
        (change := find_change(one, [round(time) for time in other])) is not None and change.elapsed > change.median
        for one, other in zip(series, observed, strict=True)
    ]

    def share(of: float) -> float:
        chosen = [called[test] for test in range(tests) if factor[test] == of and usual[test] >= 150_000 * (of > 1)]
        return sum(chosen) / len(chosen)

    return {"false alarms": share(1.0), "sees 1.5 times": share(1.5), "sees 2 times": share(2.0)}


def moves(tests: int, seed: int) -> dict[str, float]:
    """Return the alarms after a change of hardware, and after how many runs the new machine is the usual one."""
    found: dict[str, float] = {}
    for name, factor in (("twice as fast", 0.5), ("half as fast", 2.0)):
        chance = random.Random(seed)
        usual = [math.exp(chance.gauss(math.log(150_000), 1.2)) for _ in range(tests)]
        elapsed: list[list[float]] = [[] for _ in range(tests)]
        speeds: list[float] = []
        called: set[int] = set()
        for run in range(HISTORY + RUNS_AFTER_MOVE):
            machine = factor if run >= HISTORY else 1.0
            for test in range(tests):
                time = usual[test] * (machine if test % 5 else 1.0) * chance.lognormvariate(0, 0.1)
                elapsed[test].append(time)
            pairs = ((round(one[-1]), _at_usual_speed(one[:-1], speeds)) for one in elapsed)
            speeds.append(estimate_speed(pairs))
            now = usual_speed(speeds)
            if run >= HISTORY and abs(speeds[-1] / now - 1) < USUAL:
                found.setdefault(f"{name}, settled", run - HISTORY)
            called |= {
                test
                for test, one in enumerate(elapsed)
                if find_change([time * now for time in _at_usual_speed(one, speeds)], [round(time) for time in one])
            }
        found[f"{name}, alarms"] = len(called) / tests
    return found


def _at_usual_speed(elapsed: Sequence[float], speeds: Sequence[float]) -> list[float]:
    """Return the last durations of a test, each divided by the speed of its run."""
    return [time / speed for time, speed in zip(elapsed, speeds, strict=True)][-HISTORY - 3 :]


def drifts(tests: int, runs: int, seed: int) -> dict[str, float]:
    """Return how the measured speed of a machine that stays the same has changed after some runs."""
    found = {}
    for waiting in WAITING:
        chance = random.Random(seed)
        usual = [chance.lognormvariate(7.0, 0.7) for _ in range(tests)]
        series: list[list[int]] = [[] for _ in range(tests)]
        speeds = []
        for _ in range(runs):
            waits = [chance.uniform(5_000, 90_000) if chance.random() < waiting else 0.0 for _ in range(tests)]
            elapsed = [
                round(time * chance.lognormvariate(0, 0.3) + wait) for time, wait in zip(usual, waits, strict=True)
            ]
            speeds.append(estimate_speed(zip(elapsed, series, strict=True)))
            series = [[*one[-22:], round(now / speeds[-1])] for one, now in zip(series, elapsed, strict=True)]
        found[f"{waiting:.0%} wait"] = median(speeds[-10:]) / median(speeds[1:11])
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = flaky_rows(arguments.tests, arguments.runs, arguments.seed)
    print(f"{'world':42}  storms  precision  recall  called flaky")
    for row in rows:
        storms = "yes" if row.has_storms else "no"
        print(f"{row.world:42}  {storms:6}  {row.precision:8.1%}  {row.recall:6.1%}  {row.called:12}")
    by_runs = {runs: found_after(runs, arguments.tests // 3, arguments.seed) for runs in RUNS}
    print()
    for runs, found in by_runs.items():
        print(f"found after {runs} runs: " + ", ".join(f"{share:.0%} of {rate}" for rate, share in found.items()))
    slower = slower_rows(arguments.tests, arguments.seed)
    print("\nslower: " + ", ".join(f"{name} {share:.1%}" for name, share in slower.items()))
    moved = moves(arguments.tests // 5, arguments.seed)
    words = (
        f"{name} {value:.1%}" if name.endswith("alarms") else f"{name} after {value} runs"
        for name, value in moved.items()
    )
    print("moves: " + ", ".join(words))
    drift = drifts(arguments.tests // 5, arguments.runs, arguments.seed)
    print("drift of the speed: " + ", ".join(f"{name} {factor:.2f}" for name, factor in drift.items()))
    if arguments.json:
        arguments.json.write_text(
            json.dumps(
                {
                    "flaky": [asdict(row) for row in rows],
                    "found": by_runs,
                    "slower": slower,
                    "moves": moved,
                    "drift": drift,
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
