"""The ledger: what a sender records of its requests, and the state of the delivery that the records add up to.

Before each POST that changes something the sender writes an ``intent``, and after it one record that closes the intent.
An open intent must be reconciled before anything else is sent to that run. Each worker's results are sent in the order
of the offsets of their records, which also name them: a batch is a range of offsets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.json import Decoder as JsonDecoder
from msgspec.structs import replace

from pytest_automation_report.api.models import Int64
from pytest_automation_report.api.responses import StoredFile
from pytest_automation_report.spool.records import (
    DoneRecord,
    ErrorRecord,
    FindingsRecord,
    ReadyRecord,
    Record,
    ReportRecord,
    WorkerTotals,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Operation: TypeAlias = Literal[
    "create_run", "append_run", "complete_run", "create_thread", "append_thread", "complete_thread", "note_thread"
]

Fencing: TypeAlias = Literal["fences", "settles"]
"""Whether completed threads of a server refuse results ("fences"), or accept them until late copies have settled."""


class JoinedRecord(Record, frozen=True, tag="joined"):
    """The id of a run that exists already, for which there is no intent; ``remark`` is for the user."""

    run: Int64
    remark: str = ""


class Intent(Record, frozen=True, tag="intent"):
    """A POST is about to be sent.

    ``at`` is in seconds since 1970. Of a batch, ``first`` and ``last`` are the offsets of its first and last result,
    ``count`` is their number; ``observed`` and ``computed`` are its share of the thread's elapsed times in
    microseconds. Of a note, ``count`` is the number of its fields, and ``digest`` is made of their names and values.
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
    # Attempts that are reported although they never finished: a FINISH that still comes is no second result.
    orphans: tuple[Int64, ...] = ()
    observed: Int64 = 0
    computed: Int64 = 0
    at: float = 0.0
    digest: str = ""


class AckRecord(Record, frozen=True, tag="ack"):
    """Closes an intent: applied by the server. ``id`` names the created run or thread, None for other requests.

    ``ranges`` are the applied parts of a batch, each with first and last offset and number of results; empty for all.
    """

    number: Int64 = field(name="i")
    id: Int64 | None = None
    ranges: tuple[tuple[Int64, Int64, Int64], ...] = ()


class NotRecord(Record, frozen=True, tag="not"):
    """Closes an intent: not applied, so it is sent again. ``why`` is for people who read the ledger."""

    number: Int64 = field(name="i")
    why: str = ""


class HeldRecord(Record, frozen=True, tag="held"):
    """Closes an intent: the server cannot show whether it was applied. The batch waits for the user's decision.

    A ``dropped`` one is not sent again: by the user's decision, or since the server refuses the note.
    """

    number: Int64 = field(name="i")
    why: str
    dropped: bool = False


class UnheldRecord(Record, frozen=True, tag="unheld"):
    """The user's decision by ``send --unknown``: held results are sent again or dropped."""

    dropped: bool


class UnshownRecord(Record, frozen=True, tag="unshown"):
    """Confirmed results that the server does not show are sent again; ``offsets`` has them by worker.

    None if the server does not show which: all confirmed ones are held then.
    """

    offsets: dict[str, tuple[Int64, ...]] | None


class AsideRecord(Record, frozen=True, tag="aside"):
    """One result that the server refuses; the rest of its batch is sent without it."""

    worker: str
    offset: Int64
    why: str


class AliasRecord(Record, frozen=True, tag="alias"):
    """The server does not know a status: this and later senders use another alias."""

    status: str
    before: str
    now: str


class FencedRecord(Record, frozen=True, tag="fenced"):
    """The worker's thread was completed: the worker needs a new one."""

    worker: str


class FencingIsRecord(Record, frozen=True, tag="fencing-is"):
    """Whether completed threads of this server accept results, as a probe has shown."""

    fencing: Fencing


class StoredRecord(Record, frozen=True, tag="stored"):
    """A file of a result was uploaded: ``file`` has its ``url`` and ``mime_type``, ``at`` is in seconds since 1970."""

    name: str
    file: StoredFile
    at: float = 0.0


class UnstoredRecord(Record, frozen=True, tag="unstored"):
    """A file of a result was not uploaded, with the reason."""

    name: str
    why: str


class NewRunRecord(Record, frozen=True, tag="new-run"):
    """The user sends the rest to a new run (``send --new-run``): run and threads before it are not used any more."""


