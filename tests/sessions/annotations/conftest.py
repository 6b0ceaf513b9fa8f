from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.annotated_suites import Suite

if TYPE_CHECKING:
    from pathlib import Path

    from support.checked_server import CheckedServer


@pytest.fixture
def suite(tmp_path: Path, server: CheckedServer) -> Suite:
    return Suite(tmp_path, server)
