"""``automation-report doctor`` tells what is configured and whether it works; ``preflight`` stops what would not."""

import json
import shlex
import socket
import sqlite3
import ssl
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from performance.test_loading import COSTLY, modules
from pytest_automation_report.checks.connection import addopts_check, process_check
from support.checked_server import CheckedServer
from support.projects import MIXED, Project, console
from support.scripted_server.sources import sources_server
from support.sessions import TOKEN, Ran, clean_environment, session_environment


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "shop"
    root.mkdir()
    return Project(root)


def doctor(project: Project, *options: str, env: Mapping[str, str] | None = None, **more: str) -> Ran:
    """Run the command with a source, a token and these variables."""
    given = {"AUTOMATION_REPORT_SOURCE": "suite", "AUTOMATION_REPORT_PROJECT_ID": "1", **more}
    return console(project.root, "doctor", *options, env={**(env or session_environment()), **given})


def states(ran: Ran) -> dict[str, str]:
    """Return how each check went, by its line."""
    found = {}
    for line in ran.err.splitlines():
        state, name = line[:8].strip(), line[9:].partition(":")[0]
        if state in {"ok", "warning", "failed", "skipped"}:
            found[name] = state
    return found


def line_of(ran: Ran, name: str) -> str:
    """Return the line of a check."""
    (line,) = [line for line in ran.err.splitlines() if line[9:].startswith(f"{name}: ")]
    return line


def test_all_is_well(project: Project, server: CheckedServer) -> None:
    """Where all is well each check is a line that says so; only reading requests were made, and no token is shown."""
    project.write(
        "pytest.ini", f"[pytest]\nautomation_report_url = {server.address}\nautomation_report_tags = a\n  b\n"
    )
    assert doctor(project, "--url", server.address).exit == 0  # confirms the address of the ini file
    ran = doctor(project)
    assert ran.exit == 0, ran.err
    assert ran.out == ""
    assert states(ran) == {
        "settings": "ok",
        "proxy": "ok",
        "DNS": "ok",
        "connection": "ok",
        "token": "ok",
        "project": "ok",
        "clock": "ok",
        "spool": "ok",
        "process 1": "ok",
    }
    assert f"setting  url = {server.address} (pytest.ini: automation_report_url)" in ran.err.splitlines()
    assert "setting  tags = a, b (pytest.ini: automation_report_tags)" in ran.err.splitlines()
    assert "setting  token = *** (AUTOMATION_REPORT_TOKEN)" in ran.err.splitlines()
    assert TOKEN not in ran.text
    assert {each.method for each in server.log} == {"GET"}
    assert not project.state.exists()


def test_json(project: Project, server: CheckedServer) -> None:
    """With --json, stdout is one document with all checks, all settings with their origins, and the versions."""
    ran = doctor(project, "--json", "--url", server.address, AUTOMATION_REPORT_REDACT="pin,tan")
    assert ran.exit == 0, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    assert {each["state"] for each in document["checks"]} == {"ok"}
    settings = {each["name"]: each for each in document["settings"]}
    assert settings["url"] == {"name": "url", "value": server.address, "origin": "--url"}
    assert settings["redact"]["value"] == "2 patterns"
    assert settings["strict"] == {"name": "strict", "value": "off", "origin": "default"}
    assert settings["token"] == {"name": "token", "value": "***", "origin": "AUTOMATION_REPORT_TOKEN"}
    assert document["versions"]["pytest"] == pytest.__version__
    assert TOKEN not in ran.text


def test_token(project: Project, server: CheckedServer) -> None:
    """A token that is missing, or that the server refuses, is told with what to do, and not shown; exit code 4."""
    ran = doctor(project, "--url", server.address, env=clean_environment())
    assert ran.exit == 4
    assert line_of(ran, "token") == (
        "failed   token: no token: set AUTOMATION_REPORT_TOKEN, or name a file that holds it (token_file)"
    )
    ran = doctor(project, "--url", server.address, AUTOMATION_REPORT_TOKEN="wrong-token-7")
    assert ran.exit == 4
    assert "set AUTOMATION_REPORT_TOKEN to a valid token" in line_of(ran, "token")
    assert states(ran)["project"] == "skipped"
    assert "wrong-token-7" not in ran.text


