"""The findings of a completed run, asked for at a session's end: they never change what is said of its delivery."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from requests import PreparedRequest, Response, Session

from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.models import EMBEDDED_ORIGIN, Json, NewRun, Token
from pytest_automation_report.delivery.launch import Runtime, Timeouts
from pytest_automation_report.delivery.report import excerpt_from
from pytest_automation_report.delivery.sender import Deadlines, Sender
from pytest_automation_report.spool.ledger import LedgerState
from pytest_automation_report.spool.process import Process
from support.deliveries import WrittenSession, numbered
from support.sessions import SHORT_LIMITS, TOKEN
from support.store_adapter import StoreAdapter

LIMITS = Timeouts(**{**SHORT_LIMITS, "findings": 5.0})


def a_test(key: str, since: int | None = 7, **more: object) -> Json:
    began = None if since is None else {"run": since, "commit": None, "at": 5}
    return {"key": key, "folder": "tests", "name": f"test_{key}", "kind": "new", "since": began, **more}


DOCUMENT: Any = {
    "earlier_source": None,
    "run": 7,
    "base": {"run": 6, "why": "same branch", "commit": "a1", "at": 5},
    "verdict": {
        "kind": "failed",
        "tone": "fail",
        "long": "3 of 9 tests failed",
        "short": "3 failed",
        "part": "x" * 999,
    },
    "mine": {"new": 1, "back": 0, "flaky": 0, "still": 2},
    "counts": {"fixed": 0, "passed_again": 0, "flaky": 1, "slower": 0, "gone": 4, "new_tests": 7},
    "tests": {"newly_failing": [a_test("a")], "still_failing": [a_test("b", 4), a_test("c", None)], "fixed": []},
    "reasons": [
        {"count": 2, "kind": "new", "title": "x" * 999, "since": {"run": 7}, "keys": ["a", "b"]},
        {"count": 1, "kind": "still", "title": "y", "since": None, "keys": ["c"]},
    ],
    "flaky": [
        {"key": "a", "state": "flaky", "failed": 3, "runs": 120},
        {"key": "b", "state": "broken", "failed": 9, "runs": 9},
    ],
}


def test_excerpt_of_a_document() -> None:
    """An excerpt has what a summary shows: base, counts, reasons with short titles, failing tests with their state."""
    excerpt = excerpt_from(DOCUMENT)
    assert excerpt["base"] == {"run": 6, "commit": "a1", "at": 5}
    assert excerpt["earlier_source"] is None
    document: Any = {**DOCUMENT, "earlier_source": {"name": "x" * 999, "runs": 3}}
    renamed = excerpt_from(document)["earlier_source"]
    assert renamed is not None
    assert (len(renamed["name"]), renamed["runs"]) == (240, 3)
    assert excerpt["counts"] == {"fixed": 0, "passed_again": 0, "flaky": 1, "slower": 0, "gone": 4, "new_tests": 7}
    assert {**excerpt["verdict"], "part": ""} == {**DOCUMENT["verdict"], "part": ""}
    assert len(excerpt["verdict"]["part"]) == 240
    assert excerpt["mine"] == DOCUMENT["mine"]
    first, second = excerpt["reasons"]
    assert (first["count"], first["kind"], len(first["title"]), first["since"]) == (2, "new", 240, 7)
    assert (second["title"], second["since"]) == ("y", None)
    assert [(test["name"], test["since"], test["flaky"]) for test in excerpt["failing"]] == [
        ("test_a", None, [3, 120]),
        ("test_b", 4, None),
        ("test_c", None, None),
    ]


def test_excerpt_is_bounded() -> None:
    """A run in which all fails has an excerpt of its first 200 failures: it is one record of the ledger."""
    many = {**DOCUMENT["tests"], "newly_failing": [a_test(str(number)) for number in range(1000)]}
    document: Any = {**DOCUMENT, "tests": many}
    assert len(excerpt_from(document)["failing"]) == 200


class Watched(StoreAdapter):
    """The embedded store, with a test's own answer to a request for findings."""

    def __init__(self, database: Path, change: Callable[[Callable[[], Response]], Response]) -> None:
        super().__init__(database, Token(TOKEN))
        self.asked: list[str] = []
        self._change = change

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:  # noqa: ANN401 - handed through
        """Answer from the store, or as the test wants it."""
        if not (request.url or "").endswith("/findings"):
            return super().send(request, *args, **options)
        self.asked.append(request.url or "")
        return self._change(lambda: super(Watched, self).send(request, *args, **options))


@contextmanager
def embedded(
    folder: Path, change: Callable[[Callable[[], Response]], Response]
) -> Iterator[tuple[HttpClient, Watched]]:
    adapter = Watched(folder / "store.db", change)
    with Session() as session:
        session.mount("http+local://", adapter)
        yield HttpClient(session, EMBEDDED_ORIGIN, Token(TOKEN), project_id=1), adapter


