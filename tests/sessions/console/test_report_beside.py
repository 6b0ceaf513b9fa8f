"""``automation-report html --beside``: a report with a folder for its style and files."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_automation_report.api.models import Token
from pytest_automation_report.server.http.application import create_application
from pytest_automation_report.server.pages.site import Pages
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.testing import serving
from support.projects import Project, console
from support.report_file import ReportFile
from support.sessions import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from support.sessions import Ran

SUITE = """
def test_total(automation_report, tmp_path):
    (tmp_path / "log.txt").write_text("{text}")
    automation_report.artifact(tmp_path / "log.txt")
    assert 1 == 2
"""


def reported(folder: Path, text: str = "first", address: str | None = None) -> Project:
    project = Project(folder, SUITE.replace("{text}", text))
    assert project.report(address=address).exit == 1
    return project


def written(project: Project, *more: str) -> Ran:
    return console(project.root, "html", "-o", "report.html", "--beside", *more)


def files_of(folder: Path) -> dict[str, str]:
    """Return the contents of a folder's files by the ends of their names."""
    return {path.name.rpartition("-")[2]: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def check(project: Project, text: str) -> None:
    """Check that report and folder belong together, and that no other file was written."""
    folder = project.root / "report-files"
    report = ReportFile((project.root / "report.html").read_text(encoding="utf-8"))
    (address,) = report.index["files"].values()
    assert (project.root / address).read_text(encoding="utf-8") == text
    assert files_of(folder).keys() == {"files.txt", "report.css", "log.txt"}
    assert "body" in files_of(folder)["report.css"]
    assert not [path for path in project.root.iterdir() if path.name.startswith(".report")]


def test_folder_of_the_embedded_store(tmp_path: Path) -> None:
    """The folder has the files of failures and the style; the next report of this name replaces them."""
    project = reported(tmp_path)
    ran = written(project)
    assert (ran.exit, ran.out) == (0, ""), ran.text
    check(project, "first")
    reported(tmp_path, "second")
    folder = tmp_path / "report-files"
    left = next(path for path in folder.iterdir() if path.name.endswith("log.txt"))
    (folder / f".{left.name}.abcd").write_text("an interrupted report left this")
    assert written(project).exit == 0
    check(project, "second")
    assert written(project, "--artifacts", "none").exit == 0
    assert files_of(folder).keys() == {"files.txt", "report.css"}


def test_folder_from_a_server(tmp_path: Path) -> None:
    """A server of ours sends the files with the report; a size beyond its limit is refused with the way out."""
    with closing(Store(tmp_path / "server.db")) as store:
        pages = Pages(store, Token(TOKEN))
        with serving(create_application(store, Token(TOKEN), extension=pages.extension)) as server:
            address = f"http://127.0.0.1:{server.server_port}"
            project = reported(tmp_path, address=address)
            ran = written(project, "--url", address, "--project-id", "1", "--allow-http")
            check(project, "first")
            large = written(project, "--url", address, "--project-id=1", "--allow-http", "--artifacts-size", "9MB")
    assert ran.exit == 0, ran.text
    assert large.exit == 2
    assert "--artifacts-size: a server sends 8 MB of files at most" in large.err
    check(project, "first")


@pytest.mark.parametrize("what", ["folder", "file", "link", "forged"])
def test_place_that_is_not_of_a_report(tmp_path: Path, what: str) -> None:
    """A folder with anything else, a file and a link in its place are refused before anything is written."""
    project = reported(tmp_path)
    folder, precious = tmp_path / "report-files", tmp_path / "precious"
    precious.mkdir()
    (precious / "data.txt").write_text("precious")
    if what == "folder":
        folder.mkdir()
        (folder / "data.txt").write_text("precious")
    elif what == "file":
        folder.write_text("precious")
    elif what == "link":
        (tmp_path / "empty").mkdir()
        folder.symlink_to(tmp_path / "empty")
    else:
        folder.mkdir()
        (folder / "files.txt").write_text("Files of another program\n../precious/data.txt\n")
    ran = written(project)
    assert ran.exit == 2
    assert "--beside: report-files " in ran.err
    assert (precious / "data.txt").read_text() == "precious"
    assert not list(tmp_path.glob("empty/*"))
    assert not (tmp_path / "report.html").exists()


def test_list_with_paths_removes_nothing_outside(tmp_path: Path) -> None:
    """A list that names a path outside of the folder has no file removed."""
    project = reported(tmp_path)
    (tmp_path / "data.txt").write_text("precious")
    assert written(project).exit == 0
    names = tmp_path / "report-files" / "files.txt"
    names.write_text(names.read_text() + "../data.txt\n/etc/hostname\n")
    assert written(project).exit == 0
    assert (tmp_path / "data.txt").read_text() == "precious"
    check(project, "first")


def test_stdout_has_no_folder(tmp_path: Path) -> None:
    """A report that goes to stdout has no place for a folder."""
    project = reported(tmp_path)
    ran = console(project.root, "html", "-o", "-", "--beside")
    assert (ran.exit, ran.out) == (2, "")
    assert "--beside writes a folder: name a file with -o" in ran.err
