"""What came of each request, and what follows from it (floor 3).

A request that was not answered, or that was refused perhaps in part, is looked into before anything else is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_automation_report.delivery.reconciliation import Reconciliation
from pytest_automation_report.delivery.rejections import TOO_LARGE
from pytest_automation_report.delivery.retries import reason_of
from pytest_automation_report.errors import (
    ClientError,
    NotSentError,
    RefusedError,
    StoreError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.delivery.in_flight import Call, InFlightRequests
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.delivery.reconciliation import Unknown
    from pytest_automation_report.delivery.rejections import RefusalHandling, RejectedResults
    from pytest_automation_report.delivery.retries import RetryPolicy, Trouble
    from pytest_automation_report.spool.ledger import Intent
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.manifest import SessionManifest

_BAD_REQUEST: Final = 400
_UNPROCESSABLE: Final = 422
_ABOUT_TESTS: Final = frozenset({_BAD_REQUEST, TOO_LARGE, _UNPROCESSABLE})
_STORM: Final = 2
"""So many appends in a row without an answer, and only an append without tests goes out until one is answered."""


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A POST, with its batch if it is an append; ``then`` is called once the server has taken it."""

    intent: Intent
    batch: Batch | None
    then: Callable[[], None]


@dataclass(slots=True)
class ResponseHandler:
    """Sends a delivery's requests and draws the consequences of the answers; owned by the delivery."""

    client: Client
    book: LedgerFile
    lanes: WorkerQueues
    session: SessionManifest
    limits: Timeouts
    world: Runtime
    rejects: RejectedResults
    unknown: Unknown
    patience: RetryPolicy
    portions: RefusalHandling
    underway: InFlightRequests[PendingRequest]
    _settlement: Reconciliation | None = None
    _refusals: dict[int, tuple[RefusedError, Batch | None]] = field(default_factory=dict)
    _unanswered: int = 0

    @property
    def is_settling(self) -> bool:
        """Whether time must pass until the server can tell what became of a request."""
        return self._settlement is not None and self._settlement.is_waiting

    @property
    def is_circuit_open(self) -> bool:
        """Whether appends go unanswered: each more would cost a thread."""
        return self._unanswered >= _STORM

    def post(
        self, intent: Intent, call: Call, batch: Batch | None = None, then: Callable[[], None] = lambda: None
    ) -> None:
        """Send what the intent says, an append with this batch; ``then`` is called once the server has taken it.

        The answer is there when this returns, unless several requests may be under way: then `conclude` takes it.
        """
        posted = PendingRequest(intent, batch, then)
        if self.underway.most > 1:
            self.underway.start(posted, call)
        else:
            self._conclude(posted, call)

    def conclude(self) -> bool:
        """Draw the consequences of the answers that have come; return whether there was one."""
        has_come = False
        for posted, call in self.underway.answers():
            has_come = True
            self._conclude(posted, call)
            if self.patience.is_waiting:
                self.patience.tell()
        return has_come

    @property
    def has_stranded(self) -> bool:
        """Whether there is an open intent whose answer is awaited no more: it must be settled."""
        return len(self.book.state.open_intents) > len(self.underway)

    def _conclude(self, posted: PendingRequest, call: Call) -> None:
        intent, is_append = posted.intent, posted.batch is not None
        try:
            made = call()
        except UnknownAnswerError as error:
            self._unanswered += is_append
            self.patience.handle_error(error)
        except RefusedError as error:
            self._refused(intent, error, posted.batch)
        except (NotSentError, ThrottledError, TokenRefusedError, StoreError) as error:
            self._not_taken(intent, error)
        else:
            self.book.write("ack", i=intent.number, id=made)
            self._unanswered = 0 if is_append else self._unanswered
            self.patience.succeeded()
            posted.then()

    def attempt(self, call: Callable[[], int | None]) -> int | None:
        """Send something that can be sent again whatever became of it; return what it returns, ``None`` on trouble."""
        try:
            made = call()
        except (ClientError, StoreError) as error:
            self.patience.handle_error(error)
            return None
        self.patience.succeeded()
        return made

    def probe(self, thread: int) -> None:
        """Ask whether appends are answered again, by one that adds nothing."""
        try:
            self.client.append_thread(thread, b"{}")
        except (NotSentError, UnknownAnswerError) as error:
            self.patience.probed(str(error))
        except (ThrottledError, TokenRefusedError, StoreError) as error:
            self.patience.handle_error(error)
        except RefusedError as error:
            self.world.log(f"{error}: an answer all the same")
            self._unanswered = 0
        else:
            self.patience.probed("")
            self._unanswered = 0

    def settle(self, intent: Intent) -> bool:
        """Find out, with at most one request, what became of an intent; return whether there was something to do."""
        settlement = self._settlement
        if settlement is None or settlement.intent.number != intent.number:
            settlement = self._settlement = self._new_settlement(intent)
        try:
            is_settled = settlement.step()
        except (ClientError, StoreError) as error:
            is_run_completed = error is settlement.refusal
            if is_run_completed:
                self._end_refused()
            self.patience.handle_error(error, is_run_completed=is_run_completed)
            return True
        if is_settled:
            self._end_settlement(intent)
        return is_settled

    def _not_taken(self, intent: Intent, error: Trouble) -> None:
        """Go on after a request that has changed nothing."""
        self.book.write("not", i=intent.number)
        self.patience.handle_error(error)

    def _refused(self, intent: Intent, error: RefusedError, batch: Batch | None) -> None:
        if intent.operation in {"complete_thread", "complete_run"} and error.status == _UNPROCESSABLE:
            self._refusals[intent.number] = error, batch  # the intent stays open: it is settled
            self.world.log(f"{error}: reading whether it is completed already")
        elif intent.operation == "append_thread" and error.status in _ABOUT_TESTS:
            self._refusals[intent.number] = error, batch
            self.world.log(f"{reason_of(error)}: reading whether a part of it arrived")
        elif intent.operation in {"append_run", "note_thread"} and error.status >= _BAD_REQUEST:
            self.book.write("rejected", i=intent.number, why=reason_of(error))
            self.world.log(f"rejected: {reason_of(error)}")
        else:
            self._not_taken(intent, error)

    def _new_settlement(self, intent: Intent) -> Reconciliation:
        batch = []
        if intent.operation == "append_thread":
            account = self.book.state.account(intent.worker)
            batch = [
                each
                for each in self.lanes.lane(intent.worker).queue
                if intent.first <= each.offset <= intent.last and not account.is_settled(each.offset)
            ]
        return Reconciliation(
            intent,
            self.client,
            self.book,
            self.session,
            self.limits,
            self.world,
            batch=batch,
            unknown=self.unknown,
            refusal=self._refusals.get(intent.number, (None,))[0],
        )

    def _end_refused(self) -> None:
        """Go on after the run was seen to be completed: it took nothing of all that it refused at the same time."""
        for number in self._refusals.keys() & self.book.state.open_intents:
            self.book.write("not", i=number)
        self._refusals.clear()

    def _end_settlement(self, intent: Intent) -> None:
        """Go on after an intent was settled; a refused append of which nothing arrived is not sent again as it was."""
        self._settlement = None
        refusal, batch = self._refusals.pop(intent.number, (None, None))
        self.patience.succeeded()
        if refusal is None or batch is None:
            return
        account = self.book.state.account(intent.worker)
        if account.thread == intent.thread and account.in_thread == intent.known:
            self._draw(intent.worker, batch, refusal)

    def _draw(self, worker: str, batch: Batch, refusal: RefusedError) -> None:
        """Draw the consequences of a refused append."""
        consequence = self.portions.refused(worker, batch, refusal)
        for status, before, now in consequence.words:
            self.book.write("alias", status=status, before=before, now=now)
            self.world.log(f"the server does not know the status {before!r}: {now!r} from now on")
        for each in consequence.rejections:
            self.rejects.add(each.result, each.why)
            self.book.write("aside", worker=worker, offset=each.result.offset, why=f"{each.result.nodeid}: {each.why}")
            self.world.log(f"rejected: {each.result.nodeid}: {each.why}")
        if consequence.is_final:
            self.patience.stop("refused", reason_of(refusal))
