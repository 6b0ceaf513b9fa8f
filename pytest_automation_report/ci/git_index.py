"""Compare a git checkout with its index: whether files differ from the commit that is checked out.

Only sizes and times of files are compared, as git itself does first, and no process is started. A file that was written
again with the same content counts as changed until git refreshes its index, as ``git status`` does.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["has_changes"]

_MAX_BYTES: Final = 1024 * 1024
"""Largest index that is compared, of about 10,000 files: that takes 25 ms, and a session waits for it."""

_HEADER: Final = struct.Struct(">4sII")
_FLAGS: Final = struct.Struct(">H")
_SIZED: Final = struct.Struct(">4sI")
_IGNORED: Final = 0x8000  # "assume unchanged"
_EXTENDED: Final = 0x4000
_STAGE: Final = 0x3000
_SPECIAL: Final = _IGNORED | _EXTENDED | _STAGE
_OUTSIDE: Final = 0x4000  # in the extended flags: not in this sparse checkout
_FILE_TYPES: Final = frozenset({0o100, 0o120})  # regular files and symbolic links, by the first digits of their mode
_SHARED_INDEX: Final = b"link"
_TREE: Final = b"TREE"
_PADDED_VERSIONS: Final = frozenset({2, 3})
_SIZE_MASK: Final = 0xFFFFFFFF
_SECOND_NS: Final = 1_000_000_000


_Entry: TypeAlias = "tuple[bytes, int, int, int]"
"""Name of a file, the seconds and nanoseconds of its last change, its size."""


def has_changes(root: Path, index: Path, hash_bytes: int) -> bool | None:
    """Return whether tracked files below ``root`` differ from the index, or the index from its commit.

    None if that is not known: the index is missing, too large, or has a form that is seldom used. ``hash_bytes`` is the
    length of the repository's hashes. Files that git does not track do not count.
    """
    try:
        if index.stat().st_size > _MAX_BYTES:
            return None
        return _has_changes(os.fsencode(root), index.read_bytes(), hash_bytes)
    except (OSError, ValueError, struct.error, IndexError):
        return None


def _has_changes(root: bytes, data: bytes, hash_bytes: int) -> bool | None:
    mark, version, count = _HEADER.unpack_from(data)
    if mark != b"DIRC" or version not in _PADDED_VERSIONS:
        return None
    entries, place, is_merged = _entries(data, count, hash_bytes)
    if not is_merged:
        return True
    extensions = dict(_extensions(data[:-hash_bytes], place))
    if _SHARED_INDEX in extensions:
        return None
    # The cached tree of the root is invalid from `git add` to `git commit`.
    if extensions.get(_TREE, b"\0").partition(b"\0")[2].startswith(b"-1"):
        return True
    return _is_any_changed(root + b"/", entries)


def _entries(data: bytes, count: int, hash_bytes: int) -> tuple[list[_Entry], int, bool]:
    """Return the files of the index that are to be compared, the place behind all, and whether none has a conflict.

    In one loop, with one `unpack_from` a file, since a session waits for it: with a function and an object for each
    file it took a quarter longer.
    """
    entry = struct.Struct(f">8xII8xI8xI{hash_bytes}xH")  # mtime in seconds and nanoseconds, mode, size, flags
    place = _HEADER.size
    entries: list[_Entry] = []
    for _ in range(count):
        seconds, nanoseconds, mode, size, flags = entry.unpack_from(data, place)
        head = place + entry.size
        is_compared = mode >> 9 in _FILE_TYPES
        if flags & _SPECIAL:
            if flags & _STAGE:
                return entries, place, False
            if flags & _EXTENDED:
                is_compared = is_compared and not _FLAGS.unpack_from(data, head)[0] & _OUTSIDE
                head += _FLAGS.size
            is_compared = is_compared and not flags & _IGNORED
        end = data.index(b"\0", head)
        if is_compared:
            entries.append((data[head:end], seconds, nanoseconds, size))
        place += ((end - place) // 8 + 1) * 8
    return entries, place, True


def _extensions(data: bytes, place: int) -> Iterator[tuple[bytes, bytes]]:
    while place + _SIZED.size <= len(data):
        name, size = _SIZED.unpack_from(data, place)
        place += _SIZED.size
        yield name, data[place : place + size]
        place += size


def _is_any_changed(root: bytes, entries: list[_Entry]) -> bool:
    lstat = os.lstat
    try:
        for name, seconds, nanoseconds, size in entries:
            status = lstat(root + name)
            # One comparison for nearly all files.
            is_same = status.st_mtime_ns == seconds * _SECOND_NS + nanoseconds and status.st_size == size
            if not is_same and _is_changed(status, seconds, nanoseconds, size):
                return True
    except FileNotFoundError:
        return True
    return False


def _is_changed(status: os.stat_result, seconds: int, nanoseconds: int, size: int) -> bool:
    if status.st_size & _SIZE_MASK != size:
        return True
    now_seconds, now_nanoseconds = divmod(status.st_mtime_ns, _SECOND_NS)
    # Some builds of git store whole seconds alone.
    return now_seconds & _SIZE_MASK != seconds or nanoseconds not in (0, now_nanoseconds)
