"""Raw sockets for what no well-behaved HTTP server would do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self


class RawServer:
    """Runs ``behave(connection)`` for each connection, one after the other, and closes it."""

    def __init__(self, behave: Callable[[socket.socket], object]) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.count = 0
        self.is_over = threading.Event()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes accept
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if self.is_over.is_set():
                    return
                self.count += 1
                connection.settimeout(10)
                with suppress(OSError):  # the client's deadline is what the test is about
                    self._behave(connection)


def head_of(connection: socket.socket) -> bytes:
    """Read up to the end of the headers, and no byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head


def answering(data: bytes) -> Callable[[socket.socket], None]:
    """Return a behaviour: answer this to the headers of one request."""

    def behave(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(data)

    return behave
