"""Subtests by fixture."""

import pytest


def test_all_pass(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number < 3


def test_two_fail(subtests):
    for number in range(4):
        with subtests.test("part", number=number):
            print("number", number)
            assert number % 2 == 0, f"{number} is odd"


def test_subtest_and_test_fail(subtests):
    with subtests.test(part="<b>"):
        assert 0
    raise ValueError("in the whole")


def test_subtest_is_skipped(subtests):
    with subtests.test(part="one"):
        pytest.skip("not here")
    with subtests.test(part="two"):
        pass
