"""Serve a store on a port, over waitress: with deadlines, refusals before a body is read, errors as JSON.

waitress alone would close a connection only after a minute without a byte, so that a client which sends a byte a second
occupies one for ever. It stores a body before the application sees the header, so that clients without the token could
fill the disk. It closes each connection after a response without a body, and writes its own errors as plain text.

The classes at the end override and read attributes that waitress 3 does not document.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import astuple, replace
from waitress.channel import HTTPChannel  # type: ignore[import-untyped] # waitress has no types
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped] # waitress has no types
from waitress.server import create_server  # type: ignore[import-untyped] # waitress has no types
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask  # type: ignore[import-untyped] # waitress has no types

from pytest_automation_report.server.http import guard
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.http.guard import Tokens
from pytest_automation_report.server.store.contents import MAX_CONTENT_BYTES
from pytest_automation_report.server.store.findings import findings
from pytest_automation_report.server.store.retention import Retention, apply_retention
from pytest_automation_report.server.store.search_index import add_texts, update_index
from pytest_automation_report.server.store.values import ApiError, json_text
from pytest_automation_report.system.console import LISTENING, STOPPING, max_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from waitress.adjustments import Adjustments  # type: ignore[import-untyped] # waitress has no types

    from pytest_automation_report.api.models import Token
    from pytest_automation_report.server.store.store import Store

    HeaderCheck: TypeAlias = Callable[[str | None, str, str], ApiError | None]
    """Returns the error for a request with a body; None accepts it.

    By its Authorization header, the address of its connection and its X-Forwarded-For.
    """

_logger = logging.getLogger(__name__)

CONNECTIONS = 512  # most connections at a time; fewer where the process may open few files
# Descriptors that are left for the store, the log and Python itself.
_OTHER_FILES = 64
# Most bytes of a response that wait in a temporary file for a slow client; with less, it would occupy a thread.
_UNREAD_BYTES = 1 << 30


class Deadlines(Struct, frozen=True):
    """Longest times that a connection waits for its client, in seconds."""

    header_seconds: float = 10.0  # from the first byte of the header
    body_seconds: float = 30.0  # from the end of the header
    idle_seconds: float = 10.0  # while there is no request
    drain_seconds: float = 5.0  # after a refusal, which some clients read once they have sent their whole body


class ServeOptions(guard.ServerOptions, frozen=True):
    """Settings of the server and its application."""

    deadlines: Deadlines = Deadlines()
    connections: int = CONNECTIONS
    retention: Retention = Retention()


def serve(
    store: Store, token: Token, listener: socket.socket, *, ready: Callable[[str], None], options: ServeOptions
) -> None:
    """Serve a store on a socket until SIGTERM or SIGINT, and close the socket; must be called in the main thread.

    ``ready`` is called with the URL once the server answers.
    """
    tokens = Tokens(store, token)

    def check(authorization: str | None, peer: str, forwarded: str) -> ApiError | None:
        return tokens.refusal(authorization, guard.client_address(peer, forwarded, options.proxies))

    with listener, closing(FindingsWorker(store)) as worker:
        application: Any = create_application(store, tokens, replace(options, on_run_completed=worker.add))
        server = _create_server(application, listener, options)
        try:
            loop = Loop(server, options.deadlines, check, on_turn=tokens.notice_quiet)
            with upkeep(store, options.retention, worker.add):
                loop.run(lambda: ready(_url(listener)))
        finally:
            server.task_dispatcher.shutdown()
            server.asyncore.close_all(server._map)  # noqa: SLF001 - waitress has no other name for its connections


def _create_server(application: Any, listener: socket.socket, options: ServeOptions) -> Any:  # noqa: ANN401 - waitress has no types
    return create_server(
        application,
        sockets=[listener],
        _dispatcher=Dispatcher(),
        connection_limit=_connection_limit(options.connections),
        channel_timeout=60,
        outbuf_high_watermark=_UNREAD_BYTES,
        # waitress refuses bodies of this size; artifacts are the largest ones.
        max_request_body_size=MAX_CONTENT_BYTES + 1,
        # select() accepts no descriptor above 1,023.
        asyncore_use_poll=True,
        ident=None,
        # See `is_encrypted` and `guard.client_address`.
        clear_untrusted_proxy_headers=False,
    )


# Of each kind: more of them would share one interpreter.
_THREADS: Final = 4


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc] # waitress has no types
    """Gives reads threads of their own, so that slow pages never keep an append or a health check waiting."""

    def __init__(self) -> None:
        super().__init__()
        self._reads: Any = ThreadedTaskDispatcher()
        self.set_thread_count(_THREADS)
        self._reads.set_thread_count(_THREADS)

    def add_task(self, task: Any) -> None:  # noqa: ANN401 - waitress has no types
        """Let a thread answer the first request of a connection."""
        request = task.requests[0]
        is_read = not request.error and request.command in {"GET", "HEAD"} and request.path not in guard.PROBES
        if is_read:
            self._reads.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, *given: Any, **options: Any) -> bool:  # noqa: ANN401 - as waitress declares it
        """End all threads, and cancel the requests that wait for one."""
        is_clean: bool = super().shutdown(*given, **options)
        return bool(self._reads.shutdown(*given, **options)) and is_clean


def listening(address: guard.Address, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any free one. Raises ``OSError`` for a port that is in use."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004 - a version of IP
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, LISTENING, 1)
        listener.bind((str(address), port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _connection_limit(wanted: int) -> int:
    """Return the largest number of connections, which is less than ``wanted`` if this process may open few files."""
    # Each connection needs a descriptor, and those with a large body need a second one for its temporary file.
    most = max_files()
    return wanted if most is None else max(16, min(wanted, (most - _OTHER_FILES) * 3 // 4))


def _url(listener: socket.socket) -> str:
    name, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(name), str(name))  # noqa: S104 - it is compared, not listened on  # nosec B104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


_UPKEEP_SECONDS: Final = 600.0
_SECONDS_TO_END: Final = 10.0  # how long the end of the process waits for the run that is being removed or completed


@contextmanager
def upkeep(store: Store, retention: Retention, on_completed: Callable[[int], None]) -> Iterator[None]:
    """Apply the retention and update the index of searches now and every ten minutes, in a thread of the block."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            try:
                apply_retention(store, retention, on_completed, is_over.is_set)
                update_index(store, is_over.is_set)
            except ApiError as error:
                # The store tells begin and end of a state that lasts.
                level = logging.DEBUG if error.kind else logging.INFO
                _logger.log(level, "upkeep: %s It is tried again in ten minutes.", error.message)
            except Exception:
                _logger.exception("upkeep failed; it is tried again in ten minutes")
            is_over.wait(_UPKEEP_SECONDS)

    thread = threading.Thread(target=work, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(_SECONDS_TO_END)


class FindingsWorker:
    """Computes the findings of completed runs and what searches need; what it misses is computed when asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # It starts its thread with the first run: most servers of developers only show runs.
        self._executor = ThreadPoolExecutor(1, "findings")

    def add(self, run_id: int) -> None:
        """Compute the findings of a completed run soon, and return at once; do nothing after `close`."""
        with suppress(RuntimeError):
            self._executor.submit(self._compute, run_id)

    def close(self) -> None:
        """Wait for the run that is being computed, and leave the others; the store may be closed then."""
        self._executor.shutdown(cancel_futures=True)

    def _compute(self, run_id: int) -> None:
        try:
            findings(self._store, run_id)
            add_texts(self._store, [run_id])
        except ApiError as error:
            # The run was removed meanwhile, or other processes use the store: the next reader computes it.
            _logger.debug("findings of run %s: %s", run_id, error.message)
        except Exception:
            _logger.exception("findings of run %s could not be computed", run_id)


_JSON_HEADERS = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))
# A client that has just connected is about to send its request: it does not make room for others yet.
_GRACE_SECONDS: Final = 1.0


class JsonErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """Answer a request that is refused before the application sees it, in the form of all errors."""

    def execute(self) -> None:
        """Write the response."""
        task: Any = self
        error = task.request.error
        if isinstance(error, ApiError):
            self.status = f"{error.status} {HTTPStatus(error.status).phrase}"
            message = error.message
            task.response_headers.extend(error.headers.items())
        else:
            self.status = f"{error.code} {error.reason}"
            message = f"{error.reason}: {error.body}"
        body = json_text({"message": message}).encode()
        task.response_headers.extend(_JSON_HEADERS)
        task.channel.is_refused = True
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class KeepAliveTask(WSGITask):  # type: ignore[misc] # waitress has no types
    """Keep the connection open after a response without a body, such as each 204, which waitress would close."""

    # True while waitress builds the header of such a response: it decides there to close the connection.
    _is_kept_open = False

    def build_response_header(self) -> bytes:
        """Return the header; HTTP/1.0 clients find the end of a response by the end of the connection."""
        task: Any = self
        is_closed = task.request.headers.get("CONNECTION", "").lower() == "close"
        self._is_kept_open = self.version == "1.1" and not (task.has_body or is_closed)
        try:
            header: bytes = super().build_response_header()
        finally:
            self._is_kept_open = False
        return header

    def set_close_on_finish(self) -> None:
        """Close the connection after the response, unless waitress wants it for the missing length alone."""
        if not self._is_kept_open:
            super().set_close_on_finish()


class StrictParser(HTTPRequestParser):  # type: ignore[misc] # waitress has no types
    """Refuse a request with a body by its header, so that a body without the token is never stored."""

    error: Any = None

    def __init__(self, adj: Adjustments, check: HeaderCheck, address: str) -> None:
        super().__init__(adj)
        self._check = check
        self._address = address
        # True once the header was checked: each piece of the body comes through `received`, too.
        self._is_checked = False

    def parse_header(self, header_plus: bytes) -> None:
        """Parse a header; raise for one with two lengths."""
        super().parse_header(header_plus)
        # A proxy that reads the other length sees another request in the same bytes (request smuggling).
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding were both given")

    def received(self, data: bytes) -> int:
        """Parse bytes and return the number of those used; a refused request is complete at the end of its header."""
        used: int = super().received(data)
        if self.headers_finished and not self._is_checked:
            self._is_checked = True
            if self.error is None and self.body_rcv is not None:
                forwarded = self.headers.get("X_FORWARDED_FOR", "")
                self.error = self._check(self.headers.get("AUTHORIZATION"), self._address, forwarded)
            if self.error is not None:
                self.completed = True
                self.expect_continue = False
        return used


class TimedChannel(HTTPChannel):  # type: ignore[misc] # waitress has no types
    """A connection with deadlines; `Loop` closes it when its client misses one.

    The states, and the deadline of each::

        idle --first byte--> header --its end--> body --its end--> answering --response sent--> idle
        idle_seconds      header_seconds     body_seconds           (none)

        header --refused--> answering --error sent--> draining --end of the client's data--> closed
                              (none)                drain_seconds
    """

    task_class = KeepAliveTask
    error_task_class = JsonErrorTask
    # The request was refused: bytes that still arrive belong to its body, and are thrown away.
    is_refused = False
    close_when_flushed = False  # waitress sets it when the connection ends with the current response
    server: Any  # waitress declares less than its server has
    socket: Any  # None only before the client has connected
    # The request that is arriving, and whether its header is complete: a change begins the next deadline.
    _part: tuple[object, bool] = (None, False)
    # The error was sent, and our side of the connection is closed.
    _is_draining = False

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - waitress has no types
        super().__init__(*args, **options)
        # Monotonic time at which the current state began.
        self._since = time.monotonic()

    # waitress calls it as it would the class that it expects here
    def parser_class(self, adj: Adjustments) -> StrictParser:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the parser of the next request."""
        return StrictParser(adj, self.server.header_check, self.addr[0])

    def received(self, data: bytes) -> bool:
        """Parse bytes; a new request, the end of its header and its end each begin a new deadline."""
        if self.is_refused:
            return False
        is_taken: bool = super().received(data)
        request = self.request
        part = (request, request is not None and request.headers_finished)
        # A request that arrives as a whole is no part at any time, and may be answered before the next check.
        if part != self._part or self.is_answering:
            self._part = part
            self._since = time.monotonic()
        return is_taken

    def handle_write(self) -> None:
        """Send waiting bytes. After an error was sent, close only our side of the connection and go on reading."""
        # A client that is still sending its body has not read the error yet: a reset would make it repeat the request.
        if not (self.is_refused and self.close_when_flushed):
            super().handle_write()
            return
        self._flush_exception(self._flush_some)  # pyright: ignore[reportAttributeAccessIssue] # not declared by waitress
        if self.will_close:
            self.handle_close()
        elif not self.total_outbufs_len:
            self.close_when_flushed = False
            self._is_draining, self._since = True, time.monotonic()
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client has closed the connection
                self.handle_close()

    def close_if_late(self, now: float, deadlines: Deadlines) -> None:
        """Close the connection if its client has missed a deadline; a request that is being answered has none."""
        if self.is_answering:
            self._since = now
        elif now - self._since > self._limit_seconds(deadlines):
            self.handle_close()

    def waiting_since(self, now: float) -> float | None:
        """Return since when there is no request with a complete header; None if there is one, or only for a moment."""
        is_waiting = self.request is None or not self.request.headers_finished
        return self._since if is_waiting and not self.is_answering and now - self._since > _GRACE_SECONDS else None

    @property
    def is_answering(self) -> bool:
        """Whether a response is being made or sent."""
        return bool(self.requests or self.total_outbufs_len)

    def _limit_seconds(self, deadlines: Deadlines) -> float:
        if self._is_draining:
            return deadlines.drain_seconds
        if self.request is None:
            return deadlines.idle_seconds
        return deadlines.body_seconds if self.request.headers_finished else deadlines.header_seconds


# Longest time for the responses that are under way when the signal comes.
_DRAIN_SECONDS = 10.0
_POLL_SECONDS = 0.05
# Longest time between two checks of the deadlines.
_TURN_SECONDS = 1.0
# Part of it for which no other check follows: with 80 connections a check takes as long as an answer.
_PAUSE = 0.1
# Part of the allowed connections from which on those without a request are closed. At the limit itself waitress
# accepts no more connections, so room is made before.
_FULL = 7 / 8


class Loop:
    """waitress's loop, ended by a flag: its own end, an exception of a signal handler, can cut a response in two."""

    def __init__(  # ``on_turn`` is called about once a second
        self,
        server: Any,  # noqa: ANN401 - waitress has no types
        deadlines: Deadlines,
        check: HeaderCheck,
        on_turn: Callable[[], None],
    ) -> None:
        server.channel_class = TimedChannel
        server.header_check = check
        self._server = server
        self._deadlines = deadlines
        self._on_turn = on_turn
        self._turn_seconds = min(_TURN_SECONDS, *astuple(deadlines))
        self._next_check = 0.0
        self._is_stopping = False
        # The handlers that were set before, by signal number.
        self._previous_handlers: dict[int, Any] = {}

    def run(self, announce: Callable[[], None]) -> None:
        """Answer requests until SIGTERM or SIGINT, and then finish those that had begun."""
        for number in STOPPING:
            self._previous_handlers[number] = signal.signal(number, self._stop)
        try:
            announce()
            while not self._is_stopping:
                self._turn(self._turn_seconds)
            self._server.accepting = False
            deadline = time.monotonic() + _DRAIN_SECONDS
            channels = self._server.active_channels
            while any(channel.is_answering for channel in [*channels.values()]) and time.monotonic() < deadline:
                self._turn(_POLL_SECONDS)
        finally:
            self._restore()

    def _turn(self, seconds: float) -> None:
        server = self._server
        server.asyncore.loop(
            timeout=seconds,
            use_poll=server.adj.asyncore_use_poll,
            map=server._map,  # noqa: SLF001 - waitress has no other name for its connections
            count=1,
        )
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + self._turn_seconds * _PAUSE
            self._on_turn()
            for channel in list(server.active_channels.values()):
                channel.close_if_late(now, self._deadlines)
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        """Close the connections that have waited longest for a request, if the server is nearly full."""
        # waitress counts its listening socket and its trigger, too.
        excess = len(self._server._map) - int(self._server.adj.connection_limit * _FULL)  # noqa: SLF001 - waitress has no other name for its connections
        if excess <= 0:
            return
        channels = list(self._server.active_channels.values())
        waiting = [(since, channel) for channel in channels if (since := channel.waiting_since(now)) is not None]
        waiting.sort(key=lambda pair: pair[0])
        for _, channel in waiting[:excess]:
            channel.handle_close()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._is_stopping = True
        # At once, so that a second signal ends a server that does not come to its end.
        self._restore()
        self._server.pull_trigger()  # the loop may be waiting for bytes

    def _restore(self) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers.clear()
