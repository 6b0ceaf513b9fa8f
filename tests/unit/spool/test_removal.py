"""Removal in the spool: what a session made goes, everything else stays, whatever happens in between."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from pytest_automation_report.spool import folder as spool_removal
from pytest_automation_report.spool.folder import SessionFolder, is_session_name, new_session_name, remove_session
from pytest_automation_report.spool.sessions import (
    LeftoverCounts,
    discard_session,
    expire_old_sessions,
    remove_abandoned,
)

NAME = "20260102T030405-00000001"
NOBODY = 65534
Meanwhile: TypeAlias = Callable[[Callable[[], object]], None]

SESSION_FILES = (
    "session.json", "session.json~77", "main.records", "gw0.records~", "not-run.records", "ledger", "ledger~", "lock",
    "sender.log", "rejected.jsonl", "files/main-1", "files/gw0-2",
)  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Return a session's folder with every file that a session can have, unwritten for 100 days."""
    return made(tmp_path / "spool" / NAME)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of the user's, with files named as ours are."""
    path = tmp_path / "data"
    for name in (*SESSION_FILES, "thesis.txt"):
        written(path / name)
    return path


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("kept")
    return path


def made(path: Path) -> Path:
    for name in SESSION_FILES:
        written(path / name)
    return aged(path)


def aged(path: Path) -> Path:
    """Make a folder, and all that is in it, 100 days old."""
    moment = time.time() - 100 * 86_400
    for each in (*path.rglob("*"), path):
        os.utime(each, (moment, moment), follow_symlinks=False)
    return path


def tree(path: Path) -> dict[str, str | None]:
    return {str(each.relative_to(path)): each.read_text() if each.is_file() else None for each in path.rglob("*")}


@pytest.mark.parametrize("name", [NAME, f".{NAME}", "99991231T235959-ffffffff"])
def test_names_of_sessions(name: str) -> None:
    """A session's folder is known by its exact name, hidden or not; each session gets one of its own."""
    assert is_session_name(name)
    names = {new_session_name() for _ in range(100)}
    assert all(map(is_session_name, names))
    assert len(names) == 100


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "src", ".cache-1", "2026-01-02", f"..{NAME}", f"{NAME}.bak", f"{NAME}\n", f"x{NAME}",
        "20260102T030405-0000000G", "20260102T030405-ABCDEF01", "20260102T030405-0000001", "20260102t030405-00000001",
        "\u0662\u0660260102T030405-00000001",
    ],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    """No other name is taken for a session's, however near it comes."""
    assert not is_session_name(name)


