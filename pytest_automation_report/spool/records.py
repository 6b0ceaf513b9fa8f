"""The kinds of records in a spool, and the frame of all records, also in the ledger.

A record is one line, ``LLLLLLLL CCCCCCCC {json}`` and a newline: eight hexadecimal digits for the length of the JSON in
bytes, eight for its CRC32. JSON holds no raw newline, so a reader skips a damaged record and continues at the next
line. Times are in microseconds, moments in microseconds since the session began. `WorkerQueues` applies all kinds.
A record names a test by its node id, from which `identify` derives its key, folder and name on the server.
"""

from __future__ import annotations

import re
from binascii import crc32
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct, field
from msgspec.json import Decoder as JsonDecoder

from pytest_automation_report.api.models import (
    Artifact,
    Cause,
    Ending,
    Field,
    Int64,
    Json,
    Known,
    OutputName,
    Status,
    Step,
    StepStatus,
    decode,
    encode,
)
from pytest_automation_report.text.limits import string
from pytest_automation_report.text.visible import xml_escaped
from pytest_automation_report.unpatched import lazy_pattern

FORMAT: Final = 1
"""Version of records and manifest, the only one that a reader accepts; a new member with a default needs no other."""

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
    # The length only shows whether a damaged line was cut.
    return payload if line[8:_HEADER_BYTES] == b" %08x " % crc32(payload) else None


class Decoder:
    """Decode the bytes of one file, in pieces of any size, into records; owned by the reader of that file.

    ``kinds`` decodes one record. A record that is not as its kind declares it is damaged, too: a right checksum only
    shows that a line is whole. With ``is_strict`` a damaged record is a `ValueError`, unless a kill or a power cut has
    left it so. ``position`` is the offset behind the last complete line. A line that is longer than any record is
    damaged: it is counted once, and none of it is stored.
    """

    def __init__(self, kinds: JsonDecoder[Any], *, is_strict: bool = False) -> None:
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
        if payload is None:
            # A power cut leaves zeros, a kill fewer bytes than the header says. The lengths are compared as text: what
            # stands there may be no number. Without a whole header the length is negative: "-" comes before any digit.
            is_cut = b"\0" in line or line[:8] > b"%08x" % (len(line) - _HEADER_BYTES)
            if self._is_strict and not is_cut:
                raise ValueError("it is damaged")
            return None
        try:
            record: Record = decode(payload, self._kinds)
        except (ValueError, RecursionError) as error:
            if self._is_strict:
                raise ValueError(str(error)) from error
            return None
        return record


AGAIN: Final = "again"
"""Outcome of a crash that counts as a failure although the test runs again, as xdist does for scopes."""

Colours: TypeAlias = Mapping[str, tuple[tuple[Int64, Int64, str], ...]]
"""The coloured parts of texts, by the names of causes, outputs and fields: first character, one after the last, style.
"""


class Subtests(Struct, frozen=True, omit_defaults=True):
    """The subtests of an attempt: how many ended how, and the first of them as steps."""

    counts: Mapping[StepStatus, Int64] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


