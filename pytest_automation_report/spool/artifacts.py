"""Files of results in the spool: copied there by the process that runs the test, opened there by the sender.

The original may change or be deleted, and the sender never opens a path that a record names: a record can be forged.
The URL of a file is known only after its upload. Until then its result has an address ``spooled:NAME TEXT``.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from pytest_automation_report.errors import SpoolError
from pytest_automation_report.spool.folder import FOLDER, is_spooled_name
from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import Disk
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK: Final = '"url":"spooled:'
"""Part of the JSON of each result with such an address, by which the sender finds it without decoding all."""

_ADDRESS: Final = lazy_pattern(r"spooled:(\S*) ?(.*)", re.DOTALL)
_OTHER: Final = lazy_pattern(r"[^A-Za-z0-9_-]")


def spooled_address(name: str, shown: str) -> str:
    """Return the address of a file in the spool; the result shows the text ``shown`` if it is never stored."""
    return f"spooled:{name} {shown}"


def spooled_name(worker: str, number: int) -> str:
    """Return the name in the spool of a worker's file; ``number`` counts them."""
    return f"{_OTHER.sub('_', worker)[:60]}-{number}"


def spooled_file(address: str) -> tuple[str, str] | None:
    """Split a spooled address into the name of the file and the text for people; None for other addresses."""
    match = _ADDRESS.fullmatch(address)
    return (match[1], match[2]) if match else None


_PIECE_BYTES: Final = 1 << 20
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.OWN_FILE
_READ: Final = os.O_RDONLY | system.OWN_FILE | system.NO_WAIT


class ArtifactSpoolError(ValueError):
    """A file is not copied into the spool; the message is the reason, in a few words."""


class ArtifactSpool:
    """Copies the files of one process that runs tests into the spool; creates the folder with the first file.

    ``most_bytes`` is the limit for one file, ``most_together`` that for all files that wait to be sent, in bytes. A
    file is read with the functions as they are: under a patched ``open`` a test adds what it would read itself.
    """

    def __init__(self, session: str, worker: str, *, most_bytes: int, most_together: int) -> None:
        self._disk = Disk()
        self._session = session
        self._path = f"{session}{os.sep}{FOLDER}"
        self._worker = worker
        self._pid = os.getpid()
        self._number = 0
        # Bytes of this process's files; the other workers' are added when the folder is measured, in `_check`.
        self._used = 0
        self.most_bytes = most_bytes
        self.most_together = most_together

    def add(self, content: Path | bytes) -> tuple[str, int]:
        """Copy a file, or bytes; return its name and size in bytes. Raises `ArtifactSpoolError` if it is too large."""
        # A forked child counts on with the same numbers: its files would have the names of its parent's.
        if self._disk.getpid() != self._pid:
            raise ArtifactSpoolError("a forked process cannot keep files")
        if isinstance(content, bytes):
            return self._put(iter((content,)))
        with content.open("rb") as file:
            return self._put(iter(lambda: file.read(_PIECE_BYTES), b""))

    def _put(self, pieces: Iterator[bytes]) -> tuple[str, int]:
        self._number += 1
        name = spooled_name(self._worker, self._number)
        path, size = f"{self._path}{os.sep}{name}", 0
        descriptor = self._new(path)
        try:
            for piece in pieces:
                size += len(piece)
                self._check(name, size)
                unwritten = memoryview(piece)
                while unwritten:
                    unwritten = unwritten[self._disk.write(descriptor, unwritten) :]
        except BaseException:
            self._disk.close(descriptor)
            self._disk.unlink(path)
            raise
        self._disk.close(descriptor)
        self._used += size
        return name, size

    def _new(self, path: str) -> int:
        try:
            return self._disk.open(path, _WRITE, 0o600)
        except FileNotFoundError:
            try:
                self._disk.lstat(self._session)
            except FileNotFoundError:  # a test has deleted it
                self._disk.makedirs(self._session, 0o700, exist_ok=True)
            with suppress(FileExistsError):  # another worker has created it since
                # Not by `makedirs`, which calls functions that a test may have replaced.
                self._disk.mkdir(self._path, 0o700)
            return self._disk.open(path, _WRITE, 0o600)

    def _check(self, name: str, size: int) -> None:
        """Raise `ArtifactSpoolError` if a file that is being written, with this size so far, exceeds a limit."""
        if size > self.most_bytes:
            raise ArtifactSpoolError(f"larger than {self.most_bytes:,} bytes (artifact_size)")
        if self._used + size > self.most_together:
            # Measured only at the limit, not for each file: the sender has removed the files that it stored.
            self._used = 0
            with self._disk.scandir(self._path) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # the sender removes it meanwhile
                        self._used += 0 if entry.name == name else entry.stat(follow_symlinks=False).st_size
        if self._used + size > self.most_together:
            raise ArtifactSpoolError(f"more than {self.most_together:,} bytes would wait to be sent (artifact_total)")


def open_spooled(session: Path, name: str) -> BinaryIO:
    """Open a file of a session's results for reading; raises `SpoolError` for all others, as for a link or a path."""
    if not is_spooled_name(name):
        raise SpoolError("its record does not name a file that pytest has copied")
    try:
        with _folder(session) as folder:
            descriptor = folder.open(name, _READ)
    except OSError as error:
        raise SpoolError(f"its copy in the spool cannot be read ({error.strerror or error})") from error
    status = os.fstat(descriptor)
    # A file with a second name may be a hard link to a file of the user, which a forged spool would have uploaded.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise SpoolError("its copy in the spool was replaced")
    return os.fdopen(descriptor, "rb")


def spooled_size(session: Path, name: str) -> int | None:
    """Return the size of a file of a session's results in bytes, None if it cannot be opened."""
    try:
        with open_spooled(session, name) as file:
            return os.fstat(file.fileno()).st_size
    except SpoolError:
        return None


def remove_spooled(session: Path, name: str) -> None:
    """Remove a file that was opened, if it still exists."""
    with suppress(FileNotFoundError), _folder(session) as folder:  # a test that adds it by two names has one copy
        folder.remove(name)


@contextmanager
def _folder(session: Path) -> Iterator[system.Folder]:
    """Yield the folder with a session's files; raises `OSError` if one of the two is not a folder."""
    with system.Folder(session) as folder, system.Folder(FOLDER, inside=folder) as files:
        yield files
