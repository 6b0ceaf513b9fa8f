"""Faults of network and server, each met by a whole session, by its number in the list of all faults.

1-3 server down, 4-5 errors of servers and gateways, 6 throttling, 7-11 refusals, 12 parts, 13-16 broken answers, 17-20
redirects, TLS, names, proxies, 21-24 disk, 25-35 processes that die or end early, 36 mocked worlds, 37-39 size and
volume, 41-43 identities, nested sessions, spools; not 40 (clocks that jump) and 44 (power). Here is one row for
each mechanism; `unit/delivery/test_outcomes.py` has each answer to each request, `wire/test_transport.py` all of TLS.
"""

import ssl
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Literal

import pytest
import trustme

from support.delivered_results import assert_complete, result_names
from support.fault_projects import GatedProject
from support.fault_proxy import PASSES, FaultProxy, Way
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import (
    Fault,
    Rule,
    cut,
    hang,
    lost_answer,
    throttled,
)
from support.scripted_server.server import ScriptedServer
from support.scripted_server.store import Reply
from support.scripted_server.variants import OPERATIONS, HalfServer
from support.session_processes import RunningSession, acknowledged, spools, wait_for_senders
from support.sessions import TOKEN, send, session_environment
from support.terminal_summary import printed_counts

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


def untrusted(stack: ExitStack, folder: Path, server: ScriptedServer) -> Route:
    """Speak TLS with a server whose certificate nobody has issued that is known, until it is healed."""
    del stack
    known, ours = trustme.CA(), folder / "ca.pem"
    known.cert_pem.write_to_path(str(ours))
    server.restart(tls=context(trustme.CA(), "127.0.0.1"))
    address = server.address.replace("http:", "https:")
    return Route(server, address, lambda: server.restart(tls=context(known, "127.0.0.1")), ["--ca-file", str(ours)])


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


def context(issuer: trustme.CA, host: str) -> ssl.SSLContext:
    """Return a server's side of TLS, with a certificate for this host."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(host).configure_cert(made)
    return made


APPEND, CREATE = OPERATIONS["append-thread"], OPERATIONS["create-run"]
LATEST = 2
"""The test before which the server may have got those before it."""

SLACK_SECONDS = 4.0
"""What a loaded machine may take for pytest's own end."""


class HalfRefusing(HalfServer):
    """Takes the first half of the first append with several tests, and refuses that append."""

    reply = Reply(422, {"message": "The given data was invalid."})


@dataclass(frozen=True)
class Row:
    """A fault, and what a session that meets it leaves.

    ``rules`` and ``route`` make the fault. ``arrives``: whether pytest waits until all is delivered, or leaves it to
    be sent when the fault is over. ``seconds`` bounds that wait, ``says`` is in the summary.
    """

    id: str
    rules: tuple[Rule, ...] = ()
    route: Callable[[ExitStack, Path, ScriptedServer], Route] = plain
    server: Callable[..., ScriptedServer] = ScriptedServer
    arrives: Literal["before the end", "when sent"] = "before the end"
    seconds: float = 10.0
    says: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def all_limits(self) -> dict[str, float]:
        waits = {"exit_down": 10.0} if self.arrives == "before the end" else {"exit_progress": 1.0, "alone": 0.1}
        return {"request": 0.7, "exit_all": self.seconds, **waits, **self.limits}


def always(fault: Fault) -> tuple[Rule, ...]:
    return (Rule("POST", APPEND, fault, count=None),)


def once(fault: Fault, path: str = APPEND) -> tuple[Rule, ...]:
    return (Rule("POST", path, fault),)


def each_operation(name: str, fault: Fault) -> Row:
    """Return a fault that every kind of request meets once."""
    return Row(name, tuple(Rule("POST", path, fault) for path in OPERATIONS.values()), limits={"request": 0.4})


def kept(number: str, route: Callable[[ExitStack, Path, ScriptedServer], Route], says: str) -> Row:
    """Return a fault that lets nothing through from the start."""
    return Row(number, route=route, arrives="when sent", seconds=2.0, says=says)


ROWS = (
    each_operation("lost-answer", lost_answer()),
    each_operation("hang", hang()),
    Row("6-1e9", always(throttled("1000000000")), arrives="when sent", seconds=2.0, says="429"),
    Row("12", server=HalfRefusing),
    Row("13", route=Proxied(answers=Way(slice_bytes=1, delay_seconds=0.2)), arrives="when sent", seconds=3.0),
    Row("14", route=Proxied(answers=Way(limit_bytes=0, end="hang")), arrives="when sent", seconds=3.0),
    Row("14-bandwidth", route=Proxied(requests=Way(slice_bytes=500, bytes_per_second=20_000))),
    Row("15-after", route=Proxied(answers=Way(limit_bytes=0, end="reset")), arrives="when sent", seconds=3.0),
    Row("16-cut", once(cut(3), CREATE)),
    kept("18", untrusted, "TLS: "),
    kept("20-502", Tunnelled(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "502"),
    Row("20-dies-later", once(lost_answer()), route=Tunnelled()),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_row(tmp_path: Path, row: Row) -> None:
    """Pytest's exit code and time are its own; each finished test is on the server once, at the latest when sent."""
    project = GatedProject(tmp_path, 6, LATEST)
    with ExitStack() as stack:
        server = stack.enter_context(checked_scripted_server(row.server(token=TOKEN)))
        route = row.route(stack, tmp_path, server)
        server.script(row.rules)
        env = session_environment(row.all_limits, **route.env)
        settings = [option.removeprefix("--").replace("-", "_") for option in route.options[::2]]
        options = [
            f"-oautomation_report_{name}={value}" for name, value in zip(settings, route.options[1::2], strict=True)
        ]
        with RunningSession(tmp_path, *options, address=route.address, env=env) as running:
            running.until(lambda: project.is_at(LATEST), "the test at the gate")
            project.let_through(LATEST)
            began = monotonic()
            ran = running.end(exits=0)
        assert monotonic() - began < row.seconds + SLACK_SECONDS
        assert PROXY_PASSWORD not in ran.text
        assert row.says in ran.out
        wait_for_senders(tmp_path)
        if row.arrives == "before the end":
            assert printed_counts(ran).delivered == 6, ran.text
        else:
            assert printed_counts(ran).kept == 6, ran.text
            assert len(result_names(server)) == len(set(result_names(server)))
            route.heal()
            send(tmp_path, "--url", route.address, "--project-id", "1", *route.options, env=env, exits=0)
        assert spools(tmp_path) == []
        assert_complete(server, project.names)


def test_real_limits(tmp_path: Path, server: ScriptedServer) -> None:
    """With the limits of every day: pytest leaves a server that is down after 1 s, and its sender goes on alone."""
    project = GatedProject(tmp_path, 6, LATEST)
    env = session_environment()
    del env["_AUTOMATION_REPORT_LIMITS"]
    server.down()
    with RunningSession(tmp_path, address=server.address, env=env) as running:
        running.until(lambda: project.is_at(LATEST), "the test at the gate")
        project.let_through(LATEST)
        began = monotonic()
        ran = running.end()
        waited = monotonic() - began
    server.up()
    assert (ran.exit, printed_counts(ran).kept) == (0, 6)
    assert 1.0 <= waited < 1.0 + SLACK_SECONDS
    wait_for_senders(tmp_path)
    assert acknowledged(tmp_path) == 0
    assert spools(tmp_path) == []
    assert_complete(server, project.names)