def test_token_file(project: Project, server: CheckedServer) -> None:
    """A token of a file is named by its file; one that cannot be read is told."""
    path = project.write("token.txt", TOKEN)
    ran = doctor(project, "--url", server.address, "--token-file", "token.txt", env=clean_environment())
    assert ran.exit == 0, ran.err
    assert f"setting  token = *** ({path})" in ran.err.splitlines()
    path.unlink()
    ran = doctor(project, "--url", server.address, "--token-file", "token.txt", env=clean_environment())
    assert ran.exit == 4
    assert f"token file '{path}': cannot be read" in line_of(ran, "token")


@pytest.mark.parametrize(
    ("status", "name", "code", "times"), [(404, "project", 1, 1), (403, "project", 1, 1), (500, "connection", 3, 3)]
)
def test_answers(project: Project, status: int, name: str, code: int, times: int) -> None:
    """What the server answers is told as the check that it fails, with the exit code of that; 500 is tried again."""
    with sources_server(status=status) as (address, seen):
        ran = doctor(project, "--url", address)
    assert ran.exit == code, ran.err
    assert states(ran)[name] == "failed"
    assert seen == ["GET /api/v1/projects/1/automation/sources?page=1&per_page=15&order=desc"] * times


def test_unreachable(project: Project) -> None:
    """A server that does not answer is told with what to do; exit code 3."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        ran = doctor(project, "--url", f"http://127.0.0.1:{line.getsockname()[1]}")
    assert ran.exit == 3
    assert "Connection refused: check the address (url), the proxy, and that the server runs" in ran.err
    assert (states(ran)["token"], states(ran)["clock"]) == ("skipped", "skipped")


def test_unknown_name(project: Project) -> None:
    """A name that no server has is told, and what needs it is skipped; exit code 3."""
    ran = doctor(project, "--url", "https://shop.invalid")
    assert ran.exit == 3
    assert "shop.invalid" in line_of(ran, "DNS")
    assert {states(ran)[name] for name in ("TLS", "connection", "token", "project", "clock")} == {"skipped"}


@pytest.mark.parametrize(
    ("seconds", "told"), [(600, "600 s ahead of the server's"), (-600, "600 s behind the server's"), (20, "agrees")]
)
def test_clock(project: Project, seconds: float, told: str) -> None:
    """A clock that differs from the server's by more than a minute is told with how much and what to do."""
    with sources_server(skew_seconds=seconds) as (address, _):
        ran = doctor(project, "--url", address)
    line = line_of(ran, "clock").replace("599", "600").replace("601", "600")
    assert told in line
    assert ran.exit == (3 if abs(seconds) > 60 else 0)
    assert ("set this machine's clock (NTP)" in line) is (abs(seconds) > 60)


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 99 Nov 2026 16:47:50 GMT"])
def test_server_without_a_clock(project: Project, date: str) -> None:
    """A server that tells no time that can be read makes no trouble."""
    with sources_server(date=date) as (address, _):
        ran = doctor(project, "--url", address)
    assert ran.exit == 0, ran.err
    assert states(ran)["clock"] == "skipped"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_tls(project: Project, authority: trustme.CA) -> None:
    """A secure connection tells its version and how long the certificate is valid; an unknown one is told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(project.root / "ca.pem")
    with sources_server(tls=context) as (address, _):
        ran = doctor(project, "--url", address, "--ca-file", "ca.pem")
        assert ran.exit == 0, ran.err
        assert "TLSv1.3, certificate valid until " in line_of(ran, "TLS")
        ran = doctor(project, "--url", address)
    assert ran.exit == 3
    assert "name the file of your company's certificates with ca_file" in line_of(ran, "TLS")
    assert states(ran)["connection"] == "skipped"


def test_tls_with_a_server_that_has_none(project: Project) -> None:
    """An address of a server without TLS is told as that."""
    with sources_server() as (address, _):
        ran = doctor(project, "--url", address.replace("http:", "https:"))
    assert ran.exit == 3
    assert "check that the address (url) is the server's own" in line_of(ran, "TLS")


def test_proxy(project: Project) -> None:
    """A proxy is named without its user and password, and what only the proxy can do is left to it."""
    env = session_environment(HTTPS_PROXY="http://ann:secret@127.0.0.1:1")
    ran = doctor(project, "--url", "https://shop.invalid", env=env)
    assert ran.exit == 3
    assert line_of(ran, "proxy") == "ok       proxy: http://127.0.0.1:1"
    assert "DNS" not in states(ran)
    assert states(ran)["connection"] == "failed"
    assert "secret" not in ran.text


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_wrong_settings(project: Project, options: tuple[str, ...]) -> None:
    """A setting that pytest would refuse is the only check, with exit code 2."""
    project.write("pytest.ini", "[pytest]\nautomation_report_exit_wait = soon\n")
    ran = doctor(project, *options)
    assert ran.exit == 2
    told = json.loads(ran.out)["checks"][0]["told"] if options else ran.err
    assert "pytest.ini: automation_report_exit_wait: 'soon' cannot be used" in told


def test_wrong_environment(project: Project, server: CheckedServer) -> None:
    """A variable that does nothing is a warning; one that keeps results from being sent is a failure."""
    ran = doctor(project, "--url", server.address, AUTOMATION_REPORT_TAGZ="a")
    assert ran.exit == 0
    assert line_of(ran, "settings").startswith("warning  settings: AUTOMATION_REPORT_TAGZ: does nothing")
    ran = doctor(project, AUTOMATION_REPORT_URL="nonsense")
    assert ran.exit == 2
    assert states(ran)["settings"] == "failed"
    assert states(ran)["connection"] == "skipped"


def test_waiting_spool(project: Project, server: CheckedServer) -> None:
    """Sessions that wait are told with the command that sends them; those that cannot be read by their names."""
    project.report("--automation-report-delivery=later", address=server.address)
    ran = doctor(project, "--url", server.address)
    assert ran.exit == 0
    assert line_of(ran, "spool") == (
        f"warning  spool: 1 session waits in {project.state / 'spool'}: send what is left with automation-report send"
    )
    (session,) = project.sessions
    (session / "session.json").write_text("{")
    assert session.name in line_of(doctor(project, "--url", server.address), "spool")


def test_embedded_store(project: Project) -> None:
    """The embedded store's file is told with its size, its tables' version and that it is whole; none is made."""
    ran = doctor(project)
    assert ran.exit == 0, ran.err
    assert line_of(ran, "database").endswith("store.sqlite3 is created with the first report")
    assert not project.state.exists()
    project.report()
    line = line_of(doctor(project), "database")
    assert "MB, tables of version " in line
    assert line.endswith(", whole")


def test_embedded_store_that_cannot_be_used(project: Project) -> None:
    """A store that is damaged, newer than this release or something else is told; exit code 3."""
    project.report()
    path = project.state / "store.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    ran = doctor(project)
    assert ran.exit == 3
    assert "tables of version 999: update pytest-automation-report" in line_of(ran, "database")
    path.write_bytes(b"nonsense" * 1000)
    assert "file is not a database: restore it" in line_of(doctor(project), "database")
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (b)")
    assert "belongs to something else: set another database" in line_of(doctor(project), "database")


@pytest.mark.parametrize(
    ("name", "pid", "parent", "state"),
    [
        ("systemd", 7, 1, "ok"),
        ("tini", 7, 1, "ok"),
        ("bash", 7, 1, "warning"),
        ("python3", 1, 0, "warning"),
        ("bash", 7, 6, "ok"),
        (None, 7, 1, "skipped"),
    ],
)
def test_process_1(tmp_path: Path, name: str | None, pid: int, parent: int, state: str) -> None:
    """A process 1 that is no init and ends with the tests would end the sender: that is told with what to do."""
    path = tmp_path / "comm"
    if name:
        path.write_text(f"{name}\n")
    found = process_check(pid, parent, path)
    assert found.state == state
    assert ("docker run --init" in found.remedy) is (state == "warning")


def test_options_whose_value_pytest_takes_for_tests(tmp_path: Path) -> None:
    """An existing path after a space moves pytest's root folder: the check names the spelling that does not."""
    token, options = tmp_path / "server.token", {"--automation-report-token-file"}
    token.touch()
    misused = addopts_check(f"-q --automation-report-token-file {shlex.quote(str(token))}", options)
    assert misused is not None
    assert misused.state == "warning"
    assert misused.remedy == f"write --automation-report-token-file={token}"
    for text in (
        "",
        f"--automation-report-token-file={token}",
        f"--automation-report-token-file {tmp_path / 'missing'}",
        f"--rootdir {token}",
        "--automation-report-token-file",
    ):
        assert addopts_check(text, options) is None, text
    unreadable = addopts_check("-k 'open", options)
    assert unreadable is not None
    assert "cannot be read" in unreadable.finding


