"""Pytest killed in every way: what finished arrives once, what was running arrives once and says why."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from support.delivered_results import assert_complete, field_texts, result_named, session_note
from support.fault_projects import FINISHED, WAITS, StoppingProject
from support.scripted_server.server import ScriptedServer
from support.session_processes import RunningSession, spools, wait_for_senders
from support.sessions import Ran, send
from support.terminal_summary import printed_counts

TWO = ("-n", "2", "--dist", "loadfile")
DIED = "The process that ran this test died before it finished"
CRASHED = "crashed while it ran this test"
INTERRUPTED = "This test was interrupted"


def stopped(
    folder: Path, server: ScriptedServer, arguments: tuple[str, ...], end: str, number: signal.Signals | None, whom: str
) -> Ran:
    """Run a session to its stopping test, stop it, and let what it left behind be delivered."""
    project = StoppingProject(folder, end)
    with RunningSession(folder, *arguments, address=server.address) as running:
        if number is not None:
            running.until(lambda: project.is_stopped, "all but the stopping test have finished")
            if whom == "group":
                running.hit_group(number)
            else:
                os.kill(running.pid if whom == "pytest" else project.running_pid, number)
        ran = running.end()
    wait_for_senders(folder)
    send(folder, *server.options, exits=0)
    assert spools(folder) == []
    return ran


@pytest.mark.parametrize(
    ("arguments", "number", "whom", "exit_code"),
    [
        pytest.param((), signal.SIGKILL, "pytest", -9, id="KILL"),
        pytest.param((), signal.SIGKILL, "group", -9, id="KILL-group"),
        pytest.param((), signal.SIGTERM, "pytest", -15, id="TERM"),
        pytest.param(TWO, signal.SIGKILL, "group", -9, id="n2-KILL-group"),
        pytest.param(TWO, signal.SIGTERM, "group", -15, id="n2-TERM-group"),
    ],
)
def test_killed_session(
    tmp_path: Path,
    server: ScriptedServer,
    arguments: tuple[str, ...],
    number: signal.Signals,
    whom: str,
    exit_code: int,
) -> None:
    """A killed session is delivered by its sender: each finished test once, the running one once as died."""
    ran = stopped(tmp_path, server, arguments, WAITS, number, whom)
    assert ran.exit == exit_code
    assert_complete(server, [*FINISHED, "test_running"])
    running = result_named(server, "test_running")
    assert running["status"] == "error"
    assert DIED in field_texts(running)
    assert session_note(server) == "pytest died before the session ended"


def test_killed_controller(tmp_path: Path, server: ScriptedServer) -> None:
    """Workers that outlive their controller end by themselves, and what they did arrives once."""
    ran = stopped(tmp_path, server, TWO, WAITS, signal.SIGKILL, "pytest")
    assert ran.exit == -9
    assert_complete(server, [*FINISHED, "test_running"])
    running = result_named(server, "test_running")
    is_interrupted = INTERRUPTED in field_texts(running)
    assert is_interrupted or DIED in field_texts(running)
    assert running["status"] == ("untested" if is_interrupted else "error")
    assert session_note(server) == "pytest died before the session ended"


def test_killed_worker(tmp_path: Path, server: ScriptedServer) -> None:
    """The test that ran when its worker was killed is reported once, as crashed; another worker goes on."""
    ran = stopped(tmp_path, server, ("-n", "2"), WAITS, signal.SIGKILL, "worker")
    assert ran.exit == 1
    assert_complete(server, [*FINISHED, "test_running", "test_after"])
    running = result_named(server, "test_running")
    assert running["status"] == "error"
    assert CRASHED in field_texts(running)
    assert session_note(server) == "tests failed (exit status 1)"
    assert printed_counts(ran).delivered == 6


def test_exit_without_a_word(tmp_path: Path, server: ScriptedServer) -> None:
    """After ``os._exit(0)`` in a test pytest says 0 and nothing else; the run shows the test as died."""
    ran = stopped(tmp_path, server, (), "os._exit(0)", None, "")
    assert ran.exit == 0
    assert "automation report ===" not in ran.out
    assert_complete(server, [*FINISHED, "test_running"])
    assert result_named(server, "test_running")["status"] == "error"
    assert DIED in field_texts(result_named(server, "test_running"))


@pytest.mark.parametrize(
    ("arguments", "whom"), [pytest.param((), "pytest", id="n0"), pytest.param(TWO, "group", id="n2-as-a-terminal-does")]
)
def test_interrupted_session(tmp_path: Path, server: ScriptedServer, arguments: tuple[str, ...], whom: str) -> None:
    """After Ctrl-C each finished test has arrived once, and the running one once as interrupted, not as a failure."""
    ran = stopped(tmp_path, server, arguments, WAITS, signal.SIGINT, whom)
    assert ran.exit == 2
    assert_complete(server, [*FINISHED, "test_running"])
    running = result_named(server, "test_running")
    assert running["status"] == "untested"
    assert INTERRUPTED in field_texts(running)
    assert session_note(server) == "interrupted by Ctrl-C"
    assert (printed_counts(ran).delivered, printed_counts(ran).not_run) == (5, 2)


STUBBORN = f"""
    import signal
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    {WAITS}"""


@pytest.mark.parametrize(
    ("end", "exit_code", "words"),
    [pytest.param(WAITS, 2, INTERRUPTED, id="obeys"), pytest.param(STUBBORN, -9, DIED, id="stubborn")],
)
def test_cancelled_job(tmp_path: Path, server: ScriptedServer, end: str, exit_code: int, words: str) -> None:
    """A cancelled job gets SIGINT, then SIGTERM, then SIGKILL: what finished has arrived, whichever ends it.

    The pauses between them are 7.5 s and 2.5 s; nothing of ours waits for their end, so here they are short.
    """
    project = StoppingProject(tmp_path, end)
    with RunningSession(tmp_path, address=server.address) as running:
        running.until(lambda: project.is_stopped, "all but the stopping test have finished")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            running.hit_group(number)
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(timeout=5 if end == WAITS else 0.2)
                break
        running.end(exits=exit_code)
    wait_for_senders(tmp_path)
    assert spools(tmp_path) == []
    assert_complete(server, [*FINISHED, "test_running"])
    assert words in field_texts(result_named(server, "test_running"))


@pytest.mark.parametrize(
    ("arguments", "exit_code", "ending"),
    [
        pytest.param((), 7, "ended by pytest.exit: enough", id="n0"),
        # xdist asserts that a worker which ends in order has no test left, so pytest.exit in one is its internal error
        pytest.param(TWO, 3, "internal error of pytest (exit status 3)", id="n2"),
    ],
)
def test_session_ended_by_a_test(
    tmp_path: Path, server: ScriptedServer, arguments: tuple[str, ...], exit_code: int, ending: str
) -> None:
    """After ``pytest.exit`` in a test that test is reported once, as interrupted, and pytest's exit code stays."""
    end = "import pytest; pytest.exit('enough', returncode=7)"
    ran = stopped(tmp_path, server, arguments, end, None, "")
    assert ran.exit == exit_code
    assert_complete(server, [*FINISHED, "test_running"])
    assert INTERRUPTED in field_texts(result_named(server, "test_running"))
    assert session_note(server) == ending
