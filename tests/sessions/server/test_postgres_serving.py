import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from pytest_automation_report.cli.main import main
from pytest_automation_report.server.store.checks import check_store
from pytest_automation_report.server.store.migrations import SCHEMA_VERSION
from pytest_automation_report.server.store.reads import run_row
from pytest_automation_report.server.store.store import Store
from support.clusters import Cluster
from support.commands import command_runner
from support.processes import line_of, running
from support.repository import ROOT
from support.service import a_test
from support.serving import asking
from support.sessions import clean_environment

API = "/api/v1"
PROCESSES = 4
WRITERS = 40
APPENDS = 4
TESTS = 5
TOKEN = "a-token-for-all-servers"
WITHOUT_DRIVER = "import sys; sys.modules['psycopg'] = None; from pytest_automation_report.cli.main import main; main()"


def _environment(**more: str) -> dict[str, str]:
    return clean_environment(PYTHONPATH=str(ROOT), AUTOMATION_REPORT_SERVER_TOKEN=TOKEN, **more)


@contextmanager
def _serving(folder: Path, address: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "pytest_automation_report.cli", "serve", "--port", "0", *options]
    with running(command, _environment(AUTOMATION_REPORT_DATABASE=address), folder) as process:
        yield process


def _made(session: requests.Session, address: str, run_name: str = "n") -> tuple[int, int]:
    runs = f"{address}{API}/projects/1/automation/runs"
    run = session.post(runs, json={"name": run_name, "source": "s"}).json()["id"]
    return run, session.post(f"{address}{API}/automation/runs/{run}/threads", json={}).json()["id"]


def test_a_served_database_shows_no_password(tmp_path: Path, cluster: Cluster) -> None:
    """Neither what is printed, each request included, nor a command line that others can see has it."""
    cluster.emptied()
    address = cluster.address(password=cluster.password)
    with _serving(tmp_path, address, "--verbose") as server, asking(TOKEN) as session:
        url = line_of(server)
        run, _ = _made(session, url)
        assert session.get(f"{url}{API}/automation/runs/{run}").json()["result"]["thread_count"] == 1
        told = subprocess.run(["ps", "-o", "args=", "-p", str(server.pid)], capture_output=True, text=True, check=True)
        server.send_signal(signal.SIGTERM)
        output, errors = server.communicate(timeout=20)
    assert server.returncode == 0, errors
    assert f"serving {cluster.address()}; Ctrl-C ends it" in errors
    assert f"GET {API}/automation/runs/{run} 200" in errors
    assert cluster.password not in output + errors + told.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_appends_go_on_while_old_runs_are_removed(tmp_path: Path, cluster: Cluster) -> None:
    """Pruning locks no table, not even behind a page that reads for long; giving the space back says that it waits."""
    cluster.emptied()
    command = [sys.executable, "-m", "pytest_automation_report.cli", "store", "prune"]
    environment = _environment(AUTOMATION_REPORT_DATABASE=(address := cluster.place().url))
    with _serving(tmp_path, address) as server, asking(TOKEN) as session, cluster.asking() as reader:
        url = line_of(server)
        tests = [a_test(number) for number in range(6000)]
        for _ in range(2):
            run, thread = _made(session, url)
            session.post(f"{url}{API}/automation/runs/threads/{thread}/append", json={"tests": tests})
            session.post(f"{url}{API}/automation/runs/{run}/complete", json={})
        _, thread = _made(session, url)
        reader("UPDATE run SET created = created - 99 * 86400000000::bigint WHERE id < 3")
        reader("BEGIN")
        reader("SELECT count(*) FROM result")
        with running([*command, "--older-than", "50d"], environment, tmp_path) as prune:
            statuses = list[int]()
            while prune.poll() is None or not statuses:
                body = {"tests": [a_test(6000 + len(statuses))]}
                answer = session.post(f"{url}{API}/automation/runs/threads/{thread}/append", json=body)
                statuses.append(answer.status_code)
            output, errors = prune.communicate()
        assert (prune.returncode, output, "in use" in errors) == (0, "1\n2\n", False), errors
        assert set(statuses) == {204}
        compact = subprocess.run(
            [*command, "--older-than", "50d", "--compact"], env=environment, capture_output=True, text=True, check=True
        )
        assert "the store is in use: the store gets no smaller now" in compact.stderr
        reader("COMMIT")
        checked = command_runner().invoke(main, ["store", "check", "--database", address])
        assert f"{len(statuses)} result" in checked.stderr, checked.output


