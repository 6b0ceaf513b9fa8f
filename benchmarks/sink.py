"""A server of the API that takes everything and costs the contenders nothing: a process of its own, counts alone.

Prints its address; ``GET /counts`` tells requests, tests and connections since the last time; an argument is the time
in seconds that each answer takes.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_COUNTS = {"requests": 0, "tests": 0, "connections": 0}
_LOCK = threading.Lock()
_TESTS: dict[int, int] = {}


class Sink(BaseHTTPRequestHandler):
    """Answers as the API does, without keeping what it is given."""

    protocol_version = "HTTP/1.1"
    delay_seconds = 0.0
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        with _LOCK:
            _COUNTS["connections"] += 1

    def do_POST(self) -> None:
        """Take a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.delay_seconds)
        with _LOCK:
            _COUNTS["requests"] += 1
            _COUNTS["tests"] += len(json.loads(body or b"{}").get("tests", ()))
        if self.path.endswith(("/runs", "/threads")):
            self._answer(201, b'{"id":1}')
        else:
            self._answer(204, b"")

    def do_GET(self) -> None:
        """Tell the counts, and begin to count again."""
        with _LOCK:
            told = json.dumps(_COUNTS).encode()
            _COUNTS.update(dict.fromkeys(_COUNTS, 0))
        self._answer(200, told)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until the process is ended."""
    Sink.delay_seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