def test_misused_options_are_in_the_report(project: Project) -> None:
    """``doctor`` says so of the environment that it runs in, and goes on."""
    (project.root / "server.token").write_text("x" * 20)
    addopts = f"--automation-report-token-file {project.root / 'server.token'}"
    ran = doctor(project, PYTEST_ADDOPTS=addopts)
    assert ran.exit == 0, ran.text
    assert f"write --automation-report-token-file={project.root / 'server.token'}" in ran.err


PREFLIGHT = "-oautomation_report_preflight=true"


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_preflight_that_succeeds(project: Project, server: CheckedServer, workers: tuple[str, ...]) -> None:
    """Where all is well the session is reported as without the checks, which were made once."""
    project.report(PREFLIGHT, *workers, address=server.address, exits=0)
    assert len(server.tests()) == 1
    assert [each.path for each in server.log].count("/api/v1/projects/1/automation/sources") == 1


def test_preflight_that_fails(project: Project) -> None:
    """A server that does not answer ends the session before collection, with the reason; nothing is left behind."""
    project.write("test_suite.py", "raise SystemExit('collected')\n")
    ran = project.report(PREFLIGHT, address="http://127.0.0.1:1", exits=4)
    assert ran.err.startswith("ERROR: -o automation_report_preflight: http://127.0.0.1:1 cannot be used: connection: ")
    assert "Connection refused: check the address (url)" in ran.err
    assert "collected" not in ran.text
    assert not project.state.exists()


