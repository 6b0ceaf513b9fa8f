"""Run the command of ``exec`` in the foreground (floor 4): with our input and output, and the signals we get."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.cli.interrupts import ENDING, OF_COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.cli.interrupts import Interrupts

NOT_FOUND: Final = 127
NOT_STARTED: Final = 126
"""Exit codes that shells have for commands that are not there, and for those that cannot be run."""

_SIGNAL_CODES: Final = 128
_FORWARDED: Final = ENDING | OF_COMMAND
_OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code as a shell tells it, its time in microseconds, and that in words."""

    code: int
    microseconds: int
    words: str


def run_command(command: Sequence[str], environ: Mapping[str, str], interrupts: Interrupts) -> Ended:
    """Run a command to its end and forward signals to it, unless a signal to end came before.

    What a terminal sends goes to the command by itself: it is in the same group of processes.
    """
    began = time.monotonic()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, no child's end is ever told
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    try:
        code, words = _outcome(command, environ, before, interrupts)
        if code < 0 or code > _SIGNAL_CODES:
            # Who signals each process of a job may reach us after the command, which its signal has ended.
            interrupts.note(abs(code) % _SIGNAL_CODES)
    finally:
        interrupts.allowed = 0
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    exit_code = code if code >= 0 else _SIGNAL_CODES - code
    return Ended(exit_code, round((time.monotonic() - began) * 1e6), f"{command[0]} {words}")


def _outcome(
    command: Sequence[str], environ: Mapping[str, str], mask: set[signal.Signals | int], interrupts: Interrupts
) -> tuple[int, str]:
    """Return the command's exit code, negative for a signal, and how it ended in words."""
    if interrupts.last is not None:
        return -interrupts.last, f"was not started: {signal_name(interrupts.last)} came first"
    try:
        code = _run(command, environ, mask, interrupts)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED
        return code, f"could not be started: {error.strerror or error}"
    return code, f"ended with exit code {code}" if code >= 0 else f"was ended by {signal_name(-code)}"


def _run(
    command: Sequence[str], environ: Mapping[str, str], mask: set[signal.Signals | int], interrupts: Interrupts
) -> int:
    """Return the command's exit code, negative for a signal."""

    def take_signals() -> None:
        for number in _FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)  # our handler would swallow one that comes before the exec
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    process = subprocess.Popen(  # noqa: S603 - the command is the user's own
        command,
        env=dict(environ),
        preexec_fn=take_signals,  # noqa: PLW1509 - there are no threads
    )
    while process.poll() is None:
        number, is_from_terminal = _next_signal()
        is_new = number in OF_COMMAND or (number in ENDING and interrupts.note(number)[1])
        if is_new and not is_from_terminal and process.poll() is None:
            process.send_signal(number)
    for number in signal.sigpending() & ENDING:  # sent to the command's whole group, which it did not survive
        signal.sigwait({number})
        interrupts.note(number)
    return process.returncode


def _next_signal() -> tuple[int, bool]:
    """Wait for a signal; return it, and whether the command has got it from the terminal already."""
    waited = {*_FORWARDED, signal.SIGCHLD}
    if sys.platform == "darwin":
        number = int(signal.sigwait(waited))
        return number, number in _OF_TERMINALS and os.isatty(0)
    found = signal.sigwaitinfo(waited)
    return found.si_signo, found.si_signo in _OF_TERMINALS and found.si_code > 0


def signal_name(number: int) -> str:
    """Return the name of a signal; its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
