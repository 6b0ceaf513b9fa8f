import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.sessions import Ran, run, session_environment


@contextmanager
def serving(project: Project, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``automation-report serve`` and yield it with its address, once it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest_automation_report.cli", "serve", *arguments],
        cwd=project.root,
        env=session_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rstrip("\n")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(params=["embedded", "server"])
def server_options(request: pytest.FixtureRequest) -> list[str]:
    """Return the options that say where runs are: nothing, for the embedded store, or a server's address."""
    if request.param == "embedded":
        return []
    server: CheckedServer = request.getfixturevalue("server")
    return ["--url", server.address, "--project-id", "1"]


def test_run_by_hand_from_its_creation_to_its_end(project: Project, server_options: list[str]) -> None:
    """A run is made, added to, listed, completed and shown; stdout has ids and JSON alone, refusals exit with 1."""
    description = ["--name", "by hand", "--tags", "one,two", "--fields", "Who=me", "--links", "Job=https://x.example/1"]
    made = console(project.root, "run", "create", *server_options, "--source", "hand", *description, exits=0)
    assert made.out == "1\n"
    added = console(
        project.root, "run", "append", "1", *server_options, "--fields", "More=there", "--fields", "Last=here"
    )
    assert (added.exit, added.out) == (0, ""), added.text
    listed = console(project.root, "run", "list", "--json", *server_options)
    assert [each["name"] for each in json.loads(listed.out)["result"]] == ["by hand"], listed.text
    completed = console(project.root, "run", "complete", "1", *server_options)
    assert (completed.exit, completed.out) == (0, "1\n"), completed.text
    shown = json.loads(console(project.root, "run", "show", "1", "--json", *server_options).out)["result"]
    assert shown["is_completed"]
    assert shown["tags"] == ["one", "two"]
    assert [each["name"] for each in shown["fields"]] == ["Who", "More", "Last"]
    late = console(project.root, "run", "append", "1", *server_options, "--fields", "Late=x")
    assert (late.exit, late.out) == (1, ""), late.text
    assert late.err.startswith("Error: ")
    unknown = console(project.root, "run", "show", "99", *server_options)
    assert (unknown.exit, unknown.out) == (1, ""), unknown.text


def told_in_one_line(ran: Ran) -> str:
    """Return the last line of what was told; there is no traceback."""
    assert ran.out == ""
    assert "Traceback" not in ran.err
    return ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "create", "--url", "https://x.example"], ["--project-id"]),
        (["run", "create", "--url", "https://x.example", "--project-id", "1"], ["--source"]),
        (["run", "create", "--tags", "a b"], ["--tags", "'a b'"]),
        (["run", "append", "1"], ["--field", "--link"]),
        (["run", "show", "zero"], ["RUN_ID", "zero"]),
        (["send", "--url", "ftp://x"], ["--url", "ftp://x"]),
        (["serve", "--host", "0.0.0.0"], ["--host", "0.0.0.0"]),
    ],
    ids=" ".join,
)
def test_usage_mistake_exits_with_2_and_names_the_option(
    arguments: list[str], parts: list[str], project: Project
) -> None:
    """A mistake in the arguments is told in one line that names the option."""
    ran = console(project.root, *arguments, exits=2)
    line = told_in_one_line(ran)
    assert [part for part in parts if part not in line] == []


def test_server_that_cannot_be_reached_or_refuses_the_token(project: Project, tmp_path: Path) -> None:
    """A server that is not there exits with 3, a refused token with 4, each told in one line with what to do."""
    nobody = ["--url", "http://127.0.0.1:9", "--project-id", "1"]
    ran = console(project.root, "run", "show", "1", *nobody, exits=3)
    assert "127.0.0.1:9" in told_in_one_line(ran)
    with CheckedServer(tmp_path / "store.sqlite3", "another") as server:
        ran = console(project.root, "run", "list", "--url", server.address, "--project-id", "1")
    assert ran.exit == 4, ran.text
    assert "set AUTOMATION_REPORT_TOKEN" in told_in_one_line(ran)


def test_settings_of_ini_file_and_environment_count(
    project: Project, server: CheckedServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The console command takes settings from pytest's ini file, from below the root too, and variables over them."""
    lines = [f"automation_report_url = {server.address}", "automation_report_project_id = 3"]
    lines += ["automation_report_source = ini", "automation_report_name = from ini", "automation_report_tags = a"]
    project.write("pytest.ini", "\n".join(["[pytest]", *lines]))
    (project.root / "below").mkdir()
    # A command sends no token to an address that only an ini file names: the user's own list confirms it.
    home = tmp_path_factory.mktemp("home")
    (home / "pytest-automation-report").mkdir()
    (home / "pytest-automation-report" / "addresses").write_text(f"{server.address}\n")
    env = session_environment(AUTOMATION_REPORT_NAME="from environment", XDG_CONFIG_HOME=str(home))
    made = console(project.root / "below", "run", "create", "--tags", "b", env=env)
    assert (made.exit, made.out) == (0, "1\n"), made.text
    (body,) = server.runs()
    assert (body["name"], body["source"], body["tags"]) == ("from environment", "ini", ["b"])
    assert server.log[0].path == "/api/v1/projects/3/automation/runs"


def test_mistake_in_the_environment_stops_the_console_command(project: Project) -> None:
    """Where a session would go on and keep its results, the console command has nothing to go on with."""
    ran = console(project.root, "run", "create", env=session_environment(AUTOMATION_REPORT_PROJECT_ID="one"), exits=2)
    assert "AUTOMATION_REPORT_PROJECT_ID: 'one'" in told_in_one_line(ran)


def test_send_keeps_what_is_for_another_server(project: Project, server: CheckedServer) -> None:
    """``send`` delivers what is for this server; another's sessions are kept, told, and make it exit with 3."""
    project.report("--automation-report-delivery=later", address=server.address)
    project.report("--automation-report-delivery=later", address="http://127.0.0.1:9")
    sent = console(project.root, "send", "--url", server.address, "--project-id", "1")
    assert (sent.exit, sent.out) == (3, ""), sent.text
    assert sent.err.count("1 results sent") + sent.err.count("1 result sent") == 1
    assert "it is for http://127.0.0.1:9" in sent.err
    assert len(server.tests()) == 1
    assert len(project.sessions) == 1


def test_serve_prints_address_and_the_line_that_reports_to_it(project: Project) -> None:
    """The first line on stdout is the address alone; the printed pytest line reports to it; SIGTERM ends it with 0."""
    # The settings of sessions are not those of the server that they report to.
    project.write("pytest.ini", "[pytest]\nautomation_report_url = https://other.example\n")
    with serving(project, "--port", "0") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert process.stderr is not None
        told = "".join(process.stderr.readline() for _ in range(4))
        assert f"\nlook at it: {address}/open/" in told
        (line,) = [each for each in told.splitlines() if each.startswith("report to it: ")]
        name, *words = shlex.split(line.removeprefix("report to it: "))
        assert name == "pytest"
        env = {name: value for name, value in session_environment().items() if name != "AUTOMATION_REPORT_TOKEN"}
        source = ["--automation-report-source", "suite"]
        ran = run([sys.executable, "-m", "pytest", *words, *source], project.root, env)
        assert ran.exit == 0, ran.text
        assert "1 of 1 result delivered" in ran.out
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
