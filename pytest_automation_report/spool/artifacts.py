"""The addresses of files that wait in the spool: a result has them until the files are stored.

A result is encoded once, when its attempt ends; where its files are to be read is known only when they were uploaded.
So a file has an address that names it in the session's own folder, and nothing else: it is never a path.

The files of a session's results, from the test that adds them to the sender that uploads them.

They are copied into the session's own folder, under names of ours: so a file may change or go once it was added, each
attempt keeps its own, and the sender never opens a path that a record names. A record can be forged, and the sender
may run elsewhere, with other rights, as ``automation-report send``.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

MARK: Final = '"url":"spooled:'
"""Part of the JSON of each result that has such an address; of hardly any other."""

_SCHEME: Final = "spooled:"
_ADDRESS: Final = re.compile(r"spooled:(\S*) ?(.*)", re.DOTALL)
_is_name = re.compile(r"[A-Za-z0-9_-]{1,80}").fullmatch
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def spooled_address(name: str, shown: str) -> str:
    """Return the address of a file in the spool; ``shown`` tells people what it was, should nobody store it."""
    return f"{_SCHEME}{name} {shown}"


def spooled_name(worker: str, number: int) -> str:
    """Return the name of a file that a worker puts into the spool."""
    return f"{_OTHER.sub('_', worker)[:60]}-{number}"


def is_spooled_name(name: str) -> bool:
    """Whether a file in the spool may have this name; a forged record can have any."""
    return _is_name(name) is not None


def spooled_file(address: str) -> tuple[str, str] | None:
    """Return the name of a file in the spool, as the record has it, and what it is for people; None for others."""
    match = _ADDRESS.fullmatch(address)
    return (match[1], match[2]) if match else None


FOLDER: Final = "files"
"""Name of the folder in a session's folder."""

_PIECE_BYTES: Final = 1 << 20
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


class StashError(ValueError):
    """A file is not kept; the message says why, in a few words."""


class ArtifactSpool:
    """Where one process that runs tests puts its files; the folder is made when there is a first one.

    ``most_bytes`` is how large one may be, ``most_together`` how much all that still wait may have. What writing needs
    is held by the instance, since tests patch modules; a file is read as the test itself would read it.
    """

    __slots__ = ("_close", "_getpid", "_makedirs", "_mkdir", "_number", "_open", "_path", "_pid", "_scandir",
                 "_unlink", "_used", "_worker", "_write", "most_bytes", "most_together")  # fmt: skip

    def __init__(self, session: str, worker: str, *, most_bytes: int, most_together: int) -> None:
        self._open, self._write, self._close = os.open, os.write, os.close
        self._mkdir, self._makedirs = os.mkdir, os.makedirs
        self._unlink, self._scandir, self._getpid = os.unlink, os.scandir, os.getpid
        self._path = f"{session}/{FOLDER}"
        self._worker = worker
        self._pid = os.getpid()
        self._number = 0
        self._used = 0
        self.most_bytes = most_bytes
        self.most_together = most_together

    def keep(self, content: Path | bytes) -> tuple[str, int]:
        """Keep a file, or bytes, and return its name here and its size.

        Raises `StashError` for what is too much, `OSError` when it cannot be read or written.
        """
        if self._getpid() != self._pid:
            raise StashError("a forked process keeps none")
        if isinstance(content, bytes):
            return self._put(iter((content,)))
        with content.open("rb") as file:
            return self._put(iter(lambda: file.read(_PIECE_BYTES), b""))

    def _put(self, pieces: Iterator[bytes]) -> tuple[str, int]:
        self._number += 1
        name = spooled_name(self._worker, self._number)
        path, size = f"{self._path}/{name}", 0
        descriptor = self._new(path)
        try:
            for piece in pieces:
                size += len(piece)
                self._check(name, size)
                rest = memoryview(piece)
                while rest:
                    rest = rest[self._write(descriptor, rest) :]
        except BaseException:
            self._close(descriptor)
            self._unlink(path)
            raise
        self._close(descriptor)
        self._used += size
        return name, size

    def _new(self, path: str) -> int:
        try:
            return self._open(path, _WRITE, 0o600)
        except FileNotFoundError:
            self._make_folder()
            return self._open(path, _WRITE, 0o600)

    def _make_folder(self) -> None:
        """Make the folder, with that of the session, should a test have removed it."""
        with suppress(FileExistsError):  # another worker was quicker
            try:
                self._mkdir(self._path, 0o700)
            except FileNotFoundError:
                self._makedirs(self._path, 0o700)

    def _check(self, name: str, size: int) -> None:
        """Raise `StashError` when a file of this size, which is being written, is too much."""
        if size > self.most_bytes:
            raise StashError(f"larger than {self.most_bytes:,} bytes (artifact_size)")
        if self._used + size > self.most_together:
            with self._scandir(self._path) as found:  # the sender may have stored and removed what it counts
                self._used = sum(_size(each) for each in found if each.name != name)
        if self._used + size > self.most_together:
            raise StashError(f"more than {self.most_together:,} bytes would wait to be sent (artifact_total)")


def _size(entry: os.DirEntry[str]) -> int:
    """Return the size of a file, 0 when the sender removes it just now."""
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def opened(session: Path, name: str) -> BinaryIO:
    """Return a file of a session's stash, open for reading.

    Raises `SpoolError` for what is no file of ours: one that is gone, a path, a link of either kind, a folder.
    """
    if not is_spooled_name(name):
        raise SpoolError("its record names no file that pytest has copied")
    try:
        with _folder(session) as folder:
            descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        raise SpoolError(f"its copy in the spool cannot be read ({error.strerror or error})") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise SpoolError("its copy in the spool is none that pytest has made")
    return os.fdopen(descriptor, "rb")


def remove(session: Path, name: str) -> None:
    """Remove a file that was `opened` from a session's stash, where it is still there."""
    with suppress(FileNotFoundError), _folder(session) as folder:  # what its test adds by two names is removed once
        os.unlink(name, dir_fd=folder)


@contextmanager
def _folder(session: Path) -> Iterator[int]:
    """Yield a descriptor of the folder of a session's files; raises `OSError` when either is a link, or none."""
    around = os.open(session, _READ_FOLDER)
    try:
        descriptor = os.open(FOLDER, _READ_FOLDER, dir_fd=around)
    finally:
        os.close(around)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
