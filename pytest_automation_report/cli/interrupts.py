"""Signals that ask ``exec`` to end: several in quick succession are one, and none loses a run's end."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
"""Signals by which people, runners and ``timeout`` end a command."""

OF_COMMAND: Final = frozenset({signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH})
"""Signals that mean something to a command alone: without one they are ignored."""

_STDERR: Final = 2


class Interrupted(KeyboardInterrupt):
    """A signal asked to end at once, in a section that can end anywhere."""


class Interrupts:
    """Group the signals of one ``exec``: those within ``same_seconds`` of the first of a group belong to it.

    GNU ``timeout`` signals its child and then the whole group of processes, runners signal each process of a job: all
    of it asks for one thing. Outside of a section that is `interruptible` a group is only noted.
    """

    def __init__(self, same_seconds: float) -> None:
        self.last: int | None = None
        """The signal that began the newest group."""
        self.allowed = 1
        self.is_waiting = False
        """Whether a group that was to interrupt came where nothing could be interrupted."""
        self._same_seconds = same_seconds
        self._began: float | None = None
        self._numbers: set[int] = set()
        self._is_interruptible = False

    def install(self) -> None:
        """Take the signals from now on; those that the parent had ignored stay ignored."""
        for number in ENDING | OF_COMMAND:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._received)

    def ignore(self) -> None:
        """Ignore the signals from now on: no section is left that one could end.

        Python resets handlers of its own before it has ended. A signal in that moment would end the process, and its
        exit code would be the signal's instead of the command's. Ignored signals stay ignored.
        """
        for number in ENDING | OF_COMMAND:
            signal.signal(number, signal.SIG_IGN)

    def note(self, number: int) -> tuple[bool, bool]:
        """Note a signal; return whether it begins a group, and whether the group had none of its number before."""
        now = time.monotonic()
        is_first = self._began is None or now - self._began >= self._same_seconds
        if is_first:
            self._began, self.last = now, number
            self._numbers.clear()
        is_new = number not in self._numbers
        self._numbers.add(number)
        return is_first, is_new

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a group of signals raise `Interrupted` in this section, at once when one is waiting."""
        self._is_interruptible = True
        try:
            if self.is_waiting:
                self._interrupt()
            yield
        finally:
            self._is_interruptible = False

    def _received(self, number: int, frame: Any) -> None:  # noqa: ANN401 - the signal module's own type
        del frame
        if number in OF_COMMAND or not self.note(number)[0]:
            return
        if self.allowed:
            self.allowed -= 1
        elif self._is_interruptible:
            self._interrupt()
        else:
            if self.is_waiting:
                _drop_stuck_stderr()
            self.is_waiting = True

    def _interrupt(self) -> None:
        self._is_interruptible = self.is_waiting = False
        raise Interrupted


def _drop_stuck_stderr() -> None:
    """Replace stderr by the null device if its reader, such as a pager, reads no more.

    Called in a handler of signals, which has interrupted the write that waits for the reader: Python then repeats it,
    on the null device.
    """
    writable = select.poll()
    writable.register(_STDERR, select.POLLOUT)
    if not writable.poll(0):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _STDERR)
        os.close(null)
