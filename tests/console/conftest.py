from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from checked import CheckedServer
from sessions import TOKEN
from whole.projects import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedServer]:
    """Run a server that wants the sessions' token, its store away from the project."""
    with CheckedServer(tmp_path_factory.mktemp("server") / "store.sqlite3", TOKEN) as server:
        yield server


@pytest.fixture
def place(server: CheckedServer) -> list[str]:
    """Return the options that say where the server is."""
    return ["--url", server.address, "--project-id", "1", "--source", "suite"]
