"""Write files of ours whatever tests patch, and open files that a user or a stranger has named."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

STATE_FOLDER: Final = ".automation-report"
"""The folder of a project that has spool and store, and that git ignores."""

STDOUT: Final = "-"
"""The name of a file that stands for stdout."""

PIPE_SECONDS: Final = 10.0
"""How long a pipe may have no program that writes to it."""

_DRAFT: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | system.OWN_FILE
_READ: Final = os.O_RDONLY | system.NO_WAIT


class Disk:
    """The functions of modules needed for writing, saved when the object is created: users' tests patch modules."""

    __slots__ = (
        "close", "free_bytes", "fstat", "fsync", "ftruncate", "getpid", "lstat", "makedirs", "mkdir", "monotonic",
        "open", "read_at", "replace", "scandir", "unlink", "utime", "write",
    )  # fmt: skip

    def __init__(self) -> None:
        self.read_at, self.replace, self.free_bytes = system.read_at, system.replace, system.free_bytes
        self.open, self.close, self.fstat, self.write = os.open, os.close, os.fstat, os.write
        self.makedirs, self.ftruncate, self.getpid = os.makedirs, os.ftruncate, os.getpid
        self.lstat, self.mkdir, self.utime = os.lstat, os.mkdir, os.utime
        self.fsync, self.monotonic, self.scandir, self.unlink = os.fsync, time.monotonic, os.scandir, os.unlink


def write_draft(
    disk: Disk, path: str, pieces: Iterable[bytes], mode: int = 0o600, *, written_ns: int = 0, is_durable: bool = False
) -> None:
    """Write a file that is then renamed to its place, with this time in nanoseconds since 1970, 0 for now.

    Raises `OSError` if the disk does not accept all bytes.
    """
    descriptor = disk.open(path, _DRAFT, mode)
    try:
        for piece in pieces:
            rest = piece
            while rest:
                written = disk.write(descriptor, rest)
                if not written:
                    raise OSError(None, f"{path}: the disk did not accept all bytes")
                rest = rest[written:]
        if is_durable:
            disk.fsync(descriptor)
    finally:
        disk.close(descriptor)
    if written_ns:
        disk.utime(path, ns=(written_ns, written_ns))


def make_ignored_folder(place: str | Path, disk: Disk | None = None, *, is_ours: bool = False) -> None:
    """Create a private folder that git ignores, with its parents; an existing one is ignored only if it is ours."""
    disk, folder = disk or Disk(), os.fspath(place)
    disk.makedirs(folder.rpartition(os.sep)[0] or ".", exist_ok=True)
    try:
        disk.mkdir(folder, 0o700)
    except FileExistsError:
        if not is_ours:
            return
    try:
        disk.lstat(f"{folder}{os.sep}.gitignore")
    except FileNotFoundError:
        write_draft(disk, f"{folder}{os.sep}.gitignore", [b"*\n"])


def find_other_writers(path: Path, *, is_shared: bool = False) -> str:
    """Return who but this user can change a file or folder, and the remedy; "" for nobody, and for what is not there.

    A folder that is shared may be root's, of a group, or sticky: only the owner of a file can replace it there.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if not system.is_own(status) and (status.st_uid or not is_shared):
        return f"it belongs to user {status.st_uid}: work as that user, or chown it once you know what it holds"
    others = stat.S_IWOTH if is_shared else stat.S_IWGRP | stat.S_IWOTH
    if system.permission_bits(status) & others and not (is_shared and status.st_mode & stat.S_ISVTX):
        return "others can write to it: chmod it to go-w once you know what it holds"
    return ""


def open_file(path: Path, *, is_foreign: bool = False) -> BinaryIO:
    """Open a file that a user names for reading: a regular one, or a pipe that has a writer within `PIPE_SECONDS`.

    If ``is_foreign``, another user may have put it there: no link is followed, and no pipe is read. Raises `OSError`.
    """
    flags = _READ | (system.OWN_FILE if is_foreign else 0)
    file = open(path, "rb", opener=lambda name, _: os.open(name, flags))  # noqa: SIM115 - with these flags, and the caller closes it
    try:
        _check_kind(file.fileno(), is_foreign=is_foreign)
    except BaseException:
        file.close()
        raise
    return file


def _check_kind(descriptor: int, *, is_foreign: bool) -> None:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        if is_foreign or not stat.S_ISFIFO(mode):
            raise OSError(errno.EINVAL, "it is not a file")
        if not system.ready([descriptor], PIPE_SECONDS):
            with suppress(BlockingIOError):  # a program has it open, and takes its time
                os.read(descriptor, 1)
                raise OSError(errno.ENXIO, "it is a pipe that no program writes to")
    system.wait_again(descriptor)


def read_file(path: Path, limit: int, *, is_foreign: bool = False) -> bytes:
    """Return the bytes of a file as `open_file` opens it; raises `OSError`, also for more than ``limit`` bytes."""
    with open_file(path, is_foreign=is_foreign) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes")
    return data