def test_preflight_with_a_wrong_token_or_clock(project: Project, server: CheckedServer) -> None:
    """A refused token and a wrong clock end the session; the token is not shown."""
    env = session_environment(AUTOMATION_REPORT_PREFLIGHT="1")
    ran = project.report(address=server.address, env={**env, "AUTOMATION_REPORT_TOKEN": "wrong-token-7"}, exits=4)
    assert ran.err.startswith(f"ERROR: AUTOMATION_REPORT_PREFLIGHT: {server.address} cannot be used: token: ")
    assert "wrong-token-7" not in ran.text
    with sources_server(skew_seconds=600) as (address, _):
        ran = project.report(address=address, env=env)
    assert ran.exit == 4
    assert "ahead of the server's: set this machine's clock (NTP)" in ran.err


def test_preflight_without_a_token(project: Project, server: CheckedServer) -> None:
    """A session whose results would be kept for want of a token does not begin; one that is sent later does."""
    ran = project.report(PREFLIGHT, address=server.address, env=clean_environment(), exits=4)
    assert ran.err.startswith(
        "ERROR: -o automation_report_preflight: results cannot be sent: no token: set AUTOMATION_REPORT_TOKEN"
    )
    later = "--automation-report-delivery=later"
    assert project.report(PREFLIGHT, later, address=server.address, env=clean_environment()).exit == 0


def test_preflight_of_the_embedded_store(project: Project) -> None:
    """The embedded store is checked, too."""
    project.write("test_suite.py", MIXED)
    assert project.report(PREFLIGHT).exit == 1
    (project.state / "store.sqlite3").write_bytes(b"nonsense" * 1000)
    ran = project.report(PREFLIGHT, exits=4)
    assert "store.sqlite3 cannot be used: database: " in ran.err


def test_preflight_loads_nothing_costly(project: Project, server: CheckedServer) -> None:
    """Pytest's process loads neither the HTTP client nor a database for the checks."""
    arguments = ["--automation-report", PREFLIGHT, "--automation-report-url", server.address]
    arguments += ["--automation-report-project-id=1", "--automation-report-source=suite"]
    loaded = modules(project, *arguments)
    assert "pytest_automation_report.checks.preflight" in loaded
    assert not loaded & (COSTLY - modules(project))
