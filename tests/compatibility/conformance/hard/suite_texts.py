"""What tests print, log and note."""

import logging
import sys

import pytest


@pytest.fixture
def around():
    print("before")
    yield
    print("after")


def test_quiet_pass(around):
    print("not kept for a pass")


def test_loud_failure(around):
    print("said \x1b[31mred\x1b[0m")
    print("wrong", file=sys.stderr)
    logging.getLogger(__name__).warning("warned")
    raise ValueError("b\xe4d \u20ac \U0001f40d \x00")


def test_notes(record_property):
    record_property("ticket", "AB-12")
    record_property("page", "https://example.org/ab?c=d")
    record_property("lines", "one\ntwo")


def test_notes_and_fails(record_property):
    record_property("ticket", "AB-13")
    assert [1, 2] == [1, 3]
