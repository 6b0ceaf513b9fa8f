"""Failures that a session may be told to stop at."""

import pytest


def test_passes():
    pass


def test_fails():
    assert 0


def test_skips():
    pytest.skip("not here")


@pytest.mark.parametrize("number", range(3))
def test_fails_more(number):
    raise ValueError(number)


def test_passes_last():
    pass
