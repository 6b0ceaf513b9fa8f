"""What is read of a spool that others write, or that is not there."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import NewRun
from pytest_automation_report.delivery.dispatcher import session_options
from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import SessionFolder, SessionManifest, head_and_tail, new_session_folder
from pytest_automation_report.spool.log import LAST_WORDS, LOG_BYTES, Log
from pytest_automation_report.spool.reader import SpoolReader
from pytest_automation_report.spool.records import Attempt
from pytest_automation_report.spool.sessions import LedgerFile, check_owner, folders_in, locked, session_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer
from pytest_automation_report.text.files import Disk
from support.records import finish_line, line

DESCRIPTORS = Path("/dev/fd")
SESSION = SessionManifest("20260102T030405-00000001", "http://127.0.0.1:1", 1, "", NewRun("n", "s"), None, {}, 1)


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    made = new_session_folder(tmp_path / ".automation-report" / "spool", "20260102T030405-00000000").publish()
    made.write_session(SESSION)
    return made


@pytest.mark.parametrize(("worker", "has_ended"), [("main", True), ("controller", True), ("gw0", False)])
def test_end_of_a_session(folder: SessionFolder, worker: str, has_ended: bool) -> None:  # noqa: FBT001 - a parameter
    """A session has ended when its leading process has written so at the end of its file, however long that is."""
    assert not folder.has_ended
    folder.records(worker).write_bytes(line("open", pid=1) * 20_000)
    assert not folder.has_ended
    with folder.records(worker).open("ab") as file:
        file.write(line("end", reason="done"))
    assert folder.has_ended is has_ended


def test_sessions_are_told_oldest_first_without_hidden_and_linked_ones(tmp_path: Path) -> None:
    """A spool's sessions are its folders, but for those that are being filled, for links and for empty ones."""
    spool = tmp_path / "spool"
    assert session_folders(spool) == []
    late, early = (
        new_session_folder(spool, moment).publish()
        for moment in ("20270101T000000-00000000", "20260101T000000-00000000")
    )
    hidden = new_session_folder(spool, "20250101T000000-00000000")
    for each in (late, early, hidden):
        each.write_session(SESSION)
    (spool / "20240101T000000-00000001").symlink_to(early.path)
    (spool / "20240101T000000-00000002").touch()
    (spool / "20240101T000000-00000003").mkdir()
    assert [each.path for each in session_folders(spool)] == [early.path, late.path]
    assert [each.path for each in folders_in(spool, is_hidden=True)] == [hidden.path]
    assert [each.path.name[:4] for each in (hidden, early)] == [".202", "2026"]
    shown = hidden.publish()
    assert [each.path for each in session_folders(spool)] == [shown.path, early.path, late.path]
    shutil.rmtree(shown.path)
    assert not shown.path.exists()


def test_records_that_were_deleted_are_restored_with_their_session(folder: SessionFolder) -> None:
    """Any process that writes makes what a test has deleted a session again, as old as it was and hidden from git."""
    os.utime(folder.path / "session.json", ns=(5, 5))
    for made, worker in ((SessionFolder(folder.path), "gw0"), (SessionFolder(folder.path), "gw1")):
        writer = made.writer(worker)
        writer.write(line("open", pid=1))
        shutil.rmtree(folder.path.parent.parent)
        writer.write(line("open", pid=2))
        assert sorted(each.name for each in folder.path.iterdir()) == [f"{worker}.records", "session.json"]
        assert made.read_session() == SESSION
        assert made.began_ns == 5
        assert (folder.path.parent.parent / ".gitignore").read_text() == "*\n"
        assert (folder.path.parent / ".gitignore").read_text() == "*\n"
        assert len(head_and_tail(folder.records(worker))[0]) == 2
        os.close(writer._descriptor)
        shutil.rmtree(folder.path.parent)
        writer.write(line("open", pid=3))
        assert made.read_session() == SESSION
        assert len(head_and_tail(folder.records(worker))[0]) == 1


