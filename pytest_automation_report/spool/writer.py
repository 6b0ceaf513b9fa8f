"""Append a process's records to its spool file, whatever tests do to the disk and to descriptors."""

from __future__ import annotations

import functools
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import Disk, make_ignored_folder, write_draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

COPY: Final = "~"
"""Suffix of a file while it is being restored; its writer may die before it is renamed."""

SESSION_FILE: Final = "session.json"
"""The manifest's file name. Without that file the destination of a session's records is unknown."""

APPEND_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | system.OWN_FILE
"""How files of a session are opened for more lines. Readable, too: a deleted file is read through its descriptor."""

# While the disk is full, records wait in pytest's memory, which must not grow with the session.
_MAX_WAITING_RECORDS: Final = 1000
_PIECE_BYTES: Final = 1 << 20
# Records up to this size hold hardly any texts: their short form would save nothing.
_LONG_BYTES: Final = 1024
_LOOK_SECONDS: Final = 1.0
"""Time between two looks whether the file still has its path: a look takes as long as half a record."""

_RESERVED_BYTES: Final = 256 << 10
"""Free space that long records do not use: enough for about 500 outcomes without texts."""

_RESULT: Final = b'{"k":"finish"'


class ManifestFile(Struct, frozen=True):
    """Restore a deleted ``session.json`` and its folder; every process that writes there can do so.

    ``written_ns`` is the time when the file was first written, in nanoseconds since 1970, 0 if unknown. Those of the
    ``ignored`` folders that have to be created get a ``.gitignore``. All methods raise `OSError` if they fail.
    """

    path: str
    data: bytes
    written_ns: int
    ignored: tuple[str, ...]

    def restore(self, disk: Disk) -> None:
        """Create the folder and the file if a test has deleted them."""
        self.copy(disk)
        self.show(disk)

    def copy(self, disk: Disk) -> None:
        """Write the missing file under a name that holds this process's id, so that no reader sees a part of it."""
        try:
            disk.lstat(self.path)
        except FileNotFoundError:
            for folder in self.ignored:
                make_ignored_folder(folder, disk)
            disk.makedirs(self.path.rpartition(os.sep)[0], 0o700, exist_ok=True)
            self.write_copy(disk)

    def write_copy(self, disk: Disk, *, is_durable: bool = False) -> None:
        """Write the file under that name, whether one is there or not."""
        # Age decides when a session expires: restoring it must not make it younger.
        write_draft(disk, self._draft_path(disk), [self.data], written_ns=self.written_ns, is_durable=is_durable)

    def show(self, disk: Disk) -> None:
        """Rename the copy to its final name; does nothing if there is no copy."""
        with suppress(FileNotFoundError):
            disk.replace(self._draft_path(disk), self.path)

    def _draft_path(self, disk: Disk) -> str:
        return f"{self.path}{COPY}{disk.getpid()}"


def is_moved(disk: Disk, path: str, status: os.stat_result) -> bool:
    """Whether another file than the one with this status, or none, has the path."""
    if system.IS_CLOSED_FIRST:  # nobody could move it
        return False
    try:
        return not os.path.samestat(disk.lstat(path), status)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # nothing could be written there


def restored(disk: Disk, descriptor: int, path: str, on_copied: Callable[[], None] = lambda: None) -> int:
    """Create a new file at ``path`` with the content of the lost file of ``descriptor``; return its descriptor.

    Readers see the old file or the new one, with the same offsets, or the copy if this process dies before it renames
    it. ``on_copied`` is called before that. Raises OSError on failure; the old descriptor stays open then.
    """
    disk.makedirs(path.rpartition(os.sep)[0], 0o700, exist_ok=True)
    copy = disk.open(path + COPY, APPEND_FLAGS | os.O_TRUNC, 0o600)
    try:
        offset = 0
        # The offset grows by the bytes written, so a short write is continued where it stopped.
        while piece := disk.read_at(descriptor, _PIECE_BYTES, offset):
            offset += disk.write(copy, piece)
        on_copied()
        disk.replace(path + COPY, path)
        # Empty where it was moved to: nobody may send from there what is sent from here.
        disk.ftruncate(descriptor, 0)
    except BaseException:
        disk.close(copy)
        raise
    disk.close(descriptor)
    return copy


class WriteLosses(Struct, frozen=True):
    """Count what could not be written: results and other records that are only in memory, results without texts."""

    results: int = 0
    records: int = 0
    shortened: int = 0
    error: str = ""

    @classmethod
    def together(cls, parts: Iterable[WriteLosses]) -> WriteLosses:
        """Add up the losses of several processes; the first reason stands for all."""
        losses = list(parts)
        return cls(
            results=sum(part.results for part in losses),
            records=sum(part.records for part in losses),
            shortened=sum(part.shortened for part in losses),
            error=next((part.error for part in losses if part.error), ""),
        )


