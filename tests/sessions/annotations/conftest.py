from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.annotated_suites import Suite
from support.checked_server import CheckedServer
from support.sessions import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedServer]:
    """Run a server that wants the sessions' token."""
    with CheckedServer(tmp_path_factory.mktemp("server") / "store.sqlite3", TOKEN) as server:
        yield server


@pytest.fixture
def suite(tmp_path: Path, server: CheckedServer) -> Suite:
    return Suite(tmp_path, server)