Closing: TypeAlias = "AckRecord | NotRecord | HeldRecord"

LEDGER_KINDS: Final = JsonDecoder(
    ReadyRecord | DoneRecord | JoinedRecord | Intent | AckRecord | NotRecord | HeldRecord | UnheldRecord | UnshownRecord
    | AsideRecord | AliasRecord | FencedRecord | FencingIsRecord | StoredRecord | UnstoredRecord | FindingsRecord
    | ReportRecord | ErrorRecord | NewRunRecord
)  # fmt: skip


# Of refusals, and of files that were not stored: the summary shows no more.
_MAX_REASONS: Final = 3


class OffsetRanges(Struct):
    """Ranges of offsets, added in any order: memory grows with batches, not with results, whose number is ``count``."""

    _firsts: list[int] = field(default_factory=list)
    _lasts: list[int] = field(default_factory=list)
    count: int = 0

    def add(self, first: int, last: int, count: int) -> None:
        """Add a range with this many new results; it may include ranges that were added before."""
        begin = bisect_left(self._lasts, first)
        end = bisect_right(self._firsts, last)
        if begin < end:
            first, last = min(first, self._firsts[begin]), max(last, self._lasts[end - 1])
        self._firsts[begin:end], self._lasts[begin:end] = [first], [last]
        self.count += count

    def absorb(self, other: OffsetRanges) -> None:
        """Add all of other ranges."""
        for first, last in zip(other._firsts, other._lasts, strict=True):
            self.add(first, last, 0)
        self.count += other.count

    def __contains__(self, offset: int) -> bool:
        if not self._lasts or offset > self._lasts[-1]:
            return False  # the usual case, a new result, without a search
        index = bisect_right(self._firsts, offset) - 1
        return index >= 0 and offset <= self._lasts[index]


class WorkerProgress(Struct):
    """The delivery of one worker's results.

    ``in_thread`` is the number of results in the open ``thread``; ``thread_observed`` and ``thread_computed`` are the
    elapsed times sent to it, in microseconds. A fenced thread is followed by a new one: ``threads`` has them all.
    """

    thread: int | None = None
    in_thread: int = 0
    thread_observed: int = 0
    thread_computed: int = 0
    threads: list[int] = field(default_factory=list)
    acknowledged: OffsetRanges = field(default_factory=OffsetRanges)
    rejected: OffsetRanges = field(default_factory=OffsetRanges)
    held: OffsetRanges = field(default_factory=OffsetRanges)
    dropped: OffsetRanges = field(default_factory=OffsetRanges)
    orphans: set[int] = field(default_factory=set)
    # Results among the acknowledged ones that the server did not show: to be sent again.
    unshown: set[int] = field(default_factory=set)

    def is_acknowledged(self, offset: int) -> bool:
        """Whether the server has confirmed the result at this offset, and nothing contradicts it."""
        return offset in self.acknowledged and offset not in self.unshown

    def is_settled(self, offset: int) -> bool:
        """Whether the result at this offset must not be sent, or not again."""
        # Asked of each result twice; hardly any was not simply acknowledged.
        return (
            (offset in self.acknowledged and offset not in self.unshown)
            or (self.rejected.count > 0 and offset in self.rejected)
            or (self.held.count > 0 and offset in self.held)
            or (self.dropped.count > 0 and offset in self.dropped)
        )

    def take_back(self, offsets: Iterable[int]) -> None:
        """Count acknowledged results as not sent."""
        before = len(self.unshown)
        self.unshown.update(offsets)
        self.acknowledged.count -= len(self.unshown) - before

    def hold_acknowledged(self) -> None:
        """Hold all acknowledged results."""
        self.held.absorb(self.acknowledged)
        self.acknowledged = OffsetRanges()