class SpoolWriter:
    """Append records to one process's file; owned by the process that created it.

    Users' tests patch modules, close descriptors, delete folders and fork. So the instance holds every function that it
    needs, compares its descriptor with its file before each record, restores a deleted file with its content, and with
    ``session`` its manifest, and writes nothing in a forked child. On a full disk records lose their texts, or wait in
    memory. They never overtake each other: a reader relies on their order.
    """

    _descriptor: int
    _file: tuple[int, int]

    def __init__(self, path: Path, session: ManifestFile | None = None) -> None:
        self._disk = Disk()
        self._path = os.fspath(path)
        self._session = session
        self._pid = os.getpid()
        self._waiting: deque[bytes] = deque()
        self._is_torn = False
        self._looked_at = self._disk.monotonic()
        self.shortened = 0
        self.dropped = 0
        self.error = ""
        self._use_descriptor(self._open())

    @property
    def losses(self) -> WriteLosses:
        """Losses so far, and those that would be added if the process ended now."""
        results = sum(map(_is_result, self._waiting))
        records = len(self._waiting) - results
        is_whole = not (self._waiting or self.dropped or self.shortened)
        return WriteLosses(results + self.dropped, records, self.shortened, "" if is_whole else self.error)

    @property
    def folder(self) -> str:
        """The session's folder."""
        return self._path.rpartition(os.sep)[0]

    def write(self, record: bytes, short: Callable[[], bytes] | None = None) -> bool:
        """Append one record, on a full disk its ``short`` form; False in a forked child. Never raises for the disk."""
        # A forked child shares the descriptor: its records would be counted twice.
        if self._disk.getpid() != self._pid:
            return False
        if self._is_written(record, leaves_reserve=short is not None and len(record) > _LONG_BYTES):
            return True
        if short is not None:
            self.shortened += 1
            record = short()
            # Behind those that wait, if there are any: the disk has taken none of them just now.
            if not self._waiting and self._is_written(record):
                return True
        if len(self._waiting) == _MAX_WAITING_RECORDS:
            self.dropped += _is_result(self._waiting.popleft())
        self._waiting.append(record)
        return True

    def close(self) -> None:
        """Close the descriptor if it still belongs to the spool's file."""
        status = self._stat_of_file() if self._disk.getpid() == self._pid else None
        if status is not None:
            with suppress(OSError):  # the end of the session must not be in a file that nobody reads
                if status.st_nlink and is_moved(self._disk, self._path, status):
                    self._use_descriptor(self._restored())
            os.close(self._descriptor)
        self._descriptor = -1

    def _is_written(self, record: bytes, *, leaves_reserve: bool = False) -> bool:
        """Append the records that wait, then this one; False if the disk takes none, or would be nearly full."""
        try:
            self._ensure_file()
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.popleft()  # only after it was written
            if leaves_reserve and self._is_nearly_full():
                self.error = f"{self._path}: the disk is nearly full"
                return False
            self._append(record)
        except OSError as error:
            self.error = f"{self._path}: {error.strerror or error}"
            return False
        return True

    def _append(self, record: bytes) -> None:
        was_torn = self._is_torn
        data = b"\n" + record if was_torn else record
        written = self._disk.write(self._descriptor, data)
        # The rest of the record would use the space of a shorter one. If truncating fails, the file stays torn: the
        # next record begins with a newline, so that only this one is damaged.
        self._is_torn = written != len(data)
        if self._is_torn:
            self._disk.ftruncate(self._descriptor, self._disk.fstat(self._descriptor).st_size - written)
            self._is_torn = was_torn
            raise OSError(None, f"the disk accepted only {written} of {len(data)} bytes")

    def _is_nearly_full(self) -> bool:
        """Whether the free space is reserved for outcomes; costs a microsecond, so only long records ask."""
        free = self._disk.free_bytes(self.folder, self._descriptor)
        return free is not None and free < _RESERVED_BYTES

    def _ensure_file(self) -> None:
        status = self._stat_of_file()
        if status is None:
            self._use_descriptor(self._open())
            return
        is_lost, now = not status.st_nlink, self._disk.monotonic()
        if not is_lost and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            is_lost = is_moved(self._disk, self._path, status)
        if is_lost:  # a test has deleted the file, or renamed a folder
            self._use_descriptor(self._restored())

    def _restored(self) -> int:
        """Restore the deleted records with the session's manifest; return the new descriptor."""
        if self._session is None:
            return restored(self._disk, self._descriptor, self._path)
        # The manifest appears only after the copy of the records is complete: no reader sees it without them.
        self._session.copy(self._disk)
        show = functools.partial(self._session.show, self._disk)
        return restored(self._disk, self._descriptor, self._path, on_copied=show)

    def _stat_of_file(self) -> os.stat_result | None:
        """Return the status of the spool's file, ``None`` if a test closed the descriptor or reused its number."""
        try:
            status = self._disk.fstat(self._descriptor)
        except OSError:
            return None
        return status if (status.st_dev, status.st_ino) == self._file else None

    def _open(self) -> int:
        try:
            return self._disk.open(self._path, APPEND_FLAGS, 0o600)
        except FileNotFoundError:
            if self._session is not None:
                self._session.restore(self._disk)
            self._disk.makedirs(self._path.rpartition(os.sep)[0], 0o700, exist_ok=True)
            return self._disk.open(self._path, APPEND_FLAGS, 0o600)

    def _use_descriptor(self, descriptor: int) -> None:
        self._descriptor = descriptor
        status = self._disk.fstat(descriptor)
        self._file = status.st_dev, status.st_ino


def _is_result(record: bytes) -> bool:
    return _RESULT in record[:40]
