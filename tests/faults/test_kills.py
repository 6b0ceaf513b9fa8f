"""Pytest killed in every way: what finished arrives once, what was running arrives once and says why."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from support.delivered_results import assert_complete, field_texts, result_named, session_note
from support.fault_projects import FINISHED, WAITS, StoppingProject
from support.scripted_server.server import ScriptedServer
from support.session_processes import RunningSession, spools, wait_for_senders
from support.sessions import Ran, send
from support.terminal_summary import printed_counts

assert sys.platform != "win32"

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


NOTED = "pytest died before the session ended"
LEAVES = "import pytest; pytest.exit('enough', returncode=7)"
ENDS = {
    "KILL": ((), WAITS, signal.SIGKILL, "pytest", -9, DIED, NOTED),
    "KILL-group": ((), WAITS, signal.SIGKILL, "group", -9, DIED, NOTED),
    "TERM": ((), WAITS, signal.SIGTERM, "pytest", -15, DIED, NOTED),
    "n2-KILL-group": (TWO, WAITS, signal.SIGKILL, "group", -9, DIED, NOTED),
    "n2-TERM-group": (TWO, WAITS, signal.SIGTERM, "group", -15, DIED, NOTED),
    "KILL-worker": (("-n", "2"), WAITS, signal.SIGKILL, "worker", 1, CRASHED, "tests failed (exit status 1)"),
    "os-exit": ((), "os._exit(0)", None, "", 0, DIED, NOTED),
    "Ctrl-C": ((), WAITS, signal.SIGINT, "pytest", 2, INTERRUPTED, "interrupted by Ctrl-C"),
    "n2-Ctrl-C-of-a-terminal": (TWO, WAITS, signal.SIGINT, "group", 2, INTERRUPTED, "interrupted by Ctrl-C"),
    "exit": ((), LEAVES, None, "", 7, INTERRUPTED, "ended by pytest.exit: enough"),
    # xdist asserts that a worker which ends in order has no test left, so pytest.exit in one is its internal error.
    "n2-exit": (TWO, LEAVES, None, "", 3, INTERRUPTED, "internal error of pytest (exit status 3)"),
}  # fmt: skip
"""Options, the end of the running test, the signal and who gets it; exit code, what is said of test and session."""


@pytest.mark.parametrize("case", ENDS)
def test_end_of_a_session(tmp_path: Path, server: ScriptedServer, case: str) -> None:
    """However a session ends, finished tests arrive once, the running one once with its end; the exit code is pytest's.

    One that was interrupted has not failed. After a crash another worker goes on.
    """
    arguments, end, number, whom, exit_code, words, note = ENDS[case]
    ran = stopped(tmp_path, server, arguments, end, number, whom)
    assert ran.exit == exit_code
    assert_complete(server, [*FINISHED, "test_running", *["test_after"] * (words == CRASHED)])
    running = result_named(server, "test_running")
    assert words in field_texts(running)
    assert running["status"] == ("untested" if words == INTERRUPTED else "error")
    assert session_note(server) == note
    assert ("automation report ===" in ran.out) is (exit_code in {1, 2})
    if number == signal.SIGINT:
        assert (printed_counts(ran).delivered, printed_counts(ran).not_run) == (5, 2)
    if words == CRASHED:
        assert printed_counts(ran).delivered == 6


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
