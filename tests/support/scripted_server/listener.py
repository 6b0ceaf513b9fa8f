"""Real sockets before the scripted server: one thread for each connection."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.scripted_server.faults import ResetByScriptError

if TYPE_CHECKING:
    import ssl

    from support.scripted_server.faults import Fault
    from support.scripted_server.server import ScriptedServer
    from support.scripted_server.store import Reply


class Listener:
    """Listens on 127.0.0.1 from its creation until `close`, and serves what it accepts; port 0 is any free one."""

    def __init__(self, server: ScriptedServer, port: int, tls: ssl.SSLContext | None) -> None:
        self.connections: dict[threading.Thread, socket.socket] = {}
        self._server = server
        self._tls = tls
        self._is_closed = False
        self._socket = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._is_closed = True
        with socket.socket() as waker, suppress(OSError):  # closing does not wake accept, a connection does
            waker.settimeout(5)
            waker.connect(("127.0.0.1", self.port))
        self._acceptor.join()
        self._socket.close()
        with self._server.changed:
            connections = dict(self.connections)
        for thread, connection in connections.items():
            with suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _accept(self) -> None:
        while True:
            connection, address = self._socket.accept()
            if self._is_closed:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=[connection, address])
            with self._server.changed:
                self._server.connection_count += 1
                # A second descriptor to cut it off with: TLS detaches the first from its object.
                self.connections[thread] = connection.dup()
            thread.start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            _Handler(connection, address, self._server)  # type: ignore[arg-type]  # it needs a server for this attribute only
        except OSError:
            pass  # the client, a script or the test has closed the connection
        finally:
            connection.close()
            with self._server.changed:
                self.connections.pop(threading.current_thread()).close()
                self._server.changed.notify_all()


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
        seen, fault = self.server.received(self.command, parts.path, parts.query, headers)
        try:
            seen.take_body(self._body(fault))
            self._answer(self.server.respond(seen, fault), fault)
        except ResetByScriptError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise

    def _body(self, fault: Fault) -> bytes:
        if fault.reset == "before":
            raise ResetByScriptError("reset by script")
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client has gone")
        return body

    def _answer(self, reply: Reply, fault: Fault) -> None:
        body = reply.raw or b""
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
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
