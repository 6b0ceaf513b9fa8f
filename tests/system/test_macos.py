"""Sessions and commands as on macOS, played on Linux as `macos/sitecustomize.py` says."""

import sys
from pathlib import Path

import pytest

from support.projects import Project
from support.session_processes import eventually
from support.sessions import run, session_environment

if sys.platform != "linux":
    pytest.skip("macOS is played on Linux", allow_module_level=True)

PLAYED = str(Path(__file__).parent / "macos")


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_session_is_delivered_and_synced(project: Project, workers: list[str]) -> None:
    """A session is delivered without ``/proc``, its ledger reaches the disk itself, and nothing of it is left."""
    notes = project.root / "notes"
    environ = {**session_environment(PYTHONPATH=PLAYED), "PLAYED_NOTES": str(notes)}
    command = [sys.executable, "-m", "pytest", "-q", "--automation-report", *workers]
    assert "1 of 1 result delivered" in run(command, project.root, environ, exits=0).out
    eventually(lambda: project.sessions == [], "the session is removed")
    assert "full sync" in notes.read_text()


def test_files_get_their_names_without_hard_links(project: Project) -> None:
    """A backup is written where the file system has no hard links, and replaces no file."""
    environ = session_environment(PYTHONPATH=PLAYED)
    command = [sys.executable, "-m", "pytest", "-q", "--automation-report"]
    run(command, project.root, environ, exits=0)
    back_up = [sys.executable, "-m", "pytest_automation_report.cli", "store", "backup", "copy.sqlite3"]
    run(back_up, project.root, environ, exits=0)
    copy = (project.root / "copy.sqlite3").read_bytes()
    assert copy.startswith(b"SQLite")
    assert "it is there already" in run(back_up, project.root, environ).err
    assert (project.root / "copy.sqlite3").read_bytes() == copy
