"""The command's output under ``automation-report exec``: the user sees it as it comes, and the run keeps its ends."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from support.checked_server import CheckedServer
from support.processes import running
from support.projects import Project
from support.session_fixtures import EXEC, Execute, shell
from support.sessions import run, session_environment

CONSOLE = 4
LIMIT = 16_384


def outputs(server: CheckedServer) -> list[str]:
    """Return the values of all fields of runs and threads that hold a command's output."""
    bodies = [each.body for each in server.posts("/append") if "tests" not in each.body]
    fields = [field for body in bodies for field in body.get("fields", ()) if field["name"] == "Output"]
    assert {field["type"] for field in fields} <= {CONSOLE}
    return [field["value"] for field in fields]


def output_of(server: CheckedServer) -> str:
    """Return the output in the run's field, without the last line, which says how the command ended."""
    (value,) = outputs(server)
    found = re.fullmatch(r"(.*)\n\nbash [^\n]+ after \d+\.\d s", value, re.DOTALL)
    assert found is not None, value
    return found[1]


def test_streams_that_are_one_stay_in_order(execute: Execute, server: CheckedServer) -> None:
    """With ``2>&1`` the command's streams are one, too: what it prints keeps its order, shown and sent."""
    script = "for each in {1..200}; do echo out $each; echo err $each >&2; done"
    ran = execute(script, stderr=subprocess.STDOUT)
    expected = "\n".join(f"out {each}\nerr {each}" for each in range(1, 201))
    assert f"{expected}\nbash ended with exit code 0" in ran.out
    assert output_of(server) == expected