class LedgerState(Struct):
    """The sum of a ledger's records: only `apply` changes it, so senders that follow each other have the same state."""

    # The run and its life. A joined run is completed by the one who created it, unless the manifest says otherwise.
    run: int | None = None
    is_joined: bool = False
    join_remark: str = ""
    is_noted: bool = False  # the run, or the thread of a joined one, has the note on how the session ended
    is_complete: bool = False
    # Runs that the user left by ``--new-run``: they have this session's id, but are not found again by it.
    left_runs: set[int] = field(default_factory=set)
    # The last sender: its process, and the totals that it wrote at its end.
    sender_pid: int = 0
    is_done: bool = False
    done: DoneRecord = field(default_factory=DoneRecord)
    # How the server's count differed from the confirmed results, until a sender has looked for each of them, and
    # whether it has found all, whatever the count is.
    difference: str = ""
    is_recounted: bool = False
    confirmed: int = 0  # results, also those that the server does not show
    # Intents by number, without those that were closed.
    open_intents: dict[int, Intent] = field(default_factory=dict)
    next_number: int = 1
    # Number of requests with a definite response: time limits begin again with each, since only these are progress.
    answers: int = 0
    # The error of the last request, empty after a success. Its class decides the summary's advice and the exit code.
    error: str = ""
    error_class: str = ""
    is_run_gone: bool = False  # the run is completed or unknown to the server: the rest needs ``--new-run``
    # None until a probe has shown it; then no thread needs a probe.
    fencing: Fencing | None = None
    # Reasons of refusals, for people.
    reasons: list[str] = field(default_factory=list)
    # Aliases that replace those that the server does not know: by pytest's status, and by the replaced alias.
    aliases: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    progress_by_worker: dict[str, WorkerProgress] = field(default_factory=dict)
    report: ReportRecord | None = None
    # Files of results by their names in the spool: uploaded, or not and why.
    stored: dict[str, StoredRecord] = field(default_factory=dict)
    unstored: dict[str, str] = field(default_factory=dict)

    def progress(self, worker: str) -> WorkerProgress:
        """Return a worker's progress; creates it for a worker without records."""
        return self.progress_by_worker.setdefault(worker, WorkerProgress())

    @property
    def orphans(self) -> dict[str, set[int]]:
        """Attempts of each worker that are reported although they never finished."""
        return {worker: progress.orphans for worker, progress in self.progress_by_worker.items()}

    @property
    def open_intent(self) -> Intent | None:
        """The oldest open intent, None if none is open."""
        return next(iter(self.open_intents.values()), None)

    @property
    def lost_report(self) -> str:
        """Why the HTML report is not there after the sender's end; "" if it is, or if none was wanted."""
        if self.report is None or self.report.state == "written":
            return ""
        return self.report.why or "the sender ended before it was written"

    @property
    def has_kept(self) -> bool:
        """Whether results were rejected, are held since their delivery is unconfirmed, not shown, or damaged."""
        return bool(self.total("rejected") or self.total("held") or self.difference or self.done.damaged)

    def total(self, outcome: Literal["acknowledged", "rejected", "held", "dropped"]) -> int:
        """Return the number of results of all workers with this outcome."""
        return sum(getattr(progress, outcome).count for progress in self.progress_by_worker.values())

    def totals(self, counted: DoneRecord, seen: Mapping[str, int]) -> DoneRecord:
        """Return what a sender has counted, with the totals of this ledger; ``seen`` are all results by worker."""
        workers = {
            worker: WorkerTotals(
                seen.get(worker),
                progress.acknowledged.count,
                progress.rejected.count,
                progress.held.count,
                len(progress.threads),
            )
            for worker in dict.fromkeys((*self.progress_by_worker, *seen))
            for progress in (self.progress(worker),)
        }
        return replace(
            counted,
            workers=workers,
            run=self.run,
            join_remark=self.join_remark,
            error=self.error,
            error_class=self.error_class,
            is_run_gone=self.is_run_gone,
            reasons=tuple(self.reasons[:_MAX_REASONS]),
            renamed=self.renamed,
            unstored_reasons=tuple(Counter(self.unstored.values()).most_common(_MAX_REASONS)),
        )

    def compare(self, shown: int | None) -> str:
        """Return how the results that the server shows differ from those that it confirmed; "" if they agree."""
        confirmed = self.total("acknowledged")
        if shown is None:
            return self.difference
        if confirmed <= shown <= confirmed + self.total("held") + self.total("dropped"):
            return ""
        return f"the server shows {shown} of {confirmed} results that it confirmed"

    def apply(self, record: Record) -> None:  # noqa: C901, PLR0912 - a table of all kinds
        """Add one record."""
        match record:
            case ReadyRecord():
                self.sender_pid, self.is_done, self.done, self.report = record.pid, False, DoneRecord(), None
            case DoneRecord():
                self.is_done, self.done, self.difference = True, record, record.difference
            case JoinedRecord():
                self.run, self.is_joined, self.join_remark = record.run, True, record.remark
            case NewRunRecord():
                self._leave_run()
            case Intent():
                self.open_intents[record.number] = record
                self.next_number = max(self.next_number, record.number + 1)
                if record.orphans:
                    self.progress(record.worker).orphans.update(record.orphans)
            case AckRecord() | NotRecord() | HeldRecord():
                self._close(record)
            case AsideRecord():
                self.progress(record.worker).rejected.add(record.offset, record.offset, 1)
                self.reasons.append(record.why)
            case UnheldRecord():
                for progress in self.progress_by_worker.values():
                    if record.dropped:
                        progress.dropped.absorb(progress.held)
                    progress.held = OffsetRanges()
            case UnshownRecord():
                self._take_back(record.offsets)
            case FencedRecord():
                self._note_response()
                self._leave_thread(record.worker)
            case FencingIsRecord():
                self.fencing = record.fencing
            case ErrorRecord():
                self.error, self.error_class = record.why, record.error_class
                self.is_run_gone = record.is_run_gone
            case AliasRecord():
                self.aliases[record.status] = self.renamed[record.before] = record.now
            case StoredRecord():
                self._note_response()
                self.stored[record.name] = record
                self.unstored.pop(record.name, None)
            case UnstoredRecord():
                self.unstored[record.name] = record.why
            case ReportRecord():
                self.report = record

    def _take_back(self, offsets: Mapping[str, Iterable[int]] | None) -> None:
        self.difference, self.is_recounted = "", not (offsets is None or offsets)
        for worker, progress in self.progress_by_worker.items():
            if offsets is None:
                progress.hold_acknowledged()
            else:
                progress.take_back(offsets.get(worker, ()))

    def _close(self, record: Closing) -> None:
        intent = self.open_intents.pop(record.number, None)
        if intent is None:
            return
        self._note_response(is_answer=not isinstance(record, NotRecord))  # for that one, a record of its error follows
        match record:
            case AckRecord():
                self._acknowledge(intent, record)
            case HeldRecord():
                self._set_aside(intent, record)

    def _note_response(self, *, is_answer: bool = True) -> None:
        """Forget the last error: the server has answered, or another request has failed since."""
        self.answers += is_answer
        self.error = self.error_class = ""
        self.is_run_gone = False

    def _set_aside(self, intent: Intent, record: HeldRecord) -> None:
        self.reasons.append(record.why)
        if intent.operation in {"append_run", "note_thread"}:
            self.is_noted = True  # a note is sent once, whatever the server does with it
        elif intent.operation == "append_thread":
            progress = self.progress(intent.worker)
            (progress.dropped if record.dropped else progress.held).add(intent.first, intent.last, intent.count)

    def _acknowledge(self, intent: Intent, record: AckRecord) -> None:
        match intent.operation:
            case "create_run":
                self.run = record.id
            case "append_run" | "note_thread":
                self.is_noted = True
            case "complete_run":
                self.is_complete = True
            case "create_thread" if record.id is not None:
                progress = self.progress(intent.worker)
                progress.thread, progress.in_thread = record.id, 0
                progress.thread_observed = progress.thread_computed = 0
                progress.threads.append(record.id)
            case "append_thread":
                progress, self.is_recounted = self.progress(intent.worker), False
                for first, last, count in record.ranges or ((intent.first, intent.last, intent.count),):
                    progress.acknowledged.add(first, last, count)
                    progress.unshown -= {offset for offset in progress.unshown if first <= offset <= last}
                    self.confirmed += count
                    if progress.thread == intent.thread:  # still open
                        progress.in_thread += count
                if not record.ranges and progress.thread == intent.thread:
                    progress.thread_observed += intent.observed
                    progress.thread_computed += intent.computed
            case "complete_thread":
                self._leave_thread(intent.worker)

    def _leave_run(self) -> None:
        if self.run is not None:
            self.left_runs.add(self.run)
        self.run, self.is_joined, self.is_noted, self.is_complete = None, False, False, False
        self.is_run_gone = False
        for worker in self.progress_by_worker:
            self._leave_thread(worker)

    def _leave_thread(self, worker: str) -> None:
        progress = self.progress(worker)
        progress.thread, progress.in_thread = None, 0