def test_results_are_removed_before_their_ledger(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a session and its sender leave is removed with the folder, in an order that a kill may end at any point.

    No result is left without the ledger of what was sent, nor without its lock.
    """
    removed: list[str] = []
    unlink = os.unlink

    def watched(name: str, **options: int) -> None:
        unlink(name, **options)
        removed.append(name)

    monkeypatch.setattr(os, "unlink", watched)
    assert remove_session(session, is_dry=True) == remove_session(session, is_own=True) == ""
    assert list(session.parent.iterdir()) == []
    assert set(removed[:3]) == {"main.records", "gw0.records~", "not-run.records"}
    assert removed[-4:] == ["session.json", "ledger", "sender.log", "lock"]


def _linked_files(folder: Path, data: Path) -> None:
    shutil.rmtree(folder / "files")
    (folder / "files").symlink_to(data)


PLANTS: list[tuple[Callable[[Path, Path], object], str]] = [
    (lambda folder, _: written(folder / "thesis.txt"), "thesis.txt"),
    (lambda folder, _: written(folder / "src" / "main.py"), "src"),
    (lambda folder, _: written(folder / "files" / "src" / "main.py"), "files/src"),
    (lambda folder, data: (folder / "gw1.records").symlink_to(data / "thesis.txt"), "gw1.records"),
    (_linked_files, "files"),
    (lambda folder, _: getattr(os, "mkfifo", os.mkdir)(folder / "gw1.records"), "gw1.records"),
    (lambda folder, _: written(folder / "files" / "holiday photo.jpg"), "files/holiday photo.jpg"),
]


@pytest.mark.parametrize(("plant", "planted"), PLANTS)
@pytest.mark.parametrize("name", [NAME, f".{NAME}"])
def test_folder_with_anything_else_in_it_stays_whole(
    tmp_path: Path, data: Path, name: str, plant: Callable[[Path, Path], object], planted: str
) -> None:
    """Old or dropped, hidden or not: a folder that holds anything else stays as it is, and is named."""
    folder = made(tmp_path / "spool" / name)
    plant(folder, data)
    aged(folder)
    before, linked = tree(folder), tree(data)
    says = f"it holds {planted}, which no session writes"
    assert remove_session(folder, is_dry=True) == says
    assert discard_session(SessionFolder(folder)).startswith(says)
    found = expire_old_sessions(tmp_path / "spool", SessionFolder(tmp_path / "own"), keep_days=1, now=time.time())
    assert found == LeftoverCounts(kept=int(name == NAME), alone=[f"{name}: {says}"])
    assert (tree(folder), tree(data)) == (before, linked)


@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("part", [".", "main.records", "files", "files/main-1"])
@pytest.mark.parametrize("name", [NAME, f".{NAME}"])
def test_folder_of_another_user_stays_whole(tmp_path: Path, name: str, part: str) -> None:
    """Where a folder, or any file in it, belongs to another user, nothing of it is removed."""
    if sys.platform == "win32":
        pytest.skip("owners of files")
    folder = made(tmp_path / "spool" / name)
    os.chown(folder / part, NOBODY, -1)
    before = tree(folder)
    assert f"belongs to user {NOBODY}" in discard_session(SessionFolder(folder))
    expire_old_sessions(tmp_path / "spool", SessionFolder(tmp_path / "own"), keep_days=1, now=time.time())
    assert tree(folder) == before


@pytest.mark.parametrize("name", [NAME, f".{NAME}"])
def test_link_with_the_name_of_a_session(tmp_path: Path, data: Path, name: str) -> None:
    """A link to the user's data is no session, and nothing is removed through it."""
    link, before = tmp_path / name, tree(data)
    link.symlink_to(data)
    told = [discard_session(SessionFolder(link)), remove_session(link), remove_session(link, is_own=True)]
    assert "" not in told
    assert (tree(data), link.is_symlink()) == (before, True)


@pytest.fixture
def after_the_check(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Return what lets something happen between the check of a folder and its removal."""
    check = spool_removal._foreign_under
    return lambda happens: monkeypatch.setattr(
        spool_removal, "_foreign_under", lambda descriptor: (check(descriptor), happens())[0]
    )


@pytest.mark.parametrize(
    ("part", "says"),
    [("", "it cannot be removed: Not a directory"), ("files", "it holds files, which no session writes")],
)
def test_path_that_becomes_a_link_during_the_removal(
    session: Path, data: Path, after_the_check: Meanwhile, part: str, says: str
) -> None:
    """When the folder, or that of its files, becomes a link to the user's data after the check, the data stays."""
    before = tree(data)

    def replace() -> None:
        (session / part).rename(session.with_name("elsewhere"))
        (session / part).symlink_to(data)

    after_the_check(replace)
    assert remove_session(session) == says
    assert tree(data) == before
    assert (session / part).is_symlink()


def test_file_that_appears_during_the_removal(session: Path, after_the_check: Meanwhile) -> None:
    """What the user puts into the folder after it was checked stays, and it is said that it does."""
    after_the_check(lambda: (written(session / "thesis.txt"), written(session / "files" / "src" / "main.py")))
    assert remove_session(session) == "it holds files/src and thesis.txt, which no session writes"
    assert tree(session) == {"thesis.txt": "kept", "files": None, "files/src": None, "files/src/main.py": "kept"}


def test_delivered_session_goes_without_what_is_not_its_own(session: Path) -> None:
    """Of a session that has arrived all goes but what a test or user has put beside it."""
    written(session / "thesis.txt")
    assert remove_session(session, is_own=True) == "it holds thesis.txt, which no session writes"
    assert tree(session) == {"thesis.txt": "kept"}


def test_hidden_folder_that_is_in_use_stays(tmp_path: Path) -> None:
    """A folder that is being filled stays until nobody has written to it for a day, by any of its files."""
    folder = made(tmp_path / f".{NAME}")
    (folder / "files" / "main-1").touch()
    assert remove_abandoned(tmp_path, now=time.time()) == []
    assert folder.exists()
    aged(folder)
    assert remove_abandoned(tmp_path, now=time.time()) == []
    assert not folder.exists()


def test_many_things_are_counted_and_three_are_named(session: Path) -> None:
    """A folder with many things in it is told with three of their names and the number of the others."""
    for number in range(7):
        written(session / f"photo-{number}.jpg")
    assert (
        remove_session(session, is_dry=True)
        == "it holds photo-0.jpg, photo-1.jpg, photo-2.jpg and 4 more, which no session writes"
    )
