"""The embedded server on a loopback port, with every request and answer checked against the contract and remembered."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.store import Store
from support.contract import Contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


@dataclass(frozen=True)
class Seen:
    """One request and its answer."""

    method: str
    path: str
    body: Any
    status: int
    answer: Any


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False
    request_queue_size = 64


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Keep the tests' output clean."""


@dataclass
class CheckedServer:
    """Listens on 127.0.0.1 while its context is open; ``log`` holds what was asked and answered, in order."""

    database: Path
    token: str
    contract: Contract = field(default_factory=Contract)
    log: list[Seen] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._store = Store(self.database)
        application = self.contract.wsgi(create_application(self._store, Token(self.token)))
        self._server = make_server("127.0.0.1", 0, self._remembering(application), _Server, _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._store.close()
        if kind is None:
            assert self.contract.violations == []

    @property
    def address(self) -> str:
        """The server's origin."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def posts(self, end: str) -> list[Seen]:
        """Return the successful POSTs to paths with this end."""
        return [each for each in self.log if each.method == "POST" and each.path.endswith(end) and each.status < 300]

    def workers(self) -> dict[int, str]:
        """Return the worker that each thread was made for, by the thread's id."""
        return {
            each.answer["id"]: next(one["value"] for one in each.body["fields"] if one["name"] == "Worker")
            for each in self.posts("/threads")
        }

    def tests(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all stored tests as they were sent, each with its worker, in the order of their arrival."""
        workers = self.workers()
        return [
            (workers[int(each.path.split("/")[-2])], test)
            for each in self.posts("/append")
            if "/threads/" in each.path
            for test in each.body.get("tests", [])
        ]

    def runs(self) -> list[dict[str, Any]]:
        """Return the bodies of the runs that were created."""
        return [each.body for each in self.posts("/automation/runs")]

    def _remembering(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def remember(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(sent)
            started: list[str] = []

            def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
                del exc_info
                started.append(status)
                return start_response(status, headers)

            answer = b"".join(application(environ, start))
            self.log.append(
                Seen(
                    environ["REQUEST_METHOD"],
                    environ["PATH_INFO"],
                    sent if environ["PATH_INFO"] == "/artifacts" else json.loads(sent or b"null"),
                    int(started[-1].split()[0]),
                    answer if environ["PATH_INFO"].startswith("/artifacts/") else json.loads(answer or b"null"),
                )
            )
            return [answer]

        return remember
