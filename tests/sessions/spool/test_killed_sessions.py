"""Sessions whose pytest and sender were killed together, as by a container that ends."""

import json
import os
import signal

from support.projects import Project, console
from support.session_processes import RunningSession, eventually, sender_of
from support.sessions import session_environment

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
