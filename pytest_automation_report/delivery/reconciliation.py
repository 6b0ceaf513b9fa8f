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
    from pytest_automation_report.delivery.handover import DeliveryContext
    from pytest_automation_report.delivery.results import Result
    from pytest_automation_report.spool.ledger import Intent

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


Outcome: TypeAlias = Literal["pending", "done", "run_completed"]
"""What a step has found: not enough yet; the intent is closed; the same, since somebody has completed the run."""

_Stage: TypeAlias = Literal["probe_open", "complete", "probe_completed", "read"]


@dataclass(slots=True)
class Reconciliation:
    """Closes one intent in steps of at most one request; errors of the client pass through, and the step is repeated.

    ``batch`` holds the results of the intent's append; ``refusal`` is the response of a request that was refused.

    An append whose response is unknown goes through these stages::

        probe_open -> complete -> probe_completed -> read -> read again, until two reads agree -> decided
              (once a server)         (once)           ^--- complete again, when the thread is open after all

    ``complete`` is the fence: a completed thread takes no late copy of the request. Whether that holds for this server
    is not documented, so it is learnt once, by an append without tests to the open thread and to the completed one.
    """

    intent: Intent
    context: DeliveryContext
    batch: Sequence[Result] = ()
    unknown: Unknown = "hold"
    refusal: RefusedError | None = None
    _stage: _Stage = "probe_open"
    _takes_empty_appends: bool = False
    _last_read: int | None = None
    _next_read: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether time must pass until the server can be asked."""
        return self.context.runtime.clock() < self._next_read

    def step(self) -> Outcome:
        """Send at most one request, or read one list; return what is known of the intent now."""
        if self.is_waiting:
            return "pending"
        match self.intent.operation:
            case "append_thread":
                return self._reconcile_append() if self.refusal is None else self._read_back_refused()
            case "create_run":
                return self._reconcile_run()
            case _:
                return self._decide("ack" if self._is_applied() else "not")

    def _is_applied(self) -> bool:
        try:
            match self.intent.operation:
                case "create_thread":
                    return False  # an empty thread does no harm; a new one is simply created
                case "complete_thread":
                    return self._thread().is_completed
                case "append_run":
                    return any(field.name == NOTE_FIELD for field in self._run(has_threads=False).fields)
                case "note_thread":
                    return any(field.name == NOTE_FIELD for field in self._thread().fields)
                case _:
                    return self._run(has_threads=False).is_completed
        except RefusedError as error:
            # Completing again tells it: a second refusal means that it is completed. A note is worth no second copy.
            self._log(f"{error}: {self.intent.operation} cannot be looked at")
            return self.refusal is not None or self.intent.operation in {"append_run", "note_thread"}

    def _read_back_refused(self) -> Outcome:
        """Read, once, whether a refused append was partly applied, or refused because its thread is completed."""
        try:
            run = self._run()
            thread = run.thread(self.intent.thread)
        except RefusedError as error:
            self._log(f"{error}: the refusal is taken to be of the whole append")
            return self._decide("not")
        if run.is_completed:
            self._decide("not")
            return "run_completed"
        if thread is None or thread.is_completed:
            self._decide("not")
            self.context.ledger.write("fenced", worker=self.intent.worker)
            return "done"
        return self._decide_by_count(thread.counts.total - self.intent.known)

    def _reconcile_append(self) -> Outcome:
        match self._stage:
            case "probe_open" if self._is_probe_of_use:
                self._takes_empty_appends = self._takes_empty_append() is True
                self._stage = "complete"
            case "probe_open" | "complete":
                self._complete_thread()
            case "probe_completed":
                self._learn_fencing()
                self._fenced()
            case "read":
                return self._read_count()
        return "pending"

    @property
    def _is_probe_of_use(self) -> bool:
        """Whether it is to be learnt if completed threads take appends: unknown so far, and the thread is open.

        A server that knows idempotency keys cannot apply a late copy twice.
        """
        ledger = self.context.ledger.state
        is_known = self.context.client.knows_keys or ledger.fencing is not None
        return not is_known and ledger.account(self.intent.worker).thread is not None

    def _complete_thread(self) -> None:
        self.context.ledger.write("fencing", worker=self.intent.worker, thread=self.intent.thread)
        try:
            self.context.client.complete_thread(self.intent.thread)
        except RefusedError as error:
            if error.status != _UNPROCESSABLE:
                raise
            self._log(f"thread {self.intent.thread} is closed already: {error}")
        # A server that refuses empty appends to an open thread teaches nothing by refusing them to a completed one.
        if self._takes_empty_appends and self._is_probe_of_use:
            self._stage = "probe_completed"
        else:
            self._fenced()

    def _fenced(self) -> None:
        self.context.ledger.write("fenced", worker=self.intent.worker)
        self._stage = "read"

    def _learn_fencing(self) -> None:
        """Keep whether completed threads of this server take appends, unless the probe goes unanswered."""
        is_taken = self._takes_empty_append()
        if is_taken is not None:
            self.context.ledger.write("fencing-is", fencing="settles" if is_taken else "fences")
            self._log(f"completed threads of this server {'settle' if is_taken else 'fence'}")

    def _takes_empty_append(self) -> bool | None:
        """Append nothing to the thread; return whether that was taken, None when the response is unknown."""
        try:
            self.context.client.append_thread(self.intent.thread, _NO_TESTS)
        except RefusedError:
            return False
        except UnknownAnswerError as error:
            self._log(f"{error}: it is not learnt whether completed threads take results")
            return None
        return True

    def _read_count(self) -> Outcome:
        """Read how many results the thread has, and decide once two reads agree."""
        try:
            thread = self._thread()
        except RefusedError as error:
            return self._hold(f"the server does not show what arrived in thread {self.intent.thread} ({error})")
        if not thread.is_completed:
            self._stage = "complete"  # the response to the completion was lost before it was applied
            return "pending"
        if self.context.ledger.state.fencing == "settles" and self._has_to_settle():
            return "pending"
        total = thread.counts.total
        return self._decide_by_count(total - self.intent.known) if self._has_repeated(total) else "pending"

    def _decide_by_count(self, arrived: int) -> Outcome:
        """Decide by the number of results that the thread has more than before the append."""
        intent = self.intent
        if arrived in {0, intent.count}:
            return self._decide("not" if arrived == 0 else "ack")
        why = "the batch itself is not known any more"
        if 0 < arrived < intent.count == len(self.batch):
            run = self.context.ledger.state.run
            assert run is not None
            ranges, why = arrived_ranges(self.context.client, run, intent.thread, arrived, self.batch)
            if ranges is not None:
                return self._decide("part", ranges=ranges)
        return self._hold(
            f"{arrived} of the {intent.count} results of one request arrived in thread {intent.thread}: {why}"
        )

    def _hold(self, why: str) -> Outcome:
        """Do with results whose delivery stays unconfirmed what the user has decided: hold them by default."""
        return self._decide(DECISIONS[self.unknown], why=why)

    def _has_to_settle(self) -> bool:
        """Whether a late copy of the request could still be applied: no fence keeps it out."""
        timeouts, runtime = self.context.timeouts, self.context.runtime
        left = min(timeouts.settle, self.intent.at + timeouts.settle - runtime.wall())
        if left > 0:
            self._next_read = runtime.clock() + left
            self._log(f"thread {self.intent.thread} takes results though completed: it settles in {left:.0f} s")
        return left > 0

    def _reconcile_run(self) -> Outcome:
        """Adopt the run that carries this session's id, if the server has one."""
        left_runs = self.context.ledger.state.left_runs
        try:
            pages = run_pages(self.context.client, status=(_RUNNING,))
            runs = [run for page in pages for run in page.result]
        except RefusedError as error:
            self._log(f"{error}: a run may be left behind empty")
            return self._decide("not")
        ours = [run.id for run in runs if self._is_ours(run) and run.id not in left_runs]
        if ours:
            return self._decide("ack", id=min(ours))
        return self._decide("not") if self._has_repeated(0) else "pending"

    def _is_ours(self, run: Run) -> bool:
        return any(field.name == SESSION_ID_FIELD and field.value == self.context.session.id for field in run.fields)

    def _has_repeated(self, value: int) -> bool:
        """Whether two reads in a row, a while apart, agree."""
        if self._last_read == value:
            return True
        self._last_read = value
        self._next_read = self.context.runtime.clock() + self.context.timeouts.read_back
        return False

    def _run(self, *, has_threads: bool = True) -> Run:
        run = self.context.ledger.state.run
        assert run is not None
        return self.context.client.run(run, has_threads=has_threads)

    def _thread(self) -> Thread:
        run = self._run()
        thread = run.thread(self.intent.thread)
        if thread is None:
            raise RefusedError(f"run {run.id} has no thread {self.intent.thread} any more", 404)
        return thread

    def _decide(self, kind: str, **members: object) -> Outcome:
        self.context.ledger.write(kind, i=self.intent.number, **members)
        self._log(f"reconciled {self.intent.operation}: {kind} {members or ''}")
        return "done"

    def _log(self, text: str) -> None:
        self.context.runtime.log(text)