class Attempt(Struct, frozen=True, omit_defaults=True):
    """What only the process that ran an attempt knows of it; all texts are clean.

    ``elapsed`` is the time of all phases. ``setup`` and ``teardown`` are None if they are not known. ``fields`` are
    those of the test's author, ``output`` is what was captured, ``notes`` are exceptions' notes that no cause shows.
    ``comparison`` failed the attempt, and ``line`` is the line of the test's file, from 1. ``more_steps`` counts those
    that ``steps`` lacks. One that ``is_imported`` comes from a result file: of it Testmo gets what its own tool sends,
    steps as they stand among the fields, and no earlier attempts. In ``paused`` of its time Python collected garbage.
    """

    status: Status
    elapsed: Int64 | None = None
    setup: Int64 | None = None
    teardown: Int64 | None = None
    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[Step, ...] = ()
    colours: Colours = field(default_factory=dict)
    comparison: Json | None = None
    line: Int64 | None = None
    causes: tuple[Cause, ...] = ()
    output: Mapping[OutputName, str] = field(default_factory=dict)
    notes: str = ""
    subtests: Subtests | None = None
    more_steps: Mapping[StepStatus, Int64] = field(default_factory=dict)
    is_imported: bool = False
    known: Known | None = None
    known_place: Int64 = 0  # before which of its fields Testmo's field with that stands
    paused: Int64 = 0

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but status and times, as of most attempts."""
        return self == Attempt(self.status, self.elapsed, self.setup, self.teardown, paused=self.paused)

    def texts(self) -> Iterator[tuple[str, str | None]]:
        """Yield all texts that may have colours, with their names."""
        for cause in self.causes:
            yield cause.name, cause.text
        if self.notes:
            yield NOTES_FIELD, self.notes
        yield from self.output.items()
        for own in self.fields:
            yield own.name, own.value


NOTES_FIELD: Final = "Notes"
_NO_NAME = "(no name)"


class TestIdentity(Struct, frozen=True):
    """Folder, name and key of a test on the server; ``is_respelled`` if they do not show its node id (``raw``)."""

    folder: str
    name: str
    key: str
    raw: str
    is_respelled: bool = False


def identify(nodeid: str, *, prefix: str = "") -> TestIdentity:
    """Return the identity of a node; ``prefix`` stands before the folder, as ``--junit-prefix`` in pytest's XML."""
    path, colons, inner = nodeid.partition("::")
    module = _dotted(path)
    if colons:
        names, bracket, params = inner.partition("[")
        scopes, _, last = names.rpartition("::")
        if bracket:
            last = f"{last}[{params.removesuffix(']')}]"
        classname = f"{module}.{scopes.replace('::', '.')}" if scopes else module
        if prefix:
            classname = f"{prefix}.{classname}"
    else:
        last, classname = module, prefix
    # The key is made of the whole name; only the shown one is cut.
    name = last if last.isascii() and last.isprintable() else xml_escaped(last)
    shown = string(name) or _NO_NAME
    folder = place_string(classname) if classname else shown
    is_respelled = shown != last or classname not in {"", folder}
    return TestIdentity(folder, shown, test_key(classname, name), nodeid, is_respelled)


def test_key(folder: str, name: str) -> str:
    """Return the key: SHA-256 of ``folder.name``. Lone surrogates have no UTF-8, but must not make two keys equal."""
    address = f"{folder}.{name}" if folder else name
    return sha256(address.encode("utf-8", "surrogatepass")).hexdigest()


def one_based(line: int | None) -> int | None:
    """Return pytest's line of a test, which counts from 0, as editors count it; None if it is not known."""
    return None if line is None or line < 0 else line + 1


place_string: Final = lru_cache(maxsize=1024)(string)
"""`string` of the file or folder of a test, which many tests share."""


@lru_cache(maxsize=1024)
def _dotted(path: str) -> str:
    return path.replace("/", ".").removesuffix(".py")


class OpenRecord(Record, frozen=True, tag="open"):
    """Names the process, which the sender waits for, and its start: ``began``, if the first result came later.

    ``birth`` is the start time that the system shows for the process, since ids are used again.
    """

    pid: Int64
    moment: Int64 = field(default=0, name="t")
    began: Int64 | None = None
    worker: str = ""
    format: Int64 = 0
    birth: str = ""


class PlanRecord(Record, frozen=True, tag="plan"):
    """Whether xdist runs every test on every worker (``--dist each``): then each worker's tests are expected."""

    each: bool


class CollectedRecord(Record, frozen=True, tag="collected"):
    """Number of collected tests, those that share a key, and the ``collection`` extension of a run that jobs share."""

    count: Int64
    repeated: tuple[tuple[str, Int64], ...] = ()
    collection: Json = field(default_factory=dict)
    deselected: Int64 = 0
    cut: str = ""  # why a shard was cut by number although other jobs may have had durations


