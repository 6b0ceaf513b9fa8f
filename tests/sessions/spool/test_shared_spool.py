"""A spool folder that holds other things: a project, a home, a temporary folder. All of that stays."""

import os
from pathlib import Path

import pytest

from support.projects import MIXED, Project, console

LATER = "--automation-report-delivery=later"
XML = '<testsuite name="pytest"><testcase classname="test_a" name="test_b" time="0.1"/></testsuite>'
FOREIGN = (
    ".cache-old/data", ".config-2024/settings/x.toml", ".git-backup/HEAD", "src/main.py", "photos-2024/a.jpg",
    "old-session/session.json", "20240101T000000-00000001/thesis.txt", ".20240101T000000-00000002/thesis.txt",
    "20240101T000000-00000003/session.json/main.py",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project whose spool is its own root, with other things in it that are years old."""
    found = Project(tmp_path / "project", MIXED)
    found.write("pytest.ini", "[pytest]\nautomation_report_spool = .\nautomation_report_keep_spool = 1\n")
    found.write("results.xml", XML)
    for name in FOREIGN:
        found.write(name, "the user's")
    outside = tmp_path / "outside" / "data"
    outside.parent.mkdir()
    outside.write_text("the user's")
    (found.root / "20240101T000000-00000004").symlink_to(outside.parent)
    (found.root / ".20240101T000000-00000005").symlink_to(outside.parent)
    for name in FOREIGN:
        for each in ((found.root / name), *(found.root / name).relative_to(found.root).parents):
            path = found.root / each
            if path != found.root:
                os.utime(path, (0, 0))
    return found


def is_whole(project: Project) -> bool:
    """Whether everything of the user's is there."""
    links = ("20240101T000000-00000004", ".20240101T000000-00000005")
    paths = [*(project.root / name for name in FOREIGN), *(project.root / name / "data" for name in links)]
    return all(each.read_text() == "the user's" for each in paths)


def sessions(project: Project) -> list[Path]:
    """Return the sessions that were made by a test, and not planted."""
    return [each for each in project.root.glob("20??????T??????-*") if each.name > "2025"]


def test_sessions_and_commands_leave_other_folders_alone(project: Project) -> None:
    """No session and no command removes anything of a project that is its own spool."""
    assert project.report().exit == 1
    assert is_whole(project)
    assert console(project.root, "submit", "results.xml", "--source", "shop").exit == 0
    assert is_whole(project)
    project.report(LATER)
    assert len(sessions(project)) == 1
    console(project.root, "spool", "drop", "--all")
    assert sessions(project) == []
    assert is_whole(project)


def test_list_and_drop_name_what_they_leave_alone(project: Project) -> None:
    """Files that no session created are counted and named, and why a folder with a session's name stays."""
    for command in (["list"], ["drop", "--all"]):
        shown = console(project.root, "spool", *command)
        assert ".20240101T000000-00000002: left alone: it holds thesis.txt, which no session made" in shown.err
        assert f"11 other files and folders in {project.root} are left alone: " in shown.err, shown.err
        assert is_whole(project)
    assert shown.exit == 3
    assert "20240101T000000-00000001: kept: it holds thesis.txt, which no session made" in shown.err
    assert "20240101T000000-00000003: kept: it holds session.json, which no session made" in shown.err


def test_next_session_names_old_folders_that_it_leaves_alone(project: Project) -> None:
    """The summary names a folder that would have been removed by its age, but holds what no session made."""
    out = project.report().out
    assert "left alone in .: 20240101T000000-00000001: it holds thesis.txt, which no session made" in out
    assert "left alone in .: .20240101T000000-00000002: it holds thesis.txt, which no session made" in out
