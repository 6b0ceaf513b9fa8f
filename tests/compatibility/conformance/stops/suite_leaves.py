"""A test that ends the whole session."""

import pytest


def test_passes_first():
    pass


def test_ends_the_session():
    pytest.exit("enough is enough", returncode=7)


def test_never():
    pass
