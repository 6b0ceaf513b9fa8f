"""The lines that spool and ledger are made of: length, CRC32 and JSON (floor 0, pure).

A record is one line of ASCII, ``LLLLLLLL CCCCCCCC {json}`` and a newline: eight hexadecimal digits for the length of
the JSON in bytes, eight for its CRC32. JSON in ASCII holds no raw newline, so a reader that meets a damaged record
goes on at the next line. What pytest's process and the sender write is made here, so that both sides read the same
words.
"""

from __future__ import annotations

import json
from binascii import crc32
from dataclasses import dataclass
from itertools import zip_longest
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FORMAT: Final = 1
"""Version of the records; a reader refuses a newer one."""

AGAIN: Final = "again"
"""Outcome of a crash that counts as a failure although the test is to run again, as xdist does for scopes."""

_HEADER: Final = 18
_LONGEST_BYTES: Final = 64 << 20
_NAMES: Final = 500
_TEST_MARK: Final = ',"test":'
_START: Final = b'{"k":"start",'
_PASS: Final = b'{"k":"pass",'

# Tests patch `json`: what pytest's process needs is taken once, when this module is imported.
_decode: Final[Callable[[str], tuple[Any, int]]] = json.JSONDecoder().raw_decode
encode: Final[Callable[[object], str]] = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: its kind, its members, and the undecoded JSON of its test where it has one."""

    kind: str
    members: Mapping[str, Any]
    test: str = ""


@dataclass(frozen=True, slots=True)
class PositionedRecord:
    """A record and the offset of its first byte in its file; ``begun`` is that of a PASS's START if it is left out."""

    offset: int
    record: Record
    begun: int = -1


def framed(payload: str) -> bytes:
    """Return the line, in bytes, that holds this ASCII JSON object."""
    data = payload.encode("ascii")
    return b"%b%b\n" % (_header(data), data)


def unframed(line: bytes) -> str | None:
    """Return the JSON of a line without its newline, or ``None`` when the line is damaged."""
    payload = line[_HEADER:]
    if line[:_HEADER] != _header(payload):
        return None
    try:
        return payload.decode("ascii")
    except UnicodeDecodeError:
        return None


def _header(payload: bytes) -> bytes:
    return b"%08x %08x " % (len(payload), crc32(payload))


def record_from(payload: str) -> Record | None:
    """Return the record in this JSON, or ``None`` when it is no object with a kind."""
    head, mark, test = payload.partition(_TEST_MARK)
    text = head + "}" if mark else head
    try:
        members, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    if end != len(text) or not isinstance(members, dict) or not isinstance(members.get("k"), str):
        return None
    return Record(members["k"], members, test[:-1] if mark else "")


@dataclass(slots=True)
class Decoder:
    """Turns the bytes of one file, in whatever pieces they come, into records; owned by whoever reads the file.

    A line that is longer than any record is damaged, and none of it is kept.
    """

    damaged: int = 0
    position: int = 0
    _tail: bytes = b""
    _is_endless: bool = False

    @property
    def is_torn(self) -> bool:
        """Whether the bytes so far end in the middle of a record."""
        return bool(self._tail)

    def rewind(self) -> None:
        """Forget the piece of a record that stands at the end: it is read again, or its writer has taken it back."""
        self._tail = b""

    def feed(self, chunk: bytes) -> list[PositionedRecord]:
        """Return the records that these next bytes complete; damaged lines are counted, blank ones skipped.

        A START whose PASS follows is left out: it says nothing more, and there are as many as there are tests.
        """
        found: list[PositionedRecord] = []
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        begun = -1
        for line, following in zip_longest(lines, lines[1:], fillvalue=b""):
            offset = self.position
            self.position += len(line) + 1
            if self._is_endless or not line:
                self._is_endless = False
                continue
            if line.startswith(_START, _HEADER) and _is_pass_of(line, following):
                begun = offset
                continue
            payload = unframed(line)
            record = None if payload is None else record_from(payload)
            if record is None:
                self.damaged += 1
            else:
                found.append(PositionedRecord(offset, record, begun))
            begun = -1
        if self._is_endless or len(self._tail) > _LONGEST_BYTES:
            self.damaged += not self._is_endless
            self._is_endless = True
            self.position += len(self._tail)
            self._tail = b""
        return found


def _is_pass_of(start: bytes, line: bytes) -> bool:
    """Whether a line is the whole PASS of the attempt that this START begins."""
    number = start[_HEADER + len(_START) :].partition(b",")[0]
    return line.startswith(b"%b%b," % (_PASS, number), _HEADER) and unframed(line) is not None


def plain_record(kind: str, **members: object) -> bytes:
    """Return a record without a test; for everything that is not written once a test."""
    return framed(encode({"k": kind, **members}))


def collected_names(nodeids: Sequence[str]) -> Iterator[bytes]:
    """Yield the records that name all tests that were collected."""
    for first in range(0, len(nodeids), _NAMES):
        yield plain_record("ids", ids=list(nodeids[first : first + _NAMES]))


def attempt_header(nodeid: str, file: str, line: int | None) -> str:
    """Return the members that say which test an attempt is of; made once, for its START and its PASS.

    A line that is no integer, as an item of a plugin may have, is none: it must not cost the result.
    """
    return f'"id":{_quoted(nodeid)},"file":{_quoted(file)},"line":{line if type(line) is int else "null"}'


def start_record(number: int, moment: int, attempt_header: str) -> bytes:
    """Return START: attempt ``number`` of this process begins, ``moment`` microseconds into the session."""
    return framed(f'{{"k":"start","n":{number},"t":{moment},{attempt_header}}}')


def pass_record(number: int, moment: int, began: int, elapsed: int, attempt_header: str) -> bytes:
    """Return PASS: attempt ``number`` is over and passed, with nothing to say but how long that took.

    It holds all that its START does, so that either may be damaged; who sends it makes the result, many at once.
    """
    return framed(f'{{"k":"pass","n":{number},"t":{moment},"began":{began},"elapsed":{elapsed},{attempt_header}}}')


def finish_record(number: int, moment: int, *, key: str, status: str, elapsed: int, is_final: bool, test: str) -> bytes:
    """Return FINISH: attempt ``number`` is over; ``test`` is the result as the JSON that the server gets."""
    final = "true" if is_final else "false"
    return framed(
        f'{{"k":"finish","n":{number},"t":{moment},"key":{_quoted(key)},"status":"{status}","elapsed":{elapsed},'
        f'"final":{final}{_TEST_MARK}{test}}}'
    )
