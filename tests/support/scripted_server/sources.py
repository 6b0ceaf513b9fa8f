"""A scripted server that answers one empty page of sources, with or without TLS, by a clock of its own."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.scripted_server.faults import Fault, Rule
from support.scripted_server.server import ScriptedServer
from support.scripted_server.store import Reply

PAGE: dict[str, Any] = {
    "page": 1, "prev_page": None, "next_page": None, "last_page": 1, "per_page": 15, "total": 0, "result": [],
    "expands": {},
}  # fmt: skip


@contextmanager
def sources_server(
    *, skew_seconds: float = 0.0, date: str | None = None, status: int = 200, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Yield the address, and the requests as they come; ``date`` is the header to send, empty for none."""
    requests: list[str] = []
    reply = Reply(status, PAGE if status == 200 else {"message": "no"}, {} if date is None else {"Date": date})
    with ScriptedServer(tls=tls) as server:
        server.skew_seconds = skew_seconds
        server.checks.append(lambda method, path, query, _: requests.append(f"{method} {path}?{query}"))
        server.script([Rule("GET", "", Fault(applies="no", reply=reply), count=None)])
        yield server.address, requests
