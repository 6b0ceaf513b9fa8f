"""Remove sessions from the spool, and nothing else.

A user may name any folder as the spool: a project, a home, the temporary folder of all users. So a folder is removed
only if its name has the exact form of a session's, it is not a link, and it holds only files that a session creates,
all of this user. Everything is checked and removed through descriptors: even if a path is replaced by a link meanwhile,
nothing is removed through that link, and a file that appears after the check stays.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.artifacts import is_spooled_name
from pytest_automation_report.text.patterns import lazy_pattern
from pytest_automation_report.text.terminal import sanitize
from pytest_automation_report.unpatched import Unpatched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# The patterns include files of killed processes ("~": copies that were not renamed), so that these are removed, too.
_RECORDS_SUFFIX: Final = ".records"
_OTHER_NAMES: Final = frozenset(
    {"session.json", "ledger", "ledger~", "lock", "sender.log", "rejected.jsonl", "report.html"}
)
_MANIFEST_COPY: Final = "session.json~"
_FILES: Final = "files"
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_SHOWN_NAMES: Final = 3
_OWN_ENTRIES: Final = frozenset({".gitignore"})
_LAST: Final = ("session.json", "ledger", "sender.log", "lock")
"""Files that are removed after all others, in this order.

A process that dies in between must leave nothing that is sent twice: as long as there are records, there is the ledger
that shows which of them were sent, and its lock.
"""


class LeftoverCounts(Struct, frozen=True):
    """Numbers of earlier sessions that stay in the spool, and of those that were removed because of their age.

    ``alone`` names the folders that were left alone although they are as old: they hold something else, too.
    ``reports`` has the path of each HTML report that a sender could not write after its pytest had ended, and why.
    """

    kept: int = 0
    removed: int = 0
    alone: tuple[str, ...] = ()
    reports: tuple[tuple[str, str], ...] = ()


def foreign_in(folder: Path) -> str:
    """Return why a folder is not removed as a session's, "" if a session of this user created all of it."""
    try:
        with _opened(folder) as (_, descriptor):
            return _reason(foreign_under(descriptor)) or _owner_of(descriptor)
    except SpoolError as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def others_in(spool: Path) -> list[str]:
    """Return the names in a spool that are not of sessions, sorted; raises `OSError` if it cannot be read."""
    with os.scandir(spool) as entries:
        return sorted(entry.name for entry in entries if not _is_session(entry) and entry.name not in _OWN_ENTRIES)


def remove_session(folder: Path, *, is_checked: bool = True, is_wanted: Callable[[int], bool] = lambda _: True) -> str:
    """Remove a session's folder; return why it, or a part of it, is still there, "" if it is gone.

    With ``is_checked`` nothing is removed if anything in the folder is not a session's or not this user's. Without it
    the session's files are removed and other files stay: for the process that created the session. ``is_wanted`` gets
    the folder's descriptor; if it returns False, nothing is removed.
    """
    try:
        with _opened(folder) as (spool, descriptor):
            if not is_wanted(descriptor):
                return ""
            if is_checked and (why := _reason(foreign_under(descriptor)) or _owner_of(descriptor)):
                return why
            _empty(descriptor)
            # Asked again, since another process may have written a file after the check.
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
    """Return the time of the last write to a folder or to anything in it, in seconds since 1970."""
    latest = os.fstat(descriptor).st_mtime
    with os.scandir(descriptor) as entries:
        for entry in entries:
            latest = max(latest, entry.stat(follow_symlinks=False).st_mtime)
    with _files_folder(descriptor) as files:
        return latest if files is None else max(latest, last_change_under(files))


def foreign_under(descriptor: int) -> list[str]:
    """Return the names of everything in an open folder that no session creates, sorted."""
    foreign: list[str] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            is_folder = entry.name == _FILES and entry.is_dir(follow_symlinks=False)
            if not is_folder and not (_is_ours(entry.name) and entry.is_file(follow_symlinks=False)):
                foreign.append(entry.name)
    with _files_folder(descriptor) as files:
        if files is not None:
            with os.scandir(files) as entries:
                foreign += [f"{_FILES}/{entry.name}" for entry in entries if not _is_copy(entry)]
    return sorted(foreign)


