"""A test that ends the whole session as Ctrl-C would."""

import pytest


def test_passes_first():
    pass


def test_ends_the_session():
    pytest.exit("enough is enough")


def test_never():
    pass
