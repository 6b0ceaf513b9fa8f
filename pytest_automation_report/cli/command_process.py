"""Run the command of ``exec`` in the foreground: with the input, process group and signals of ``exec`` itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.cli.command_output import STDERR, STDOUT
from pytest_automation_report.cli.interrupts import ENDING, OF_COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.cli.command_output import CommandOutput
    from pytest_automation_report.cli.interrupts import Interrupts

NOT_FOUND: Final = 127
NOT_STARTED: Final = 126
"""Exit codes of shells for a command that does not exist, and for one that cannot be started."""

_SIGNAL_CODES: Final = 128
_FORWARDED: Final = ENDING | OF_COMMAND
_OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH})


class Ended(Struct, frozen=True):
    """End of a command: its exit code as in a shell, its time in microseconds, and both in words."""

    code: int
    microseconds: int
    words: str


def run_command(
    command: Sequence[str], environ: Mapping[str, str], interrupts: Interrupts, output: CommandOutput | None
) -> Ended:
    """Run a command to its end and forward signals to it. It is not started if a signal to end came before.

    Without ``output`` the command writes to our streams itself. Signals of a terminal are not forwarded: the command
    is in the same group of processes and gets them from the terminal.
    """
    began = time.monotonic()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # while it is ignored, the end of a child is not signalled
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, signal.SIGCHLD})
    try:
        code, words = _outcome(command, environ, before, interrupts, output)
        if code < 0 or code > _SIGNAL_CODES:
            # A CI runner that signals each process of a job may reach us only after the command has ended by it.
            interrupts.note(abs(code) % _SIGNAL_CODES)
    finally:
        interrupts.allowed = 0
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    exit_code = code if code >= 0 else _SIGNAL_CODES - code
    return Ended(exit_code, round((time.monotonic() - began) * 1e6), f"{command[0]} {words}")


def _outcome(
    command: Sequence[str],
    environ: Mapping[str, str],
    mask: set[signal.Signals | int],
    interrupts: Interrupts,
    output: CommandOutput | None,
) -> tuple[int, str]:
    """Return the command's exit code, negative for a signal, and how it ended in words."""
    if interrupts.last is not None:
        if output is not None:
            output.close()
        return -interrupts.last, f"was not started: {signal_name(interrupts.last)} came first"
    try:
        process = _start(command, environ, mask, output)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED
        return code, f"could not be started: {error.strerror or error}"
    code = _wait(process, interrupts, output)
    return code, f"ended with exit code {code}" if code >= 0 else f"was ended by {signal_name(-code)}"


def _start(
    command: Sequence[str],
    environ: Mapping[str, str],
    mask: set[signal.Signals | int],
    output: CommandOutput | None,
) -> subprocess.Popen[bytes]:
    """Start the command; raises `OSError` if it cannot be started."""

    def reset_signals() -> None:
        for number in _FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)  # our handler would swallow one that comes before the exec
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    try:
        process = subprocess.Popen(  # noqa: S603 - the command is the user's own
            command,
            env=dict(environ),
            stdout=None if output is None else output.command_end(STDOUT),
            stderr=None if output is None else output.command_end(STDERR),
            preexec_fn=reset_signals,  # noqa: PLW1509 - there are no threads
        )
    except OSError:
        if output is not None:
            output.close()
        raise
    if output is not None:
        output.start()
    return process


def _wait(process: subprocess.Popen[bytes], interrupts: Interrupts, output: CommandOutput | None) -> int:
    """Wait for the command's end; return its exit code, negative for a signal."""
    while process.poll() is None:
        number, is_from_terminal = _next_signal()
        is_new = number in OF_COMMAND or (number in ENDING and interrupts.note(number)[1])
        if is_new and not is_from_terminal and process.poll() is None:
            process.send_signal(number)
    _note_pending(interrupts)  # signals to the whole group of processes, which ended the command
    if output is not None:
        output.drain(lambda: _note_pending(interrupts))
    return process.returncode


def _note_pending(interrupts: Interrupts) -> bool:
    """Add the pending signals to end to their groups; return whether one of them begins a group."""
    is_first = False
    for number in signal.sigpending() & ENDING:
        signal.sigwait({number})
        is_first = interrupts.note(number)[0] or is_first
    return is_first


def _next_signal() -> tuple[int, bool]:
    """Wait for a signal; return it, and whether the terminal has sent it to the command, too."""
    waited = {*_FORWARDED, signal.SIGCHLD}
    if sys.platform == "darwin":
        number = int(signal.sigwait(waited))
        return number, number in _OF_TERMINALS and os.isatty(0)
    info = signal.sigwaitinfo(waited)
    return info.si_signo, info.si_signo in _OF_TERMINALS and info.si_code > 0  # the kernel's codes are positive


def signal_name(number: int) -> str:
    """Return the name of a signal; its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
