"""Kept results reach a server: the printed command works as it stands, from any folder, whatever was wrong before."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.session_processes import RunningSession, eventually, sender_of
from support.sessions import TOKEN, Ran, session_environment
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


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param({URL: "{url}", PROJECT_ID: "one"}, id="wrong project"),
        pytest.param({URL: "{url}"}, id="no project"),
        pytest.param({URL: "ftp://x", PROJECT_ID: "1"}, id="wrong address"),
        pytest.param({URL: "ftp://x"}, id="wrong address, no project"),
    ],
)
def test_printed_command_delivers_once_the_mistake_is_mended(
    tmp_path: Path, project: Project, server: CheckedServer, mistake: dict[str, str]
) -> None:
    """A session without a usable address or project goes to the one that is configured when it is sent."""
    variables = {name: value.format(url=server.address) for name, value in mistake.items()}
    ran = mistaken(project, variables)
    assert "project 0" not in ran.text
    words = printed_send_command(ran)[1:]
    (elsewhere := tmp_path / "elsewhere").mkdir()
    refused = console(elsewhere, *words, env=session_environment() | variables)
    why = "--project-id: missing" if mistake == {URL: "{url}"} else "cannot be used"
    assert (refused.exit, why in refused.err) == (2, True), refused.text
    console(elsewhere, *words, env=session_environment() | {URL: server.address, PROJECT_ID: "1"}, exits=0)
    assert [test["name"] for _, test in server.tests()] == ["test_ok"]
    assert project.sessions == []


def test_summary_says_what_is_missing(project: Project, server: CheckedServer) -> None:
    """The summary names the settings that the results wait for, and the list shows that they have no address yet."""
    ran = mistaken(project, {URL: server.address})
    assert f"1 result kept in .automation-report/spool/{project.sessions[0].name}: set {PROJECT_ID} first" in ran.out
    assert (
        f"1 to be sent for {server.address}, for the project that is configured when it is sent"
        in console(project.root, "spool", "list").out
    )
    (project.sessions[0] / "session.json").unlink()
    for each in project.sessions:
        console(project.root, "spool", "drop", each.name)
    assert f": set {URL} and {PROJECT_ID} first" in mistaken(project, {URL: "ftp://x"}).out


def test_known_part_of_a_destination_counts(project: Project, server: CheckedServer) -> None:
    """Results whose address was right, and only the project wrong, do not go to another address."""
    words = printed_send_command(mistaken(project, {URL: NOBODY, PROJECT_ID: "one"}))[1:]
    right = session_environment() | {URL: server.address, PROJECT_ID: "1"}
    kept = console(project.root, "send", env=right, exits=3)
    assert f"it is for {NOBODY}: name that with --url" in kept.err
    assert server.log == []
    assert f"--url={NOBODY}" in words


def test_session_stays_with_the_destination_that_it_was_sent_to(
    tmp_path: Path, project: Project, server: CheckedServer
) -> None:
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


def test_printed_command_has_what_the_ini_file_said(tmp_path: Path, server: CheckedServer) -> None:
    """Address, project and token file of an ini file stand in the command, each option with its value in one word."""
    project = Project(tmp_path / "project")
    project.write(
        "pytest.ini",
        f"[pytest]\nautomation_report_url = {server.address}\nautomation_report_project_id = 1\n"
        "automation_report_source = suite\nautomation_report_token_file = my token\n",
    )
    env = session_environment()
    del env["AUTOMATION_REPORT_TOKEN"]
    ran = project.pytest("--automation-report", env=env)
    words = printed_send_command(ran)[1:]
    assert all(re.fullmatch(r"--[a-z-]+=.+", each) for each in words[1:]), words
    project.write("my token", TOKEN)
    console(tmp_path, *words, env=env, exits=0)
    assert [test["name"] for _, test in server.tests()] == ["test_ok"]


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
