"""Separate flaky tests from broken ones by their outcomes over runs.

Evidence of flakiness, for one test on one branch with one configuration, is a *retry*: a result with a failed attempt
and a passed one; a *state*: a failure and a pass of one content, in different runs; an *isolated* failed run of a
commit between two that passed. Failures in a storm are none: an outage lets hundreds of stable tests fail once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import prod, sqrt
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypedDict, TypeVar

from msgspec import Struct

from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Reason = TypeVar("Reason", int, str)
"""A fingerprint, as digits or as a number."""

Verdict: TypeAlias = Literal["passed", "failed", "skipped"]
"""Verdict of a run on one test; ``skipped`` stands for all that decides nothing: skipped, untested, xfailed."""

Stability: TypeAlias = Literal["broken", "flaky", "new", "suspect", "stable"]

WINDOW: Final = 100
"""Decided runs that are looked at: evidence before them is forgotten."""

# A flaky test is stable again after 50 decided runs without evidence. Time alone never makes it so: a suite that
# runs once a week would forget each failure.
_CLEAN_RUNS: Final = 50
# One isolated failure may be a real one that was mended in the next commit: 86 of 100 were flaky in a simulation, with
# two of them all.
_ISOLATED_FAILURES: Final = 2
# A test is broken after three failed runs in a row, of at least two contents: one content that is run three times says
# nothing new the second time.
_BROKEN_RUNS: Final = 3
_BROKEN_CONTENTS: Final = 2
_NEW_RUNS: Final = 5
_STORM_TESTS: Final = 20
_STORM_SHARE: Final = 0.5
_SHARED_FAILURES: Final = 10
_SHARED_PERCENT: Final = 1
_Z_95: Final = 1.959964


class Content(NamedTuple):
    """What a run tested: its commit, and a digest of the files that differed from it; each is empty if there is none.

    ``changes`` may be "unknown", as the field of a run.
    """

    commit: str = ""
    changes: str = ""

    @property
    def is_known(self) -> bool:
        """Whether an equal content is the same one."""
        return bool(self.commit) and self.changes != "unknown"


# A tuple: the findings of a large run make tens of thousands, and a frozen dataclass takes five times as long to make.
class Outcome(NamedTuple):
    """Outcome of one test in one run.

    ``run`` orders the outcomes. ``has_failed_attempt``: an attempt failed before the last one. ``is_storm``: the
    failure is one of many with the same reason, or of a run in which most tests failed.
    """

    run: int
    verdict: Verdict
    content: Content = Content()
    has_failed_attempt: bool = False
    is_storm: bool = False


class FlakyEvidence(TypedDict):
    """The number of times that each kind of evidence was found."""

    retries: int
    states: int
    isolated: int


class Flakiness(TypedDict):
    """State of a test over its last 100 decided runs, and what it follows from.

    ``failed`` of ``runs`` decided runs had a failure or a failed attempt; failures in storms are left out, but not of
    a broken test, since they made it so. ``low`` and ``high`` are the ends of the 95 % interval of that rate, 0 to 1.
    """

    state: Stability
    evidence: FlakyEvidence
    failed: int
    runs: int
    low: float
    high: float


def judge_flakiness(outcomes: Iterable[Outcome]) -> Flakiness:
    """Return the state of a test; the order of the outcomes does not matter, skipped runs change nothing."""
    decided = _decided(outcomes)
    retries = [
        position
        for position, outcome in enumerate(decided)
        if outcome.verdict == "passed" and outcome.has_failed_attempt
    ]
    states = _positions_of_both(decided)
    isolated = _isolated_failures(decided)
    state = _state(decided, retries, states, isolated)
    counted = [outcome for outcome in decided if state == "broken" or not outcome.is_storm]
    failed, runs = len(retries) + sum(outcome.verdict == "failed" for outcome in counted), len(counted)
    low, high = wilson_interval(failed, runs)
    return {
        "state": state,
        "evidence": {"retries": len(retries), "states": len(states), "isolated": len(isolated)},
        "failed": failed,
        "runs": runs,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def _decided(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return one outcome for each of the last decided runs, in their order."""
    # A run has several of one test if two of its jobs ran it: it failed if one of them failed, which is no evidence,
    # since the jobs may differ in what they ran on.
    by_run: dict[int, Outcome] = {}
    for outcome in outcomes:
        if outcome.verdict == "skipped":
            continue
        other = by_run.setdefault(outcome.run, outcome)
        if other is not outcome and (outcome.verdict, outcome.is_storm) < (other.verdict, other.is_storm):
            by_run[outcome.run] = outcome
    return [by_run[run] for run in sorted(by_run)][-WINDOW:]


