"""``automation-report submit``: what it takes, what it refuses, and what it does when the server is not there."""

import os
import subprocess
import sys

import pytest

from support.projects import Project, console
from support.result_files import written
from support.scripted_server.checked import checked_scripted_server
from support.scripted_server.faults import Rule, lost_answer
from support.sessions import Ran, run, send, session_environment

NOBODY = ["--url", "http://127.0.0.1:9", "--project-id", "1", "--source", "suite"]


def _last(ran: Ran) -> str:
    """Return the last line that was told; there is no traceback."""
    assert "Traceback" not in ran.err
    return ran.err.splitlines()[-1]


def test_what_a_server_that_is_down_did_not_get_is_sent_later(project: Project) -> None:
    """The results are kept and told with exit code 3; ``send`` delivers them, once, to a run of the same name."""
    written(project.root / "a.xml", [f"t{number}" for number in range(600)])
    env = session_environment({"send_progress": 0.3})
    ran = console(project.root, "submit", "a.xml", *NOBODY, "--name", "later", env=env)
    assert (ran.exit, ran.out) == (3, ""), ran.text
    assert "kept in" in _last(ran)
    assert "600 to be sent" in _last(ran)
    with checked_scripted_server() as server:
        (folder,) = project.sessions
        session = folder / "session.json"
        session.write_text(session.read_text().replace("http://127.0.0.1:9", server.address))
        server.script([Rule("POST", r"/threads/\d+/append$", lost_answer(), first=2)])
        send(project.root, *server.options, exits=0)
        assert sorted(test["name"] for _, _, test in server.results) == sorted(f"t{number}" for number in range(600))
    assert project.sessions == []


def test_a_name_that_is_too_long_for_a_file_is_none(project: Project) -> None:
    """It is told as any other file that is not there."""
    ran = console(project.root, "submit", "a" * 300, *NOBODY)
    assert (ran.exit, ran.out) == (2, ""), ran.text
    assert "no such file" in _last(ran)


def test_many_cases_take_no_more_memory_than_few(project: Project, request: pytest.FixtureRequest) -> None:
    """As many cases as ``--cases`` says, in one file, are sent with the memory that 5,000 take."""
    many = int(request.config.getoption("--cases") or 0)
    peaks = []
    for count in (5_000, many):
        written(project.root / "many.xml", (f"test_case[{number}]" for number in range(count)))
        words = ["-c", _MEASURING, "submit", "many.xml", "--source", "suite"]
        ran = run([sys.executable, *words], project.root, session_environment(), exits=0)
        assert f"{count:,} results sent" in ran.err
        peaks.append(int(ran.out.split()[-1]))
    assert peaks[1] < peaks[0] + 12 * 1024, peaks


# Not getrusage's ru_maxrss: that of a new program begins with what its parent had.
_MEASURING = """
from pathlib import Path
from pytest_automation_report.cli.main import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text()
    print(status.partition("VmHWM:")[2].split()[0])
"""


def test_killed_while_reading_nothing_is_left_to_be_sent(project: Project) -> None:
    """A submission that was killed before it was whole is sent by nobody: it can simply be repeated."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    pipe = project.root / "slow.xml"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "pytest_automation_report.cli", "submit", str(pipe), "--source", "suite"]
    process = subprocess.Popen(command, cwd=project.root, env=session_environment())
    with process, pipe.open("wb", buffering=0) as writer:  # opened once the command reads
        writer.write(b"<testsuites><testcase classname='a' name='b'/>")
        process.kill()
        process.wait()
    assert len(list((project.state / "spool").glob(".*-*"))) == 1
    sent = send(project.root)
    assert (sent.exit, sent.out) == (0, "")
    assert sent.err.startswith("nothing to send")
