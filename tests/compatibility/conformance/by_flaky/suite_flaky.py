"""Tests that flaky repeats."""

from collections import Counter

from flaky import flaky

runs: Counter[str] = Counter()


def attempt(name):
    runs[name] += 1
    return runs[name]


@flaky(max_runs=3)
def test_passes_at_second():
    assert attempt("second") == 2


@flaky(max_runs=2)
def test_fails_always():
    raise ValueError(f"attempt {attempt('always')}")


@flaky
def test_passes_at_once():
    pass


def test_fails_once():
    assert 0
