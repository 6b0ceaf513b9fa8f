"""Where a session meets a fault of the network or the server: a server, a proxy before it, certificates, settings."""

import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import trustme

from support.fault_proxy import PASSES, FaultProxy, Way
from support.scripted_server.server import ScriptedServer

NAME = "reports.example"
"""A host that only a proxy knows."""

PROXY_PASSWORD = "canary-of-the-proxy"


@dataclass
class Route:
    """What stands between a session and its results, and how all of it is made good again.

    ``options`` are those of the console command, each with its value; pytest has them behind ``-o``.
    """

    server: ScriptedServer
    address: str
    heal: Callable[[], None]
    options: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


def plain(stack: ExitStack, folder: Path, server: ScriptedServer) -> Route:
    """Speak to the server directly; its rules end when it is healed."""
    del stack, folder
    return Route(server, server.address, server.forget)


@dataclass(frozen=True)
class Proxied:
    """Speak through a proxy that does this to every connection until it is healed."""

    requests: Way = PASSES
    answers: Way = PASSES

    def __call__(self, stack: ExitStack, folder: Path, server: ScriptedServer) -> Route:
        """Return the route."""
        del folder
        proxy = stack.enter_context(FaultProxy(server.port))
        proxy.requests, proxy.answers = self.requests, self.answers
        return Route(server, proxy.address, proxy.heal)


@dataclass(frozen=True)
class Encrypted:
    """Speak TLS with a server whose certificate cannot be trusted, or that speaks none, until it is healed."""

    host: str = "127.0.0.1"
    is_expired: bool = False
    is_known: bool = True
    is_plain: bool = False

    def __call__(self, stack: ExitStack, folder: Path, server: ScriptedServer) -> Route:
        """Return the route."""
        del stack
        known, ours = trustme.CA(), folder / "ca.pem"
        known.cert_pem.write_to_path(str(ours))
        ends = datetime.now(timezone.utc) - timedelta(days=1) if self.is_expired else None
        issuer = known if self.is_known else trustme.CA()
        server.restart(tls=None if self.is_plain else context(issuer, self.host, ends))
        return Route(
            server,
            server.address.replace("http:", "https:"),
            lambda: server.restart(tls=context(known, "127.0.0.1")),
            ["--ca-file", str(ours)],
        )


@dataclass(frozen=True)
class Tunnelled:
    """Speak TLS with a server that only a proxy reaches, whose answer to CONNECT is ``refusal`` until it is healed."""

    refusal: bytes | None = None

    def __call__(self, stack: ExitStack, folder: Path, server: ScriptedServer) -> Route:
        """Return the route."""
        known, ours = trustme.CA(), folder / "ca.pem"
        known.cert_pem.write_to_path(str(ours))
        server.restart(tls=context(known, NAME))
        proxy = stack.enter_context(FaultProxy(server.port, is_tunnel=True))
        proxy.refusal = self.refusal
        return Route(
            server,
            f"https://{NAME}",
            proxy.heal,
            ["--ca-file", str(ours)],
            {"HTTPS_PROXY": proxy.address.replace("//", f"//user:{PROXY_PASSWORD}@")},
        )


def context(issuer: trustme.CA, host: str, ends: datetime | None = None) -> ssl.SSLContext:
    """Return a server's side of TLS, with a certificate for this host that ends then."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(host, not_after=ends).configure_cert(made)
    return made
