"""Brings results to the server, one request at a time (floor 3).

Every POST stands in the ledger before it goes out, and what came of it after. The four classes of answers: applied, try
again, refused, unknown; an unknown one is settled (`settlement`) before anything else is sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from pytest_automation_report.errors import (
    NotSentError,
    RefusedError,
    StoreError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)
from pytest_automation_report.model import Field, Resources
from pytest_automation_report.sender.batches import batch_from, due_cause
from pytest_automation_report.sender.settlement import NOTE_FIELD, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.client import Client
    from pytest_automation_report.ledger import Account, Intent, LedgerState
    from pytest_automation_report.sender.batches import Batch
    from pytest_automation_report.sender.book import LedgerBook
    from pytest_automation_report.sender.handover import Limits
    from pytest_automation_report.sender.lanes import Lane, Lanes
    from pytest_automation_report.sender.world import World
    from pytest_automation_report.spool import Session

WORKER_FIELD: Final = "Worker"
NOT_RUN_FIELD: Final = "Not run"
"""Name of the run's field that counts the tests without a result."""

_UNPROCESSABLE: Final = 422
_TOO_LARGE: Final = 413


@dataclass(slots=True)
class Delivery:
    """Sends what the lanes hold; owned by the sender that holds the session's lock.

    ``stopped`` says why nothing more is sent in this life of the sender; ``note`` how the session ended, for the run.
    """

    client: Client
    book: LedgerBook
    lanes: Lanes
    session: Session
    limits: Limits
    world: World
    note: str = ""
    stopped: str = ""
    _pause_until: float = 0.0
    _is_throttled: bool = False
    _failures: int = 0
    _settlement: Settlement | None = None
    _waiting_since: dict[str, float] = field(default_factory=dict)
    _marks: dict[str, int] = field(default_factory=dict)
    _turn: int = 0

    @property
    def state(self) -> LedgerState:
        """The ledger's state."""
        return self.book.state

    @property
    def left(self) -> int:
        """Number of results that the server does not have (as far as is known) and that are still to be sent."""
        for lane in self.lanes.by_worker.values():
            self._prune(lane, self.state.account(lane.worker))
        return sum(len(lane.queue) for lane in self.lanes.by_worker.values())

    @property
    def has_kept(self) -> bool:
        """Whether results were refused for good, are held since nobody can tell if they arrived, or are damaged."""
        is_aside = any(each.rejected.count or each.held.count for each in self.state.accounts.values())
        return is_aside or bool(self.state.done.get("damaged"))

    @property
    def is_finished(self) -> bool:
        """Whether all results have their end and, when the run is ours, it is completed."""
        state, lanes = self.state, self.lanes
        if not lanes.is_decided or state.open_intent is not None or self.left:
            return False
        if not lanes.has_begun:
            return True
        return state.is_complete or (state.is_joined and not self._open_threads())

    def hurry(self) -> None:
        """Try at once what waits for its next try: the session is over. A wait that the server asked for goes on."""
        if not self._is_throttled:
            self._pause_until = 0.0

    def step(self) -> bool:
        """Send at most one request; return whether there was something to do."""
        if self.stopped or self.world.clock() < self._pause_until:
            return False
        if self.state.open_intent is not None:
            return self._settle(self.state.open_intent)
        action = self._next_action()
        if action is None:
            return False
        action()
        return True

    def _next_action(self) -> Callable[[], None] | None:
        state = self.state
        if not self.lanes.has_begun:
            return None
        if state.run is None:
            return self._join_run if self.session.joined_run is not None else self._create_run
        workers = list(self.lanes.by_worker)
        for step in range(len(workers)):
            turn = (self._turn + step) % len(workers)
            action = self._lane_action(self.lanes.by_worker[workers[turn]])
            if action is not None:
                self._turn = turn + 1
                return action
        if not self.lanes.is_decided or state.is_joined or state.is_complete:
            return None
        return self._complete_run if state.is_noted else self._note_run

    def _lane_action(self, lane: Lane) -> Callable[[], None] | None:
        account = self.state.account(lane.worker)
        self._prune(lane, account)
        if not lane.queue:
            self._waiting_since.pop(lane.worker, None)
            if lane.is_closed and account.thread is not None:
                return lambda: self._complete_thread(lane, account)
            return None
        since = self._waiting_since.setdefault(lane.worker, self.world.clock())
        batch = batch_from(takewhile(lambda each: not account.is_settled(each.offset), lane.queue))
        age = self.world.clock() - since
        if not due_cause(batch, age_seconds=age, age_limit_seconds=self.limits.batch_age, is_closing=lane.is_closed):
            return None
        if account.thread is None:
            return lambda: self._create_thread(lane)
        return lambda: self._append(lane, account, batch)

    def _prune(self, lane: Lane, account: Account) -> None:
        """Take off what an earlier life of the sender has settled."""
        while lane.queue and account.is_settled(lane.queue[0].offset):
            self._marks[lane.worker] = lane.queue.popleft().moment

    def _join_run(self) -> None:
        self.book.write("joined", run=self.session.joined_run)

    def _create_run(self) -> None:
        intent = self.book.intend("create_run")
        self._post(intent, lambda: self.client.create_run(self.session.run, key=self._key(intent)))

    def _note_run(self) -> None:
        run, intent = self._run, self.book.intend("append_run")
        own = [Field(NOTE_FIELD, self.note)]
        if self.lanes.not_run:
            own.append(Field(NOT_RUN_FIELD, str(self.lanes.not_run)))
        resources = Resources(fields=(*own, *self.lanes.properties))
        self._post(intent, lambda: self.client.append_run(run, resources, key=self._key(intent)))

    def _complete_run(self) -> None:
        run, intent = self._run, self.book.intend("complete_run")
        self._post(intent, lambda: self.client.complete_run(run, measure_elapsed=True, key=self._key(intent)))

    def _create_thread(self, lane: Lane) -> None:
        run, intent = self._run, self.book.intend("create_thread", worker=lane.worker)
        resources = Resources(fields=(Field(WORKER_FIELD, lane.worker),))
        self._post(intent, lambda: self.client.create_thread(run, resources, key=self._key(intent)))

    def _complete_thread(self, lane: Lane, account: Account) -> None:
        thread = account.thread
        assert thread is not None
        observed = account.thread_observed + max(0, lane.ended - self._mark(lane))
        computed = account.thread_computed
        intent = self.book.intend("complete_thread", worker=lane.worker, thread=thread)
        self._post(
            intent,
            lambda: self.client.complete_thread(
                thread, elapsed_observed=observed, elapsed_computed=computed, key=self._key(intent)
            ),
        )

    def _append(self, lane: Lane, account: Account, batch: Batch) -> None:
        thread = account.thread
        assert thread is not None
        observed = max(0, batch.results[-1].moment - self._mark(lane))
        intent = self.book.intend(
            "append_thread",
            worker=lane.worker,
            thread=thread,
            span=(batch.first, batch.last, len(batch.results)),
            orphans=tuple(each.number for each in batch.results if each.is_orphan),
            elapsed=(observed, batch.computed),
        )
        body = batch.body(observed)
        self._post(intent, lambda: self.client.append_thread(thread, body, key=self._key(intent)))
        self._waiting_since[lane.worker] = self.world.clock()

    def _mark(self, lane: Lane) -> int:
        return self._marks.get(lane.worker, lane.began if lane.began is not None else lane.ended)

    @property
    def _run(self) -> int:
        assert self.state.run is not None
        return self.state.run

    def _key(self, intent: Intent) -> str:
        """Return the Idempotency-Key of this POST: the same for the same intent of the same session."""
        return hashlib.sha256(f"{self.session.id}:{intent.number}".encode()).hexdigest()

    def _post(self, intent: Intent, call: Callable[[], int | None]) -> None:
        try:
            made = call()
        except ThrottledError as error:
            self.book.write("not", i=intent.number)
            self._throttled(error)
        except NotSentError as error:
            self.book.write("not", i=intent.number)
            self._try_later("again", str(error))
        except RefusedError as error:
            self._refused(intent, error)
        except UnknownAnswerError as error:
            self._try_later("unknown", str(error))
        except StoreError as error:
            self.book.write("not", i=intent.number)
            self._stop("store", str(error))
        else:
            self.book.write("ack", i=intent.number, id=made)
            self._succeeded()

    def _refused(self, intent: Intent, error: RefusedError) -> None:
        if isinstance(error, TokenRefusedError):
            self.book.write("not", i=intent.number)
            self._stop("token", str(error))
        elif intent.operation in {"complete_thread", "complete_run"} and error.status == _UNPROCESSABLE:
            self.world.log(f"{error}: reading whether it is completed already")  # the intent stays open: it is settled
        elif intent.operation == "append_run" or self._is_about_tests(intent, error):
            self.book.write("rejected", i=intent.number, why=_reason(error))
            self.world.log(f"rejected: {_reason(error)}")
        else:
            self.book.write("not", i=intent.number)
            self._stop("refused", _reason(error))

    @staticmethod
    def _is_about_tests(intent: Intent, error: RefusedError) -> bool:
        if intent.operation != "append_thread":
            return False
        if error.status == _TOO_LARGE:
            return True
        return error.status == _UNPROCESSABLE and any(path.startswith("tests") for path in error.errors)

    def _settle(self, intent: Intent) -> bool:
        if self._settlement is None or self._settlement.intent.number != intent.number:
            self._settlement = Settlement(intent, self.client, self.book, self.session, self.limits, self.world)
        try:
            is_settled = self._settlement.step()
        except ThrottledError as error:
            self._throttled(error)
        except NotSentError as error:
            self._try_later("again", str(error))
        except UnknownAnswerError as error:
            self._try_later("unknown", str(error))
        except TokenRefusedError as error:
            self._stop("token", str(error))
        except RefusedError as error:
            self._stop("refused", _reason(error))
        else:
            if is_settled:
                self._settlement = None
                self._succeeded()
            return is_settled
        return True

    def _succeeded(self) -> None:
        self._failures = 0

    def _throttled(self, error: ThrottledError) -> None:
        asked = self.limits.throttle if error.retry_after_seconds is None else error.retry_after_seconds
        jitter = self.limits.retry_base * self.world.random()
        self._pause("throttled", str(error), asked + jitter)

    def _try_later(self, trouble: str, why: str) -> None:
        ceiling = min(self.limits.retry_cap, self.limits.retry_base * 2.0 ** min(self._failures, 30))
        self._failures += 1
        self._pause(trouble, why, ceiling * self.world.random())

    def _pause(self, trouble: str, why: str, seconds: float) -> None:
        self._pause_until = self.world.clock() + seconds
        self._is_throttled = trouble == "throttled"
        self.book.write("trouble", why=why, **{"class": trouble})
        self.world.log(f"{trouble}: {why}; next try in {seconds:.1f} s")

    def _stop(self, trouble: str, why: str) -> None:
        self.stopped = why
        self.book.write("trouble", why=why, **{"class": trouble})
        self.world.log(f"stopped: {why}")

    def _open_threads(self) -> bool:
        return any(each.thread is not None for each in self.state.accounts.values())


def _reason(error: RefusedError) -> str:
    entries = [f"{path}: {texts[0]}" for path, texts in list(error.errors.items())[:3] if texts]
    return "; ".join([str(error), *entries])
