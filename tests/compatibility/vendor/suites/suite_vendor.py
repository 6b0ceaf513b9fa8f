import logging
import sys
import unittest

import pytest


def test_passes():
    print("passing output")


def test_fails():
    print("failing output")
    print("to the other stream", file=sys.stderr)
    logging.getLogger().warning("a warning")
    assert [1, 2, 3] == [1, 2, 4], "with a message & <markup>"


@pytest.fixture
def broken():
    print("output of a setup")
    raise LookupError("a broken fixture")


@pytest.fixture
def broken_after():
    yield
    raise OSError("a broken teardown")


def test_setup_fails(broken):
    pass


def test_teardown_fails(broken_after):
    pass


def test_call_and_teardown_fail(broken_after):
    raise ValueError("the call")


@pytest.mark.skip(reason="a reason")
def test_skipped():
    pass


def test_skips_itself():
    pytest.skip("another reason")


@pytest.mark.xfail(reason="known")
def test_xfails():
    assert False


@pytest.mark.xfail(reason="known")
def test_xpasses():
    pass


@pytest.mark.xfail(reason="known", strict=True)
def test_xpasses_strictly():
    pass


@pytest.mark.parametrize("value", ["plain", "with spaces", "a.b[c]", "\x1b", "ünïcode", "日本", "a\\b", "&<>\"'", ""])
def test_parameters(value):
    assert value != "plain"


class TestClass:
    class TestInner:
        def test_method(self):
            pass


class Cases(unittest.TestCase):
    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)

    def test_unexpected(self):
        self.skipTest("unittest's way")


def test_subtests(subtests):
    for number in range(3):
        with subtests.test(msg="one", number=number):
            assert number != 2


def test_properties(record_property):
    record_property("key", "value")
    record_property("page", "https://example.com/page")
    record_property("lines", "one\ntwo")


def test_colours():
    print("\x1b[31mred\x1b[0m")
    assert "\x1b[31mred\x1b[0m" == "red", "\x1b[31mred\x1b[0m"


def test_long_text():
    assert False, "x" * 40_000


def test_deep():
    def inner(number):
        if not number:
            raise RuntimeError("deep\nwith two lines")
        inner(number - 1)

    inner(3)
