from collections.abc import Callable, Iterable

import pytest
from falcon.testing import TestClient

from support.contract import Contract
from support.service import API

JSON = {"Content-Type": "application/json"}
RUN = f"{API}/automation/runs/1"
APPEND = f"{API}/automation/runs/threads/1/append"


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", f"{API}/nothing", "", None), ("PUT", RUN, "", b"{}"), ("GET", f"{API}/automation/runs/0", "", None),
        ("GET", f"{API}/automation/runs/x", "", None), ("GET", RUN, "unknown=1", None), ("GET", RUN, "", b"{}"),
        ("GET", f"{API}/projects/1/automation/runs", "per_page=16", None),
        ("GET", f"{API}/projects/1/automation/runs", "status=5", None), ("POST", APPEND, "", None),
        ("POST", APPEND, "", b"{"),
        ("POST", APPEND, "", b'{"tests": [{"key": "A", "name": "n", "folder": "f", "status": "s"}]}'),
        ("POST", f"{RUN}/complete", "", None),
    ],
)  # fmt: skip
def test_wrong_requests_are_told(contract: Contract, method: str, path: str, query: str, body: bytes | None) -> None:
    """A request that the contract does not have is told: paths, methods, parameters and bodies are all checked."""
    with pytest.raises(AssertionError, match=path):
        contract.check_request(method, path, query, body)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, JSON, b'{"result": {}}'), (200, {}, b'{"message": "m"}'), (302, JSON, b"{}"), (404, JSON, b"{}"),
        (404, JSON, b"<p>"), (405, {}, b""), (500, {"content-type": "text/html"}, b"{}"),
        (503, JSON, b'{"message": "m"}'),
    ],
)  # fmt: skip
def test_wrong_answers_are_told(contract: Contract, status: int, headers: dict[str, str], body: bytes) -> None:
    """An answer that the contract does not have is told: statuses, types and bodies are all checked."""
    with pytest.raises(AssertionError, match=str(status)):
        contract.check_response("GET", RUN, status, headers, body)
    with pytest.raises(AssertionError, match="204"):
        contract.check_response("POST", APPEND, 204, {}, b"x")


def test_a_wrapped_application_tells_its_violations_loudly(contract: Contract) -> None:
    """A wrong answer is raised where it happens and kept for who looks later."""

    def application(_: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"result": {}}']

    client = TestClient(contract.wsgi(application))
    with pytest.raises(AssertionError, match="untested_count"):
        client.simulate_get(RUN)
    assert len(contract.violations) == 1
    assert client.simulate_get("/healthz").status_code == 200
