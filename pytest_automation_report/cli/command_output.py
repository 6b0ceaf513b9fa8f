"""Copy a command's output to the user's streams at once, and store its beginning and its end for the run."""

from __future__ import annotations

import codecs
import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDOUT: Final = 1
STDERR: Final = 2

KEPT_CHARACTERS: Final = 1 << 16
"""Characters of the beginning, and of the end, that are stored: four times a field's, since colours are removed."""

_CHUNK_BYTES: Final = 1 << 16
_PIPE_BYTES: Final = 1 << 20
"""Maximum content of a pipe: after this many bytes all that a command wrote before its end is read."""

_IDLE_MILLISECONDS: Final = 50
_POLL_SECONDS: Final = 0.05


class TextEnds:
    """Stores the beginning and the end of a text that comes in pieces; threads may add to it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._head = ""
        self._tail: list[str] = []
        self._tail_length = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """Append a piece."""
        with self._lock:
            remaining = KEPT_CHARACTERS - len(self._head)
            if remaining:
                self._head += text[:remaining]
                text = text[remaining:]
            if text:
                self._tail.append(text)
                self._tail_length += len(text)
                # Seldom, so that a command that writes single characters does not cost a copy for each of them.
                if self._tail_length > 2 * KEPT_CHARACTERS:
                    self._shorten()

    def ends(self) -> tuple[str, int, str]:
        """Return the beginning, how many characters are missing after it, and the end."""
        with self._lock:
            self._shorten()
            return self._head, self._dropped, "".join(self._tail)

    def _shorten(self) -> None:
        text = "".join(self._tail)
        tail = text[-KEPT_CHARACTERS:]
        self._dropped += len(text) - len(tail)
        self._tail, self._tail_length = [tail], len(tail)


class _Channel(Struct):
    """One stream of the command: it writes to ``command_end``, a thread copies from ``source`` to ``target``."""

    target: int
    source: int
    command_end: int
    is_drained: threading.Event = field(default_factory=threading.Event)


class CommandOutput:
    """The output of one command: shown at once, its ends stored; owned by the function that runs the command.

    The command gets a pipe for each stream of the user that is no terminal; it writes to a terminal itself, and what it
    writes there is not stored. If both streams of the user are the same, the command's are the same, too, and its
    output stays in order. A stream of the user that is closed stays closed. One that fails (a full disk, a reader that
    has ended) is closed for the command, too, which then ends as it would have ended without us.
    """

    def __init__(self) -> None:
        self._ends = TextEnds()
        self._channels: list[_Channel] = []
        self._by_stream: dict[int, _Channel] = {}
        self._ended_reader = self._ended_writer = -1

    def open(self) -> None:
        """Open the pipes that the command writes to; raises `OSError`, with nothing left open."""
        try:
            self._ended_reader, self._ended_writer = os.pipe()
            streams = [
                number
                for number, stream in ((STDOUT, sys.__stdout__), (STDERR, sys.__stderr__))
                if stream is not None and _is_open(number) and not os.isatty(number)
            ]
            for number in streams:
                if number == STDERR and STDOUT in streams and os.path.sameopenfile(STDOUT, STDERR):
                    self._by_stream[STDERR] = self._by_stream[STDOUT]
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
        """Start the threads that copy. Called after the command has started: a fork beside threads can hang."""
        for channel in self._channels:
            os.close(channel.command_end)
            channel.command_end = -1
            threading.Thread(target=self._pump, args=(channel,), daemon=True).start()

    def drain(self, is_interrupted: Callable[[], bool]) -> None:
        """Wait until the output that the command wrote before its end is copied, or until ``is_interrupted``.

        Processes that the command has left behind may still write: exec does not wait for them or store their output.
        """
        os.close(self._ended_writer)
        self._ended_writer = -1
        for channel in self._channels:
            while not channel.is_drained.wait(_POLL_SECONDS):
                if is_interrupted():
                    return

    def text(self) -> tuple[str, int, str]:
        """Return the beginning, how many characters are missing after it, and the end, as a terminal shows them."""
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
        os.close(channel.source)
        channel.is_drained.set()

    def _chunks(self, channel: _Channel) -> Iterator[bytes]:
        """Yield the output to the stream's end; set ``is_drained`` once all from before the command's end is read."""
        waiting = select.poll()
        waiting.register(channel.source, select.POLLIN)
        waiting.register(self._ended_reader, select.POLLIN)
        timeout, remaining = None, _PIPE_BYTES
        while True:
            ready = {descriptor for descriptor, _ in waiting.poll(timeout)}
            if self._ended_reader in ready:
                waiting.unregister(self._ended_reader)
                timeout = _IDLE_MILLISECONDS
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
    waiting = select.poll()
    waiting.register(target, select.POLLOUT)
    try:
        while view:
            waiting.poll()  # another process may have made the user's terminal or pipe non-blocking
            view = view[_write(target, view) :]
    except OSError:
        return False
    return True


def _write(target: int, data: memoryview) -> int:
    """Return the number of bytes written, 0 for a non-blocking stream that is full."""
    try:
        return os.write(target, data)
    except BlockingIOError:
        return 0


def _visible_lines(text: str) -> Iterator[str]:
    """Yield the lines; of one that was overwritten, such as a progress bar, its last state."""
    for line in text.split("\n"):
        yield line.rstrip("\r").rpartition("\r")[2]
