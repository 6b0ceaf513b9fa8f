"""The kinds of records in a ledger, each with the reason for it.

Before each POST that changes something the sender writes an intent, and after it one record that closes the intent.
`LedgerState.apply` applies all of them, in the sender, in a later sender, and in pytest, which reads along to see when
the sender is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import field
from msgspec.json import Decoder as JsonDecoder

from pytest_automation_report.api.models import Int64
from pytest_automation_report.spool.records import Record

Operation: TypeAlias = Literal[
    "create_run",
    "append_run",
    "complete_run",
    "create_thread",
    "append_thread",
    "complete_thread",
    "note_thread",
]
"""The requests that change something on the server, as intents name them."""

Fencing: TypeAlias = Literal["fences", "settles"]
"""Whether completed threads of a server refuse results ("fences"), or accept them until late copies have settled."""

ReportState: TypeAlias = Literal["begun", "written", "late", "none"]
"""State of a run's HTML report: it is being written, it is there, it comes later, or there is none."""


class ReadyRecord(Record, frozen=True, tag="ready"):
    """A sender began. Pytest gets its process id from it, to notice its death."""

    pid: Int64


class DoneRecord(Record, frozen=True, tag="done"):
    """A sender ended, for which pytest waits.

    ``left`` counts the results that remain, ``damaged`` the records that cannot be used, and ``torn`` the files that
    end in the middle of a record. ``why`` is the error that stopped the sender, empty for none. ``shown`` counts the
    results that the run's threads have by the server's own count, None if it was not read. ``seen`` counts the results
    by worker, and ``counts`` by status: the summary need not read 100,000 results.
    """

    complete: bool = False
    left: Int64 = 0
    damaged: Int64 = 0
    torn: Int64 = 0
    why: str = ""
    shown: Int64 | None = None
    seen: Mapping[str, Int64] = field(default_factory=dict)
    counts: Mapping[str, Int64] = field(default_factory=dict)


class JoinedRecord(Record, frozen=True, tag="joined"):
    """The id of a run that exists already. ``run create`` or another job has created it, so no intent shows it.

    ``note`` is for the user, where it is not simply the run that the settings name.
    """

    run: Int64
    note: str = ""


class Intent(Record, frozen=True, tag="intent"):
    """A POST is about to be sent. Without it a sender killed after sending could send the same results again.

    ``at`` is the time in seconds since 1970. Of a batch, ``first`` and ``last`` are the offsets of its first and last
    result, ``count`` is their number; ``observed`` and ``computed`` are its share of the thread's elapsed times in
    microseconds. Of a note, ``count`` is the number of its fields and ``note`` the digest of their names and values.
    """

    number: Int64 = field(name="i")
    operation: Operation = field(name="op")
    worker: str = ""
    thread: Int64 = 0
    first: Int64 = 0
    last: Int64 = 0
    count: Int64 = 0
    # Number of results in the thread before this batch: what the thread has more was brought by the batch.
    known: Int64 = 0
    # Numbers of the attempts that are reported although they never finished. Their FINISH may still come, from a
    # process that outlives the session's end: it must not be a second result.
    orphans: tuple[Int64, ...] = ()
    observed: Int64 = 0
    computed: Int64 = 0
    at: float = 0.0
    note: str = ""

    def has_arrived_by(self, later: Intent) -> bool:
        """Whether a later append to the same thread shows that all of this one was applied."""
        is_append = self.operation == later.operation == "append_thread"
        return is_append and self.thread == later.thread and later.known >= self.known + self.count


class AckRecord(Record, frozen=True, tag="ack"):
    """Closes an intent: applied by the server. ``id`` is that of the created run or thread, None for other requests."""

    number: Int64 = field(name="i")
    id: Int64 | None = None


class PartRecord(Record, frozen=True, tag="part"):
    """Closes an intent: applied for these ranges of the batch, each with its first and last offset and its results."""

    number: Int64 = field(name="i")
    ranges: tuple[tuple[Int64, Int64, Int64], ...]


