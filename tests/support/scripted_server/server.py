"""A server of the API for tests: real sockets, an honest memory, and faults by script.

It imports nothing of the package, so that both cannot share a mistake, and ignores ``Idempotency-Key``::

    with ScriptedServer() as server:
        server.script([Rule("POST", r"/append$", lost_answer())])
        ...
        assert len(server.results) == 250
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from support.scripted_server.faults import Fault, Rule
from support.scripted_server.store import Reply, Store

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    Check = Callable[[str, str, str, bytes | None], None]
    """Takes method, path, query and body of a request; raises `AssertionError` for a bad one."""


@dataclass
class Seen:
    """One request as it arrived; ``status`` is 0 while, or when, it gets no answer."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""
    json: Any = None
    is_applied: bool = False
    status: int = 0


@dataclass
class _Wire:
    """The listening socket and everything accepted from it."""

    listener: socket.socket
    acceptor: threading.Thread | None = None
    is_down: bool = False
    connections: dict[threading.Thread, socket.socket] = field(default_factory=dict)


class ScriptedServer:
    """Listens on 127.0.0.1 while its context is open; with ``tls`` for https.

    With ``keeps_artifacts`` it is one of the project's own, which keeps files, too: by their hash, in ``artifacts``.
    """

    def __init__(
        self, *, token: str = "scripted-token", tls: ssl.SSLContext | None = None, keeps_artifacts: bool = False
    ) -> None:
        self.token = token
        self.keeps_artifacts = keeps_artifacts
        self.artifacts: dict[str, bytes] = {}
        self.checks: list[Check] = []
        self.violations: list[str] = []
        self.connection_count = 0
        self._tls = tls
        self._store = Store()
        self._rules: list[Rule] = []
        self._log: list[Seen] = []
        self._late: list[tuple[threading.Timer | None, Callable[[], None]]] = []
        self._changed = threading.Condition(threading.RLock())
        self._is_released = False
        self._wire: _Wire | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        for timer, _ in self._late:
            if timer:
                timer.cancel()
                timer.join()
        if error is None and self.violations:
            raise AssertionError("\n".join(self.violations))

    @property
    def address(self) -> str:
        """The origin to configure."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port that it listens on, or did."""
        return self._port

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._changed:
            return len(self._wire.connections) if self._wire else 0

    @property
    def log(self) -> list[Seen]:
        """The requests so far, in the order of arrival."""
        with self._changed:
            return list(self._log)

    @property
    def results(self) -> list[tuple[int, int, dict[str, Any]]]:
        """Every test that was applied, as (run id, thread id, test): the oracle."""
        with self._changed:
            return list(self._store.results)

    @property
    def store(self) -> Store:
        """The memory itself, to look at when nothing is under way, or to change (delete a run)."""
        return self._store

    def script(self, rules: Sequence[Rule]) -> None:
        """Add rules; the first whose turn it is decides a request's fate."""
        with self._changed:
            self._rules.extend(rules)

    def forget(self) -> None:
        """Answer well from now on."""
        with self._changed:
            self._rules.clear()

    def release(self) -> None:
        """Apply what is to be applied late, answer what is held, and hold nothing from now on."""
        with self._changed:
            self._is_released = True
            late, self._late = self._late, []
            self._changed.notify_all()
        for timer, apply in late:
            if timer:
                timer.cancel()
                timer.join()
            apply()

    def wait_until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Return once the condition holds, which is tried after each change; fail after some time."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"it did not happen within {seconds} s"

    def up(self) -> None:
        """Listen, on the same port as before."""
        wire = _Wire(socket.create_server(("127.0.0.1", self._port), backlog=64))
        self._port = wire.listener.getsockname()[1]
        wire.acceptor = threading.Thread(target=self._accept, args=[wire])
        self._wire = wire
        wire.acceptor.start()

    def down(self) -> None:
        """Stop listening and reset all connections; the memory stays."""
        wire, self._wire = self._wire, None
        if wire is None:
            return
        wire.is_down = True
        with socket.socket() as waker, suppress(OSError):  # closing does not wake accept, a connection does
            waker.settimeout(5)
            waker.connect(("127.0.0.1", self._port))
        if wire.acceptor:
            wire.acceptor.join()
        wire.listener.close()
        with self._changed:
            connections = dict(wire.connections)
            self._changed.notify_all()
        for thread, connection in connections.items():
            with suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def restart(self, *, tls: ssl.SSLContext | None) -> None:
        """Go on with this encryption, on the same port and with the same memory."""
        self.down()
        self._tls = tls
        self.up()

    def _accept(self, wire: _Wire) -> None:
        while True:
            connection, address = wire.listener.accept()
            if wire.is_down:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=[wire, connection, address])
            with self._changed:
                self.connection_count += 1
                # A second descriptor to cut it off with: TLS detaches the first from its object.
                wire.connections[thread] = connection.dup()
            thread.start()

    def _serve(self, wire: _Wire, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            _Handler(connection, address, self)  # type: ignore[arg-type]  # it needs a server for this attribute only
        except OSError:
            pass  # the client, a script or the test has closed the connection
        finally:
            connection.close()
            with self._changed:
                wire.connections.pop(threading.current_thread()).close()
                self._changed.notify_all()

    # What the handler needs.

    def received(self, seen: Seen) -> Fault:
        """Note a request and return its fate."""
        with self._changed:
            self._log.append(seen)
            self._changed.notify_all()
            taken = [rule for rule in self._rules if rule.takes(seen.method, seen.path)]
        return taken[0].fault if taken else Fault()

    def applied(self, seen: Seen) -> Reply:
        """Apply a request and return the API's answer."""
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, {"message": "Unauthenticated."})
        if seen.path == "/artifacts" and self.keeps_artifacts:
            return self._kept(seen)
        with self._changed:
            reply = self._store.apply(seen.method, seen.path, seen.query, seen.json)
            seen.is_applied = reply.status < 300
            self._changed.notify_all()
        return reply

    def _kept(self, seen: Seen) -> Reply:
        found, name = sha256(seen.body).hexdigest(), parse_qs(seen.query)["name"][0]
        with self._changed:
            self.artifacts[found] = seen.body
            seen.is_applied = True
            self._changed.notify_all()
        url = f"http+local://store/artifacts/{found}/{quote(name, safe='')}"
        return Reply(201, {"url": url, "name": name, "mime_type": "application/x-told", "size": len(seen.body)})

    def check(self, seen: Seen) -> None:
        """Let the checks see a request; what they find is kept in ``violations`` and fails the test at the end."""
        body = seen.body if seen.method == "POST" else None
        try:
            for check in self.checks:
                check(seen.method, seen.path, seen.query, body)
        except AssertionError as error:
            with self._changed:
                self.violations.append(f"{seen.method} {seen.path}: {error}")

    def apply_later(self, seen: Seen, seconds: float | None) -> None:
        """Apply a request after some time or at the release, whichever is first."""
        done = threading.Lock()

        def apply() -> None:
            if done.acquire(blocking=False):  # never twice
                self.applied(seen)

        timer = None if seconds is None else threading.Timer(seconds, apply)
        with self._changed:
            self._late.append((timer, apply))
        if timer:
            timer.start()

    def hold(self, seconds: float | None) -> None:
        """Wait for some time, or for the release; raise `ConnectionError` when the server goes down meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._wire is None or (seconds is None and self._is_released), seconds)
            if self._wire is None:
                raise ConnectionError("the server went down")

    def answered(self, seen: Seen, status: int) -> None:
        """Note which answer a request gets."""
        with self._changed:
            seen.status = status
            self._changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    server: ScriptedServer  # type: ignore[assignment]  # see where it is made

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - http.server's own names
        """Stay silent: the log is ``server.log``."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, parts.query, headers)
        fault = self.server.received(seen)
        if fault.reset == "before":
            self._reset()
        length = int(headers.get("content-length", "0"))
        seen.body = self.rfile.read(length)
        if len(seen.body) < length:
            raise ConnectionError("the client has gone")
        with suppress(ValueError):  # a body that is no JSON stays None and is refused as such
            seen.json = json.loads(seen.body) if seen.body else {}
        self.server.check(seen)
        reply = Reply(500, {"message": "Server error."})
        if fault.applies == "now":
            reply = self.server.applied(seen)
        elif fault.applies == "later":
            self.server.apply_later(seen, fault.late_seconds)
        if fault.holds or fault.delay_seconds:
            self.server.hold(None if fault.holds else fault.delay_seconds)
        if fault.reset:
            self._reset()
        self._answer(seen, fault.reply or reply, fault)

    def _answer(self, seen: Seen, reply: Reply, fault: Fault) -> None:
        body = reply.raw
        if body is None:
            body = b"" if reply.document is None else json.dumps(reply.document).encode()
        headers = {"Date": self.date_time_string(), "Content-Type": "application/json", **reply.headers}
        if self.server.keeps_artifacts:
            headers["Automation-Report-Artifacts"] = "33554432"
        if reply.status != 204:
            headers.setdefault("Content-Length", str(len(body)))
        self.server.answered(seen, reply.status)
        self.send_response_only(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault.cut_bytes:
            self.close_connection = True
            body = body[: -fault.cut_bytes]
        if fault.byte_seconds:
            self._drip(body, fault.byte_seconds)
            return
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, body: bytes, byte_seconds: float) -> None:
        """Write headers and body one byte at a time."""
        rest, self.wfile = self.wfile, _Drip(self.wfile, self.server, byte_seconds)  # type: ignore[assignment]
        try:
            self.end_headers()
            self.wfile.write(body)
        finally:
            self.wfile = rest

    def _reset(self) -> None:
        """Make the coming close a reset, then leave."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError("reset by script")


class _Drip:
    """A file that writes slowly."""

    def __init__(self, file: Any, server: ScriptedServer, byte_seconds: float) -> None:  # noqa: ANN401 - as http.server has it
        self._file = file
        self._server = server
        self._byte_seconds = byte_seconds

    def write(self, data: bytes) -> None:
        """Write with a pause before each byte."""
        for each in data:
            self._server.hold(self._byte_seconds)
            self._file.write(bytes([each]))
