"""``automation-report doctor`` tells what is configured and whether it works; ``preflight`` stops what would not."""

import re
import shlex
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from performance.test_loading import COSTLY, modules
from pytest_automation_report.cli.doctor import addopts_check, process_check
from support.checked_server import CheckedServer
from support.projects import Project, console
from support.scripted_server.sources import sources_server
from support.sessions import Ran, session_environment


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "shop"
    root.mkdir()
    return Project(root)


def doctor(project: Project, *options: str, env: Mapping[str, str] | None = None, **more: str) -> Ran:
    given = {"AUTOMATION_REPORT_SOURCE": "suite", "AUTOMATION_REPORT_PROJECT_ID": "1", **more}
    return console(project.root, "doctor", *options, env={**(env or session_environment()), **given})


def states(ran: Ran) -> dict[str, str]:
    found = {}
    for line in ran.err.splitlines():
        state, name = line[:8].strip(), line[9:].partition(":")[0]
        if state in {"ok", "warning", "failed", "skipped"}:
            found.update(dict.fromkeys(name.split(", "), state))
    return found


def line_of(ran: Ran, name: str) -> str:
    (line,) = [line for line in ran.err.splitlines() if line[9:].startswith(f"{name}: ")]
    return line


@pytest.mark.parametrize(
    ("given", "name", "state", "told", "code"),
    [
        ({"status": 404}, "project", "failed", "404", 1),
        ({"status": 403}, "project", "failed", "403", 1),
        ({"status": 500}, "connection", "failed", "500", 3),
        ({"skew_seconds": 600}, "clock", "failed", r"6[01]\d s ahead .*: set this machine's clock \(NTP\)", 3),
        ({"skew_seconds": -600}, "clock", "failed", r"(59|60)\d s behind .*: set this machine's clock \(NTP\)", 3),
        ({"skew_seconds": 20}, "clock", "ok", "agrees", 0),
        ({"date": ""}, "clock", "skipped", "", 0),
        ({"date": "yesterday"}, "clock", "skipped", "", 0),
        ({"date": "Wed, 99 Nov 2026 16:47:50 GMT"}, "clock", "skipped", "", 0),
    ],
)
def test_answers(project: Project, given: dict[str, Any], name: str, state: str, told: str, code: int) -> None:
    """What a server answers, and its clock, are checks that have exit codes of their own; 500 is tried again."""
    with sources_server(**given) as (address, seen):
        ran = doctor(project, "--url", address)
    assert ran.exit == code, ran.err
    assert states(ran)[name] == state
    assert re.search(told, line_of(ran, name))
    asked = "GET /api/v1/projects/1/automation/sources?page=1&per_page=15&order=desc"
    assert seen == [asked] * (3 if given.get("status") == 500 else 1)


def test_role_of_a_token(project: Project, server: CheckedServer) -> None:
    """A token that only reads is a warning before pytest is refused; one that reports is not."""
    for role, state in (("read", "warning"), ("report", "ok")):
        store = ("--database", str(server.database))
        created = console(project.root, "server", "token", "create", role, "--role", role, *store, exits=0)
        ran = doctor(project, *server.options, AUTOMATION_REPORT_TOKEN=created.out.strip())
        assert states(ran)["token"] == state
        assert ("its role is read: sessions need one of role report" in line_of(ran, "token")) is (role == "read")


def test_name_of_a_run(project: Project) -> None:
    """The name is that of the next run, which with a key is made of source and key."""
    job = session_environment(AUTOMATION_REPORT_BUILD="9013", AUTOMATION_REPORT_BRANCH="main")
    assert "setting  name = suite main #9013 (default)\n" in doctor(project, env=job).err
    ran = doctor(project, env=job, AUTOMATION_REPORT_RUN_KEY="build-{build}")
    assert "setting  name = suite build-9013 (default)\n" in ran.err


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


@pytest.mark.parametrize(
    ("name", "pid", "parent", "state"),
    [
        ("systemd", 7, 1, "ok"), ("tini", 7, 1, "ok"), ("bash", 7, 1, "warning"), ("python3", 1, 0, "warning"),
        ("bash", 7, 6, "ok"), (None, 7, 1, "skipped"),
    ],
)  # fmt: skip
def test_process_1(tmp_path: Path, name: str | None, pid: int, parent: int, state: str) -> None:
    """A process 1 that is no init and ends with the tests would end the sender: that is told with what to do."""
    path = tmp_path / "comm"
    if name:
        path.write_text(f"{name}\n")
    found = process_check(pid, parent, path)
    assert found.state == state
    assert ("docker run --init" in found.hint) is (state == "warning")


def test_options_whose_value_pytest_takes_for_tests(tmp_path: Path) -> None:
    """An existing path after a space moves pytest's root folder: the check names the spelling that does not."""
    token, options = tmp_path / "server.token", {"--automation-report-token-file"}
    token.touch()
    misused = addopts_check(f"-q --automation-report-token-file {shlex.quote(str(token))}", options)
    assert misused is not None
    assert misused.state == "warning"
    assert misused.hint == f"write --automation-report-token-file={token}"
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


PREFLIGHT = "-oautomation_report_preflight=true"


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_preflight_that_succeeds(project: Project, server: CheckedServer, workers: tuple[str, ...]) -> None:
    """Where all is well the session is reported as without the checks, which were made once."""
    project.report(PREFLIGHT, *workers, address=server.address, exits=0)
    assert len(server.tests()) == 1
    assert [each.path for each in server.log].count("/api/v1/projects/1/automation/sources") == 1


def test_preflight_with_a_wrong_clock(project: Project) -> None:
    """A wrong clock ends the session, too."""
    with sources_server(skew_seconds=600) as (address, _):
        ran = project.report(PREFLIGHT, address=address, exits=4)
    assert "ahead of the server's: set this machine's clock (NTP)" in ran.err


def test_preflight_loads_nothing_costly(project: Project, server: CheckedServer) -> None:
    """Pytest's process loads neither the HTTP client nor a database for the checks."""
    arguments = ["--automation-report", PREFLIGHT, "--automation-report-url", server.address]
    arguments += ["--automation-report-project-id=1", "--automation-report-source=suite"]
    loaded = modules(project, *arguments)
    assert not loaded & (COSTLY - modules(project))
