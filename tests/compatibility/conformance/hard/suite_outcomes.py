"""One test for each outcome that pytest has."""

import sys

import pytest


@pytest.fixture
def broken():
    raise RuntimeError("no database")


@pytest.fixture
def leaky():
    yield
    raise OSError("cannot close")


@pytest.fixture
def absent():
    pytest.skip("no browser")


def test_passes():
    pass


def test_fails():
    assert 1 == 2


def test_raises():
    raise ValueError("bad value")


def test_is_told_to_fail():
    pytest.fail("told to", pytrace=False)


def test_leaves_by_system_exit():
    sys.exit(3)


def test_setup_fails(broken):
    pass


def test_teardown_fails(leaky):
    pass


def test_fails_and_teardown_fails(leaky):
    raise ValueError("bad value")


def test_setup_and_teardown_fail(leaky, broken):
    pass


def test_is_skipped_and_teardown_fails(leaky):
    pytest.skip("half done")


@pytest.mark.skip(reason="not today")
def test_is_marked_skip():
    pass


@pytest.mark.skipif(sys.version_info > (3, 0), reason="only for Python 2")
def test_is_marked_skipif():
    pass


def test_skips_itself():
    pytest.skip("not here")


def test_fixture_skips(absent):
    pass


@pytest.mark.xfail(reason="bug 1")
def test_xfails():
    assert 0


@pytest.mark.xfail
def test_xfails_without_reason():
    assert 0


@pytest.mark.xfail(raises=KeyError, reason="bug 2")
def test_xfails_as_foreseen():
    raise KeyError("key")


@pytest.mark.xfail(raises=KeyError, reason="bug 2")
def test_xfails_otherwise():
    raise ValueError("value")


@pytest.mark.xfail(run=False, reason="hangs")
def test_xfails_unrun():
    sys.exit(9)


@pytest.mark.xfail(reason="bug 3")
def test_xfails_in_setup(broken):
    pass


def test_xfails_inside():
    pytest.xfail("bug 4")


@pytest.mark.xfail(reason="bug 5")
def test_xpasses():
    pass


@pytest.mark.xfail(reason="bug 6", strict=True)
def test_xpasses_strictly():
    pass
