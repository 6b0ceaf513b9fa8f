import json
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
import requests

from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.models import NewRun, Resources
from pytest_automation_report.api.responses import ClientError, RefusedError, UnknownAnswerError
from support.client_fixtures import ClientFor
from support.contract import Contract
from support.raw_sockets import RawServer, answering, head_of
from support.scripted_server.faults import (
    Fault,
    Rule,
    answer,
    applied_but,
    hang,
    html,
    lost_answer,
    redirect,
    reset_before,
    reset_unapplied,
    slow,
)
from support.scripted_server.server import ScriptedServer

TEST = {"key": "k", "name": "n", "folder": "f", "status": "passed"}
BATCH = json.dumps({"tests": [TEST]}).encode()
LARGE = json.dumps({"tests": [TEST], "padding": "x" * 8_000_000}).encode()


def thread_on(client: HttpClient) -> int:
    return client.create_thread(client.create_run(NewRun("n", "src")), Resources())


def error_within(seconds: float, call: Callable[[], Any]) -> ClientError:
    start = monotonic()
    with pytest.raises(ClientError) as caught:
        call()
    assert monotonic() - start < seconds
    return caught.value


def test_double_by_the_contract(server: ScriptedServer, client: HttpClient) -> None:
    """The scripted server answers as the contract says, so that tests against it count."""
    contract = Contract()
    thread = thread_on(client)
    client.append_thread(thread, BATCH)
    headers = {"Authorization": f"Bearer {server.token}"}
    for path in ("automation/runs/1", "automation/runs/9", "automation/runs/1/tests", "projects/7/automation/runs"):
        answer = requests.get(f"{server.address}/api/v1/{path}", headers=headers, timeout=10)
        contract.check_response("GET", f"/api/v1/{path}", answer.status_code, answer.headers, answer.content)
    for path, status in (("complete", 204), ("complete", 422), ("threads", 422), ("append", 422)):
        answer = requests.post(
            f"{server.address}/api/v1/automation/runs/1/{path}", headers=headers, json={}, timeout=10
        )
        assert answer.status_code == status
        where = f"/api/v1/automation/runs/1/{path}"
        contract.check_response("POST", where, answer.status_code, answer.headers, answer.content)


def test_rested_connection(server: ScriptedServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that has rested too long is not used again, since its server may be closing it."""
    monkeypatch.setattr("pytest_automation_report.api.http.IDLE_SECONDS", -1.0)
    run = client.create_run(NewRun("n", "src"))
    client.run(run)
    assert server.connection_count == 2


def test_restarted_server(server: ScriptedServer, client: HttpClient) -> None:
    """A connection that its server has closed meanwhile costs no request."""
    thread = thread_on(client)
    server.down()
    server.up()
    client.append_thread(thread, BATCH)
    assert len(server.results) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "is_applied"),
    [
        pytest.param(lost_answer(), UnknownAnswerError, True, id="reset after applying"),
        pytest.param(reset_unapplied(), UnknownAnswerError, False, id="reset before applying"),
        pytest.param(applied_but(500), UnknownAnswerError, True, id="500 after applying"),
        pytest.param(answer(503), UnknownAnswerError, False, id="503 before applying"),
        pytest.param(html(), UnknownAnswerError, False, id="web page"),
        pytest.param(answer(200, {}), UnknownAnswerError, False, id="200 instead of 204"),
        pytest.param(answer(404, {"message": "Gone."}), RefusedError, False, id="404"),
        pytest.param(hang(), UnknownAnswerError, False, id="hangs after reading"),
        pytest.param(slow(0.2), UnknownAnswerError, True, id="a byte now and then"),
    ],
)
def test_classes_on_the_wire(
    server: ScriptedServer,
    client_for: ClientFor,
    fault: Fault,
    kind: type[ClientError],
    is_applied: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Each fault of a real connection has its class, within the deadline, and the next request works."""
    client = client_for(server.address, deadline_seconds=0.7)
    thread = thread_on(client)
    server.script([Rule("POST", r"/append$", fault)])
    assert type(error_within(3, lambda: client.append_thread(thread, BATCH))) is kind
    assert len(server.results) == is_applied
    client.append_thread(thread, BATCH)
    assert len(server.results) == is_applied + 1


def test_reset_while_sending(server: ScriptedServer, client: HttpClient) -> None:
    """A request whose connection breaks while it is sent may have arrived, as far as a client can tell."""
    thread = thread_on(client)
    server.script([Rule("POST", r"/append$", reset_before())])
    assert type(error_within(5, lambda: client.append_thread(thread, LARGE))) is UnknownAnswerError
    assert server.results == []


@pytest.mark.parametrize("size", [16 * 1024 * 1024 - 100, 17 * 1024 * 1024])
def test_long_answers(server: ScriptedServer, client: HttpClient, size: int) -> None:
    """An answer of up to 16 MiB is read, a longer one is not."""
    run = {"id": 1, "is_completed": False, "total_count": 0}
    server.script([Rule("GET", "", answer(200, {"result": run, "x": "x" * size}))])
    if size < 16 * 1024 * 1024:
        assert client.run(1).id == 1
    else:
        error = error_within(5, lambda: client.run(1))
        assert str(error) == "response larger than 16 MiB"
        assert type(error) is UnknownAnswerError


def test_endless_redirect(client_for: ClientFor) -> None:
    """The body of a redirect is not read to its end, which it need not have."""

    def behave(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with RawServer(behave) as raw:
        error = error_within(5, lambda: client_for(raw.address).run(1))
    assert str(error).endswith("response larger than 16 MiB")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: ScriptedServer, client: HttpClient, status: int) -> None:
    """The host that a redirect names never hears from us."""
    with ScriptedServer() as other:
        server.script([Rule("*", "", redirect(f"{other.address}/api/v1/automation/runs/1", status), count=2)])
        for call in (lambda: client.run(1), lambda: client.complete_run(1, measure_elapsed=True)):
            error = error_within(5, call)
            assert isinstance(error, RefusedError)
            assert error.status == status
        assert other.log == []
        assert other.connection_count == 0


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00\x01\x02", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n", b"HTTP/1.1 103 Early\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"\r\n',
    ],
    ids=[
        "nothing", "no HTTP", "no status", "bad length", "bad chunk", "many headers", "long header", "early",
        "cut chunks",
    ],
)  # fmt: skip
def test_broken_http(client_for: ClientFor, data: bytes) -> None:
    """What is no HTTP, or not to its end, is an unknown answer."""
    with RawServer(answering(data)) as raw:
        assert type(error_within(5, lambda: client_for(raw.address).run(1))) is UnknownAnswerError


