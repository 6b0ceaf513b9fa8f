"""The spool: what a session's processes leave on disk for the sender.

One folder below the spool for each session. In it: ``session.json`` (what the run is and where it goes, never the
token), one ``WORKER.records`` file for each writing process, and what the sender adds (``ledger``, ``lock``,
``sender.log``). Folders have mode 0700, files 0600.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.manifest import SessionManifest, manifest_bytes, manifest_from
from pytest_automation_report.spool.records import FORMAT, Decoder
from pytest_automation_report.spool.removal import is_session_name, remove_session
from pytest_automation_report.spool.writer import COPY, SESSION_FILE, Disk, ManifestFile, SpoolWriter, ignore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_automation_report.spool.records import PositionedRecord

SESSION_ID_FIELD: Final = "Session id"
"""Name of the run's field by which a session's run can be found again."""

RECORDS_SUFFIX: Final = ".records"
CONTROLLER: Final = "controller"
MAIN: Final = "main"
NOT_RUN: Final = "not-run"
"""Name of the file with the tests that were collected, and of the thread of those that were not run."""


_STATE_FOLDER: Final = ".automation-report"
_HIDING: Final = "."
_MOST_SESSION_BYTES: Final = 16 << 20
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""How files of a spool are opened that somebody else may have put there: no link is followed, no pipe waited for."""

