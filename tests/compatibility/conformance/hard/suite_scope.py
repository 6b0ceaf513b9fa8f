"""A fixture of a whole module that fails, and one that fails to end."""

import pytest


@pytest.fixture(scope="module")
def service():
    raise RuntimeError("no service")


@pytest.fixture(scope="module")
def connection():
    yield
    raise OSError("cannot disconnect")


class TestService:
    def test_first(self, service):
        pass

    def test_second(self, service):
        pass


def test_ends_the_connection(connection):
    pass
