"""Tests that pytest-retry repeats."""

from collections import Counter

import pytest

runs: Counter[str] = Counter()


def attempt(name):
    runs[name] += 1
    return runs[name]


@pytest.mark.flaky(retries=2)
def test_passes_at_second():
    assert attempt("second") == 2


@pytest.mark.flaky(retries=1)
def test_fails_always():
    raise ValueError(f"attempt {attempt('always')}")


@pytest.mark.flaky(retries=1)
def test_passes_at_once():
    pass


def test_fails_once():
    assert 0