class IdsRecord(Record, frozen=True, tag="ids"):
    """Node ids of collected tests; written only for ``report_not_run``."""

    ids: tuple[str, ...]


class CapturedRecord(Record, frozen=True, tag="captured"):
    """Pytest's capture files, for the last output of a killed process: stream, descriptor, device and inode of each."""

    files: tuple[tuple[str, int, int, int], ...]


class StartRecord(Record, frozen=True, tag="start"):
    """An attempt begins; without a FINISH its process died. ``number`` is the process's, ``line`` counts from 0."""

    number: Int64 = field(name="n")
    moment: Int64 = field(name="t")
    nodeid: str = field(name="id")
    file: str
    line: Int64 | None = None


# A file of a result is a copy in the spool, whose URL is known only after its upload: until then its artifact has an
# address `spooled:NAME TEXT`. The sender never opens a path that a record names, since a record can be forged.
_ADDRESS: Final = lazy_pattern(r"spooled:(\S*) ?(.*)", re.DOTALL)


def spooled_address(name: str, shown: str) -> str:
    """Return the address of a file in the spool; the result shows the text ``shown`` if it is never stored."""
    return f"spooled:{name} {shown}"


def spooled_file(address: str) -> tuple[str, str] | None:
    """Split a spooled address into the name of the file and the text for people; None for other addresses."""
    match = _ADDRESS.fullmatch(address)
    return (match[1], match[2]) if match else None


class ArtifactRecord(Record, frozen=True, tag="artifact"):
    """A file of the running attempt. A FINISH repeats it; without one, the result of the dead process has the file."""

    number: Int64 = field(name="n")
    artifact: Artifact


class FinishRecord(Record, frozen=True, tag="finish"):
    """An attempt is over. Repeats the members of its START, so that either of the two may be damaged.

    ``began`` is None for a result without an attempt: a module that could not be collected, a case of a result file.
    ``hidden`` are the attempts that a plugin repeated between START and FINISH, oldest first. If not ``is_final``, the
    test may run again; if it does not, a test of which pytest was ``is_silent`` has no result. ``key``, ``folder`` and
    ``name`` replace what the sender derives from the node id.
    """

    number: Int64 = field(name="n")
    moment: Int64 = field(name="t")
    nodeid: str = field(name="id")
    attempt: Attempt
    began: Int64 | None = None
    file: str = ""
    line: Int64 | None = None
    is_final: bool = field(default=True, name="final")
    hidden: tuple[Attempt, ...] = ()
    key: str | None = None
    folder: str | None = None
    name: str | None = None
    assertions: Int64 | None = None
    is_silent: bool = field(default=False, name="silent")


class CrashRecord(Record, frozen=True, tag="crash"):
    """xdist's report of a worker's death, written by the leading process; ``words`` are the worker's last output."""

    moment: Int64 = field(name="t")
    worker: str
    nodeid: str = field(name="id")
    file: str
    outcome: str
    text: str
    line: Int64 | None = None
    words: str = ""


class PropertyRecord(Record, frozen=True, tag="property"):
    """A field or an artifact of the run, not of a test."""

    field: Field | None = None
    artifact: Artifact | None = None


class FailedTest(Struct, frozen=True, array_like=True):
    """A failed test: its name, the first line of its failure, and the 1-based line of that or else of the test.

    ``is_known`` if the file of known failures excuses it.
    """

    status: Status
    folder: str
    name: str
    message: str
    file: str = ""
    line: int | None = None
    is_known: bool = False


