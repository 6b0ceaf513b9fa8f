"""Whether another process lives: by a descriptor of the process on Linux, by its id elsewhere.

Never by a pipe or a lock: children that a test forked would keep those open.
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path


def process_start_time(pid: int) -> str:
    """Return when the process began, in the kernel's own words, to tell it from a later one of the same id.

    Empty when there is no such process, or where the system does not say.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    state, *numbers = stat.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else numbers[18]


class Process:
    """Another process, watched from when this value is made; a process that is gone by then counts as dead."""

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
        """Whether the process lives; one that has ended and was not reaped counts as dead where that can be seen."""
        self.wait(0.0)
        return not self._is_gone

    def wait(self, seconds: float) -> None:
        """Return when the process ends, at the latest after this time."""
        if self._is_gone:
            time.sleep(seconds)
        elif self._descriptor is not None:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            if poll.poll(seconds * 1000):
                self._is_gone = True
        else:
            time.sleep(seconds)
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                self._is_gone = True
            except PermissionError:
                pass  # it lives, as another user

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
