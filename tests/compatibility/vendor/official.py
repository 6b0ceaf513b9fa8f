"""The official command-line tool, installed by npm into the cache, and a server that it accepts: with TLS."""

from __future__ import annotations

import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme

from compatibility.real.workplace import from_npm
from support.checked_server import CheckedServer
from support.needs import needed
from support.sessions import TOKEN, clean_environment

if TYPE_CHECKING:
    from typing_extensions import Self

TOOL_VERSION = "1.5.0"
API_VERSION = "2.4.0"
AUTHORITY = "authority.pem"
"""The file of the authority that signed the server's certificate."""


class SecureServer(CheckedServer):
    """The checked server behind TLS, with a certificate for 127.0.0.1 that nobody but its own authority has signed."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        # The handshake belongs to the request's thread: a slow client must not hold the others up.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        return self

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"


def tool() -> Path:
    """Return the tool's command; skip the test where there is no Node, no npm or no registry."""
    needed("node")
    folder = from_npm(
        f"testmo-cli-{TOOL_VERSION}-{API_VERSION}",
        "the official tool",
        dependencies={"@testmo/testmo-cli": TOOL_VERSION},
        overrides={"@testmo/testmo-api": API_VERSION},
    )
    return folder / "node_modules" / ".bin" / "testmo"


def ran(server: SecureServer, folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tool's commands for automation runs to its end; the server's authority is then in the folder."""
    authority = folder / AUTHORITY
    server.authority.cert_pem.write_to_path(str(authority))
    env = clean_environment(TESTMO_TOKEN=TOKEN, NODE_EXTRA_CA_CERTS=str(authority))
    return subprocess.run(
        [str(tool()), f"automation:run:{command}", "--instance", server.address, *arguments],
        cwd=folder,
        env={**env, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Submitted:
    """What the tool sends for one file: its tests in their order, and the time of the whole in microseconds."""

    tests: list[dict[str, Any]]
    elapsed: int


def submitted(xml: Path, folder: Path) -> Submitted:
    """Return what the tool sends for this XML."""
    with SecureServer(folder / "official.sqlite3", TOKEN) as server:
        about = ("--project-id", "1", "--name", "run", "--source", "suite")
        done = ran(server, folder, "submit", *about, "--results", str(xml))
        assert done.returncode == 0, done.stdout + done.stderr
        appends = [each for each in server.posts("/append") if "/threads/" in each.path]
        (thread,) = server.posts("/threads")
        tests = [test for each in appends for test in each.body.get("tests", [])]
        return Submitted(tests, thread.body["elapsed_computed"])
