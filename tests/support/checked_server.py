"""The embedded server on a loopback port: each request and response is checked against the contract, and logged."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from msgspec import convert

from pytest_automation_report.api.models import EXTENSIONS_HEADER, SessionSummary, Token
from pytest_automation_report.api.results import MEMBERS
from pytest_automation_report.api.sessions import session_fields
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.testing import serving
from support.contract import Contract

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    body: Any
    status: int
    answer: Any


def _without_results(names: str) -> str:
    return ", ".join(name for name in names.split(", ") if name not in MEMBERS)


@dataclass
class CheckedServer:
    """Listens on 127.0.0.1 while its context is open; ``log`` holds what was asked and answered, in order.

    A request to a path that ends with ``held`` waits until ``goes_on`` is set. One that ``is_testmo`` announces none of
    our extensions of results, so that it gets results in the words of the contract.
    """

    database: Path
    token: str
    contract: Contract = field(default_factory=Contract)
    log: list[Seen] = field(default_factory=list)
    held: str = "nothing"
    goes_on: Event = field(default_factory=Event)
    is_testmo: bool = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            store = stack.enter_context(closing(Store(self.database)))
            application = self.contract.wsgi(create_application(store, Token(self.token)), self._note)

            def holding(environ: dict[str, Any], start: Any) -> Any:  # noqa: ANN401 - those of WSGI
                if environ["PATH_INFO"].endswith(self.held):
                    self.goes_on.wait()
                return application(environ, partial(self._announce, start))

            self._server = stack.enter_context(serving(holding))
            self._open = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._open.close()
        if kind is None:
            assert self.contract.violations == []

    def _announce(self, start: Any, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:  # noqa: ANN401 - those of WSGI
        if self.is_testmo:
            names = EXTENSIONS_HEADER.lower()
            headers = [(name, _without_results(value) if name.lower() == names else value) for name, value in headers]
        return start(status, headers, *more)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def options(self) -> list[str]:
        """The options by which a command finds project 1 of this server."""
        return ["--url", self.address, "--project-id", "1"]

    def posts(self, end: str) -> list[Seen]:
        """Return the successful POSTs to paths with this end."""
        return [seen for seen in self.log if seen.method == "POST" and seen.path.endswith(end) and seen.status < 300]

    def workers(self) -> dict[int, str]:
        """Return the worker that each thread was made for, by the thread's id."""
        return {
            seen.answer["id"]: next(field["value"] for field in seen.body["fields"] if field["name"] == "Worker")
            for seen in self.posts("/threads")
        }

    def tests(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all stored tests as they were sent, each with its worker, in the order of their arrival."""
        workers = self.workers()
        return [
            (workers[int(seen.path.split("/")[-2])], test)
            for seen in self.posts("/append")
            if "/threads/" in seen.path
            for test in seen.body.get("tests", [])
        ]

    def statuses(self) -> dict[str, str]:
        """Return the status of each test by its name; no test may have arrived twice."""
        tests = [test for _, test in self.tests()]
        assert max(Counter(each["key"] for each in tests).values(), default=0) <= 1
        return {each["name"]: each["status"] for each in tests}

    def runs(self) -> list[dict[str, Any]]:
        return [seen.body for seen in self.posts("/automation/runs")]

    def run_fields(self) -> dict[str, str]:
        """Return the fields of the only run that was created and later ones, and what its session told as such."""
        (created,) = self.posts("/automation/runs")
        notes = [seen.body for seen in self.posts("/append") if "/threads/" not in seen.path]
        fields = [*created.body["fields"], *(field for each in notes for field in each.get("fields", ()))]
        told = [convert(each["session"], SessionSummary) for each in notes if "session" in each]
        made = [(field.name, str(field.value)) for each in told for field in session_fields(each)]
        return {**{each["name"]: each["value"] for each in fields}, **dict(made)}

    def _note(self, environ: dict[str, Any], sent: bytes, status: int, answer: bytes) -> None:
        path = environ["PATH_INFO"]
        body = sent if path == "/artifacts" else json.loads(sent or b"null")
        told = answer if path.startswith("/artifacts/") else json.loads(answer or b"null")
        self.log.append(Seen(environ["REQUEST_METHOD"], path, body, status, told))