def _positions_of_both(decided: Sequence[Outcome]) -> list[int]:
    contents = [outcome.content for outcome in decided if outcome.content.is_known]
    if len(set(contents)) == len(contents):
        # Most contents were run once.
        return []
    by_content: defaultdict[Content, list[int]] = defaultdict(list)
    for position, outcome in enumerate(decided):
        if outcome.content.is_known and not outcome.is_storm:
            by_content[outcome.content].append(position)
    return [
        positions[-1]
        for positions in by_content.values()
        if len({decided[position].verdict for position in positions}) > 1
    ]


def _isolated_failures(decided: Sequence[Outcome]) -> list[int]:
    """Return the positions of a commit's failures between two passes; failures in an outage are passed over."""
    own = [position for position, outcome in enumerate(decided) if not outcome.is_storm]
    return [
        position
        for before, position, after in zip(own, own[1:], own[2:], strict=False)
        if decided[position].verdict == "failed"
        # Without changes of an author who breaks and mends tests.
        and decided[position].content.commit
        and not decided[position].content.changes
        and decided[before].verdict == decided[after].verdict == "passed"
    ]


def _state(
    decided: Sequence[Outcome], retries: Sequence[int], states: Sequence[int], isolated: Sequence[int]
) -> Stability:
    last = decided[-_BROKEN_RUNS:]
    if (
        len(last) == _BROKEN_RUNS
        and all(outcome.verdict == "failed" for outcome in last)
        # An unknown content counts as a new one: nothing says that it repeats another.
        and len({outcome.content if outcome.content.is_known else outcome.run for outcome in last}) >= _BROKEN_CONTENTS
    ):
        return "broken"
    is_shown = bool(retries or states) or len(isolated) >= _ISOLATED_FAILURES
    last_evidence = max([*retries, *states, *isolated], default=-1)
    is_recent = last_evidence >= 0 and len(decided) - 1 - last_evidence < _CLEAN_RUNS
    if is_shown and is_recent:
        return "flaky"
    if len(decided) < _NEW_RUNS:
        return "new"
    return "suspect" if isolated and is_recent else "stable"


def evidence_words(found: Flakiness) -> str:
    """Return why a test has its state, as in ``a first attempt failed in 2 of 9 runs``."""
    if found["state"] == "broken":
        return f"failed in each of its last {_BROKEN_RUNS} runs"
    evidence = found["evidence"]
    words = []
    if evidence["retries"]:
        words.append(f"a first attempt failed in {evidence['retries']} of {quantity(found['runs'], 'run')}")
    if evidence["states"]:
        often = f" {evidence['states']} times" if evidence["states"] > 1 else ""
        words.append(f"passed and failed with the same files{often}")
    if evidence["isolated"]:
        each = ", each" if evidence["isolated"] > 1 else ""
        words.append(f"failed in {quantity(evidence['isolated'], 'run')}{each} between two that passed")
    return "; ".join(words) or f"failed in {found['failed']} of {quantity(found['runs'], 'run')}"


def storm(failures: Iterable[Reason], tests: int) -> frozenset[Reason] | None:
    """Return the fingerprints that many of a run's failed ``tests`` share; None if the whole run is a storm."""
    counts = Counter(failures)
    if tests >= _STORM_TESTS and counts.total() > tests * _STORM_SHARE:
        return None
    least = max(_SHARED_FAILURES, tests * _SHARED_PERCENT / 100)
    return frozenset(fingerprint for fingerprint, count in counts.items() if count >= least)


