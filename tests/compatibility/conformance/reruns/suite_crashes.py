"""Tests that crash their worker at some attempts; each attempt is noted in a file, since memory does not survive."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def announced(request):
    # What pytest-rerunfailures tells its controller about this attempt has arrived when it answers a question.
    request.config.failures_db.get_test_reruns(request.node.nodeid)


def attempt(name):
    notes = Path(__file__).with_name(f"{name}.attempts")
    with notes.open("a", encoding="ascii") as file:
        file.write("x")
    return notes.stat().st_size


def test_passes():
    pass


def test_crashes_first():
    if attempt("first") == 1:
        os._exit(9)


def test_crashes_always():
    attempt("always")
    os._exit(9)


def test_fails_then_crashes():
    number = attempt("fails")
    if number == 2:
        os._exit(9)
    assert number == 3


def test_crashes_then_fails():
    number = attempt("crashes")
    if number == 1:
        os._exit(9)
    raise ValueError(f"attempt {number}")


def test_passes_too():
    pass