def test_output_comes_at_once(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """A line is shown before the command goes on: here it waits for an answer to it."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    os.mkfifo(project.root / "answer")
    command = [*EXEC, *server_options, *shell("echo question; read answer < answer; echo $answer")]
    with subprocess.Popen(command, cwd=project.root, env=session_environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"question\n"
        (project.root / "answer").write_text("42\n")
        assert process.stdout.read() == b"42\n"
    assert output_of(server) == "question\n42"


def test_no_more_memory_for_100_megabytes(project: Project, execute: Execute, server: CheckedServer) -> None:
    """Of very much output both ends are sent, within the limit, and the memory of exec does not grow with it."""
    # Beside the output: two streams have no order.
    peak = "grep VmHWM /proc/$PPID/status >>peaks"
    script = f"echo begin; {peak}; yes 0123456789 | head -c 100000000; {peak}; echo; echo end"
    execute(script, exits=0, stdout=subprocess.DEVNULL)
    before, after = (int(each) for each in re.findall(r"VmHWM:\s+(\d+) kB", (project.root / "peaks").read_text()))
    assert after < before + 8 * 1024
    (value,) = outputs(server)
    assert LIMIT - 100 < len(value) <= LIMIT
    assert value.startswith("begin\n")
    assert re.search(r"\n\.\.\. 9\d,\d{3},\d{3} characters cut \.\.\.\n", value)
    assert "\nend\n\nbash ended with exit code 0" in value


def test_all_bytes_pass(project: Project, execute: Execute, server: CheckedServer) -> None:
    """Binary output reaches our stdout unchanged; sent is what can be seen of it, a letter in two writes as one."""
    (project.root / "bytes").write_bytes(bytes(range(256)))
    with (project.root / "shown").open("wb") as shown:
        execute(r"cat bytes; printf '\xc3'; sleep 0.2; printf '\xa9'", stdout=shown)
    assert (project.root / "shown").read_bytes() == bytes(range(256)) + "\xe9".encode()
    sent = output_of(server)
    assert sent.startswith(r"\x00\x01")
    assert sent.endswith("\\xfe\\xff\xe9")


def test_a_character_that_is_cut_is_shown(execute: Execute, server: CheckedServer) -> None:
    """The first byte of a character, after which the command ends, is no less of its output than all others."""
    execute(r"printf 'end \303'", exits=0, stdout=subprocess.DEVNULL)
    assert output_of(server) == r"end \xc3"


def test_a_terminal_is_the_commands_own(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """Where stdout is a terminal the command has it itself and nothing of it is sent; a stderr in a pipe is sent."""
    if sys.platform == "win32":
        pytest.skip("terminals of POSIX")
    import pty  # noqa: PLC0415 - Windows has none

    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*EXEC, *server_options, *shell("test -t 1 && echo shown; echo sent >&2; test -t 2; exit $?")],
        cwd=project.root,
        env=session_environment(),
        stdout=follower,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(follower)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert os.read(leader, 1024) == b"shown\r\n"
    os.close(leader)
    assert output_of(server) == "sent"


def test_processes_left_behind_are_not_waited_for(project: Project, execute: Execute, server: CheckedServer) -> None:
    """A process that the command leaves behind holds its output open, and writes on: exec ends all the same."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    script = "yes more >&2 & sleep 60 & echo $! > sleeping; echo done"
    ran = execute(script, exits=0, stderr=subprocess.DEVNULL, timeout=50)
    os.kill(int((project.root / "sleeping").read_text()), signal.SIGKILL)
    assert ran.out == "done\n"
    assert len(server.posts("/runs/1/complete")) == 1


def test_a_reader_gone_ends_the_command(project: Project, server: CheckedServer, server_options: list[str]) -> None:
    """As without exec, a command whose reader has gone is ended by SIGPIPE; what it printed is sent."""
    if sys.platform == "win32":
        pytest.skip("signals of POSIX")
    command = [*EXEC, *server_options, *shell("exec yes")]
    with subprocess.Popen(command, cwd=project.root, env=session_environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(60) == 128 + signal.SIGPIPE
    assert output_of(server).startswith("y\ny\n")


def test_full_disk_is_no_success(execute: Execute, server: CheckedServer) -> None:
    """A command whose output cannot be written does not succeed: its stream is closed."""
    script = "trap '' PIPE; for each in {1..100}; do echo $each || exit 9; sleep 0.05; done"
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        execute(script, exits=9, stdout=full)
    assert output_of(server).startswith("1")


@pytest.mark.parametrize("stderr", [None, subprocess.STDOUT], ids=["stdout", "both"])
def test_reader_that_reads_no_more_keeps_no_signal_away(
    project: Project, server: CheckedServer, server_options: list[str], stderr: int | None
) -> None:
    """With a pager of one or both streams that waits, signals reach the command, and later ones end the wait."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    # Without the inner trap a second signal would run the outer one again, and bash would wait for a reader of `got`.
    # bash may sleep through a signal that comes just before its `wait`: so it waits in a loop.
    trap = """trap 'trap "" TERM; echo got > got; exit 5' TERM"""
    command = [*EXEC, *server_options, *shell(f"{trap}; yes & echo > ready; while :; do sleep 0.05; done")]
    os.mkfifo(project.root / "ready")
    os.mkfifo(project.root / "got")
    with running(command, session_environment({"same_signal": 0.0}), project.root, stderr=stderr) as process:
        (project.root / "ready").read_text()
        process.terminate()
        (project.root / "got").read_text()
        # A signal that comes before the command's end is noticed is still the command's: the user asks again.
        for _ in range(120):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
                break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what the command has left behind
    assert process.returncode == 5
    # A signal that interrupts the run's end leaves that in the spool.
    assert server.posts("/runs/1/complete") or project.sessions


GIVEN_UP = """
import os, signal, threading
from pytest_automation_report.api.http import Try
Try(0.01).outcome(threading.Event().wait)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.kill(os.getpid(), signal.SIGTERM)
print(threading.active_count(), *signal.sigpending())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_request_that_is_given_up_takes_no_signal(tmp_path: Path) -> None:
    """A signal that the main thread holds back for a command is not given to the thread of an earlier request."""
    ran = run([sys.executable, "-c", GIVEN_UP], tmp_path, session_environment(), exits=0)
    assert ran.out.split() == ["2", str(int(signal.SIGTERM))], ran.text
