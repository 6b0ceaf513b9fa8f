"""Files that tests add: kept by a server of ours as they were when they were added, named by every other server."""

import json
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from support.checked_server import CheckedServer
from support.projects import Project, console
from support.recorded import RecordedProject
from support.scripted_server.server import ScriptedServer
from support.sessions import TOKEN, run_session, send

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

ALL_WAYS = f"""
    PNG = {PNG!r}

    import os
    import pytest
    from pytest_automation_report import artifact

    @pytest.mark.automation_report_artifact("notes.txt")
    @pytest.mark.automation_report_artifact(b"by the marker", "marked.txt")
    def test_all(automation_report, tmp_path, monkeypatch):
        page = tmp_path / "page.png"
        page.write_bytes(PNG)
        automation_report.artifact(page)
        page.write_bytes(b"changed")
        page.unlink()
        artifact(b"in memory", "dump.txt", "text/x-dump")
        artifact(lambda: b"made", "made.bin")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "here.txt").write_text("from here")
        artifact("here.txt", "renamed.txt")
        artifact(b"", "empty")

    def test_plain():
        pass
"""

HOOK = """
    import pytest
    from pytest_automation_report import Additions, ArtifactFile

    def pytest_automation_report_describe_test(item, report):
        if item.name == "test_all":
            return Additions(artifacts=[ArtifactFile(item.path.with_name("notes.txt"), "hooked.txt", "text/x-notes")])
"""

EXPECTED = {
    "notes.txt": b"the notes", "marked.txt": b"by the marker", "page.png": PNG, "dump.txt": b"in memory",
    "made.bin": b"made", "renamed.txt": b"from here", "empty": b"", "hooked.txt": b"the notes",
}  # fmt: skip


@pytest.fixture
def project(pytester: pytest.Pytester) -> RecordedProject:
    return RecordedProject(pytester.path, pytester=pytester)


