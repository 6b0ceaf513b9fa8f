"""A process that is killed while it makes again what was deleted: just before what it made gets its name.

Arguments: who it is (``records``, ``session`` or ``sender``), a folder, and the server's address.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_automation_report.api.models import Endpoint, Token
from pytest_automation_report.delivery.connection import connected
from pytest_automation_report.delivery.handover import Runtime, Timeouts
from pytest_automation_report.delivery.process import Sender
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.liveness import Process
from pytest_automation_report.spool.records import plain_record
from pytest_automation_report.spool.writer import SpoolWriter
from support.deliveries import SESSION_ID, WrittenSession
from support.sessions import SHORT_LIMITS, TOKEN

if TYPE_CHECKING:
    from pytest_automation_report.delivery.dispatcher import Dispatcher


def die_at_rename() -> None:
    """Let this process be killed when it renames a file."""
    os.rename = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)


def record(path: Path) -> None:
    """Record two lines, and a third one after the folder was deleted."""
    die_at_rename()
    folder = SessionFolder(path / SESSION_ID)
    writer = SpoolWriter(folder.records("gw0"))
    for number in range(3):
        if number == 2:
            shutil.rmtree(folder.path)
        writer.write(plain_record("open", format=1, worker="gw0", pid=number, t=0))


def lead(path: Path, address: str) -> None:
    """Record a result of a session, and a second one after the spool was deleted: before a sender has read any."""
    die_at_rename()
    written = WrittenSession(path, address)
    written.add("test_early")
    shutil.rmtree(written.folder.path)
    written.add("test_late")


def deliver(path: Path, address: str) -> None:
    """Deliver a result, and find the folder deleted before the next one."""
    written = WrittenSession(path, address)
    written.add("test_early")

    def delete(delivery: Dispatcher) -> None:
        if delivery.state.total("acknowledged") == 1:
            shutil.rmtree(written.folder.path)
            written.add("test_late")  # which makes its own file again
            written.end()
            die_at_rename()

    runtime = Runtime(clock=time.monotonic, random=random.random, log=lambda _: None)
    timeouts = Timeouts(**SHORT_LIMITS)
    with connected(Endpoint(address, 1), Token(TOKEN), deadline_seconds=timeouts.request) as client:
        controller = Process(os.getpid())
        Sender(written.folder, written.session, timeouts, client, runtime, controller, on_progress=delete).run()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["records", folder]:
            record(Path(folder))
        case ["session", folder, server]:
            lead(Path(folder), server)
        case ["sender", folder, server]:
            deliver(Path(folder), server)
