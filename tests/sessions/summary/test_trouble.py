import re
import socket
import sys
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.projects import MIXED, Project, console
from support.sessions import TOKEN, run, session_environment
from support.terminal_summary import printed_send_command

OPTION = "--automation-report-"
NOBODY = "http://127.0.0.1:9"
"""An address of this machine where nobody listens."""

ANY_END = """
import pytest

def test_ok():
    pass

def test_end():
    {end}
"""


def without_token() -> dict[str, str]:
    env = session_environment()
    del env["AUTOMATION_REPORT_TOKEN"]
    return env


def test_printed_command_has_what_only_the_command_line_said(project: Project, server: CheckedServer) -> None:
    """Token file, spool and address of the session's own arguments stand in the command that delivers its results."""
    token_file = project.write("the token", "")
    own = [f"{OPTION}token-file={token_file}", f"{OPTION}spool=my spool"]
    ran = project.report(*own, address=server.address, env=without_token(), exits=0)
    assert ran.text.count("is empty: write the token into it") == 1
    token_file.write_text(TOKEN)
    (project.root / "below").mkdir()
    sent = console(project.root / "below", *printed_send_command(ran)[1:], env=without_token())
    assert (sent.exit, sent.out) == (0, ""), sent.text
    assert [test["name"] for _, test in server.tests()] == ["test_ok"]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(["-p", "no:terminal", "-p", "no:pytest-retry"], id="no terminal"),
        pytest.param(["-qq"], id="very quiet"),
        pytest.param(["--no-summary"], id="no summary"),
    ],
)
def test_undelivered_results_are_told_whatever_is_silenced(how: list[str], project: Project) -> None:
    """Results that were not delivered are told with the command that sends them, also where pytest is kept quiet."""
    ran = project.report(*how, address=NOBODY, exits=0)
    assert ran.text.count("1 result kept") == 1
    assert ran.text.count("send: automation-report send") == 1


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param("pass", 0, id="passed"),
        pytest.param("assert False", 1, id="failed"),
        pytest.param("pytest.exit('enough', returncode=7)", 7, id="exit with a status of its own"),
        pytest.param("raise KeyboardInterrupt", 2, id="interrupted"),
    ],
)
def test_exit_status_is_that_of_pytest_when_the_server_is_down(end: str, status: int, project: Project) -> None:
    """With a server that is down, pytest's exit status is what the tests led to, and the results are told and kept."""
    project.write("test_suite.py", ANY_END.format(end=end))
    ran = project.report(address=NOBODY, exits=status)
    assert re.findall(r"(\d+) results? kept", ran.text) == ["2"]
    assert ran.text.count("send: automation-report send") == 1
    assert len(project.sessions) == 1


def test_strict_fails_a_session_whose_results_were_not_delivered(project: Project, server: CheckedServer) -> None:
    """With strict, undelivered results end a good session with a status of their own, delivered ones do not."""
    delivered = project.report(f"{OPTION}strict", address=server.address)
    assert (delivered.exit, "exit status" in delivered.text) == (0, False)
    why = "exit status 11: no test failed, but not all results were delivered (--automation-report-strict)"
    for quiet in ("-v", "-qq"):
        ran = project.report(f"{OPTION}strict", quiet, address=NOBODY, exits=11)
        assert ran.text.count(why) == 1, ran.text
    project.write("test_suite.py", MIXED)
    failed = project.report(f"{OPTION}strict", address=NOBODY)
    assert (failed.exit, "exit status" in failed.text) == (1, False)


def test_wait_at_the_end_is_shown(project: Project) -> None:
    """While pytest waits for a server that does not answer, it says for what, for how long, and that Ctrl-C ends it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        limits = {"exit_all": 2.5, "exit_progress": 2.5, "request": 20.0}
        ran = project.report(address=address, env=session_environment(limits))
    assert ran.exit == 0, ran.text
    waiting = f"automation report: waiting for the last results to reach {address}, project 1, at most 2.5 s"
    before, line, after = ran.out.partition(f"{waiting} (Ctrl-C ends the wait; what is not delivered is kept)\n")
    assert line, ran.out
    assert before.endswith("[100%]\n")
    assert "= automation report =" in after


def test_warnings_as_errors_find_nothing(project: Project, server: CheckedServer) -> None:
    """A reported session raises no warning of its own, with development mode on too."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    # other plugins warn under development mode
    for name in ("pytest-retry", "flaky", "rerunfailures", "hypothesispytest", "time_machine"):
        command += ["-p", f"no:{name}"]
    where = [f"{OPTION}url={server.address}", f"{OPTION}project-id=1", f"{OPTION}source=suite"]
    ran = run([*command, "--automation-report", *where], project.root, session_environment(), exits=0)
    assert "Warning" not in ran.text
    assert len(server.tests()) == 1


def test_tests_that_share_a_key_are_named_once(tmp_path: Path, server: CheckedServer) -> None:
    """Two tests that the server cannot tell apart are both delivered, and named in one line."""
    project = Project(tmp_path / "project")
    project.write("test_a.py", "class TestB:\n    def test_same(self): pass\n")
    project.write("test_a/TestB.py", "def test_same(): pass\n")
    ran = project.report("-n2", "test_a.py", "test_a/TestB.py", address=server.address, exits=0)
    assert len({test["key"] for _, test in server.tests()}) == 1
    assert len(server.tests()) == 2
    assert ran.text.count("2 tests share one key") == 1
    assert "test_a.TestB.test_same" in ran.out


def test_header_tells_target_without_token(project: Project, server: CheckedServer) -> None:
    """The head of the output names address, project and source, and a passing session leaves nothing in the spool."""
    ran = project.report(address=f"{server.address}/api/v1/", exits=0)
    (line,) = [each for each in ran.out.splitlines() if each.startswith("automation report: to ")]
    assert f"{server.address}, project 1, source suite" in line
    assert TOKEN not in ran.text
    assert project.sessions == []


INTERRUPTED = """
import os, pathlib, signal, threading

def test_it():
    os.kill(os.getppid(), signal.SIGINT)
    while not pathlib.Path("stopped").exists():
        threading.Event().wait(0.01)
"""


def test_what_workers_report_after_ctrl_c_is_nobodys_fault(project: Project, server: CheckedServer) -> None:
    """Pytest does not count it any more: the summary blames no plugin for that."""
    project.write("conftest.py", "import pathlib\ndef pytest_keyboard_interrupt(): pathlib.Path('stopped').touch()\n")
    project.write("test_suite.py", INTERRUPTED)
    ran = project.report("-n1", address=server.address, exits=2)
    assert "1 of 1 result delivered in 1 thread: 1 passed" in ran.text
    assert "counted otherwise" not in ran.text
