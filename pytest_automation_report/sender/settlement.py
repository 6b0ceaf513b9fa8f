"""Finds out what became of a POST whose answer nobody saw (floor 3).

An append: its thread is completed first (the fence: a late copy of the request can no longer land), then the thread's
total is read until two reads agree. All of the batch is there, or nothing, or it is held: never sent again by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import RefusedError, TokenRefusedError
from pytest_automation_report.spool import SESSION_ID_FIELD

if TYPE_CHECKING:
    from pytest_automation_report.answers import Run, Thread
    from pytest_automation_report.client import Client
    from pytest_automation_report.ledger import Intent
    from pytest_automation_report.sender.book import LedgerBook
    from pytest_automation_report.sender.handover import Limits
    from pytest_automation_report.sender.world import World
    from pytest_automation_report.spool import Session

NOTE_FIELD: Final = "Session"

_RUNNING: Final = 4
_UNPROCESSABLE: Final = 422


@dataclass(slots=True)
class Settlement:
    """Settles one intent in steps; errors of the client pass through, and the step is repeated later."""

    intent: Intent
    client: Client
    book: LedgerBook
    session: Session
    limits: Limits
    world: World
    _is_fenced: bool = False
    _last_read: int | None = None
    _next_read: float = 0.0

    def step(self) -> bool:
        """Send at most one request; return whether the intent is settled now."""
        if self.world.clock() < self._next_read:
            return False
        match self.intent.operation:
            case "append_thread":
                return self._settle_append()
            case "create_run":
                return self._settle_run()
            case _:
                return self._decide("ack" if self._is_applied() else "not")

    def _is_applied(self) -> bool:
        match self.intent.operation:
            case "create_thread":
                return False  # an empty thread does no harm; a new one is simply made
            case "complete_thread":
                return self._thread().is_completed
            case "append_run":
                return any(field.name == NOTE_FIELD for field in self._run().fields)
            case _:
                return self._run().is_completed

    def _settle_append(self) -> bool:
        if not self._is_fenced:
            self._fence()
            return False
        thread = self._thread()
        if not thread.is_completed:
            self._is_fenced = False  # the fence's own answer was lost before it was applied
            return False
        total = thread.counts.total
        if not self._has_repeated(total):
            return False
        arrived = total - self.intent.known
        if arrived == self.intent.count:
            return self._decide("ack")
        if arrived == 0:
            return self._decide("not")
        why = f"{arrived} of the {self.intent.count} results of one request arrived in thread {self.intent.thread}"
        return self._decide("held", why=why)

    def _fence(self) -> None:
        self.book.write("fencing", worker=self.intent.worker, thread=self.intent.thread)
        try:
            self.client.complete_thread(self.intent.thread)
        except TokenRefusedError:
            raise
        except RefusedError as error:
            if error.status != _UNPROCESSABLE:
                raise
            self.world.log(f"thread {self.intent.thread} is closed already: {error}")
        self.book.write("fenced", worker=self.intent.worker)
        self._is_fenced = True

    def _settle_run(self) -> bool:
        """Adopt the run that carries this session's id, if the server has one."""
        page = self.client.runs(status=(_RUNNING,))
        found = [run.id for run in page.result if self._is_ours(run)]
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
        self._next_read = self.world.clock() + self.limits.read_back
        return False

    def _run(self) -> Run:
        run = self.book.state.run
        assert run is not None
        return self.client.run(run)

    def _thread(self) -> Thread:
        run = self._run()
        thread = run.thread(self.intent.thread)
        if thread is None:
            raise RefusedError(f"run {run.id} has no thread {self.intent.thread} any more", 404)
        return thread

    def _decide(self, kind: str, **members: object) -> bool:
        self.book.write(kind, i=self.intent.number, **members)
        self.world.log(f"settled {self.intent.operation}: {kind} {members or ''}")
        return True
