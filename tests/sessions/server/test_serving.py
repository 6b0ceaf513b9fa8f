import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pytest_automation_report.cli.main import main
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.http.guard import TOKEN_VARIABLE, listening_address, server_token, token_beside
from pytest_automation_report.server.store.reads import run_rows
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import RunSubmission
from support.commands import command_runner
from support.contract import Contract
from support.service import a_test
from support.serving import NEW_RUN, RUNS, WITH_TOKEN, answer_of, asking, connect, posting, served_store


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_answers_until_it_is_told_to_end(tmp_path: Path, contract: Contract, number: signal.Signals) -> None:
    """It says where it listens, keeps to the contract over a socket, and ends by itself on either signal."""
    with served_store(tmp_path, end=number) as (address, _), asking("t") as session:
        assert address.startswith("http://127.0.0.1:")
        runs, api = f"{address}{RUNS}", f"{address}/api/v1/automation/runs"
        for path, status in ((f"{address}/healthz", 200), (runs, 401)):
            assert session.get(path, headers={"Authorization": ""}).status_code == status
        for path, body in ((runs, {"name": "n", "source": "s"}), (f"{api}/1/threads", {})):
            assert session.post(path, json=body).json() == {"id": 1}
        tests = {"tests": [a_test(each) for each in range(5_000)]}
        assert session.post(f"{api}/threads/1/append", json=tests).status_code == 204
        answer = session.get(f"{api}/1")
        assert answer.json()["result"]["total_count"] == 5_000
        path = "/api/v1/automation/runs/1"
        contract.check_response("GET", path, answer.status_code, answer.headers, answer.content)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["store.db"], "its log is gone, too"


def test_a_request_that_has_begun_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    """A signal in the middle of an append cuts nobody's answer off."""
    with served_store(tmp_path) as (address, server), asking("t") as session:
        session.post(f"{address}{RUNS}", json={"name": "n", "source": "s"})
        with _writing(tmp_path) as other, connect(address) as waiting:
            waiting.sendall(posting(len(NEW_RUN), WITH_TOKEN, "Connection: close") + NEW_RUN)
            total = session.get(f"{address}{RUNS}").json()["total"]
            assert total == 1, "the later request is answered, so the first has begun"
            server.send_signal(signal.SIGTERM)
            other.execute("ROLLBACK")
            assert answer_of(waiting)[0] == 201
        assert server.wait(15) == 0