class NotRecord(Record, frozen=True, tag="not"):
    """Closes an intent: not applied, so it is sent again. ``why`` is for people who read the ledger."""

    number: Int64 = field(name="i")
    why: str = ""


class RejectedRecord(Record, frozen=True, tag="rejected"):
    """Closes an intent: the server refused the whole batch, and will refuse it again."""

    number: Int64 = field(name="i")
    why: str


class HeldRecord(Record, frozen=True, tag="held"):
    """Closes an intent: the server cannot show whether it was applied. The batch waits for the user's decision."""

    number: Int64 = field(name="i")
    why: str


class DroppedRecord(Record, frozen=True, tag="dropped"):
    """Closes an intent as ``held`` does: by the user's decision the batch is not sent again."""

    number: Int64 = field(name="i")
    why: str


class UnheldRecord(Record, frozen=True, tag="unheld"):
    """The user's decision by ``send --unknown``: held results are sent again or dropped."""

    dropped: bool


class AsideRecord(Record, frozen=True, tag="aside"):
    """One result that the server refuses; the rest of its batch is sent without it."""

    worker: str
    offset: Int64
    why: str


class AliasRecord(Record, frozen=True, tag="alias"):
    """The server does not know a status, so another alias is used from now on.

    Without it each sender would be refused once more.
    """

    status: str
    before: str
    now: str


class FencedRecord(Record, frozen=True, tag="fenced"):
    """The worker's thread was completed: the worker needs a new one."""

    worker: str


class FencingIsRecord(Record, frozen=True, tag="fencing-is"):
    """Whether completed threads of this server accept results: found out once, by a probe."""

    fencing: Fencing


class StoredRecord(Record, frozen=True, tag="stored"):
    """A file of a result was uploaded to this URL at this time, in seconds since 1970.

    Without it, and `UnstoredRecord`, each file would be uploaded again.
    """

    name: str
    url: str
    mime_type: str = field(default="", name="type")
    at: float = 0.0


class UnstoredRecord(Record, frozen=True, tag="unstored"):
    """A file of a result was not uploaded, with the reason."""

    name: str
    why: str


class FindingsRecord(Record, frozen=True, tag="findings"):
    """Written before ``done``: what changed in the run since an earlier one, for pytest's summary.

    Only a server of ours has it. `delivery.findings` has the members of ``excerpt``.
    """

    excerpt: dict[str, Any]


class ReportRecord(Record, frozen=True, tag="report"):
    """The HTML report of the run is being written, or what became of it; pytest waits, though no response arrives.

    ``why`` is the reason why there is no report, empty for other states.
    """

    file: str
    state: ReportState
    why: str = ""


class TroubleRecord(Record, frozen=True, tag="trouble"):
    """Why nothing is sent at the moment: pytest's wait ends sooner, and the summary shows the reason.

    ``error_class`` decides the summary's advice and the exit code; ``is_run_gone`` if the run is completed or unknown.
    """

    why: str
    error_class: str = field(name="class")
    is_run_gone: bool = field(default=False, name="gone")


class NewRunRecord(Record, frozen=True, tag="new-run"):
    """The user sends the rest to a new run (``send --new-run``): run and threads before it are not used any more."""


Closing: TypeAlias = "AckRecord | PartRecord | NotRecord | RejectedRecord | HeldRecord | DroppedRecord"
"""A record that closes an intent."""

LEDGER_KINDS: Final = JsonDecoder(
    ReadyRecord | DoneRecord | JoinedRecord | Intent | AckRecord | PartRecord | NotRecord | RejectedRecord
    | HeldRecord | DroppedRecord | UnheldRecord | AsideRecord | AliasRecord | FencedRecord | FencingIsRecord
    | StoredRecord | UnstoredRecord | FindingsRecord | ReportRecord | TroubleRecord | NewRunRecord
)  # fmt: skip
"""Decodes all kinds of records in a ledger."""
