from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.canary import files_with
from support.deliveries import WrittenSession, ended_session
from support.scripted_server.checked import checked_in_process
from support.sessions import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.scripted_server.server import ScriptedServer


@pytest.fixture(autouse=True)
def token_is_nowhere(tmp_path: Path) -> Iterator[None]:
    """After whatever happened, no file has the token: no spool, ledger, log or rejected result."""
    yield
    assert files_with(TOKEN, tmp_path) == []


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a scripted server without a socket that checks each request against the contract."""
    with checked_in_process() as server:
        yield server


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    """Return a session of three tests that ended in order, nothing of which was sent."""
    return ended_session(tmp_path, server)
