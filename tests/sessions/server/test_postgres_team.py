"""What ``docs/server.md`` says to a team that grows to PostgreSQL, and its compose file, are true."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.written import bash, block, environment
from pytest_automation_report.settings.settings import SETTINGS, TOKEN_VARIABLES
from support.clusters import Cluster
from support.processes import line_of, running
from support.repository import ROOT
from support.serving import RUNS, asking
from support.sessions import clean_environment

PAGE = "docs/server.md"
FOLDER = ROOT / "examples" / "team"
LIBPQ = {"PGPASSWORD"}

TOKEN = "a-token-of-these-tests"


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
    install, serve = block(PAGE, "pip install").splitlines()
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
    lines = block(PAGE, "pg_dump").replace("postgresql://reports@db.example.com/reports", f"'{database.url}'")
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
    program, *options = server["command"]
    assert program == "automation-report"
    assert f"--allow-host={host}" in options
    assert set(compose["volumes"]) == {
        volume.partition(":")[0] for service in (database, proxy) for volume in service["volumes"]
    }
    cluster.emptied()
    variables = {**server["environment"], "AUTOMATION_REPORT_DATABASE": cluster.address()}
    variables |= {"PGPASSWORD": cluster.password, "AUTOMATION_REPORT_SERVER_TOKEN": TOKEN}
    here = ["--host=127.0.0.1" if each == "--host=0.0.0.0" else each for each in options]
    with _served(tmp_path, here, clean_environment(**variables)) as listening:
        assert [_get(listening, TOKEN, each) for each in (host, "other.example")] == [404, 403]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [], "all is kept in the database"


def test_the_compose_files_image_is_built_from_this_project(compose: dict[str, Any]) -> None:
    """Its context is the project's folder, and what is installed is the project with its extra."""
    build = compose["services"]["server"]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert "pip install --no-cache-dir '/source[postgres]'" in build["dockerfile_inline"]
    assert "COPY . /source" in build["dockerfile_inline"]
    assert "**/.env" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.needs("git")
def test_secrets_are_those_that_the_compose_file_wants(tmp_path: Path, compose: dict[str, Any]) -> None:
    """The line that makes them writes every variable that must be there, none of them guessable, and git ignores it."""
    script = next(line for line in block(PAGE, "docker compose").splitlines() if line.startswith("printf"))
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True)
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    wanted = set(re.findall(r"\$\{(\w+):\?", yaml.safe_dump(compose)))
    assert set(made) == wanted
    assert len(set(made.values())) == 2
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in made.values())
    ignored = subprocess.run(["git", "check-ignore", "-q", "examples/team/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0
