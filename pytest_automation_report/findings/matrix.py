"""Find which values the failures of a test share: one browser, say, whatever the language.

An axis is something by which tests differ: a parameter, a field, the job, or the function. Results have no names of
parameters, so a parameter is a place in the ids of a function, whose parts are joined by dashes.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_VALUES: Final = 8
"""Most values of an axis: tests that differ by more have another reason to."""

TEST, JOB, BRANCH = "test", "job", "branch"
"""Names of the axes of functions, jobs and branches; other axes have the names of fields, and parameters have none."""


class Axis(Struct, frozen=True):
    """Something by which tests differ; the name of a parameter is empty."""

    name: str
    values: tuple[str, ...]


class Outcome(Struct, frozen=True):
    """A test that passed or failed, and its value of each axis."""

    result: int
    is_failed: bool
    values: Mapping[Axis, str]


class Matrix(Struct, frozen=True):
    """Tests by their values of one axis, or of two: ``rows`` tells most about what fails."""

    rows: Axis
    columns: Axis | None
    tests: Sequence[Outcome]

    def cell(self, row: str, column: str | None = None) -> list[Outcome]:
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
        clauses = [[*self._clause("fail", failing), *self._each_column()]] if failing else []
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

    def _each_column(self) -> list[tuple[str, str]]:
        if self.columns is None:
            return []
        return [(f" {'in' if self.columns.name == TEST else 'with'} each of ", ""), *_listed(self.columns.values)]


def matrix_of(tests: Sequence[Outcome]) -> Matrix | None:
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
    return Matrix(axis, None, [Outcome(*outcome, {axis: branch}) for branch, outcome in outcomes.items()])


def axes_of(ids: Sequence[str], facts: Sequence[Mapping[str, str]]) -> list[tuple[Axis, tuple[str, ...]]]:
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
