"""Tests that pytest-rerunfailures repeats."""

from collections import Counter

import pytest

runs: Counter[str] = Counter()


def attempt(name):
    runs[name] += 1
    return runs[name]


@pytest.fixture
def late():
    if attempt("late") == 1:
        raise RuntimeError("not yet")


@pytest.fixture
def leaky():
    yield
    if attempt("leaky") == 1:
        raise OSError("cannot close")


@pytest.mark.flaky(reruns=2)
def test_passes_at_second(record_property):
    number = attempt("second")
    record_property("number", number)
    print("attempt", number)
    assert number == 2


@pytest.mark.flaky(reruns=2)
def test_passes_at_third():
    assert attempt("third") == 3


@pytest.mark.flaky(reruns=1)
def test_fails_always():
    raise ValueError(f"attempt {attempt('always')}")


@pytest.mark.flaky(reruns=1)
def test_setup_fails_first(late):
    pass


@pytest.mark.flaky(reruns=1)
def test_teardown_fails_first(leaky):
    pass


@pytest.mark.flaky(reruns=1)
def test_skips_at_second():
    if attempt("skips") == 2:
        pytest.skip("gone")
    raise ValueError("here")


@pytest.mark.flaky(reruns=1)
def test_passes_at_once():
    pass
