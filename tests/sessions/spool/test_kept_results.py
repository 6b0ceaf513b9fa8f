"""Kept results reach a server: the printed command works as it stands, from any folder, whatever was wrong before."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.session_processes import RunningSession, eventually, sender_of
from support.sessions import Ran, session_environment
from support.terminal_summary import printed_send_command

OPTION = "--automation-report-"
URL = "AUTOMATION_REPORT_URL"
PROJECT_ID = "AUTOMATION_REPORT_PROJECT_ID"
NOBODY = "http://127.0.0.1:1"


def mistaken(project: Project, variables: dict[str, str]) -> Ran:
    """Run a session with a mistake in its environment; nothing of it can be sent."""
    ran = project.pytest("--automation-report", f"{OPTION}source=suite", env=session_environment() | variables, exits=0)
    assert "1 result kept" in ran.out
    return ran


def test_session_stays_where_it_was_sent(tmp_path: Path, project: Project, server: CheckedServer) -> None:
    """Once a part of it may have arrived, a session goes on to the same server, whatever is configured then."""
    mistaken(project, {URL: "ftp://x"})
    (session,) = project.sessions
    began = (session / "session.json").stat().st_mtime_ns
    here = session_environment({"send_progress": 0.2}) | {URL: NOBODY, PROJECT_ID: "1"}
    assert console(project.root, "send", env=here).exit == 3
    document = json.loads((session / "session.json").read_text())
    assert (document["origin"], document["project_id"]) == (NOBODY, 1)
    assert (session / "session.json").stat().st_mtime_ns == began
    assert {each.name for each in session.iterdir()} == {"session.json", "main.records", "ledger", "lock", "sender.log"}
    elsewhere = console(tmp_path, "send", "--spool", str(session.parent), "--url", server.address, "--project-id", "2")
    assert (elsewhere.exit, server.log) == (3, [])
    assert f"it is for {NOBODY}, project 1" in elsewhere.err


def test_server_that_cannot_be_reached_is_tried_once(project: Project) -> None:
    """`send` gives up soon where nobody responds, and tries no second session; its patience is for those who did."""
    for _ in range(2):
        mistaken(project, {URL: "ftp://x"})
    here = session_environment({"reach": 0.2, "send_progress": 60.0}) | {URL: NOBODY, PROJECT_ID: "1"}
    began = time.monotonic()
    ran = console(project.root, "send", env=here, exits=3)
    assert time.monotonic() - began < 40
    _, first, second = ran.err.splitlines()
    assert first.endswith("1 to be sent (Connection refused)")
    assert second.endswith(": kept: the server cannot be reached")
    assert len(project.sessions) == 2


@pytest.mark.parametrize("where", ["the same folder", "another project"])
def test_printed_command_of_the_store_works_from_any_folder(tmp_path: Path, where: str) -> None:
    """Results for the embedded store arrive there, also where another project's ini file names a server."""
    project = Project(tmp_path / "my project")
    words = printed_send_command(project.report(f"{OPTION}delivery=later"))[1:]
    database = project.state / "store.sqlite3"
    options = [f"--spool={project.state / 'spool'}", "--url=local", f"--database={database}", "--project-id=1"]
    assert words == ["send", *options]
    other = Project(tmp_path / "other")
    other.write("pytest.ini", f"[pytest]\nautomation_report_url = {NOBODY}\nautomation_report_project_id = 7\n")
    sent = console(project.root if where == "the same folder" else other.root, *words, exits=0)
    assert "1 result sent to run 1" in sent.err
    assert project.sessions == []
    assert not other.state.exists()


WAITS = """
import os, signal
from pathlib import Path

def test_first(): pass

def test_waits():
    if "WAITS" in os.environ:
        Path("waits").touch()
        signal.pause()
"""


def test_killed_session_is_delivered_by_the_next_one(project: Project) -> None:
    """What a killed session left for the embedded store is delivered by the next session, which says nothing of it."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    project.write("test_suite.py", WAITS)
    with RunningSession(project.root, env=session_environment(WAITS="1")) as running:
        running.until(lambda: (project.root / "waits").exists() and sender_of(project.root) > 0, "the test waits")
        os.kill(sender_of(project.root), signal.SIGKILL)
        running.hit_group(signal.SIGKILL)
        running.end()
    (left,) = project.sessions
    ran = project.report(exits=0)
    assert "2 of 2 results delivered" in ran.out
    assert "earlier session" not in ran.out
    eventually(lambda: project.sessions == [], "both sessions are removed")
    runs = json.loads(console(project.root, "run", "list", "--json").out)["result"]
    assert sorted((run["is_completed"], run["total_count"], run["failure_count"]) for run in runs) == [
        (True, 2, 0),
        (True, 2, 1),
    ]
    killed = next(run["id"] for run in runs if run["failure_count"])
    assert left.name in console(project.root, "run", "show", "--all", str(killed)).text
