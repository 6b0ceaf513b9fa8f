"""``automation-report exec`` under signals: the run is completed, or its end is in the spool."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from shutil import which

import pytest

from support.processes import running
from support.projects import Project
from support.result_files import written
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, hang, held
from support.scripted_server.server import ScriptedServer
from support.session_fixtures import EXEC
from support.sessions import run, session_environment

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

RUN = 2
"""The run of ``exec``: that of another session is in the server from the start."""

ONE = {"same_signal": 60.0}
EACH = {"same_signal": 0.0}
"""Limits by which all signals of a test are one, and by which each is another."""

UNTIL_TERM = "trap 'exit 3' TERM; echo > ready; while :; do sleep 0.05; done"


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with checked_scripted_server() as server:
        yield server


def place_of(server: ScriptedServer) -> list[str]:
    return [*server.options, "--source", "suite"]


@contextmanager
def executing(
    project: Project, server: ScriptedServer, arguments: Sequence[str], limits: Mapping[str, float], **more: str
) -> Iterator[subprocess.Popen[str]]:
    """Run ``exec`` in a group of processes of its own, whose end is waited for."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    (project.root / "ready").unlink(missing_ok=True)
    os.mkfifo(project.root / "ready")
    command = [*EXEC, *place_of(server), *arguments]
    with running(command, session_environment(limits, **more), project.root, stdout=None) as process:
        yield process


def has_asked(server: ScriptedServer, method: str, end: str) -> bool:
    return any(each.method == method and each.path.endswith(end) for each in server.log)


def completions(server: ScriptedServer) -> int:
    return sum(each.is_applied and each.path.endswith(f"/runs/{RUN}/complete") for each in server.log)


def sent_as_told(project: Project, err: str) -> str:
    """Run the command that the last lines name to complete the run, and return what it tells."""
    line = next(
        each for each in err.splitlines() if each.startswith(f"complete run {RUN} with: automation-report send ")
    )
    words = shlex.split(line.partition(": ")[2])
    ran = run(
        [sys.executable, "-m", "pytest_automation_report.cli", *words[1:]], project.root, session_environment(), exits=0
    )
    return ran.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_in_succession_are_one(project: Project, scripted: ScriptedServer, number: signal.Signals) -> None:
    """A signal that comes again while exec completes its run changes nothing: the run is completed."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    scripted.script([Rule("POST", rf"/runs/{RUN}/complete$", held())])
    script = f"trap 'exit 3' {number.name[3:]}; echo > ready; while :; do sleep 0.05; done"
    with executing(project, scripted, ["--", "bash", "-c", script], ONE) as process:
        (project.root / "ready").read_text()
        process.send_signal(number)
        scripted.wait_until(lambda: has_asked(scripted, "POST", f"/runs/{RUN}/complete"), 60)
        process.send_signal(number)
        process.send_signal(signal.SIGUSR1)
        scripted.release()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert completions(scripted) == 1
    assert project.sessions == []


@pytest.mark.skipif(which("timeout") is None, reason="there is no timeout of the GNU core utilities")
@pytest.mark.parametrize("seconds", [0.4, 0.8, 1.2, 2.0, 3.0])
def test_timeout_leaves_no_run_open(project: Project, scripted: ScriptedServer, seconds: float) -> None:
    """GNU timeout signals exec, then its whole group: whenever that is, each run that was created is completed."""
    command = ["timeout", str(seconds), *EXEC, *place_of(scripted), "--", "sleep", "60"]
    ran = run(command, project.root, session_environment(), exits=124)
    created = [each for each in scripted.log if each.path.endswith("/automation/runs") and each.is_applied]
    assert completions(scripted) == len(created), ran.text


def test_later_signal_names_run_and_command_and_the_end_is_kept(project: Project, scripted: ScriptedServer) -> None:
    """Who asks again wants exec to end: it names the run and the command that completes it, which then does."""
    scripted.script([Rule("POST", rf"/runs/{RUN}/complete$", hang(), count=None)])
    written(project.root / "result.xml", ["one"])
    arguments = ["--results", "out.xml", "--", "bash", "-c", f"mv result.xml out.xml; {UNTIL_TERM}"]
    with executing(project, scripted, arguments, EACH) as process:
        (project.root / "ready").read_text()
        process.terminate()
        scripted.wait_until(lambda: has_asked(scripted, "POST", f"/runs/{RUN}/complete"), 60)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert f"interrupted by SIGTERM: run {RUN} is open, 1 result and its end are kept in" in err
    assert completions(scripted) == 0
    assert len(project.sessions) == 1
    scripted.forget()
    scripted.release()
    assert f"run {RUN}" in sent_as_told(project, err)
    assert completions(scripted) == 1
    assert [test["name"] for _, _, test in scripted.results] == ["one"]


def test_end_is_kept_before_the_server_is_asked(project: Project, scripted: ScriptedServer) -> None:
    """A signal while exec looks for results finds the run's end in the spool, without made-up results."""
    scripted.script([Rule("GET", rf"/runs/{RUN}$", hang())])
    with executing(project, scripted, ["--", "bash", "-c", "exit 5"], EACH) as process:
        scripted.wait_until(lambda: has_asked(scripted, "GET", f"/runs/{RUN}"), 60)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    scripted.forget()
    scripted.release()
    sent_as_told(project, err)
    assert completions(scripted) == 1
    assert scripted.results == []


