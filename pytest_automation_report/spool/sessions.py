"""The sessions of a spool: follow their records, write their ledgers, remove those that are done or too old."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import (
    Lock,
    SessionFolder,
    bytes_from,
    check_place,
    is_regular,
    is_session_name,
    remove_session,
)
from pytest_automation_report.spool.ledger import LEDGER_KINDS, LedgerState, StoredRecord, UnstoredRecord
from pytest_automation_report.spool.records import (
    Decoder,
    DoneRecord,
    ErrorRecord,
    FindingsRecord,
    ReadyRecord,
    ReportRecord,
)
from pytest_automation_report.spool.writer import APPEND_FLAGS, is_moved, restored
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import Disk, find_other_writers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_automation_report.spool.records import Record

_LOCK_PAUSE_SECONDS: Final = 0.05


def without_locks(error: OSError) -> str:
    """Return the message for a spool whose lock failed with this error."""
    return f"the spool's file system has no locks ({error.strerror or error}), without which nothing is sent"


def session_folders(spool: Path) -> list[SessionFolder]:
    """Return the spool's sessions, oldest first, without those that have nothing left to send.

    A user may name any folder as the spool: folders with other names are not sessions. Raises `SpoolError` if the spool
    is not a folder, is a planted link, or cannot be read; one that does not exist is empty.
    """
    try:
        check_place(spool)
        return [folder for folder in folders_in(spool, is_hidden=False) if not folder.is_empty]
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise SpoolError(f"the spool {spool} is not a folder: name the folder of a spool with --spool") from error
    except OSError as error:
        raise SpoolError(f"the spool {spool} cannot be read: {error.strerror or error}") from error


def folders_in(spool: Path, *, is_hidden: bool) -> list[SessionFolder]:
    """Return the folders with a session's name, oldest first; hidden ones were not published. Raises `OSError`."""
    named = [path for path in sorted(system.reachable(spool).iterdir()) if is_session_name(path.name)]
    paths = [path for path in named if path.name.startswith(".") is is_hidden and path.is_dir()]
    return [SessionFolder(path) for path in paths if not path.is_symlink()]


def others_in(spool: Path) -> list[str]:
    """Return the names in a spool that are not of sessions, sorted; raises `OSError` if it cannot be read."""
    with os.scandir(spool) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not (is_session_name(entry.name) and entry.is_dir(follow_symlinks=False)) and entry.name != ".gitignore"
        )


def check_owner(folder: SessionFolder) -> None:
    """Raise `SpoolError` if another user may have written the session: this user's token would send it."""
    if reason := find_other_writers(folder.path):
        raise SpoolError(reason)
    for path in sorted(folder.path.iterdir()):
        if not is_regular(path) and not stat.S_ISDIR(path.lstat().st_mode):
            raise SpoolError(f"{path} is a link or a pipe, which no session makes: remove it")


def locked(folder: SessionFolder, seconds: float = 0.0) -> Lock | None:
    """Lock the folder; return the lock, None if another process has it for longer than this time.

    Raises `FileNotFoundError` if the folder is gone, `SpoolError` if it cannot be locked.
    """
    end = time.monotonic() + seconds
    while (lock := _lock_now(folder)) is None and time.monotonic() < end:
        time.sleep(_LOCK_PAUSE_SECONDS)
    folder.lock = lock or folder.lock
    return lock


def _lock_now(folder: SessionFolder) -> Lock | None:
    try:
        # In the open folder: if the path is a link, nothing is created behind it.
        with system.Folder(folder.path) as inside:
            descriptor = inside.open("lock", os.O_RDWR | os.O_CREAT | system.OWN_FILE)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SpoolError(f"{folder.path / 'lock'}: cannot be opened: {error.strerror or error}") from error
    try:
        is_ours = system.is_lock_taken(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise SpoolError(f"{without_locks(error)}: set spool to a folder on a local disk") from error
    if not is_ours:
        os.close(descriptor)
        return None
    if not os.fstat(descriptor).st_nlink:  # the former holder has removed the folder: this lock excludes no process
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(folder.path))
    return Lock(descriptor)


SessionState: TypeAlias = Literal["kept", "running", "sending", "unreadable"]
"""State of a session: no process works on it, its pytest runs, a sender holds its lock, its manifest is unreadable."""

DAY_SECONDS: Final = 24 * 3600
# The state of each session is looked up while pytest ends: of more sessions, the newer ones are left to later sessions.
_MAX_SESSIONS_LOOKED_AT: Final = 200


