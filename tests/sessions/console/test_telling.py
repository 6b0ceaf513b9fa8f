"""What the console command tells on the way, and how it looks."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_automation_report.cli.context import is_coloured
from pytest_automation_report.cli.send import Progress
from support.deliveries import WrittenSession, stepping
from support.projects import Project
from support.result_files import written
from support.scripted_server.checked import checked_scripted_server
from support.sessions import session_environment


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "on_terminal", "elsewhere"),
    [
        ({}, True, False), ({"NO_COLOR": "1"}, False, False), ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, True, False),
    ],
)  # fmt: skip
def test_colours_are_for_terminals_and_who_asks(environ: dict[str, str], *, on_terminal: bool, elsewhere: bool) -> None:
    """NO_COLOR goes before FORCE_COLOR, and both before the terminal; empty is unset."""
    assert is_coloured(_Terminal(), environ) is on_terminal
    assert is_coloured(io.StringIO(), environ) is elsewhere


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "create", "--help"), ("run", "create")])
def test_full_stdout_is_told(project: Project, arguments: tuple[str, ...], unbuffered: str) -> None:
    """Where stdout takes nothing, a line on stderr says so, and the exit code that it is no success."""
    command = [sys.executable, "-m", "pytest_automation_report.cli", *arguments]
    env = session_environment(PYTHONUNBUFFERED=unbuffered)
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - no file
        done = subprocess.run(
            command, cwd=project.root, env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "stdout: cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def test_line_every_ten_seconds_in_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A long delivery tells every ten seconds how far it is, every minute if nothing changes; a short one nothing."""
    now = 0.0
    with (
        checked_scripted_server() as server,
        stepping(WrittenSession(tmp_path, server.address)) as stepper,
        Progress(io.StringIO(), lambda: now) as progress,
    ):
        for seconds in (0.0, 9.9, 10.0, 15.0, 20.1, 69.0, 79.1):
            now = seconds
            progress.show(stepper.delivery)
        stepper.delivery.state.error = "Connection refused"
        for seconds in (89.2, 99.3):
            now = seconds
            progress.show(stepper.delivery)
    line = "sent 0 of 0 results so far"
    assert capsys.readouterr().err.splitlines() == [line, line, f"{line}: Connection refused"]


def test_bar_on_a_terminal(project: Project) -> None:
    """On a terminal a long delivery shows a bar; ids stay alone on stdout."""
    if sys.platform == "win32":
        pytest.skip("terminals of POSIX")
    import pty  # noqa: PLC0415 - Windows has none

    written(project.root / "many.xml", (f"test_case[{number}]" for number in range(30_000)))
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pytest_automation_report.cli", "submit", "many.xml", "--source", "suite"]
    with subprocess.Popen(
        command, cwd=project.root, env=session_environment(), stdout=subprocess.PIPE, stderr=follower, text=True
    ) as process:
        os.close(follower)
        seen = read_all(leader)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "1\n"), seen
    assert "sending" in seen
    assert "%" in seen
    assert "30,000 results sent to run 1" in seen


def read_all(descriptor: int) -> str:
    seen = b""
    try:
        while piece := os.read(descriptor, 65536):
            seen += piece
    except OSError:  # Linux tells the end of a terminal so
        pass
    finally:
        os.close(descriptor)
    return seen.decode(errors="replace")
