from pathlib import Path

import pytest

from support.annotated_suites import Suite
from support.checked_server import CheckedServer


@pytest.fixture
def suite(tmp_path: Path, server: CheckedServer) -> Suite:
    return Suite(tmp_path, server)