def session_state(folder: SessionFolder) -> SessionState:
    """Return the state of a session."""
    if _is_locked(folder):
        return "sending"
    try:
        session = folder.read_session()
    except SpoolError:
        return "unreadable"
    return "running" if session.is_pytest_alive and not folder.has_ended else "kept"


def _is_locked(folder: SessionFolder) -> bool:
    """Whether a sender holds a session's lock; creates no lock file."""
    try:
        descriptor = os.open(folder.path / "lock", os.O_RDWR | system.OWN_FILE)
    except OSError:
        return False
    try:
        return not system.is_lock_taken(descriptor)
    except OSError:
        return False  # without locks no sender can hold it; `locked` raises the error for those that want to
    finally:
        os.close(descriptor)


def session_files(folder: SessionFolder) -> list[Path]:
    """Return the files of a session."""
    return [path for path in folder.path.iterdir() if path.is_file() and not path.is_symlink()]


def session_age(folder: SessionFolder, now: float) -> float:
    """Return the seconds since the last write to a session; ``now`` is in seconds since 1970."""
    written = (file.stat().st_mtime for file in session_files(folder))
    return max(0.0, now - max(written, default=folder.path.stat().st_mtime))


def discard_session(folder: SessionFolder) -> str:
    """Remove a session that no process works on; return the reason if it stays, "" if it is gone."""
    if why := remove_session(folder.path, is_dry=True):
        return why
    with suppress(SpoolError):
        # Also after the session's end: it reads its own files for the summary, and removes them itself.
        if folder.read_session().is_pytest_alive:
            return "its pytest is still running"
    try:
        lock = locked(folder)
    except FileNotFoundError:
        return ""  # another process has removed it meanwhile
    except SpoolError as error:
        return str(error)
    if lock is None:
        return "a sender is at work on it"
    try:
        return remove_session(folder.path, lock)
    finally:
        lock.close()


def delivered_state(folder: SessionFolder) -> LedgerState | None:
    """Return the ledger's state of a session that is delivered as a whole, with no record after it, else None."""
    try:
        state = ledger_from(folder.ledger)
        # A process that outlived the sender may have written a result since: that one was not sent.
        done_ns = folder.ledger.stat().st_mtime_ns
        is_last = all(folder.written(worker).stat().st_mtime_ns <= done_ns for worker in folder.workers())
    except (OSError, SpoolError):
        return None
    is_delivered = state.is_done and state.done.complete and not (state.has_kept or state.done.left)
    return state if is_delivered and is_last else None


class LeftoverCounts(Struct):
    """Numbers of earlier sessions that stay in the spool, and of sessions that were removed because of their age.

    ``elsewhere`` counts kept sessions that are for another server, project or store than this session. ``alone``
    names old folders that stay because they hold something else, too. ``reports`` has the path of each HTML report
    that a sender could not write after its pytest had ended, and why.
    """

    kept: int = 0
    elsewhere: int = 0
    removed: int = 0
    alone: list[str] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)


def expire_old_sessions(spool: Path, own: SessionFolder, *, keep_days: int, now: float) -> LeftoverCounts:
    """Count earlier sessions, and remove delivered ones and ones older than ``keep_days``; 0 days are for ever.

    ``now`` is in seconds since 1970.
    """
    found = LeftoverCounts(alone=remove_abandoned(spool, now=now))
    others = [folder for folder in session_folders(spool) if folder.id != own.id]
    for folder in others[:_MAX_SESSIONS_LOOKED_AT]:
        try:
            is_old = 0 < keep_days * DAY_SECONDS < session_age(folder, now)
            if is_old and (why := remove_session(folder.path, is_dry=True)):
                found.alone.append(f"{folder.path.name}: {why}")
            if not (folder.has_manifest or folder.workers()) or session_state(folder) in {"running", "sending"}:
                continue
            delivered = delivered_state(folder)
            if delivered is not None:
                # Its pytest was killed before it could remove it, or its report failed after pytest had ended.
                report = None if discard_session(folder) else delivered.report
                if report is not None and (why := delivered.lost_report):
                    found.reports.append((report.file, why))
                continue
            if is_old and not discard_session(folder):
                found.removed += 1
                continue
            found.kept += 1
            found.elsewhere += _destination(folder) not in ("", _destination(own))
        except FileNotFoundError:
            continue  # another session has removed it meanwhile
        except PermissionError:
            found.kept += 1  # another user's
    return found


