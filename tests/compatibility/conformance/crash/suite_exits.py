"""Tests that end their process."""

import os
import signal

import pytest


def test_passes_before():
    pass


@pytest.mark.parametrize("number", range(4))
def test_among_others(number):
    assert number != 2


@pytest.mark.xdist_group("exit")
def test_leaves():
    print("last words", flush=True)
    os._exit(9)


class TestKilled:
    @pytest.mark.parametrize("how", ["a[b]"])
    def test_is_killed(self, how):
        os.kill(os.getpid(), signal.SIGKILL)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture
def deadly():
    os._exit(0)


def test_leaves_in_setup(deadly):
    pass


def test_passes_after():
    pass
