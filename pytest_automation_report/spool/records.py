"""Frame and parse the records of spool and ledger: length, CRC32 and JSON, one record per line.

A record is one line of ASCII, ``LLLLLLLL CCCCCCCC {json}`` and a newline: eight hexadecimal digits for the length of
the JSON in bytes, eight for its CRC32. JSON in ASCII holds no raw newline, so a reader skips a damaged record and
continues at the next line. Pytest's process and the sender both use this module, so they agree on the format.

`spool.record_kinds` has the kinds of records in a spool, `spool.ledger_records` those of the ledger.
"""

from __future__ import annotations

import json
from binascii import crc32
from collections.abc import Mapping
from itertools import zip_longest
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pytest_automation_report.api.json_values import JsonError, JsonValue, decoder_of
from pytest_automation_report.unpatched import Unpatched
from pytest_automation_report.values import MutableValue, Value, field

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = 1
"""Version of records and manifest; a reader refuses every other version.

New kinds and new members need no new version: readers skip unknown kinds and have defaults for missing members.
"""

_HEADER_BYTES: Final = 18
# A foreign or damaged file may be one line of any length: up to this size it is held in memory.
_MAX_LINE_BYTES: Final = 64 << 20
# A FINISH ends with its test, so the test's JSON can be cut off and sent without decoding it.
_TEST_MARK: Final = ',"test":'
# Before the test, and cut off like it. Neither mark can occur within: a key of its objects is never named so, and in
# texts the quotation marks are escaped.
_EXTENSIONS_MARK: Final = ',"ext":'
_START: Final = b'{"k":"start",'
_PASS: Final = b'{"k":"pass",'

# Users' tests patch `json`: pytest's process takes its functions once, when this module is imported.
_decode: Final[Callable[[str], tuple[Any, int]]] = json.JSONDecoder().raw_decode
encode: Final = Unpatched.encode


class Record(JsonValue, omit_defaults=True):
    """Base of records; a class has its kind as the keyword ``kind``, and ``has_test`` if it ends with a test."""

    kind: ClassVar[str] = ""
    has_test: ClassVar[bool] = False

    def framed(self) -> bytes:
        """Encode the record as a line of its file."""
        return plain_record(self.kind, **self.body())


