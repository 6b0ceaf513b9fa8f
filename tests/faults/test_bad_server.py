"""Whole sessions against a server that answers badly: pytest's exit code stays, and the summary's numbers are true."""

import re
from pathlib import Path

from support.delivered_results import assert_complete, assert_one_run, result_names
from support.fault_projects import GatedProject
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, answer, late
from support.scripted_server.server import ScriptedServer
from support.scripted_server.variants import OPERATIONS, HalfServer, LossyServer
from support.session_processes import RunningSession, spools
from support.sessions import TOKEN, run_session, send
from support.terminal_summary import printed_counts


def test_late_copy_meets_a_closed_thread(tmp_path: Path, server: ScriptedServer) -> None:
    """A request that a gateway gave up and applies later finds its thread closed."""
    project = GatedProject(tmp_path, 2, 1)
    with RunningSession(tmp_path, address=server.address) as running:
        server.script([Rule("POST", OPERATIONS["append-thread"], late(502))])
        running.until(lambda: project.is_at(1), "the second test")

        def is_fenced() -> bool:
            return any(each.path.endswith("/threads/1/complete") and each.status != 0 for each in server.log)

        server.wait_until(is_fenced)
        server.release()
        first = next(each for each in server.log if each.path.endswith("/append"))
        assert not first.is_applied
        project.let_through(1)
        ran = running.end(exits=0)
        assert printed_counts(ran).delivered == 2
        assert_complete(server, project.names)


def test_a_server_that_shows_less_than_it_confirmed(tmp_path: Path) -> None:
    """The summary tells how many of the confirmed results the server shows; with strict such a session is not whole."""
    (tmp_path / "test_it.py").write_text("".join(f"def test_{number}(): pass\n" for number in range(6)))
    with checked_scripted_server(LossyServer(token=TOKEN)) as server:
        ran = run_session(tmp_path, "-oautomation_report_strict=true", address=server.address)
    assert ran.exit == 11
    told = re.search(r"the server shows (\d+) of (\d+) results that it confirmed", ran.out)
    assert told is not None
    assert (int(told[1]), int(told[2])) == (len(server.results), printed_counts(ran).delivered)


def test_part_of_a_batch(tmp_path: Path) -> None:
    """A batch of which a part arrived, nobody can tell which, is held; the command never sends it by itself."""
    project = GatedProject(tmp_path, 60, 50)  # of six tests a slow machine sends each alone
    with checked_scripted_server(HalfServer(token=TOKEN)) as server:
        server.script([Rule("GET", r"/runs/\d+/tests$", answer(404), count=None)])
        with RunningSession(tmp_path, address=server.address) as running:
            running.until(lambda: project.is_at(50), "the gate")
            server.wait_until(lambda: bool(server.results))
            project.let_through(50)
            ran = running.end(exits=0)
        held = printed_counts(ran).held
        assert held >= 2
        assert printed_counts(ran).delivered == 60 - held
        assert f"of the {held} results of one request arrived in thread" in ran.out
        assert len(spools(tmp_path)) == 1
        before = result_names(server)
        assert len(before) == len(set(before)) == 60 - held + held // 2
        for _ in range(2):
            sent = send(tmp_path, *server.options, exits=3)
            assert f"{held} held" in sent.err
        assert result_names(server) == before
        assert_one_run(server)
        dropped = send(tmp_path, *server.options, "--unknown", "drop", exits=0)
        assert f"{held} results dropped" in dropped.err
        assert result_names(server) == before
        assert spools(tmp_path) == []