def _destination(folder: SessionFolder) -> str:
    """Return what names the server and project, or the store, that a session is for; "" if that is not known."""
    try:
        session = folder.read_session()
    except SpoolError:
        return ""
    place = session.database if session.is_embedded else session.origin
    return f"{place} {session.project_id}" if session.has_destination else ""


def remove_abandoned(spool: Path, *, now: float, is_dry: bool = False) -> list[str]:
    """Remove folders whose removal was cut short, and those of this user whose process died before it published them.

    A folder that is not published stays for a day: it may still be filled. Returns those that are left alone since they
    hold something else, each with the reason; ``is_dry`` removes nothing.
    """
    alone, expiry = [], now - DAY_SECONDS
    with suppress(OSError):  # `session_folders` reports a spool that cannot be read
        for folder in () if is_dry else folders_in(spool, is_hidden=False):
            if folder.is_empty and not _is_locked(folder):
                remove_session(folder.path)
        for path in [folder.path for folder in folders_in(spool, is_hidden=True)]:
            with suppress(FileNotFoundError):  # published meanwhile
                if not system.is_own(path.lstat()):
                    continue
                why = remove_session(path, is_dry=is_dry, unwritten_since=expiry)
                alone += [f"{path.name}: {why}"] if why else []
    return alone


# A power cut may cost these kinds: no decision about a result depends on them, and a sync takes 1.4 ms (p99 15 ms).
_NOT_SYNCED: Final = (
    ReadyRecord, ErrorRecord, FindingsRecord, ReportRecord, DoneRecord, StoredRecord, UnstoredRecord,
)  # fmt: skip


def ledger_from(path: Path, *, is_strict: bool = True) -> LedgerState:
    """Return the state of a ledger, which may be missing; raises `SpoolError` for another file, or a bad record.

    If not ``is_strict`` a bad record is passed over: that is for what is shown, not for what is sent.
    """
    state, decoder = LedgerState(), Decoder(LEDGER_KINDS, is_strict=is_strict)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise SpoolError(f"{path}: cannot be used: it is not a file")  # opening a pipe would wait for its writer
    try:
        for piece in bytes_from(path, 0):
            for placed in decoder.feed(piece):
                state.apply(placed.record)
    except FileNotFoundError:
        return state
    except ValueError as error:
        then = f"look at the run, then use automation-report spool drop {path.parent.name}"
        raise SpoolError(f"{path}: a record cannot be used: {error}; it is unknown what arrived: {then}") from error
    return state


class LedgerFile:
    """Writes the ledger and keeps its state; owned by the sender that holds the session's lock.

    A ledger that a test deletes is created again with its content, after a call of ``on_deleted``. All methods raise
    `SpoolError` for errors of the disk: no POST goes out without its intent on it.
    """

    def __init__(self, path: Path, on_deleted: Callable[[], None] = lambda: None) -> None:
        self.state = ledger_from(path)
        self.folder = path.parent
        self._path = path
        self._on_deleted = on_deleted
        try:
            self._descriptor = os.open(path, APPEND_FLAGS, 0o600)
        except OSError as error:
            raise SpoolError(f"the ledger {path} cannot be written: {error.strerror or error}") from error
        self._is_torn = path.stat().st_size > 0  # the last record may be torn: a newline before the next one

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def write(self, record: Record) -> None:
        """Append one record and apply it."""
        framed = record.framed()
        line = b"\n" + framed if self._is_torn else framed
        path, disk = os.fspath(self._path), Disk()
        try:
            status = os.fstat(self._descriptor)
            if not status.st_nlink or is_moved(disk, path, status):  # by a test
                self._on_deleted()
                self._descriptor = restored(disk, self._descriptor, path)
            written = os.write(self._descriptor, line)
            self._is_torn = written != len(line)
            if not (self._is_torn or isinstance(record, _NOT_SYNCED)):
                system.sync(self._descriptor)
        except OSError as error:
            raise SpoolError(f"the ledger {path} cannot be written: {error.strerror or error}") from error
        if self._is_torn:
            raise SpoolError(f"the ledger {path} cannot be written: only {written} of {len(line)} bytes were taken")
        # Decoded from its own bytes, so that a later sender reads the same state from the file.
        for placed in Decoder(LEDGER_KINDS, is_strict=True).feed(framed):
            self.state.apply(placed.record)
