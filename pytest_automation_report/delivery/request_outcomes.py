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
    ledger: LedgerFile
    queues: WorkerQueues
    session: SessionManifest
    timeouts: Timeouts
    runtime: Runtime
    rejects: RejectedResults
    unknown: Unknown
    retry_policy: RetryPolicy
    portions: RefusalHandling
    in_flight: InFlightRequests[PendingRequest]
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
        if self.in_flight.most > 1:
            self.in_flight.start(posted, call)
        else:
            self._conclude(posted, call)

    def conclude(self) -> bool:
        """Draw the consequences of the answers that have come; return whether there was one."""
        has_come = False
        for posted, call in self.in_flight.answers():
            has_come = True
            self._conclude(posted, call)
            if self.retry_policy.is_waiting:
                self.retry_policy.tell()
        return has_come

    @property
    def has_stranded(self) -> bool:
        """Whether there is an open intent whose answer is awaited no more: it must be settled."""
        return len(self.ledger.state.open_intents) > len(self.in_flight)

    def _conclude(self, posted: PendingRequest, call: Call) -> None:
        intent, is_append = posted.intent, posted.batch is not None
        try:
            made = call()
        except UnknownAnswerError as error:
            self._unanswered += is_append
            self.retry_policy.handle_error(error)
        except RefusedError as error:
            self._refused(intent, error, posted.batch)
        except (NotSentError, ThrottledError, TokenRefusedError, StoreError) as error:
            self._not_taken(intent, error)
        else:
            self.ledger.write("ack", i=intent.number, id=made)
            self._unanswered = 0 if is_append else self._unanswered
            self.retry_policy.succeeded()
            posted.then()

    def attempt(self, call: Callable[[], int | None]) -> int | None:
        """Send something that can be sent again whatever became of it; return what it returns, ``None`` on trouble."""
        try:
            made = call()
        except (ClientError, StoreError) as error:
            self.retry_policy.handle_error(error)
            return None
        self.retry_policy.succeeded()
        return made

    def probe(self, thread: int) -> None:
        """Ask whether appends are answered again, by one that adds nothing."""
        try:
            self.client.append_thread(thread, b"{}")
        except (NotSentError, UnknownAnswerError) as error:
            self.retry_policy.probed(str(error))
        except (ThrottledError, TokenRefusedError, StoreError) as error:
            self.retry_policy.handle_error(error)
        except RefusedError as error:
            self.runtime.log(f"{error}: an answer all the same")
            self._unanswered = 0
        else:
            self.retry_policy.probed("")
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
            self.retry_policy.handle_error(error, is_run_completed=is_run_completed)
            return True
        if is_settled:
            self._end_settlement(intent)
        return is_settled

    def _not_taken(self, intent: Intent, error: Trouble) -> None:
        """Go on after a request that has changed nothing."""
        self.ledger.write("not", i=intent.number)
        self.retry_policy.handle_error(error)

    def _refused(self, intent: Intent, error: RefusedError, batch: Batch | None) -> None:
        if intent.operation in {"complete_thread", "complete_run"} and error.status == _UNPROCESSABLE:
            self._refusals[intent.number] = error, batch  # the intent stays open: it is settled
            self.runtime.log(f"{error}: reading whether it is completed already")
        elif intent.operation == "append_thread" and error.status in _ABOUT_TESTS:
            self._refusals[intent.number] = error, batch
            self.runtime.log(f"{reason_of(error)}: reading whether a part of it arrived")
        elif intent.operation in {"append_run", "note_thread"} and error.status >= _BAD_REQUEST:
            self.ledger.write("rejected", i=intent.number, why=reason_of(error))
            self.runtime.log(f"rejected: {reason_of(error)}")
        else:
            self._not_taken(intent, error)

    def _new_settlement(self, intent: Intent) -> Reconciliation:
        batch = []
        if intent.operation == "append_thread":
            account = self.ledger.state.account(intent.worker)
            batch = [
                each
                for each in self.queues.of(intent.worker).results
                if intent.first <= each.offset <= intent.last and not account.is_settled(each.offset)
            ]
        return Reconciliation(
            intent,
            self.client,
            self.ledger,
            self.session,
            self.timeouts,
            self.runtime,
            batch=batch,
            unknown=self.unknown,
            refusal=self._refusals.get(intent.number, (None,))[0],
        )

    def _end_refused(self) -> None:
        """Go on after the run was seen to be completed: it took nothing of all that it refused at the same time."""
        for number in self._refusals.keys() & self.ledger.state.open_intents:
            self.ledger.write("not", i=number)
        self._refusals.clear()

    def _end_settlement(self, intent: Intent) -> None:
        """Go on after an intent was settled; a refused append of which nothing arrived is not sent again as it was."""
        self._settlement = None
        refusal, batch = self._refusals.pop(intent.number, (None, None))
        self.retry_policy.succeeded()
        if refusal is None or batch is None:
            return
        account = self.ledger.state.account(intent.worker)
        if account.thread == intent.thread and account.in_thread == intent.known:
            self._draw(intent.worker, batch, refusal)

    def _draw(self, worker: str, batch: Batch, refusal: RefusedError) -> None:
        """Draw the consequences of a refused append."""
        consequence = self.portions.refused(worker, batch, refusal)
        for status, before, now in consequence.words:
            self.ledger.write("alias", status=status, before=before, now=now)
            self.runtime.log(f"the server does not know the status {before!r}: {now!r} from now on")
        for each in consequence.rejections:
            self.rejects.add(each.result, each.why)
            self.ledger.write(
                "aside", worker=worker, offset=each.result.offset, why=f"{each.result.nodeid}: {each.why}"
            )
            self.runtime.log(f"rejected: {each.result.nodeid}: {each.why}")
        if consequence.is_final:
            self.retry_policy.stop("refused", reason_of(refusal))
