"""A process that is killed while it makes again what was deleted: just before what it made gets its name.

Arguments: who it is (``records`` or ``session``), a folder, and the server's address.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.writer import SpoolWriter
from pytest_automation_report.system.here import system
from support.deliveries import SESSION_ID, WrittenSession
from support.records import line

assert sys.platform != "win32"


def die_at_rename() -> None:
    pytest.MonkeyPatch().setattr(system, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))


def record(path: Path) -> None:
    """Record two lines, and a third one after the folder was deleted."""
    die_at_rename()
    folder = SessionFolder(path / SESSION_ID)
    writer = SpoolWriter(folder.records("gw0"))
    for number in range(3):
        if number == 2:
            shutil.rmtree(folder.path)
        writer.write(line("open", format=1, worker="gw0", pid=number, t=0))


def lead(path: Path, address: str) -> None:
    """Record a result of a session, and a second one after the spool was deleted: before a sender has read any."""
    die_at_rename()
    written = WrittenSession(path, address)
    written.add("test_early")
    shutil.rmtree(written.folder.path)
    written.add("test_late")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["records", folder]:
            record(Path(folder))
        case ["session", folder, server]:
            lead(Path(folder), server)
