"""Handle the signals that ask ``exec`` to end: those in quick succession count as one, and none loses results."""

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
"""Signals by which users, CI runners and ``timeout`` end a command."""

OF_COMMAND: Final = frozenset({signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH})
"""Signals that only commands use: without a running command they are ignored."""

_STDERR: Final = 2


class Interrupted(KeyboardInterrupt):
    """A signal interrupted a section that can end anywhere."""


class Interrupts:
    """Group the signals of one ``exec``: those within ``same_seconds`` of the first of a group belong to it.

    GNU ``timeout`` signals its child and then the whole group of processes, CI runners signal each process of a job:
    all these signals are one request to end. A group has one of three effects::

        the first one before the command   the command is not started, and its run is completed
        one while the command runs         each of its signals is forwarded to the command once
        a later one                        `Interrupted` is raised, in the current or next `interruptible` section
    """

    def __init__(self, same_seconds: float) -> None:
        self.last: int | None = None
        """The signal that began the newest group."""
        self.allowed = 1
        """Number of groups that interrupt nothing: the first one before the command."""
        self.is_waiting = False
        """Whether a group came outside of an interruptible section: the next such section raises at once."""
        self._same_seconds = same_seconds
        self._began: float | None = None
        self._numbers: set[int] = set()
        self._is_interruptible = False

    def install(self) -> None:
        """Handle the signals from now on, except those that the parent process ignores, as ``nohup`` does."""
        for number in ENDING | OF_COMMAND:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._received)

    def ignore(self) -> None:
        """Ignore the signals from now on: no section is left that one could end.

        Python resets its handlers before it has ended. A signal in that moment would end the process, and its
        exit code would be the signal's instead of the command's. Ignored signals stay ignored.
        """
        for number in ENDING | OF_COMMAND:
            signal.signal(number, signal.SIG_IGN)

    def note(self, number: int) -> tuple[bool, bool]:
        """Add a signal to its group; return whether it is the first of the group, and the first of its number in it."""
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
        """Raise `Interrupted` on a group of signals in this section, at once if one is waiting."""
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
