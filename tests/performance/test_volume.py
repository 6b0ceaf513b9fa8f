"""Very many tests and very much output: none lost, none twice, and memory does not grow out of hand.

The long form is ``--volume 100000``: so many tests, and ten times as many log lines.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.delivered_results import assert_one_run, field_texts, result_named, result_names
from support.scripted_server.checked import checked_scripted_server
from support.session_processes import RunningSession, sender_of, spools, wait_for_senders
from support.sessions import clean_environment, reporting_arguments, run, session_environment
from support.terminal_summary import printed_counts

assert sys.platform != "win32"

if TYPE_CHECKING:
    from typing_extensions import Self

    from support.scripted_server.server import ScriptedServer

MANY = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_number(number):
    pass
"""

LOUD = """
import logging, sys

def test_before():
    pass

def test_output():
    for _ in range(100):
        sys.stdout.write("x" * 1_048_575 + "\\n")
    assert False

def test_lines():
    log = logging.getLogger("loud")
    for number in range({lines}):
        log.warning("line %d", number)
    assert False

def test_after():
    pass
"""

# Not getrusage's ru_maxrss: that of a new program begins with what its parent had.
MEASURED = """
import pathlib

def pytest_unconfigure():
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(__file__).with_name("peak").write_text(status.partition("VmHWM:")[2].split()[0])
"""

MOST_GROWTH_MIB = 5.0
"""How much larger the sender may become in the second half of its life."""

MOST_MORE_MIB = 32.0
"""What the report of very large texts may cost pytest."""


class Memory:
    """The resident memory of a process while the context is open, as the system tells it."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/statm")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.mib: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE") / 2**20
        with suppress(OSError, IndexError):  # it has ended, or this system does not tell
            while not self._is_over.wait(0.02):
                self.mib.append(int(self._path.read_text().split()[1]) * page)

    @property
    def growth(self) -> float:
        """By how much the largest of the second half is larger than that of the first, in MiB."""
        half = len(self.mib) // 2
        return max(self.mib[half:], default=0.0) - max(self.mib[:half], default=0.0)


@pytest.mark.parametrize("arguments", [(), ("-n", "4")], ids=["39-n0", "39-n4"])
def test_many_tests(tmp_path: Path, arguments: tuple[str, ...], pytestconfig: pytest.Config) -> None:
    """Each of very many tests is on the server once, and the sender needs no more memory for the last than before."""
    count = int(pytestconfig.getoption("--volume") or 0)
    (tmp_path / "test_many.py").write_text(MANY.format(count=count))
    with checked_scripted_server() as server:
        server.checks.clear()  # reading so many bodies by the contract takes minutes; other tests do it
        with RunningSession(tmp_path, "-q", *arguments, address=server.address) as running:
            running.until(lambda: sender_of(tmp_path) > 0, "the sender is at work")
            with Memory(sender_of(tmp_path)) as memory:
                ran = running.end(seconds=1200)
        assert ran.exit == 0, ran.text[-2000:]
        assert printed_counts(ran).delivered == count
        wait_for_senders(tmp_path)
        assert spools(tmp_path) == []
        wanted = Counter(f"test_number[{number}]" for number in range(count))
        assert Counter(result_names(server)) == wanted
        assert_one_run(server)
        assert memory.growth <= MOST_GROWTH_MIB, memory.mib


def peak(folder: Path, command: list[str], env: dict[str, str], lines: int) -> float:
    """Run the loud suite, and return its peak of memory in MiB."""
    folder.mkdir()
    (folder / "test_loud.py").write_text(LOUD.format(lines=lines))
    (folder / "conftest.py").write_text(MEASURED)
    run([*command, "-q", "--show-capture=no"], folder, env, exits=1)
    return int((folder / "peak").read_text()) / 1024


def test_much_output(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """100 MB of output and very many log lines cost little memory; both arrive with their ends."""
    lines = 10 * int(pytestconfig.getoption("--volume") or 0)
    bare_command = [*reporting_arguments()[:-1], "-p", "no:automation-report"]
    bare = peak(tmp_path / "bare", bare_command, clean_environment(), lines)
    with checked_scripted_server() as server:
        reported = peak(tmp_path / "reported", reporting_arguments(server.address), session_environment(), lines)
        assert_arrived(server, lines)
    assert reported - bare < MOST_MORE_MIB, (bare, reported)


def assert_arrived(server: ScriptedServer, lines: int) -> None:
    assert result_names(server) == ["test_after", "test_before", "test_lines", "test_output"]
    log = field_texts(result_named(server, "test_lines"))
    assert "line 0\n" in log
    assert f"line {lines - 1}" in log
    assert f"line {lines // 2}\n" not in log
    for name in ("test_lines", "test_output"):
        assert len(field_texts(result_named(server, name))) < 40_000
