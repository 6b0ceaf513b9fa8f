"""Pytest sessions that a test stops in the middle, and what they leave behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.spool.sessions import ledger_from
from pytest_automation_report.system.here import system
from support.canary import assert_not_in_process
from support.prepared import popen
from support.sessions import (
    TOKEN,
    Ran,
    reporting_arguments,
    run_session,
    send,
    session_environment,
    skip_without_workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from support.scripted_server.server import ScriptedServer


def eventually(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Return once the condition holds; fail after some time. For what no process tells us about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {seconds} s: {what}"
        time.sleep(0.01)


def needs_groups() -> None:
    if sys.platform == "win32":
        pytest.skip("groups of processes")


class RunningSession:
    """A reported session in a process group of its own; the context's end kills what is left of it."""

    def __init__(
        self, folder: Path, *arguments: str, address: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._command = [*reporting_arguments(address), *arguments]
        self._env = env if env is not None else session_environment()

    def __enter__(self) -> Self:
        needs_groups()
        skip_without_workers(self._command)
        self._out, self._err = ((self._folder / name).open("wb") for name in ("stdout.txt", "stderr.txt"))
        streams = {"stdout": self._out, "stderr": self._err}
        self.process = popen(self._command, self._env, cwd=self._folder, start_new_session=True, **streams)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32" and self.process.poll() is None:
            self.hit_group(signal.SIGKILL)
            self.process.wait()
        self._out.close()
        self._err.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that the session does."""
        eventually(lambda: condition() or self.process.poll() is not None, what)
        assert condition(), f"the session ended before: {what}\n{self.output()}"
        for each in spools(self._folder):
            assert_not_in_process(TOKEN, ledger_from(each / "ledger").sender_pid)

    def hit(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hit_group(self, number: signal.Signals) -> None:
        """Signal pytest and its children, as a terminal does."""
        if sys.platform != "win32":
            os.killpg(self.process.pid, number)

    def end(self, seconds: float = 60.0, exits: int | None = None) -> Ran:
        """Wait for the session's end, which must have the status ``exits``."""
        self.process.wait(timeout=seconds)
        out, err = ((self._folder / name).read_text(errors="replace") for name in ("stdout.txt", "stderr.txt"))
        ran = Ran(self.process.returncode, out, err)
        assert exits is None or ran.exit == exits, ran.text
        return ran

    def output(self) -> str:
        """Return what the session and its sender have written so far."""
        logs = [each / "sender.log" for each in spools(self._folder)]
        texts = [(self._folder / name).read_text(errors="replace") for name in ("stdout.txt", "stderr.txt")]
        return "\n".join([*texts, *(each.read_text() for each in logs if each.exists())])


def spools(folder: Path) -> list[Path]:
    """Return the sessions' folders that are left in this project, but those that pytest was killed in making."""
    return sorted(each for each in (folder / ".automation-report" / "spool").glob("[!.]*") if each.is_dir())


def sender_of(folder: Path) -> int:
    """Return the process id of the sender that is ready, 0 when none is."""
    return max((ledger_from(each / "ledger").sender_pid for each in spools(folder)), default=0)


LATER = ("--automation-report-delivery", "later")


def unsent_session(folder: Path, server: ScriptedServer) -> Path:
    """Run the project's tests and return the folder of their session, nothing of which was sent."""
    ran = run_session(folder, *LATER, address=server.address)
    assert ran.exit == 0, ran.text
    (session,) = spools(folder)
    return session


def sent(folder: Path, server: ScriptedServer, *more: str, exits: int | None = None) -> Ran:
    ran = send(folder, *server.options, *more, exits=exits)
    assert "Traceback" not in ran.text
    return ran


def acknowledged(folder: Path) -> int:
    """Return how many results the senders know that the server has; a server's own count is ahead of its answers."""
    states = [ledger_from(each / "ledger") for each in spools(folder)]
    return sum(progress.acknowledged.count for state in states for progress in state.progress_by_worker.values())


def wait_for_senders(folder: Path) -> None:
    """Return when no sender works on any session of this project."""
    eventually(lambda: not any(_has_sender(each) for each in spools(folder)), "the sender ends")


def _has_sender(session: Path) -> bool:
    """Whether a process is the session's sender, perhaps before it has the lock, or has the lock, as `send` does."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if session.name.encode() in each.read_bytes():
                return True
    try:
        descriptor = os.open(session / "lock", os.O_RDWR)
    except FileNotFoundError:
        return session.exists() and not Path("/proc").exists()
    try:
        return not system.is_lock_taken(descriptor)
    finally:
        os.close(descriptor)
