"""A server that answers one page of sources, with or without TLS, by a clock of its own."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

PAGE: dict[str, Any] = {
    "page": 1, "prev_page": None, "next_page": None, "last_page": 1, "per_page": 15, "total": 0, "result": [],
    "expands": {},
}  # fmt: skip


@contextmanager
def answering(
    *, skew_seconds: float = 0.0, date: str | None = None, status: int = 200, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Yield the address, and the requests as they come; ``date`` is the header to send, empty for none."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path}")
            body = json.dumps(PAGE if status == 200 else {"message": "no"}).encode()
            self.send_response_only(status)
            told = formatdate(time.time() - skew_seconds, usegmt=True) if date is None else date
            for name, value in (("Date", told), ("Content-Type", "application/json")):
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Keep the tests' output clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, request: object, client_address: object) -> None:
            """Pass over clients that do not trust the certificate."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
