"""One request on its way: was it handed over whole, and when is it cut off (floor 2).

Socket time-outs are for each read, so a server that sends a byte a second would never end. An `Exchange` shuts the
socket down at one wall-clock deadline. It also learns from the connection whether the last byte of the request left,
on which the difference between "repeat it" and "it may have been applied" rests. The connections find their exchange
in a context variable, since neither requests nor urllib3 has a way to hand one down.
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
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

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
"""How long one address of a host may take to answer."""

IDLE_SECONDS = 1.0
"""A kept connection that rested longer is not used again: its server may be about to close it."""

GRACE_SECONDS = 1.0
"""How much longer than the deadline a socket waits, so that it is the deadline that ends an exchange, and says so."""

_LEAST_SECONDS = 0.001
"""A time-out of 0 would mean a socket that never waits."""

_CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current_exchange() -> Exchange | None:
    """Return the exchange within which the caller runs."""
    return _CURRENT.get()


class Exchange:
    """One request and its answer, a context manager around both.

    ``was_sent`` is ``None`` while nobody who can know has said anything, ``is_overdue`` becomes true when the deadline
    has cut the exchange off. Used by one thread; the deadline's own thread ends with the exchange.
    """

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds
        self.was_sent: bool | None = None
        self.is_overdue = False
        self.ended_at: float | None = None
        self._end = monotonic() + deadline_seconds
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
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
            line, self._line = self._line, None
        if line:
            line.close()
        if self._timer:
            self._timer.cancel()
            self._timer.join()
        if self._token:
            _CURRENT.reset(self._token)

    def remaining_seconds(self) -> float:
        """Return the time until the deadline, as a socket takes it: never 0."""
        return max(_LEAST_SECONDS, self._end - monotonic())

    def is_over(self) -> bool:
        """Return whether the deadline has passed."""
        return monotonic() >= self._end

    def watch(self, sock: HasDescriptor) -> None:
        """Shut this socket down at the deadline; raise `TimeoutError` when that is now."""
        # A second descriptor of the same socket: TLS detaches the first from its object, and http.client closes
        # its own before the body is read.
        line = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            old, self._line = self._line, line
        if old:
            old.close()
        if self.is_over():
            raise TimeoutError("the deadline has passed")
        if self._timer is None:
            self._timer = threading.Timer(self.remaining_seconds(), self._cut)
            self._timer.daemon = True
            self._timer.start()

    def _cut(self) -> None:
        with self._lock:
            if self.ended_at is not None:
                return
            self.is_overdue = True
            if self._line:
                with suppress(OSError):  # the other side was faster: the read has ended by itself
                    self._line.shutdown(socket.SHUT_RDWR)


class WatchedConnection(HTTPConnection):
    """An HTTP connection that tells the exchange what it does."""

    _exchange: Exchange | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a kept connection can be used again; urllib3 asks before it does."""
        ended_at = self._exchange.ended_at if self._exchange else None
        is_fresh = ended_at is None or monotonic() - ended_at <= IDLE_SECONDS
        return is_fresh and super().is_connected

    def connect(self) -> None:
        """Connect, then let the socket wait for the deadline instead of the shorter time for connecting."""
        super().connect()
        exchange = current_exchange()
        if exchange and self.sock:
            self.sock.settimeout(exchange.remaining_seconds() + GRACE_SECONDS)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they come
        """Send a request and note that its last byte was handed over."""
        exchange = self._exchange = current_exchange()
        if exchange is None:
            super().request(*args, **kwargs)
            return
        exchange.was_sent = False
        if self.sock:
            exchange.watch(self.sock)
        self.timeout = exchange.remaining_seconds() + GRACE_SECONDS
        super().request(*args, **kwargs)
        exchange.was_sent = True

    def _new_conn(self) -> socket.socket:
        exchange = current_exchange()
        if exchange is None:
            return super()._new_conn()
        reason: Exception = OSError("no address")
        for family, kind, protocol, _, address in self._addresses(exchange):
            sock = socket.socket(family, kind, protocol)
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

    def _addresses(self, exchange: Exchange) -> list[Any]:
        """Return where the host can be reached, in a thread of its own: a name server can take minutes."""
        found: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found.put(socket.getaddrinfo(self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.put(error)

        threading.Thread(target=look_up, daemon=True).start()
        try:
            addresses = found.get(timeout=exchange.remaining_seconds())
        except queue.Empty:
            raise ConnectTimeoutError(self, f"The name {self.host} was not resolved in time") from None
        if isinstance(addresses, socket.gaierror):
            raise NameResolutionError(self.host, self, addresses) from addresses
        if isinstance(addresses, Exception):
            raise NewConnectionError(self, f"The name {self.host} cannot be resolved") from addresses
        return addresses


class WatchedTlsConnection(WatchedConnection, HTTPSConnection):
    """The same over TLS."""
