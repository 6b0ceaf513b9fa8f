"""Open and write files that a user or a stranger has named."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from pytest_automation_report.system.here import system
from pytest_automation_report.text.disk import Disk, write_draft

if TYPE_CHECKING:
    from collections.abc import Iterable

ENCODING: Final = "utf-8"
"""The encoding of written texts; characters that it has not are escaped with backslashes."""

PIPE_SECONDS: Final = 10.0
"""How long a pipe may have no program that writes to it."""

_READ: Final = os.O_RDONLY | system.NO_WAIT


def replace_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file beside its place and then rename it: other programs never see a half one.

    An earlier file's permissions are kept. Raises `OSError` if the file cannot be written; an earlier one then stays.
    """
    disk, draft = Disk(), path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        write_draft(disk, os.fspath(draft), pieces, 0o666)
        with suppress(FileNotFoundError):
            draft.chmod(stat.S_IMODE(path.stat().st_mode))
        system.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def encoded(pieces: Iterable[str]) -> Iterable[bytes]:
    """Return the bytes of pieces of text, in `ENCODING`."""
    return (piece.encode(ENCODING, "backslashreplace") for piece in pieces)


def write_output(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that a user names: a link is followed, and a device or a pipe is written to and stays.

    A name of the file that stdout or stderr goes to, as ``/dev/stdout``, means that stream. Raises `OSError`.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        status = None
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    target = None if status is None else _stream_of(status)
    if target is None and (status is None or stat.S_ISREG(status.st_mode)):
        replace_file(Path(os.path.realpath(path)), pieces)
        return
    with open(path if target is None else target, "wb") as file:  # noqa: PTH123 - or a descriptor
        file.writelines(pieces)


def _stream_of(status: os.stat_result) -> int | None:
    """Return a new descriptor of the stream of this process that goes to this file, None if there is none."""
    for stream in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(stream), status):
                return os.dup(stream)
    return None


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
    os.set_blocking(descriptor, True)


def read_file(path: Path, limit: int, *, is_foreign: bool = False) -> bytes:
    """Return the bytes of a file as `open_file` opens it; raises `OSError`, also for more than ``limit`` bytes."""
    with open_file(path, is_foreign=is_foreign) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes")
    return data
