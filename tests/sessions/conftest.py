import pytest

from support.annotated_suites import Suite
from support.checked_server import CheckedServer


@pytest.fixture
def suite(pytester: pytest.Pytester, server: CheckedServer) -> Suite:
    return Suite(pytester, server)
