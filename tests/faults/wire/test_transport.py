import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trustme

from pytest_automation_report.api.models import NewRun
from pytest_automation_report.api.responses import ClientError, NotSentError, RefusedError, UnknownAnswerError
from support.client_fixtures import ClientFor
from support.fault_proxy import FaultProxy
from support.raw_sockets import RawServer, answering, head_of
from support.scripted_server.faults import Rule, answer, hang, slow
from support.scripted_server.server import ScriptedServer

NAME = "reports.example"
RUN = NewRun("n", "src")


def failure(call: Callable[[], Any]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Callable[[str], ScriptedServer]]:
    with ExitStack() as stack:

        def start(name: str) -> ScriptedServer:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ends = datetime.now(timezone.utc) - timedelta(days=1) if name == "expired" else None
            authority.issue_cert("127.0.0.1" if ends else name, not_after=ends).configure_cert(context)
            return stack.enter_context(ScriptedServer(tls=context))

        yield start


@pytest.fixture
def everything_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every host name resolve to this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **options: real("127.0.0.1", *rest, **options))


def test_tls_with_a_ca_file(secure: Callable[[str], ScriptedServer], client_for: ClientFor, ca_file: str) -> None:
    """A server whose certificate the CA file vouches for is spoken to, over one kept connection."""
    server = secure("127.0.0.1")
    client = client_for(server.address, ca_file=ca_file)
    run = client.create_run(RUN)
    assert client.run(run).id == run
    assert server.connection_count == 1


@pytest.mark.parametrize(
    ("name", "trusted", "why"),
    [
        ("127.0.0.1", "", "TLS: "),
        ("other.example", "{ca_file}", "TLS: "),
        ("expired", "{ca_file}", "TLS: "),
        ("127.0.0.1", "{ca_file}.gone", ""),
    ],
    ids=["issuer", "name", "expired", "missing"],
)
def test_tls_refused(
    secure: Callable[[str], ScriptedServer], client_for: ClientFor, ca_file: str, name: str, trusted: str, why: str
) -> None:
    """An unknown issuer, a certificate for another name or a past day, or no CA file ends before a header is sent."""
    server = secure(name)
    error = failure(lambda: client_for(server.address, ca_file=trusted.format(ca_file=ca_file)).create_run(RUN))
    assert type(error) is NotSentError
    assert why in str(error)
    assert server.log == []


@pytest.mark.parametrize("fault", [hang(), slow(0.2)])
def test_tls_deadline(
    secure: Callable[[str], ScriptedServer],
    client_for: ClientFor,
    ca_file: str,
    fault: Any,  # noqa: ANN401 - a Fault
) -> None:
    """The deadline cuts an encrypted answer off as it does a plain one."""
    server = secure("127.0.0.1")
    server.script([Rule("POST", "", fault)])
    client = client_for(server.address, ca_file=ca_file, deadline_seconds=0.6)
    error = failure(lambda: client.create_run(RUN))
    assert type(error) is UnknownAnswerError
    assert "no complete response within 0.6 s" in str(error)


def test_tls_to_a_server_without_it(server: ScriptedServer, client_for: ClientFor) -> None:
    """A server that speaks no TLS was sent nothing."""
    client = client_for(server.address.replace("http:", "https:"))
    error = failure(lambda: client.create_run(RUN))
    assert (type(error), "TLS: " in str(error), server.log) == (NotSentError, True, [])


def test_tls_handshake_deadline(client_for: ClientFor) -> None:
    """A server that accepts and never shakes hands was sent nothing."""
    with RawServer(lambda _: raw.is_over.wait(10)) as raw:
        client = client_for(raw.address.replace("http:", "https:"), deadline_seconds=0.4)
        error = failure(lambda: client.create_run(RUN))
        raw.is_over.set()
    assert type(error) is NotSentError


