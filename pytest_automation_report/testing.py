"""A recording server for tests of what is reported: a plugin of its own, which those who need it enable.

``pytest_plugins = ["pytest_automation_report.testing"]`` in a test module or in the root folder's conftest.py offers a
fixture, `automation_report_server`. The server is the embedded one on a free port of this machine, strict to the API's
contract; what it has taken can be read as values.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import secrets
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_automation_report.api.models import NewRun, Resources, Test, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from wsgiref.simple_server import WSGIServer

__all__ = ["ReceivedRun", "ReceivedThread", "RecordingServer", "automation_report_server"]

_PATH: Final = re.compile(r"/api/v1(?:/projects/[0-9]+)?/automation/runs(?:/(threads/)?([0-9]+))?(?:/(\w+))?")
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class ReceivedThread:
    """A thread of a run: its fields and artifacts, and its tests in the order in which they came."""

    id: int
    resources: Resources = field(default_factory=Resources)
    tests: tuple[Test, ...] = ()
    is_completed: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedRun:
    """A run as it was made, with what was added to it since; ``threads`` in the order in which they were made."""

    id: int
    run: NewRun
    threads: tuple[ReceivedThread, ...] = ()
    is_completed: bool = False

    @property
    def tests(self) -> tuple[Test, ...]:
        """The tests of all threads."""
        return tuple(test for thread in self.threads for test in thread.tests)


class RecordingServer:
    """A server of the API that remembers what it has taken; ``token`` is the one that it asks for."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.url = ""
        self.project_id = 1
        self._runs: dict[int, ReceivedRun] = {}
        self._threads: dict[int, int] = {}
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables by which a session or the console command reports to this server."""
        return {
            "AUTOMATION_REPORT_URL": self.url,
            "AUTOMATION_REPORT_PROJECT_ID": str(self.project_id),
            "AUTOMATION_REPORT_SOURCE": "recorded",
            "AUTOMATION_REPORT_TOKEN": self.token,
        }

    @property
    def runs(self) -> tuple[ReceivedRun, ...]:
        """The runs so far, in the order in which they were made."""
        with self._lock:
            return tuple(self._runs.values())

    def recording(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., list[bytes]]:
        """Return a WSGI application that answers as this one does, and notes what was taken."""

        def record(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            statuses: list[str] = []

            def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
                statuses.append(status)
                return start_response(status, headers, *([exc_info] if exc_info else []))

            answer = b"".join(application({**environ, "wsgi.input": io.BytesIO(sent)}, start))
            if environ["REQUEST_METHOD"] == "POST" and int(statuses[-1].split()[0]) in _SUCCESS:
                self._note(environ, sent, answer)
            return [answer]

        return record

    def _note(self, environ: Mapping[str, Any], sent: bytes, answer: bytes) -> None:
        """Note one request that was taken; one that was repeated under its key counts once."""
        found = _PATH.fullmatch(environ["PATH_INFO"])
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
        if found is None:
            return
        is_packed = environ.get("HTTP_CONTENT_ENCODING", "") == "gzip"
        body = json.loads((gzip.decompress(sent) if is_packed else sent) or b"{}")
        made = json.loads(answer or b"{}")
        with self._lock:
            if key in self._keys:
                return
            self._keys |= {key} if key else set()
            number = int(found[2]) if found[2] else 0
            if number and found[1]:
                self._change_thread(number, str(found[3]), body)
            elif number:
                self._change_run(number, str(found[3]), body, made)
            else:
                self._runs[made["id"]] = ReceivedRun(made["id"], NewRun.from_body(body))

    def _change_run(self, number: int, action: str, body: dict[str, Any], made: dict[str, Any]) -> None:
        run = self._runs[number]
        if action == "threads":
            self._threads[made["id"]] = number
            thread = ReceivedThread(made["id"], Resources.from_body(body))
            self._runs[number] = replace(run, threads=(*run.threads, thread))
        elif action == "append":
            added = _together(run.run.resources, Resources.from_body(body))
            self._runs[number] = replace(run, run=replace(run.run, resources=added))
        else:
            self._runs[number] = replace(run, is_completed=True)

    def _change_thread(self, number: int, action: str, body: dict[str, Any]) -> None:
        run = self._runs[self._threads[number]]
        threads = []
        for each in run.threads:
            if each.id != number:
                threads.append(each)
            elif action == "append":
                tests = tuple(Test.from_body(test) for test in body.get("tests", ()))
                resources = _together(each.resources, Resources.from_body(body))
                threads.append(replace(each, tests=(*each.tests, *tests), resources=resources))
            else:
                threads.append(replace(each, is_completed=True))
        self._runs[run.id] = replace(run, threads=tuple(threads))


def _together(first: Resources, second: Resources) -> Resources:
    return Resources(
        fields=(*first.fields, *second.fields),
        links=(*first.links, *second.links),
        artifacts=(*first.artifacts, *second.artifacts),
    )


@contextmanager
def serving(application: Callable[..., Iterable[bytes]]) -> Iterator[WSGIServer]:
    """Serve a WSGI application on a free port of this machine, each connection in a separate thread."""
    from socketserver import ThreadingMixIn  # noqa: PLC0415 - only for those who use the fixture
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server  # noqa: PLC0415 - as above

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = False
        request_queue_size = 64

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Write nothing between the lines of the tests."""

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
    from pytest_automation_report.server.http.application import create_application  # noqa: PLC0415 - as above
    from pytest_automation_report.server.store.store import Store  # noqa: PLC0415 - as above

    recording = RecordingServer(secrets.token_urlsafe(16))
    with closing(Store(folder / "store.sqlite3")) as store:
        application = recording.recording(create_application(store, Token(recording.token)))
        with serving(application) as server:
            recording.url = f"http://127.0.0.1:{server.server_port}"
            yield recording


@pytest.fixture
def automation_report_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordingServer]:
    """Give a server of the automation runs API that remembers the runs, threads and tests it has taken."""
    with recording_server(tmp_path_factory.mktemp("automation-report-server")) as server:
        yield server
