"""The command that ``exec`` runs (floor 4): in front, with our own input and output, told of every signal we get."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOT_FOUND: Final = 127
NOT_STARTED: Final = 126
"""Exit codes that shells have for commands that are not there, and for those that cannot be run."""

_SIGNAL_CODES: Final = 128
_FORWARDED: Final = frozenset(
    {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH}
)
_OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code as a shell tells it, its time in microseconds, and that in words."""

    code: int
    microseconds: int
    words: str


def run_command(command: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """Run a command to its end; signals that reach this process reach it, too.

    What a terminal sends goes to the command by itself: it is in the same group of processes.
    """
    began = time.monotonic()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no child's end is ever told
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    try:
        code = _run(command, environ, before)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        words = f"{command[0]} could not be started: {error.strerror or error}"
        return Ended(NOT_FOUND if is_missing else NOT_STARTED, _since(began), words)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if code >= 0:
        return Ended(code, _since(began), f"{command[0]} ended with exit code {code}")
    return Ended(_SIGNAL_CODES - code, _since(began), f"{command[0]} was ended by {_name(-code)}")


def _run(command: Sequence[str], environ: Mapping[str, str], mask: set[signal.Signals | int]) -> int:
    """Return the command's exit code, negative for a signal."""
    process = subprocess.Popen(  # noqa: S603 - the command is the user's own
        command,
        env=dict(environ),
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509 - there are no threads
    )
    while process.poll() is None:
        number, is_from_terminal = _next_signal()
        if number != signal.SIGCHLD and not is_from_terminal and process.poll() is None:
            process.send_signal(number)
    return process.returncode


def _next_signal() -> tuple[int, bool]:
    """Wait for a signal; return it, and whether the command has got it from the terminal already."""
    waited = {*_FORWARDED, signal.SIGCHLD}
    if sys.platform == "darwin":
        number = int(signal.sigwait(waited))
        return number, number in _OF_TERMINALS and os.isatty(0)
    found = signal.sigwaitinfo(waited)
    return found.si_signo, found.si_signo in _OF_TERMINALS and found.si_code > 0


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1e6)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
