"""Commands in a checkout that somebody else wrote: its ini file and its spool get no token of the user's."""

import json
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.scripted_server.sources import sources_server
from support.sessions import TOKEN, session_environment

PLACE = "automation_report_project_id = 1\nautomation_report_source = suite\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home folder outside of the checkout, with a secret in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".vault-token").write_text(TOKEN)
    return folder


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    """Return an environment with a token and a home folder in which nothing is known yet."""
    return {**session_environment(), "HOME": str(home), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": ""}


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    return Project(tmp_path / "checkout")


def without_token(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name != "AUTOMATION_REPORT_TOKEN"}


def write_ini(checkout: Project, *lines: str) -> Path:
    return checkout.write("pytest.ini", "[pytest]\n" + PLACE + "".join(f"{line}\n" for line in lines))


def address_line(server: CheckedServer) -> str:
    return f"automation_report_url = {server.address}"


@pytest.mark.parametrize("is_tracked", [False, True])
def test_a_home_folder_may_be_a_checkout_of_its_own(
    is_tracked: bool,  # noqa: FBT001 - a parameter
    checkout: Project,
    server: CheckedServer,
    env: dict[str, str],
) -> None:
    """A user may have settings in git: what lies in the home folder counts unless that checkout brought the project."""
    home = checkout.root.parent
    write_ini(checkout, address_line(server))
    subprocess.run(["git", "init", "-q"], cwd=home, check=True)
    if is_tracked:
        subprocess.run(["git", "add", "checkout/pytest.ini"], cwd=home, check=True)
    env = {**env, "HOME": str(home)}
    assert console(checkout.root, "run", "create", "--url", server.address, env=env).exit == 0
    console(checkout.root, "run", "create", env=env, exits=2 if is_tracked else 0)
    assert [file.name for file in home.rglob("*used/*")] == ([] if is_tracked else [quote(server.address, safe="")])


def test_an_ini_file_chooses_no_certificates(checkout: Project, env: dict[str, str]) -> None:
    """A file of certificates that only an ini file names is trusted once the user has named it, and no other one."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(checkout.root / "ca.pem")
    ini = write_ini(checkout, "automation_report_ca_file = ca.pem")
    with sources_server(tls=context) as (address, seen):
        place = ["run", "list", "--url", address]
        ran = console(checkout.root, *place, env=env, exits=2)
        for part in (str(ini), "automation_report_ca_file", "--ca-file", "AUTOMATION_REPORT_CA_FILE"):
            assert part in ran.err
        assert seen == []
        console(checkout.root, *place, "--ca-file", "ca.pem", env=env, exits=0)
        assert console(checkout.root, *place, env=env).exit == 0
        asked = list(seen)
        assert asked != []
        write_ini(checkout, "automation_report_ca_file = other.pem")
        (checkout.root / "ca.pem").rename(checkout.root / "other.pem")
        assert console(checkout.root, *place, env=env).exit == 2
        assert seen == asked


def test_a_forged_spool_chooses_no_address(
    checkout: Project, server: CheckedServer, env: dict[str, str], tmp_path: Path
) -> None:
    """A session in the checkout's spool that names an address is kept: it confirms nothing, and nobody is asked."""
    write_ini(checkout)
    checkout.report("--automation-report-delivery=later", address=server.address, env=without_token(env), exits=0)
    (session,) = checkout.sessions
    assert json.loads((session / "session.json").read_text())["origin"] == server.address
    with CheckedServer(tmp_path / "own.sqlite3", TOKEN) as own:
        for options in ([], ["--url", own.address], ["--url", own.address, "--new-run", "--unknown=send"]):
            ran = console(checkout.root, "send", *options, env=env, exits=3)
            assert f"it is for {server.address}" in ran.err
            assert "any address" in ran.err
        write_ini(checkout, address_line(server))
        assert console(checkout.root, "send", env=env).exit == 2
        assert server.log == own.log == []
