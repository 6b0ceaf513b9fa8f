"""What follows from the error of a request: a pause for all workers, or the end of this sender's sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_automation_report.api.responses import (
    ClientError,
    InProgressError,
    NotSentError,
    RefusedError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)
from pytest_automation_report.delivery.requests import NOT_FOUND_OR_GONE, UNPROCESSABLE, RequestError, refusal_reason
from pytest_automation_report.errors import StoreError
from pytest_automation_report.spool.records import ErrorRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.delivery.launch import Runtime, Timeouts
    from pytest_automation_report.spool.sessions import LedgerFile


class RetryPolicy:
    """One pause for all workers after an error; owned by the delivery."""

    def __init__(self, ledger: LedgerFile, timeouts: Timeouts, runtime: Runtime) -> None:
        self.ledger, self.timeouts, self.runtime = ledger, timeouts, runtime
        self.stopped = ""  # why nothing more is sent in this life of the sender
        # Our own backoff and a wait that the server asked for end at their own times: only ours may be skipped.
        self._backoff_until = self._throttled_until = 0.0
        # Class and reason of the last error, written to the ledger by `record_error`: pytest's summary shows them.
        self._last_error = "", ""
        self._is_run_gone = False
        self._failures = self._probes = 0
        # Appends in a row whose responses are unknown.
        self.unanswered_appends = 0

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be sent now."""
        return bool(self.stopped) or self.runtime.clock() < max(self._backoff_until, self._throttled_until)

    @property
    def is_circuit_open(self) -> bool:
        """Whether appends go unanswered; each more would cost a thread, so only appends without tests are sent."""
        return self.unanswered_appends >= 2  # noqa: PLR2004 - one may be by chance

    def skip_backoff(self) -> None:
        """End our own backoff; a wait that the server asked for goes on."""
        self._backoff_until = 0.0

    def attempt(self, call: Callable[[], int | None]) -> int | None:
        """Make a request that may be repeated whatever its outcome; return its result, None after an error."""
        try:
            made = call()
        except (ClientError, StoreError) as error:
            self.handle_error(error)
            return None
        self.succeeded()
        return made

    def probe(self, append: Callable[[], None]) -> None:
        """Append without tests, to learn whether the server answers appends again; wait twice as long each time."""
        try:
            append()
        except (NotSentError, UnknownAnswerError) as error:
            seconds = min(self.timeouts.probe_cap, self.timeouts.probe * 2.0 ** min(self._probes, 30))
            self._probes += 1
            self._pause("unknown", str(error), seconds)
        except RefusedError as error:
            self.runtime.log(f"{error}: the response counts anyway")
            self.unanswered_appends = 0
        except (ClientError, StoreError) as error:
            self.handle_error(error)
        else:
            self._probes = self.unanswered_appends = 0

    def succeeded(self) -> None:
        """Reset the backoff: the next error waits for a short time."""
        self._failures = 0

    def handle_error(self, error: RequestError, *, is_run_completed: bool | None = None) -> None:
        """Back off after a failed request, or stop if a retry cannot help.

        ``is_run_completed`` is whether the server shows the run as completed; None if it was not read.
        """
        if isinstance(error, (ThrottledError, InProgressError)):
            # Up to ``retry_base`` longer than the server asks for: senders must not return all at once.
            asked = self.timeouts.throttle if error.retry_after_seconds is None else error.retry_after_seconds
            self._pause("throttled", str(error), asked + self.timeouts.retry_base * self.runtime.random())
        elif isinstance(error, StoreError):
            self.stop("store", str(error))
        elif isinstance(error, TokenRefusedError):
            self.stop("token", str(error))
        elif isinstance(error, RefusedError):
            # A 422 about the run names no wrong property.
            is_about_run = error.status in NOT_FOUND_OR_GONE or (error.status == UNPROCESSABLE and not error.errors)
            is_run_gone = is_about_run and self.ledger.state.run is not None
            is_run_gone = is_run_gone if is_run_completed is None else is_run_completed
            self.stop("refused", refusal_reason(error), is_run_gone=is_run_gone)
        else:
            # A random time, whose upper bound doubles with each failure ("full jitter"). Requests that were in flight
            # may fail during the wait: they do not lengthen it, and do not count.
            ceiling = 0.0
            if not self.is_waiting:
                # 30 bounds the power: a float overflows after 1,023 failures, which a night without a server can bring.
                ceiling = min(self.timeouts.retry_cap, self.timeouts.retry_base * 2.0 ** min(self._failures, 30))
                self._failures += 1
            error_class = "again" if isinstance(error, NotSentError) else "unknown"
            self._pause(error_class, str(error), ceiling * self.runtime.random())

    def stop(self, error_class: str, reason: str, *, is_run_gone: bool = False) -> None:
        """Send nothing more; the first reason counts, even if requests in flight fail for others.

        With ``is_run_gone`` the remaining results can only go to a new run.
        """
        if not self.stopped:
            self.stopped, self._last_error, self._is_run_gone = reason, (error_class, reason), is_run_gone
        self.record_error()
        self.runtime.log(f"stopped: {reason}")

    def record_error(self) -> None:
        """Write the reason of the wait, or of the stop, to the ledger."""
        error_class, reason = self._last_error
        self.ledger.write(ErrorRecord(reason, error_class, self._is_run_gone))

    def resume(self) -> None:
        """Send again, as if there had been no error."""
        self.stopped, self._backoff_until, self._throttled_until, self._failures = "", 0.0, 0.0, 0
        self._is_run_gone = False

    def _pause(self, error_class: str, reason: str, seconds: float) -> None:
        now = self.runtime.clock()
        if error_class == "throttled":
            self._throttled_until = max(self._throttled_until, now + seconds)
        else:
            self._backoff_until = max(self._backoff_until, now + seconds)
        if not self.stopped:
            self._last_error = error_class, reason
        self.record_error()
        wait_seconds = max(self._backoff_until, self._throttled_until) - now
        self.runtime.log(f"{error_class}: {reason}; next try in {wait_seconds:.1f} s")
