import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.delivery_fixtures import token_is_nowhere, written
from support.fault_projects import NUMBERED, GatedProject
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.server import ScriptedServer
from support.session_processes import unsent_session

assert sys.platform != "win32"

__all__ = ["token_is_nowhere", "written"]  # fixtures of these tests, too


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a scripted server that checks each request against the contract."""
    with checked_scripted_server() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a project without tests, below the test's own."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


@pytest.fixture
def session(tmp_path: Path, server: ScriptedServer) -> Path:
    """Return the folder of a session of the tests `NUMBERED` that was not sent."""
    GatedProject(tmp_path, len(NUMBERED))
    return unsent_session(tmp_path, server)


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
