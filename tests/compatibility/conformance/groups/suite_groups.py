"""Tests that belong together."""

import os
from pathlib import Path

import pytest


@pytest.mark.xdist_group("database")
def test_grouped():
    pass


@pytest.mark.xdist_group(name="database")
@pytest.mark.parametrize("value", ["a@b", "c[d]"])
def test_grouped_with(value):
    assert value == "a@b"


@pytest.mark.xdist_group("database")
@pytest.mark.xdist_group("network")
def test_two_groups():
    pass


@pytest.mark.xdist_group
def test_default_group():
    pass


class TestGroup:
    @pytest.mark.xdist_group("files@host")
    def test_method(self):
        pytest.skip("not here")


@pytest.mark.xdist_group("last")
def test_crashes_first():
    note = Path(__file__).with_name("crashed")
    if not note.exists():
        note.touch()
        os._exit(9)


@pytest.mark.xdist_group("last")
def test_after_the_crash():
    pass  # xdist hangs when one test alone is left of a group that crashed


def test_ungrouped():
    pass
