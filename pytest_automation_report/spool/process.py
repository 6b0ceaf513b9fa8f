"""Other processes of a session: whether one lives, and the log of the sender, which has no terminal."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from typing import Final

from pytest_automation_report.text.terminal import sanitize
from pytest_automation_report.unpatched import Unpatched


def process_start_time(pid: int) -> str:
    """Return the start time of a process as the kernel writes it; "" if there is no such process, or no ``/proc``.

    Ids are used again: with the start time a later process of the same id is not taken for the first one.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The process's name comes before the last parenthesis, and may hold spaces and parentheses.
    state, *numbers = stat.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else numbers[18]


class Process:
    """Another process, watched from the creation of this object; a process that does not exist then counts as dead.

    Owned by its creator, who closes it.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptor: int | None = None
        self._is_gone = False
        opener = getattr(os, "pidfd_open", None)
        try:
            if opener is not None:
                self._descriptor = opener(pid)
            else:
                os.kill(pid, 0)
        except ProcessLookupError:
            self._is_gone = True
        except OSError:
            self._descriptor = None  # an old kernel or a sandbox without the call: ask by id

    def is_alive(self) -> bool:
        """Return whether the process lives. A zombie counts as dead, except on systems without process descriptors."""
        self.wait(0.0)
        return not self._is_gone

    def wait(self, seconds: float) -> None:
        """Wait until the process ends, at most for this time."""
        if self._is_gone:
            Unpatched.sleep(seconds)
        elif self._descriptor is not None:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            if poll.poll(seconds * 1000):
                self._is_gone = True
        else:
            Unpatched.sleep(seconds)
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                self._is_gone = True
            except PermissionError:
                pass  # it lives, and belongs to another user

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


LOG_BYTES: Final = 256 << 10
LAST_WORDS: Final = "the sender died: "
"""Mark before the error that ended a sender: pytest looks for it in the last line, to show the reason."""

_LINE_UNITS: Final = 500


class Log:
    """Appends lines with the time to a file of at most `LOG_BYTES`; ignores errors of the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str) -> None:
        """Append one line."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sanitize(text, _LINE_UNITS)}\n"
        try:
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                if os.fstat(descriptor).st_size < LOG_BYTES:
                    os.write(descriptor, line.encode("utf-8", "backslashreplace"))
            finally:
                os.close(descriptor)
        except OSError:
            # The sender can report it nowhere else. The summary needs only the ledger.
            return

    def tail(self, lines: int) -> list[str]:
        """Return the last lines, none if there is no log."""
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-lines:]
