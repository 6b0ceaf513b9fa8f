"""What the sender has done, as its ledger tells it.

The ledger is a file of records (``records``). Before each POST that changes something stands an ``intent``; after it
what came of it: ``ack`` (the server has it), ``part`` (it has these ranges of a batch), ``not`` (it has not),
``rejected`` (it will not take it) or ``held`` (nobody can tell). An intent without one of these is open: its answer is
awaited, or it must be settled before anything else is sent. Several can be open: one for each worker, one for the run.

Results are named by the offset of the record they come from in their worker's file; each worker's results are sent in
the order of their offsets, so a batch is a range of offsets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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


Fencing: TypeAlias = Literal["fences", "settles"]


@dataclass(frozen=True, slots=True)
class Intent:
    """One POST that is about to be sent, at this time in seconds since the epoch.

    ``first`` and ``last`` are the offsets of a batch's first and last result, ``count`` how many it has, ``known``
    how many results the thread had before it, ``orphans`` the numbers of attempts that are reported although they
    never finished.
    """

    number: int
    operation: Operation
    worker: str = ""
    thread: int = 0
    first: int = 0
    last: int = 0
    count: int = 0
    known: int = 0
    orphans: tuple[int, ...] = ()
    observed: int = 0
    computed: int = 0
    at: float = 0.0

    def has_arrived_by(self, later: Intent) -> bool:
        """Whether a later append to the same thread shows that all of this one was there."""
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


@dataclass(slots=True)
class OffsetRanges:
    """Ranges of offsets, added in any order; ``count`` is the number of results in them."""

    _firsts: list[int] = field(default_factory=list)
    _lasts: list[int] = field(default_factory=list)
    count: int = 0

    def add(self, first: int, last: int, count: int) -> None:
        """Add a range that brings this many results; it may lie around ranges that are there already."""
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
            return False  # as for every new result
        place = bisect_right(self._firsts, offset) - 1
        return place >= 0 and offset <= self._lasts[place]


@dataclass(slots=True)
class WorkerProgress:
    """What became of one worker's results; ``thread`` is the open thread, ``in_thread`` how many results it has.

    ``thread_observed`` and ``thread_computed`` are what was added to that thread so far, in microseconds.
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
        """Whether the result at this offset is not to be sent (any more)."""
        return offset in self.acknowledged or offset in self.rejected or offset in self.held or offset in self.dropped


