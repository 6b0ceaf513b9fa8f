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

USED = ".local/state/pytest-automation-report/used"
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


@pytest.mark.parametrize("way", ["option", "variable", "listed"])
def test_a_confirmed_address_gets_the_token(
    way: str, checkout: Project, server: CheckedServer, env: dict[str, str], home: Path
) -> None:
    """An option, a variable or a line of the user's own file confirms an address; from then on the ini file does."""
    write_ini(checkout, address_line(server))
    options = ["--url", server.address] if way == "option" else []
    variables = {"AUTOMATION_REPORT_URL": server.address} if way == "variable" else {}
    own = home / ".config" / "pytest-automation-report" / "addresses"
    if way == "listed":
        own.parent.mkdir(parents=True)
        own.write_text(f"# ours\n\n  {server.address}/api/v1/\n")
        own.chmod(0o600)
    console(checkout.root, "run", "create", *options, env={**env, **variables}, exits=0)
    own.unlink(missing_ok=True)
    console(checkout.root, "run", "create", env=env, exits=0)
    assert len(server.log) == 2
    assert not [file for file in home.rglob("*used/*") if TOKEN in file.name or file.read_text()]


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


def test_an_address_that_pytest_has_used_is_confirmed(
    checkout: Project, server: CheckedServer, env: dict[str, str]
) -> None:
    """Under pytest the ini file's address counts as before, and after the session ``send`` works without an option."""
    write_ini(checkout, address_line(server))
    ran = checkout.pytest("--automation-report", env=env, exits=0)
    assert "1 of 1 result delivered" in ran.out
    console(checkout.root, "send", env=env, exits=0)
    assert console(checkout.root, "run", "create", env=env).exit == 0


def test_tests_are_chosen_by_a_run_of_an_unconfirmed_address(
    checkout: Project, server: CheckedServer, env: dict[str, str]
) -> None:
    """``--automation-report-rerun-failed`` asks the ini file's address: it is pytest that asks."""
    write_ini(checkout, address_line(server))
    ran = checkout.pytest("--automation-report-rerun-failed", env=env)
    assert "404: There is no project" in ran.err, ran.text
    assert server.log != []


def test_a_token_file_of_the_project(checkout: Project, server: CheckedServer, env: dict[str, str]) -> None:
    """A token file below the project's folder works from the ini file, and the user may name any other."""
    checkout.write("secret/token", TOKEN)
    write_ini(checkout, "automation_report_token_file = secret/token")
    place = ["run", "create", "--url", server.address]
    assert console(checkout.root, *place, env=without_token(env)).exit == 0
    write_ini(checkout, "automation_report_token_file = ~/.vault-token")
    assert console(checkout.root, *place, "--token-file", "~/.vault-token", env=without_token(env)).exit == 0
    assert console(checkout.root, *place, env=env).exit == 0  # the environment has a token: the file is not read
    assert len(server.log) == 3


def test_pytest_reads_the_token_file_of_an_ini_file(
    checkout: Project, server: CheckedServer, env: dict[str, str]
) -> None:
    """Under pytest, which runs the checkout's code anyway, an ini file may name any token file."""
    write_ini(checkout, address_line(server), "automation_report_token_file = ~/.vault-token")
    ran = checkout.pytest("--automation-report", env=without_token(env), exits=0)
    assert "1 of 1 result delivered" in ran.out


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


def test_many_uses_take_little_place(checkout: Project, server: CheckedServer, env: dict[str, str], home: Path) -> None:
    """The folder of used addresses is private and keeps the newest, so that new ports for ever do not fill it."""
    used = home / USED
    used.mkdir(mode=0o700, parents=True)
    for port in range(700):
        (used / f"http%3A%2F%2F127.0.0.1%3A{port}").touch()
    write_ini(checkout, address_line(server))
    assert console(checkout.root, "run", "create", "--url", server.address, env=env).exit == 0
    assert 100 < len(list(used.iterdir())) < 600
    assert console(checkout.root, "run", "create", env=env).exit == 0
