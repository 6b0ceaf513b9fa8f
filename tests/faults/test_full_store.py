"""The embedded store on a disk without room, and a spool on a file system without locks: a sentence says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.needs import needed
from support.session_processes import spools
from support.sessions import Ran, reporting_arguments, run, run_session, send, session_environment

CONSOLE = (sys.executable, "-m", "pytest_automation_report.cli")
SUITE = """
import pytest
@pytest.mark.parametrize("number", range(100))
def test_it(number):
    print("x" * 15_000)
    assert number < 0
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "test_it.py").write_text(SUITE)
    return root


@pytest.mark.parametrize("is_full_before", [False, True], ids=["meanwhile", "before"])
def test_a_full_disk_of_the_store_is_named(project: Path, small_disk: Path, *, is_full_before: bool) -> None:
    """Results that the embedded store has no room for are kept with the reason, and sent once there is room."""
    if is_full_before:
        with (small_disk / "filling").open("wb") as file:
            file.write(b"x" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 40_000))
    database = small_disk / "store.sqlite3"
    ran = run_session(project, "--tb=no", "-rN", f"--automation-report-database={database}", exits=1)
    assert " results kept in " in ran.out
    assert "disk is full" in ran.out, ran.out[-1500:]
    assert len(spools(project)) == 1
    (small_disk / "filling").unlink(missing_ok=True)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    send(project, f"--database={database}", exits=0)
    assert spools(project) == []


def _without_locks(project: Path, *command: str) -> Ran:
    """Run a command whose file systems answer every `flock` as NFS does without its lock service."""
    strace = str(needed("strace"))
    traced = [strace, "-f", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK", *command]
    ran = run(traced, project, session_environment({"exit_progress": 3.0}))
    if "ptrace" in ran.err:
        pytest.skip(f"this container does not let strace trace: {ran.err.splitlines()[-1]}")
    return ran


def test_a_spool_without_locks_is_named(project: Path) -> None:
    """Where files cannot be locked, session, `send` and `doctor` say so, and the results stay in the spool."""
    ran = _without_locks(project, *reporting_arguments(), "-q", "--tb=no", "-rN")
    told = "the spool's file system has no locks (No locks available), without which nothing is sent"
    assert ran.exit == 1, ran.text
    assert f"{told}: set spool to a folder on a local disk" in ran.out, ran.out[-1500:]
    assert "100 results kept in " in ran.out
    assert "error in reporting" not in ran.out
    sent = _without_locks(project, *CONSOLE, "send")
    assert (sent.exit, told in sent.err, "Traceback" in sent.err) == (3, True, False), sent.text
    listed = _without_locks(project, *CONSOLE, "spool", "list")
    assert (listed.exit, "Traceback" in listed.err) == (0, False), listed.text
    checked = _without_locks(project, *CONSOLE, "doctor")
    assert checked.exit != 0, checked.text
    assert f"spool: {project / '.automation-report' / 'spool'}: {told}" in checked.err
    assert send(project).exit == 0
    assert spools(project) == []
