"""The state of a session's delivery, as the records of its ledger describe it.

Before each POST that changes something the sender writes an ``intent``, and after it one record that closes the intent.
An intent without such a record is open: its response is awaited, or it must be reconciled before anything else is sent
to that run. Several can be open: one for each worker and one for the run.

Results are named by the offset of their record in their worker's file. Each worker's results are sent in the order of
their offsets, so a batch is a range of offsets.

The kinds of records, each with the reason for it. `LedgerState.apply` applies all of them, in the sender, in a later
sender, and in pytest, which reads along to see when the sender is done:

``ready``, ``done``
    A sender began or ended. Pytest waits for ``done``, and gets the sender's process id from ``ready`` to notice its
    death. ``done`` counts what remains.
``lane``
    Written before ``done``: one worker's totals, so that the summary need not read 100,000 results.
``joined``
    The id of a run that exists already. ``run create`` or another job has created it, so no intent shows it.
``intent``
    A POST is about to be sent. Without it a sender that is killed after sending could send the same results again.
``ack``, ``part``, ``not``
    Close an intent: applied by the server; applied for these ranges of the batch; not applied, so it is sent again.
``rejected``
    Closes an intent: the server refused the whole batch, and will refuse it again.
``held``, ``dropped``
    Close an intent: the server cannot show whether it was applied. A held batch is not sent before the user decides.
``unheld``
    The user's decision by ``send --unknown``: held results are sent again or dropped.
``aside``
    One result that the server refuses; the rest of its batch is sent without it.
``alias``
    The server does not know a status, so another alias is used from now on. Without it each sender would be refused
    once more.
``fencing``, ``fenced``
    A thread is about to be completed, or was, so that a late copy of a request has no effect. After ``fenced`` the
    worker needs a new thread. ``fencing`` is for people who read the ledger; no code does.
``fencing-is``
    Whether completed threads of this server accept results: found out once, by a probe.
``stored``, ``unstored``
    A file of a result was uploaded to this URL, or not, with the reason. Without it each file would be uploaded again.
``findings``
    Written before ``done``: what changed in the run since an earlier one, for pytest's summary. Only a server of ours
    has it.
``report``
    The HTML report of the run is being written, or what became of it. Pytest waits for it, though no response arrives.
``trouble``
    Why nothing is sent at the moment: pytest's wait ends sooner, and the summary shows the reason.
``new-run``
    The user sends the rest to a new run (``send --new-run``): run and threads before it are not used any more.
``doubted``
    An earlier ledger of the session is lost, so that any result may have been sent.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_automation_report.values import MutableValue, Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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


class Intent(Value):
    """One POST that is about to be sent.

    ``at`` is the time in seconds since 1970. Of a batch, ``first`` and ``last`` are the offsets of its first and last
    result, ``count`` is their number; ``observed`` and ``computed`` are its share of the thread's elapsed times in
    microseconds.
    """

    number: int
    operation: Operation
    worker: str = ""
    thread: int = 0
    first: int = 0
    last: int = 0
    count: int = 0
    # Number of results in the thread before this batch: what the thread has more was brought by the batch.
    known: int = 0
    # Numbers of the attempts that are reported although they never finished. Their FINISH may still come, from a
    # process that outlives the session's end: it must not be a second result.
    orphans: tuple[int, ...] = ()
    observed: int = 0
    computed: int = 0
    at: float = 0.0

    def has_arrived_by(self, later: Intent) -> bool:
        """Whether a later append to the same thread shows that all of this one was applied."""
        is_append = self.operation == later.operation == "append_thread"
        return is_append and self.thread == later.thread and later.known >= self.known + self.count

    def members(self) -> dict[str, object]:
        """Return the members of the intent's record."""
        return {
            "i": self.number,
            "op": self.operation,
            "at": self.at,
            "worker": self.worker,
            "thread": self.thread,
            "first": self.first,
            "last": self.last,
            "count": self.count,
            "known": self.known,
            "orphans": list(self.orphans),
            "observed": self.observed,
            "computed": self.computed,
        }


class OffsetRanges(MutableValue):
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


class WorkerProgress(MutableValue):
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


