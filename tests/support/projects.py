"""A small project to report, and what its sessions leave."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_automation_report.system.here import system
from support.commands import run_command
from support.prepared import popen
from support.sessions import Ran, reporting_arguments, run, run_session, session_environment, skip_without_workers

SUITE = """
def test_ok():
    pass
"""

MIXED = """
import pytest

def test_ok():
    pass

def test_fail():
    assert 1 == 2

@pytest.mark.skip(reason="not now")
def test_skip():
    pass
"""

PAUSED = """
def test_first():
    pass

def test_paused():
    open("began", "w").close()
    open("go").close()
"""
"""Its last test tells that it began, and waits for a word; both files are pipes."""


@dataclass(frozen=True)
class Project:
    """A folder with one test module, ``test_suite.py``, and an ini file that makes it the root."""

    root: Path
    suite: str = SUITE

    def __post_init__(self) -> None:
        self.write("pytest.ini", "[pytest]\n")
        self.write("test_suite.py", self.suite)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def tests(self, text: str) -> None:
        self.write("test_suite.py", text)

    def report(
        self,
        *arguments: str,
        address: str | None = None,
        env: Mapping[str, str] | None = None,
        exits: int | None = None,
    ) -> Ran:
        return run_session(self.root, *arguments, address=address, env=env, exits=exits)

    def pytest(self, *arguments: str, env: Mapping[str, str] | None = None, exits: int | None = None) -> Ran:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return run(command, self.root, env if env is not None else session_environment(), exits=exits)

    @property
    def sessions(self) -> list[Path]:
        return [each for each in self.state.glob("spool/*") if each.is_dir()]

    @property
    def state(self) -> Path:
        """Where the plugin keeps all it has."""
        return self.root / ".automation-report"


def console(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, exits: int | None = None) -> Ran:
    return run_command(folder, arguments, env, exits)


@contextmanager
def paused(
    project: Project, *arguments: str, address: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a reported session of the paused suite and yield while its last test waits; then let it go on, and pass."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    project.write("test_suite.py", PAUSED)
    os.mkfifo(project.root / "began")
    os.mkfifo(project.root / "go")
    command = [*reporting_arguments(address), *arguments]
    skip_without_workers(command)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with popen(command, env if env is not None else session_environment(), cwd=project.root, **streams) as process:
        try:
            _opened(project.root / "began", process)
            yield process
            if process.poll() is None:
                (project.root / "go").open("w").close()
                out, _ = process.communicate(timeout=60)
                assert process.returncode == 0, out
        except BaseException:
            process.kill()
            raise


def wait_for_death(pid: int, seconds: float = 30.0) -> None:
    """Return once this process, no child of ours, is gone."""
    process = system.Process(pid)
    process.wait(seconds)
    try:
        assert not process.is_alive(), f"process {pid} is still there"
    finally:
        process.close()


def _opened(pipe: Path, process: subprocess.Popen[str]) -> None:
    """Return once the other end of a pipe was opened; fail when the process ends instead."""
    reader, end = os.open(pipe, os.O_RDONLY | system.NO_WAIT), time.monotonic() + 60
    try:
        while not system.ready([reader], 0.05):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "the test never began"
    finally:
        os.close(reader)
