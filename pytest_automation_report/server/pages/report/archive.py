"""Pack fragments of HTML into one text: chunks of compressed fragments, and an index of them."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BETWEEN_FRAGMENTS", "Archive"]

BETWEEN_FRAGMENTS: Final = "\x1e"
"""The character between the fragments of a chunk. Pages show control characters escaped, so no fragment has it."""


class Archive:
    """The chunks of one report; its text has the index in the first line and a chunk in each of the others.

    A line is the Base64 of raw deflate, which browsers inflate without a library.
    """

    def __init__(self) -> None:
        self._chunks: list[str] = []

    def add(self, fragments: Iterable[str]) -> int:
        """Add a chunk and return its number, which counts from 1."""
        self._chunks.append(_packed(BETWEEN_FRAGMENTS.join(fragments)))
        return len(self._chunks)

    def add_file(self, data: bytes) -> int:
        """Add a chunk that is a whole file and return its number."""
        self._chunks.append(_packed_bytes(data))
        return len(self._chunks)

    def text(self, index: dict[str, Any]) -> str:
        """Return the archive with this index."""
        first = _packed(json.dumps(index, ensure_ascii=True, separators=(",", ":"), sort_keys=True))
        return "\n".join([first, *self._chunks])


def _packed(text: str) -> str:
    return _packed_bytes(text.encode("utf-8", "replace"))


def _packed_bytes(data: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return b64encode(compressor.compress(data) + compressor.flush()).decode("ascii")
