"""What ``docs/server.md`` says to a team that grows to PostgreSQL, and its compose file, are true."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from docs.written import bash, block, environment
from pytest_automation_report.settings.settings import SETTINGS, TOKEN_VARIABLES
from support.clusters import Cluster
from support.installs import Wheelhouse, pip
from support.needs import needed
from support.processes import line_of, running
from support.repository import ROOT
from support.serving import RUNS, asking
from support.sessions import clean_environment

PAGE = "docs/server.md"
FOLDER = ROOT / "examples" / "team"
LIBPQ = {"PGPASSWORD"}

TOKEN = "a-token-of-these-tests"
CODE = "a-code-of-ten-colleagues"


@pytest.fixture
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return found


@contextmanager
def _served(
    folder: Path, options: Sequence[str], env: Mapping[str, str], shown: str = "postgresql://reports@"
) -> Iterator[str]:
    """Run the console command of this interpreter; give the address that it listens on."""
    command = [str(Path(sys.executable).parent / "automation-report"), *options, "--port", "0"]
    with running(command, env, folder) as server:
        yield line_of(server)
        server.send_signal(signal.SIGTERM)
        assert f"serving {shown}" in server.communicate(timeout=20)[1]


def _get(address: str, token: str, host: str) -> int:
    with asking(token) as session:
        return session.get(f"{address}{RUNS}", headers={"Host": host}).status_code


def _make_run(address: str) -> int:
    with asking(TOKEN) as session:
        return int(session.post(f"{address}{RUNS}", json={"name": "a run", "source": "a-source"}).json()["id"])


def test_the_pages_command_serves_a_database(tmp_path: Path, cluster: Cluster) -> None:
    """With the address of a database that is there it works as it is written, and the extra has the driver."""
    cluster.emptied()
    install, serve = block(PAGE, "$ pip install").splitlines()
    assert install == "pip install '.[postgres]'"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'postgres = [\n  "psycopg[binary,pool]' in project
    assignment, command, *options = shlex.split(serve)
    name, _, address = assignment.partition("=")
    assert (command, address) == ("automation-report", "postgresql://reports@db.example.com/reports")
    served = clean_environment(**{name: cluster.address(), "PGPASSWORD": cluster.password})
    with _served(tmp_path, options, served) as listening:
        token = (tmp_path / ".automation-report" / "store.sqlite3.token").read_text().strip()
        assert _get(listening, token, "localhost") == 404
    assert not (tmp_path / ".automation-report" / "store.sqlite3").exists()


def test_the_pages_backup_is_restored(tmp_path: Path, cluster: Cluster) -> None:
    """What came after the backup is gone after it was restored; all before it is whole."""
    database = cluster.emptied()
    lines = block("docs/operate.md", "pg_dump")
    lines = lines.replace("postgresql://reports@db.example.com/reports", f"'{database.url}'")
    dump, *restore = lines.splitlines()
    env = environment(cluster.programs, AUTOMATION_REPORT_SERVER_TOKEN=TOKEN)
    with _served(tmp_path, ["serve", "--database", database.url], env, shown=str(database)) as address:
        _make_run(address)
        assert bash(dump, tmp_path, env).returncode == 0
        _make_run(address)
    done = bash("set -e\n" + "\n".join(restore), tmp_path, env, exits=0)
    assert "0 results in 1 run: all right" in done.stderr
    with _served(tmp_path, ["serve", "--database", database.url], env, shown=str(database)) as address:
        assert _make_run(address) == 2


def test_the_compose_file_serves_a_team(tmp_path: Path, cluster: Cluster, compose: dict[str, Any]) -> None:
    """Its server's command runs with its environment, for the proxy's host alone; every name in it is a real one."""
    server, database, proxy = (compose["services"][name] for name in ("server", "database", "proxy"))
    known = {each.environment for each in SETTINGS} | set(TOKEN_VARIABLES) | LIBPQ
    assert set(server["environment"]) <= known
    assert database["environment"]["POSTGRES_PASSWORD"] == server["environment"]["PGPASSWORD"]
    address = server["environment"]["AUTOMATION_REPORT_DATABASE"]
    user, name = database["environment"]["POSTGRES_USER"], database["environment"]["POSTGRES_DB"]
    assert address == f"postgresql://{user}@database/{name}"
    host = proxy["command"][proxy["command"].index("--from") + 1]
    assert proxy["command"][proxy["command"].index("--to") + 1] == "server:8000"
    options = server["command"]
    assert f"--allow-host={host}" in options
    assert f"--trusted-proxy={proxy['networks']['default']['ipv4_address']}" in options
    assert set(compose["volumes"]) == {
        volume.partition(":")[0] for service in (database, proxy) for volume in service["volumes"]
    }
    for service in compose["services"].values():
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}
        assert "image" not in service or re.fullmatch(r"[a-z]+:[0-9]+(\.[0-9]+)+", service["image"])
    cluster.emptied()
    variables = {**server["environment"], "AUTOMATION_REPORT_DATABASE": cluster.address()}
    variables |= {"PGPASSWORD": cluster.password, "AUTOMATION_REPORT_SERVER_TOKEN": TOKEN}
    variables["AUTOMATION_REPORT_PAGES_TOKEN"] = CODE
    here = ["--host=127.0.0.1" if each == "--host=0.0.0.0" else each for each in options]
    with _served(tmp_path, here, clean_environment(**variables)) as listening:
        assert [_get(listening, TOKEN, each) for each in (host, "other.example")] == [404, 403]
        assert requests.get(f"{listening}/open/{CODE}", headers={"Host": host}, timeout=20).status_code == 200
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [], "all is kept in the database"


def steps(name: str) -> list[str]:
    """Return what the instructions of this name in the Dockerfile say, in their order."""
    return re.findall(rf"(?m)^{name} (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))


def test_steps_of_the_image_make_a_server(tmp_path: Path, wheelhouse: Wheelhouse, compose: dict[str, Any]) -> None:
    """They install the project with its extras; its user's command answers the health check until it ends."""
    assert (FOLDER / compose["services"]["server"]["build"]).resolve() == ROOT
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+( AS build)?", each) for each in steps("FROM"))
    create, install, add_user = steps("RUN")
    folder = create.rpartition(" ")[2]
    assert create == f"python -m venv {folder}"
    assert install == f"{folder}/bin/pip install --no-cache-dir '/source[postgres,artifacts]'"
    assert steps("COPY") == [". /source", f"--from=build {folder} {folder}"]
    assert steps("ENV")[0].startswith(f"PATH={folder}/bin:")
    (user,), (home,), (volume,) = map(steps, ("USER", "WORKDIR", "VOLUME"))
    assert add_user.startswith("useradd ")
    assert f"--uid {user} --create-home --home-dir {home} " in add_user
    assert volume == home
    build, run = block(PAGE, "docker build").splitlines()
    assert build.split()[-2:] == ["automation-report", "."]
    assert f":{home} automation-report" in run
    python = wheelhouse.empty_venv(tmp_path / "installed")
    pip("install", "--no-deps", str(wheelhouse.wheel), python=python)
    (health,), (entry,), (command,) = (steps(name) for name in ("HEALTHCHECK", "ENTRYPOINT", "CMD"))
    asked = json.loads(health.partition("CMD ")[2])
    words = [each.replace("0.0.0.0", "127.0.0.1") for each in (*json.loads(entry), *json.loads(command))]
    words[0] = str(Path(python.executable).with_name(words[0]))
    (tmp_path / "home").mkdir()

    def is_healthy(address: str) -> bool:
        (port,) = steps("EXPOSE")
        assert port in asked[2]
        script = asked[2].replace(port, address.rpartition(":")[2])
        done = subprocess.run([python.executable, *asked[1:2], script], capture_output=True, check=False)
        return done.returncode == 0

    with running([*words, "--port", "0"], clean_environment(), tmp_path / "home") as server:
        address = line_of(server)
        assert is_healthy(address)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)
        assert server.returncode == 0
    assert not is_healthy(address)
    assert "**/.env" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_unit_serves(tmp_path: Path) -> None:
    """The unit is accepted by systemd, and its command serves the host that it names from its folder."""
    unit = ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign] # names keep their capitals
    text = (FOLDER / "automation-report.service").read_text(encoding="utf-8")
    unit.read_string(text)
    service = unit["Service"]
    assert service["WorkingDirectory"] == f"%S/{service['StateDirectory']}"
    program, *options = shlex.split(service["ExecStart"])
    lines = block(PAGE, "systemctl enable").splitlines()
    assert lines[0] == f"python3 -m venv {Path(program).parents[1]}"
    assert lines[1].startswith(f"{Path(program).parent}/pip install ")
    assert lines[2] == "cp examples/team/automation-report.service /etc/systemd/system/"
    (host,) = (each.partition("=")[2] for each in options if each.startswith("--allow-host="))
    env = clean_environment(AUTOMATION_REPORT_SERVER_TOKEN=TOKEN)
    with _served(tmp_path, options, env, shown=str(tmp_path)) as listening:
        assert [_get(listening, TOKEN, each) for each in (host, "other.example")] == [404, 403]
    analyze = needed("systemd-analyze")
    copy = tmp_path / "automation-report.service"
    copy.write_text(text.replace(program, sys.executable))
    told = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.needs("git")
def test_secrets_are_those_that_the_compose_file_wants(tmp_path: Path, compose: dict[str, Any]) -> None:
    """The line that makes them writes every variable that must be there, none of them guessable, and git ignores it."""
    script = next(line for line in block(PAGE, "docker compose").splitlines() if line.startswith("for "))
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True)
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    wanted = set(re.findall(r"\$\{(\w+):\?", yaml.safe_dump(compose)))
    assert set(made) == wanted
    assert len(set(made.values())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in made.values())
    ignored = subprocess.run(["git", "check-ignore", "-q", "examples/team/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0
