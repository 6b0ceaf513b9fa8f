"""A server of the API that takes everything and costs the contenders nothing: a process of its own, counts alone.

Prints its address; ``GET /counts`` tells requests, tests and connections since the last time; an argument is the time
in seconds that each answer takes. A run that is read shows how many tests each of its threads has, and nothing else.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_COUNTS = {"requests": 0, "tests": 0, "connections": 0}
_LOCK = threading.Lock()
_TESTS: dict[int, int] = {}  # of each thread since the counts were told


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
        if self.path.endswith("/runs"):
            self._count_request()
            self._answer(201, b'{"id":1}')
        elif self.path.endswith("/threads"):
            thread = self._count_request(is_thread=True)
            self._answer(201, b'{"id":%d}' % thread)
        else:
            self._count_tests(len(json.loads(body or b"{}").get("tests", ())))
            self._answer(204, b"")

    def do_GET(self) -> None:
        """Tell the counts and begin to count again, or show the run."""
        if self.path == "/counts":
            with _LOCK:
                told = json.dumps(_COUNTS).encode()
                _COUNTS.update(dict.fromkeys(_COUNTS, 0))
                _TESTS.clear()
        else:
            self._count_request()
            with _LOCK:
                threads = [{"id": id_, "is_completed": True, "total_count": tests} for id_, tests in _TESTS.items()]
            run = {"id": 1, "is_completed": True, "total_count": 0, "threads": threads}
            told = json.dumps({"result": run}).encode()
        self._answer(200, told)

    def _count_request(self, *, is_thread: bool = False) -> int:
        """Count a request, that of a new thread as one; return the number of threads."""
        with _LOCK:
            _COUNTS["requests"] += 1
            if is_thread:
                _TESTS[len(_TESTS) + 1] = 0
            return len(_TESTS)

    def _count_tests(self, tests: int) -> None:
        """Count a request with these tests, which are the thread's of its path if that names one."""
        self._count_request()
        thread = self.path.partition("/threads/")[2].partition("/")[0]
        with _LOCK:
            _COUNTS["tests"] += tests
            if thread:
                _TESTS[int(thread)] += tests

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
