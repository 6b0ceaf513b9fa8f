"""Write a text to a file as a whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ENCODING: Final = "utf-8"
"""The encoding of written texts; characters that it has not are escaped with backslashes."""


def replace_file(path: Path, pieces: Iterable[str]) -> None:
    """Write a text from its pieces, beside its place and then renamed: other programs never see a half one.

    Raises `OSError` if it cannot be written; an earlier file then stays.
    """
    replace_bytes(path, (piece.encode(ENCODING, "backslashreplace") for piece in pieces))


def replace_bytes(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file from its pieces as `replace_file` does."""
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
        Path(beside).chmod(_mode(path))
        Path(beside).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(beside).unlink()
        raise


def _mode(path: Path) -> int:
    """Return the permissions that a file has, or would have if a program created it."""
    with suppress(FileNotFoundError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
