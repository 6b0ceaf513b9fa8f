"""A scripted server reached by requests sessions of this process, without a socket.

Faults of the wire (bytes that drip, bodies cut short, deadlines) need real sockets.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from pytest_automation_report.api.client import Client
from pytest_automation_report.api.http import HttpClient, current_attempt, new_session
from pytest_automation_report.api.models import Endpoint, Token
from pytest_automation_report.delivery.stores import connected
from support.scripted_server.faults import ResetByScriptError
from support.scripted_server.server import SERVERS_IN_PROCESS, ScriptedServer
from support.scripted_server.store import Reply
from support.sessions import TOKEN


class ScriptedAdapter(BaseAdapter):
    """Hands requests to a server that is up in this process, and tells the current attempt as connections do."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__()
        self._server = server

    def send(self, request: PreparedRequest, **_: object) -> Response:  # type: ignore[override]  # the rest is for sockets
        """Return the server's answer, or raise what requests raises for a server that is away or resets."""
        attempt = current_attempt()
        assert attempt is not None
        attempt.is_connected = False
        if not self._server.is_up:
            raise requests.ConnectionError("Connection refused")
        parts = urlsplit(request.url or "")
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        seen, fault = self._server.received(request.method or "GET", parts.path, parts.query, headers)
        assert fault.cut_bytes == fault.byte_seconds == 0, "this fault needs a socket"
        attempt.is_connected = True
        if fault.reset == "before":
            raise requests.ConnectionError("Connection reset by peer")
        seen.take_body(bytes_of(request.body))
        try:
            reply = self._server.respond(seen, fault)
        except ResetByScriptError:
            raise requests.ConnectionError("Connection reset by peer") from None
        except ConnectionError as error:
            raise requests.ConnectionError(str(error)) from None
        return response_to(request, reply)

    def close(self) -> None:
        """Keep the server."""


def response_to(request: PreparedRequest, reply: Reply) -> Response:
    response = Response()
    response.status_code = reply.status
    response.headers = CaseInsensitiveDict(reply.headers)
    body = reply.raw
    if body is None:
        body = b"" if reply.document is None else json.dumps(reply.document).encode()
    response.raw = io.BytesIO(body)
    response.url, response.request = request.url or "", request
    return response


def bytes_of(body: object) -> bytes:
    read = getattr(body, "read", None)
    if read is not None:
        body = read()
    assert body is None or isinstance(body, bytes)
    return body or b""


@contextmanager
def client_of(origin: str, *, deadline_seconds: float = 5.0, token: str = TOKEN) -> Iterator[Client]:
    """Yield a client of project 1 on the server at this origin: one that is up in this process, or over the network."""
    server = SERVERS_IN_PROCESS.get(origin)
    if server is None:
        with connected(Endpoint(origin, 1), Token(token), deadline_seconds=deadline_seconds) as client:
            yield client
        return
    with new_session(proxies={}, ca_file="") as session:
        session.mount(origin, ScriptedAdapter(server))
        yield HttpClient(session, origin, Token(token), project_id=1, deadline_seconds=deadline_seconds)