@pytest.mark.parametrize("way", ["PGPASSWORD", "PGPASSFILE"])
def test_passwords_of_postgresql(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A password can come from where PostgreSQL looks: the address then needs none."""
    Store(cluster.emptied()).close()
    kept = tmp_path / "pgpass"
    kept.touch(0o600)
    kept.write_text(f"127.0.0.1:{cluster.port}:*:*:{cluster.password}\n")
    monkeypatch.setenv(way, cluster.password if way == "PGPASSWORD" else str(kept))
    done = command_runner().invoke(main, ["store", "check", "--database", cluster.address()])
    assert done.exit_code == 0, done.output
    assert cluster.password not in done.stdout + done.stderr


WRITTEN_WRONGLY = (
    "reports:{word}@@127.0.0.1/reports", "reports:a/{word}@127.0.0.1/reports", "reports:{word}#@127.0.0.1/reports",
    "reports:{word}?@127.0.0.1/reports", "reports:{word} @127.0.0.1/reports", "[reports:{word}@127.0.0.1/reports",
    "127.0.0.1:{word}/reports",
)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "code", "told"),
    [
        ("{right}/absent", 3, 'postgresql://reports@127.0.0.1:{port}/absent: cannot be opened as a store: .*"absent"'),
        ("{wrong}/reports", 3, "password authentication failed"),
        ("{away}/reports", 3, "postgresql://reports@127.0.0.1:1/reports: cannot be opened as a store: .*refused"),
        ("{right}/{newer}", 3, f"this store has version {SCHEMA_VERSION + 1}, written by automation-report 9.8.7, and"),
        *((f"postgresql://{address}", 2, "%40") for address in WRITTEN_WRONGLY),
        ("{right}/reports?nonsense={word}", 3, "nonsense"),
        ("mysql://reports:{word}@127.0.0.1/reports", 2, "'mysql://' cannot be used: name a file, or write postgresql:"),
    ],
)
@pytest.mark.parametrize("command", ["serve --port 0", "store check"])
def test_what_cannot_be_opened_is_told_without_the_password(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, address: str, code: int, told: str, command: str
) -> None:
    """One line says what is wrong, whatever that is; nothing is made and nobody sees a secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOMATION_REPORT_SERVER_TOKEN", TOKEN)
    monkeypatch.setattr("pytest_automation_report.cli.serve._DATABASE_SECONDS", 0.0)
    newer = ""
    if "{newer}" in address:
        Store(place := cluster.new()).close()
        newer = place.shown.rpartition("/")[2]
        cluster.execute(f"UPDATE store_version SET version = {SCHEMA_VERSION + 1}, release = '9.8.7'", newer)
    away = f"postgresql://reports:{cluster.password}@127.0.0.1:"
    right = f"{away}{cluster.port}"
    wrong = right.replace(cluster.password, "verysecret")
    url = address.format(right=right, wrong=wrong, away=f"{away}1", newer=newer, word="verysecret")
    done = command_runner().invoke(main, [*command.split(), "--database", url])
    assert done.exit_code == code, done.output
    line = done.stderr.splitlines()[-1]
    assert re.search(told.format(port=cluster.port), line), line
    for secret in (cluster.password, "verysecret"):
        assert secret not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_server_waits_for_a_database_that_starts(tmp_path: Path, cluster: Cluster) -> None:
    """Both may start at once, or the database recovers: the server says so, and serves once it is there."""
    address = cluster.emptied().url
    cluster.control("-m", "immediate", "stop")
    try:
        with _serving(tmp_path, address) as server, asking(TOKEN) as session:
            assert server.stderr is not None
            told = server.stderr.readline()
            assert re.search(r"/reports: connection .*; waiting for it, for 60 s at most\n$", told), told
            cluster.restart()
            assert session.get(f"{line_of(server)}/readyz").status_code == 200
            server.send_signal(signal.SIGTERM)
            assert "waiting for it" not in server.communicate(timeout=20)[1]
    finally:
        cluster.restart()


def test_a_missing_driver_is_named(tmp_path: Path) -> None:
    """Without the extra the command says how to install it."""
    command = [sys.executable, "-c", WITHOUT_DRIVER, "serve", "--database", "postgresql://reports:secret@db/reports"]
    done = subprocess.run(command, cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "postgresql://reports@db/reports: the driver for PostgreSQL is missing" in done.stderr
    assert "pip install 'psycopg[binary,pool]>=3.1'" in done.stderr
    assert "secret" not in done.stderr


def test_upkeep_of_a_database_makes_no_store(cluster: Cluster) -> None:
    """A mistyped name of a database that is there is told, and nothing is made in it."""
    new = cluster.new()
    done = command_runner().invoke(main, ["store", "check", "--database", new.url])
    assert (done.exit_code, "there is no store in this database" in done.stderr) == (3, True), done.output
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert cluster.execute(tables, new.shown.rpartition("/")[2]) == [(0,)]


class _Client:
    """One writer: its thread in a run that others write to as well, through one of several servers."""

    def __init__(self, addresses: list[str], number: int, run: int) -> None:
        # A client that got no answer asks another server behind the same proxy.
        self._addresses = [addresses[(number + more) % len(addresses)] for more in range(2)]
        self._number = number
        self._run = run
        self.answers: list[int] = []
        self.thread = 0

    def __call__(self) -> None:
        with asking(TOKEN) as session:
            first, other = (partial(self._post, session, address) for address in self._addresses)
            self.thread = first(f"runs/{self._run}/threads", {}, f"t{self._number}").json()["id"]
            path = f"runs/threads/{self.thread}"
            for number in range(APPENDS):
                tests = [a_test((self._number + each) % 60, folder=f"f{self._number}") for each in range(TESTS)]
                body = {"tests": tests[:: 1 if self._number % 2 else -1], "elapsed_computed": 1}
                for post in (first, other):
                    self.answers.append(post(f"{path}/append", body, f"{self._number}-{number}").status_code)
            other(f"{path}/complete", {}, f"c{self._number}")

    @staticmethod
    def _post(session: requests.Session, address: str, path: str, body: Any, key: str) -> requests.Response:  # noqa: ANN401 - JSON
        while True:
            headers = {"Idempotency-Key": key}
            answer = session.post(f"{address}{API}/automation/{path}", json=body, headers=headers, timeout=60)
            if answer.status_code not in (409, 429):
                return answer


@pytest.mark.slow
def test_several_servers_of_one_database_keep_exact_counts(tmp_path: Path, cluster: Cluster) -> None:
    """Forty writers at four servers, who share runs and tests and repeat each request elsewhere: all is there once."""
    place = cluster.emptied()
    with ExitStack() as stack:
        # They start at once and make the store together.
        started = [stack.enter_context(_serving(tmp_path, place.url)) for _ in range(PROCESSES)]
        addresses = [line_of(process) for process in started]
        with asking(TOKEN) as session:
            runs = [_made(session, addresses[number % PROCESSES], f"run {number}")[0] for number in range(PROCESSES)]
        clients = [_Client(addresses, number, runs[number // 10]) for number in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(_Client.__call__, clients))
        with asking(TOKEN) as session:
            for run in runs:
                found = session.get(f"{addresses[0]}{API}/automation/runs/{run}").json()["result"]
                assert found["total_count"] == found["success_count"] == 10 * APPENDS * TESTS
                assert (found["thread_count"], found["thread_active_count"]) == (11, 1)
                assert [each["index"] for each in found["threads"]] == list(range(1, 12))
                sums = {(each["total_count"], each["elapsed"]) for each in found["threads"][1:]}
                assert sums == {(APPENDS * TESTS, APPENDS)}
        for process in started:
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=20)[1].count("Traceback") == 0
    assert {answer for client in clients for answer in client.answers} == {204}
    assert len({client.thread for client in clients}) == WRITERS
    with closing(Store(place)) as store:
        findings = check_store(store)
    assert (findings.results, findings.errors) == (WRITERS * APPENDS * TESTS, ())


def _append(session: requests.Session, path: str, number: int) -> None:
    tests = [a_test(test, folder=f"{number}") for test in range(20)]
    assert session.post(path, json={"tests": tests}).status_code == 204


def _append_until_killed(session: requests.Session, path: str) -> int:
    """Append batches until the server is dead; return the number of answered ones, the one before included."""
    answered = 1
    with suppress(requests.ConnectionError):
        while True:
            _append(session, path, answered)
            answered += 1
    return answered


@pytest.mark.slow
def test_every_answered_append_survives_a_killed_server(tmp_path: Path, cluster: Cluster, kills: int) -> None:
    """After each SIGKILL of a server in a stream of appends, what it answered is there, and every append is whole."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    place = cluster.emptied()
    with closing(Store(place)) as store:
        for kill in range(max(2, kills // 10)):
            with _serving(tmp_path, place.url) as server, asking(TOKEN) as session:
                url = line_of(server)
                run, thread = _made(session, url)
                path = f"{url}{API}/automation/runs/threads/{thread}/append"
                # Before the timer starts: on a busy machine the first append may take longer than the timer.
                _append(session, path, 0)
                timer = threading.Timer(0.1 + 0.07 * kill, server.kill)
                timer.start()
                answered = _append_until_killed(session, path)
                timer.join()
            total = store.read(partial(run_row, run_id=run)).total_count
            assert (total % 20, total // 20 - answered in (0, 1)) == (0, True), (kill, total, answered)
        assert check_store(store).errors == ()
