"""``automation-report exec``: a command as one run, whatever becomes of it."""

import os
import pty
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.result_files import written
from support.sessions import TOKEN, clean_environment, send, session_environment

PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--automation-report"]
NOBODY = ["--url", "http://127.0.0.1:9", "--project-id", "1", "--source", "suite"]


def shell(script: str) -> list[str]:
    return ["--", "bash", "-c", script]


def sent_to(server: CheckedServer) -> list[tuple[str, str]]:
    return [(test["name"], test["status"]) for _, test in server.tests()]


def completions(server: CheckedServer) -> list[Any]:
    return [each.body for each in server.posts("/complete") if "/runs/1/" in each.path]


def note(server: CheckedServer) -> Mapping[str, str]:
    """Return the fields that the run was given at its end."""
    (noted,) = server.posts("/runs/1/append")
    return {each["name"]: each["value"] for each in noted.body["fields"]}


def test_sessions_of_the_command_join_its_run(
    project: Project, server: CheckedServer, server_options: list[str]
) -> None:
    """Pytest finds the run, the address and the project without options; the run is completed after it."""
    ran = console(project.root, "exec", *server_options, "--name", "by exec", "--", *PYTEST, exits=0)
    assert "joining run 1" in ran.out
    assert "0 results" not in ran.err
    assert "run 1 is completed, nothing is left" in ran.err
    assert "run 1: 1 result: 1 passed" in ran.err
    assert [each["name"] for each in server.runs()] == ["by exec"]
    assert sent_to(server) == [("test_ok", "passed")]
    assert completions(server) == [{"measure_elapsed": True}]
    assert note(server)["Session"] == f"{sys.executable} ended with exit code 0"
    assert project.sessions == []


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exit 0", 0, "ended with exit code 0"),
        ("exit 7", 7, "ended with exit code 7"),
        ("kill -9 $$", 137, "was ended by SIGKILL"),
        ("kill -TERM $$", 143, "was ended by SIGTERM"),
    ],
)
def test_exit_code_is_kept_and_a_death_without_results_is_one(
    project: Project, server: CheckedServer, server_options: list[str], script: str, code: int, words: str
) -> None:
    """The exit code is the command's, 128 and the number for a signal; no results and no success is an error."""
    ran = console(project.root, "exec", *server_options, *shell(script))
    assert (ran.exit, ran.out) == (code, ""), ran.text
    assert f"bash {words}" in ran.err
    assert sent_to(server) == ([("bash", "error")] if code else [])
    assert note(server)["Session"] == f"bash {words}"
    assert len(completions(server)) == 1
    if code:
        ((_, test),) = server.tests()
        assert test["fields"][0]["value"] == f"bash {words}, and left no results."


@pytest.mark.parametrize(("name", "code"), [("no-such-command", 127), (".", 126)])
def test_command_that_cannot_be_started(
    project: Project, server: CheckedServer, server_options: list[str], name: str, code: int
) -> None:
    """A command that is not there exits as in a shell; the run says why and is completed."""
    console(project.root, "exec", *server_options, "--", name, exits=code)
    assert "could not be started" in note(server)["Session"]
    assert len(completions(server)) == 1


def test_files_that_the_command_wrote_are_sent_and_stale_ones_are_not(
    project: Project, server: CheckedServer, server_options: list[str]
) -> None:
    """New and changed files are this run's results, once; what was there and has not changed is never sent."""
    written(project.root / "out" / "stale.xml", ["stale"])
    written(project.root / "out" / "again.xml", ["before"])
    written(project.root / "new.xml", ["new"])
    written(project.root / "changed.xml", ["changed"])
    move = "mv new.xml out/ && cp changed.xml out/again.xml; exit 1"
    patterns = ["--results", "out/*.xml", "--results", "./out/again.xml", "--results", "never/*.xml"]
    ran = console(project.root, "exec", *server_options, *patterns, *shell(move), exits=1)
    assert "never/*.xml: the command wrote no such file" in ran.err
    assert "out/stale.xml: not sent: it was there before the command and has not changed" in ran.err
    assert sorted(sent_to(server)) == [("changed", "passed"), ("new", "passed")]
    (thread,) = server.posts("/threads/1/complete")
    assert thread.body["elapsed_computed"] == 20_000
    assert thread.body["elapsed_observed"] > 0
    assert len(completions(server)) == 1


