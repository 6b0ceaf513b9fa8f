"""One process's file in the spool, whatever a test does to it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_automation_report.api.models import NewRun
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import SessionManifest, new_session_folder, session_folders
from pytest_automation_report.spool.writer import SpoolWriter, WriteLosses
from support.records import line, members_in


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    (tmp_path / "folder").mkdir(mode=0o700)
    made = SpoolWriter(tmp_path / "folder" / "main.records")
    yield made
    made.close()


def _numbers(path: Path) -> list[int]:
    return [each["n"] for each in members_in(path.read_bytes())]


def _path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "main.records"


def test_folders_are_private_and_git_ignores_them(tmp_path: Path) -> None:
    """The default spool's folders have mode 0700, its files 0600, and git sees none of them unless told to."""
    spool = tmp_path / ".automation-report" / "spool"
    folder = new_session_folder(spool, "20260101T000000-00000000")
    folder.write_session(SessionManifest("id", "http://127.0.0.1:1", 1, "", NewRun("n", "s"), None, {}, 1))
    SpoolWriter(folder.records("main")).close()
    for path in (folder.path, spool, spool.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in folder.path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ignored = spool.parent / ".gitignore"
    assert ignored.read_text() == "*\n"
    ignored.write_text("mine")
    new_session_folder(spool, "20260101T000000-00000001")
    assert ignored.read_text() == "mine"


def test_short_write_that_cannot_be_taken_back_damages_one_record(writer: SpoolWriter, tmp_path: Path) -> None:
    """Where a part of a record stays, the next record begins on a line of its own and none is lost."""
    working, shorten = writer._disk.write, writer._disk.ftruncate

    def refuse(*_: Any) -> None:  # noqa: ANN401 - stands for os.ftruncate
        raise OSError(5, "Input/output error")

    writer._disk.write = lambda descriptor, data: working(descriptor, bytes(data)[:9])
    writer._disk.ftruncate = refuse
    writer.write(line("x", n=1))
    writer._disk.ftruncate = shorten
    writer.write(line("x", n=2))
    writer._disk.write = working
    writer.write(line("x", n=3))
    assert _numbers(_path(tmp_path)) == [1, 2, 3]


def test_memory_holds_the_last_thousand_records(writer: SpoolWriter) -> None:
    """What waits for the disk does not grow for ever; each result that had to go is counted."""
    writer._disk.write = lambda *_: 0
    for number in range(1500):
        writer.write(line("finish" if number % 3 else "start", n=number))
    assert (writer.waiting, writer.losses.results, writer.losses.records) == (1000, 1000, 333)


def test_texts_are_left_out_while_the_disk_is_nearly_full(writer: SpoolWriter, tmp_path: Path) -> None:
    """The last room of a disk is for outcomes: a record with texts goes without them, a short one as it is."""
    writer._disk.fstatvfs = lambda _: os.statvfs_result((4096, 4096, 1000, 60, 60, 10, 10, 10, 0, 255))
    writer.write(line("finish", n=1, text="x" * 2000), lambda: line("finish", n=2))
    writer.write(line("finish", n=3, text="x" * 200), lambda: line("finish", n=4))
    assert _numbers(_path(tmp_path)) == [2, 3]
    assert writer.losses == WriteLosses(0, 0, 1, f"{_path(tmp_path)}: the disk is nearly full")


def test_planted_link_is_not_followed(tmp_path: Path) -> None:
    """A link in place of a record file is refused, its target stays as it is."""
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "main.records").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        SpoolWriter(tmp_path / "main.records")


@pytest.mark.parametrize("link", [".automation-report", ".automation-report/spool"])
def test_link_in_place_of_the_spool_is_not_followed(tmp_path: Path, link: str) -> None:
    """A repository can bring a link along: nothing is written or sent where it leads, and the error has the remedy."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    spool = tmp_path / ".automation-report" / "spool"
    for use in (lambda: new_session_folder(spool, "20260101T000000-00000000"), lambda: session_folders(spool)):
        with pytest.raises(SpoolError, match=f"{link} is a link: remove it"):
            use()
    assert list((tmp_path / "elsewhere").iterdir()) == []
