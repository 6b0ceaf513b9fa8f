"""Read commits from git's packs, where git keeps all objects of a clone, and those that it tidied up.

A pack is a file of compressed objects, many of them only as their difference to another one. Its index has the sorted
names of its objects and their places. Of both only the needed parts are read, whatever their size.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from bisect import bisect_left
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["OBJECT_BYTES", "GitPacks"]

OBJECT_BYTES: Final = 64 * 1024
"""Bytes of an object that are unpacked: a commit is short, even with a signature or many parents."""

_INDEX_MARK: Final = b"\xfftOc\0\0\0\2"
_FIRST: Final = len(_INDEX_MARK)
_COUNTS: Final = 256
"""Numbers at the beginning of an index: how many names begin with each byte, or one below it."""

_NAMES: Final = _FIRST + 4 * _COUNTS
_IS_LARGE: Final = 1 << 31
_COMMIT, _PLACE_DELTA, _NAME_DELTA = 1, 6, 7
_MORE: Final = 0x80
_MAX_DELTAS: Final = 4096
_WHOLE_COPY: Final = 0x10000
_DAMAGE: Final = (OSError, ValueError, IndexError, struct.error, zlib.error)


class GitPacks:
    """The packs of some folders of objects; once a commit is asked for they are open until this context ends."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._stack = ExitStack()
        self._folders = folders
        self._packs: list[tuple[mmap.mmap, Path]] | None = None
        self._contents: dict[Path, mmap.mmap] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def commit(self, name: str) -> bytes | None:
        """Return the text of a commit, its first `OBJECT_BYTES`; None if no pack has it or the pack is damaged."""
        try:
            return self._commit(bytes.fromhex(name))
        except _DAMAGE:
            return None

    def _commit(self, name: bytes) -> bytes | None:
        found = self._found(name)
        deltas: list[bytes] = []
        while found is not None and len(deltas) < _MAX_DELTAS:
            pack, begin = found
            kind, place = pack[begin] >> 4 & 7, _after_size(pack, begin)
            if kind == _COMMIT:
                return _with_deltas(_inflated(pack, place), deltas)
            if kind == _PLACE_DELTA:
                back, place = _distance(pack, place)
                found = pack, begin - back
            elif kind == _NAME_DELTA:
                found, place = self._found(pack[place : place + len(name)]), place + len(name)
            else:
                return None
            deltas.append(_inflated(pack, place))
        return None

    def _found(self, name: bytes) -> tuple[mmap.mmap, int] | None:
        """Return the pack that has an object, and its place there."""
        if self._packs is None:
            self._packs = list(self._indexes())
        for index, path in self._packs:
            place = _place(index, name)
            if place is not None:
                if path not in self._contents:
                    self._contents[path] = self._mapped(path)
                return self._contents[path], place
        return None

    def _indexes(self) -> Iterator[tuple[mmap.mmap, Path]]:
        """Open the indexes; each with the path of its pack."""
        for folder in self._folders:
            for index in sorted((folder / "pack").glob("*.idx")):
                with suppress(*_DAMAGE):  # empty, or git has just removed it
                    yield self._mapped(index), index.with_suffix(".pack")

    def _mapped(self, path: Path) -> mmap.mmap:
        with path.open("rb") as file:
            return self._stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _place(index: mmap.mmap, name: bytes) -> int | None:
    """Return the place of an object in the pack of an index; None if it is not there."""
    if index[:_FIRST] != _INDEX_MARK:
        return None
    counts = struct.unpack_from(f">{_COUNTS}I", index, _FIRST)
    first, last, total, width = counts[name[0] - 1] if name[0] else 0, counts[name[0]], counts[-1], len(name)

    def name_at(number: int) -> bytes:
        return index[_NAMES + number * width : _NAMES + (number + 1) * width]

    number = first + bisect_left(range(first, last), name, key=name_at)
    if number == last or name_at(number) != name:
        return None
    places = _NAMES + total * (width + 4)  # behind the names stands a checksum of each object
    (place,) = struct.unpack_from(">I", index, places + 4 * number)
    if place & _IS_LARGE:
        (place,) = struct.unpack_from(">Q", index, places + 4 * total + 8 * (place ^ _IS_LARGE))
    return int(place)


def _after_size(data: mmap.mmap | bytes, place: int) -> int:
    """Return the place behind a number of seven bits a byte."""
    while data[place] & _MORE:
        place += 1
    return place + 1


def _distance(pack: mmap.mmap, place: int) -> tuple[int, int]:
    """Return how far before a difference its base begins, and the place behind this number."""
    back = pack[place] & ~_MORE
    while pack[place] & _MORE:
        place += 1
        back = (back + 1 << 7) | (pack[place] & ~_MORE)
    return back, place + 1


def _inflated(pack: mmap.mmap, place: int) -> bytes:
    return zlib.decompressobj().decompress(pack[place : place + OBJECT_BYTES], OBJECT_BYTES)


def _with_deltas(text: bytes, deltas: list[bytes]) -> bytes:
    """Return an object, given the last of its bases and the differences that lead from there to it, the last first."""
    for delta in reversed(deltas):
        text = _with_delta(text, delta)
    return text


def _with_delta(base: bytes, delta: bytes) -> bytes:
    """Apply a difference: copies of stretches of its base, and new text."""
    place = _after_size(delta, _after_size(delta, 0))
    parts: list[bytes] = []
    while place < len(delta):
        order, place = delta[place], place + 1
        if not order & _MORE:
            parts.append(delta[place : place + order])
            place += order
            continue
        numbers = [0] * 7  # four bytes of the start, three of the size, the lowest first; those that are 0 are left out
        for bit in range(7):
            if order & 1 << bit:
                numbers[bit], place = delta[place], place + 1
        start, size = int.from_bytes(numbers[:4], "little"), int.from_bytes(numbers[4:], "little")
        parts.append(base[start : start + (size or _WHOLE_COPY)])
    return b"".join(parts)[:OBJECT_BYTES]