class LedgerState(MutableValue):
    """The sum of a ledger's records.

    Only `apply` changes it, so a sender that continues and one that restarts have the same state.
    """

    # The run and its life. A joined run is completed by the one who created it, unless the manifest says otherwise.
    run: int | None = None
    is_joined: bool = False
    is_noted: bool = False  # the run, or the thread of a joined one, has the note on how the session ended
    is_complete: bool = False
    # Runs that the user left by ``--new-run``: they have this session's id, but are not found again by it.
    left_runs: set[int] = field(default_factory=set)
    # The lives of senders.
    is_ready: bool = False
    is_done: bool = False
    sender_pid: int = 0
    done: Mapping[str, Any] = field(default_factory=dict)
    lanes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    # The ledger before this one is lost, and with it which results were sent.
    is_doubted: bool = False
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
    # The path of the run's HTML report, its state (begun, written, late, none), and why there is none, or a note.
    report: Mapping[str, str] | None = None
    # Files of results by their names in the spool: uploaded, or not and why.
    stored: dict[str, Mapping[str, Any]] = field(default_factory=dict)
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
        return self.report is not None and self.report["state"] == "begun"

    @property
    def is_report_late(self) -> bool:
        """Whether pytest has stopped to wait for the HTML report, which is still being written."""
        return self.report is not None and self.report["state"] == "late"

    @property
    def lost_report(self) -> str:
        """Why the HTML report of a session whose sender has ended is not there; "" if it is, or if none was wanted."""
        if self.report is None or self.report["state"] == "written":
            return ""
        return self.report["why"] or "the sender ended before it was written"

    @property
    def unstored_reasons(self) -> tuple[tuple[str, int], ...]:
        """The reasons why files were not stored, each with the number of files, the most frequent first."""
        return tuple(Counter(self.unstored.values()).most_common())

    def total(self, outcome: Literal["acknowledged", "rejected", "held", "dropped"]) -> int:
        """Return the number of results of all workers with this outcome."""
        return sum(getattr(progress, outcome).count for progress in self.progress_by_worker.values())

    def apply(self, record: Record) -> None:
        """Add one record; unknown kinds, of later versions, change nothing.

        Raises KeyError, TypeError, ValueError or AttributeError for a record without the members of its kind.
        """
        members = record.members
        match record.kind:
            case "ready":
                self.is_ready, self.is_done, self.sender_pid = True, False, members["pid"]
                self.report = None
            case "joined":
                self.run, self.is_joined = members["run"], True
            case "intent":
                self._apply_intent(_intent_from(members))
            case "ack" | "part" | "not" | "rejected" | "held" | "dropped":
                self._close(record.kind, members)
            case "aside":
                self.progress_of(members["worker"]).rejected.add(members["offset"], members["offset"], 1)
                self.reasons.append(str(members["why"]))
            case "fenced":
                self._answered()
                self._leave_thread(members["worker"])
            case "trouble":
                self.trouble, self.trouble_class = members["why"], members["class"]
                self.is_run_gone = bool(members.get("gone", False))
            case "lane":
                self.lanes[members["worker"]] = members
            case "done":
                self.is_done, self.done = True, members
            case _:
                self._apply_rare(record.kind, members)

    def _apply_rare(self, kind: str, members: Mapping[str, Any]) -> None:
        match kind:
            case "alias":
                self.aliases[members["status"]] = members["now"]
                self.renamed[members["before"]] = members["now"]
            case "stored":
                self._answered()
                self.stored[members["name"]] = members
                self.unstored.pop(members["name"], None)
            case "unstored":
                self.unstored[members["name"]] = members["why"]
            case "findings":
                self.findings = members["excerpt"]
            case "report":
                self.report = {name: str(members[name]) for name in ("file", "state", "why")}
            case "fencing-is":
                self.fencing = members["fencing"]
            case "doubted":
                self.is_doubted = True
            case "unheld":
                self.is_doubted = False
                self._release_held(is_dropped=members["dropped"])
            case "new-run":
                self._leave_run()
            case _:
                pass

    def _apply_intent(self, intent: Intent) -> None:
        for earlier in [earlier for earlier in self.open_intents.values() if earlier.has_arrived_by(intent)]:
            # The record that closed it is damaged, but `known` of the later intent shows that it was applied.
            self._close("ack", {"i": earlier.number})
        self.open_intents[intent.number] = intent
        self.next_number = max(self.next_number, intent.number + 1)
        if intent.operation == "append_thread":
            self.progress_of(intent.worker).orphans.update(intent.orphans)

    def _close(self, kind: str, members: Mapping[str, Any]) -> None:
        intent = self.open_intents.pop(members["i"], None)
        if intent is None:
            return
        if kind == "not":
            self._forget_trouble()  # the record with its error follows
        else:
            self._answered()
        if kind == "ack":
            self._acknowledge(intent, members.get("id"))
        elif kind == "part":
            self._acknowledge_ranges(intent, members["ranges"])
        elif kind != "not":
            self.reasons.append(str(members["why"]))
            self._set_aside(intent, kind)

    def _answered(self) -> None:
        self.answers += 1
        self._forget_trouble()

    def _forget_trouble(self) -> None:
        self.trouble = self.trouble_class = ""
        self.is_run_gone = False

    def _set_aside(self, intent: Intent, kind: str) -> None:
        if intent.operation in {"append_run", "note_thread"}:
            self.is_noted = True  # a note is sent once, whatever the server does with it
        elif intent.operation == "append_thread":
            progress = self.progress_of(intent.worker)
            ranges = {"rejected": progress.rejected, "held": progress.held, "dropped": progress.dropped}[kind]
            ranges.add(intent.first, intent.last, intent.count)

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


def _intent_from(members: Mapping[str, Any]) -> Intent:
    return Intent(
        number=members["i"],
        operation=members["op"],
        at=members.get("at", 0.0),
        worker=members["worker"],
        thread=members["thread"],
        first=members["first"],
        last=members["last"],
        count=members["count"],
        known=members["known"],
        orphans=tuple(members["orphans"]),
        observed=members["observed"],
        computed=members["computed"],
    )