def test_tls_through_a_proxy(secure: Callable[[str], ScriptedServer], client_for: ClientFor, ca_file: str) -> None:
    """An https address is tunnelled: the proxy gets its own password and never sees the token."""
    server = secure(NAME)
    with FaultProxy(server.port, is_tunnel=True) as proxy:
        proxies = {"https": proxy.address.replace("//", "//user:secret@")}
        client = client_for(f"https://{NAME}", proxies=proxies, ca_file=ca_file)
        run = client.create_run(RUN)
        assert client.run(run).id == run
        client._session.close()  # the tunnel ends before its proxy
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {NAME}:443 HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic " in head
    assert b"scripted-token" not in head
    assert "proxy-authorization" not in server.log[0].headers


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"",
        b"nonsense\r\n\r\n",
    ],
    ids=["407", "502", "dies", "nonsense"],
)
def test_proxy_that_refuses(client_for: ClientFor, reply: bytes) -> None:
    """A proxy that makes no tunnel means that nothing was sent, and its password is in no message."""
    with RawServer(answering(reply)) as proxy:
        proxies = {"https": f"http://user:secret@127.0.0.1:{proxy.port}"}
        error = failure(lambda: client_for(f"https://{NAME}", proxies=proxies).create_run(RUN))
    assert type(error) is NotSentError
    assert "secret" not in str(error)


def test_proxy_that_dawdles(client_for: ClientFor) -> None:
    """The deadline covers the proxy's answer too, however slowly it drips."""

    def behave(connection: socket.socket) -> None:
        head_of(connection)
        while not proxy.is_over.wait(0.05):
            connection.sendall(b"H")

    with RawServer(behave) as proxy:
        proxies = {"https": f"http://127.0.0.1:{proxy.port}"}
        client = client_for(f"https://{NAME}", proxies=proxies, deadline_seconds=0.5)
        error = failure(lambda: client.create_run(RUN))
    assert type(error) is NotSentError
    assert "0.5 s" in str(error)


def test_forwarding_proxy(server: ScriptedServer, client_for: ClientFor) -> None:
    """A plain http address goes to the proxy as a whole, and its refusal is a refusal."""
    server.script([Rule("POST", "", answer(407), first=2)])
    client = client_for(f"http://{NAME}", proxies={"http": server.address})
    assert client.create_run(RUN) == 1
    assert server.log[0].headers["host"] == NAME
    assert isinstance(failure(lambda: client.create_run(RUN)), RefusedError)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:1", "http://", "http://user:secret@", "http://user:secret@[::1", "http://user:secret@h:x",
        "http://user:secret@a b", "127.0.0.1:1",
    ],
)  # fmt: skip
def test_proxies_that_cannot_be_used(client_for: ClientFor, proxy: str) -> None:
    """A proxy of another kind, a mistyped or a dead one means that nothing was sent."""
    error = failure(lambda: client_for(f"http://{NAME}", proxies={"http": proxy}).create_run(RUN))
    assert type(error) is NotSentError
    assert "secret" not in str(error)


def test_loopback_never_through_a_proxy(server: ScriptedServer, client_for: ClientFor) -> None:
    """A server on this machine is spoken to directly, whatever proxy is set."""
    client = client_for(server.address, proxies={"http": "http://127.0.0.1:1"})
    assert client.create_run(RUN) == 1


@pytest.mark.usefixtures("everything_is_here")
def test_environment_is_ignored(
    server: ScriptedServer, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a .netrc nor proxy variables of the environment change where and as whom we speak."""
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {NAME} login eve password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        assert client_for(f"http://{NAME}:{server.port}").create_run(RUN) == 1
        assert proxy.log == []
    assert server.log[0].headers["authorization"] == "Bearer scripted-token"


@pytest.mark.usefixtures("everything_is_here")
def test_no_proxy(server: ScriptedServer, client_for: ClientFor) -> None:
    """A host that no_proxy names is spoken to directly."""
    proxies = {"http": "http://127.0.0.1:1", "no_proxy": "example"}
    assert client_for(f"http://{NAME}:{server.port}", proxies=proxies).create_run(RUN) == 1


def test_cookies_are_not_kept(server: ScriptedServer, client_for: ClientFor) -> None:
    """A cookie that the server sets does not come back to it."""
    server.script([Rule("POST", "", answer(201, {"id": 1}, {"Set-Cookie": "a=b; Path=/"}))])
    client = client_for(server.address)
    client.create_run(RUN)
    client.create_run(RUN)
    assert "cookie" not in server.log[1].headers


def test_slow_name_server(client_for: ClientFor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer ends at the deadline as not sent."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    start = monotonic()
    error = failure(lambda: client_for(f"http://{NAME}", deadline_seconds=0.3).run(1))
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
    assert client_for(f"http://reports.example:{server.port}").create_run(NewRun("n", "src")) == 1
