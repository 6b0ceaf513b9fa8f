"""The server down at the start, in the middle, to the end: the tests run, nothing is lost, nothing doubled."""

import time
from pathlib import Path

from faults.test_refusals import expected, halfway
from support.delivered_results import assert_complete, result_names
from support.fault_projects import FINISHED, GatedProject, StoppingProject
from support.scripted_server.server import ScriptedServer
from support.session_processes import RunningSession, acknowledged, spools, wait_for_senders
from support.sessions import Ran, run, send, session_environment
from support.terminal_summary import printed_counts, printed_send_command

SOON_OVER = {"exit_all": 2.0, "exit_down": 1.0, "alone": 0.1}
"""The sender does not stay for long after pytest, so that ``send`` gets the spool."""

EVERY = [*FINISHED, "test_running", "test_after"]


def run_told_command(folder: Path, ran: Ran) -> Ran:
    """Run the very command that the summary names, as a user would paste it."""
    return run(printed_send_command(ran), folder, session_environment())


def test_down_from_the_start(tmp_path: Path, server: ScriptedServer) -> None:
    """All tests run, pytest ends about 1 s after the last one, and the command that it names delivers all.

    The sender's log ends with what became of the results.
    """
    StoppingProject(tmp_path, end="pass")
    server.down()
    with RunningSession(tmp_path, address=server.address, env=session_environment(SOON_OVER)) as running:
        ran = running.end()
    waited = time.time() - (tmp_path / "finished").stat().st_mtime
    assert ran.exit == 0
    assert 0.9 < waited < 4.0
    assert (printed_counts(ran).kept, printed_counts(ran).delivered) == (6, 0)
    assert "the server could not be reached" in ran.out
    wait_for_senders(tmp_path)
    (session,) = spools(tmp_path)
    assert "6 results kept for automation-report send: " in (session / "sender.log").read_text().splitlines()[-1]
    server.up()
    sent = run_told_command(tmp_path, ran)
    assert sent.exit == 0, sent.text
    assert "6 results sent to run 2: " in sent.err
    assert spools(tmp_path) == []
    assert_complete(server, EVERY)
    requests = len(server.log)
    again = run_told_command(tmp_path, ran)
    assert again.exit == 0
    assert "nothing to send" in again.err
    assert len(server.log) == requests
    assert result_names(server) == sorted(EVERY)


def test_sender_does_not_stay(tmp_path: Path, server: ScriptedServer) -> None:
    """When pytest has ended the sender goes on for its own time only, not for what pytest might have waited."""
    StoppingProject(tmp_path, end="pass")
    server.down()
    limits = {"exit_all": 600.0, "exit_down": 0.3, "alone": 0.3}
    with RunningSession(tmp_path, address=server.address, env=session_environment(limits)) as running:
        assert running.end().exit == 0
    wait_for_senders(tmp_path)
    server.up()
    send(tmp_path, *server.options, exits=0)
    assert_complete(server, EVERY)


def test_down_in_the_middle_and_back(tmp_path: Path, server: ScriptedServer) -> None:
    """What could not be sent while the server was down is sent when it is back, before pytest ends."""
    project = GatedProject(tmp_path, 6, 2, 4)
    with RunningSession(tmp_path, address=server.address) as running:
        running.until(lambda: project.is_at(2), "the second test")
        running.until(lambda: acknowledged(tmp_path) == 2, "two results are acknowledged")
        server.down()
        project.let_through(2)
        running.until(lambda: "again: " in running.output(), "the sender meets a closed port")
        running.until(lambda: project.is_at(4), "the fourth test")
        server.up()
        project.let_through(4)
        ran = running.end(exits=0)
        assert printed_counts(ran).delivered == 6
        wait_for_senders(tmp_path)
        assert spools(tmp_path) == []
        assert_complete(server, project.names)


def test_down_to_the_end(tmp_path: Path, server: ScriptedServer) -> None:
    """What was sent before the server went down is not sent again by the command that delivers the rest."""
    ran = halfway(tmp_path, server, server.down)
    assert (printed_counts(ran).delivered, printed_counts(ran).kept) == (2, 4)
    server.up()
    sent = run_told_command(tmp_path, ran)
    assert sent.exit == 0, sent.text
    assert "4 results sent" in sent.err
    assert_complete(server, expected())
