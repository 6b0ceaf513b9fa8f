"""Remove the folder of a session, and nothing else.

A user may name any folder as the spool, as a home or the temporary folder of all users. A folder is removed only if it
has a session's name, is not a link, and holds only files that a session creates, all of this user. Everything is
checked and removed in open folders, so a path that is replaced by a link meanwhile leads to no other file.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import (
    FOLDER,
    OF_SENDER,
    RECORDS_SUFFIX,
    Lock,
    is_session_name,
    is_spooled_name,
)
from pytest_automation_report.spool.writer import SESSION_FILE
from pytest_automation_report.system.here import system
from pytest_automation_report.text.limits import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


# Removed after all others, in this order. A process that dies in between must leave nothing that is sent twice: as long
# as there are records, there is the ledger that shows which of them were sent, and its lock.
_LAST: Final = ("session.json", "ledger", "sender.log", "lock")
_OTHER_NAMES: Final = OF_SENDER | {SESSION_FILE, "rejected.jsonl"}
_SHOWN_NAMES: Final = 3


def foreign_in(folder: Path) -> str:
    """Return why a folder is not removed as a session's, "" if a session of this user created all of it."""
    try:
        with _opened(folder) as (_, opened):
            return _foreign_under(opened)
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def remove_session(
    folder: Path, lock: Lock | None = None, *, is_own: bool = False, unwritten_since: float | None = None
) -> str:
    """Remove a session's folder; return why it, or a part of it, is still there, "" if it is gone.

    Nothing is removed if anything in it is not a session's or not this user's, or was written after ``unwritten_since``
    (seconds since 1970, no reason). With ``is_own``, for the process that created or delivered the session, the
    session's files are removed and others stay. ``lock`` is the folder's, if this process has it.
    """
    try:
        with _opened(folder) as (spool, opened):
            # Of the open folder: meanwhile it may have been published, and the path may be another one's.
            statuses = (opened.status(), *_contents(opened).values())
            if unwritten_since is not None and max(status.st_mtime for status in statuses) > unwritten_since:
                return ""
            if not is_own and (why := _foreign_under(opened)):
                return why
            _empty(opened, lock)
            # Asked again, since another process may have written a file after the check.
            left = _contents(opened)
            if not left:
                spool.remove_folder(folder.name)
            has_files = any("/" in name for name in left)
            return _reason([name for name in left if not (has_files and name == FOLDER)])
    except FileNotFoundError:
        return ""
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be removed: {error.strerror or error}"


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[system.Folder, system.Folder]]:
    """Yield the spool and a session's folder; raises `SpoolError` for anything else."""
    if not is_session_name(folder.name):
        raise SpoolError("it is not named like a session")
    with system.Folder(os.path.realpath(folder.parent)) as spool:
        if not stat.S_ISDIR(spool.status(folder.name).st_mode):
            raise SpoolError("it is a link or a file, not a session's folder")
        with system.Folder(folder.name, inside=spool) as opened:
            yield spool, opened


@contextmanager
def _files_folder(opened: system.Folder) -> Iterator[system.Folder | None]:
    with ExitStack() as stack:
        try:
            files = stack.enter_context(system.Folder(FOLDER, inside=opened))
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:  # a link or a file is no folder
                raise
            yield None
        else:
            yield files


def _contents(opened: system.Folder) -> dict[str, os.stat_result]:
    """Return the status of everything in an open folder by its name, files of results as ``files/NAME``."""
    found = _statuses(opened)
    with _files_folder(opened) as files:
        if files is not None:
            found |= {f"{FOLDER}/{name}": status for name, status in _statuses(files).items()}
    return found


def _statuses(opened: system.Folder) -> dict[str, os.stat_result]:
    found = {}
    for name in opened.names():
        with suppress(FileNotFoundError):  # another process removes the same session
            found[name] = opened.status(name)
    return found


def _foreign_under(opened: system.Folder) -> str:
    """Return why an open folder is not removed: what no session creates in it, or another owner."""
    contents = _contents(opened)
    if why := _reason([name for name, status in contents.items() if not _is_ours(name, status)]):
        return why
    if not system.is_own(own := opened.status()):
        return f"it belongs to user {own.st_uid}"
    for name, status in contents.items():
        if not system.is_own(status):
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


def _empty(opened: system.Folder, lock: Lock | None) -> None:
    """Remove the session's files from an open folder: records first, the files of `_LAST` last."""
    names = [name for name, status in _statuses(opened).items() if name != FOLDER and _is_ours(name, status)]
    _unlink([name for name in names if _is_records(name)], opened)
    with _files_folder(opened) as files:
        if files is not None:
            _unlink([name for name in files.names() if is_spooled_name(name)], files)
            with suppress(OSError):  # something else is in it
                opened.remove_folder(FOLDER)
    _unlink([name for name in names if not _is_records(name) and name not in _LAST], opened)
    if lock is not None and system.IS_CLOSED_FIRST:
        lock.close()
    _unlink([name for name in _LAST if name in names], opened)


def _unlink(names: Sequence[str], opened: system.Folder) -> None:
    """Remove the regular files with these names; links and folders stay."""
    for name in names:
        with suppress(FileNotFoundError):  # another process removes the same session
            if stat.S_ISREG(opened.status(name).st_mode):
                opened.remove(name)


def _reason(names: Sequence[str]) -> str:
    return f"it holds {named(sorted(names))}, which no session writes" if names else ""


def named(names: Sequence[str]) -> str:
    """Return the first names as a list for people, with the number of those that are left out."""
    shown, more = [sanitize(name) for name in names[:_SHOWN_NAMES]], len(names) - _SHOWN_NAMES
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
