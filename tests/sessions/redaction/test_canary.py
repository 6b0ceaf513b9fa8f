import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.canary import files_with, holds_token
from support.checked_server import CheckedServer
from support.projects import MIXED, Project, paused
from support.sessions import session_environment

CANARY = f"canary-{secrets.token_hex(12)}"
"""The token of these tests alone: other sessions may run on this machine at the same time."""


def finds(data: bytes) -> bool:
    return holds_token(data, CANARY)


def files_with_token(*folders: Path) -> list[Path]:
    return files_with(CANARY, *folders)


def of_processes(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield this file of all processes that let us read it."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                yield int(each.name), (each / name).read_bytes()
            except OSError:
                continue  # it has ended, or is another user's


def sender_of(project: Project) -> int:
    """Return the process id of the sender of the project's only session, found as people do: by its command line."""
    (session,) = project.sessions
    (found,) = (
        pid
        for pid, words in of_processes("cmdline")
        if b"pytest_automation_report sender" in words and os.fsencode(session.name) in words
    )
    return found


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Make folders of the test's own for everything that could be written, and name them to the session."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    own = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temporary"), "AUTOMATION_REPORT_TOKEN": CANARY}
    own["XDG_STATE_HOME"] = ""  # what pytest notes of the user's servers is in the home folder, too
    return {**session_environment(), **own}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedServer]:
    with CheckedServer(tmp_path_factory.mktemp("server") / "store.sqlite3", CANARY) as server:
        yield server


@pytest.mark.parametrize("arguments", [["-vv", "--setup-show", "-o", "log_cli=true", "--log-cli-level=DEBUG"], ["-n2"]])
def test_token_is_nowhere(arguments: list[str], tmp_path: Path, env: dict[str, str], server: CheckedServer) -> None:
    """A delivered session with failures leaves the token in no output and no file."""
    project = Project(tmp_path / "project", MIXED)
    log = ["--log-file=all.log", "--log-file-level=DEBUG", "--junitxml=junit.xml", "--debug=debug.log"]
    ran = project.report(*arguments, *log, address=server.address, env=env, exits=1)
    assert len(server.tests()) == 3
    assert not finds(ran.text.encode())
    assert files_with_token(tmp_path, server.database.parent) == []


def test_no_process_shows_the_token(tmp_path: Path, env: dict[str, str], server: CheckedServer) -> None:
    """While a session runs, no process has the token among its arguments, nor the sender in its environment."""
    project = Project(tmp_path / "project")
    with paused(project, "-n2", address=server.address, env=env):
        sender = sender_of(project)
        assert [pid for pid, words in of_processes("cmdline") if finds(words)] == []
        assert not finds(Path(f"/proc/{sender}/environ").read_bytes())
        assert files_with_token(tmp_path) == []


def test_token_of_a_file_is_in_no_environment(tmp_path: Path, env: dict[str, str], server: CheckedServer) -> None:
    """A token that comes from a file works, and is in no environment, not even pytest's own."""
    project = Project(tmp_path / "project")
    token_file = tmp_path / "token"
    token_file.write_text(f"{CANARY}\n")
    env = {name: value for name, value in env.items() if name != "AUTOMATION_REPORT_TOKEN"}
    arguments = ["-n2", "--automation-report-token-file", str(token_file)]
    with paused(project, *arguments, address=server.address, env=env):
        assert [pid for pid, words in of_processes("cmdline") if finds(words)] == []
        assert [pid for pid, words in of_processes("environ") if finds(words)] == []
        assert files_with_token(tmp_path) == [token_file]
    assert len(server.tests()) == 2
    assert files_with_token(tmp_path) == [token_file]
