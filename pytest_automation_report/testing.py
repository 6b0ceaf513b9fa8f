"""Offer a recording server to tests of plugins and hooks that add to results; pytest does not load this plugin itself.

``pytest_plugins = ["pytest_automation_report.testing"]`` in a test module or in the root folder's conftest.py adds the
fixture `automation_report_server`: the embedded server, which is strict to the API's contract, on a free port.

PYTEST_DONT_REWRITE: no module of this package is rewritten, and pytest would warn of this one, which users name.
"""

from __future__ import annotations

import gzip
import io
import json
import secrets
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct, convert, field
from msgspec.structs import replace

from pytest_automation_report.api.models import EXTENSIONS_HEADER, NewRun, Resources, Test, Token, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from wsgiref.simple_server import WSGIServer


class ReceivedThread(Struct, frozen=True):
    """A thread of a run; its tests are in the order of their arrival."""

    id: int
    resources: Resources = field(default_factory=Resources)
    tests: tuple[Test, ...] = ()
    is_completed: bool = False


class ReceivedRun(Struct, frozen=True):
    """A run with all later additions; ``threads`` are in the order of their creation."""

    id: int
    run: NewRun
    threads: tuple[ReceivedThread, ...] = ()
    is_completed: bool = False

    @property
    def tests(self) -> tuple[Test, ...]:
        """The tests of all threads."""
        return tuple(test for thread in self.threads for test in thread.tests)


class RecordingServer:
    """Record the accepted requests of a server of the API; ``token`` is the token that the server requires."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.url = ""
        self.project_id = 1
        # Parts of the path, body and response, by idempotency key: requests with the same key count once.
        self._requests: dict[object, tuple[list[str], Any, Any]] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables with which a session or the console command reports to this server."""
        return {
            "AUTOMATION_REPORT_URL": self.url,
            "AUTOMATION_REPORT_PROJECT_ID": str(self.project_id),
            "AUTOMATION_REPORT_SOURCE": "recorded",
            "AUTOMATION_REPORT_TOKEN": self.token,
        }

    @property
    def runs(self) -> tuple[ReceivedRun, ...]:
        """The runs so far, in the order of their creation."""
        runs: dict[str, ReceivedRun] = {}
        # With the run of each.
        threads: dict[str, tuple[str, ReceivedThread]] = {}
        for path, body, created in list(self._requests.values()):
            match path:
                case ["runs"]:
                    runs[str(created["id"])] = ReceivedRun(created["id"], convert(body, NewRun))
                case ["runs", run, "threads"]:
                    threads[str(created["id"])] = run, ReceivedThread(created["id"], convert(body, Resources))
                case ["runs", run, "append"]:
                    runs[run] = replace(runs[run], run=joined(runs[run].run, convert(body, Resources)))
                case ["runs", run, "complete"]:
                    runs[run] = replace(runs[run], is_completed=True)
                case ["runs", "threads", thread, action]:
                    run, received = threads[thread]
                    threads[thread] = run, _changed(received, action, body)
        of_runs = {run: tuple(thread for of, thread in threads.values() if of == run) for run in runs}
        return tuple(replace(received, threads=of_runs[run]) for run, received in runs.items())

    def recording(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., list[bytes]]:
        """Return a WSGI application that responds as this one does, and records the accepted requests."""

        def record(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            statuses: list[str] = []

            def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
                statuses.append(status)
                # Without extensions: tests see results in the words of the contract, as a Testmo instance gets them.
                headers = [pair for pair in headers if pair[0].lower() != EXTENSIONS_HEADER.lower()]
                return start_response(status, headers, *([exc_info] if exc_info else []))

            response = b"".join(application({**environ, "wsgi.input": io.BytesIO(sent)}, start))
            _, is_of_run, path = environ["PATH_INFO"].partition("/automation/")
            if environ["REQUEST_METHOD"] == "POST" and is_of_run and statuses[-1].startswith("2"):
                body = gzip.decompress(sent) if environ.get("HTTP_CONTENT_ENCODING") == "gzip" else sent
                values = json.loads(body or b"{}"), json.loads(response or b"{}")
                self._requests.setdefault(environ.get("HTTP_IDEMPOTENCY_KEY") or object(), (path.split("/"), *values))
            return [response]

        return record


def _changed(thread: ReceivedThread, action: str, body: dict[str, Any]) -> ReceivedThread:
    if action == "complete":
        return replace(thread, is_completed=True)
    tests = (*thread.tests, *convert(body.get("tests", ()), tuple[Test, ...]))
    return replace(thread, tests=tests, resources=joined(thread.resources, convert(body, Resources)))


@contextmanager
def serving(application: Callable[..., Iterable[bytes]]) -> Iterator[WSGIServer]:
    """Serve a WSGI application on a free port of this machine, each connection in a separate thread."""
    from socketserver import ThreadingMixIn  # noqa: PLC0415 - only for tests that use the fixture
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server  # noqa: PLC0415 - only for tests that use the fixture

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = False
        request_queue_size = 64

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Write no log: its lines would stand between the tests' own."""

    server = make_server("127.0.0.1", 0, application, Server, Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def recording_server(folder: Path) -> Iterator[RecordingServer]:
    """Yield a server that listens on a free port of this machine and keeps its store in this folder."""
    from pytest_automation_report.server.http.application import create_application  # noqa: PLC0415 - only for tests that use the fixture
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - only for tests that use the fixture

    recording = RecordingServer(secrets.token_urlsafe(16))
    with closing(Store(folder / "store.sqlite3")) as store:
        application = recording.recording(create_application(store, Token(recording.token)))
        with serving(application) as server:
            recording.url = f"http://127.0.0.1:{server.server_port}"
            yield recording


@pytest.fixture
def automation_report_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordingServer]:
    """Offer a server of the automation runs API that records its runs, threads and tests."""
    with recording_server(tmp_path_factory.mktemp("automation-report-server")) as server:
        yield server
