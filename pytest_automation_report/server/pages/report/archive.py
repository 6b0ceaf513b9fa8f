"""Pack fragments of HTML into one text: chunks of compressed fragments, each in a line."""

from __future__ import annotations

import zlib
from base64 import b64encode, b85encode
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BETWEEN_FRAGMENTS", "Archive"]

BETWEEN_FRAGMENTS: Final = "\x1e"
"""The character between the fragments of a chunk. Pages show control characters escaped, so no fragment has it."""

HAS_LZMA: Final = find_spec("_lzma") is not None
"""Whether Python was built with LZMA; reports are a third larger without it."""

MOST_LZMA_BYTES: Final = 2_500_000
"""Largest text that is packed as LZMA: scripts unpack 20 MB a second, and a reader waits."""

_LITERAL_CONTEXT_BITS: Final = 4
_PRESET: Final = 6
_LEAST_DICTIONARY: Final = 4096
# Digits of Base85 that mean something in HTML, and others in their place.
_HARMLESS: Final = bytes.maketrans(b"<>&", b",./")


class Archive:
    """The chunks of one report; its text has a chunk in each line, and the first one is added last.

    A line is the size of a text, its Adler-32 and the Base85 of its LZMA; or it is the Base64 of raw deflate, which
    browsers inflate without a script.
    """

    def __init__(self) -> None:
        self._chunks: list[str] = []

    def add(self, fragments: Iterable[str]) -> int:
        """Add a chunk and return its number, which counts from 1."""
        self._chunks.append(_packed(fragments))
        return len(self._chunks)

    def add_file(self, data: bytes) -> int:
        """Add a chunk that is a whole file and return its number."""
        self._chunks.append(_deflated(data))
        return len(self._chunks)

    def text(self, first: Iterable[str]) -> str:
        """Return the archive whose first chunk has these fragments."""
        return "\n".join([_packed(first), *self._chunks])


def _packed(fragments: Iterable[str]) -> str:
    data = BETWEEN_FRAGMENTS.join(fragments).encode("utf-8", "replace")
    if not HAS_LZMA or not 0 < len(data) <= MOST_LZMA_BYTES:
        return _deflated(data)
    import lzma  # noqa: PLC0415 - it may be missing

    # The compressor needs 12 times the memory of its dictionary.
    size = max(_LEAST_DICTIONARY, 1 << len(data).bit_length())
    context = {"lc": _LITERAL_CONTEXT_BITS, "lp": 0, "pb": 0}
    method = {"id": lzma.FILTER_LZMA1, "preset": _PRESET, "dict_size": size, **context}
    packed = lzma.compress(data, format=lzma.FORMAT_RAW, filters=[method])
    return f"{len(data)} {zlib.adler32(data)} {b85encode(packed).translate(_HARMLESS).decode('ascii')}"


def _deflated(data: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return b64encode(compressor.compress(data) + compressor.flush()).decode("ascii")
