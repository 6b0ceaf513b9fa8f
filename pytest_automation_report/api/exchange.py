"""Enforce one deadline for a request and its response, and find out whether the whole request was sent.

The time-out of a socket holds for each read, so a server that sends a byte a second could occupy the sender for ever.
An `Exchange` shuts the socket down at one deadline. It also learns from the connection whether the last byte of the
request was handed to the system: if not, the request can be repeated; if so, the server may have applied it.

A connection finds its exchange in a context variable, since neither requests nor urllib3 can pass an object down.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Protocol

    from typing_extensions import Self

    class HasDescriptor(Protocol):
        """A socket of any kind: plain, TLS, or TLS inside TLS."""

        def fileno(self) -> int:
            """Return the descriptor."""
            ...


CONNECT_SECONDS = 5.0
"""Longest time to connect to one address of a host."""

IDLE_SECONDS = 1.0
"""An idle connection is not used again after this time: its server may be about to close it."""

GRACE_SECONDS = 1.0
"""Time that a socket waits longer than the deadline, so that the deadline ends the exchange and sets ``is_overdue``."""

# A time-out of 0 would make a socket non-blocking.
_MIN_SECONDS = 0.001

_CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current_exchange() -> Exchange | None:
    """Return the exchange in which the caller runs, None outside of one."""
    return _CURRENT.get()


class Exchange:
    """Context manager around one request and its response.

    ``was_sent`` is None until a connection has set it: False when a request begins, True when its last byte was handed
    to the system. ``is_overdue`` becomes True when the deadline ended the exchange. ``ended_at`` is the monotonic time
    of the end. One thread uses an exchange; the timer's thread ends with it.
    """

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds
        self.was_sent: bool | None = None
        self.is_overdue = False
        self.ended_at: float | None = None
        self._deadline_at = monotonic() + deadline_seconds
        self._lock = threading.Lock()
        # Our own descriptor of the connection's socket.
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self._token: Token[Exchange | None] | None = None

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.ended_at = monotonic()
            watched, self._socket = self._socket, None
        if watched:
            watched.close()
        if self._timer:
            # Joined, so that no thread of ours remains; outside of the lock, which the timer may be waiting for.
            self._timer.cancel()
            self._timer.join()
        if self._token:
            _CURRENT.reset(self._token)

    def remaining_seconds(self) -> float:
        """Return the seconds until the deadline, at least a millisecond, as sockets require."""
        return max(_MIN_SECONDS, self._deadline_at - monotonic())

    def is_over(self) -> bool:
        """Return whether the deadline has passed."""
        return monotonic() >= self._deadline_at

    def watch(self, sock: HasDescriptor) -> None:
        """Shut this socket down at the deadline; raise `TimeoutError` if that has passed already."""
        # A second descriptor of the same socket: TLS detaches the first from its object, and http.client closes
        # its own before the body is read.
        watched = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            previous, self._socket = self._socket, watched
        if previous:
            previous.close()
        if self.is_over():
            raise TimeoutError("the deadline has passed")
        if self._timer is None:
            self._timer = threading.Timer(self.remaining_seconds(), self._shut_down)
            self._timer.daemon = True
            self._timer.start()

    def _shut_down(self) -> None:
        """End the exchange at the deadline; runs in the timer's thread."""
        with self._lock:
            if self.ended_at is not None:
                return  # the response was complete when the timer fired
            self.is_overdue = True
            if self._socket:
                with suppress(OSError):  # the server closed the connection first
                    self._socket.shutdown(socket.SHUT_RDWR)


class WatchedConnection(HTTPConnection):
    """An HTTP connection that reports to the current exchange, and obeys its deadline."""

    _exchange: Exchange | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the connection has been idle too long to be used again."""
        ended_at = self._exchange.ended_at if self._exchange else None
        return ended_at is not None and monotonic() - ended_at > IDLE_SECONDS

    def connect(self) -> None:
        """Connect, then replace the short time-out for connecting by the time until the deadline."""
        super().connect()
        exchange = current_exchange()
        if exchange and self.sock:
            self.sock.settimeout(exchange.remaining_seconds() + GRACE_SECONDS)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they come
        """Send a request, and note in the exchange when its last byte was handed to the system."""
        exchange = self._exchange = current_exchange()
        if exchange is None:
            super().request(*args, **kwargs)
            return
        exchange.was_sent = False
        # A connection that is used again has a socket already: this exchange must watch it, too.
        if self.sock:
            exchange.watch(self.sock)
        self.timeout = exchange.remaining_seconds() + GRACE_SECONDS
        super().request(*args, **kwargs)
        exchange.was_sent = True

    def _new_conn(self) -> socket.socket:
        """Open the socket: urllib3's own method, with the deadline of the exchange.

        `HTTPConnection.connect` of urllib3 1.26 and 2 calls this private method for each new connection, before TLS and
        before a proxy's CONNECT. The original resolves the name without a time-out and gives each address the full
        time-out. Here all of it must end by the deadline, so the exchange watches each socket before it connects. The
        raised errors are those of the original, since urllib3 and requests translate only these. The exchange comes
        from the context variable, and without one (a session that is not ours) the original runs.
        """
        exchange = current_exchange()
        if exchange is None:
            return super()._new_conn()
        reason: Exception = OSError("no address")
        for family, type_, protocol, _, address in self._resolve(exchange):
            sock = socket.socket(family, type_, protocol)
            try:
                exchange.watch(sock)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(min(CONNECT_SECONDS, exchange.remaining_seconds()))
                sock.connect(address)
            except OSError as error:
                reason = error
                sock.close()
            else:
                return sock
            if exchange.is_over():
                break
        if isinstance(reason, TimeoutError):
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from reason
        raise NewConnectionError(self, f"Failed to establish a new connection: {reason}") from reason

    def _resolve(self, exchange: Exchange) -> list[Any]:
        """Return the addresses of the host, looked up in a separate thread: a name server can take minutes.

        A thread that is not done by the deadline is left alone; nothing can interrupt ``getaddrinfo``.
        """
        results: queue.Queue[list[Any] | OSError | UnicodeError] = queue.Queue()

        def look_up() -> None:
            try:
                results.put(socket.getaddrinfo(self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                results.put(error)

        threading.Thread(target=look_up, daemon=True).start()
        try:
            addresses = results.get(timeout=exchange.remaining_seconds())
        except queue.Empty:
            raise ConnectTimeoutError(self, f"The name {self.host} was not resolved in time") from None
        if isinstance(addresses, Exception):
            raise NewConnectionError(self, f"The name {self.host} cannot be resolved") from addresses
        return addresses


class WatchedTlsConnection(WatchedConnection, HTTPSConnection):
    """`WatchedConnection` over TLS."""
