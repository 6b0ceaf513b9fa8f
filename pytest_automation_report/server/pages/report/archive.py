"""Pack fragments of HTML into one text: chunks of fragments, in lines of compressed chunks."""

from __future__ import annotations

import zlib
from base64 import b64encode, b85encode
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BETWEEN_FRAGMENTS", "Archive"]

BETWEEN_FRAGMENTS: Final = "\x1e"
"""The character between the fragments of a chunk. Pages show control characters escaped, so no fragment has it."""

HAS_LZMA: Final = find_spec("_lzma") is not None
"""Whether Python was built with LZMA; reports are a third larger without it."""

MOST_LZMA_BYTES: Final = 2_500_000
"""Largest text of a line that is packed as LZMA: scripts unpack 20 MB a second, and a reader waits."""

_LITERAL_CONTEXT_BITS: Final = 4
_PRESET: Final = 6
_LEAST_DICTIONARY: Final = 4096
# Digits of Base85 that mean something in HTML, and others in their place.
_HARMLESS: Final = bytes.maketrans(b"<>&", b",./")


class Archive:
    """The chunks of one report, of which the first one is added last.

    A line has one chunk or several, which are packed as one text, since what they have in common then stands in it
    once: sizes and Adler-32 of the chunks, with commas between them, and the Base85 of their LZMA. Or it is one chunk
    as the Base64 of raw deflate, which browsers inflate without a script.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = [b""]
        self._files: set[int] = set()

    def add(self, fragments: Iterable[str]) -> int:
        """Add a chunk and return its number, which counts from 1. Readers of a chunk unpack those before it, too."""
        self._chunks.append(_joined(fragments))
        return len(self._chunks) - 1

    def add_file(self, data: bytes) -> int:
        """Add a chunk that is a whole file and return its number."""
        self._chunks.append(data)
        self._files.add(len(self._chunks) - 1)
        return len(self._chunks) - 1

    def text(self, first: Iterable[str]) -> str:
        """Return the archive whose first chunk has these fragments."""
        self._chunks[0] = _joined(first)
        lines: list[str] = []
        together: list[bytes] = []
        for number, chunk in enumerate(self._chunks):
            is_alone = number in self._files or not HAS_LZMA or len(chunk) > MOST_LZMA_BYTES
            if together and (is_alone or sum(map(len, together)) + len(chunk) > MOST_LZMA_BYTES):
                lines.append(_packed(together))
                together = []
            if is_alone:
                lines.append(_deflated(chunk))
            else:
                together.append(chunk)
        return "\n".join([*lines, _packed(together)] if together else lines)


def _joined(fragments: Iterable[str]) -> bytes:
    return BETWEEN_FRAGMENTS.join(fragments).encode("utf-8", "replace")


def _packed(chunks: Sequence[bytes]) -> str:
    import lzma  # noqa: PLC0415 - it may be missing

    data = b"".join(chunks)
    # The compressor needs 12 times the memory of its dictionary.
    size = max(_LEAST_DICTIONARY, 1 << len(data).bit_length())
    context = {"lc": _LITERAL_CONTEXT_BITS, "lp": 0, "pb": 0}
    method = {"id": lzma.FILTER_LZMA1, "preset": _PRESET, "dict_size": size, **context}
    packed = lzma.compress(data, format=lzma.FORMAT_RAW, filters=[method])
    sizes, sums = (",".join(map(str, numbers)) for numbers in (map(len, chunks), map(zlib.adler32, chunks)))
    return f"{sizes} {sums} {b85encode(packed).translate(_HARMLESS).decode('ascii')}"


def _deflated(data: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return b64encode(compressor.compress(data) + compressor.flush()).decode("ascii")