def contents_at(server: CheckedServer, artifacts: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return what a client reads of each artifact at a server, by its name."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    found = {}
    for each in artifacts:
        answer = requests.get(f"{server.address}{urlsplit(each['url']).path}", headers=headers, timeout=10)
        assert answer.status_code == 200
        found[each["name"]] = answer.content
    return found


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_every_way_to_add_a_file_is_kept(project: Project, server: CheckedServer, arguments: tuple[str, ...]) -> None:
    """Path, bytes, function, marker and hook: a server of ours keeps what a file was when the test added it."""
    project.write("notes.txt", "the notes")
    project.tests(ALL_WAYS)
    project.write("conftest.py", HOOK)
    ran = project.report(*arguments, address=server.address, exits=0)
    tests = {test["name"]: test for _, test in server.tests()}
    artifacts = tests["test_all"]["artifacts"]
    assert contents_at(server, artifacts) == EXPECTED
    by_name = {each["name"]: each for each in artifacts}
    assert {name: each["size"] for name, each in by_name.items()} == {
        name: len(content) for name, content in EXPECTED.items()
    }
    assert {name: each["mime_type"] for name, each in by_name.items() if "text/x" in each["mime_type"]} == {
        "dump.txt": "text/x-dump",
        "hooked.txt": "text/x-notes",
    }
    assert by_name["page.png"]["mime_type"] == "image/png"
    assert "artifacts" not in tests["test_plain"]
    assert "fields" not in tests["test_all"]
    assert project.sessions == []
    assert "artifact" not in ran.out


def test_another_server_is_never_given_a_file(project: Project, testmo: ScriptedServer) -> None:
    """Where nothing keeps files, results name them; only calls of the contract are sent, and it is told once."""
    project.tests("""
        def test_one(automation_report, tmp_path):
            (tmp_path / "a.txt").write_text("a")
            automation_report.artifact(tmp_path / "a.txt")
            automation_report.artifact(b"12345678" * 1000, "dump")

        def test_two(automation_report):
            automation_report.artifact(b"1", "dump")
    """)
    ran = project.report(address=testmo.address, exits=0)
    assert all(each.path.startswith("/api/v1/") for each in testmo.log)
    tests = {test["name"]: test for _, _, test in testmo.results}
    fields = {each["name"]: each["value"] for each in tests["test_one"]["fields"]}
    assert fields["a.txt"].endswith("/a.txt")
    assert fields["dump"] == "8,000 bytes"
    assert all("artifacts" not in test for test in tests.values())
    told = "3 artifacts named in results, but not stored: the server stores no files"
    assert ran.out.count("not stored") == 1
    assert told in ran.out
    assert project.sessions == []


def test_what_is_too_large_or_gone_is_told(project: Project, server: CheckedServer) -> None:
    """A file over the limits or none at all: the result's field says so, and the summary once."""
    project.tests("""
        def test_sizes(automation_report, tmp_path):
            (tmp_path / "large.txt").write_bytes(b"x" * 3_001)
            automation_report.artifact(tmp_path / "large.txt")
            automation_report.artifact(b"x" * 3_000, "fits")
            automation_report.artifact(tmp_path / "no.txt")
            automation_report.artifact(tmp_path, "folder")
            automation_report.artifact(lambda: 1 / 0, "broken")
    """)
    project.write("pytest.ini", "[pytest]\nautomation_report_artifact_size = 3KB\n")
    ran = project.report(address=server.address, exits=0)
    ((_, test),) = server.tests()
    assert [each["name"] for each in test["artifacts"]] == ["fits"]
    fields = {each["name"]: each["value"] for each in test["fields"]}
    assert fields["large.txt"].endswith("/large.txt (not kept: larger than 3,000 bytes (artifact_size))")
    assert fields["no.txt"].endswith("/no.txt (no such file)")
    assert fields["folder"].endswith("(no such file)")
    assert ran.out.count("artifacts whose file is missing: 2, the first: /") == 1
    assert ran.out.count("artifacts that are not kept (larger than 3,000 bytes (artifact_size)): 1, the first: /") == 1
    assert ran.out.count("artifact broken was not added: ZeroDivisionError: division by zero") == 1


def test_waiting_files_have_a_limit_together(project: Project) -> None:
    """What waits in the spool has a limit; it counts what is there, so that what was sent makes room."""
    project.tests("""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_number(number, automation_report):
            automation_report.artifact(bytes([number]) * 600, f"file {number}")
    """)
    ran = project.report("--automation-report-delivery", "later", "-oautomation_report_artifact_total=2KB", exits=0)
    (session,) = project.sessions
    assert sorted((each.name, each.stat().st_size) for each in (session / "files").iterdir()) == [
        (f"main-{number}", 600) for number in (1, 2, 3)
    ]
    assert "artifacts that are not kept (more than 2,000 bytes would wait to be sent (artifact_total)): 1" in ran.out


def test_files_are_kept_whatever_a_test_patches(project: Project, server: CheckedServer) -> None:
    """A test that replaces the calls of ``os`` and ``open`` has its file all the same, and so has the one after it."""
    project.tests("""
        import builtins, os

        def refuse(*_, **__):
            raise AssertionError("patched")

        def test_patched(automation_report, monkeypatch, tmp_path):
            (tmp_path / "a.txt").write_text("under patches")
            for name in ("open", "write", "mkdir", "close", "getpid", "scandir", "unlink"):
                monkeypatch.setattr(os, name, refuse)
            monkeypatch.setattr(builtins, "open", refuse)
            automation_report.artifact(tmp_path / "a.txt")
            automation_report.artifact(b"bytes", "b.txt")
            monkeypatch.undo()
    """)
    project.report(address=server.address, exits=0)
    ((_, test),) = server.tests()
    assert contents_at(server, test["artifacts"]) == {"a.txt": b"under patches", "b.txt": b"bytes"}


def test_a_session_without_files_makes_no_folder(project: Project) -> None:
    """Whoever adds no file pays nothing: no folder, no record."""
    project.report("--automation-report-delivery", "later", exits=0)
    (session,) = project.sessions
    assert not (session / "files").exists()


RUN_HOOK = """
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
    added: dict[str, Any]
    (added,) = (each.body for each in server.posts("/append") if "/threads/" not in each.path)
    return added


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_files_of_the_hook_are_the_runs(project: Project, server: CheckedServer, arguments: tuple[str, ...]) -> None:
    """What describe_run adds is kept as it was at the session's start; what is no file is told."""
    project.write("versions.txt", "shop 1.2")
    project.write("conftest.py", RUN_HOOK)
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
    project.write("conftest.py", RUN_HOOK)
    project.report("--automation-report-run-key", "night", address=server.address, exits=0)
    (added,) = (each.body for each in server.posts("/append") if each.body.get("artifacts"))
    assert set(contents_at(server, added["artifacts"])) == {"versions.txt", "dump.txt"}


def test_files_that_nobody_keeps_are_named(project: Project) -> None:
    """A server that keeps no files is told of the run's in fields; a template gives those below the root an address."""
    project.write("versions.txt", "shop 1.2")
    project.write("conftest.py", RUN_HOOK)
    with ScriptedServer(token=TOKEN) as testmo:
        project.report(address=testmo.address, exits=0)
        project.report("-oautomation_report_artifact_url=https://ci.example/{path}", address=testmo.address, exits=0)
        appended = (each for each in testmo.log if each.path.endswith("/append") and "/threads/" not in each.path)
        plain, templated = (json.loads(each.body) for each in appended)
    fields = {each["name"]: each["value"] for each in plain["fields"]}
    assert (fields["versions.txt"], fields["dump.txt"]) == (f"{project.root}/versions.txt", "9 bytes")
    assert [each["url"] for each in templated["artifacts"]] == ["https://ci.example/versions.txt"]


@pytest.mark.parametrize("arguments", [(), ("-n1", "--max-worker-restart=0")])
def test_files_of_a_test_that_died(project: Project, server: CheckedServer, arguments: tuple[str, ...]) -> None:
    """What a test added before its process died stands with its error result; what another test added does not."""
    project.write("test_suite.py", DIES)
    run_session(project.root, *arguments, address=server.address)
    send(project.root, *server.options)  # without xdist nobody has waited for the sender
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
    project.write("test_suite.py", KEPT)
    ran = project.report("--automation-report-delivery", "later", address=server.address)
    assert "1 result kept" in ran.out
    with zipfile.ZipFile(tmp_path / "kept.zip", "w") as packed:
        for path in (project.state / "spool").rglob("*"):
            if path.is_file():
                packed.writestr(str(path.relative_to(project.state)), path.read_bytes())
    with zipfile.ZipFile(tmp_path / "kept.zip") as packed:
        packed.extractall(tmp_path / "elsewhere")
    elsewhere = tmp_path / "elsewhere"
    ran = console(elsewhere, "send", "--spool", "spool", *server.options, exits=0)
    ((_, test),) = server.tests()
    assert contents_at(server, test["artifacts"]) == {"d.txt": b"data"}