@dataclass(slots=True)
class LedgerState:
    """The sum of a ledger's records; changed by `apply` alone, so that a restart and a run on agree.

    ``is_doubted`` tells that the ledger before this one is lost, and with it what was sent.
    ``answers`` counts what the server has said yes or no to: the only progress there is. ``trouble`` is what the last
    request met, empty when it met nothing; ``is_run_gone`` that the run is completed or unknown to the server.
    ``fencing`` is what the server has shown: that completed threads take no
    results, or that they do. ``stored`` are the files of results that were stored, by their names in the spool,
    ``unstored`` why others were not. ``aliases`` are those used by pytest's status instead of ones that the server does
    not know, ``renamed`` the same by those.
    """

    run: int | None = None
    is_joined: bool = False
    is_noted: bool = False
    is_complete: bool = False
    is_done: bool = False
    is_ready: bool = False
    is_doubted: bool = False
    open_intents: dict[int, Intent] = field(default_factory=dict)
    next_number: int = 1
    sender_pid: int = 0
    answers: int = 0
    trouble: str = ""
    trouble_class: str = ""
    is_run_gone: bool = False
    fencing: Fencing | None = None
    left_runs: set[int] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, WorkerProgress] = field(default_factory=dict)
    stored: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    unstored: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    done: Mapping[str, Any] = field(default_factory=dict)

    def account(self, worker: str) -> WorkerProgress:
        """Return this worker's account, a new one when there is none."""
        return self.accounts.setdefault(worker, WorkerProgress())

    @property
    def open_intent(self) -> Intent | None:
        """The first of the open intents, ``None`` when none is open."""
        return next(iter(self.open_intents.values()), None)

    @property
    def unstored_reasons(self) -> tuple[tuple[str, int], ...]:
        """Why files of results are not stored, each with their number, the most frequent first."""
        return tuple(Counter(self.unstored.values()).most_common())

    def total(self, what: Literal["acknowledged", "rejected", "held", "dropped"]) -> int:
        """Return the number of results, of all workers, that have met this end."""
        return sum(getattr(each, what).count for each in self.accounts.values())

    def apply(self, record: Record) -> None:
        """Add one record; kinds of later versions are passed over."""
        members = record.members
        match record.kind:
            case "ready":
                self.is_ready, self.is_done, self.sender_pid = True, False, members["pid"]
            case "joined":
                self.run, self.is_joined = members["run"], True
            case "intent":
                self._apply_intent(_intent_from(members))
            case "ack" | "part" | "not" | "rejected" | "held" | "dropped":
                self._close(record.kind, members)
            case "aside":
                self.account(members["worker"]).rejected.add(members["offset"], members["offset"], 1)
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
                self._apply_seldom(record.kind, members)

    def _apply_seldom(self, kind: str, members: Mapping[str, Any]) -> None:
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
        for earlier in [each for each in self.open_intents.values() if each.has_arrived_by(intent)]:
            # The record of what became of it is damaged, but what its thread had after it is known.
            self._close("ack", {"i": earlier.number})
        self.open_intents[intent.number] = intent
        self.next_number = max(self.next_number, intent.number + 1)
        if intent.operation == "append_thread":
            self.account(intent.worker).orphans.update(intent.orphans)

    def _close(self, kind: str, members: Mapping[str, Any]) -> None:
        intent = self.open_intents.pop(members["i"], None)
        if intent is None:
            return
        if kind == "not":
            self._forget_trouble()  # what it met is written after it
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
            self.is_noted = True
        elif intent.operation == "append_thread":
            account = self.account(intent.worker)
            ranges = {"rejected": account.rejected, "held": account.held, "dropped": account.dropped}[kind]
            ranges.add(intent.first, intent.last, intent.count)

    def _acknowledge_ranges(self, intent: Intent, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Take the part of a batch that has arrived; the thread may be open still."""
        account = self.account(intent.worker)
        for first, last, count in ranges:
            account.acknowledged.add(first, last, count)
            if account.thread == intent.thread:
                account.in_thread += count

    def _release_held(self, *, is_dropped: bool) -> None:
        """Take results out of what is held: to be sent again, or given up."""
        for account in self.accounts.values():
            if is_dropped:
                account.dropped.absorb(account.held)
            account.held = OffsetRanges()

    def _leave_run(self) -> None:
        """Go on in another run, with new threads."""
        if self.run is not None:
            self.left_runs.add(self.run)
        self.run, self.is_joined, self.is_noted, self.is_complete = None, False, False, False
        self.is_run_gone = False
        for worker in self.accounts:
            self._leave_thread(worker)

    def _acknowledge(self, intent: Intent, made: int | None) -> None:
        account = self.account(intent.worker) if intent.worker else None
        match intent.operation:
            case "create_run":
                self.run = made
            case "append_run" | "note_thread":
                self.is_noted = True
            case "complete_run":
                self.is_complete = True
            case "create_thread" if account is not None and made is not None:
                account.thread, account.in_thread = made, 0
                account.thread_observed = account.thread_computed = 0
                account.threads.append(made)
            case "append_thread" if account is not None:
                account.acknowledged.add(intent.first, intent.last, intent.count)
                account.in_thread += intent.count
                account.thread_observed += intent.observed
                account.thread_computed += intent.computed
            case "complete_thread":
                self._leave_thread(intent.worker)
            case _:
                pass

    def _leave_thread(self, worker: str) -> None:
        account = self.account(worker)
        account.thread, account.in_thread = None, 0


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
