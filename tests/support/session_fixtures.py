"""The fixtures of sessions in processes: a project, the embedded server that it reports to, the wheel to install."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from support import prepared
from support.checked_server import CheckedServer
from support.installs import Wheelhouse
from support.projects import Project
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, Ran, run, session_environment

Execute: TypeAlias = "Callable[..., Ran]"

EXEC = [sys.executable, "-m", "pytest_automation_report.cli", "exec"]


def shell(script: str) -> list[str]:
    """Return the last arguments of ``exec`` for a script of bash."""
    if sys.platform == "win32":
        pytest.skip("a shell of POSIX")
    return ["--", "bash", "-c", script]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def no_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python start for sessions, their workers and senders, which takes longer, and has pytest as the parent."""
    monkeypatch.setattr(prepared, "IS_POSSIBLE", False)


@pytest.fixture
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedServer]:
    """Run the embedded server, which wants the sessions' token, its store away from the project."""
    with CheckedServer(tmp_path_factory.mktemp("server") / "store.sqlite3", TOKEN) as server:
        yield server


@pytest.fixture
def server(embedded_server: CheckedServer) -> CheckedServer:
    """Return the server that a test means unless its folder has another: the scripted one, in `faults`."""
    return embedded_server


@pytest.fixture
def testmo() -> Iterator[ScriptedServer]:
    """Run a server that is none of ours: it has the contract's calls and no other."""
    with ScriptedServer(token=TOKEN) as server:
        yield server


@pytest.fixture
def server_options(server: CheckedServer) -> list[str]:
    return [*server.options, "--source", "suite"]


@pytest.fixture
def execute(project: Project, server_options: list[str]) -> Execute:
    """Return a function that runs a script of bash by ``exec``, as `run` does."""

    def executed(script: str, *options: str, **more: Any) -> Ran:  # noqa: ANN401 - those of `run`
        command = [*EXEC, *server_options, *options, *shell(script)]
        return run(command, project.root, **{"env": session_environment(), **more})

    return executed


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    return Wheelhouse(tmp_path_factory.mktemp("wheelhouse"))