class UnknownRecord(Record):
    """A record of a later version, whose kind this one does not know."""

    members: Mapping[str, Any]

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The kind as it stands in the record."""
        return str(self.members["k"])


class PositionedRecord(Value):
    """A record and the offset of its first byte in its file.

    ``begun`` is the offset of the START that was dropped because this PASS follows it, -1 if none was dropped.
    """

    offset: int
    record: Record
    begun: int = -1


def framed(payload: str) -> bytes:
    """Frame an ASCII JSON object as a line with its length and CRC32."""
    data = payload.encode("ascii")
    return b"%b%b\n" % (_header(data), data)


def unframed(line: bytes) -> str | None:
    """Return the JSON of a line that ends before its newline, or ``None`` if the line is damaged."""
    payload = line[_HEADER_BYTES:]
    if line[:_HEADER_BYTES] != _header(payload):
        return None
    try:
        return payload.decode("ascii")
    except UnicodeDecodeError:
        return None


def _header(payload: bytes) -> bytes:
    return b"%08x %08x " % (len(payload), crc32(payload))


def record_from(payload: str, kinds: Mapping[str, type[Record]]) -> Record | None:
    """Parse a record of one of these kinds, or of an unknown one, from its JSON.

    Returns ``None`` if that is not an object with a kind. Raises `JsonError` for a record that is not as its kind
    declares it: a right checksum only shows that a line is whole, and a spool may be forged.
    """
    head, mark, test = payload.partition(_TEST_MARK)
    extensions = ""
    if mark:
        head, _, extensions = head.partition(_EXTENSIONS_MARK)
    text = head + "}" if mark else head
    try:
        members, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    if end != len(text) or not isinstance(members, dict) or not isinstance(members.get("k"), str):
        return None
    kind = kinds.get(members["k"])
    if kind is None:
        return UnknownRecord(members)
    if kind.has_test:
        members["test"], members["ext"] = test[:-1], extensions
    try:
        return decoder_of(kind)(members)  # type: ignore[no-any-return]
    except JsonError as error:
        error.path = (kind.kind, *error.path)
        raise


class Decoder(MutableValue):
    """Decode the bytes of one file, in pieces of any size, into records; owned by the reader of that file.

    ``kinds`` are the records that the file may hold, by their kinds. A record that is not as its kind declares it is
    damaged, too; if ``is_strict``, `JsonError` is raised for it.

    The bytes of a worker's file, with a START that its PASS follows::

        0                          100                        230
        | LLLLLLLL CCCCCCCC {start} | LLLLLLLL CCCCCCCC {pass} | LLLLLLLL CCC
        '-- dropped ----------------'-- offset=100, begun=0 ----'-- _tail: wait for the next piece

    ``position`` is the offset behind the last complete line (230 here). A line that is longer than any record is
    damaged: it is counted once, none of it is stored, and decoding continues behind its newline.
    """

    kinds: Mapping[str, type[Record]] = field(default_factory=dict)
    is_strict: bool = False
    damaged: int = 0
    position: int = 0
    _tail: bytes = b""
    # Inside a line longer than any record: everything up to the next newline belongs to it and is skipped.
    _is_endless: bool = False

    @property
    def is_torn(self) -> bool:
        """Whether the bytes so far end in the middle of a record."""
        return bool(self._tail)

    def rewind(self) -> None:
        """Forget the unfinished record at the end: it is read again, or its writer has removed it."""
        self._tail = b""

    def feed(self, chunk: bytes) -> list[PositionedRecord]:
        """Decode the records that the next bytes complete; count damaged lines and skip blank ones.

        A START that its PASS follows is dropped: PASS repeats its members, and there is one for each test. Measured:
        6 instead of 9 microseconds for each test that passed.
        """
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        records = self._decode_lines(lines)
        self._skip_endless_line()
        return records

    def _decode_lines(self, lines: list[bytes]) -> list[PositionedRecord]:
        records: list[PositionedRecord] = []
        start_offset = -1  # of the START on the line before, if it was dropped
        for line, following in zip_longest(lines, lines[1:], fillvalue=b""):
            offset = self.position
            self.position += len(line) + 1
            if self._is_endless or not line:
                self._is_endless = False
                continue
            # Compared as bytes before anything is decoded: half of all lines are such STARTs.
            if line.startswith(_START, _HEADER_BYTES) and _is_pass_of(line, following):
                start_offset = offset
                continue
            payload = unframed(line)
            try:
                record = None if payload is None else record_from(payload, self.kinds)
            except JsonError:
                if self.is_strict:
                    raise
                record = None
            if record is None:
                self.damaged += 1
            else:
                records.append(PositionedRecord(offset, record, start_offset))
            start_offset = -1
        return records

    def _skip_endless_line(self) -> None:
        """Drop the unfinished line if it is too long for a record; count it when that is first noticed."""
        if self._is_endless or len(self._tail) > _MAX_LINE_BYTES:
            self.damaged += not self._is_endless
            self._is_endless = True
            self.position += len(self._tail)
            self._tail = b""


def _is_pass_of(start: bytes, line: bytes) -> bool:
    """Return whether a line is the undamaged PASS of the attempt that this START begins."""
    number = start[_HEADER_BYTES + len(_START) :].partition(b",")[0]
    return line.startswith(b"%b%b," % (_PASS, number), _HEADER_BYTES) and unframed(line) is not None


def plain_record(kind: str, **members: object) -> bytes:
    """Encode a record that holds no test; for every kind that is not written once per test.

    Slower than the functions below, which format the JSON by hand because they run for each test.
    """
    return framed(encode({"k": kind, **members}))


def attempt_header(nodeid: str, file: str, line: int | None) -> str:
    """Encode the members that identify an attempt's test; done once, for its START and its PASS.

    Items of other plugins may have a line that is not an integer. It becomes null, so that the result is still sent.
    """
    return f'"id":{_quoted(nodeid)},"file":{_quoted(file)},"line":{line if type(line) is int else "null"}'


def start_record(number: int, moment: int, attempt_header: str) -> bytes:
    """Encode START: attempt ``number`` of this process begins, ``moment`` microseconds into the session.

    Written before the test runs, so that a test that kills its process is known by name.
    """
    return framed(f'{{"k":"start","n":{number},"t":{moment},{attempt_header}}}')


def pass_record(number: int, moment: int, began: int, times: tuple[int, int, int], attempt_header: str) -> bytes:
    """Encode PASS: attempt ``number`` passed, without texts, fields or artifacts.

    An optimisation for the usual case, since most tests of most suites pass without output: the sender builds identity
    and result instead of pytest. Measured: START and PASS cost pytest's process 7 microseconds and 250 bytes a test,
    START and FINISH 18 and 470. PASS repeats the members of its START, so that either of the two may be damaged.
    Moments and ``times`` (of the attempt, its setup and its teardown, the last two -1 if unknown) are in microseconds.
    """
    elapsed, setup, teardown = times
    return framed(
        f'{{"k":"pass","n":{number},"t":{moment},"began":{began},"elapsed":{elapsed},"setup":{setup},'
        f'"teardown":{teardown},{attempt_header}}}'
    )


def finish_record(  # noqa: PLR0913 - the members of the record
    number: int, moment: int, *, key: str, status: str, elapsed: int, is_final: bool, test: str, extensions: str = ""
) -> bytes:
    """Encode FINISH: attempt ``number`` has ended, with any other result than a plain PASS.

    ``test`` is the JSON that is sent to the server. Key, status and elapsed stand outside of it, so that the sender can
    batch and count results without decoding them. ``is_final`` is false if the test runs again: the next result of the
    same test then includes this one. Moments and ``elapsed`` are in microseconds. ``extensions`` is a JSON object,
    empty without any.
    """
    extensions_member = f"{_EXTENSIONS_MARK}{extensions}" if extensions else ""
    final = "true" if is_final else "false"
    return framed(
        f'{{"k":"finish","n":{number},"t":{moment},"key":{_quoted(key)},"status":"{status}","elapsed":{elapsed},'
        f'"final":{final}{extensions_member}{_TEST_MARK}{test}}}'
    )
