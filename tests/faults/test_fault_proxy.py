"""The fault proxy does what it is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from time import monotonic

import pytest

from support.fault_proxy import FaultProxy, Way


@pytest.fixture
def echo_port() -> Iterator[int]:
    """Send back what comes, each connection in its turn."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):  # the proxy may end it
                data = connection.recv(65536)
                if data == b"stop":
                    return
                while data:
                    connection.sendall(data)
                    data = connection.recv(65536)

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    yield port
    with closing(socket.create_connection(("127.0.0.1", port))) as stopper:
        stopper.sendall(b"stop")
        thread.join()
    listener.close()


@pytest.fixture
def proxy(echo_port: int) -> Iterator[FaultProxy]:
    before = threading.active_count()
    with FaultProxy(echo_port) as proxy:
        yield proxy
    assert threading.active_count() == before


@pytest.fixture
def line(proxy: FaultProxy) -> Iterator[socket.socket]:
    port = int(proxy.address.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        yield line


def test_all_passes(line: socket.socket) -> None:
    """Without a script it carries everything, and the end of each side."""
    sent = bytes(range(256)) * 1000

    def send() -> None:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    with line.makefile("rb") as file:
        assert file.read() == sent
    thread.join()


def test_slices_come_slowly(proxy: FaultProxy, line: socket.socket) -> None:
    """Each slice comes after its delay, so that all of them take as long as their delays together."""
    proxy.answers = Way(slice_bytes=1, delay_seconds=0.05)
    start = monotonic()
    line.sendall(b"first")
    with line.makefile("rb") as file:
        assert file.read(5) == b"first"
    assert 0.15 < monotonic() - start < 5


def test_bandwidth(proxy: FaultProxy, line: socket.socket) -> None:
    """So many bytes a second pass."""
    proxy.requests = Way(bytes_per_second=5000, slice_bytes=100)
    start = monotonic()
    line.sendall(b"x" * 1000)
    with line.makefile("rb") as file:
        assert len(file.read(1000)) == 1000
    assert monotonic() - start > 0.19


def test_close_after_a_limit(proxy: FaultProxy, line: socket.socket) -> None:
    """After its limit a connection is closed in order."""
    proxy.answers = Way(limit_bytes=3)
    line.sendall(b"abcdef")
    with line.makefile("rb") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize("which", ["requests", "answers"])
def test_reset_after_a_limit(proxy: FaultProxy, line: socket.socket, which: str) -> None:
    """After its limit, in either direction, a connection is reset."""
    setattr(proxy, which, Way(limit_bytes=0, end="reset"))
    line.sendall(b"abcdef")
    with pytest.raises(ConnectionResetError):
        line.recv(100)


def test_hang_ends_with_the_proxy(proxy: FaultProxy, line: socket.socket) -> None:
    """Of a connection that hangs nothing is heard until the proxy is told to heal."""
    proxy.answers = Way(limit_bytes=0, end="hang")
    line.sendall(b"abcdef")
    line.settimeout(0.1)
    with pytest.raises(TimeoutError):
        line.recv(100)
    line.settimeout(10)
    proxy.heal()
    assert line.recv(100) == b""


def test_off_and_on(proxy: FaultProxy, line: socket.socket) -> None:
    """While it is off nobody gets in; afterwards it listens where it did."""
    line.sendall(b"a")
    assert line.recv(1) == b"a"
    address = proxy.address
    port = int(address.rsplit(":", 1)[1])
    proxy.off()
    assert line.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    proxy.on()
    assert proxy.address == address
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as again:
        again.sendall(b"b")
        assert again.recv(1) == b"b"
    assert proxy.connection_count == 2
