"""What commands and servers alone need from the system, on POSIX and on Windows.

Docstrings stand in the half for POSIX where both do the same.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def publish(draft: Path, path: Path) -> None:
    """Give a complete file its name; raises `FileExistsError` if another has it, since that must stay."""
    if sys.platform == "win32":
        draft.rename(path)
        return
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links, as on most memory sticks: the name is taken first.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        draft.replace(path)
    else:
        draft.unlink()


def has_screen(environ: Mapping[str, str]) -> bool:
    """Whether a browser can be shown."""
    return sys.platform != "linux" or any(map(environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))


def start_without_signals(thread: threading.Thread) -> None:
    """Start a thread to which the system gives no signal of this process: the main thread takes them."""
    if sys.platform == "win32":
        thread.start()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


if sys.platform == "win32":
    ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGBREAK})
    OF_COMMAND: Final[frozenset[signal.Signals]] = frozenset()
    STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGBREAK)
    # With the option of other systems two servers could listen on one port.
    LISTENING: Final = socket.SO_EXCLUSIVEADDRUSE
    _PAUSE_SECONDS: Final = 0.1
    _CTRL_C_EXIT: Final = 0xC000013A

    def max_files() -> int | None:
        # Those of `select`.
        return 512

    def is_socket_readable(descriptor: int) -> bool:
        return bool(select.select([descriptor], [], [], 0)[0])

    def is_writable(descriptor: int, seconds: float | None) -> bool:
        # Writing waits by itself.
        del descriptor, seconds
        return True

    class CommandSignals:
        # The console sends Ctrl-C and Ctrl-Break to the command, too.
        arguments: Final[Mapping[str, Any]] = {}

        def __init__(self) -> None:
            self._numbers: list[int] = []
            self._handlers: dict[int, Any] = {}

        def __enter__(self) -> Self:
            for number in ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._note)
            return self

        def __exit__(self, *_: object) -> None:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

        def next(self, process: subprocess.Popen[Any]) -> tuple[int, bool]:
            # In parts: a handler runs between two calls alone.
            while not self._numbers and process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PAUSE_SECONDS)
            return (self._numbers.pop(0) if self._numbers else 0), True

        def pending(self) -> Iterator[int]:
            while self._numbers:
                yield self._numbers.pop(0)

        def _note(self, number: int, frame: object) -> None:
            del frame
            self._numbers.append(number)

    def command_exit_code(process: subprocess.Popen[Any]) -> int:
        return -signal.SIGINT if process.returncode == _CTRL_C_EXIT else process.returncode

else:
    import resource

    ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
    """Signals by which users, CI runners and ``timeout`` end a command."""

    OF_COMMAND: Final = frozenset({signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH})
    """Signals that only commands use: without a running command they are ignored."""

    STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
    """Signals that stop a server."""

    LISTENING: Final = socket.SO_REUSEADDR
    """Option of a socket that listens on a port: also right after another server has left it."""

    _OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH})

    def max_files() -> int | None:
        """Return how many files and sockets this process may have open, None for any number."""
        number, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if number == resource.RLIM_INFINITY else number

    def is_socket_readable(descriptor: int) -> bool:
        """Whether a socket has something to read, or its end."""
        return bool(system.ready([descriptor], 0))

    def is_writable(descriptor: int, seconds: float | None) -> bool:
        """Wait until something can be written, None for ever; return whether that is so."""
        waiting = select.poll()  # `select.select` refuses descriptors above 1,023
        waiting.register(descriptor, select.POLLOUT)
        return bool(waiting.poll(None if seconds is None else seconds * 1000))

    class CommandSignals:
        """Signals to this process while it runs a command: held back, and taken one by one.

        ``arguments`` are the arguments of `subprocess.Popen` for the command.
        """

        def __init__(self) -> None:
            self.arguments: Final[Mapping[str, Any]] = {"preexec_fn": self._reset}
            self._waited = {*ENDING, *OF_COMMAND, signal.SIGCHLD}
            self._before: set[int | signal.Signals] = set()

        def __enter__(self) -> Self:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # while it is ignored, the end of a child is not signalled
            self._before = signal.pthread_sigmask(signal.SIG_BLOCK, self._waited)
            return self

        def __exit__(self, *_: object) -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

        def _reset(self) -> None:
            for number in ENDING | OF_COMMAND:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.SIG_DFL)  # our handler would swallow one that comes before the exec
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

        def next(self, process: subprocess.Popen[Any]) -> tuple[int, bool]:
            """Wait for a signal, also at the command's end; return it, and whether the command has it already.

            The command is in our group of processes: it gets the signals of a terminal from the terminal.
            """
            del process
            if sys.platform == "darwin":
                number = int(signal.sigwait(self._waited))
                return number, number in _OF_TERMINALS and os.isatty(0)
            else:  # noqa: RET505 - a checker for the other system takes what follows for unreachable
                info = signal.sigwaitinfo(self._waited)
                # The codes of signals that the kernel sends for a terminal are positive.
                return info.si_signo, info.si_signo in _OF_TERMINALS and info.si_code > 0

        def pending(self) -> Iterator[int]:
            """Yield the signals to end that came and were not taken."""
            for number in signal.sigpending() & ENDING:
                signal.sigwait({number})
                yield number

    def command_exit_code(process: subprocess.Popen[Any]) -> int:
        """Return the exit code of a command that has ended, negative for the signal that ended it."""
        return process.returncode
