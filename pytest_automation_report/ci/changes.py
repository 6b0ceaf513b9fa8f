"""The digest of what differs from the commit in the checkout of a user at work."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Final

from pytest_automation_report.text.files import read_file

if TYPE_CHECKING:
    from pathlib import Path

_UNKNOWN: Final = "unknown"  # of a checkout that git cannot compare, or that differs in more than is read
_MAX_CHANGED_BYTES: Final = 50_000_000
_DIGEST_CHARACTERS: Final = 12


def digest_of(told: bytes, folder: Path, deadline: float) -> str:
    """Return a digest of what differs, by what git ``told``: names, modes, contents; "unknown" if it cannot tell."""
    *names, sign = told.split(b"\0")
    if sign != b"=":
        return _UNKNOWN
    between = names.index(b"")
    paths = sorted({*(name[3:] for name in names[:between]), *names[between + 1 :]})
    root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
    digest, left = sha256(), _MAX_CHANGED_BYTES
    for path in paths:
        try:
            mode, content = _file_content(root / os.fsdecode(path), left)
        except (OSError, ValueError):
            return _UNKNOWN
        left -= len(content)
        if left < 0 or monotonic() > deadline:
            return _UNKNOWN
        digest.update(b"%d %d %b\0%b" % (mode, len(content), path, content))
    return digest.hexdigest()[:_DIGEST_CHARACTERS]


def _file_content(path: Path, most: int) -> tuple[int, bytes]:
    """Return mode and content as git knows them, of a missing file 0 and nothing; raises OSError and ValueError."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, b""
    if stat.S_ISLNK(found.st_mode):
        return stat.S_IFLNK, os.fsencode(path.readlink())
    # A folder is a repository in this one, whose files nobody has listed.
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        raise ValueError(path)
    return found.st_mode & stat.S_IXUSR, read_file(path, most, is_foreign=True)
