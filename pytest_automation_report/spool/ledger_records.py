"""The kinds of records in a ledger, each with the reason for it.

Before each POST that changes something the sender writes an intent, and after it one record that closes the intent.
`LedgerState.apply` applies all of them, in the sender, in a later sender, and in pytest, which reads along to see when
the sender is done. A member with its default is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from pytest_automation_report.spool.records import Record
from pytest_automation_report.values import field

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


class ReadyRecord(Record, kind="ready"):
    """A sender began. Pytest gets its process id from it, to notice its death."""

    pid: int


class DoneRecord(Record, kind="done"):
    """A sender ended, for which pytest waits.

    ``left`` counts the results that remain, ``damaged`` the records that cannot be used, and ``torn`` the files that
    end in the middle of a record. ``why`` is the error that stopped the sender, empty for none. ``shown`` counts the
    results that the run's threads have by the server's own count, None if it was not read. ``seen`` counts the results
    by worker, and ``counts`` by status: the summary need not read 100,000 results.
    """

    complete: bool = False
    left: int = 0
    damaged: int = 0
    torn: int = 0
    why: str = ""
    shown: int | None = None
    seen: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


class JoinedRecord(Record, kind="joined"):
    """The id of a run that exists already. ``run create`` or another job has created it, so no intent shows it.

    ``note`` is for the user, where it is not simply the run that the settings name.
    """

    run: int
    note: str = ""


class Intent(Record, kind="intent"):
    """A POST is about to be sent. Without it a sender killed after sending could send the same results again.

    ``at`` is the time in seconds since 1970. Of a batch, ``first`` and ``last`` are the offsets of its first and last
    result, ``count`` is their number; ``observed`` and ``computed`` are its share of the thread's elapsed times in
    microseconds. Of a note, ``count`` is the number of its fields and ``note`` the digest of their names and values.
    """

    number: int = field(key="i")
    operation: Operation = field(key="op")
    worker: str = field(default="", required=True)
    thread: int = field(default=0, required=True)
    first: int = field(default=0, required=True)
    last: int = field(default=0, required=True)
    count: int = field(default=0, required=True)
    # Number of results in the thread before this batch: what the thread has more was brought by the batch.
    known: int = field(default=0, required=True)
    # Numbers of the attempts that are reported although they never finished. Their FINISH may still come, from a
    # process that outlives the session's end: it must not be a second result.
    orphans: tuple[int, ...] = field(default=(), required=True)
    observed: int = field(default=0, required=True)
    computed: int = field(default=0, required=True)
    at: float = 0.0
    note: str = ""

    def has_arrived_by(self, later: Intent) -> bool:
        """Whether a later append to the same thread shows that all of this one was applied."""
        is_append = self.operation == later.operation == "append_thread"
        return is_append and self.thread == later.thread and later.known >= self.known + self.count


class AckRecord(Record, kind="ack"):
    """Closes an intent: applied by the server. ``id`` is that of the created run or thread, None for other requests."""

    number: int = field(key="i")
    id: int | None = None


class PartRecord(Record, kind="part"):
    """Closes an intent: applied for these ranges of the batch, each with its first and last offset and its results."""

    number: int = field(key="i")
    ranges: tuple[tuple[int, int, int], ...]


class NotRecord(Record, kind="not"):
    """Closes an intent: not applied, so it is sent again. ``why`` is for people who read the ledger."""

    number: int = field(key="i")
    why: str = ""


class RejectedRecord(Record, kind="rejected"):
    """Closes an intent: the server refused the whole batch, and will refuse it again."""

    number: int = field(key="i")
    why: str


class HeldRecord(Record, kind="held"):
    """Closes an intent: the server cannot show whether it was applied. The batch waits for the user's decision."""

    number: int = field(key="i")
    why: str


class DroppedRecord(Record, kind="dropped"):
    """Closes an intent as ``held`` does: by the user's decision the batch is not sent again."""

    number: int = field(key="i")
    why: str


class UnheldRecord(Record, kind="unheld"):
    """The user's decision by ``send --unknown``: held results are sent again or dropped."""

    dropped: bool


class AsideRecord(Record, kind="aside"):
    """One result that the server refuses; the rest of its batch is sent without it."""

    worker: str
    offset: int
    why: str


class AliasRecord(Record, kind="alias"):
    """The server does not know a status, so another alias is used from now on.

    Without it each sender would be refused once more.
    """

    status: str
    before: str
    now: str


class FencedRecord(Record, kind="fenced"):
    """The worker's thread was completed: the worker needs a new one."""

    worker: str


class FencingIsRecord(Record, kind="fencing-is"):
    """Whether completed threads of this server accept results: found out once, by a probe."""

    fencing: Fencing


class StoredRecord(Record, kind="stored"):
    """A file of a result was uploaded to this URL at this time, in seconds since 1970.

    Without it, and `UnstoredRecord`, each file would be uploaded again.
    """

    name: str
    url: str
    mime_type: str = field(default="", key="type")
    at: float = 0.0


class UnstoredRecord(Record, kind="unstored"):
    """A file of a result was not uploaded, with the reason."""

    name: str
    why: str


class FindingsRecord(Record, kind="findings"):
    """Written before ``done``: what changed in the run since an earlier one, for pytest's summary.

    Only a server of ours has it. `delivery.findings` has the members of ``excerpt``.
    """

    excerpt: dict[str, Any]


class ReportRecord(Record, kind="report"):
    """The HTML report of the run is being written, or what became of it; pytest waits, though no response arrives.

    ``why`` is the reason why there is no report, empty for other states.
    """

    file: str
    state: ReportState
    why: str = field(default="", required=True)


class TroubleRecord(Record, kind="trouble"):
    """Why nothing is sent at the moment: pytest's wait ends sooner, and the summary shows the reason.

    ``error_class`` decides the summary's advice and the exit code; ``is_run_gone`` if the run is completed or unknown.
    """

    why: str
    error_class: str = field(key="class")
    is_run_gone: bool = field(default=False, key="gone")


class NewRunRecord(Record, kind="new-run"):
    """The user sends the rest to a new run (``send --new-run``): run and threads before it are not used any more."""


Closing: TypeAlias = "AckRecord | PartRecord | NotRecord | RejectedRecord | HeldRecord | DroppedRecord"
"""A record that closes an intent."""

LEDGER_KINDS: Final[Mapping[str, type[Record]]] = {
    record.kind: record
    for record in (
        ReadyRecord, DoneRecord, JoinedRecord, Intent, AckRecord, PartRecord, NotRecord, RejectedRecord,
        HeldRecord, DroppedRecord, UnheldRecord, AsideRecord, AliasRecord, FencedRecord,
        FencingIsRecord, StoredRecord, UnstoredRecord, FindingsRecord, ReportRecord, TroubleRecord, NewRunRecord,
    )
}  # fmt: skip
"""All kinds of records in a ledger, by the names that stand in the records."""