def _owner_of(descriptor: int) -> str:
    """Return which part of an open folder belongs to another user, "" if all belongs to this one."""
    if (owner := os.fstat(descriptor).st_uid) != os.geteuid():
        return f"it belongs to user {owner}"
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if (owner := entry.stat(follow_symlinks=False).st_uid) != os.geteuid():
                return f"{sanitize(entry.name)} in it belongs to user {owner}"
    with _files_folder(descriptor) as files:
        return "" if files is None else _owner_of(files)


def _empty(descriptor: int) -> None:
    """Remove the session's files from an open folder: records first, those of `_LAST` last."""
    with _files_folder(descriptor) as files:
        names = _entries(descriptor)
        records = [name for name in names if _is_records(name)]
        others = [name for name in names if _is_ours(name) and not _is_records(name) and name not in _LAST]
        _unlink(records, descriptor)
        if files is not None:
            _unlink([name for name in os.listdir(files) if is_spooled_name(name)], files)  # noqa: PTH208 - a descriptor
            if not _entries(files):
                os.rmdir(_FILES, dir_fd=descriptor)
        _unlink([*others, *(name for name in _LAST if name in names)], descriptor)


def _unlink(names: list[str], descriptor: int) -> None:
    """Remove the regular files with these names; links and folders stay."""
    for name in names:
        with suppress(FileNotFoundError):  # another process removes the same session
            if stat.S_ISREG(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=descriptor)


def _entries(descriptor: int) -> list[str]:
    """Return the names in an open folder; the folder of results' files is replaced by the names in it, if any."""
    names = sorted(os.listdir(descriptor))
    with _files_folder(descriptor) as files:
        if files is None:
            return names
        inner = sorted(os.listdir(files))  # noqa: PTH208 - a descriptor
    index = names.index(_FILES) if _FILES in names else len(names)
    return [*names[:index], *(f"{_FILES}/{name}" for name in inner), *names[index + 1 :]] if inner else names


def _reason(names: list[str]) -> str:
    if not names:
        return ""
    return f"it holds {named(names)}, which no session made"


def named(names: list[str]) -> str:
    """Return the first names as a list for people, with the number of those that are left out."""
    shown, more = [sanitize(name) for name in names[:_SHOWN_NAMES]], len(names) - _SHOWN_NAMES
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


# Without regular expressions, which each session would compile to remove its folder.
def _is_records(name: str) -> bool:
    worker = name.removesuffix("~")
    return worker.endswith(_RECORDS_SUFFIX) and worker != _RECORDS_SUFFIX


def _is_ours(name: str) -> bool:
    number = name.removeprefix(_MANIFEST_COPY)
    is_copy = number != name and (not number or (number.isascii() and number.isdigit()))
    return name in _OTHER_NAMES or is_copy or _is_records(name)


def _is_copy(entry: os.DirEntry[str]) -> bool:
    return is_spooled_name(entry.name) and entry.is_file(follow_symlinks=False)


def _is_session(entry: os.DirEntry[str]) -> bool:
    return is_session_name(entry.name) and entry.is_dir(follow_symlinks=False)


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield descriptors of the spool and of a session's folder.

    Raises `SpoolError` if the path has not the name of a session's folder, or is not a folder.
    """
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
    """Yield a descriptor of the folder with the files of results, None if there is no such folder."""
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


_RANDOM_BYTES: Final = 4
_SESSION_NAME: Final = lazy_pattern(rf"\.?[0-9]{{8}}T[0-9]{{6}}-[0-9a-f]{{{2 * _RANDOM_BYTES}}}")


def new_session_name() -> str:
    """Return the name of a session that starts now."""
    return f"{Unpatched.utc():%Y%m%dT%H%M%S}-{os.urandom(_RANDOM_BYTES).hex()}"


def is_session_name(name: str) -> bool:
    """Return whether a folder of this name can be a session's, published or hidden."""
    return _SESSION_NAME.fullmatch(name) is not None
