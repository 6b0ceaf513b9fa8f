from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deliveries import WrittenSession
from support.delivery_fixtures import token_is_nowhere, written
from support.scripted_server.checked import checked_in_process
from support.scripted_server.server import ScriptedServer

__all__ = ["token_is_nowhere", "written"]  # fixtures of these tests, too


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a scripted server without a socket that checks each request against the contract."""
    with checked_in_process() as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    """Return a session that has begun, of which no test has."""
    return WrittenSession(tmp_path, server.address)