@pytest.mark.parametrize("lines", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X-Slow: 1\r\n"])
def test_endless_headers(client_for: ClientFor, lines: bytes) -> None:
    """Headers that go on for ever end at the deadline."""

    def behave(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" if lines.startswith(b"X") else b"")
        while not raw.is_over.wait(0.05):
            connection.sendall(lines)

    with RawServer(behave) as raw:
        client = client_for(raw.address, deadline_seconds=0.5)
        assert type(error_within(3, lambda: client.run(1))) is UnknownAnswerError


def test_body_without_length_that_stops(client_for: ClientFor) -> None:
    """The end that the deadline makes is not taken for the end of a body."""

    def behave(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"result": {"id": 1, "is_completed": 0, "total_count": 0}}')
        connection.recv(1)

    with RawServer(behave) as raw:
        client = client_for(raw.address, deadline_seconds=0.5)
        assert "no complete response within 0.5 s" in str(error_within(3, lambda: client.run(1)))


def test_server_that_does_not_read(client_for: ClientFor) -> None:
    """A request that the server does not take in ends at the deadline."""
    with RawServer(lambda _: raw.is_over.wait(10)) as raw:
        client = client_for(raw.address, deadline_seconds=0.5)
        error = error_within(3, lambda: client.append_thread(1, LARGE))
        raw.is_over.set()
    assert type(error) is UnknownAnswerError


def test_slow_upload(client_for: ClientFor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending may take until the deadline, however short the time for connecting is."""
    monkeypatch.setattr("pytest_automation_report.api.http.CONNECT_SECONDS", 0.2)

    def behave(connection: socket.socket) -> None:
        while head := head_of(connection):
            raw.is_over.wait(0.6)
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while length:
                length -= len(received := connection.recv(min(length, 65536)))
                if not received:
                    return
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with RawServer(behave) as raw:
        client = client_for(raw.address)
        for _ in ("new connection", "kept connection"):
            client.append_thread(1, LARGE)
        assert raw.count == 1
        client._session.close()


def test_no_threads_stay(server: ScriptedServer, client_for: ClientFor) -> None:
    """The thread of a request ends with it, also where the server never answers."""
    client = client_for(server.address, deadline_seconds=0.3)
    before = set(threading.enumerate())
    client.create_run(NewRun("n", "src"))
    server.script([Rule("GET", "", hang())])
    error_within(3, lambda: client.run(1))
    for thread in set(threading.enumerate()) - before:
        if thread.daemon and "make" in thread.name:
            thread.join(3)
            assert not thread.is_alive()
