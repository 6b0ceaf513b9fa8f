"""Compare a git checkout with its index: whether files differ from the commit that is checked out.

Only sizes and times of files are compared, as git itself does first, and no process is started. A file that was written
again with the same content counts as changed until git refreshes its index, as ``git status`` does.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["has_changes"]

_MAX_BYTES: Final = 1024 * 1024
"""Largest index that is compared, of about 10,000 files: that takes 30 ms, and a session waits for it."""

_HEADER: Final = struct.Struct(">4sII")
_STAT: Final = struct.Struct(">8xII8xI8xI")  # mtime in seconds and nanoseconds, mode, size
_FLAGS: Final = struct.Struct(">H")
_SIZED: Final = struct.Struct(">4sI")
_IGNORED: Final = 0x8000  # "assume unchanged"
_EXTENDED: Final = 0x4000
_STAGE: Final = 0x3000
_OUTSIDE: Final = 0x4000  # in the extended flags: not in this sparse checkout
_FILE_TYPES: Final = frozenset({0o100, 0o120})  # regular files and symbolic links, by the first digits of their mode
_SHARED_INDEX: Final = b"link"
_TREE: Final = b"TREE"
_PADDED_VERSIONS: Final = frozenset({2, 3})
_SIZE_MASK: Final = 0xFFFFFFFF


class _Entry(NamedTuple):
    name: bytes
    seconds: int
    nanoseconds: int
    size: int


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
    place = _HEADER.size
    entries: list[_Entry] = []
    for _ in range(count):
        entry, place, is_merged = _entry(data, place, hash_bytes)
        if not is_merged:
            return True
        if entry is not None:
            entries.append(entry)
    extensions = dict(_extensions(data[:-hash_bytes], place))
    if _SHARED_INDEX in extensions:
        return None
    # The cached tree of the root is invalid from `git add` to `git commit`.
    if extensions.get(_TREE, b"\0").partition(b"\0")[2].startswith(b"-1"):
        return True
    return any(_is_changed(root, entry) for entry in entries)


def _entry(data: bytes, place: int, hash_bytes: int) -> tuple[_Entry | None, int, bool]:
    """Return the file at a place of the index, the place of the next one, and whether it has no conflict.

    The file is None if it is not to be compared.
    """
    seconds, nanoseconds, mode, size = _STAT.unpack_from(data, place)
    head = place + _STAT.size + hash_bytes
    (flags,) = _FLAGS.unpack_from(data, head)
    head += _FLAGS.size
    is_outside = False
    if flags & _EXTENDED:
        is_outside = bool(_FLAGS.unpack_from(data, head)[0] & _OUTSIDE)
        head += _FLAGS.size
    end = data.index(b"\0", head)
    following = place + ((end - place) // 8 + 1) * 8
    is_compared = not (flags & _IGNORED or is_outside) and mode >> 9 in _FILE_TYPES
    entry = _Entry(data[head:end], seconds, nanoseconds, size) if is_compared else None
    return entry, following, not flags & _STAGE


def _extensions(data: bytes, place: int) -> Iterator[tuple[bytes, bytes]]:
    while place + _SIZED.size <= len(data):
        name, size = _SIZED.unpack_from(data, place)
        place += _SIZED.size
        yield name, data[place : place + size]
        place += size


def _is_changed(root: bytes, entry: _Entry) -> bool:
    try:
        status = os.lstat(root + b"/" + entry.name)
    except FileNotFoundError:
        return True
    if status.st_size & _SIZE_MASK != entry.size:
        return True
    seconds, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    # Some builds of git store whole seconds alone.
    return seconds & _SIZE_MASK != entry.seconds or entry.nanoseconds not in (0, nanoseconds)