def _writing(folder: Path) -> closing[sqlite3.Connection]:
    """Return a connection of another process that has begun to write, so that all others wait."""
    other = sqlite3.connect(folder / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return closing(other)


def test_a_server_on_ipv6_shows_its_address_in_brackets(tmp_path: Path) -> None:
    """The address that is shown is one that works."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with served_store(tmp_path, "::1") as (address, _), asking("t") as session:
        assert address.startswith("http://[::1]:")
        assert session.get(f"{address}/healthz").status_code == 200


@pytest.mark.parametrize(
    "begun", [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", posting(1000) + b"{"], ids=["header", "body"]
)
def test_a_request_that_takes_too_long_to_arrive_is_cut_off(tmp_path: Path, begun: bytes) -> None:
    """A header or body that comes byte by byte has one deadline for all of it; others are answered meanwhile."""
    with (
        served_store(tmp_path, header=0.5, body=0.5) as (address, _),
        asking("t") as session,
        connect(address) as slow,
    ):
        slow.sendall(begun)
        slow.settimeout(0.1)
        begin, received = time.monotonic(), b"nothing yet"
        while received:
            assert time.monotonic() - begin < 15, "it is cut off although bytes keep coming"
            assert session.get(f"{address}/healthz").status_code == 200
            try:
                slow.sendall(b"a")
                received = slow.recv(1)
            except TimeoutError:
                continue
            except OSError:
                received = b""


def test_a_slow_answer_does_not_count_as_a_slow_request(tmp_path: Path) -> None:
    """While a request waits for the store, the deadline of what comes behind it does not run."""
    with (
        served_store(tmp_path, header=0.2, body=0.2) as (address, _),
        _writing(tmp_path) as other,
        connect(address) as waiting,
    ):
        request = posting(len(NEW_RUN), WITH_TOKEN) + NEW_RUN
        waiting.sendall(request + request[:30])
        begin = time.monotonic()
        while time.monotonic() - begin < 1.2:
            with connect(address) as probe:
                probe.sendall(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert answer_of(probe)[0] == 200
        other.execute("ROLLBACK")
        with waiting.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"201"


NO_REQUESTS = [
    (b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
    ((b"GET / HTTP/1.1\r\nX: ").ljust(262_144, b"x"), 431),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
]


def test_what_is_no_request_is_refused_in_the_form_of_all_errors(tmp_path: Path) -> None:
    """What is refused before the application sees it is answered with JSON, too."""
    with served_store(tmp_path) as (address, _):
        for sent, status in NO_REQUESTS:
            with connect(address) as connection:
                connection.sendall(sent)
                code, headers, body = answer_of(connection)
            assert (code, headers["content-type"]) == (status, "application/json"), sent[:80]
            assert headers["x-content-type-options"] == "nosniff"
            assert list(json.loads(body)) == ["message"]


def test_a_served_store_is_answered_by_its_names_only(tmp_path: Path) -> None:
    """On an address for all machines it shows one that works here, and refuses hosts that were not allowed."""
    with served_store(tmp_path, "0.0.0.0") as (address, _), asking("t") as session:
        assert address.startswith("http://127.0.0.1:")
        runs = f"{address}/api/v1/projects/1/automation/runs"
        for host, status in (("localhost", 404), ("Reports.example.com:443", 404), ("evil.test", 403)):
            assert session.get(runs, headers={"Host": host}).status_code == status


def test_a_server_whose_port_is_taken_changes_nothing(tmp_path: Path) -> None:
    """It leaves store, token and old runs to the server that is there."""
    database = tmp_path / "store.db"
    with closing(Store(database, clock=lambda: 1)) as store:
        runs = [store.write(lambda writer: writer.create_run(1, RunSubmission("n", "s"))) for _ in range(2)]
        with socket.create_server(("127.0.0.1", 0)) as other:
            words = ["serve", "--port", str(other.getsockname()[1]), "--keep-days", "*=1", "--database", str(database)]
            done = command_runner().invoke(main, words)
        assert (done.exit_code, "choose another, or 0 for any free one" in done.stderr) == (2, True), done.output
        assert len(store.read(partial(run_rows, run_ids=runs))) == 2
    assert not (tmp_path / "store.db.token").exists()


def test_no_other_machines_address_is_served_unless_it_may_be() -> None:
    """A name that is no address could be one of another machine."""
    for host in ("0.0.0.0", "192.0.2.1", "::", "example.com", ""):
        with pytest.raises(SettingError, match="--host"):
            listening_address(host, is_remote_allowed=False)


def test_the_token_of_the_environment_comes_first(tmp_path: Path) -> None:
    """The variable wins over the file, which wins over the one beside the database."""
    file = tmp_path / "given"
    file.write_text("this-is-from-file\n")
    database = tmp_path / "store.db"
    assert server_token({TOKEN_VARIABLE: " from-environment "}, database, file).value == "from-environment"
    assert server_token({TOKEN_VARIABLE: ""}, database, file).value == "this-is-from-file"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given"]


def test_a_token_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    """Without one given, a long random one is kept beside the database."""
    database = tmp_path / "folder" / "store.db"
    token = server_token({}, database, None)
    assert len(token.value) >= 40
    assert server_token({}, database, None) == token
    kept = database.with_name("store.db.token")
    assert (kept.read_text().strip(), list(database.parent.iterdir())) == (token.value, [kept])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert server_token({}, database.with_name("other.db"), None) != token


def test_servers_that_start_at_once_agree_on_the_token(tmp_path: Path) -> None:
    """Whoever is first makes it, and nobody reads half of it."""
    barrier = threading.Barrier(6)

    def start(database: Path) -> str:
        barrier.wait()
        return server_token({}, database, None).value

    with ThreadPoolExecutor(6) as pool:
        for attempt in range(10):
            assert len(set(pool.map(start, [tmp_path / f"{attempt}.db"] * 6))) == 1
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.parametrize("text", ["", "two words of a token", "caf\u00e9" * 5, "a\nb" * 9, "x" * 15])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    """Spaces, control and non-ASCII characters do not fit in a header, and a short token can be guessed.

    The error names where it came from.
    """
    file = tmp_path / "given"
    file.write_text(text, encoding="utf-8")
    given = [("--token-file", {}, file), *([(TOKEN_VARIABLE, {TOKEN_VARIABLE: text}, None)] if text else [])]
    for name, variables, path in given:
        with pytest.raises(SettingError, match=name) as refused:
            server_token(variables, tmp_path / "store.db", path)
        assert not text or text not in f"{refused.value} {refused.value.__dict__!r}"


@pytest.mark.parametrize("says", ["mode 644", "belongs to user 65534", "is a link", "is no file"])
def test_a_token_file_that_somebody_planted_is_not_taken(tmp_path: Path, says: str) -> None:
    """A kept token that others know, or could have made, is refused with a sentence that has the hint."""
    if sys.platform == "win32":
        pytest.skip("owners of files")
    if "belongs" in says and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path, elsewhere = tmp_path / "store.db.token", tmp_path / "elsewhere"
    elsewhere.write_text("a-token-that-others-know\n")
    elsewhere.chmod(0o644 if "mode" in says else 0o600)
    if "belongs" in says:
        os.chown(elsewhere, 65534, -1)
    if "link" in says:
        path.symlink_to(elsewhere)
    elif "no file" in says:
        os.mkfifo(path, 0o600)
    else:
        elsewhere.rename(path)
    with pytest.raises(StoreError, match=rf"store\.db\.token.*{says}.*remove it") as refused:
        server_token({}, tmp_path / "store.db", None)
    assert "others-know" not in str(refused.value)


@pytest.mark.parametrize("link", [".automation-report", "store.sqlite3", "store.sqlite3-wal", "store.sqlite3-journal"])
def test_a_link_in_place_of_a_store_is_not_followed(tmp_path: Path, link: str) -> None:
    """A repository can bring a link along: neither store nor token is written where it leads; a sentence says so."""
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / ".automation-report"
    if link == place.name:
        place.symlink_to("elsewhere")
    else:
        place.mkdir()
        (place / link).symlink_to(tmp_path / "elsewhere" / "precious")
    takes: list[Callable[[], object]] = [lambda: Store(place / "store.sqlite3")]
    if link == place.name:
        takes.append(lambda: server_token({}, place / "store.sqlite3", None))
    for take in takes:
        with pytest.raises(StoreError, match=rf"{link} is a link.*--database"):
            take()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_token_file_without_a_token_is_named(tmp_path: Path) -> None:
    """The path and the reason are told; a damaged file beside the database is told with its hint."""
    with pytest.raises(SettingError, match=r"absent.*No such file"):
        server_token({}, tmp_path / "store.db", tmp_path / "absent")
    made = tmp_path / "store.db.token"
    made.touch(0o600)
    with pytest.raises(StoreError, match=r"store\.db\.token.*remove"):
        server_token({}, tmp_path / "store.db", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"store\.db\.token"):
        server_token({}, tmp_path / "file" / "store.db", None)


@pytest.mark.needs("git")
def test_a_folder_that_serve_makes_is_ignored_by_git(tmp_path: Path) -> None:
    """The server's token lies in the project's folder for results, which git ignores from the first moment on."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    token_beside(tmp_path / ".automation-report" / "store.sqlite3")
    command = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ""
