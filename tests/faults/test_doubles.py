"""The doubles that the faults rest on: the scripted server and the fault proxy do what they are told."""

import ast
import sys
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
import requests

from support.fault_proxy import FaultProxy, Way
from support.repository import TESTS
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


@pytest.mark.parametrize(
    "way", [Way(delay_seconds=0.3), Way(slice_bytes=100, bytes_per_second=1000)], ids=["latency", "bandwidth"]
)
@pytest.mark.parametrize("direction", ["requests", "answers"])
def test_slow_network(server: ScriptedServer, direction: str, way: Way) -> None:
    """Latency and little bandwidth take their time, in either direction, and nothing of what passes is lost."""
    server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": "n" * 300, "source": "src"})
    with FaultProxy(server.port) as proxy:
        setattr(proxy, direction, way)
        headers = {"Authorization": "Bearer scripted-token", "Connection": "close", "X-Long": "x" * 300}
        began = monotonic()
        run = requests.get(f"{proxy.address}/api/v1/automation/runs/1", headers=headers, timeout=10)
        assert monotonic() - began >= 0.3
    assert run.json()["result"]["name"] == "n" * 300