def test_only_stale_files_are_no_results(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """A command that failed before it wrote its results is an error, whatever an earlier one has left."""
    written(project.root / "out.xml", ["stale"])
    console(project.root, "exec", *server_options, "--results", "out.xml", *shell("exit 3"), exits=3)
    assert sent_to(server) == [("bash", "error")]


def test_file_that_breaks_off_is_told(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """A file that a command did not finish is passed over with what is wrong, and the command's death is an error."""
    script = "echo '<testsuites><testcase name=' > out.xml; kill -9 $$"
    ran = console(project.root, "exec", *server_options, "--results", "out.xml", *shell(script), exits=137)
    assert "passed over: out.xml: it is no whole XML document" in ran.err
    assert sent_to(server) == [("bash", "error")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_reach_the_command(
    project: Project, server: CheckedServer, server_options: list[str], number: signal.Signals
) -> None:
    """A signal that is sent to exec alone is the command's to handle; the run is completed after it."""
    os.mkfifo(project.root / "ready")
    script = f"trap 'exit 42' {number.name[3:]}; echo > ready; while :; do sleep 0.05; done"
    command = [sys.executable, "-m", "pytest_automation_report.cli", "exec", *server_options, *shell(script)]
    process = subprocess.Popen(
        command, cwd=project.root, env=session_environment(), stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        (project.root / "ready").read_text()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 42, err.decode()
    assert len(completions(server)) == 1


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2> >(exit)", "terminal"])
def test_nobody_to_be_told_changes_nothing(
    project: Project, server: CheckedServer, server_options: list[str], where: str
) -> None:
    """With stderr closed, full, or a reader or terminal that has gone, the exit code stays and the run is completed."""
    command = [
        sys.executable,
        "-m",
        "pytest_automation_report.cli",
        "exec",
        *server_options,
        *shell("sleep 0.5; exit 7"),
    ]
    env = session_environment()
    if where == "terminal":
        leader, follower = pty.openpty()
        with subprocess.Popen(command, cwd=project.root, env=env, stderr=follower) as process:
            os.close(follower)
            os.close(leader)
    else:
        script = f"{shlex.join(command)} {where}"
        process = subprocess.Popen(["bash", "-c", script], cwd=project.root, env=env)
    assert process.wait(timeout=60) == 7
    assert completions(server) == [{"measure_elapsed": True}]
    assert sent_to(server) == [("bash", "error")]


def test_defect_of_reporting_keeps_no_command_from_running(
    project: Project, server_options: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An error of our own, before the command or after it, is told; the command runs, and its exit code stays."""
    folder = tmp_path_factory.mktemp("defect")
    (folder / "sitecustomize.py").write_text(
        "import pytest_automation_report.cli.exec as command\n"
        "def broken(*_, **__):\n    raise LookupError('made up')\n"
        "command.new_run = command.rules_of = broken\n"
    )
    env = session_environment(PYTHONPATH=str(folder))
    ran = console(project.root, "exec", *server_options, *shell("echo ran; exit 7"), env=env)
    assert (ran.exit, ran.out) == (7, "ran\n"), ran.text
    assert ran.err.count("error in reporting, please report it; it changes no exit code: LookupError: made up") == 2


def test_joined_run_stays_open(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """With --run-id the run is not completed, and the command is one job in it, with its session's results."""
    run_id = console(project.root, "run", "create", *server_options).out.strip()
    for command in (["--", *PYTEST], shell("exit 5")):
        console(project.root, "exec", "--run-id", run_id, *server_options[:4], *command)
    assert sent_to(server) == [("test_ok", "passed"), ("bash", "error")]
    assert completions(server) == []
    console(
        project.root, "run", "complete", run_id, "--expect-jobs", "3", "--timeout", "0s", *server_options[:4], exits=3
    )
    console(
        project.root, "run", "complete", run_id, "--expect-jobs", "2", "--timeout", "0s", *server_options[:4], exits=0
    )


@pytest.mark.parametrize("trouble", ["server", "token"])
def test_trouble_with_reporting_changes_nothing(project: Project, server: CheckedServer, trouble: str) -> None:
    """Without a server or a token the command runs, its exit code stays, and its results are kept and sent later."""
    written(project.root / "result.xml", ["one"])
    env = session_environment({"send_progress": 0.3})
    if trouble == "token":
        env = clean_environment()
    place = NOBODY if trouble == "server" else ["--url", server.address, *NOBODY[2:]]
    script = "mv result.xml out.xml; exit 6"
    ran = console(project.root, "exec", *place, "--results", "out.xml", *shell(script), env=env, exits=6)
    assert "Traceback" not in ran.err
    assert "no run was created" in ran.err
    (folder,) = project.sessions
    session = folder / "session.json"
    session.write_text(session.read_text().replace("http://127.0.0.1:9", server.address))
    send(project.root, "--url", server.address, "--project-id", "1", exits=0)
    assert sent_to(server) == [("one", "passed")]
    assert len(completions(server)) == 1


def test_spool_that_cannot_be_used_changes_nothing(
    project: Project, server: CheckedServer, server_options: list[str]
) -> None:
    """Where nothing can be kept the command runs, and its exit code stays; what is wrong with the spool is told."""
    (project.root / "file").touch()
    ran = console(project.root, "exec", *server_options, "--spool", "file", *shell("echo ran; exit 6"))
    assert (ran.exit, ran.out) == (6, "ran\n"), ran.text
    assert "file is no folder: name the folder of a spool with --spool" in ran.err
    assert "reporting failed, which changes no exit code: the spool " in ran.err
    assert len(server.runs()) == 1


def test_run_stays_open_while_the_spool_may_hold_some_of_it(
    project: Project, server: CheckedServer, server_options: list[str]
) -> None:
    """Sessions that cannot be read may be of this run: each is told, and the run's end is kept until they are sent."""
    names = ["20260101T000000-0000000a", "20260101T000000-0000000b"]
    for name in names:
        folder = project.state / "spool" / name
        folder.mkdir(parents=True)
        (folder / "session.json").write_text("{")
    ran = console(project.root, "exec", *server_options, *shell("exit 0"), exits=0)
    assert [name for name in names if f"{name}: kept: " not in ran.err] == []
    assert "0 results and the run's end are kept in" in ran.err
    assert completions(server) == []


def test_token_is_in_no_argument(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """The command line of the command and of exec itself, as everyone on the machine can read them, have no token."""
    del server
    script = 'tr "\\0" " " < /proc/$$/cmdline; tr "\\0" " " < /proc/$PPID/cmdline; test -n "$AUTOMATION_REPORT_TOKEN"'
    ran = console(project.root, "exec", *server_options, *shell(script), exits=0)
    assert "exec" in ran.out
    assert TOKEN not in ran.text


def test_embedded_store_needs_no_option(project: Project) -> None:
    """Without an address all of it happens in the embedded store."""
    console(project.root, "exec", "--", *PYTEST, exits=0)
    shown = console(project.root, "run", "show", "1")
    assert shown.err.startswith("1: completed, 1 result, 0 failed"), shown.text


def test_options_of_the_command_are_its_own(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """What stands after the command's name is the command's, also where ``--`` is left out; no command is a mistake."""
    ran = console(project.root, "exec", *server_options, "echo", "--name", "x")
    assert (ran.exit, ran.out) == (0, "--name x\n"), ran.text
    assert server.runs()[0]["name"] != "x"
    assert console(project.root, "exec", *server_options).exit == 2