_OF_SENDER: Final = frozenset({"ledger", f"ledger{COPY}", "sender.log", "lock"})
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def is_lock_taken(descriptor: int) -> bool:
    """Lock an open file for this process, and return False if another process holds it.

    Raises `OSError` where the file system has no locks: NFS, for instance, without its lock service.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def without_locks(error: OSError) -> str:
    """Return why nothing can be sent from a spool whose lock failed with this error."""
    return f"the spool's file system has no locks ({error.strerror or error}), without which nothing is sent"


class SessionFolder:
    """One session's folder in the spool."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[SessionManifest, int] | None = None

    @property
    def id(self) -> str:
        """The session's id: its folder's name, once it is whole."""
        return self.path.name.lstrip(_HIDING)

    @property
    def ledger(self) -> Path:
        """The sender's ledger."""
        return self.path / "ledger"

    @property
    def log(self) -> Path:
        """The sender's log: bounded, without the token."""
        return self.path / "sender.log"

    @property
    def rejected(self) -> Path:
        """The results that the server could not take, for people."""
        return self.path / "rejected.jsonl"

    @property
    def has_manifest(self) -> bool:
        """Whether the session was spooled on this host (or on a disk that it shares)."""
        return self._session_path.exists()

    @property
    def is_empty(self) -> bool:
        """Whether nothing of a session is here, only what its sender may have written at its end, or nothing at all."""
        try:
            return _OF_SENDER.issuperset(os.listdir(self.path))  # noqa: PTH208 - as fast as it can be
        except OSError:
            return False  # gone, or another user's: who opens it finds out

    @property
    def began_ns(self) -> int:
        """The moment when the session was spooled, by the disk's clock, in nanoseconds since 1970."""
        return self._session_path.stat().st_mtime_ns

    @property
    def _session_path(self) -> Path:
        """The file to read: a copy when all died before that had its name, the longest since one may be in parts."""
        path = self.path / SESSION_FILE
        if path.exists():
            return path
        return max(self.path.glob(f"{SESSION_FILE}{COPY}*"), key=lambda each: each.lstat().st_size, default=path)

    def records(self, worker: str) -> Path:
        """Return the file that this worker writes."""
        return self.path / (worker + RECORDS_SUFFIX)

    def written(self, worker: str) -> Path:
        """Return the file to read of this worker: a copy when it died before that had its name."""
        path = self.records(worker)
        copy = path.with_name(path.name + COPY)
        return copy if not _is_regular(path) and _is_regular(copy) else path

    @property
    def has_ended(self) -> bool:
        """Whether the session that was spooled here has said that it is over."""
        leading = [each for each in (self.records(CONTROLLER), self.records(MAIN)) if _is_regular(each)]
        return any(placed.record.kind == "end" for path in leading for placed in head_and_tail(path)[1])

    def workers(self) -> list[str]:
        """Return the names of all workers that have a file, in the order of their names; links and pipes are none."""
        try:
            names = [each.name for each in self.path.iterdir() if _is_regular(each)]
        except FileNotFoundError:
            return []  # a test has deleted it: who writes next makes it again
        found = {name.removesuffix(COPY) for name in names if name.endswith((RECORDS_SUFFIX, RECORDS_SUFFIX + COPY))}
        return sorted(name.removesuffix(RECORDS_SUFFIX) for name in found)

    def writer(self, worker: str) -> SpoolWriter:
        """Return a writer of this worker's records, which makes the session again where a test deletes it."""
        if self._known is None and self.has_manifest:
            self.read_session()
        return SpoolWriter(self.records(worker), None if self._known is None else self._session_file(*self._known))

    def write_session(self, session: SessionManifest) -> None:
        """Write ``session.json``."""
        descriptor = os.open(self.path / SESSION_FILE, _NEW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(manifest_bytes(session))
        self._known = session, self.began_ns

    def bind(self, session: SessionManifest) -> None:
        """Replace ``session.json``, whole or not at all; its age stays. The caller holds the folder's lock.

        Raises `SpoolError` if it cannot be written.
        """
        path = self._session_path
        copy = self.path / f"{SESSION_FILE}{COPY}{os.getpid()}"
        began_ns = self.began_ns
        try:
            copy.unlink(missing_ok=True)  # of a process with the same id that was killed here
            with os.fdopen(os.open(copy, _NEW, 0o600), "wb") as file:
                file.write(manifest_bytes(session))
                file.flush()
                os.fsync(file.fileno())
            os.utime(copy, ns=(began_ns, began_ns))
            copy.rename(self.path / SESSION_FILE)
        except OSError as error:
            raise SpoolError(f"{path}: cannot be written: {error.strerror or error}") from error
        self._known = session, began_ns

    def restore(self, session: SessionManifest) -> None:
        """Make the folder and ``session.json`` again when a test has deleted them; the age stays where it is known.

        Raises OSError where that cannot be done.
        """
        self.file_of(session).restore(Disk())

    def file_of(self, session: SessionManifest) -> ManifestFile:
        """Return what the folder is made again with: what was written or read here, else what the session says."""
        return self._session_file(*(self._known or (session, 0)))

    def _session_file(self, session: SessionManifest, written_ns: int) -> ManifestFile:
        ignored = tuple(map(os.fspath, _ignored_with(self.path.parent)))
        data = manifest_bytes(replace(session, is_remade=True))
        return ManifestFile(os.fspath(self.path / SESSION_FILE), data, written_ns, ignored)

    def read_session(self) -> SessionManifest:
        """Return what ``session.json`` says; raises `SpoolError` when it cannot be read or is of a newer format."""
        path = self.path / SESSION_FILE
        try:
            path = self._session_path
            document = json.loads(_bytes_of(path).decode("ascii"))
            found = document["format"]
            if found != FORMAT:
                raise SpoolError(f"{path}: written by another version (format {found}, this version reads {FORMAT})")
            session = manifest_from(document)
            self._known = session, self.began_ns
        except FileNotFoundError as error:
            raise SpoolError(f"{self.path}: no session was spooled here (no {SESSION_FILE})") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SpoolError(f"{path}: cannot be read: {error!r}") from error
        return session

    def check_owner(self) -> None:
        """Raise `SpoolError` when somebody else may have made what is in the folder: who sends it answers for it."""
        found = self.path.stat()
        if found.st_uid != os.geteuid():
            raise SpoolError(f"it belongs to user {found.st_uid}: send it as that user, or chown it once you know it")
        if found.st_mode & _OTHERS_WRITE:
            raise SpoolError(f"others can write to {self.path}: chmod it to 0700 once you know what it holds")
        for each in sorted(self.path.iterdir()):
            if not _is_regular(each) and not stat.S_ISDIR(each.lstat().st_mode):
                raise SpoolError(f"{each} is a link or a pipe, which no session makes: remove it")

    def locked(self) -> int | None:
        """Return a descriptor that holds the folder's lock until it is closed, or ``None`` when another holds it.

        Raises `FileNotFoundError` when the folder is gone, `SpoolError` when there can be no lock in it.
        """
        try:
            descriptor = self._lock_file()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SpoolError(f"{self.path / 'lock'}: cannot be opened: {error.strerror or error}") from error
        try:
            is_ours = is_lock_taken(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise SpoolError(f"{without_locks(error)}: set spool to a folder on a local disk") from error
        if not is_ours:
            os.close(descriptor)
            return None
        if not os.fstat(descriptor).st_nlink:  # its holder has removed the folder meanwhile: this lock keeps nobody out
            os.close(descriptor)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(self.path))
        return descriptor

    def _lock_file(self) -> int:
        """Open the lock in the folder itself: in what a link leads to nothing is created."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        finally:
            os.close(folder)

    def publish(self) -> SessionFolder:
        """Return the folder by the name under which it can be sent: all that belongs into it is there."""
        path = self.path.with_name(self.id)
        self.path.rename(path)
        made = SessionFolder(path)
        made._known = self._known
        return made

    def remove(self) -> str:
        """Remove the session with its folder; return why that is still there, "" if it is gone.

        For the process that knows the session as its own: what else somebody has put into the folder stays.
        """
        return remove_session(self.path, is_checked=False)


def new_session_folder(spool: Path, moment: str, *, is_hidden: bool = False) -> SessionFolder:
    """Make a new session's folder; raises `SpoolError` when it cannot be made.

    ``moment`` begins its name, so that names sort by age. What is hidden is sent by nobody until it is shown.
    """
    if spool.parent.name == _STATE_FOLDER and spool.parent.is_symlink():
        # A foreign repository can bring it along, to have results written somewhere else.
        raise SpoolError(
            f"{spool.parent} is a link: remove it, or name the folder of the spool with automation_report_spool"
        )
    try:
        for each in _ignored_with(spool):
            ignored_folder(each)
        path = spool / f"{_HIDING if is_hidden else ''}{moment}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
    except OSError as error:
        raise SpoolError(f"the spool folder {spool} cannot be used: {error.strerror or error}") from error
    return SessionFolder(path)


def _ignored_with(spool: Path) -> tuple[Path, ...]:
    """Return the folders that git is to ignore when this spool has to be made: itself, and the one around it."""
    return (spool.parent, spool) if spool.parent.name == _STATE_FOLDER else (spool,)


def ignored_folder(path: Path) -> None:
    """Make a private folder that git ignores, with its parents; does nothing when it is there."""
    ignore(Disk(), os.fspath(path))


def session_folders(spool: Path) -> list[SessionFolder]:
    """Return the spool's sessions, oldest first; a spool that does not exist has none.

    A spool may be any folder: those whose names have another form are not sessions, nor are those in which nothing is
    left to send. Raises `SpoolError` for one that
    is no folder, or that cannot be read.
    """
    try:
        return [each for each in _shown_folders(spool) if not each.is_empty]
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise SpoolError(f"the spool {spool} is no folder: name the folder of a spool with --spool") from error
    except OSError as error:
        raise SpoolError(f"the spool {spool} cannot be read: {error.strerror or error}") from error


def empty_folders(spool: Path) -> list[SessionFolder]:
    """Return the folders that have a session's name and nothing of a session in them."""
    try:
        return [each for each in _shown_folders(spool) if each.is_empty]
    except OSError:
        return []  # shown by `session_folders`, which is asked for the same spool


def hidden_folders(spool: Path) -> list[SessionFolder]:
    """Return the folders that are still being filled, or were when their process was killed."""
    try:
        return [each for each in _folders(spool) if each.path.name.startswith(_HIDING)]
    except OSError:
        return []  # shown by `session_folders`, which is asked for the same spool


def _shown_folders(spool: Path) -> list[SessionFolder]:
    return [each for each in _folders(spool) if not each.path.name.startswith(_HIDING)]


def _folders(spool: Path) -> list[SessionFolder]:
    found = sorted(each for each in spool.iterdir() if is_session_name(each.name))
    return [SessionFolder(each) for each in found if each.is_dir() and not each.is_symlink()]


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _bytes_of(path: Path) -> bytes:
    """Return a small file of a session; raises `SpoolError` for what is no file, or has no end."""
    descriptor = os.open(path, READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SpoolError(f"{path}: cannot be read: it is no file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_MOST_SESSION_BYTES + 1)
    if len(data) > _MOST_SESSION_BYTES:
        raise SpoolError(f"{path}: cannot be read: it has more than {_MOST_SESSION_BYTES:,} bytes")
    return data


def bytes_from(path: Path, offset: int, *, piece_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Yield what the file holds from this offset on, in pieces."""
    with path.open("rb") as file:
        if offset:  # a pipe has no other place than its beginning
            file.seek(offset)
        while piece := file.read(piece_bytes):
            yield piece


def head_and_tail(path: Path, *, piece_bytes: int = 1 << 16) -> tuple[list[PositionedRecord], list[PositionedRecord]]:
    """Return the records at the beginning and at the end of a file, without reading what is between."""
    with path.open("rb") as file:
        first = Decoder().feed(file.read(piece_bytes))
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - piece_bytes))
        last = Decoder().feed(file.read(piece_bytes))
    return first, last
