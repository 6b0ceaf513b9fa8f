"""Handle each response: acknowledge, back off, reject or reconcile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.delivery.batches import TOO_LARGE
from pytest_automation_report.delivery.reconciliation import Reconciliation
from pytest_automation_report.delivery.requests import NOT_FOUND_OR_GONE, reason_of
from pytest_automation_report.errors import (
    ClientError,
    NotSentError,
    RefusedError,
    StoreError,
    UnknownAnswerError,
)
from pytest_automation_report.spool.ledger import AckRecord, AsideRecord, NotRecord, RejectedRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.requests import Call, Life, Request, RequestError
    from pytest_automation_report.delivery.uploads import Uploads
    from pytest_automation_report.spool.ledger import Intent

_BAD_REQUEST: Final = 400
_UNPROCESSABLE: Final = 422
_ABOUT_TESTS: Final = frozenset({_BAD_REQUEST, TOO_LARGE, _UNPROCESSABLE})


class ResponseHandler:
    """Writes the outcome of each request to the ledger and acts on it; owned by the delivery.

    A response of the classes *applied*, *try again* and *refused* closes its intent. An *unknown* one leaves the intent
    open, and so does a refusal of a request that may have been applied in part: both are reconciled.
    """

    def __init__(self, life: Life, uploads: Uploads) -> None:
        self._life, self._uploads = life, uploads
        self._client, self._ledger, self._log = life.client, life.ledger, life.runtime.log
        self._retry_policy = life.retry_policy
        self._reconciliation: Reconciliation | None = None
        # Refused requests by intent: an intent stays open until a read shows whether a part of the request was applied.
        self._to_read_back: dict[int, tuple[RefusedError, Batch | None]] = {}

    @property
    def is_reconciling(self) -> bool:
        """Whether time must pass until the server can show whether a request was applied."""
        return self._reconciliation is not None and self._reconciliation.is_waiting

    def close(self, request: Request, call: Call) -> None:
        """Make the call of a request, or get its result if it was made; close its intent if that is possible."""
        try:
            made = call()
        except UnknownAnswerError as error:
            if request.batch is not None:
                self._retry_policy.append_unanswered()
            self._retry_policy.handle_error(error)
        except RefusedError as error:
            self._refused(request, error)
        except (ClientError, StoreError) as error:
            self._not_applied(request.intent, error)
        else:
            self._ledger.write(AckRecord(request.intent.number, made))
            self._applied(request)

    def _applied(self, request: Request) -> None:
        self._retry_policy.succeeded()
        batch = request.batch
        if batch is None:
            return
        self._retry_policy.append_answered()
        self._uploads.release(batch)
        queue = self._life.queues.of(request.intent.worker)
        self._life.refusals.append_applied(queue, batch, self._life.runtime.clock() - request.began)

    def _not_applied(self, intent: Intent, error: RequestError) -> None:
        """Handle a request that has changed nothing: it may be sent again."""
        self._ledger.write(NotRecord(intent.number))
        self._retry_policy.handle_error(error, is_run_completed=self._is_run_completed(error))

    def _is_run_completed(self, error: RequestError) -> bool | None:
        """Read whether a run that refuses a request is completed; None if it is unknown to the server, or not read."""
        run = self._ledger.state.run
        if run is None or not isinstance(error, RefusedError) or error.status in NOT_FOUND_OR_GONE:
            return None
        try:
            return self._client.run(run, has_threads=False).is_completed
        except (ClientError, StoreError):
            return None

    def _refused(self, request: Request, error: RefusedError) -> None:
        intent, log = request.intent, self._log
        if intent.operation in {"complete_thread", "complete_run"} and error.status == _UNPROCESSABLE:
            # It may be completed already, by a copy of the request or by another process: then there is nothing to do.
            self._to_read_back[intent.number] = error, None
            log(f"{error}: checking whether it is completed already")
        elif intent.operation == "append_thread" and error.status in _ABOUT_TESTS:
            # The contract does not promise that a refused append is refused as a whole.
            self._to_read_back[intent.number] = error, request.sent
            log(f"{reason_of(error)}: checking whether a part of it arrived")
        elif intent.operation in {"append_run", "note_thread"} and error.status >= _BAD_REQUEST:
            # Without the note the run can still be completed: the note is given up, and the summary shows that.
            self._ledger.write(RejectedRecord(intent.number, reason_of(error)))
            log(f"rejected: {reason_of(error)}")
        else:
            self._not_applied(intent, error)

    def attempt(self, call: Callable[[], int | None]) -> int | None:
        """Make a request that may be repeated whatever its outcome; return its result, None after an error."""
        try:
            made = call()
        except (ClientError, StoreError) as error:
            self._retry_policy.handle_error(error)
            return None
        self._retry_policy.succeeded()
        return made

    def probe(self, thread: int) -> None:
        """Append without tests, to learn whether the server answers appends again."""
        try:
            self._client.append_thread(thread, b"{}")
        except (NotSentError, UnknownAnswerError) as error:
            self._retry_policy.probe_failed(str(error))
        except RefusedError as error:
            self._log(f"{error}: a response all the same")
            self._retry_policy.append_answered()
        except (ClientError, StoreError) as error:
            self._retry_policy.handle_error(error)
        else:
            self._retry_policy.probe_answered()
            self._retry_policy.append_answered()

    def show_running(self, thread: int, extensions: str) -> bool:
        """Show the test that a worker runs; return False if the server has refused that."""
        try:
            self._client.append_thread(thread, f"{{{extensions[:-1]}}}".encode("ascii"))
        except RefusedError as error:
            # Results may still be accepted: to stop here would keep them from the server.
            self._log(f"{reason_of(error)}: running tests are not shown")
            return False
        except (ClientError, StoreError) as error:
            self._retry_policy.handle_error(error)
        else:
            self._retry_policy.succeeded()
        return True

    def reconcile(self, intent: Intent) -> bool:
        """Reconcile an intent with at most one request; return whether the ledger or the wait has changed."""
        reconciliation = self._reconciliation
        if reconciliation is None or reconciliation.intent.number != intent.number:
            reconciliation = self._reconciliation = self._new_reconciliation(intent)
        try:
            outcome = reconciliation.step()
        except (ClientError, StoreError) as error:
            self._retry_policy.handle_error(error)
            return True
        match outcome:
            case "pending":
                return False
            case "done":
                self._end_reconciliation(intent)
            case "run_completed":
                self._end_after_completed_run(reconciliation)
        return True

    def _new_reconciliation(self, intent: Intent) -> Reconciliation:
        batch = []
        if intent.operation == "append_thread":
            progress = self._ledger.state.progress_of(intent.worker)
            batch = [
                result
                for result in self._life.queues.of(intent.worker).results
                if intent.first <= result.offset <= intent.last and not progress.is_settled(result.offset)
            ]
        refusal, _ = self._to_read_back.get(intent.number, (None, None))
        return Reconciliation(self._life, intent, batch, refusal)

    def _end_after_completed_run(self, reconciliation: Reconciliation) -> None:
        """Stop, since another process has completed the run: nothing of the requests that it refused was applied."""
        for number in self._to_read_back.keys() & self._ledger.state.open_intents:
            self._ledger.write(NotRecord(number))
        self._to_read_back.clear()
        assert reconciliation.refusal is not None
        self._retry_policy.handle_error(reconciliation.refusal, is_run_completed=True)

    def _end_reconciliation(self, intent: Intent) -> None:
        """Go on; a refused append of which nothing arrived is not sent again unchanged."""
        self._reconciliation = None
        refusal, batch = self._to_read_back.pop(intent.number, (None, None))
        self._retry_policy.succeeded()
        if refusal is None or batch is None:
            return
        progress = self._ledger.state.progress_of(intent.worker)
        if progress.thread == intent.thread and progress.in_thread == intent.known:
            self._act_on_refusal(intent.worker, batch, refusal)

    def _act_on_refusal(self, worker: str, batch: Batch, refusal: RefusedError) -> None:
        """Rename statuses, reject results or stop after the refusal of a whole append."""
        ledger, log = self._ledger, self._log
        decision = self._life.refusals.append_refused(worker, batch, refusal)
        for change in decision.alias_changes:
            ledger.write(change)
            log(f"the server does not know the status {change.before!r}: {change.now!r} from now on")
        for rejection in decision.rejections:
            result, reason = rejection.result, rejection.reason
            # The file first: after a kill in between, the result is rejected again, and stands in the file twice.
            self._life.rejected.add(result, reason)
            ledger.write(AsideRecord(worker, result.offset, f"{result.nodeid}: {reason}"))
            log(f"rejected: {result.nodeid}: {reason}")
        if decision.is_final:
            self._retry_policy.stop("refused", reason_of(refusal))