def test_copy_of_a_session_is_read(folder: SessionFolder) -> None:
    """When all died before the copy had its name it is the session, the whole one of several; the name comes first."""
    path = folder.path / "session.json"
    whole = path.rename(path.with_name("session.json~12"))
    whole.with_name("session.json~13").write_bytes(whole.read_bytes()[:10])
    assert folder.has_manifest
    assert folder.read_session() == SESSION
    assert folder.began_ns == whole.stat().st_mtime_ns
    whole.unlink()
    with pytest.raises(SpoolError, match=r"session\.json~13: cannot be read"):
        folder.read_session()
    path.write_text("")
    with pytest.raises(SpoolError, match=r"session\.json: cannot be read"):
        folder.read_session()


def test_copy_that_the_disk_does_not_take_is_none(folder: SessionFolder) -> None:
    """A session that is made again is whole, or not there under its name; what a process of the same id left goes."""
    file, path = folder.restorable(SESSION), folder.path / "session.json"
    left = path.rename(path.with_name(f"session.json~{os.getpid()}"))
    left.write_bytes(b"x" * 10_000)
    disk = Disk()
    free = [b"x" * 7]

    def write(descriptor: int, data: Buffer) -> int:
        if not free:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, bytes(data)[: len(free.pop())])

    disk.write = write
    with pytest.raises(OSError, match="No space left"):
        file.restore(disk)
    assert not path.exists()
    file.restore(Disk())
    assert folder.read_session() == SESSION
    assert not left.exists()


def test_session_that_is_there_is_not_written_again(folder: SessionFolder) -> None:
    """What another process has made again is left as it is."""
    path = folder.path / "session.json"
    path.write_text("of another process")
    folder.restore(SESSION)
    assert path.read_text() == "of another process"
    made = SessionFolder(folder.path)
    path.unlink()
    path.symlink_to(
        folder.path / "nowhere"
    )  # as if it were made at the same moment: it is not there, and cannot be made
    made.restore(SESSION)
    assert path.is_symlink()


def test_lock_is_held_by_one(folder: SessionFolder, tmp_path: Path) -> None:
    """One holds a session's lock until its descriptor is closed; the others hold none and leave no descriptor open.

    Where there can be no lock the error names it and says why.
    """
    held = locked(folder)
    assert held is not None
    before = len(list(DESCRIPTORS.iterdir()))
    assert locked(folder) is None
    assert len(list(DESCRIPTORS.iterdir())) == before
    held.close()
    again = locked(folder)
    assert again is not None
    again.close()
    with pytest.raises(FileNotFoundError):
        locked(SessionFolder(tmp_path / "gone"))
    (folder.path / "lock").unlink()
    (folder.path / "lock").mkdir()
    with pytest.raises(SpoolError, match="lock: cannot be opened: Is a directory"):
        locked(folder)


def test_spool_that_is_none(tmp_path: Path) -> None:
    """A spool that is a file is told with the hint; a folder that cannot be made is told with the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="is not a folder: name the folder of a spool with --spool"):
        session_folders(tmp_path / "file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SpoolError, match="cannot be read: Too many levels of symbolic links"):
        session_folders(tmp_path / "loop")
    with pytest.raises(SpoolError, match=r"cannot be used: (Not a directory|File exists)$"):
        new_session_folder(tmp_path / "file", "20260102T030405-00000000")


def test_session_without_an_end(folder: SessionFolder) -> None:
    """A session's file of more than 16 MiB is not read, one of a folder or without a project is refused."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    path = folder.path / "session.json"
    whole = path.read_text()
    path.write_text(whole + " " * ((16 << 20) - len(whole)))
    assert folder.read_session() == SESSION
    with path.open("a") as file:
        file.write(" ")
    with pytest.raises(SpoolError, match="it has more than 16,777,216 bytes"):
        folder.read_session()
    path.write_text(whole.replace('"project_id"', '"project"'))
    with pytest.raises(SpoolError, match=r"session\.json: cannot be read: Object missing required field `project_id`"):
        folder.read_session()
    path.unlink()
    os.mkfifo(path)
    before = len(list(DESCRIPTORS.iterdir()))
    with pytest.raises(SpoolError, match="cannot be read: it is not a file"):
        folder.read_session()
    assert len(list(DESCRIPTORS.iterdir())) == before


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770, 0o702])
def test_folder_that_others_can_write(folder: SessionFolder, mode: int) -> None:
    """A session that others can read may be sent; one that they can write may be anybody's."""
    folder.path.chmod(mode)
    with nullcontext() if mode in {0o700, 0o755} else pytest.raises(SpoolError, match="chmod it to go-w"):
        check_owner(folder)


