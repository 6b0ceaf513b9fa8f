"""Servers in processes of their own, and who asks them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import requests

from support.processes import line_of, running
from support.repository import ROOT
from support.sessions import clean_environment

_STORE = """
import sys
from pathlib import Path
from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.guard import answered_hosts, listening_address
from pytest_automation_report.server.http.serving import Deadlines, ServeOptions, listening, serve
from pytest_automation_report.server.store.store import Store

store = Store(Path(sys.argv[1]))
*deadlines, connections = map(float, sys.argv[3:])
address = listening_address(sys.argv[2], is_remote_allowed=True)
options = ServeOptions(hosts=answered_hosts(address, ["reports.example.com"]), deadlines=Deadlines(*deadlines),
    connections=int(connections))
serve(store, Token("t"), listening(address, 0), ready=lambda address: print(address, flush=True), options=options)
store.close()
"""
_Serving = AbstractContextManager[tuple[str, subprocess.Popen[str]]]
_DEADLINES = dict.fromkeys(("header", "body", "idle", "drain"), 300.0)


def asking(token: str = "") -> requests.Session:
    """Return a session of a client with this token, whatever the environment says of proxies."""
    session = requests.Session()
    session.trust_env = False
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    return session


RUNS = "/api/v1/projects/1/automation/runs"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
NEW_RUN = b'{"name": "n", "source": "s"}'
WITH_TOKEN = "Authorization: Bearer t"


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def posting(length: int, *more: str, path: str = RUNS, version: str = "1.1") -> bytes:
    """Return the head of a request with a body of this length, and with more lines."""
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read all until the server closes the connection; return status, headers and body of the answer."""
    with connection.makefile("rb") as file:
        head, _, body = file.read().partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def served(folder: Path, *options: str, **variables: str) -> _Serving:
    """Run the command that serves; yield its address and its process, which must end well at the end."""
    command = [sys.executable, "-m", "pytest_automation_report.cli", "serve", "--port", "0", *options]
    return _serving(command, clean_environment(PYTHONPATH=str(ROOT), **variables), folder)


def served_store(
    folder: Path, host: str = "127.0.0.1", *, connections: int = 64, end: int = signal.SIGTERM, **deadlines: float
) -> _Serving:
    """Serve ``store.db`` to the token ``t`` with these deadlines; yield address and process, which must end well."""
    (temporary := folder / "temporary").mkdir()
    numbers = map(str, ({**_DEADLINES, **deadlines}).values())
    command = [sys.executable, "-W", "error", "-c", _STORE, str(folder / "store.db"), host, *numbers, str(connections)]
    return _serving(command, {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}, end=end)


@contextmanager
def _serving(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None, end: int = signal.SIGTERM
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with running(command, environment, folder) as server:
        try:
            yield line_of(server), server
        except Exception as error:
            # A server that ended by itself says why: without its words the failure is a riddle.
            ended = server.poll()
            server.terminate()
            words = server.communicate(timeout=30)
            raise AssertionError(f"with a server that had ended by {ended} and said: {words}") from error
        server.send_signal(end)
        _, said = server.communicate(timeout=30)
        assert (server.returncode, "Traceback" in said) == (0, False), said
