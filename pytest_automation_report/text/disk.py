"""Write what is ours to the disk, whatever tests patch."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from pytest_automation_report.system.here import system

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STATE_FOLDER: Final = ".automation-report"
"""The folder of a project that has spool and store, and that git ignores."""

STDOUT: Final = "-"
"""The name of a file that stands for stdout."""

_DRAFT: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | system.OWN_FILE


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
