"""Run the command of exec: its process, its output, and the signals that ask it to end."""

from __future__ import annotations

import codecs
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from pytest_automation_report.system.console import ENDING, OF_COMMAND, CommandSignals, command_exit_code, is_writable
from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


_STDOUT: Final = 1
_STDERR: Final = 2


class Interrupted(KeyboardInterrupt):
    """A signal interrupted a section that can end anywhere."""


class Interrupts:
    """Groups the signals of one ``exec``: those within ``same_seconds`` of the first are one request to end.

    GNU ``timeout`` signals its child and then all processes of its group, CI runners each process of a job. Effects::

        the first one before the command   the command is not started, and its run is completed
        one while the command runs         each of its signals is forwarded to the command once
        a later one                        `Interrupted` is raised, in the current or next `interruptible` section
    """

    def __init__(self, same_seconds: float) -> None:
        self.last: int | None = None  # the signal that began the newest group
        self.allowed = 1  # groups that interrupt nothing: the first one before the command
        self._is_waiting = False  # a group came outside of an interruptible section: the next one raises at once
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
        """Ignore the signals from now on: no section is left that one could end."""
        # Python resets its handlers, but no ignored signals, before it has ended. A signal in that moment would
        # change the exit code.
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
            if self._is_waiting:
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
            if self._is_waiting:
                _drop_stuck_stderr()
            self._is_waiting = True

    def _interrupt(self) -> None:
        self._is_interruptible = self._is_waiting = False
        raise Interrupted


def _drop_stuck_stderr() -> None:
    """Replace stderr by the null device if its reader, such as a pager, reads no more."""
    # After the handler of signals that calls this, Python repeats the write that waited for the reader.
    if not is_writable(_STDERR, 0):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _STDERR)
        os.close(null)


# Of the beginning, and of the end: four times the size of a field, since colours are removed.
_KEPT_CHARACTERS: Final = 1 << 16
_CHUNK_BYTES: Final = 1 << 16
# Most bytes in a pipe: after so many all that a command wrote before its end is read.
_PIPE_BYTES: Final = 1 << 20
_IDLE_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.05


