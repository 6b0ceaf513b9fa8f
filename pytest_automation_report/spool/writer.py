"""Appends a process's records to its file in the spool, whatever tests do to disk and descriptors (floor 2)."""

from __future__ import annotations

import functools
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

COPY: Final = "~"
"""What the name of a file ends with as long as it is being made again; its writer may die then."""

SESSION_FILE: Final = "session.json"
"""What a session's folder can be sent by: without it nobody knows where its records go."""

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_WAITING_RECORDS: Final = 1000
_PIECE_BYTES: Final = 1 << 20
_LONG_BYTES: Final = 1024
_ROOM_BYTES: Final = 256 << 10
"""So much of a disk is left to outcomes: about 500 of them."""

_RESULTS: Final = (b'{"k":"finish"', b'{"k":"pass"')


class Disk:
    """The functions of ``os`` that writing needs, as they are when this is made: tests patch modules."""

    __slots__ = (
        "close", "fstat", "fstatvfs", "ftruncate", "getpid", "lstat", "makedirs", "mkdir", "open", "pread", "rename",
        "utime", "write",
    )  # fmt: skip

    def __init__(self) -> None:
        self.open, self.close, self.fstat, self.write, self.pread = os.open, os.close, os.fstat, os.write, os.pread
        self.makedirs, self.rename, self.ftruncate, self.getpid = os.makedirs, os.rename, os.ftruncate, os.getpid
        self.fstatvfs, self.lstat, self.mkdir, self.utime = os.fstatvfs, os.lstat, os.mkdir, os.utime


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """What is needed to make a session's folder again without its session: any process that writes there can.

    ``path`` is the file's, ``written_ns`` the moment when it was first written, in nanoseconds since 1970, 0 where that
    is not known. Of the ``ignored`` folders those that have to be made get a ``.gitignore``.
    """

    path: str
    data: bytes
    written_ns: int
    ignored: tuple[str, ...]

    def restore(self, disk: Disk) -> None:
        """Make the folder and the file where a test has deleted them; raises OSError where that cannot be done."""
        self.copy(disk)
        self.show(disk)

    def copy(self, disk: Disk) -> None:
        """Write the missing file under a name of this process's own: nobody takes a part of it for the file.

        Readers take a copy when no process lives to give it its name. Raises OSError where it cannot be written.
        """
        try:
            disk.lstat(self.path)
        except FileNotFoundError:
            for each in self.ignored:
                ignore(disk, each)
            disk.makedirs(self.path.rpartition("/")[0], 0o700, exist_ok=True)
            made = self._copy_of(disk)
            _put(disk, made, self.data)
            if self.written_ns:
                disk.utime(made, ns=(self.written_ns, self.written_ns))

    def show(self, disk: Disk) -> None:
        """Give the copy its name; does nothing where there was no need of one."""
        with suppress(FileNotFoundError):
            disk.rename(self._copy_of(disk), self.path)

    def _copy_of(self, disk: Disk) -> str:
        return f"{self.path}{COPY}{disk.getpid()}"


def ignore(disk: Disk, folder: str) -> None:
    """Make a private folder that git ignores, with its parents; does nothing when it is there."""
    disk.makedirs(folder.rpartition("/")[0] or ".", exist_ok=True)
    try:
        disk.mkdir(folder, 0o700)
    except FileExistsError:
        return
    _put(disk, f"{folder}/.gitignore", b"*\n")


def _put(disk: Disk, path: str, data: bytes) -> None:
    descriptor = disk.open(path, _FLAGS | os.O_TRUNC, 0o600)
    try:
        if disk.write(descriptor, data) != len(data):
            raise OSError(None, f"{path}: the disk does not take all of it")
    finally:
        disk.close(descriptor)


def restored(
    disk: Disk, descriptor: int, path: str, *, last: bytes = b"", on_copied: Callable[[], None] = lambda: None
) -> int:
    """Return the descriptor of a new file at ``path`` with all that the deleted file of ``descriptor`` holds.

    A deleted file can be read as long as a descriptor of it is open. Readers see the old file or the new one, whose
    offsets are the same, or the copy when this process dies before it has its name. ``last`` is written behind the
    copy; ``on_copied`` is called before that gets its name. Raises OSError where that cannot be done; the old
    descriptor stays open then.
    """
    disk.makedirs(path.rpartition("/")[0], 0o700, exist_ok=True)
    made = disk.open(path + COPY, _FLAGS | os.O_TRUNC, 0o600)
    try:
        _copy(disk, descriptor, made, last)
        on_copied()
        disk.rename(path + COPY, path)
    except BaseException:
        disk.close(made)
        raise
    disk.close(descriptor)
    return made


def _copy(disk: Disk, descriptor: int, made: int, last: bytes) -> None:
    offset = 0
    while piece := disk.pread(descriptor, _PIECE_BYTES, offset):
        offset += disk.write(made, piece)
    if last and disk.write(made, last) != len(last):
        raise OSError(None, "the disk does not take the end of a copy")


@dataclass(frozen=True, slots=True)
class WriteLosses:
    """What the disk did not take: results that exist in memory alone, other records, results without their texts."""

    results: int = 0
    records: int = 0
    shortened: int = 0
    trouble: str = ""

    @classmethod
    def together(cls, parts: Iterable[WriteLosses]) -> WriteLosses:
        """Return the losses of several processes as one."""
        found = list(parts)
        return cls(
            results=sum(each.results for each in found),
            records=sum(each.records for each in found),
            shortened=sum(each.shortened for each in found),
            trouble=next((each.trouble for each in found if each.trouble), ""),
        )


