"""List the sessions in a spool, and remove those that are delivered, dropped or too old, and nothing else.

A user may name any folder as the spool, as a home or the temporary folder of all users. A folder is removed only if it
has a session's name, is not a link, and holds only files that a session creates, all of this user. Everything is
checked and removed through descriptors, so a path that is replaced by a link meanwhile leads to no other file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import (
    FOLDER,
    RECORDS_SUFFIX,
    folders_in,
    is_lock_taken,
    is_session_name,
    is_spooled_name,
    open_folder,
    process_start_time,
    session_folders,
)
from pytest_automation_report.spool.ledger import LedgerState, ledger_from
from pytest_automation_report.text.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_automation_report.spool.folder import SessionFolder

State: TypeAlias = Literal["kept", "running", "sending", "unreadable"]
"""State of a session: no process works on it, its pytest runs, a sender holds its lock, its manifest is unreadable."""

DAY_SECONDS: Final = 24 * 3600
# The state of each session is looked up while pytest ends: of more sessions, the newer ones are left to later sessions.
_MAX_SESSIONS_LOOKED_AT: Final = 200
# Removed after all others, in this order. A process that dies in between must leave nothing that is sent twice: as long
# as there are records, there is the ledger that shows which of them were sent, and its lock.
_LAST: Final = ("session.json", "ledger", "sender.log", "lock")
# Those of killed processes, too: copies ("~") that were not renamed.
_OTHER_NAMES: Final = frozenset({*_LAST, "ledger~", "rejected.jsonl", "report.html"})
_SHOWN_NAMES: Final = 3


def foreign_in(folder: Path) -> str:
    """Return why a folder is not removed as a session's, "" if a session of this user created all of it."""
    try:
        with _opened(folder) as (_, descriptor):
            return _foreign_under(descriptor)
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def others_in(spool: Path) -> list[str]:
    """Return the names in a spool that are not of sessions, sorted; raises `OSError` if it cannot be read."""
    with os.scandir(spool) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not (is_session_name(entry.name) and entry.is_dir(follow_symlinks=False)) and entry.name != ".gitignore"
        )


def remove_session(folder: Path, *, is_own: bool = False, unwritten_since: float | None = None) -> str:
    """Remove a session's folder; return why it, or a part of it, is still there, "" if it is gone.

    Nothing is removed if anything in it is not a session's or not this user's, or was written after ``unwritten_since``
    (seconds since 1970, no reason). With ``is_own``, for the process that created or delivered the session, the
    session's files are removed and others stay.
    """
    try:
        with _opened(folder) as (spool, descriptor):
            # By the descriptor: meanwhile the folder may have been published, and the path may be another one's.
            statuses = (os.fstat(descriptor), *_contents(descriptor).values())
            if unwritten_since is not None and max(status.st_mtime for status in statuses) > unwritten_since:
                return ""
            if not is_own and (why := _foreign_under(descriptor)):
                return why
            _empty(descriptor)
            # Asked again, since another process may have written a file after the check.
            left = _contents(descriptor)
            if not left:
                os.rmdir(folder.name, dir_fd=spool)
            has_files = any("/" in name for name in left)
            return _reason([name for name in left if not (has_files and name == FOLDER)])
    except FileNotFoundError:
        return ""
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be removed: {error.strerror or error}"


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield descriptors of the spool and of a session's folder; raises `SpoolError` if it is none."""
    if not is_session_name(folder.name):
        raise SpoolError("its name is not that of a session")
    with open_folder(os.path.realpath(folder.parent)) as spool:
        if not stat.S_ISDIR(os.stat(folder.name, dir_fd=spool, follow_symlinks=False).st_mode):
            raise SpoolError("it is a link or a file, not a session's folder")
        with open_folder(folder.name, inside=spool) as descriptor:
            yield spool, descriptor


@contextmanager
def _files_folder(descriptor: int) -> Iterator[int | None]:
    with ExitStack() as stack:
        try:
            files = stack.enter_context(open_folder(FOLDER, inside=descriptor))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:  # a link or a file is no folder
                raise
            yield None
        else:
            yield files


def _contents(descriptor: int) -> dict[str, os.stat_result]:
    """Return the status of everything in an open folder by its name, files of results as ``files/NAME``."""
    found = _statuses(descriptor)
    with _files_folder(descriptor) as files:
        if files is not None:
            found |= {f"{FOLDER}/{name}": status for name, status in _statuses(files).items()}
    return found


def _statuses(descriptor: int) -> dict[str, os.stat_result]:
    found = {}
    for name in os.listdir(descriptor):
        with suppress(FileNotFoundError):  # another process removes the same session
            found[name] = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    return found