@pytest.mark.parametrize("name", ["session.json", "gw0.records", "ledger", "lock", "rejected.jsonl", "sender.log"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_planted_files(folder: SessionFolder, tmp_path: Path, name: str, kind: str) -> None:
    """Nothing is read through a link or from a pipe: the session is refused, and no reader waits for ever."""
    if sys.platform == "win32":
        pytest.skip("named pipes")
    folder.records("main").write_bytes(line("end", reason="", t=1))
    (tmp_path / "elsewhere").write_bytes(line("end", reason="", t=1))
    place = folder.path / name
    place.unlink(missing_ok=True)
    if kind == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(place)
    with pytest.raises(SpoolError, match=f"{name} is a link or a pipe"):
        check_owner(folder)
    assert folder.workers() == ["main"]
    assert folder.has_ended
    if name == "session.json":
        with pytest.raises(SpoolError, match=r"session\.json: cannot be read"):
            folder.read_session()
    if name == "ledger":
        with pytest.raises(SpoolError, match="it is not a file"):
            LedgerFile(place)
    if (name, kind) == ("lock", "link"):
        with pytest.raises(SpoolError, match="lock: cannot be opened"):
            locked(folder)


def test_log_that_is_full_takes_last_words(tmp_path: Path) -> None:
    """A log stops to grow, as while a server is down for days, but has the error that ended the sender."""
    log = Log(tmp_path / "sender.log")
    for _ in range(600):
        log.write("no route" * 60)
    size = (tmp_path / "sender.log").stat().st_size
    log.write(f"{LAST_WORDS}no room")
    assert LOG_BYTES <= size < LOG_BYTES + 600
    assert log.tail(1)[0].endswith(" the sender died: no room")


def test_session_without_usable_recording_options() -> None:
    """A sender refuses a session whose recording options it cannot use, and the error names the session."""
    with pytest.raises(SpoolError, match="recording options cannot be read"):
        session_options(replace(SESSION, options={"prefix": "a", "statuses": 5}))


def test_news_are_what_cannot_wait(folder: SessionFolder) -> None:
    """The session's end, a new file, much at once and a deleted folder are read at once; a few results can wait."""
    files = SpoolReader(folder)
    writer, passed = folder.writer("main"), finish_line(1, 2, "a.py::b", "a.py", 1, Attempt("passed", 1, 0, 0), began=1)

    def is_told_once() -> bool:
        is_news, is_told_again = files.has_news(), files.has_news()
        list(files.added())
        return is_news and not is_told_again

    writer.write(passed)
    assert is_told_once()
    writer.write(passed)
    assert not files.has_news()
    folder.records("gw0").touch()
    assert is_told_once()
    for _ in range((128 << 10) // len(passed) + 1):
        writer.write(passed)
    assert files.has_news()
    list(files.added())
    writer.write(line("end", t=1, exit=2, reason="\ue000" * 750))
    assert files.has_news()
    list(files.added())
    assert not files.has_news()
    shutil.rmtree(folder.path)
    assert files.has_news()


@pytest.mark.parametrize("make", [getattr(os, "mkfifo", os.mkdir), os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_news_of_what_is_no_file(folder: SessionFolder, make: Callable[[Path], None]) -> None:
    """What a test has put where records were is neither waited for nor kept open, and stops nothing."""
    files, writer = SpoolReader(folder), folder.writer("main")
    writer.write(line("open", pid=1))
    list(files.added())
    files.has_news()
    folder.records("main").unlink()
    make(folder.records("main"))
    before = len(list(DESCRIPTORS.iterdir()))
    assert files.has_news()
    assert len(list(DESCRIPTORS.iterdir())) == before
    assert list(files.added()) == []
