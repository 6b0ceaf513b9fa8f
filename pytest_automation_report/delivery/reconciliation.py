"""Which results of a batch a thread has (floor 3).

Finds out what became of a POST whose answer nobody saw, or that was refused perhaps in part (floor 3).

An append with no answer: its thread is completed first (the fence: a late copy of the request can no longer land), then
the thread's total is read until two reads agree. All of the batch is there, or nothing, or a part that the thread's own
list names; where the server cannot tell, the batch is held: never sent again by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pytest_automation_report.api.run_pages import run_pages
from pytest_automation_report.errors import RefusedError, UnknownAnswerError
from pytest_automation_report.spool.folder import SESSION_ID_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.responses import Run, RunTest, Thread
    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.spool.ledger import Intent
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.manifest import SessionManifest

Ranges: TypeAlias = list[tuple[int, int, int]]
"""First offset, last offset and number of results of each piece."""

_PER_PAGE: Final = 250


def arrived_ranges(
    client: Client, run: int, thread: int, arrived: int, batch: Sequence[Result]
) -> tuple[Ranges | None, str]:
    """Return which of a batch's results are the thread's latest, or ``None`` and why nobody can tell.

    Only this sender writes to the thread, so its latest results are of the last batch, in which no key stands twice.
    Raises the errors of the client, except that reading is refused.
    """
    try:
        rows = _latest(client, run, thread, arrived)
    except RefusedError as error:
        return None, f"the server does not show a run's results ({error})"
    ids = [row.id or 0 for row in rows]
    if len(rows) != arrived or 0 in ids or sorted(set(ids), reverse=True) != ids:
        return None, "the server's list of the run's results cannot be followed"
    found = {row.key or (row.folder, row.name) for row in rows}
    is_there = [each.key in found or _place(each) in found for each in batch]
    if sum(is_there) != arrived:
        return None, "the latest results of the thread are not those of one batch"
    return ranges_of(is_there, batch), ""


def _place(result: Result) -> tuple[str, str]:
    test = json.loads(result.test)
    return test["folder"], test["name"]


def ranges_of(is_there: Sequence[bool], batch: Sequence[Result]) -> Ranges:
    """Return the results that are there, those that stand side by side in the batch as one piece."""
    pieces: list[list[int]] = []
    for here, result in zip(is_there, batch, strict=True):
        if not here:
            pieces.append([])
        elif pieces and pieces[-1]:
            pieces[-1].append(result.offset)
        else:
            pieces.append([result.offset])
    return [(piece[0], piece[-1], len(piece)) for piece in pieces if piece]


def _latest(client: Client, run: int, thread: int, count: int) -> list[RunTest]:
    """Return the thread's latest results, the last one first."""
    rows: list[RunTest] = []
    page: int | None = 1
    while page is not None and len(rows) < count:
        answer = client.run_tests(run, page=page, per_page=_PER_PAGE, thread_id=thread, sort="id", order="desc")
        rows += answer.result
        page = answer.next_page if answer.result and answer.next_page == page + 1 else None
    return rows[:count]


NOTE_FIELD: Final = "Session"

Unknown: TypeAlias = Literal["hold", "send", "drop"]
"""What is done with results of which nobody can tell whether they arrived."""

DECISIONS: Final = {"hold": "held", "send": "not", "drop": "dropped"}
_RUNNING: Final = 4
_UNPROCESSABLE: Final = 422
_NO_TESTS: Final = b"{}"


