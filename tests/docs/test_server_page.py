"""What ``docs/server.md`` and ``docs/operate.md`` say is true: their commands are run as they are."""

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import yaml
from requests.adapters import HTTPAdapter

from compatibility.vendor.official import tool
from docs.written import bash, block, environment, page, section
from pytest_automation_report.cli.serve import serve
from pytest_automation_report.server.pages.test.handlers import CodeLinks
from support.clusters import Cluster
from support.needs import needed
from support.processes import line_of, running
from support.repository import ROOT
from support.serving import asking
from support.sessions import TOKEN, run_session, send, session_environment

PAGE = "docs/server.md"
UPKEEP = "docs/operate.md"
LARGE = b"x" * 3_000_000
RUNS = "/api/v1/projects/1/automation/runs"


@contextmanager
def _served(command: str, folder: Path, **more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a line of the page that serves, on a free port unless it names one; give its address."""
    words = shlex.split(command)
    words += [] if "--port" in words else ["--port", "0"]
    words[0] = str(Path(sys.executable).parent / words[0])
    with running(words, environment(**more), folder) as server:
        yield line_of(server), server
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)
        assert server.returncode == 0


def _runs(address: str, token: str, **headers: str) -> requests.Response:
    with asking(token) as session:
        return session.get(f"{address}{RUNS}", headers=headers, timeout=20)


def test_serving_for_oneself(shop: Path) -> None:
    """The store is served beside sessions that write into it; the token is in the private file that the page names."""
    browser = shop.parent / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {shop.parent}/opened\n')
    browser.chmod(0o755)
    assert block("README.md", "serve --open") == block(PAGE, "serve --open")
    with _served(block(PAGE, "serve --open"), shop, BROWSER=str(browser)) as (address, server):
        kept = shop / ".automation-report" / "store.sqlite3.token"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert run_session(shop).exit == 1
        answer = _runs(address, kept.read_text().strip())
        assert [each["total_count"] for each in answer.json()["result"]] == [15]
        assert server.stderr is not None
        told = [server.stderr.readline() for _ in range(3)]
    assert told[1] == f"look at it: {(shop.parent / 'opened').read_text()}"
    assert f"--automation-report-url={address} " in told[2]


def test_a_new_token_keeps_the_old_ones_results(shop: Path) -> None:
    """After the change a client with the old token is refused; what it kept goes by ``send`` with the new one."""
    making, serving = block(PAGE, "server.token").splitlines()
    given = shop / "server.token"

    def make() -> str:
        assert bash(making, shop, environment()).returncode == 0
        assert stat.S_IMODE(given.stat().st_mode) == 0o600
        return given.read_text().strip()

    old = make()
    with _served(serving, shop) as (address, _):
        assert _runs(address, old).status_code == 404
    make()
    with _served(serving, shop) as (address, _):
        assert _runs(address, old).status_code == 401
        there = ["--url", address, "--project-id", "1"]
        before = {**session_environment(), "AUTOMATION_REPORT_TOKEN": old}
        ran = run_session(shop, address=address, env=before)
        assert "15 results kept" in ran.out
        assert "the token was refused" in ran.out
        after = {**before, "AUTOMATION_REPORT_TOKEN": given.read_text().strip()}
        send(shop, *there, env=after, exits=0)
        assert [each["total_count"] for each in _runs(address, given.read_text().strip()).json()["result"]] == [15]


def test_a_token_for_jobs(shop: Path) -> None:
    """The page's commands make a token that sessions report with, and revoke it; log and metrics are as it says."""
    create, listing, revoke = block(PAGE, "server token list").splitlines()
    with _served("automation-report serve", shop) as (address, server):
        token = bash(create, shop, environment(), exits=0).stdout.strip()
        variables = {**session_environment(), "AUTOMATION_REPORT_TOKEN": token}
        assert run_session(shop, address=address, env=variables).exit == 1
        assert [each["total_count"] for each in _runs(address, token).json()["result"]] == [15]
        assert bash(listing, shop, environment(), exits=0).stdout == "ci\n"
        with asking((shop / ".automation-report" / "store.sqlite3.token").read_text().strip()) as session:
            numbers = session.get(f"{address}/metrics").text
        bash(revoke, shop, environment(), exits=0)
        server.send_signal(signal.SIGTERM)
        told = server.communicate(timeout=20)[1]
    assert "automation_report_results 15\n" in numbers
    (job,) = yaml.safe_load(block(UPKEEP, "scrape_configs"))["scrape_configs"]
    assert "authorization" in job
    assert "metrics_path" not in job, "Prometheus' own is /metrics"
    named = {each.partition("{")[0].partition(" ")[0] for each in numbers.splitlines() if not each.startswith("#")}
    rows = re.findall(r"(?m)^\| (`.*?) \|", page(UPKEEP).partition("| metric, after")[2].partition("\n\n")[0])
    written = {f"automation_report_{name}" for row in rows for name in re.findall("`(.*?)`", row)}
    assert {re.sub("_(sum|count)$", "", name) for name in named} == written - {"automation_report_prune_age_seconds"}
    assert re.search(r"(?m)^20..-..-..T..:..:..Z 127\.0\.0\.1 \(ci\) created run 1 in project 1$", told)
    assert token not in told


def test_five_commands_make_a_server_for_a_team(shop: Path) -> None:
    """The page's table leads from an empty folder to a job that reports with a token of its own."""
    table = section(PAGE, "A server for a team in five commands")
    code, serving, token, told, run = re.findall(r"(?m)^\| [^|]+ \| `([^`]+)` \|", table)
    bash(code, shop, environment(), exits=0)
    with _served(serving, shop) as (address, _):
        made = bash(token, shop, environment(), exits=0).stdout.strip()
        given = told.replace("https://reports.example.com", address).replace("TOKEN=...", f"TOKEN={made}")
        assert "15 of 15 results delivered" in bash(f"{given}; {run}", shop, environment(), exits=1).stdout
        assert [each["total_count"] for each in _runs(address, made).json()["result"]] == [15]


def test_upkeep_by_the_server(shop: Path) -> None:
    """The page's command serves, and what is new stays."""
    assert run_session(shop).exit == 1
    with _served(block(UPKEEP, "--keep-days 'main"), shop) as (address, _):
        token = (shop / ".automation-report" / "store.sqlite3.token").read_text().strip()
        assert [each["total_count"] for each in _runs(address, token).json()["result"]] == [15]


def test_users_of_a_proxy_that_logs_them_in(shop: Path) -> None:
    """The page's command lets in whom the proxy at that address names."""
    serving = block(PAGE, "--trusted-user-header").replace("10.0.0.7", "127.0.0.1")
    with _served(serving, shop) as (address, _), asking() as session:
        statuses = [session.get(address, headers=each).status_code for each in ({"X-Forwarded-User": "ann"}, {})]
    assert statuses == [200, 403]


def test_a_link_for_a_team(shop: Path) -> None:
    """The page's commands create a code, and the link with it opens the pages any number of times, at any page."""
    making, serving = block(PAGE, "pages.token").splitlines()
    assert bash(making, shop, environment()).returncode == 0
    code = (shop / "pages.token").read_text().strip()
    with _served(serving, shop) as (address, _), asking() as session:
        for _ in range(2):
            opened = session.get(f"{address}/open/{code}?to=/sources/3/latest", timeout=20)
            assert (opened.status_code, "url=/sources/3/latest" in opened.text) == (200, True)


@contextmanager
def _nginx(folder: Path, upstream: str, secret: Path, *, before: str = "") -> Iterator[str]:
    """Run Debian's nginx with the page's server, and what stands before it; give its address."""
    program = str(needed("nginx"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = block(PAGE, "proxy_pass").replace("listen 443", f"listen 127.0.0.1:{port}")
    told = told.replace("http://127.0.0.1:8000", upstream)
    told = told.replace("/etc/ssl/certs/reports.pem", str(secret)).replace("/etc/ssl/private/reports.key", str(secret))
    places = "".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; events {{}}\n"
        f"http {{ access_log off; {places}\n{before}{told}}}\n"
    )
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with running(command, dict(os.environ), folder) as nginx:
        while nginx.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        assert nginx.returncode is None, (folder / "error.log").read_text()
        yield f"https://127.0.0.1:{port}"
        nginx.send_signal(signal.SIGTERM)
        nginx.communicate(timeout=20)


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, str]:
    """Return a file with key and certificate, and one with the authority of the test's own that made it."""
    authority = trustme.CA()
    secret, trusted = tmp_path / "reports.pem", tmp_path / "authority.pem"
    authority.issue_cert("127.0.0.1", "reports.example.com").private_key_and_cert_chain_pem.write_to_path(str(secret))
    authority.cert_pem.write_to_path(str(trusted))
    (tmp_path / "nginx").mkdir()
    return secret, str(trusted)


@pytest.fixture
def front(tmp_path: Path, certified: tuple[Path, str]) -> Iterator[Mapping[str, Any]]:
    """Return nginx before a server, with a certificate of an authority of the test's own."""
    secret, trusted = certified
    (tmp_path / "pages.token").write_text("a-code-of-ten-colleagues")
    serving = block(PAGE, "--allow-host") + " --pages-token-file pages.token"
    with (
        _served(serving, tmp_path, AUTOMATION_REPORT_SERVER_TOKEN=TOKEN) as (upstream, server),
        _nginx(tmp_path / "nginx", upstream, secret) as address,
    ):
        yield {"address": address, "trusted": trusted, "server": server}


def test_two_servers_are_restarted_one_by_one(tmp_path: Path, certified: tuple[Path, str], cluster: Cluster) -> None:
    """Each request is answered at its first try while either of them is away, and a pass is valid at both."""
    secret, trusted = certified
    database = cluster.emptied().url
    names = {"AUTOMATION_REPORT_SERVER_TOKEN": TOKEN, "AUTOMATION_REPORT_PAGES_TOKEN": "a-code-of-ten-colleagues"}

    def served(port: str = "0") -> AbstractContextManager[tuple[str, subprocess.Popen[str]]]:
        command = f"automation-report serve --allow-host 127.0.0.1 --port {port}"
        return _served(command, tmp_path, AUTOMATION_REPORT_DATABASE=database, **names)

    def statuses(session: requests.Session) -> set[int]:
        runs = [session.post(address + RUNS, json={"name": "n", "source": "s"}, timeout=20) for _ in range(6)]
        pages = [session.get(address, timeout=20) for _ in range(6)]
        return {each.status_code for each in (*runs, *pages)}

    with ExitStack() as stack, asking(TOKEN) as session:
        session.verify = trusted
        places = [stack.enter_context(ExitStack()) for _ in range(2)]
        servers = [(place, place.enter_context(served())[0]) for place in places]
        upstream = block(UPKEEP, "max_fails")
        for number, (_, server) in zip((5, 6), servers, strict=True):
            upstream = upstream.replace(f"10.0.0.{number}:8000", server.removeprefix("http://"))
        address = stack.enter_context(_nginx(tmp_path / "nginx", "http://reports", secret, before=upstream))
        session.get(f"{address}/open/a-code-of-ten-colleagues", timeout=20)
        assert statuses(session) == {201, 200}
        for place, server in servers:
            place.close()
            assert statuses(session) == {201, 200}
            place.enter_context(served(server.rpartition(":")[2]))
            assert requests.get(f"{server}/readyz", timeout=20).status_code == 200
        assert statuses(session) == {201, 200}
        assert session.get(address + RUNS, timeout=20).json()["total"] == 24


def test_the_log_behind_nginx_has_the_clients(front: Mapping[str, Any]) -> None:
    """The page's commands and lines show who asks: not the proxy, and not what a client writes into its header."""

    class From(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - those of requests
            super().init_poolmanager(*arguments, source_address=("127.0.0.9", 0), **more)

    with asking(TOKEN) as session:
        session.verify = front["trusted"]
        session.mount("https://", From())
        body, made_up = {"name": "n", "source": "s"}, {"X-Forwarded-For": "203.0.113.7"}
        assert session.post(front["address"] + RUNS, json=body, headers=made_up, timeout=20).status_code == 201
        wrong = {**made_up, "Authorization": "Bearer wrong"}
        assert session.post(front["address"] + RUNS, json=body, headers=wrong, timeout=20).status_code == 401
    front["server"].send_signal(signal.SIGTERM)
    told = front["server"].communicate(timeout=20)[1]
    assert "Z 127.0.0.9 (the server's token) created run 1 in project 1\n" in told, told
    assert "Z 127.0.0.9: a wrong token or none" in told


def test_nginx_before_it(shop: Path, front: Mapping[str, Any]) -> None:
    """A session with a large artifact reports through nginx; links have its port; other hosts are refused."""
    (shop / "test_large.py").write_text(
        "def test_large(automation_report):\n    automation_report.artifact(b'x' * 3_000_000, name='large.bin')\n"
    )
    (shop / "pytest.ini").write_text(
        block(PAGE, "automation_report_url").replace("https://reports.example.com", front["address"])
        + f"automation_report_ca_file = {front['trusted']}\n"
    )
    command = "pytest --automation-report test_large.py"
    done = bash(command, shop, session_environment(PATH=environment()["PATH"]))
    assert (done.returncode, "1 of 1 result delivered" in done.stdout) == (0, True), done.stdout + done.stderr
    with asking(TOKEN) as session:
        session.verify = front["trusted"]
        found = {
            host: session.get(front["address"] + RUNS, headers={"Host": host}, timeout=20)
            for host in ("reports.example.com", "other.example.com")
        }
        assert [each.status_code for each in found.values()] == [200, 403]
        assert [each["total_count"] for each in found["reports.example.com"].json()["result"]] == [1]
        session.get(f"{front['address']}/open/a-code-of-ten-colleagues", timeout=20)
        assert f"{front['address']}/runs/1</code>" in session.get(f"{front['address']}/runs/1", timeout=20).text
        kept = session.get(f"{front['address']}/artifacts/{sha256(LARGE).hexdigest()}", timeout=20)
        assert kept.content == LARGE


def test_the_official_tool_reports_through_nginx(shop: Path, front: Mapping[str, Any]) -> None:
    """The page's lines send a file of pytest with the official tool."""
    lines = block(PAGE, "testmo automation").replace("https://reports.example.com", front["address"])
    assert bash("pytest -q --junitxml=reports/junit.xml", shop, environment()).returncode == 1
    bash(lines.replace("...", TOKEN), shop, environment(tool().parent, NODE_EXTRA_CA_CERTS=front["trusted"]), exits=0)
    with asking(TOKEN) as session:
        session.verify = front["trusted"]
        answer = session.get(front["address"] + RUNS, timeout=20)
    assert [(each["name"], each["total_count"]) for each in answer.json()["result"]] == [("nightly", 15)]


def test_backup_and_restore(shop: Path) -> None:
    """What came after the backup is gone after it was restored; all before it is whole."""
    assert run_session(shop).exit == 1
    done = bash(block(UPKEEP, "store backup"), shop, environment(), exits=0)
    assert stat.S_IMODE((shop / done.stdout.strip()).stat().st_mode) == 0o600
    assert bash("automation-report run create --source later", shop, environment()).stdout == "2\n"
    done = bash("set -e\n" + block(UPKEEP, "rm -f"), shop, environment(), exits=0)
    assert "15 results in 1 run: all right" in done.stderr
    assert bash("automation-report run list", shop, environment()).stdout == "1\n"


def test_upkeep(shop: Path) -> None:
    """The commands that keep a store small and right run as they are."""
    assert run_session(shop).exit == 1
    bash("set -e\n" + block(UPKEEP, "store prune"), shop, environment(), exits=0)


def test_health_and_limits(shop: Path) -> None:
    """The health address needs no token; the limits of the page are the code's."""
    from pytest_automation_report.server.api import bodies, decoding  # noqa: PLC0415 - of this test alone
    from pytest_automation_report.server.http.application import MAX_MEMBERS  # noqa: PLC0415
    from pytest_automation_report.server.http.serving import CONNECTIONS, Deadlines  # noqa: PLC0415
    from pytest_automation_report.server.store.contents import MAX_CONTENT_BYTES  # noqa: PLC0415
    from pytest_automation_report.server.store.database import MAX_ATTACHED, MAX_THREADS  # noqa: PLC0415

    with _served("automation-report serve", shop) as (address, _), asking() as session:
        assert session.get(f"{address}/healthz", timeout=20).text == '{"status":"ok"}'
    text = (ROOT / UPKEEP).read_text(encoding="utf-8")
    mebi = 1024 * 1024
    for told in (
        f"{decoding.MAX_BODY_BYTES // mebi} MiB, before and after gzip; JSON {decoding.MAX_DEPTH} levels deep",
        f"| one artifact | {MAX_CONTENT_BYTES // mebi} MiB |",
        f"| {decoding.MAX_VALUES:,}; a gzip body has at most {MAX_MEMBERS:,} members |",
        f"| tests of one append | {bodies.MAX_TESTS:,} |",
        f"| {bodies.MAX_ENTRIES:,} each; {bodies.MAX_TAGS} |",
        f"| {MAX_ATTACHED // mebi} MiB together |",
        f"| {bodies.NAME_LENGTH:,} characters |",
        f"| {decoding.MISTAKES_LISTED}, the others are counted |",
        f"| threads of one run | {MAX_THREADS:,} |",
        f"| {Deadlines().header_seconds:g} s, then {Deadlines().body_seconds:g} s to arrive |",
        f"| a connection without a request | {Deadlines().idle_seconds:g} s |",
        f"| connections at a time | {CONNECTIONS}, fewer",
    ):
        assert told in text


def test_lines_link_to_the_code() -> None:
    """The templates of the page are accepted, and lead to a line of the run's commit and of the editor."""
    words = shlex.split(block("docs/pages.md", "serve --editor-url").replace("\\\n", ""))
    options = serve.make_context("serve", words[2:]).params
    links = CodeLinks(options["source_url"], options["editor_url"])
    assert links.source_url("tests/test_a.py", 3, "4f2a9c1") == (
        "https://github.com/me/shop/blob/4f2a9c1/tests/test_a.py#L3"
    )
    assert links.editor_url("tests/test_a.py", 3) == "vscode://file/home/me/shop/tests/test_a.py:3"
