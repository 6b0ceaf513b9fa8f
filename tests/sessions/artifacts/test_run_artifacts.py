"""Files of runs, of tests whose process died, and of spools sent elsewhere: they arrive where all files do."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sessions.artifacts.test_artifacts import contents_at
from support.checked_server import CheckedServer
from support.projects import Project, console
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, send

HOOK = """
import pathlib
from pytest_automation_report import Artifact, ArtifactFile, RunAdditions

def pytest_automation_report_describe_run(config):
    here = pathlib.Path(__file__).parent
    return RunAdditions(artifacts=[
        ArtifactFile(here / "versions.txt"),
        ArtifactFile(b"in memory", "dump.txt", "text/x-dump"),
        ArtifactFile("missing.txt"),
        Artifact("log", "https://ci.example.com/log"),
    ])
"""

CHANGES = """
import pathlib

def test_changes():
    pathlib.Path(__file__).with_name("versions.txt").unlink()
"""

DIES = """
import os
import threading

def test_before(automation_report):
    automation_report.artifact(b"of the one before", "before.txt")

def test_dies(automation_report):
    automation_report.artifact(b"first", "first.txt")
    automation_report.artifact("https://files.example.com/trace.zip")
    thread = threading.Thread(target=automation_report.artifact, args=(b"aside", "aside.txt"))
    thread.start()
    thread.join()
    automation_report.artifact(b"last", "last.txt", "text/x-last")
    os._exit(3)
"""


KEPT = """
def test_ok(automation_report):
    automation_report.artifact(b"data", "d.txt")
"""


def of_run(server: CheckedServer) -> dict[str, Any]:
    """Return what was added to the run at its end."""
    added: dict[str, Any]
    (added,) = (each.body for each in server.posts("/append") if "/threads/" not in each.path)
    return added


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_files_of_the_hook_are_the_runs(project: Project, server: CheckedServer, arguments: tuple[str, ...]) -> None:
    """What describe_run adds is kept as it was at the session's start; what is no file is told."""
    project.write("versions.txt", "shop 1.2")
    project.write("conftest.py", HOOK)
    project.write("test_suite.py", CHANGES)
    ran = project.report(*arguments, address=server.address, exits=0)
    added = of_run(server)
    assert contents_at(server, added["artifacts"]) == {"versions.txt": b"shop 1.2", "dump.txt": b"in memory"}
    assert [each.get("mime_type") for each in added["artifacts"]] == ["text/plain", "text/x-dump"]
    fields = {each["name"]: each["value"] for each in added["fields"]}
    assert fields["missing.txt"] == f"{project.root}/missing.txt (no such file)"
    (run,) = server.runs()
    assert [each["url"] for each in run["artifacts"]] == ["https://ci.example.com/log"]
    assert "artifacts whose file is missing: 1" in ran.out
    assert project.sessions == []


def test_files_of_a_shared_run_are_in_the_jobs_last_words(project: Project, server: CheckedServer) -> None:
    """A job of a run that others share says in its last thread what is its own."""
    project.write("versions.txt", "shop 1.2")
    project.write("conftest.py", HOOK)
    project.report("--automation-report-run-key", "night", address=server.address, exits=0)
    (added,) = (each.body for each in server.posts("/append") if each.body.get("artifacts"))
    assert set(contents_at(server, added["artifacts"])) == {"versions.txt", "dump.txt"}


def test_files_that_nobody_keeps_are_named(project: Project) -> None:
    """A server that keeps no files is told of the run's in fields; a template gives those below the root an address."""
    project.write("versions.txt", "shop 1.2")
    project.write("conftest.py", HOOK)
    with ScriptedServer(token=TOKEN) as testmo:
        project.report(address=testmo.address, exits=0)
        project.report("-oautomation_report_artifact_url=https://ci.example/{path}", address=testmo.address, exits=0)
        appended = (each for each in testmo.log if each.path.endswith("/append") and "/threads/" not in each.path)
        plain, templated = (json.loads(each.body) for each in appended)
    fields = {each["name"]: each["value"] for each in plain["fields"]}
    assert (fields["versions.txt"], fields["dump.txt"]) == (f"{project.root}/versions.txt", "9 bytes")
    assert [each["url"] for each in templated["artifacts"]] == ["https://ci.example/versions.txt"]


@pytest.mark.parametrize("arguments", [(), ("-n1", "--max-worker-restart=0")])
def test_files_of_a_test_that_killed_its_process(
    project: Project, server: CheckedServer, arguments: tuple[str, ...]
) -> None:
    """What a test added before its process died stands with its error result; what another test added does not."""
    project.write("test_suite.py", DIES)
    project.report(*arguments, address=server.address)
    send(project.root, "--url", server.address, "--project-id", "1")  # without xdist nobody has waited for the sender
    tests = {test["name"]: test for _, test in server.tests()}
    died = tests["test_dies"]
    assert died["status"] == "error"
    references = {each["name"]: each for each in died["artifacts"]}
    assert references.pop("trace.zip")["url"] == "https://files.example.com/trace.zip"
    assert contents_at(server, list(references.values())) == {"first.txt": b"first", "last.txt": b"last"}
    assert references["last.txt"]["mime_type"] == "text/x-last"
    assert [each["name"] for each in tests["test_before"]["artifacts"]] == ["before.txt"]


def test_spool_that_came_as_an_artifact_of_the_job(project: Project, server: CheckedServer, tmp_path: Path) -> None:
    """A spool that was packed and unpacked elsewhere, without its permissions, is sent whole, files included.

    A path that is typed for the console command starts from the current folder, wherever the root folder is.
    """
    project.write(
        "test_suite.py", "def test_ok(automation_report):\n    automation_report.artifact(b'data', 'd.txt')\n"
    )
    ran = project.report("--automation-report-delivery", "later", address=server.address)
    assert "1 result kept" in ran.out
    with zipfile.ZipFile(tmp_path / "kept.zip", "w") as packed:
        for path in (project.state / "spool").rglob("*"):
            if path.is_file():
                packed.writestr(str(path.relative_to(project.state)), path.read_bytes())
    with zipfile.ZipFile(tmp_path / "kept.zip") as packed:
        packed.extractall(tmp_path / "elsewhere")
    elsewhere = tmp_path / "elsewhere"
    ran = console(elsewhere, "send", "--spool", "spool", "--url", server.address, "--project-id", "1", exits=0)
    ((_, test),) = server.tests()
    assert contents_at(server, test["artifacts"]) == {"d.txt": b"data"}
