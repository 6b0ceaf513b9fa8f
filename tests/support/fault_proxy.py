"""A network that misbehaves between a client and a server on loopback, and knows nothing of what it carries.

``with FaultProxy(port) as proxy: proxy.answers = Way(slice_bytes=1, delay_seconds=0.2)`` makes answers drip.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from support.raw_sockets import head_of

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Way:
    """What happens to the bytes of one direction.

    ``delay_seconds`` passes before each piece of at most ``slice_bytes``; ``bytes_per_second`` is a bandwidth.
    Once ``limit_bytes`` of a connection have passed, its end comes: an orderly ``close``, a ``reset``, or a ``hang``:
    both sides stay open and nothing passes any more.
    """

    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    slice_bytes: int = 65536
    limit_bytes: int | None = None
    end: Literal["close", "reset", "hang"] = "close"


PASSES = Way()
"""Nothing happens to the bytes."""


@dataclass(eq=False)
class _Line:
    """One connection: both its sockets, which the last of its two threads closes."""

    near: socket.socket
    far: socket.socket
    is_over: threading.Event = field(default_factory=threading.Event)
    _left: list[int] = field(default_factory=lambda: [1, 2])

    def end(self, how: int) -> None:
        """End both sides, and what waits for them."""
        self.is_over.set()
        for each in (self.near, self.far):
            with suppress(OSError):  # its peer has closed it
                each.shutdown(how)

    def reset(self) -> None:
        """Make the close to come a reset, and wake who reads: only then is it closed."""
        for each in (self.near, self.far):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end(socket.SHUT_RD)

    def leave(self) -> None:
        """Close the sockets when the other thread has left, too."""
        self._left.pop()
        if not self._left:
            self.near.close()
            self.far.close()


class FaultProxy:
    """Listens on 127.0.0.1 while its context is open; ``requests`` and ``answers`` are read for each piece of data.

    A tunnel waits for CONNECT first, to whatever host, and answers it, with ``refusal`` as long as there is one.
    ``heads`` has what it was asked.
    """

    def __init__(self, target_port: int, *, is_tunnel: bool = False) -> None:
        self.requests = self.answers = PASSES
        self.refusal: bytes | None = None
        self.heads: list[bytes] = []
        self._is_tunnel = is_tunnel
        self._target = ("127.0.0.1", target_port)
        self._lines: list[tuple[_Line, list[threading.Thread]]] = []
        self._is_off = False

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_off = True
        socket.create_connection(("127.0.0.1", self._port)).close()  # closing does not wake accept, a connection does
        self._acceptor.join()
        self._listener.close()
        self._end_lines()

    @property
    def address(self) -> str:
        """The origin to configure instead of the server's, or the proxy when it is a tunnel."""
        return f"http://127.0.0.1:{self._port}"

    def heal(self) -> None:
        """Let everything pass from now on, in connections of their own."""
        self.requests = self.answers = PASSES
        self.refusal = None
        self._end_lines()

    def _end_lines(self) -> None:
        lines, self._lines = self._lines, []
        for line, threads in lines:
            line.end(socket.SHUT_RDWR)
            for each in threads:
                each.join()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            if self._is_off:
                near.close()
                return
            try:
                if self._is_tunnel:
                    self._connect(near)
                far = socket.create_connection(self._target)
            except OSError:  # the client has gone or was refused, or the server is down: so are we
                near.close()
                continue
            line = _Line(near, far)
            threads = [threading.Thread(target=self._carry, args=[line, which]) for which in ("requests", "answers")]
            self._lines.append((line, threads))
            for each in threads:
                each.start()

    def _connect(self, near: socket.socket) -> None:
        """Answer a CONNECT; raise `ConnectionError` when it is refused."""
        near.settimeout(5)
        self.heads.append(head_of(near))
        if not self.heads[-1].endswith(b"\r\n\r\n"):
            raise ConnectionError("no request")
        if self.refusal is not None:
            near.sendall(self.refusal)
            raise ConnectionError("refused by script")
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        near.settimeout(None)

    def _carry(self, line: _Line, which: Literal["requests", "answers"]) -> None:
        source, sink = (line.near, line.far) if which == "requests" else (line.far, line.near)
        try:
            self._copy(line, which, source, sink)
        except OSError:
            line.end(socket.SHUT_RDWR)  # one side has gone, so the other has to
        finally:
            line.leave()

    def _copy(
        self, line: _Line, which: Literal["requests", "answers"], source: socket.socket, sink: socket.socket
    ) -> None:
        passed = 0
        while not line.is_over.is_set():
            # A piece at a time: the client's clock runs while it waits for the rest.
            data = source.recv(getattr(self, which).slice_bytes)
            way: Way = getattr(self, which)  # asked when there is something to do it to
            if not data:
                # An end by script wakes this thread, too: an orderly end would come before its reset.
                if not line.is_over.is_set():
                    sink.shutdown(socket.SHUT_WR)
                return
            fits = data if way.limit_bytes is None else data[: max(0, way.limit_bytes - passed)]
            if fits:
                line.is_over.wait(way.delay_seconds + _seconds(len(fits), way.bytes_per_second))
                sink.sendall(fits)
                passed += len(fits)
            if len(fits) < len(data):
                self._end(line, way)
                return

    @staticmethod
    def _end(line: _Line, way: Way) -> None:
        if way.end == "hang":
            line.is_over.wait()
        elif way.end == "reset":
            line.reset()
        else:
            line.end(socket.SHUT_RDWR)


def _seconds(count: int, bytes_per_second: float | None) -> float:
    return 0.0 if bytes_per_second is None else count / bytes_per_second
