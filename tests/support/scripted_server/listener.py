"""Real sockets before the scripted server: one thread for each connection."""

from __future__ import annotations

import io
import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.scripted_server.faults import ResetByScriptError

if TYPE_CHECKING:
    import ssl

    from support.scripted_server.faults import Fault
    from support.scripted_server.server import ScriptedServer
    from support.scripted_server.store import Reply


class Listener(ThreadingTCPServer):
    """Listens on 127.0.0.1 from its creation until `close`, and serves what it accepts; port 0 is any free one."""

    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, server: ScriptedServer, port: int, tls: ssl.SSLContext | None) -> None:
        self.connections: dict[tuple[str, int], socket.socket] = {}
        self._server = server
        self._tls = tls
        super().__init__(("127.0.0.1", port), _Handler)
        self.port: int = self.server_address[1]
        self._acceptor = threading.Thread(target=self.serve_forever, args=[0.01])
        self._acceptor.start()

    def close(self) -> None:
        self.shutdown()
        self._acceptor.join()
        with self._server.changed:
            for connection in self.connections.values():
                with suppress(OSError):  # already closed
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()  # waits for the threads

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own signature
        """Count a connection, and serve it in a thread of its own."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._server.changed:
            self._server.connection_count += 1
            # A second descriptor to cut it off with: TLS detaches the first from its object.
            self.connections[client_address] = request.dup()
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        try:
            connection = self._tls.wrap_socket(request, server_side=True) if self._tls else request
            with connection:
                _Handler(connection, client_address, self._server)  # type: ignore[arg-type]  # it needs a server for this attribute only
        except OSError:
            pass  # the client, a script or the test has closed the connection
        finally:
            with self._server.changed:
                self.connections.pop(client_address).close()
                self._server.changed.notify_all()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Close a connection as its script has left it: an orderly end would come before a reset."""
        self.close_request(request)


class _Handler(BaseHTTPRequestHandler):
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
        if not fault.byte_seconds:
            self.end_headers()
            self.wfile.write(body)
            return
        file, self.wfile = self.wfile, io.BytesIO()
        self.end_headers()
        data, self.wfile = self.wfile.getvalue() + body, file
        for each in data:
            self.server.hold(fault.byte_seconds)
            self.wfile.write(bytes([each]))
