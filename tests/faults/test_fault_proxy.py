"""The fault proxy does what it is told: what the faults of the matrix rest on."""

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from support.fault_proxy import FaultProxy, Way
from support.raw_sockets import RawServer


def echo(connection: socket.socket) -> None:
    """Send back what comes."""
    while data := connection.recv(65536):
        connection.sendall(data)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """Run a proxy before a server that sends back what comes."""
    with RawServer(echo) as server, FaultProxy(server.port) as proxy:
        yield proxy


def connected(proxy: FaultProxy) -> socket.socket:
    """Connect to the proxy: what is under way already meets what was told before."""
    return socket.create_connection(("127.0.0.1", int(proxy.address.rsplit(":", 1)[1])), timeout=10)


@pytest.mark.parametrize(
    ("way", "seconds"),
    [
        pytest.param(Way(), 0.0, id="all-passes"),
        pytest.param(Way(slice_bytes=100, delay_seconds=0.02), 0.15, id="slices-come-slowly"),
        pytest.param(Way(bytes_per_second=5000, slice_bytes=100), 0.19, id="bandwidth"),
    ],
)
@pytest.mark.parametrize("which", ["requests", "answers"])
def test_bytes_pass_whole_and_in_their_time(proxy: FaultProxy, which: str, way: Way, seconds: float) -> None:
    """In either direction everything passes, as slowly as it is told."""
    setattr(proxy, which, way)
    sent, start = bytes(range(250)) * 4, monotonic()
    with connected(proxy) as line, line.makefile("rb") as file:
        line.sendall(sent)
        assert file.read(1000) == sent
        assert seconds <= monotonic() - start < seconds + 5
        line.shutdown(socket.SHUT_WR)
        assert file.read() == b""


def test_hang_after_a_limit(proxy: FaultProxy) -> None:
    """After its limit nothing is heard of a connection that hangs, until the proxy heals."""
    proxy.answers = Way(limit_bytes=3, end="hang")
    with connected(proxy) as line:
        line.sendall(b"abcdef")
        assert line.recv(100) == b"abc"
        line.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.recv(100)
        line.settimeout(10)
        proxy.heal()
        assert line.recv(100) == b""


@pytest.mark.parametrize("which", ["requests", "answers"])
def test_reset_after_a_limit(proxy: FaultProxy, which: str) -> None:
    """After its limit, in either direction, a connection is reset."""
    setattr(proxy, which, Way(limit_bytes=0, end="reset"))
    with connected(proxy) as line:
        line.sendall(b"abcdef")
        with pytest.raises(ConnectionResetError):
            line.recv(100)
