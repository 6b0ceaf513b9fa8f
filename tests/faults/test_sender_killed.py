"""The sender killed at every point, two senders at once, a sender too early: pytest unaffected, nothing doubled."""

import os
import re
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.system.here import system
from support.delivered_results import assert_complete, result_names
from support.fault_projects import GatedProject, signalling
from support.scripted_server.faults import Fault, Rule, hang, held
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS
from support.session_processes import LATER, RunningSession, eventually, sender_of, spools
from support.sessions import run_session, send, session_environment
from support.terminal_summary import printed_counts

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none


def kept_session(folder: Path, server: ScriptedServer, count: int) -> list[str]:
    """Leave a session of this many tests in the spool; return their names."""
    project = GatedProject(folder, count)
    ran = run_session(folder, *LATER, address=server.address, exits=0)
    assert printed_counts(ran).kept == count
    return project.names


def sending(folder: Path, server: ScriptedServer) -> AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pytest_automation_report.cli", "send", "--url", server.address]
    return subprocess.Popen(
        [*command, "--project-id", "1"], cwd=folder, env=session_environment(), stderr=subprocess.PIPE, text=True
    )


@pytest.mark.usefixtures("no_forks")
def test_killed_as_the_session_begins(tmp_path: Path, server: ScriptedServer) -> None:
    """A sender that is killed at once, ready or not, changes nothing for the tests; the command sends their results."""
    project = GatedProject(tmp_path, 3)
    (tmp_path / "conftest.py").write_text(signalling("SIGKILL"))
    ran = run_session(tmp_path, address=server.address, env=session_environment({"exit_progress": 0.5}))
    assert (tmp_path / "signalled").exists()
    assert ran.exit == 0
    assert (printed_counts(ran).delivered, printed_counts(ran).kept) == (0, 3)
    assert re.search(r"the sender (did not become ready|\(process [0-9]+\) has died)", ran.out)
    send(tmp_path, *server.options, exits=0)
    assert_complete(server, project.names)


@pytest.mark.parametrize(("operation", "fate"), [("create-run", "not-applied"), ("append-thread", "applied")])
def test_killed_in_a_request(tmp_path: Path, server: ScriptedServer, operation: str, fate: str) -> None:
    """A sender killed between a request and its answer is told; the next one finds out what became of the request."""
    project = GatedProject(tmp_path, 3, 1)
    rule = Rule("POST", OPERATIONS[operation], held() if fate == "applied" else hang())
    server.script([rule])
    with RunningSession(tmp_path, address=server.address) as running:
        running.until(lambda: project.is_at(1), "the second test")
        running.until(lambda: rule.seen > 0 and bool(server.log[-1].body), "the request has arrived")
        sender = sender_of(tmp_path)
        os.kill(sender, KILL)
        server.release()
        project.let_through(1)
        ran = running.end(exits=0)
    assert (printed_counts(ran).delivered, printed_counts(ran).kept) == (0, 3)
    assert f"the sender (process {sender}) has died" in ran.out
    send(tmp_path, *server.options, exits=0)
    assert spools(tmp_path) == []
    assert_complete(server, project.names)


def killed_in_every_request(folder: Path, server: ScriptedServer, fault: Fault, path: str = "/api") -> int:
    """Let senders be killed at their first request, their second, and so on, until one ends; return their number."""
    victims: list[subprocess.Popen[str]] = []
    countdown = 0

    def kill(*_: object) -> None:
        nonlocal countdown
        countdown -= 1
        if countdown == 0:
            victims[-1].kill()

    server.checks.append(kill)
    exit_code, text = -KILL, ""
    while exit_code == -KILL:
        countdown = len(victims) + 1
        server.forget()
        server.script([Rule("*", path, fault, first=countdown)])
        with sending(folder, server) as process:
            victims.append(process)
            _, text = process.communicate(timeout=60)
        exit_code = process.returncode
    assert exit_code == 0, text
    return len(victims)


def test_killed_in_every_request(tmp_path: Path, server: ScriptedServer) -> None:
    """Senders killed at their first request, their second, and so on: the one that lives finds each result once."""
    names = kept_session(tmp_path, server, 3)
    assert killed_in_every_request(tmp_path, server, Fault(reset="after")) > 3
    assert spools(tmp_path) == []
    assert_complete(server, names)


def test_two_commands_at_once(tmp_path: Path, server: ScriptedServer) -> None:
    """The second of two commands on one spool waits for the first, and finds nothing left to send."""
    names = kept_session(tmp_path, server, 3)
    server.script([Rule("POST", OPERATIONS["append-thread"], held())])
    with sending(tmp_path, server) as first, sending(tmp_path, server) as second:
        server.wait_until(lambda: any("/threads/" in each.path for each in server.log))
        server.release()
        texts = "".join(each.communicate(timeout=30)[1] for each in (first, second))
    assert (first.returncode, second.returncode) == (0, 0)
    assert texts.count("3 results sent") == 1
    assert_complete(server, names)


def test_command_while_the_session_lives(tmp_path: Path, server: ScriptedServer) -> None:
    """The command leaves the spool of a running session alone, by exit code 3; the session delivers all itself."""
    project = GatedProject(tmp_path, 3, 1)
    with RunningSession(tmp_path, address=server.address) as running:
        running.until(lambda: project.is_at(1), "the second test")
        early = send(tmp_path, *server.options, exits=3)
        assert f"its pytest (process {running.pid}) is still running" in early.err
        project.let_through(1)
        ran = running.end()
    assert printed_counts(ran).delivered == 3
    assert_complete(server, project.names)


def test_command_while_the_sender_is_alone(tmp_path: Path, server: ScriptedServer) -> None:
    """When pytest was killed, the command waits for the sender that is still at work: the job may end after it."""
    project = GatedProject(tmp_path, 3, 2)
    server.script([Rule("POST", OPERATIONS["append-thread"], held())])
    with RunningSession(tmp_path, address=server.address) as running:
        running.until(lambda: project.is_at(2), "the last test")
        server.wait_until(lambda: any("/threads/" in each.path for each in server.log))
        running.hit(KILL)
        running.end()
    with sending(tmp_path, server) as command:
        assert command.stderr is not None
        assert re.search(
            "waits for the sender that is at work on it, [0-9.]+ seconds at most", command.stderr.readline()
        )
        server.release()
        _, text = command.communicate(timeout=30)
    assert command.returncode == 0, text
    eventually(lambda: spools(tmp_path) == [], "what was delivered is removed")
    assert_complete(server, project.names)


def test_destination_that_another_sender_has_chosen(tmp_path: Path, server: ScriptedServer) -> None:
    """A session without a destination goes to the one that its first sender chose, and to no other one."""
    kept_session(tmp_path, server, 3)
    (path,) = spools(tmp_path)
    folder = SessionFolder(path)
    chosen = folder.read_session()
    folder.write_session(replace(chosen, origin="", project_id=0))
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    assert system.is_lock_taken(lock)
    with sending(tmp_path, server) as command:
        assert command.stderr is not None
        assert "waits for the sender" in command.stderr.readline()
        folder.bind(replace(chosen, origin="https://first.example"))
        os.close(lock)
        _, text = command.communicate(timeout=30)
    assert command.returncode == 3
    assert "it is for https://first.example, project 1" in text
    assert result_names(server) == []
