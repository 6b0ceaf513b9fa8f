"""Rows 33 to 42 of the faults that no other module shows: how sessions end, fork, overflow, repeat and meet."""

import subprocess
from pathlib import Path

from support.checked_server import CheckedServer
from support.fault_projects import GatedProject
from support.scripted_server.server import ScriptedServer
from support.session_processes import RunningSession, spools
from support.sessions import TOKEN, reporting_arguments, run_session, session_environment


def test_a_session_holds_no_connection_while_a_test_runs(project: Path) -> None:
    """A long test leaves the server's connections to others; what comes after it arrives over a new one."""
    gated = GatedProject(project, 2, 0, 1)
    with ScriptedServer(token=TOKEN) as server, RunningSession(project, address=server.address) as session:
        for gate in range(2):
            session.until(lambda: gated.is_at(gate) and len(server.log) > gate, "the test runs and its run is there")  # noqa: B023 - it is called at once
            server.wait_until(lambda: not server.open_connections)
            gated.let_through(gate)
        assert session.end().exit == 0
        assert [test["name"] for _, _, test in server.results] == gated.names


def test_results_of_a_worker_that_crashed_are_counted(project: Path, embedded_server: CheckedServer) -> None:
    """The summary counts what a worker has brought that crashed, by what it wrote: it could not count itself."""
    tests = "".join(f"def test_before_{number}(): pass\n" for number in range(3))
    (project / "test_it.py").write_text(f"import os\n{tests}def test_crashes(): os._exit(1)\ndef test_after(): pass\n")
    later = "--automation-report-delivery=later"
    ran = run_session(project, "-n", "1", "-p", "no:randomly", later, address=embedded_server.address, exits=1)
    assert "0 of 4 results delivered: 4 passed" in ran.out


def test_two_sessions_of_one_project_at_once(project: Path, embedded_server: CheckedServer) -> None:
    """42: two sessions in one folder at the same time have a run each, with their own tests."""
    (project / "test_it.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    processes = [
        subprocess.Popen(
            [*reporting_arguments(embedded_server.address), "-k", each],
            cwd=project,
            env=session_environment(),
            stdout=subprocess.PIPE,
        )
        for each in ("one", "two")
    ]
    for each in processes:
        out, _ = each.communicate(timeout=60)
        assert each.returncode == 0, out
    assert embedded_server.statuses() == {"test_one": "passed", "test_two": "passed"}
    assert len(embedded_server.runs()) == 2
    assert spools(project) == []