class _TextEnds:
    """The beginning and the end of a text that threads add to, in pieces."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._head = ""
        self._tail: deque[str] = deque()
        self._tail_length = self._dropped = 0

    def add(self, text: str) -> None:
        with self._lock:
            remaining = _KEPT_CHARACTERS - len(self._head)
            self._head += text[:remaining]
            self._tail.append(text[remaining:])
            self._tail_length += len(self._tail[-1])
            # Whole pieces: a command that writes single characters does not cost a copy for each of them.
            while self._tail_length - len(self._tail[0]) > _KEPT_CHARACTERS:
                length = len(self._tail.popleft())
                self._tail_length, self._dropped = self._tail_length - length, self._dropped + length

    def ends(self) -> tuple[str, int, str]:
        """Return the beginning, the number of characters that are missing after it, and the end."""
        with self._lock:
            tail = "".join(self._tail)
            kept = tail[-_KEPT_CHARACTERS:]
            return self._head, self._dropped + len(tail) - len(kept), kept


class _Channel(Struct):
    """A stream of the command, which writes to ``command_end``; a thread copies from ``source`` to ``target``."""

    target: int
    source: int
    command_end: int
    is_drained: threading.Event = field(default_factory=threading.Event)


class CommandOutput:
    """The output of one command, which is shown at once; its beginning and end are stored.

    Until `open` the command writes to our own streams, and nothing is stored. Then it has a pipe for each stream of
    the user that is no terminal. If both streams are the same, the command's are, too, and its output stays in order.
    A stream that is closed stays closed. One that fails (a full disk, a reader that has ended) is closed for the
    command, which then ends as it would have ended without us.
    """

    def __init__(self) -> None:
        self._ends = _TextEnds()
        self._channels: list[_Channel] = []
        self._by_stream: dict[int, _Channel] = {}
        self._ended_reader = self._ended_writer = -1

    def open(self) -> None:
        """Open the pipes that the command writes to; raises `OSError`, with nothing left open."""
        try:
            self._ended_reader, self._ended_writer = os.pipe()
            for number, stream in ((_STDOUT, sys.__stdout__), (_STDERR, sys.__stderr__)):
                if stream is None or not _is_open(number) or os.isatty(number):
                    continue
                if self._channels and os.path.sameopenfile(_STDOUT, _STDERR):
                    self._by_stream[_STDERR] = self._by_stream[_STDOUT]
                else:
                    self._by_stream[number] = _Channel(number, *os.pipe())
                    self._channels.append(self._by_stream[number])
        except OSError:
            self.close()
            raise

    def command_end(self, stream: int) -> int | None:
        """Return the descriptor that replaces a stream for the command, None if it uses ours."""
        channel = self._by_stream.get(stream)
        return None if channel is None else channel.command_end

    def start(self) -> None:
        """Start the threads that copy, after the command has started: a fork beside threads can hang."""
        for channel in self._channels:
            os.close(channel.command_end)
            channel.command_end = -1
            threading.Thread(target=self._pump, args=(channel,), daemon=True).start()

    def drain(self, is_interrupted: Callable[[], bool]) -> None:
        """Wait until the output that the command wrote before its end is copied, or until ``is_interrupted``."""
        if self._ended_writer >= 0:
            os.close(self._ended_writer)
            self._ended_writer = -1
        for channel in self._channels:
            while not channel.is_drained.wait(_POLL_SECONDS):
                if is_interrupted():
                    return

    def text(self) -> tuple[str, int, str]:
        """Return beginning, number of missing characters and end of the output, as a terminal shows them."""
        head, missing, tail = self._ends.ends()
        if not missing:
            head, tail = head + tail, ""
        return "\n".join(_visible_lines(head)), missing, "\n".join(_visible_lines(tail))

    def close(self) -> None:
        """Close the pipes of a command that could not be started."""
        for channel in self._channels:
            os.close(channel.source)
            os.close(channel.command_end)
        self._channels.clear()
        self._by_stream.clear()
        for descriptor in (self._ended_reader, self._ended_writer):
            if descriptor >= 0:
                os.close(descriptor)
        self._ended_reader = self._ended_writer = -1

    def _pump(self, channel: _Channel) -> None:
        # Bytes that are no UTF-8 are spelled as control characters are: \xff.
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        for data in self._chunks(channel):
            if not channel.is_drained.is_set():
                self._ends.add(decoder.decode(data))
            if not _has_written(channel.target, data):
                break
        if not channel.is_drained.is_set():
            self._ends.add(decoder.decode(b"", final=True))  # a character that was cut in its middle
        os.close(channel.source)
        channel.is_drained.set()

    def _chunks(self, channel: _Channel) -> Iterator[bytes]:
        """Yield the output to the stream's end; set ``is_drained`` once all from before the command's end is read."""
        waited = {channel.source, self._ended_reader}
        timeout, remaining = None, _PIPE_BYTES
        while True:
            ready = system.ready(waited, timeout)
            if self._ended_reader in ready:
                waited.remove(self._ended_reader)
                timeout = _IDLE_SECONDS
            if channel.source in ready:
                data = os.read(channel.source, _CHUNK_BYTES)
                if not data:
                    return
                yield data
                remaining -= len(data) if timeout else 0
            if timeout and (not ready or remaining <= 0):
                channel.is_drained.set()
                timeout = None


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _has_written(target: int, data: bytes) -> bool:
    """Write everything; return False if the stream fails."""
    view = memoryview(data)
    try:
        while view:
            # Another process may have made the user's terminal or pipe non-blocking, and others may fill it.
            is_writable(target, None)
            with suppress(BlockingIOError):
                view = view[os.write(target, view) :]
    except OSError:
        return False
    return True


def _visible_lines(text: str) -> Iterator[str]:
    """Yield the lines; of one that was overwritten, such as a progress bar, its last state."""
    for line in text.split("\n"):
        yield line.rstrip("\r").rpartition("\r")[2]


# Exit codes of shells: for a command that does not exist, one that cannot be started, and before a signal's number.
_NOT_FOUND: Final = 127
_NOT_STARTED: Final = 126
_SIGNAL_CODES: Final = 128


class Ended(Struct, frozen=True):
    """The end of a command: its exit code as in a shell, its time, and how it ended in words."""

    code: int
    microseconds: int
    words: str


def run_command(
    command: Sequence[str], environ: Mapping[str, str], interrupts: Interrupts, output: CommandOutput
) -> Ended:
    """Run a command to its end and forward signals to it. It is not started if a signal to end came before."""
    began = time.monotonic()
    with CommandSignals() as signals:
        try:
            code, words = _outcome(command, environ, signals, interrupts, output)
            if code < 0 or _SIGNAL_CODES < code < 2 * _SIGNAL_CODES:
                # A CI runner that signals each process of a job may reach us only after the command has ended by it.
                interrupts.note(abs(code) % _SIGNAL_CODES)
        finally:
            interrupts.allowed = 0
    exit_code = code if code >= 0 else _SIGNAL_CODES - code
    return Ended(exit_code, round((time.monotonic() - began) * 1e6), f"{command[0]} {words}")


def _outcome(
    command: Sequence[str],
    environ: Mapping[str, str],
    signals: CommandSignals,
    interrupts: Interrupts,
    output: CommandOutput,
) -> tuple[int, str]:
    """Return the command's exit code, negative for a signal, and how it ended."""
    if interrupts.last is not None:
        output.close()
        return -interrupts.last, f"was not started: {signal_name(interrupts.last)} came first"

    try:
        process = subprocess.Popen(  # noqa: S603 - the command is the user's own
            command,
            env=dict(environ),
            stdout=output.command_end(_STDOUT),
            stderr=output.command_end(_STDERR),
            **signals.arguments,
        )
    except OSError as error:
        output.close()
        code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_STARTED
        return code, f"could not be started: {error.strerror or error}"
    output.start()
    while process.poll() is None:
        number, has_command_it = signals.next(process)
        is_new = number in OF_COMMAND or (number in ENDING and interrupts.note(number)[1])
        if is_new and not has_command_it and process.poll() is None:
            process.send_signal(number)
    _note_pending(signals, interrupts)  # signals to the whole group of processes, which ended the command
    output.drain(lambda: _note_pending(signals, interrupts))
    code = command_exit_code(process)
    return code, f"ended with exit code {code}" if code >= 0 else f"was ended by {signal_name(-code)}"


def _note_pending(signals: CommandSignals, interrupts: Interrupts) -> bool:
    """Add pending signals to their groups; return whether one of them begins a group."""
    are_first = [interrupts.note(number)[0] for number in signals.pending()]
    return any(are_first)


def signal_name(number: int) -> str:
    """Return the name of a signal, or its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
