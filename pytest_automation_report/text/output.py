"""Write a file that a user names, as a whole."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_automation_report.system.here import system
from pytest_automation_report.text.files import Disk, write_draft

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    """Return the bytes of pieces of text in UTF-8, with backslashes for what it has not: lone surrogates."""
    return (piece.encode("utf-8", "backslashreplace") for piece in pieces)


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
    target = None if status is None else _open_stream(status)
    if target is None and (status is None or stat.S_ISREG(status.st_mode)):
        replace_file(Path(os.path.realpath(path)), pieces)
        return
    with open(path if target is None else target, "wb") as file:  # noqa: PTH123 - or a descriptor
        file.writelines(pieces)


def _open_stream(status: os.stat_result) -> int | None:
    """Return a new descriptor of the stream of this process that goes to this file, None if there is none."""
    for stream in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(stream), status):
                return os.dup(stream)
    return None
