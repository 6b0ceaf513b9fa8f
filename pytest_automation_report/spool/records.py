"""Frame and parse the records of spool and ledger: length, CRC32 and JSON, one record per line.

A record is one line of ASCII, ``LLLLLLLL CCCCCCCC {json}`` and a newline: eight hexadecimal digits for the length of
the JSON in bytes, eight for its CRC32. JSON in ASCII holds no raw newline, so a reader skips a damaged record and
continues at the next line. Pytest's process and the sender both use this module, so they agree on the format.

The kinds of records in a spool, each with the reason for it (``spool/ledger.py`` describes those of the ledger).
`WorkerQueues` applies all of them; other readers are named:

``open``
    Names the process and when it began. When pytest's leading process is dead, the sender waits for workers that live.
``plan``
    Whether xdist runs every test on every worker (``--dist each``), so that each worker's tests are expected.
``collected``
    Number of collected tests, and those that share a node id. Without it a test that never began would not be missed:
    the summary compares it with the number of results (`summary.counts`).
``ids``
    Node ids of all collected tests; written only for ``report_not_run``.
``captured``
    Descriptors of pytest's capture files: from these the sender reads the last output of a killed process.
``start``
    An attempt begins. A START without PASS or FINISH is a test whose process died: only so the test is known.
``artifact``
    A file of the running attempt. A FINISH repeats it; if there is none, the result of the dead process has the file.
``pass``
    The attempt passed and has nothing else to report: the short form of FINISH, see `pass_record`.
``finish``
    The attempt ended, with the JSON that is sent to the server.
``crash``
    xdist's report of a worker's death, written by the leading process: a dead worker cannot say that its test failed.
``property``
    A field or an artifact of the run, not of a test.
``close``
    The process ended in order, so a test that is still open was interrupted and did not crash. `summary.counts` reads
    its counts.
``end``
    The session ended, and how. Until then the sender waits for more; `SessionFolder.has_ended` and
    `SpoolReader.has_news` look for it.
"""

from __future__ import annotations

import json
from binascii import crc32
from itertools import zip_longest
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.values import MutableValue, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FORMAT: Final = 1
"""Version of records and manifest; a reader refuses every other version.

New kinds and new members need no new version: readers skip unknown kinds and have defaults for missing members.
"""

AGAIN: Final = "again"
"""Outcome of a crash that counts as a failure although the test runs again, as xdist does for scopes."""

_HEADER_BYTES: Final = 18
# A foreign or damaged file may be one line of any length: up to this size it is held in memory.
_MAX_LINE_BYTES: Final = 64 << 20
# Sessions may collect 100,000 tests: several lines of 500 names stay far below the longest line.
_NAMES_PER_RECORD: Final = 500
# A FINISH ends with its test, so the test's JSON can be cut off and sent without decoding it.
_TEST_MARK: Final = ',"test":'
# Before the test, and cut off like it. Neither mark can occur within: a key of its objects is never named so, and in
# texts the quotation marks are escaped.
_EXTENSIONS_MARK: Final = ',"ext":'
_START: Final = b'{"k":"start",'
_PASS: Final = b'{"k":"pass",'

# Users' tests patch `json`: pytest's process takes its functions once, when this module is imported.
_decode: Final[Callable[[str], tuple[Any, int]]] = json.JSONDecoder().raw_decode
encode: Final[Callable[[object], str]] = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class Record(Value):
    """One record: its kind, its members, and the JSON of its test, empty for other kinds than FINISH.

    ``test`` is not decoded, since the sender only copies it into a batch; nor is ``extensions``, a JSON object with
    extensions of the test, empty without any.
    """

    kind: str
    members: Mapping[str, Any]
    test: str = ""
    extensions: str = ""


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


def record_from(payload: str) -> Record | None:
    """Parse a record from its JSON; ``None`` if that is not an object with a kind."""
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
    return Record(members["k"], members, test[:-1] if mark else "", extensions)


class Decoder(MutableValue):
    """Decode the bytes of one file, in pieces of any size, into records; owned by the reader of that file.

    The bytes of a worker's file, with a START that its PASS follows::

        0                          100                        230
        | LLLLLLLL CCCCCCCC {start} | LLLLLLLL CCCCCCCC {pass} | LLLLLLLL CCC
        '-- dropped ----------------'-- offset=100, begun=0 ----'-- _tail: wait for the next piece

    ``position`` is the offset behind the last complete line (230 here). A line that is longer than any record is
    damaged: it is counted once, none of it is stored, and decoding continues behind its newline.
    """

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
            record = None if payload is None else record_from(payload)
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


def collected_names(nodeids: Sequence[str]) -> Iterator[bytes]:
    """Yield the IDS records, which name all collected tests.

    Written only for ``report_not_run``: the sender then reports each test that has no result as untested.
    """
    for first in range(0, len(nodeids), _NAMES_PER_RECORD):
        yield plain_record("ids", ids=list(nodeids[first : first + _NAMES_PER_RECORD]))


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
