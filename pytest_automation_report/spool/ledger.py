"""The state of a session's delivery, as the records of its ledger describe it.

Before each POST that changes something the sender writes an ``intent``, and after it one record that closes the intent.
An intent without such a record is open: its response is awaited, or it must be reconciled before anything else is sent
to that run. Several can be open: one for each worker and one for the run.

Results are named by the offset of their record in their worker's file. Each worker's results are sent in the order of
their offsets, so a batch is a range of offsets.

`spool.ledger_records` has the kinds of records.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from pytest_automation_report.spool.ledger_records import (
    AckRecord,
    AliasRecord,
    AsideRecord,
    DoneRecord,
    DroppedRecord,
    FencedRecord,
    FencingIsRecord,
    FindingsRecord,
    HeldRecord,
    Intent,
    JoinedRecord,
    NewRunRecord,
    NotRecord,
    PartRecord,
    ReadyRecord,
    RejectedRecord,
    ReportRecord,
    StoredRecord,
    TroubleRecord,
    UnheldRecord,
    UnstoredRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.spool.ledger_records import Closing, Fencing
    from pytest_automation_report.spool.records import Record


class OffsetRanges(Struct):
    """Ranges of offsets, added in any order; ``count`` is the number of results in them.

    Ranges instead of single offsets: memory grows with the number of batches, not with that of results.
    """

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
    """The delivery of one worker's results: the ranges by outcome, and the threads that they were sent to.

    ``thread`` is the open thread, None if there is none; ``in_thread`` is the number of its results, and
    ``thread_observed`` and ``thread_computed`` are the elapsed times sent to it so far, in microseconds. ``threads``
    are all threads of the worker: a fenced thread is followed by a new one.
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

    def is_settled(self, offset: int) -> bool:
        """Whether the result at this offset must not be sent, or not again."""
        return offset in self.acknowledged or offset in self.rejected or offset in self.held or offset in self.dropped