def test_results_are_kept_whole_when_a_signal_comes_while_they_are_read(
    project: Project, scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A signal in the middle of a file waits until its results are in the spool."""
    folder = tmp_path_factory.mktemp("amid")
    (folder / "sitecustomize.py").write_text(
        "import os, signal\n"
        "from pytest_automation_report.junit.sessions import Submission\n"
        "add = Submission.add\n"
        "def amid(self, result):\n    os.kill(os.getpid(), signal.SIGTERM)\n    add(self, result)\n"
        "Submission.add = amid\n"
    )
    written(project.root / "result.xml", ["one", "two"])
    arguments = ["--results", "out.xml", "--", "mv", "result.xml", "out.xml"]
    with executing(project, scripted, arguments, EACH, PYTHONPATH=str(folder)) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"run {RUN} is open, 2 results and its end are kept in" in err
    assert scripted.results == []
    sent_as_told(project, err)
    assert sorted(test["name"] for _, _, test in scripted.results) == ["one", "two"]
    assert completions(scripted) == 1


def test_signal_before_the_command_starts_nothing(project: Project, scripted: ScriptedServer) -> None:
    """A signal while the run is created keeps the command from running; the run is completed and says so."""
    scripted.script([Rule("POST", "/automation/runs$", held())])
    with executing(project, scripted, ["--", "touch", "ran"], ONE) as process:
        scripted.wait_until(lambda: has_asked(scripted, "POST", "/automation/runs"), 60)
        process.terminate()
        process.terminate()
        scripted.release()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "touch was not started: SIGTERM came first" in err
    assert not (project.root / "ran").exists()
    assert completions(scripted) == 1


def test_later_signal_while_the_run_is_created(project: Project, scripted: ScriptedServer) -> None:
    """Who asks twice while no server answers gets out at once, and hears that a run may be open."""
    scripted.script([Rule("POST", "/automation/runs$", held())])
    with executing(project, scripted, ["--", "touch", "ran"], {**EACH, "request": 60.0}) as process:
        scripted.wait_until(lambda: has_asked(scripted, "POST", "/automation/runs"), 60)
        # The lower number first: where both are pending on a busy machine, they are handled in that order, too.
        process.send_signal(signal.SIGINT)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "the run may have been created: automation-report run list --status open" in err
    assert not (project.root / "ran").exists()


def test_command_gets_a_signal_once(project: Project, scripted: ScriptedServer) -> None:
    """The command is told once of signals in quick succession, of another one at once, of a later one again."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    script = (
        "trap 'echo term >> got; echo > ready' TERM; trap 'echo usr >> got; echo > ready' USR1; "
        "trap 'exit 0' INT; echo > ready; while :; do sleep 0.05; done"
    )
    ready = project.root / "ready"
    for limits, expected in ((ONE, "term\nusr\nusr\n"), (EACH, "term\nterm\nusr\nusr\n")):
        (project.root / "got").unlink(missing_ok=True)
        with executing(project, scripted, ["--", "bash", "-c", script], limits) as process:
            ready.read_text()
            process.terminate()
            ready.read_text()
            process.terminate()
            if limits is EACH:
                ready.read_text()
            for _ in range(2):
                process.send_signal(signal.SIGUSR1)
                ready.read_text()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert (project.root / "got").read_text() == expected


@pytest.mark.parametrize("joined", [(), ("--run-id", "1")], ids=["own", "joined"])
def test_send_completes_no_joined_run(project: Project, scripted: ScriptedServer, joined: tuple[str, ...]) -> None:
    """Of a run that others complete only the results are kept, and the command that sends them is named."""
    scripted.script([Rule("POST", "/threads$", hang(), count=None)])
    written(project.root / "result.xml", ["one"])
    arguments = [*joined, "--results", "out.xml", "--", "mv", "result.xml", "out.xml"]
    with executing(project, scripted, arguments, EACH) as process:
        scripted.wait_until(lambda: has_asked(scripted, "POST", "/threads"), 60)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    if joined:
        assert "interrupted by SIGTERM: 1 result for run 1 is kept in" in err
        assert "send it with: automation-report send --spool" in err
    else:
        assert f"complete run {RUN} with: automation-report send --spool" in err


def test_signal_while_python_ends_keeps_the_exit_code(project: Project, scripted: ScriptedServer) -> None:
    """A signal after everything is done, while Python itself ends, leaves the exit code that of the command."""
    # Python clears this module's variables after it has reset its handlers of signals.
    script = (
        "import os, signal\n"
        "from pytest_automation_report.cli.main import main\n"
        "class Late:\n"
        "    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGTERM):\n"
        "        kill(process, number)\n"
        "late = Late()\n"
        "main(prog_name='automation-report')\n"
    )
    command = [sys.executable, "-c", script, "exec", *place_of(scripted), "--", "bash", "-c", "exit 3"]
    run(command, project.root, session_environment(), exits=3)
    assert completions(scripted) == 1
