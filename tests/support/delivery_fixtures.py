"""Fixtures of tests that deliver a written session to the scripted server; their conftests define ``server``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.canary import files_with
from support.deliveries import WrittenSession, ended_session
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN


@pytest.fixture(autouse=True)
def token_is_nowhere(tmp_path: Path) -> Iterator[None]:
    """After whatever happened, no file has the token: no spool, ledger, log, output or rejected result."""
    yield
    assert files_with(TOKEN, tmp_path) == []


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    """Return a session of three tests that ended in order, nothing of which was sent."""
    return ended_session(tmp_path, server)
