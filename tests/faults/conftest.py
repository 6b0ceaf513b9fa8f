from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.canary import files_with
from support.deliveries import WrittenSession, ended_session
from support.scripted_server.checked import checked_scripted_server
from support.sessions import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.scripted_server.server import ScriptedServer


@pytest.fixture(autouse=True)
def token_is_nowhere(tmp_path: Path) -> Iterator[None]:
    """After whatever happened, no file has the token: no spool, ledger, log, output or rejected result."""
    yield
    assert files_with(TOKEN, tmp_path) == []


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a scripted server that checks each request against the contract."""
    with checked_scripted_server() as server:
        yield server


@pytest.fixture
def written(tmp_path: Path, server: ScriptedServer) -> WrittenSession:
    """Return a session of three tests that ended in order, nothing of which was sent."""
    return ended_session(tmp_path, server)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a project without tests, below the test's own."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 1 MB; skip the test where that is not allowed."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk can be mounted by root alone, and not in every container")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)