def lived(
    folder: Path,
    client: HttpClient,
    *,
    timeouts: Timeouts = LIMITS,
    joined_run: int | None = None,
    is_awaited: bool = True,
) -> tuple[LedgerState, list[str]]:
    """Deliver a session of three tests whose pytest is this process; return the ledger's state and the log."""
    folder.mkdir(exist_ok=True)
    written = WrittenSession(folder, EMBEDDED_ORIGIN, joined_run=joined_run)
    written.add(*numbered(3))
    written.end()
    written.close()
    lines: list[str] = []
    runtime = Runtime(clock=time.monotonic, random=random.random, log=lines.append)
    controller = Process(os.getpid()) if is_awaited else None
    try:
        # The requests of another session, so that its idempotency keys differ.
        session = replace(written.session, id=folder.name)
        state = Sender(written.folder, session, timeouts, client, runtime, controller).run().state
    finally:
        if controller is not None:
            controller.close()
    assert (state.is_done, state.done.complete, state.total("acknowledged")) == (True, True, 3)
    return state, lines


def test_findings_of_our_server(tmp_path: Path) -> None:
    """At the end of a session to a server of ours the ledger has the findings, and before its last record."""
    with embedded(tmp_path, lambda answer: answer()) as (client, adapter):
        first, _ = lived(tmp_path / "1", client)
        second, _ = lived(tmp_path / "2", client)
    assert first.findings is not None
    assert first.findings["base"] is None
    assert second.findings is not None
    assert second.findings["base"] is not None
    assert second.findings["base"]["run"] == first.run
    assert len(adapter.asked) == 2


def test_no_pytest_waits(tmp_path: Path) -> None:
    """A sender of the console command asks for no findings: nobody reads them."""
    with embedded(tmp_path, lambda answer: answer()) as (client, adapter):
        state, _ = lived(tmp_path / "1", client, is_awaited=False)
    assert (state.findings, adapter.asked) == (None, [])


def test_run_of_several_jobs(tmp_path: Path) -> None:
    """A job that leaves its run open asks for no findings: the other jobs' tests are not in it yet."""
    with embedded(tmp_path, lambda answer: answer()) as (client, adapter):
        run = client.create_run(NewRun(name="shared", source="suite"))
        state, _ = lived(tmp_path / "1", client, joined_run=run)
        assert not client.run(run).is_completed
    assert (state.run, state.findings, adapter.asked) == (run, None, [])


def failing(_: Callable[[], Response]) -> Response:
    raise ValueError("no answer")


def emptied(answer: Callable[[], Response]) -> Response:
    response = answer()
    response.json()  # the body is read
    response._content = b'{"result": {"version": 2}}'
    return response


@pytest.mark.parametrize("change", [failing, emptied])
def test_findings_that_cannot_be_had(tmp_path: Path, change: Callable[[Callable[[], Response]], Response]) -> None:
    """No answer, or a document of another form, costs the lines about findings and nothing else."""
    with embedded(tmp_path, change) as (client, adapter):
        state, lines = lived(tmp_path / "1", client)
    assert (state.findings, len(adapter.asked)) == (None, 1)
    assert state.trouble == ""
    assert [line for line in lines if line.startswith("no findings of run 1: ")]


def test_findings_that_come_late(tmp_path: Path) -> None:
    """The sender is done within its limit whatever the server does, and an embedded store still computes to its end."""
    may_go_on = threading.Event()
    done: list[bool] = []

    def late(answer: Callable[[], Response]) -> Response:
        # Set by the log below, which the sender writes before its last record: it waits no longer.
        may_go_on.wait(30)
        done.append(True)
        return answer()

    with embedded(tmp_path, late) as (client, adapter):
        folder = tmp_path / "1"
        folder.mkdir()
        written = WrittenSession(folder, EMBEDDED_ORIGIN)
        written.add(*numbered(3))
        written.end()
        written.close()

        def log(line: str) -> None:
            if line == "done":
                assert done == []
                may_go_on.set()

        runtime = Runtime(clock=time.monotonic, random=random.random, log=log)
        controller = Process(os.getpid())
        timeouts = Timeouts(**{**SHORT_LIMITS, "findings": 0.05, "alone": 30.0})
        state = Sender(written.folder, written.session, timeouts, client, runtime, controller).run().state
        controller.close()
        assert (state.findings, state.done.complete, done, len(adapter.asked)) == (None, True, [True], 1)


@pytest.mark.parametrize(
    ("passed", "is_interrupted", "seconds"),
    [(0.0, False, 3.0), (28.0, False, 1.0), (29.5, False, 0.0), (0.0, True, 2.0), (2.5, True, 0.0)],
)
def test_time_for_findings(passed: float, is_interrupted: bool, seconds: float) -> None:  # noqa: FBT001 - a parameter
    """Findings never take so long that pytest's own wait would end, which is shorter after Ctrl-C."""
    now = [100.0]
    deadlines = Deadlines(Timeouts(exit_progress=9.0), lambda: now[0])
    assert deadlines.seconds_for_findings(is_interrupted=is_interrupted) == 0
    deadlines.session_ended_at = now[0]
    now[0] += passed
    assert deadlines.seconds_for_findings(is_interrupted=is_interrupted) == seconds
    stalling = Deadlines(Timeouts(), lambda: 0.0)
    stalling.session_ended_at = 0.0
    assert stalling.seconds_for_findings(is_interrupted=False) == 2.5
