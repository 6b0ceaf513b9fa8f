import pickle
import socket
import traceback
from typing import Any

import pytest

from pytest_automation_report.api.http import HttpClient
from pytest_automation_report.api.responses import ClientError
from support.client_fixtures import ClientFor
from support.raw_sockets import RawServer, head_of
from support.scripted_server.faults import (
    Fault,
    Rule,
    answer,
    cut,
    hang,
    html,
    lost_answer,
    redirect,
    reset_before,
    throttled,
)
from support.scripted_server.server import ScriptedServer

CANARY = "canary-9f86d081884c7d65"


def everything_in(error: BaseException) -> str:
    """Return all texts that an error carries, those of errors behind it and of what hangs on them included."""
    parts = ["".join(traceback.format_exception(error))]
    seen: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            parts += [repr(each), str(each), repr(vars(each))]
            parts += [repr(vars(value)) for value in vars(each).values() if hasattr(value, "__dict__")]
            todo += [each.__cause__, each.__context__, *each.args]
    return "\n".join(parts)


@pytest.mark.parametrize(
    "fault",
    [
        answer(401, {"message": f"bad token {CANARY}", "errors": {CANARY: [f"Bearer {CANARY}"]}}),
        answer(422, {"message": f"Bearer {CANARY}"}), answer(500, {"message": CANARY}), html(),
        redirect(f"https://evil.example/?t={CANARY}"), throttled(CANARY), cut(3), hang(), lost_answer(), reset_before(),
        answer(200, {"result": {"id": CANARY}}),
    ],
)  # fmt: skip
def test_errors_without_the_token(server: ScriptedServer, client_for: ClientFor, fault: Fault) -> None:
    """No error shows or carries the token, also when the server echoes it."""
    server.token = CANARY
    server.script([Rule("GET", "", fault)])
    client = client_for(server.address, token=CANARY, deadline_seconds=0.5)
    with pytest.raises(ClientError) as caught:
        client.run(1)
    assert CANARY not in everything_in(caught.value)


def test_echo_in_a_status_line(client_for: ClientFor) -> None:
    """A server that answers with the request's own headers does not get the token into a message."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(head_of(connection).replace(b"\r\n", b" ") + b"\r\n\r\n")

    with RawServer(behave) as raw, pytest.raises(ClientError) as caught:
        client_for(raw.address, token=CANARY).run(1)
    assert CANARY not in everything_in(caught.value)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "nonsense", "https://127.0.0.1:1", "http://[::1"])
def test_unsent_errors_without_the_token(client_for: ClientFor, origin: str) -> None:
    """An error from before the connection carries no token either."""
    with pytest.raises(ClientError) as caught:
        client_for(origin, token=CANARY).run(1)
    assert CANARY not in everything_in(caught.value)


def test_objects_without_the_token(server: ScriptedServer, client_for: ClientFor) -> None:
    """Neither the client nor its session shows the token, before and after a request."""
    server.token = CANARY
    client: HttpClient = client_for(server.address, token=CANARY)
    assert client.knows_keys is False
    session = client._session
    server.script([Rule("GET", "", answer(200, {"result": {"id": 1, "is_completed": True, "total_count": 0}}))])
    client.run(1)
    assert server.log[0].headers["authorization"] == f"Bearer {CANARY}"
    assert repr(client) == f"HttpClient('{server.address}', project_id=7)"
    for each in (client, session, *session.adapters.values()):
        assert CANARY not in f"{each!r}{each}{vars(each)}"
    assert CANARY not in str(session.headers)
    assert CANARY.encode() not in pickle.dumps(session.headers)


def test_no_log_has_the_token(server: ScriptedServer, client_for: ClientFor, caplog: pytest.LogCaptureFixture) -> None:
    """What the libraries log at their most talkative has no token in it."""
    server.token = CANARY
    with caplog.at_level(0), pytest.raises(ClientError):
        client_for(server.address, token=CANARY).run(1)
    assert "GET /api/v1/automation/runs/1" in caplog.text
    assert CANARY not in caplog.text
