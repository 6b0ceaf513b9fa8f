"""A sender that gets no CPU, for a while or longer than pytest waits: nothing is lost or doubled, and it is told so."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.delivered_results import assert_complete
from support.fault_projects import GatedProject, signalling
from support.projects import wait_for_death
from support.scripted_server.faults import Rule, held
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS
from support.session_processes import RunningSession, acknowledged, eventually, sender_of, sent, spools
from support.sessions import Ran, run_session, send, session_environment
from support.terminal_summary import printed_counts

assert sys.platform != "win32"

IMPATIENT = {"exit_progress": 1.0, "exit_all": 1.5, "request": 0.5}
"""Pytest waits for a shorter time than the sender stands still, and a request takes longer than its limit."""


@contextmanager
def starved(folder: Path) -> Iterator[int]:
    """Stop the sender of a running session; at the end it goes on, if it is still there."""
    sender = sender_of(folder)
    os.kill(sender, signal.SIGSTOP)
    try:
        yield sender
    finally:
        with suppress(ProcessLookupError):  # a test may have killed it
            os.kill(sender, signal.SIGCONT)


def has_ended(folder: Path) -> bool:
    """Whether the tests are over, and pytest waits for its sender."""
    (session,) = spools(folder)
    return b'"k":"end"' in (session / "main.records").read_bytes()


def assert_told(ran: Ran, folder: Path, *, collected: int) -> None:
    """Fail unless the terminal says how many results the server is known to have, and that the sender is at work."""
    counts = printed_counts(ran)
    assert ran.exit == 0
    assert (counts.collected, counts.delivered) == (collected, acknowledged(folder))
    assert counts.kept == collected - counts.delivered > 0
    assert "pytest stopped waiting, and the sender may still be sending" in ran.out
    assert "has died" not in ran.out


def test_short_of_the_limit(tmp_path: Path, server: ScriptedServer) -> None:
    """A sender that stands still until the tests are over delivers all of them while pytest waits."""
    project = GatedProject(tmp_path, 4, 1)
    with RunningSession(tmp_path, address=server.address) as running:
        running.until(lambda: project.is_at(1) and sender_of(tmp_path) > 0, "the second test, and a ready sender")
        with starved(tmp_path):
            project.let_through(1)
            running.until(lambda: has_ended(tmp_path), "the tests are over")
        ran = running.end()
    assert (ran.exit, printed_counts(ran).delivered) == (0, 4)
    assert "sender" not in ran.out
    assert spools(tmp_path) == []
    assert_complete(server, project.names)


@pytest.mark.parametrize("fate", ["goes-on", "is-killed"])
@pytest.mark.parametrize("moment", ["waiting", "in-a-request"])
def test_beyond_the_limit(tmp_path: Path, server: ScriptedServer, moment: str, fate: str) -> None:
    """Pytest leaves a sender that stands still and says so; going on it delivers the rest, else the command does."""
    project = GatedProject(tmp_path, 4, 1)
    rule = Rule("POST", OPERATIONS["append-thread"], held())
    server.script([rule] if moment == "in-a-request" else [])
    with RunningSession(tmp_path, address=server.address, env=session_environment(IMPATIENT)) as running:
        running.until(lambda: project.is_at(1) and sender_of(tmp_path) > 0, "the second test, and a ready sender")
        if moment == "in-a-request":
            running.until(lambda: rule.seen > 0, "the request has arrived")
        with starved(tmp_path) as sender:
            server.release()
            project.let_through(1)
            assert_told(running.end(), tmp_path, collected=4)
            env = session_environment({"exit_all": 0.1, "alone": 0.1})
            beside = send(tmp_path, *server.options, env=env, exits=3)
            assert f"another sender (process {sender}) is at work on it" in beside.err
            if fate == "is-killed":
                os.kill(sender, signal.SIGKILL)
    wait_for_death(sender)
    if fate == "is-killed":
        assert len(spools(tmp_path)) == 1
        sent(tmp_path, server, exits=0)
    assert spools(tmp_path) == []
    assert_complete(server, project.names)


@pytest.mark.usefixtures("no_forks")
def test_from_the_start(tmp_path: Path, server: ScriptedServer) -> None:
    """A sender that gets no CPU before it is ready is told, keeps no test waiting, and delivers all when it goes on."""
    project = GatedProject(tmp_path, 3)
    (tmp_path / "conftest.py").write_text(signalling("SIGSTOP"))
    ran = run_session(tmp_path, address=server.address, env=session_environment(IMPATIENT))
    stopped = [int(each) for each in (tmp_path / "signalled").read_text().split()]
    try:
        assert ran.exit == 0
        assert (printed_counts(ran).delivered, printed_counts(ran).kept) == (0, 3)
        assert "the sender did not " in ran.out
        assert "has died" not in ran.out
    finally:
        for sender in stopped:
            os.kill(sender, signal.SIGCONT)
    eventually(lambda: spools(tmp_path) == [], "what was delivered is removed")
    assert_complete(server, project.names)
