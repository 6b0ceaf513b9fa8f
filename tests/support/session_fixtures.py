"""The fixtures of sessions in processes: a project, the embedded server that it reports to, the wheel to install."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.installs import Wheelhouse
from support.projects import Project
from support.sessions import TOKEN


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedServer]:
    """Run the embedded server, which wants the sessions' token, its store away from the project."""
    with CheckedServer(tmp_path_factory.mktemp("server") / "store.sqlite3", TOKEN) as server:
        yield server


@pytest.fixture
def server(embedded_server: CheckedServer) -> CheckedServer:
    """Return the server that a test means unless its folder has another: the scripted one, in `faults`."""
    return embedded_server


@pytest.fixture
def server_options(server: CheckedServer) -> list[str]:
    """Return the options that name the server."""
    return ["--url", server.address, "--project-id", "1", "--source", "suite"]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    return Wheelhouse(tmp_path_factory.mktemp("wheelhouse"))