@dataclass(slots=True)
class Reconciliation:
    """Settles one intent in steps; errors of the client pass through, and the step is repeated later.

    ``batch`` is what the intent's append had; ``refusal`` the answer of a request that was refused.
    """

    intent: Intent
    client: Client
    ledger: LedgerFile
    session: SessionManifest
    timeouts: Timeouts
    runtime: Runtime
    batch: Sequence[Result] = ()
    unknown: Unknown = "hold"
    refusal: RefusedError | None = None
    _is_fenced: bool = False
    _has_tried: bool = False
    _takes_nothing: bool = False
    _last_read: int | None = None
    _next_read: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether time must pass until the server can be asked."""
        return self.runtime.clock() < self._next_read

    def step(self) -> bool:
        """Send at most one request, or read one list; return whether the intent is settled now."""
        if self.is_waiting:
            return False
        match self.intent.operation:
            case "append_thread":
                return self._settle_append() if self.refusal is None else self._recount(self.refusal)
            case "create_run":
                return self._settle_run()
            case _:
                return self._decide("ack" if self._is_applied() else "not")

    def _is_applied(self) -> bool:
        try:
            match self.intent.operation:
                case "create_thread":
                    return False  # an empty thread does no harm; a new one is simply made
                case "complete_thread":
                    return self._thread().is_completed
                case "append_run":
                    return any(field.name == NOTE_FIELD for field in self._run(has_threads=False).fields)
                case "note_thread":
                    return any(field.name == NOTE_FIELD for field in self._thread().fields)
                case _:
                    return self._run(has_threads=False).is_completed
        except RefusedError as error:
            # Completing again tells: a second refusal means that it is completed. A note is worth no second copy.
            self.runtime.log(f"{error}: {self.intent.operation} cannot be looked at")
            return self.refusal is not None or self.intent.operation in {"append_run", "note_thread"}

    def _recount(self, refusal: RefusedError) -> bool:
        """Look, once, whether a refused append has left something behind, or was refused for its thread's sake."""
        try:
            run = self._run()
            thread = run.thread(self.intent.thread)
        except RefusedError as error:
            self.runtime.log(f"{error}: the refusal is taken to be of the whole append")
            return self._decide("not")
        if run.is_completed:
            self._decide("not")
            raise refusal
        if thread is None or thread.is_completed:
            self._decide("not")
            self.ledger.write("fenced", worker=self.intent.worker)
            return True
        return self._decide_by(thread.counts.total - self.intent.known)

    def _settle_append(self) -> bool:
        if not self._is_fenced:
            return self._fence()
        try:
            thread = self._thread()
        except RefusedError as error:
            return self._set_aside(f"the server does not show what arrived in thread {self.intent.thread} ({error})")
        if not thread.is_completed:
            self._is_fenced = False  # the fence's own answer was lost before it was applied
            return False
        if self.ledger.state.fencing == "settles" and self._has_to_settle():
            return False
        total = thread.counts.total
        return self._has_repeated(total) and self._decide_by(total - self.intent.known)

    def _decide_by(self, arrived: int) -> bool:
        """Decide by the number of results that the thread has more than before."""
        intent = self.intent
        if arrived in {0, intent.count}:
            return self._decide("not" if arrived == 0 else "ack")
        why = "the batch itself is not known any more"
        if 0 < arrived < intent.count == len(self.batch):
            run = self.ledger.state.run
            assert run is not None
            ranges, why = arrived_ranges(self.client, run, intent.thread, arrived, self.batch)
            if ranges is not None:
                return self._decide("part", ranges=ranges)
        return self._set_aside(
            f"{arrived} of the {intent.count} results of one request arrived in thread {intent.thread}: {why}"
        )

    def _set_aside(self, why: str) -> bool:
        return self._decide(DECISIONS[self.unknown], why=why)

    def _fence(self) -> bool:
        """Complete the thread, and learn once whether that keeps results out: an append without tests tells."""
        knows = self.client.knows_keys or self.ledger.state.fencing is not None
        if not (knows or self._has_tried) and self.ledger.state.account(self.intent.worker).thread is not None:
            self._takes_nothing, self._has_tried = bool(self._is_taken()), True
            return False
        self.ledger.write("fencing", worker=self.intent.worker, thread=self.intent.thread)
        try:
            self.client.complete_thread(self.intent.thread)
        except RefusedError as error:
            if error.status != _UNPROCESSABLE:
                raise
            self.runtime.log(f"thread {self.intent.thread} is closed already: {error}")
        if not knows and self._takes_nothing:
            self._learn()
        self.ledger.write("fenced", worker=self.intent.worker)
        self._is_fenced = True
        return False

    def _learn(self) -> None:
        """Keep whether completed threads of this server take appends, unless that goes unanswered."""
        is_taken = self._is_taken()
        if is_taken is not None:
            self.ledger.write("fencing-is", fencing="settles" if is_taken else "fences")
            self.runtime.log(f"completed threads of this server {'settle' if is_taken else 'fence'}")

    def _is_taken(self) -> bool | None:
        """Whether the thread takes an append without tests, ``None`` when that goes unanswered."""
        try:
            self.client.append_thread(self.intent.thread, _NO_TESTS)
        except RefusedError:
            return False
        except UnknownAnswerError as error:
            self.runtime.log(f"{error}: it is not learnt whether completed threads take results")
            return None
        return True

    def _has_to_settle(self) -> bool:
        """Whether a late copy of the request could still land: no fence keeps it out."""
        left = min(self.timeouts.settle, self.intent.at + self.timeouts.settle - self.runtime.wall())
        if left > 0:
            self._next_read = self.runtime.clock() + left
            self.runtime.log(f"thread {self.intent.thread} takes results though completed: it settles in {left:.0f} s")
        return left > 0

    def _settle_run(self) -> bool:
        """Adopt the run that carries this session's id, if the server has one."""
        try:
            runs = [run for page in run_pages(self.client, status=(_RUNNING,)) for run in page.result]
        except RefusedError as error:
            self.runtime.log(f"{error}: a run may be left behind empty")
            return self._decide("not")
        found = [run.id for run in runs if self._is_ours(run) and run.id not in self.ledger.state.left_runs]
        if found:
            return self._decide("ack", id=min(found))
        if not self._has_repeated(0):
            return False
        return self._decide("not")

    def _is_ours(self, run: Run) -> bool:
        return any(each.name == SESSION_ID_FIELD and each.value == self.session.id for each in run.fields)

    def _has_repeated(self, value: int) -> bool:
        """Whether two reads in a row, a while apart, agree."""
        if self._last_read == value:
            return True
        self._last_read = value
        self._next_read = self.runtime.clock() + self.timeouts.read_back
        return False

    def _run(self, *, has_threads: bool = True) -> Run:
        run = self.ledger.state.run
        assert run is not None
        return self.client.run(run, has_threads=has_threads)

    def _thread(self) -> Thread:
        run = self._run()
        thread = run.thread(self.intent.thread)
        if thread is None:
            raise RefusedError(f"run {run.id} has no thread {self.intent.thread} any more", 404)
        return thread

    def _decide(self, kind: str, **members: object) -> bool:
        self.ledger.write(kind, i=self.intent.number, **members)
        self.runtime.log(f"settled {self.intent.operation}: {kind} {members or ''}")
        return True