class SpoolWriter:
    """Appends records to one process's file; owned by the process that made it.

    ``session`` is the file that makes the records a session's, where that is known; it is made again before they are.

    Tests patch modules, close descriptors, delete folders and fork. So every function that writing needs is held by
    the instance, the descriptor is compared with the file before each record, a deleted file is made again with all
    that it held, and a forked child writes nothing. Where the disk takes a record no more, the short form of it is
    tried, which goes without texts; what cannot be written either is kept in memory (the last 1,000 records) and tried
    again before the next one.
    """

    _descriptor: int
    _device: int
    _inode: int
    _size: int

    __slots__ = (
        "_descriptor", "_device", "_disk", "_inode", "_is_torn", "_path", "_pid", "_session", "_size", "_waiting",
        "dropped", "failures", "shortened", "trouble",
    )  # fmt: skip

    def __init__(self, path: Path, session: ManifestFile | None = None) -> None:
        self._disk = Disk()
        self._path = os.fspath(path)
        self._session = session
        self._pid = os.getpid()
        self._waiting: deque[bytes] = deque()
        self._is_torn = False
        self.failures = 0
        self.shortened = 0
        self.dropped = 0
        self.trouble = ""
        self._take(self._open())

    @property
    def waiting(self) -> int:
        """Number of records that could not be written so far and are kept in memory."""
        return len(self._waiting)

    @property
    def losses(self) -> WriteLosses:
        """What would be lost if the process ended now, and what is already."""
        results = sum(map(_is_result, self._waiting))
        records = len(self._waiting) - results
        is_whole = not (self._waiting or self.dropped or self.shortened)
        return WriteLosses(results + self.dropped, records, self.shortened, "" if is_whole else self.trouble)

    @property
    def folder(self) -> str:
        """The session's folder."""
        return self._path.rpartition("/")[0]

    def write(self, record: bytes, short: Callable[[], bytes] | None = None) -> bool:
        """Append one record with one write, and return whether this process may; never raises for what the disk does.

        ``short`` makes the form of the record that is written where the disk does not take the whole.
        """
        if self._disk.getpid() != self._pid:
            return False
        try:
            self._ensure_file()
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.popleft()
            if short is not None and len(record) > _LONG_BYTES and self._is_short_of_room():
                self.shortened += 1
                self.trouble, record = f"{self._path}: the disk is nearly full", short()
            self._append(record)
        except OSError as error:
            self.failures += 1
            self.trouble = f"{self._path}: {error.strerror or error}"
            self._save(record if short is None else short(), is_short=short is not None)
        return True

    def close(self) -> None:
        """Close the descriptor if it is still the spool's."""
        if self._disk.getpid() == self._pid and self._found() is not None:
            os.close(self._descriptor)
        self._descriptor = -1

    def _save(self, record: bytes, *, is_short: bool) -> None:
        """Write a record in its short form, or keep it; none passes one that waits."""
        self.shortened += is_short
        if is_short and not self._waiting:
            try:
                self._append(record)
            except OSError:
                self.failures += 1  # told by the trouble of the first attempt
            else:
                return
        if len(self._waiting) == _WAITING_RECORDS:
            self.dropped += _is_result(self._waiting.popleft())
        self._waiting.append(record)

    def _append(self, record: bytes) -> None:
        data = b"\n" + record if self._is_torn else record
        written = self._disk.write(self._descriptor, data)
        if written == len(data):
            self._is_torn = False
            self._size += written
            return
        self._is_torn = True
        # What is left of the record would take the room of a shorter one.
        self._disk.ftruncate(self._descriptor, self._size)
        self._is_torn = False
        raise OSError(None, f"only {written} of {len(data)} bytes were taken")

    def _is_short_of_room(self) -> bool:
        """Whether the disk has room for outcomes alone; asked for records with texts only, it costs a microsecond."""
        found = self._disk.fstatvfs(self._descriptor)
        return found.f_blocks > 0 and found.f_bavail * found.f_frsize < _ROOM_BYTES

    def _ensure_file(self) -> None:
        found = self._found()
        if found is None:
            self._take(self._open())
        elif found.st_nlink:
            self._size = found.st_size
        else:
            self._take(self._restored())

    def _restored(self) -> int:
        """Return the descriptor of the records made again, with the session that they belong to."""
        if self._session is None:
            return restored(self._disk, self._descriptor, self._path)
        self._session.copy(self._disk)
        show = functools.partial(self._session.show, self._disk)
        return restored(self._disk, self._descriptor, self._path, on_copied=show)

    def _found(self) -> os.stat_result | None:
        """Return what the descriptor is of, None when a test has closed it or it is of another file by now."""
        try:
            found = self._disk.fstat(self._descriptor)
        except OSError:
            return None
        return found if found.st_ino == self._inode and found.st_dev == self._device else None

    def _open(self) -> int:
        try:
            return self._disk.open(self._path, _FLAGS, 0o600)
        except FileNotFoundError:
            if self._session is not None:
                self._session.restore(self._disk)
            self._disk.makedirs(self._path.rpartition("/")[0], 0o700, exist_ok=True)
            return self._disk.open(self._path, _FLAGS, 0o600)

    def _take(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = self._disk.fstat(descriptor)
        self._device, self._inode, self._size = found.st_dev, found.st_ino, found.st_size


def _is_result(record: bytes) -> bool:
    return any(each in record[:40] for each in _RESULTS)