def wilson_interval(failed: int, runs: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate by Wilson's formula, which holds for few runs and rates near 0, too."""
    if runs == 0:
        return 0.0, 1.0
    rate, z2 = failed / runs, _Z_95 * _Z_95
    middle = (rate + z2 / (2 * runs)) / (1 + z2 / runs)
    half = _Z_95 / (1 + z2 / runs) * sqrt(rate * (1 - rate) / runs + z2 / (4 * runs * runs))
    # Rounding may leave the ends a hair beside 0 and 1, where they are exact.
    return (middle - half if failed else 0.0), (middle + half if failed < runs else 1.0)


MOST_VALUES: Final = 8
"""Most values of an axis: tests that differ by more have another reason to."""

TEST, JOB, BRANCH = "test", "job", "branch"
"""Names of the axes of functions, jobs and branches; other axes have the names of fields, and parameters have none."""


class Axis(Struct, frozen=True):
    """Something by which tests differ; the name of a parameter is empty."""

    name: str
    values: tuple[str, ...]


class Sample(Struct, frozen=True):
    """A test that passed or failed, and its value of each axis."""

    result: int
    is_failed: bool
    values: Mapping[Axis, str]


class Matrix(Struct, frozen=True):
    """Tests by their values of one axis, or of two: ``rows`` tells most about what fails."""

    rows: Axis
    columns: Axis | None
    tests: Sequence[Sample]

    def cell(self, row: str, column: str | None = None) -> list[Sample]:
        """Return the tests with a value of the rows, and of the columns unless it is None."""
        found = [test for test in self.tests if test.values[self.rows] == row]
        if self.columns is None or column is None:
            return found
        return [test for test in found if test.values[self.columns] == column]

    def sentence(self) -> list[tuple[str, str]]:
        """Return what fails, as texts and their kind: ``code`` of a value."""
        counts = {value: Counter(test.is_failed for test in self.cell(value)) for value in self.rows.values}
        failing = [value for value, count in counts.items() if not count[False]]
        passing = [value for value, count in counts.items() if not count[True]]
        columns: list[tuple[str, str]] = []
        if self.columns is not None:
            columns = [
                (f" {'in' if self.columns.name == TEST else 'with'} each of ", ""),
                *_listed(self.columns.values),
            ]
        clauses = [[*self._clause("fail", failing), *columns]] if failing else []
        clauses += [
            [(value, "code"), (f" fails in {count[True]:,} of {quantity(count.total(), 'test')}", "")]
            for value, count in counts.items()
            if count[True] and count[False]
        ]
        clauses += [self._clause("pass", passing)] if passing else []
        parts: list[tuple[str, str]] = []
        for clause in clauses:
            parts += [*([("; ", "")] if parts else []), *clause]
        first, kind = parts[0]
        return [(first if kind else first.capitalize(), kind), *parts[1:], (".", "")]

    def _clause(self, verb: str, values: Sequence[str]) -> list[tuple[str, str]]:
        if self.rows.name == BRANCH:
            return [("on ", ""), *_listed(values), (f" it{_verb(verb, values[:1])}", "")]
        return [*_listed(values), (_verb(verb, values), "")]


def find_matrix(tests: Sequence[Sample]) -> Matrix | None:
    """Return the matrix of tests that have the same axes; None if no axis tells what fails.

    One does if it is wrong about at most half as many tests as failed, or as passed if these are fewer.
    """
    failed = sum(test.is_failed for test in tests)

    def wrong(axis: Axis) -> int:
        counts = Counter((test.values[axis], test.is_failed) for test in tests)
        return sum(min(counts[value, True], counts[value, False]) for value in axis.values)

    axes = sorted(tests[0].values, key=wrong) if tests else []
    if not axes or not 0 < failed < len(tests) or 2 * wrong(axes[0]) > min(failed, len(tests) - failed):
        return None
    rows = axes[0]
    # An axis that goes with the rows, as a job for each browser, says the same again.
    pairs = {axis: {(test.values[rows], test.values[axis]) for test in tests} for axis in axes[1:]}
    others = [axis for axis in pairs if len(pairs[axis]) > max(len(rows.values), len(axis.values))]
    return Matrix(rows, others[0] if others else None, tests)


def by_branch(outcomes: Mapping[str, tuple[int, bool]]) -> Matrix:
    """Return a test, or a reason, by branch: its result on each, and whether it failed there."""
    axis = Axis(BRANCH, tuple(outcomes))
    return Matrix(axis, None, [Sample(*outcome, {axis: branch}) for branch, outcome in outcomes.items()])


def find_axes(ids: Sequence[str], facts: Sequence[Mapping[str, str]]) -> list[tuple[Axis, tuple[str, ...]]]:
    """Return the axes of the tests of a function with the value of each test; ``facts`` are the job and fields.

    Each value has several tests, but for a job: by a value of its own a test can have any reason.
    """
    columns = [("", column) for column in places(ids)]
    names = set.intersection(*(set(own) for own in facts)) if facts else set()
    columns += [(name, tuple(own[name] for own in facts)) for name in sorted(names)]
    found = []
    for name, column in columns:
        counts = Counter(column)
        if 1 < len(counts) <= MOST_VALUES and (name == JOB or min(counts.values()) > 1):
            found.append((Axis(name, tuple(sorted(counts))), column))
    return found


def places(ids: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the values of tests at each place of their ids; none if their dashes join words.

    Dashes separate parameters if the values of all places stand in every combination.
    """
    parts = [tuple(text.split("-")) for text in ids]
    if len({len(part) for part in parts}) != 1:
        return []
    columns = list(zip(*parts, strict=True))
    return columns if prod(len(set(column)) for column in columns) == len(set(parts)) else []


def _listed(values: Sequence[str]) -> list[tuple[str, str]]:
    """Return values as a list in words."""
    parts: list[tuple[str, str]] = []
    for left, value in zip(range(len(values), 0, -1), values, strict=True):
        if parts:
            parts.append((" and " if left == 1 else ", ", ""))
        parts.append((value, "code"))
    return parts


def _verb(verb: str, subjects: Sequence[str]) -> str:
    return f" {verb}" if len(subjects) > 1 else f" {verb}{'es' if verb == 'pass' else 's'}"
