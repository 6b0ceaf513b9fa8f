"""``automation-report exec``: a command as one run, whatever becomes of it."""

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.result_files import written
from support.session_fixtures import EXEC, Execute, shell
from support.sessions import TOKEN, clean_environment, send, session_environment

NOBODY = ["--url", "http://127.0.0.1:9", "--project-id", "1", "--source", "suite"]


def sent_to(server: CheckedServer) -> list[tuple[str, str]]:
    return [(test["name"], test["status"]) for _, test in server.tests()]


def completions(server: CheckedServer) -> list[Any]:
    return [each.body for each in server.posts("/complete") if "/runs/1/" in each.path]


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2> >(exit)", "terminal"])
def test_nobody_to_tell_changes_nothing(
    project: Project, server: CheckedServer, server_options: list[str], where: str
) -> None:
    """With stderr closed, full, or a reader or terminal that has gone, the exit code stays and the run is completed."""
    if sys.platform == "win32":
        pytest.skip("terminals of POSIX")
    import pty  # noqa: PLC0415 - Windows has none

    command = [*EXEC, *server_options, *shell("sleep 0.5; exit 7")]
    env = session_environment()
    if where == "terminal":
        leader, follower = pty.openpty()
        with subprocess.Popen(command, cwd=project.root, env=env, stderr=follower) as process:
            os.close(follower)
            os.close(leader)
    else:
        process = subprocess.Popen(["bash", "-c", f"{shlex.join(command)} {where}"], cwd=project.root, env=env)
    assert process.wait(timeout=60) == 7
    assert completions(server) == [{"measure_elapsed": True}]
    assert sent_to(server) == [("bash", "error")]


def test_our_defect_keeps_no_command_from_running(execute: Execute, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An error of our own, before the command or after it, is told; the command runs, and its exit code stays."""
    folder = tmp_path_factory.mktemp("defect")
    (folder / "sitecustomize.py").write_text(
        "import pytest_automation_report.cli.submit as command\n"
        "def broken(*_, **__):\n    raise LookupError('made up')\n"
        "command.new_run = command.cleaning_options = broken\n"
    )
    ran = execute("echo ran; exit 7", exits=7, env=session_environment(PYTHONPATH=str(folder)))
    assert ran.out == "ran\n"
    assert (
        ran.err.count("error in reporting, which does not change the exit code; please report it: LookupError: made up")
        == 2
    )


@pytest.mark.parametrize("error", ["server", "token"])
def test_an_error_of_reporting_changes_nothing(project: Project, server: CheckedServer, error: str) -> None:
    """Without a server or a token the command runs, its exit code stays, and its results are kept and sent later."""
    written(project.root / "result.xml", ["one"])
    env = session_environment({"send_progress": 0.3})
    if error == "token":
        env = clean_environment()
    place = NOBODY if error == "server" else ["--url", server.address, *NOBODY[2:]]
    script = "mv result.xml out.xml; exit 6"
    ran = console(project.root, "exec", *place, "--results", "out.xml", *shell(script), env=env, exits=6)
    assert "Traceback" not in ran.err
    assert "no run was created" in ran.err
    (folder,) = project.sessions
    session = folder / "session.json"
    session.write_text(session.read_text().replace("http://127.0.0.1:9", server.address))
    send(project.root, *server.options, exits=0)
    assert sent_to(server) == [("one", "passed")]
    assert len(completions(server)) == 1


def test_token_is_in_no_argument(execute: Execute) -> None:
    """The command line of the command and of exec itself, as everyone on the machine can read them, have no token."""
    script = 'tr "\\0" " " < /proc/$$/cmdline; tr "\\0" " " < /proc/$PPID/cmdline; test -n "$AUTOMATION_REPORT_TOKEN"'
    ran = execute(script, exits=0, stdin=subprocess.DEVNULL)  # so Python starts for it
    assert "exec" in ran.out
    assert TOKEN not in ran.text
