import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from support.repository import TESTS
from support.scripted_server.faults import (
    Rule,
    answer,
    applied_but,
    cut,
    delayed,
    held,
    html,
    late,
    lost_answer,
    redirect,
    reset_before,
    reset_unapplied,
    throttled,
)
from support.scripted_server.server import ScriptedServer

TEST = {"key": "k", "name": "n", "folder": "f", "status": "passed", "elapsed": 5}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


class Caller:
    """The least client: one connection a request, so that nothing is kept between them."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server

    def __call__(self, method: str, path: str, body: Any = None, token: str = "scripted-token") -> requests.Response:  # noqa: ANN401 - any JSON
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        url = f"{self._server.address}/api/v1/{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=10, allow_redirects=False)

    def append(self, thread: int = 1) -> requests.Response:
        return self("POST", f"automation/runs/threads/{thread}/append", {"tests": [TEST]})

    def total(self, run: int = 1) -> int:
        return int(self("GET", f"automation/runs/{run}").json()["result"]["total_count"])


@pytest.fixture
def call(server: ScriptedServer) -> Caller:
    caller = Caller(server)
    assert caller("POST", "projects/1/automation/runs", {"name": "n", "source": "src"}).json() == {"id": 1}
    assert caller("POST", "automation/runs/1/threads", {}).json() == {"id": 1}
    return caller


def test_independence() -> None:
    """The server shares no code with the package, so both cannot share a mistake."""
    allowed = {*sys.stdlib_module_names, "support", "typing_extensions"}
    for path in (TESTS / "support" / "scripted_server").glob("*.py"):
        if path.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {each.split(".")[0] for each in names} <= allowed, path


def test_honest_counts(server: ScriptedServer, call: Caller) -> None:
    """What was applied is what is counted, in the thread, the run, the list of tests and the oracle."""
    tests = [{**TEST, "status": each} for each in ("passed", "failure", "error", "skipped", "untested")]
    body = {"tests": tests, "elapsed_computed": 7, "fields": [{"name": "f", "type": 1, "value": "v"}]}
    for _ in range(2):
        assert call("POST", "automation/runs/threads/1/append", body).status_code == 204
    call("POST", "automation/runs/1/threads", {"elapsed_observed": 3})
    run = call("GET", "automation/runs/1").json()["result"]
    thread = run["threads"][0]
    for counts in (run, thread):
        names = ["total", "success", "failure", "completed", "untested", "status1", "status2", "status5"]
        assert [counts[f"{name}_count"] for name in names] == [10, 2, 4, 8, 2, 2, 4, 2]
    assert (thread["elapsed"], run["threads"][1]["elapsed"], len(thread["fields"])) == (14, 3, 2)
    assert server.results == [(1, 1, each) for each in tests * 2]
    page = call("GET", "automation/runs/1/tests?thread_id=1&per_page=4&page=3").json()
    assert (page["total"], page["next_page"], page["last_page"], len(page["result"])) == (10, None, 3, 2)
    assert [each["automation_test_id"] for each in page["result"]] == [2, 1]


def test_completed_is_completed(call: Caller) -> None:
    """Nothing is taken after a completion, and a run completes its threads."""
    call("POST", "automation/runs/1/threads", {})
    assert call("POST", "automation/runs/threads/1/complete", {"elapsed_observed": 9}).status_code == 204
    assert call.append().status_code == 422
    assert call("POST", "automation/runs/threads/1/complete", {}).status_code == 422
    assert call.append(2).status_code == 204
    assert call("POST", "automation/runs/1/complete", {"measure_elapsed": True}).status_code == 204
    for path in ("threads/2/append", "threads/2/complete", "1/append", "1/threads", "1/complete"):
        assert call("POST", f"automation/runs/{path}", {}).status_code == 422
    run = call("GET", "automation/runs/1").json()["result"]
    assert (run["is_completed"], run["status"], run["thread_completed_count"]) == (True, 2, 2)
    assert run["threads"][0]["elapsed"] == 9


def test_refusals(server: ScriptedServer, call: Caller) -> None:
    """Bad tokens, unknown records, bad bodies and unknown aliases are refused and change nothing."""
    assert call("GET", "automation/runs/1", token="wrong").status_code == 401
    assert call("GET", "automation/runs/9").status_code == 404
    assert call("POST", "automation/runs/threads/9/append", {}).status_code == 404
    assert call("GET", "nothing").status_code == 404
    assert call("GET", "projects/2/automation/runs").status_code == 404
    assert call("POST", "automation/runs/threads/1/append", []).status_code == 400
    assert call("POST", "projects/1/automation/runs", {"name": "n"}).json()["errors"].keys() == {"source"}
    bad = call("POST", "automation/runs/threads/1/append", {"tests": [TEST, {**TEST, "status": "Passed"}]})
    assert (bad.status_code, list(bad.json()["errors"])) == (422, ["tests.1.status"])
    assert server.results == []


def test_rules_by_occurrence(server: ScriptedServer, call: Caller) -> None:
    """A rule strikes from its first match for as many as it says, and others go on counting."""
    server.script(
        [
            Rule("POST", r"/append$", answer(500), first=2, count=2),
            Rule("POST", r"/append$", answer(418), first=3, count=None),
            Rule("GET", r"/append$", answer(400), count=None),
        ]
    )
    assert [call.append().status_code for _ in range(5)] == [204, 500, 500, 418, 418]
    assert call.total() == 1


@pytest.mark.parametrize(
    ("fault", "total"),
    [(lost_answer(), 1), (reset_unapplied(), 0), (reset_before(), 0)],
    ids=["lost", "unapplied", "before"],
)
def test_resets(server: ScriptedServer, call: Caller, fault: Any, total: int) -> None:  # noqa: ANN401 - a Fault
    """A reset connection is an error for the client, with the request applied or not as the script says."""
    server.script([Rule("POST", r"/append$", fault)])
    with pytest.raises(requests.ConnectionError):
        call.append()
    assert call.total() == total
    assert (server.log[2].is_applied, server.log[2].status) == (bool(total), 0)


def test_other_answers(server: ScriptedServer, call: Caller) -> None:
    """Scripted answers arrive as written."""
    faults = [applied_but(503), html(), redirect("http://x/"), throttled("7"), throttled()]
    server.script([Rule("POST", r"/append$", each, first=number) for number, each in enumerate(faults, 1)])
    answers = [call.append() for _ in faults]
    assert [each.status_code for each in answers] == [503, 200, 302, 429, 429]
    assert answers[1].text.startswith("<!doctype html>")
    assert answers[2].headers["Location"] == "http://x/"
    assert [each.headers.get("Retry-After") for each in answers] == [None, None, None, "7", None]
    assert all("Date" in each.headers for each in answers)
    assert [each.is_applied for each in server.log[2:]] == [True, False, False, False, False]


@pytest.mark.usefixtures("call")
def test_cut_answer(server: ScriptedServer) -> None:
    """A cut body is shorter than its declared length."""
    server.script([Rule("GET", "", cut(5))])
    # Not requests: with urllib3 1.26 it takes a body that is too short.
    connection = HTTPConnection(urlsplit(server.address).netloc, timeout=10)
    with closing(connection):
        connection.request("GET", "/api/v1/automation/runs/1", headers={"Authorization": "Bearer scripted-token"})
        response = connection.getresponse()
        with pytest.raises(IncompleteRead):
            response.read()


def test_late_apply(server: ScriptedServer, call: Caller) -> None:
    """A late request is applied at the release, or refused if its thread was completed meanwhile."""
    server.script([Rule("POST", "threads/./append$", late(502), count=2)])
    assert call.append().status_code == 502
    assert call.total() == 0
    call("POST", "automation/runs/1/threads", {})
    assert call.append(2).status_code == 502
    call("POST", "automation/runs/threads/2/complete", {})
    server.release()
    assert call.total() == 1
    assert [thread for _, thread, _ in server.results] == [1]


def test_late_apply_by_itself(server: ScriptedServer, call: Caller) -> None:
    """A late request can also be applied after some time, once."""
    server.script([Rule("POST", r"/append$", late(504, seconds=0.05))])
    assert call.append().status_code == 504
    server.wait_until(lambda: len(server.results) == 1)
    server.release()
    assert call.total() == 1


def test_held_answer(server: ScriptedServer, call: Caller) -> None:
    """A held answer waits for the release though its request is applied."""
    server.script([Rule("POST", r"/append$", held())])
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(call.append().status_code))
    thread.start()
    server.wait_until(lambda: len(server.results) == 1)
    assert answers == []
    server.release()
    thread.join()
    assert answers == [204]


def test_delay(server: ScriptedServer, call: Caller) -> None:
    """A delayed answer comes after its time."""
    server.script([Rule("POST", r"/append$", delayed(0.2))])
    start = monotonic()
    assert call.append().status_code == 204
    assert monotonic() - start >= 0.2


def test_down_and_up(server: ScriptedServer, call: Caller) -> None:
    """A server that is down refuses connections and comes back on its port with its memory."""
    address = server.address
    server.down()
    with pytest.raises(requests.ConnectionError):
        call.append()
    server.up()
    assert server.address == address
    assert call.append().status_code == 204


def test_down_ends_what_is_open() -> None:
    """Going down ends held answers and leaves no thread behind."""
    before = set(threading.enumerate())
    with ScriptedServer() as server:
        server.script([Rule("POST", "", held())])
        errors: list[Exception] = []

        def send() -> None:
            try:
                Caller(server)("POST", "projects/1/automation/runs", {"name": "n", "source": "src"})
            except requests.RequestException as error:
                errors.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        server.wait_until(lambda: len(server.store.runs) == 1)
    thread.join()
    assert len(errors) == 1
    assert [each.name for each in set(threading.enumerate()) - before if "(_" in each.name] == []


def test_log(server: ScriptedServer, call: Caller) -> None:
    """The log has what arrived and what came of it."""
    call("GET", "automation/runs/1/tests?page=1")
    seen = server.log[-1]
    assert (seen.method, seen.path, seen.query) == ("GET", "/api/v1/automation/runs/1/tests", "page=1")
    assert (seen.headers["authorization"], seen.status, seen.is_applied) == ("Bearer scripted-token", 200, True)
    assert server.log[0].json == {"name": "n", "source": "src"}


def test_checks() -> None:
    """A check sees every request and its complaint fails the test at the end."""
    calls: list[tuple[str, str, str, bytes | None]] = []

    def check(*arguments: Any) -> None:  # noqa: ANN401 - as the server calls it
        calls.append(arguments)
        assert arguments[0] == "POST", "only POST here"

    def session() -> None:
        with ScriptedServer() as server:
            server.checks.append(check)
            Caller(server)("POST", "projects/1/automation/runs", {})
            Caller(server)("GET", "automation/runs/1?expands=users")

    with pytest.raises(AssertionError, match="GET /api/v1/automation/runs/1: only POST here"):
        session()
    assert calls == [
        ("POST", "/api/v1/projects/1/automation/runs", "", b"{}"),
        ("GET", "/api/v1/automation/runs/1", "expands=users", None),
    ]
