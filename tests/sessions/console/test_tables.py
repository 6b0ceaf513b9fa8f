"""Lists on a terminal: in columns, nothing twice; in pipes the same ids and documents as ever."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_automation_report.cli.run import moment
from sessions.console.test_telling import read_all
from support.projects import MIXED, Project, console
from support.sessions import session_environment


def on_terminal(folder: Path, *arguments: str) -> str:
    """Run the console command with both outputs on one terminal; return what stands there."""
    if sys.platform == "win32":
        pytest.skip("terminals of POSIX")
    import pty  # noqa: PLC0415 - Windows has none

    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pytest_automation_report.cli", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=session_environment(), stdout=follower, stderr=follower, stdin=subprocess.DEVNULL
    ):
        os.close(follower)
        return read_all(leader).replace("\r\n", "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with two runs in its store, and a third session kept in its spool."""
    project = Project(tmp_path_factory.mktemp("project"), MIXED)
    assert project.report().exit == 1
    assert console(project.root, "run", "create", "--source", "others").out == "2\n"
    assert project.report("--automation-report-delivery", "later").exit == 1
    return project


def test_lists_are_tables_for_people(project: Project) -> None:
    """Runs and sessions stand in columns, each once."""
    runs = on_terminal(project.root, "run", "list", "--older-than", "0s").splitlines()
    assert runs[0].split() == ["run", "state", "results", "verdict", "created", "name"]
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"  2  open             0  0 so far  {time}  others {time}", runs[-2])
    assert re.fullmatch(rf"  1  completed        3  1 failed  {time}  \S+ {time}", runs[-1])
    session, told = on_terminal(project.root, "spool", "list").splitlines()[1:]
    (folder,) = project.sessions
    assert session.startswith(f"{folder.name}  kept   just now  3 to be sent")
    assert told == "1 session"


def test_what_only_programs_need_is_left_out(project: Project) -> None:
    """Ids, keys and documents for programs do not stand beside the lines that say the same."""
    shown = on_terminal(project.root, "run", "show", "1")
    assert shown.startswith("1: completed, 3 results, 1 failed, created ")
    assert re.fullmatch(
        'run 3 ".*" of source more is open\n', on_terminal(project.root, "run", "create", "--source", "more")
    )
    assert on_terminal(project.root, "store", "check") == "3 results in 3 runs: all right\n"
    asked = on_terminal(project.root, "run", "list", "--json")
    assert [each["id"] for each in json.loads(asked)["result"]] == [3, 2, 1]


def test_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment is shown by the clock of who reads it; what is none is shown as it is."""
    if sys.platform == "win32":
        pytest.skip("a time zone of the process")
    import time  # noqa: PLC0415 - its zone is set

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert moment("2026-11-25T20:13:55.123Z") == "2026-11-26 05:13:55"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (moment("soon"), moment(None)) == ("soon", "")