class LedgerState(Struct):
    """The sum of a ledger's records.

    Only `apply` changes it, so a sender that continues and one that restarts have the same state.
    """

    # The run and its life. A joined run is completed by the one who created it, unless the manifest says otherwise.
    run: int | None = None
    is_joined: bool = False
    joined_note: str = ""
    is_noted: bool = False  # the run, or the thread of a joined one, has the note on how the session ended
    is_complete: bool = False
    # Runs that the user left by ``--new-run``: they have this session's id, but are not found again by it.
    left_runs: set[int] = field(default_factory=set)
    # The lives of senders.
    is_ready: bool = False
    is_done: bool = False
    sender_pid: int = 0
    done: DoneRecord = field(default_factory=DoneRecord)
    # Intents by number, without those that were closed.
    open_intents: dict[int, Intent] = field(default_factory=dict)
    next_number: int = 1
    # Number of requests with a definite response: time limits begin again with each, since only these are progress.
    answers: int = 0
    # The error of the last request, empty after a success. Its class decides the summary's advice and the exit code.
    trouble: str = ""
    trouble_class: str = ""
    is_run_gone: bool = False  # the run is completed or unknown to the server: the rest needs ``--new-run``
    # None until a probe has shown it; then no thread needs a probe.
    fencing: Fencing | None = None
    # Reasons of refusals, for people.
    reasons: list[str] = field(default_factory=list)
    # Aliases that replace those that the server does not know: by pytest's status, and by the replaced alias.
    aliases: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    progress_by_worker: dict[str, WorkerProgress] = field(default_factory=dict)
    # What changed in the run; None if the server has no findings, or did not answer in time.
    findings: dict[str, Any] | None = None
    report: ReportRecord | None = None
    # Files of results by their names in the spool: uploaded, or not and why.
    stored: dict[str, StoredRecord] = field(default_factory=dict)
    unstored: dict[str, str] = field(default_factory=dict)

    def progress_of(self, worker: str) -> WorkerProgress:
        """Return a worker's progress; creates it for a worker without records."""
        return self.progress_by_worker.setdefault(worker, WorkerProgress())

    @property
    def open_intent(self) -> Intent | None:
        """The oldest open intent, None if none is open."""
        return next(iter(self.open_intents.values()), None)

    @property
    def is_reporting(self) -> bool:
        """Whether the HTML report of the run is being written."""
        return self.report is not None and self.report.state == "begun"

    @property
    def is_report_late(self) -> bool:
        """Whether pytest has stopped to wait for the HTML report, which is still being written."""
        return self.report is not None and self.report.state == "late"

    @property
    def lost_report(self) -> str:
        """Why the HTML report of a session whose sender has ended is not there; "" if it is, or if none was wanted."""
        if self.report is None or self.report.state == "written":
            return ""
        return self.report.why or "the sender ended before it was written"

    @property
    def unstored_reasons(self) -> tuple[tuple[str, int], ...]:
        """The reasons why files were not stored, each with the number of files, the most frequent first."""
        return tuple(Counter(self.unstored.values()).most_common())

    def total(self, outcome: Literal["acknowledged", "rejected", "held", "dropped"]) -> int:
        """Return the number of results of all workers with this outcome."""
        return sum(getattr(progress, outcome).count for progress in self.progress_by_worker.values())

    @property
    def difference(self) -> str:
        """How the results that the server shows differ from those that it confirmed; "" if they agree."""
        shown, confirmed = self.done.shown, self.total("acknowledged")
        if shown is None or confirmed <= shown <= confirmed + self.total("held") + self.total("dropped"):
            return ""
        return f"the server shows {shown} of {confirmed} results that it confirmed"

    def apply(self, record: Record) -> None:
        """Add one record."""
        match record:
            case ReadyRecord():
                self.is_ready, self.is_done, self.sender_pid = True, False, record.pid
                self.report = None
            case JoinedRecord():
                self.run, self.is_joined, self.joined_note = record.run, True, record.note
            case Intent():
                self._apply_intent(record)
            case AckRecord() | PartRecord() | NotRecord() | RejectedRecord() | HeldRecord() | DroppedRecord():
                self._close(record)
            case AsideRecord():
                self.progress_of(record.worker).rejected.add(record.offset, record.offset, 1)
                self.reasons.append(record.why)
            case FencedRecord():
                self._answered()
                self._leave_thread(record.worker)
            case TroubleRecord():
                self.trouble, self.trouble_class = record.why, record.error_class
                self.is_run_gone = record.is_run_gone
            case DoneRecord():
                self.is_done, self.done = True, record
            case _:
                self._apply_rare(record)

    def _apply_rare(self, record: Record) -> None:
        match record:
            case AliasRecord():
                self.aliases[record.status] = self.renamed[record.before] = record.now
            case StoredRecord():
                self._answered()
                self.stored[record.name] = record
                self.unstored.pop(record.name, None)
            case UnstoredRecord():
                self.unstored[record.name] = record.why
            case FindingsRecord():
                self.findings = record.excerpt
            case ReportRecord():
                self.report = record
            case FencingIsRecord():
                self.fencing = record.fencing
            case UnheldRecord():
                self._release_held(is_dropped=record.dropped)
            case NewRunRecord():
                self._leave_run()
            case _:
                pass

    def _apply_intent(self, intent: Intent) -> None:
        for earlier in [earlier for earlier in self.open_intents.values() if earlier.has_arrived_by(intent)]:
            # The record that closed it is damaged, but `known` of the later intent shows that it was applied.
            self._close(AckRecord(earlier.number))
        self.open_intents[intent.number] = intent
        self.next_number = max(self.next_number, intent.number + 1)
        if intent.operation == "append_thread":
            self.progress_of(intent.worker).orphans.update(intent.orphans)

    def _close(self, record: Closing) -> None:
        intent = self.open_intents.pop(record.number, None)
        if intent is None:
            return
        if isinstance(record, NotRecord):
            self._forget_trouble()  # the record with its error follows
            return
        self._answered()
        match record:
            case AckRecord():
                self._acknowledge(intent, record.id)
            case PartRecord():
                self._acknowledge_ranges(intent, record.ranges)
            case RejectedRecord() | HeldRecord() | DroppedRecord():
                self.reasons.append(record.why)
                self._set_aside(intent, record)

    def _answered(self) -> None:
        self.answers += 1
        self._forget_trouble()

    def _forget_trouble(self) -> None:
        self.trouble = self.trouble_class = ""
        self.is_run_gone = False

    def _set_aside(self, intent: Intent, record: RejectedRecord | HeldRecord | DroppedRecord) -> None:
        if intent.operation in {"append_run", "note_thread"}:
            self.is_noted = True  # a note is sent once, whatever the server does with it
        elif intent.operation == "append_thread":
            progress = self.progress_of(intent.worker)
            ranges = {RejectedRecord: progress.rejected, HeldRecord: progress.held, DroppedRecord: progress.dropped}
            ranges[type(record)].add(intent.first, intent.last, intent.count)

    def _acknowledge_ranges(self, intent: Intent, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Acknowledge the part of a batch that was applied; its thread may still be open."""
        progress = self.progress_of(intent.worker)
        for first, last, count in ranges:
            progress.acknowledged.add(first, last, count)
            if progress.thread == intent.thread:
                progress.in_thread += count

    def _release_held(self, *, is_dropped: bool) -> None:
        """Apply the user's decision on all held results: they are dropped, or sent again."""
        for progress in self.progress_by_worker.values():
            if is_dropped:
                progress.dropped.absorb(progress.held)
            progress.held = OffsetRanges()

    def _leave_run(self) -> None:
        """Forget the run, so that the rest goes to a new one with new threads."""
        if self.run is not None:
            self.left_runs.add(self.run)
        self.run, self.is_joined, self.is_noted, self.is_complete = None, False, False, False
        self.is_run_gone = False
        for worker in self.progress_by_worker:
            self._leave_thread(worker)

    def _acknowledge(self, intent: Intent, new_id: int | None) -> None:
        progress = self.progress_of(intent.worker) if intent.worker else None
        match intent.operation:
            case "create_run":
                self.run = new_id
            case "append_run" | "note_thread":
                self.is_noted = True
            case "complete_run":
                self.is_complete = True
            case "create_thread" if progress is not None and new_id is not None:
                progress.thread, progress.in_thread = new_id, 0
                progress.thread_observed = progress.thread_computed = 0
                progress.threads.append(new_id)
            case "append_thread" if progress is not None:
                progress.acknowledged.add(intent.first, intent.last, intent.count)
                progress.in_thread += intent.count
                progress.thread_observed += intent.observed
                progress.thread_computed += intent.computed
            case "complete_thread":
                self._leave_thread(intent.worker)
            case _:
                pass

    def _leave_thread(self, worker: str) -> None:
        progress = self.progress_of(worker)
        progress.thread, progress.in_thread = None, 0
