"""Frame and parse the records of spool and ledger: length, CRC32 and JSON, one record per line.

A record is one line, ``LLLLLLLL CCCCCCCC {json}`` and a newline: eight hexadecimal digits for the length of the JSON in
bytes, eight for its CRC32. JSON holds no raw newline, so a reader skips a damaged record and continues at the next
line. Pytest's process and the sender both use this module, so they agree on the format.

`spool.record_kinds` has the kinds of records in a spool, `spool.ledger_records` those of the ledger.
"""

from __future__ import annotations

from binascii import crc32
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from pytest_automation_report.api.models import decode, encode

if TYPE_CHECKING:
    from msgspec.json import Decoder as JsonDecoder

FORMAT: Final = 1
"""Version of records and manifest; a reader refuses every other version.

A new member with a default needs no new version: unknown members are ignored.
"""

_HEADER_BYTES: Final = 18
# A foreign or damaged file may be one line of any length: up to this size it is held in memory.
_MAX_LINE_BYTES: Final = 64 << 20


class Record(Struct, frozen=True, omit_defaults=True, tag_field="k"):
    """Base of records; the tag of a class is its kind. A member with its default is left out."""

    def framed(self) -> bytes:
        """Encode the record as a line of its file."""
        return framed(encode(self))


class PositionedRecord(NamedTuple):
    """A record and the offset of its first byte in its file."""

    offset: int
    record: Record


def framed(payload: bytes) -> bytes:
    """Frame a JSON object as a line with its length and CRC32."""
    return b"%08x %08x %b\n" % (len(payload), crc32(payload), payload)


def unframed(line: bytes) -> bytes | None:
    """Return the JSON of a line that ends before its newline, or ``None`` if the line is damaged."""
    payload = line[_HEADER_BYTES:]
    return payload if line[:_HEADER_BYTES] == b"%08x %08x " % (len(payload), crc32(payload)) else None


class Decoder:
    """Decode the bytes of one file, in pieces of any size, into records; owned by the reader of that file.

    ``kinds`` decodes one record. A record of another kind, or one that is not as its kind declares it, is damaged, too:
    a right checksum only shows that a line is whole. If ``is_strict``, `ValueError` is raised for it.

    The bytes of a worker's file::

        0                          100                          230
        | LLLLLLLL CCCCCCCC {start} | LLLLLLLL CCCCCCCC {finish} | LLLLLLLL CCC
        '-- offset=0 ---------------'-- offset=100 --------------'-- _tail: wait for the next piece

    ``position`` is the offset behind the last complete line (230 here). A line that is longer than any record is
    damaged: it is counted once, none of it is stored, and decoding continues behind its newline.
    """

    __slots__ = ("_is_endless", "_is_strict", "_kinds", "_tail", "damaged", "position")

    def __init__(self, kinds: JsonDecoder[Record], *, is_strict: bool = False) -> None:
        self._kinds = kinds
        self._is_strict = is_strict
        self.damaged = 0
        self.position = 0
        self._tail = b""
        # Inside a line longer than any record: everything up to the next newline belongs to it and is skipped.
        self._is_endless = False

    @property
    def is_torn(self) -> bool:
        """Whether the bytes so far end in the middle of a record."""
        return bool(self._tail)

    def rewind(self) -> None:
        """Forget the unfinished record at the end: it is read again, or its writer has removed it."""
        self._tail = b""

    def feed(self, chunk: bytes) -> list[PositionedRecord]:
        """Decode the records that the next bytes complete; count damaged lines and skip blank ones."""
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        records: list[PositionedRecord] = []
        for line in lines:
            offset = self.position
            self.position += len(line) + 1
            if self._is_endless or not line:
                self._is_endless = False
            elif (record := self._record(line)) is None:
                self.damaged += 1
            else:
                records.append(PositionedRecord(offset, record))
        if self._is_endless or len(self._tail) > _MAX_LINE_BYTES:
            self.damaged += not self._is_endless
            self._is_endless = True
            self.position += len(self._tail)
            self._tail = b""
        return records

    def _record(self, line: bytes) -> Record | None:
        payload = unframed(line)
        try:
            return None if payload is None else decode(payload, self._kinds)
        except (ValueError, RecursionError) as error:
            if self._is_strict:
                raise ValueError(str(error)) from error
            return None