def _foreign_under(descriptor: int) -> str:
    """Return why an open folder is not removed: what no session creates in it, or another owner."""
    contents = _contents(descriptor)
    if why := _reason([name for name, status in contents.items() if not _is_ours(name, status)]):
        return why
    if (owner := os.fstat(descriptor).st_uid) != os.geteuid():
        return f"it belongs to user {owner}"
    for name, status in contents.items():
        if status.st_uid != os.geteuid():
            return f"{sanitize(name)} in it belongs to user {status.st_uid}"
    return ""


def _is_ours(name: str, status: os.stat_result) -> bool:
    folder, _, file = name.rpartition("/")
    if name == FOLDER:
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISREG(status.st_mode) and (is_spooled_name(file) if folder else _is_session_file(name))


# Without regular expressions, which each session would compile to remove its folder.
def _is_session_file(name: str) -> bool:
    number = name.removeprefix("session.json~")
    is_copy = number != name and (not number or (number.isascii() and number.isdigit()))
    return name in _OTHER_NAMES or is_copy or _is_records(name)


def _is_records(name: str) -> bool:
    worker = name.removesuffix("~")
    return worker.endswith(RECORDS_SUFFIX) and worker != RECORDS_SUFFIX


def _empty(descriptor: int) -> None:
    """Remove the session's files from an open folder: records first, those of `_LAST` last."""
    names = [name for name, status in _statuses(descriptor).items() if name != FOLDER and _is_ours(name, status)]
    _unlink([name for name in names if _is_records(name)], descriptor)
    with _files_folder(descriptor) as files:
        if files is not None:
            _unlink([name for name in os.listdir(files) if is_spooled_name(name)], files)  # noqa: PTH208 - a descriptor
            with suppress(OSError):  # something else is in it
                os.rmdir(FOLDER, dir_fd=descriptor)
    _unlink([name for name in names if not _is_records(name) and name not in _LAST], descriptor)
    _unlink([name for name in _LAST if name in names], descriptor)


def _unlink(names: Sequence[str], descriptor: int) -> None:
    """Remove the regular files with these names; links and folders stay."""
    for name in names:
        with suppress(FileNotFoundError):  # another process removes the same session
            if stat.S_ISREG(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=descriptor)


def _reason(names: Sequence[str]) -> str:
    return f"it holds {named(sorted(names))}, which no session made" if names else ""


def named(names: Sequence[str]) -> str:
    """Return the first names as a list for people, with the number of those that are left out."""
    shown, more = [sanitize(name) for name in names[:_SHOWN_NAMES]], len(names) - _SHOWN_NAMES
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def state_of(folder: SessionFolder) -> State:
    """Return the state of a session."""
    if _is_locked(folder):
        return "sending"
    try:
        session = folder.read_session()
    except SpoolError:
        return "unreadable"
    is_alive = session.pid_birth != "" and process_start_time(session.pid) == session.pid_birth
    return "running" if is_alive and not folder.has_ended else "kept"


