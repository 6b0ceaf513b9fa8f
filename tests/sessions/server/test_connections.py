"""Connections of a served store: who may hold one, for how long, and which bodies are read."""

import json
import subprocess
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from io import BufferedIOBase
from itertools import repeat
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from support.scripted_server.server import ScriptedServer
from support.service import Service, a_test
from support.serving import HEALTH, NEW_RUN, RUNS, WITH_TOKEN, answer_of, asking, connect, posting, served_store

MEBI = 1024 * 1024


@pytest.mark.parametrize("more", [(), ("Authorization: Bearer wrong",), ("Expect: 100-continue",)])
def test_a_body_without_the_token_is_refused_by_its_header(tmp_path: Path, more: tuple[str, ...]) -> None:
    """The answer comes before the first byte of the body, in the form of all errors, and is the last one."""
    with served_store(tmp_path) as (address, _), connect(address) as connection:
        connection.sendall(posting(16 * MEBI, *more))
        status, headers, body = answer_of(connection)
    assert (status, headers["www-authenticate"]) == (401, "bearer")
    assert "Authorization: Bearer TOKEN" in json.loads(body)["message"]


def test_a_body_without_the_token_is_never_on_the_disk(tmp_path: Path) -> None:
    """However it is sent, no temporary file is made for it; a client that reads only afterwards reads the answer."""
    with served_store(tmp_path) as (address, server), asking() as session:

        def parts() -> Iterator[bytes]:
            for _ in range(200):
                yield b" " * (MEBI // 8)
                assert [name for name in _open_files(server) if "temporary" in name] == []

        for body in (b" " * (20 * MEBI), parts()):
            answer = session.post(address + RUNS, data=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 401


def _open_files(server: subprocess.Popen[str]) -> set[str]:
    """Return the paths of a process' open files, deleted ones included; empty where there is no /proc."""
    folder = Path(f"/proc/{server.pid}/fd")
    found = set()
    for each in folder.iterdir() if folder.exists() else ():
        with suppress(FileNotFoundError):  # closed since the folder was listed
            found.add(str(each.readlink()))
    return found


def test_what_follows_a_refused_header_is_no_request(tmp_path: Path) -> None:
    """The body of a refused request is thrown away, also where it looks like a request with the token."""
    inner = posting(len(NEW_RUN), WITH_TOKEN) + NEW_RUN
    with served_store(tmp_path) as (address, _):
        with connect(address) as connection:
            connection.sendall(posting(len(inner)) + inner)
            with connection.makefile("rb") as file:
                assert file.read().count(b"HTTP/1.1") == 1
        with asking("t") as session:
            assert session.get(address + RUNS).status_code == 404, "no run was made"


def test_a_client_that_sends_on_after_a_refusal_is_cut_off(tmp_path: Path) -> None:
    """What it sends is read for some time, so that it can read the answer, and not for ever."""
    with served_store(tmp_path, drain=0.3) as (address, _), connect(address) as connection:
        connection.sendall(posting(10**7))
        with pytest.raises(OSError, match=r"reset|pipe"):
            deque(map(connection.sendall, repeat(b" " * 1024)))


@pytest.mark.parametrize("sent", [b"", HEALTH], ids=["new", "kept"])
def test_a_connection_without_a_request_is_closed(tmp_path: Path, sent: bytes) -> None:
    """A client that says nothing, at first or after an answer, holds its connection for seconds only."""
    with served_store(tmp_path, idle=0.5) as (address, _), connect(address) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as file:
            answer = file.read()
        assert answer[:12] == (b"HTTP/1.1 200" if sent else b"")


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nX-Slow: "], ids=["idle", "half a header"])
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_a_flood_of_connections_makes_room_for_requests(tmp_path: Path, sent: bytes) -> None:
    """However long they might wait, connections without a request give way, the oldest first; no more are open."""
    with served_store(tmp_path) as (address, server), ExitStack() as flood:
        before = len(_descriptors(server))
        for _ in range(150):
            flood.enter_context(connect(address)).sendall(sent)
        session = flood.enter_context(asking())
        with ThreadPoolExecutor(1) as pool:
            asked, most = pool.submit(session.get, f"{address}/healthz", timeout=60), 0
            while not asked.done():
                most = max(most, len(_descriptors(server)))
                wait([asked], 0.02)
        assert asked.result().status_code == 200
        assert before + 32 < most <= before + 64


def _descriptors(server: subprocess.Popen[str]) -> list[Path]:
    return list(Path(f"/proc/{server.pid}/fd").iterdir())


def test_a_request_with_the_token_does_not_give_way(tmp_path: Path) -> None:
    """A body that is still arriving is no empty connection: it is taken, whatever crowd is at the door."""
    with served_store(tmp_path, connections=16) as (address, _), ExitStack() as flood:
        sender = flood.enter_context(connect(address))
        sender.sendall(posting(len(NEW_RUN), WITH_TOKEN, "Connection: close") + NEW_RUN[:5])
        for _ in range(40):
            flood.enter_context(connect(address))
        assert flood.enter_context(asking()).get(f"{address}/healthz", timeout=60).status_code == 200
        sender.sendall(NEW_RUN[5:])
        assert answer_of(sender)[0] == 201


def _healthy(file: BufferedIOBase) -> None:
    """Require that the next answer says that the server is well."""
    assert file.readline().startswith(b"HTTP/1.1 200")
    assert b'{"status":"ok"}' in iter(lambda: file.readline(15), b"")


def test_two_hundred_clients_are_served_at_once(tmp_path: Path) -> None:
    """As many sessions as a large pipeline has keep their connections and are all answered."""
    with served_store(tmp_path, connections=512) as (address, _), ExitStack() as clients:
        opened = [clients.enter_context(connect(address)) for _ in range(200)]
        for _ in range(2):
            for client in opened:
                client.sendall(HEALTH)
            for client in opened:
                with client.makefile("rb") as file:
                    _healthy(file)


def test_a_connection_in_use_stays_open(tmp_path: Path) -> None:
    """A client that asks now and then keeps its connection, however short its requests and however busy the server."""
    with served_store(tmp_path, idle=0.5) as (address, _), ExitStack() as clients:
        files = [clients.enter_context(clients.enter_context(connect(address)).makefile("rwb")) for _ in range(2)]

        def ask(number: int) -> None:
            files[number].write(HEALTH)
            files[number].flush()
            _healthy(files[number])

        for _ in range(8):
            end = monotonic() + 0.3
            while monotonic() < end:
                ask(0)
            ask(1)


def test_every_answer_with_an_empty_body_keeps_its_connection(tmp_path: Path) -> None:
    """204 has no length and needs none: a batch after the other goes over one connection."""
    with served_store(tmp_path) as (address, _), asking("t") as session:
        api = f"{address}/api/v1/automation/runs"
        for path, body in ((address + RUNS, {"name": "n", "source": "s"}), (f"{api}/1/threads", {})):
            assert session.post(path, json=body).json() == {"id": 1}
        for number in range(5):
            answer = session.post(f"{api}/threads/1/append", json={"tests": [a_test(number)]})
            headers = [answer.headers.get(name) for name in ("Connection", "Content-Length")]
            assert (answer.status_code, headers) == (204, [None, None])
        (pool,) = session.get_adapter(address).poolmanager.pools._container.values()  # type: ignore[attr-defined] # of requests
        assert pool.num_connections == 1


def test_a_client_that_asks_for_it_is_closed(tmp_path: Path) -> None:
    """Connection: close, and HTTP/1.0 without more, end the connection after an answer without a body, too."""
    path = "/api/v1/automation/runs/1/append"
    with served_store(tmp_path) as (address, _):
        with asking("t") as session:
            session.post(address + RUNS, json={"name": "n", "source": "s"})
        for version, more in (("1.1", ("Connection: close",)), ("1.0", ())):
            with connect(address) as connection:
                connection.sendall(posting(2, WITH_TOKEN, *more, path=path, version=version) + b"{}")
                status, headers, _ = answer_of(connection)
            assert (status, headers["connection"]) == (204, "close")


def test_no_address_that_it_was_given_is_asked(service: Service) -> None:
    """Whatever addresses come with runs, threads and tests, and are read and shown again: nobody hears of them."""
    with ScriptedServer() as elsewhere:
        place = {"name": "Log", "url": f"{elsewhere.address}/picture.png"}
        field = {"type": 5, "name": "Address", "value": place["url"]}
        given: dict[str, Any] = {"artifacts": [place], "fields": [field]}
        run_id = service.new_run(links=[place], **given)
        service.append(service.new_thread(run_id, **given), a_test(1, **given))
        assert place["url"] in service.get(f"/automation/runs/{run_id}").text
        assert service.get(f"/automation/runs/{run_id}/tests").json["total"] == 1
        service.complete(run_id)
        assert elsewhere.connection_count == 0