class CloseRecord(Record, frozen=True, tag="close"):
    """The process ended in order, so a test that is still open was interrupted and did not crash.

    ``counts`` are the results by status. ``failures`` are the first failed tests, each as status, folder, name,
    message, file, line, and whether it is known. ``detail`` is the reason of an interruption. ``warnings`` are about
    users' annotations and hooks, ``faults`` are the first errors of this package. ``elapsed_correction`` is the
    difference between the whole time and the times of the results. ``error`` ended the process, raised at ``place``,
    while the ``test`` of this node id ran.
    """

    moment: Int64 = field(name="t")
    counts: Mapping[str, Int64] = field(default_factory=dict)
    failures: tuple[FailedTest, ...] = ()
    detail: str = ""
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    elapsed_correction: Int64 = 0
    error: str = ""
    place: str = ""
    test: str = ""


class EndRecord(Record, frozen=True, tag="end"):
    """The session ended, and how: until then the sender waits for more.

    Records of earlier releases have the sentence of `api.sessions.ending_words` as their ``reason``.
    """

    reason: str | None = None
    moment: Int64 = field(default=0, name="t")
    ending: Ending | None = None

    def __post_init__(self) -> None:
        if self.ending is None and self.reason is None:
            raise ValueError("an end without a reason")


# The kinds of the ledger that pytest reads, too: `spool.ledger`, which has the others, is not loaded there.

ReportState: TypeAlias = Literal["begun", "written", "late", "none"]
"""State of a run's HTML report: it is being written, it is there, it comes later, or it does not come."""


class ReadyRecord(Record, frozen=True, tag="ready"):
    """A sender began; pytest watches the process with this id, to notice its death."""

    pid: Int64


class WorkerTotals(Struct, frozen=True, omit_defaults=True):
    """Numbers of a worker's threads, and of its results: all of them, None if they were not counted, and by outcome."""

    seen: Int64 | None = None
    acknowledged: Int64 = 0
    rejected: Int64 = 0
    held: Int64 = 0
    threads: Int64 = 0


class DoneRecord(Record, frozen=True, tag="done"):
    """A sender ended, for which pytest waits: the totals of its delivery, so that pytest reads few other records.

    ``left`` counts the results that remain, ``damaged`` the records that cannot be used, ``torn`` the files that end in
    the middle of a record. ``why`` is the error that stopped the sender. ``counts`` are the results by status,
    ``workers`` the numbers of results and threads by worker. ``difference`` says how the server's own count of results
    differs from the confirmed ones. ``error`` is the error of the last request, empty after a success. ``reasons`` are
    the first refusals, ``unstored_reasons`` say why files were not stored, each with their number. ``renamed`` has the
    aliases that replace those that the server does not know, ``left_out`` what results lack and why.
    """

    complete: bool = False
    left: Int64 = 0
    damaged: Int64 = 0
    torn: Int64 = 0
    why: str = ""
    counts: Mapping[str, Int64] = field(default_factory=dict)
    difference: str = ""
    workers: Mapping[str, WorkerTotals] = field(default_factory=dict)
    run: Int64 | None = None
    join_remark: str = ""
    error: str = ""
    error_class: str = ""
    is_run_gone: bool = False
    reasons: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    unstored_reasons: tuple[tuple[str, Int64], ...] = ()
    left_out: tuple[str, ...] = ()


class FindingsRecord(Record, frozen=True, tag="findings"):
    """What changed in the run, a `findings.documents.FindingsExcerpt` for pytest's summary; written before ``done``."""

    excerpt: dict[str, Any]


class ReportRecord(Record, frozen=True, tag="report"):
    """The HTML report of the run is being written, or what became of it; ``why`` is the reason if it failed."""

    file: str
    state: ReportState
    why: str = ""


class ErrorRecord(Record, frozen=True, tag="error"):
    """Why nothing is sent at the moment; ``error_class`` decides the summary's advice and the exit code."""

    why: str
    error_class: str = field(name="class")
    is_run_gone: bool = field(default=False, name="gone")  # the run is completed or unknown


SPOOL_KINDS: Final = JsonDecoder(
    OpenRecord | PlanRecord | CollectedRecord | IdsRecord | CapturedRecord | StartRecord | ArtifactRecord | FinishRecord
    | CrashRecord | PropertyRecord | CloseRecord | EndRecord
)  # fmt: skip
