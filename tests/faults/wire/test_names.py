import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from pytest_automation_report.api.models import NewRun
from pytest_automation_report.errors import ClientError, NotSentError
from support.client_fixtures import ClientFor
from support.scripted_server.server import ScriptedServer


def failure(call: Callable[[], Any]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


def test_slow_name_server(client_for: ClientFor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer ends at the deadline as not sent."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    start = monotonic()
    try:
        error = failure(lambda: client_for("http://reports.example", deadline_seconds=0.3).run(1))
    finally:
        release.set()
    assert monotonic() - start < 3
    assert type(error) is NotSentError


@pytest.mark.parametrize("problem", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_unknown_name(client_for: ClientFor, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    """A name that does not resolve means that nothing was sent."""

    def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = failure(lambda: client_for("http://reports.example").run(1))
    assert type(error) is NotSentError


def test_second_address(server: ScriptedServer, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a host's first address does not answer, the next one is tried."""
    real = socket.getaddrinfo
    closed = socket.create_server(("127.0.0.1", 0))
    dead_port = closed.getsockname()[1]
    closed.close()

    def both(_: str, port: int, *options: Any) -> list[Any]:  # noqa: ANN401 - getaddrinfo's
        return [*real("127.0.0.1", dead_port, *options), *real("127.0.0.1", port, *options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    port = server.address.rsplit(":", 1)[1]
    assert client_for(f"http://reports.example:{port}").create_run(NewRun("n", "src")) == 1