def _is_locked(folder: SessionFolder) -> bool:
    """Whether a sender holds a session's lock; creates no lock file."""
    try:
        descriptor = os.open(folder.path / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not is_lock_taken(descriptor)
    except OSError:
        return False  # without locks no sender can hold it; `locked` raises the error for those that want to
    finally:
        os.close(descriptor)


def _files_of(folder: SessionFolder) -> list[Path]:
    return [path for path in folder.path.iterdir() if path.is_file() and not path.is_symlink()]


def _age_of(folder: SessionFolder, now: float) -> float:
    """Return the seconds since the last write to a session; ``now`` is in seconds since 1970."""
    written = (file.stat().st_mtime for file in _files_of(folder))
    return max(0.0, now - max(written, default=folder.path.stat().st_mtime))


def discard_session(folder: SessionFolder) -> str:
    """Remove a session that no process works on; return the reason if it stays, "" if it is gone."""
    if why := foreign_in(folder.path):
        return why
    state = state_of(folder)
    if state == "running":
        return "its pytest is still running"
    try:
        lock = None if state == "sending" else folder.locked()
    except FileNotFoundError:
        return ""  # another process has removed it meanwhile
    except SpoolError as error:
        return str(error)
    if lock is None:
        return "a sender is at work on it"
    try:
        return remove_session(folder.path)
    finally:
        os.close(lock)


def remove_empty(spool: Path) -> None:
    """Remove the folders of sessions whose removal was cut short."""
    with suppress(OSError):  # `session_folders` reports a spool that cannot be read
        for folder in folders_in(spool, is_hidden=False):
            if folder.is_empty and not _is_locked(folder):
                remove_session(folder.path)


def delivered_state(folder: SessionFolder) -> LedgerState | None:
    """Return the ledger's state of a session that is delivered as a whole, with no record after it, else None."""
    try:
        state = ledger_from(folder.ledger)
        # A process that outlived the sender may have written a result since: that one was not sent.
        done_ns = folder.ledger.stat().st_mtime_ns
        is_last = all(folder.written(worker).stat().st_mtime_ns <= done_ns for worker in folder.workers())
    except (OSError, SpoolError):
        return None
    kept = state.total("rejected") or state.total("held") or state.done.left or state.done.damaged
    return state if state.is_done and state.done.complete and not kept and is_last else None


class LeftoverCounts(Struct, frozen=True):
    """Numbers of earlier sessions that stay in the spool, and of those that were removed because of their age.

    ``alone`` names old folders that stay because they hold something else, too. ``reports`` has the path of each HTML
    report that a sender could not write after its pytest had ended, and why.
    """

    kept: int = 0
    removed: int = 0
    alone: tuple[str, ...] = ()
    reports: tuple[tuple[str, str], ...] = ()


def expire_old_sessions(spool: Path, own: SessionFolder, *, keep_days: int, now: float) -> LeftoverCounts:
    """Count earlier sessions, and remove those delivered or older than ``keep_days``, of which 0 is for ever.

    ``now`` is in seconds since 1970.
    """
    alone = remove_abandoned(spool, now=now)
    remove_empty(spool)
    counts = Counter[str]()
    reports: list[tuple[str, str]] = []
    others = [folder for folder in session_folders(spool) if folder.id != own.id]
    for folder in others[:_MAX_SESSIONS_LOOKED_AT]:
        try:
            is_old = 0 < keep_days * DAY_SECONDS < _age_of(folder, now)
            if is_old and (why := foreign_in(folder.path)):
                alone.append(f"{folder.path.name}: {why}")
            if not (folder.has_manifest or folder.workers()) or state_of(folder) in {"running", "sending"}:
                continue
            delivered = delivered_state(folder)
            if delivered is not None and not discard_session(folder):
                # Its pytest was killed before it could remove it, or its report failed after pytest had ended.
                if delivered.report is not None and (why := delivered.lost_report):
                    reports.append((delivered.report.file, why))
                continue
            counts["removed" if is_old and not discard_session(folder) else "kept"] += 1
        except FileNotFoundError:
            continue  # another session has removed it meanwhile
        except PermissionError:
            counts["kept"] += 1  # another user's
    return LeftoverCounts(counts["kept"], counts["removed"], tuple(alone), tuple(reports))


def remove_abandoned(spool: Path, *, now: float, is_dry: bool = False) -> list[str]:
    """Remove folders of this user whose process was killed before it published them; younger ones may still be filled.

    Returns those that are left alone since they hold something else, each with the reason; ``is_dry`` removes nothing.
    """
    alone, expiry = [], now - DAY_SECONDS
    with suppress(OSError):  # `session_folders` reports a spool that cannot be read
        for path in [folder.path for folder in folders_in(spool, is_hidden=True)]:
            with suppress(FileNotFoundError):  # published meanwhile
                status = path.lstat()
                if status.st_uid != os.geteuid() or (is_dry and status.st_mtime >= expiry):
                    continue
                why = foreign_in(path) if is_dry else remove_session(path, unwritten_since=expiry)
                alone += [f"{path.name}: {why}"] if why else []
    return alone


class SpooledSession(Struct, frozen=True):
    """One session in the spool, as ``spool list`` shows it; its JSON has the same names.

    ``age_seconds`` is the time since the last write, ``address`` the server's origin or the embedded store's path,
    ``trouble`` the reason why the session cannot be read. The counts are of results.
    """

    id: str
    state: State
    age_seconds: float
    size_bytes: int
    results: int = 0
    acknowledged: int = 0
    rejected: int = 0
    held: int = 0
    name: str = ""
    address: str = ""
    project_id: int = 0
    trouble: str = ""

    @property
    def left(self) -> int:
        """Number of results that remain to be sent, without tests that never finished."""
        return max(0, self.results - self.acknowledged - self.rejected - self.held)


def read_spooled_session(folder: SessionFolder, now: float) -> SpooledSession:
    """Return one session with its counts; reads all its records, in pieces."""
    from pytest_automation_report.spool.reader import final_results  # noqa: PLC0415 - only for the console command

    try:
        state, size = state_of(folder), sum(file.stat().st_size for file in _files_of(folder))
        age = _age_of(folder, now)
    except PermissionError as error:
        age = max(0.0, now - folder.path.stat().st_mtime)
        return SpooledSession(folder.id, "unreadable", age, 0, trouble=f"{folder.path}: {error.strerror}")
    try:
        session = folder.read_session()
        ledger = ledger_from(folder.ledger)
    except SpoolError as error:
        return SpooledSession(folder.id, state, age, size, trouble=str(error))
    return SpooledSession(
        id=folder.id,
        state=state,
        age_seconds=age,
        size_bytes=size,
        results=final_results(folder),
        acknowledged=ledger.total("acknowledged"),
        rejected=ledger.total("rejected"),
        held=ledger.total("held"),
        name=session.run.name,
        address=session.database if session.is_embedded else session.origin,
        project_id=session.project_id,
    )
