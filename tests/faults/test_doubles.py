"""The doubles that the faults rest on: the scripted server and the fault proxy do what they are told."""

import ast
import sys
from time import monotonic
from typing import Any

import pytest
import requests

from support.fault_proxy import FaultProxy, Way
from support.repository import TESTS
from support.scripted_server.server import ScriptedServer

PATH = "/api/v1/automation/runs/1"
HEADERS = {"Authorization": "Bearer scripted-token", "Connection": "close"}


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


def test_checks() -> None:
    """A check sees every request and its complaint fails the test at the end."""
    calls: list[tuple[str, str, str, bytes | None]] = []

    def check(*arguments: Any) -> None:  # noqa: ANN401 - as the server calls it
        calls.append(arguments)
        assert arguments[0] == "POST", "only POST here"

    def session() -> None:
        with ScriptedServer() as server:
            server.checks.append(check)
            requests.post(f"{server.address}{PATH}", json={}, headers=HEADERS, timeout=10)
            requests.get(f"{server.address}{PATH}?expands=users", headers=HEADERS, timeout=10)

    with pytest.raises(AssertionError, match=f"GET {PATH}: only POST here"):
        session()
    assert calls == [("POST", PATH, "", b"{}"), ("GET", PATH, "expands=users", None)]


@pytest.mark.parametrize(
    "way", [Way(delay_seconds=0.3), Way(slice_bytes=100, bytes_per_second=1000)], ids=["latency", "bandwidth"]
)
@pytest.mark.parametrize("direction", ["requests", "answers"])
def test_slow_network(direction: str, way: Way) -> None:
    """Latency and little bandwidth take their time, in either direction, and nothing of what passes is lost."""
    with ScriptedServer() as server, FaultProxy(server.port) as proxy:
        server.store.apply("POST", "/api/v1/projects/1/automation/runs", "", {"name": "n" * 300, "source": "src"})
        setattr(proxy, direction, way)
        began = monotonic()
        run = requests.get(f"{proxy.address}{PATH}", headers={**HEADERS, "X-Long": "x" * 300}, timeout=10)
        assert monotonic() - began >= 0.3
    assert run.json()["result"]["name"] == "n" * 300
