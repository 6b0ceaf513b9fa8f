"""Remove sessions from the spool, and nothing else.

A spool may be any folder: a project, a home, the temporary folder of all users. So a folder is removed only if its name
has the exact form of a session's, it is no link, and it holds nothing but files that a session makes, all of them
this user's. Everything is checked and removed through descriptors: whatever a path leads to meanwhile, nothing is
removed through a link, and a file that appears after the check stays.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.artifacts import is_spooled_name
from pytest_automation_report.text.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_is_session_name = re.compile(r"\.?[0-9]{8}T[0-9]{6}-[0-9a-f]{8}").fullmatch
_is_records_name = re.compile(r".+\.records~?", re.DOTALL).fullmatch
_is_other_name = re.compile(r"session\.json(?:~[0-9]*)?|ledger~?|lock|sender\.log|rejected\.jsonl", re.DOTALL).fullmatch
_FILES: Final = "files"
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_SHOWN_NAMES: Final = 3
_OWN_ENTRIES: Final = frozenset({".gitignore"})
_LAST: Final = ("session.json", "ledger", "sender.log", "lock")
"""Files that go after all others, in this order: a process that dies in between must leave nothing to send twice."""


def is_session_name(name: str) -> bool:
    """Return whether a folder of this name can be a session's, shown or hidden."""
    return _is_session_name(name) is not None


def foreign_in(folder: Path) -> str:
    """Return why a folder is not removed as a session's: "" if all of it was made by a session of this user."""
    try:
        with _opened(folder) as (_, descriptor):
            return _reason(foreign_under(descriptor)) or _owner_of(descriptor)
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def others_in(spool: Path) -> list[str]:
    """Return the names in a spool that are not of sessions, sorted; raises `OSError` if it cannot be read."""
    with os.scandir(spool) as found:
        return sorted(each.name for each in found if not _is_session(each) and each.name not in _OWN_ENTRIES)


def remove_session(folder: Path, *, is_checked: bool = True, is_wanted: Callable[[int], bool] = lambda _: True) -> str:
    """Remove a session's folder; return why it, or a part of it, is still there, "" if it is gone.

    With ``is_checked`` nothing is removed where anything is not a session's or not this user's. Without, the session's
    files go and the others stay: for the process that knows the session as its own. ``is_wanted`` is asked with the
    folder's descriptor.
    """
    try:
        with _opened(folder) as (spool, descriptor):
            if not is_wanted(descriptor):
                return ""
            if is_checked and (why := _reason(foreign_under(descriptor)) or _owner_of(descriptor)):
                return why
            _empty(descriptor)
            why = _reason(_entries(descriptor))
            if not why:
                os.rmdir(folder.name, dir_fd=spool)
            return why
    except FileNotFoundError:
        return ""
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be removed: {error.strerror or error}"


def last_change_under(descriptor: int) -> float:
    """Return the latest moment when a folder, or anything in it, was written, in seconds since 1970."""
    latest = os.fstat(descriptor).st_mtime
    with os.scandir(descriptor) as found:
        for entry in found:
            latest = max(latest, entry.stat(follow_symlinks=False).st_mtime)
    with _files_folder(descriptor) as files:
        return latest if files is None else max(latest, last_change_under(files))


def foreign_under(descriptor: int) -> list[str]:
    """Return the names of what no session makes in an open folder, sorted."""
    found: list[str] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            is_folder = entry.name == _FILES and entry.is_dir(follow_symlinks=False)
            if not is_folder and not (_is_ours(entry.name) and entry.is_file(follow_symlinks=False)):
                found.append(entry.name)
    with _files_folder(descriptor) as files:
        if files is not None:
            with os.scandir(files) as entries:
                found += [f"{_FILES}/{each.name}" for each in entries if not _is_copy(each)]
    return sorted(found)


def _owner_of(descriptor: int) -> str:
    """Return which part of an open folder belongs to another user, "" if none does."""
    if (owner := os.fstat(descriptor).st_uid) != os.geteuid():
        return f"it belongs to user {owner}"
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if (owner := entry.stat(follow_symlinks=False).st_uid) != os.geteuid():
                return f"{sanitize(entry.name)} in it belongs to user {owner}"
    with _files_folder(descriptor) as files:
        return "" if files is None else _owner_of(files)


def _empty(descriptor: int) -> None:
    """Remove the session's files from an open folder, records first; the ledger that says what was sent goes late."""
    with _files_folder(descriptor) as files:
        names = _entries(descriptor)
        records = [each for each in names if _is_records_name(each)]
        others = [each for each in names if _is_ours(each) and not _is_records_name(each) and each not in _LAST]
        _unlink(records, descriptor)
        if files is not None:
            _unlink([each for each in os.listdir(files) if is_spooled_name(each)], files)  # noqa: PTH208 - a descriptor
            if not _entries(files):
                os.rmdir(_FILES, dir_fd=descriptor)
        _unlink([*others, *(each for each in _LAST if each in names)], descriptor)


def _unlink(names: list[str], descriptor: int) -> None:
    """Remove files, and links by these names but never what they lead to; folders stay."""
    for name in names:
        with suppress(FileNotFoundError):  # another process removes the same session
            if stat.S_ISREG(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=descriptor)


def _entries(descriptor: int) -> list[str]:
    """Return what an open folder holds; what is left in the folder of files is named with it."""
    names = sorted(os.listdir(descriptor))
    with _files_folder(descriptor) as files:
        if files is None:
            return names
        inner = sorted(os.listdir(files))  # noqa: PTH208 - a descriptor
    at = names.index(_FILES) if _FILES in names else len(names)
    return [*names[:at], *(f"{_FILES}/{each}" for each in inner), *names[at + 1 :]] if inner else names


def _reason(names: list[str]) -> str:
    if not names:
        return ""
    return f"it holds {named(names)}, which no session made"


def named(names: list[str]) -> str:
    """Return the first of some names for a person, and how many more there are."""
    shown, more = [sanitize(each) for each in names[:_SHOWN_NAMES]], len(names) - _SHOWN_NAMES
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _is_ours(name: str) -> bool:
    return _is_records_name(name) is not None or _is_other_name(name) is not None


def _is_copy(entry: os.DirEntry[str]) -> bool:
    return is_spooled_name(entry.name) and entry.is_file(follow_symlinks=False)


def _is_session(entry: os.DirEntry[str]) -> bool:
    return is_session_name(entry.name) and entry.is_dir(follow_symlinks=False)


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield descriptors of the spool and of a session's folder; raises `SpoolError` for what can be no session's."""
    if not is_session_name(folder.name):
        raise SpoolError("its name is not that of a session")
    with ExitStack() as stack:
        spool = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, spool)
        if not stat.S_ISDIR(os.stat(folder.name, dir_fd=spool, follow_symlinks=False).st_mode):
            raise SpoolError("it is a link or a file, not a session's folder")
        descriptor = os.open(folder.name, _FOLDER_FLAGS, dir_fd=spool)
        stack.callback(os.close, descriptor)
        yield spool, descriptor


@contextmanager
def _files_folder(descriptor: int) -> Iterator[int | None]:
    """Yield a descriptor of the folder with the files of results, ``None`` if there is none or it is something else."""
    files = _opened_files(descriptor)
    try:
        yield files
    finally:
        if files is not None:
            os.close(files)


def _opened_files(descriptor: int) -> int | None:
    try:
        if stat.S_ISDIR(os.stat(_FILES, dir_fd=descriptor, follow_symlinks=False).st_mode):
            return os.open(_FILES, _FOLDER_FLAGS, dir_fd=descriptor)
    except FileNotFoundError:
        return None
    return None
