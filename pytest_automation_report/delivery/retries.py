"""Decide when the sender tries again, when it stops to send, and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_automation_report.errors import (
    ClientError,
    InProgressError,
    NotSentError,
    RefusedError,
    StoreError,
    ThrottledError,
    TokenRefusedError,
)
from pytest_automation_report.spool.ledger_records import TroubleRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.spool.ledger_file import LedgerFile
    from pytest_automation_report.spool.liveness import Process

NOT_FOUND_OR_GONE: Final = frozenset({404, 410})
_UNPROCESSABLE: Final = 422

RequestError: TypeAlias = ClientError | StoreError
"""An error with which a request can fail."""

_SECONDS_TO_END: Final = 1.0
"""Time that a sender needs at most, on a busy machine, from its last response to its end."""

_CIRCUIT_OPENS_AT: Final = 2
"""Appends in a row without a response, from which on only an append without tests is sent until one is answered.

Each append whose response is unknown completes its thread, since nothing else keeps a late copy of it out.
"""


class RetryPolicy:
    """One pause for all workers after an error; owned by the delivery.

    ``stopped`` is why nothing more is sent in this life of the sender, empty while it goes on. Our own backoff and a
    wait that the server asked for run side by side, and each ends at its own time: only ours may be skipped.
    """

    def __init__(self, ledger: LedgerFile, timeouts: Timeouts, runtime: Runtime) -> None:
        self.ledger, self.timeouts, self.runtime = ledger, timeouts, runtime
        self.stopped = ""
        self._backoff_until = self._throttled_until = 0.0
        # Class and reason of the last error, written to the ledger by `record_error`: pytest's summary shows them.
        self._last_error = "", ""
        self._is_run_gone = False
        self._failures = self._probes = self._unanswered_appends = 0

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be sent now."""
        return bool(self.stopped) or self.runtime.clock() < max(self._backoff_until, self._throttled_until)

    @property
    def is_circuit_open(self) -> bool:
        """Whether appends go unanswered; each more would cost a thread, so only probes are sent."""
        return self._unanswered_appends >= _CIRCUIT_OPENS_AT

    def append_unanswered(self) -> None:
        """Count an append whose response is unknown."""
        self._unanswered_appends += 1

    def append_answered(self) -> None:
        """Close the circuit: an append, or a probe, was answered."""
        self._unanswered_appends = 0

    def skip_backoff(self) -> None:
        """End our own backoff; a wait that the server asked for goes on."""
        self._backoff_until = 0.0

    def succeeded(self) -> None:
        """Reset the backoff: the next error waits for a short time."""
        self._failures = 0

    def handle_error(self, error: RequestError, *, is_run_completed: bool | None = None) -> None:
        """Back off after a failed request, or stop if a retry cannot help.

        ``is_run_completed`` is whether the server shows the run as completed, so that it accepts nothing more; None if
        it was not read.
        """
        if isinstance(error, (ThrottledError, InProgressError)):
            self.wait_as_asked(error)
        elif isinstance(error, StoreError):
            self.stop("store", str(error))
        elif isinstance(error, TokenRefusedError):
            self.stop("token", str(error))
        elif isinstance(error, RefusedError):
            is_gone = self._is_about_run(error) if is_run_completed is None else is_run_completed
            self.stop("refused", reason_of(error), is_run_gone=is_gone)
        else:
            self.back_off("again" if isinstance(error, NotSentError) else "unknown", str(error))

    def wait_as_asked(self, error: ThrottledError | InProgressError) -> None:
        """Wait as long as the server asks for, and up to ``retry_base`` longer: senders must not return all at once."""
        asked = self.timeouts.throttle if error.retry_after_seconds is None else error.retry_after_seconds
        self._pause("throttled", str(error), asked + self.timeouts.retry_base * self.runtime.random())

    def back_off(self, error_class: str, reason: str) -> None:
        """Wait a random time, whose upper bound doubles with each failure ("full jitter").

        A failure during a wait is of a request that was in flight with the one that failed first: it neither lengthens
        the wait nor counts again.
        """
        ceiling = 0.0
        if not self.is_waiting:
            # 30 bounds the power: a float overflows after 1,023 failures, which a night without a server can bring.
            ceiling = min(self.timeouts.retry_cap, self.timeouts.retry_base * 2.0 ** min(self._failures, 30))
            self._failures += 1
        self._pause(error_class, reason, ceiling * self.runtime.random())

    def probe_answered(self) -> None:
        """Begin the next series of probes with a short wait."""
        self._probes = 0

    def probe_failed(self, reason: str) -> None:
        """Wait for the next probe, twice as long each time."""
        seconds = min(self.timeouts.probe_cap, self.timeouts.probe * 2.0 ** min(self._probes, 30))
        self._probes += 1
        self._pause("unknown", reason, seconds)

    def _is_about_run(self, error: RefusedError) -> bool:
        """Whether a refusal means that the run is unknown or completed: such a 422 names no wrong property."""
        is_about_run = error.status in NOT_FOUND_OR_GONE or (error.status == _UNPROCESSABLE and not error.errors)
        return is_about_run and self.ledger.state.run is not None

    def stop(self, error_class: str, reason: str, *, is_run_gone: bool = False) -> None:
        """Send nothing more; the first reason counts, even if requests in flight fail for others.

        With ``is_run_gone`` the remaining results can only go to a new run.
        """
        if not self.stopped:
            self.stopped, self._last_error, self._is_run_gone = reason, (error_class, reason), is_run_gone
        self.record_error()
        self.runtime.log(f"stopped: {reason}")

    def record_error(self) -> None:
        """Write the reason of the wait, or of the stop, to the ledger.

        Also again after a later response: its record clears the ledger's error, although the wait goes on.
        """
        error_class, reason = self._last_error
        self.ledger.write(TroubleRecord(reason, error_class, self._is_run_gone))

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


class Deadlines:
    """The time that a sender has after the session's end; owned by the sender's loop.

    A sender that pytest started has a ``controller``, the process of that pytest. It has
    ``exit_all + alone`` seconds in all, but only ``alone`` seconds once pytest is gone. A sender of the console command
    has no limit in all: it ends after ``send_progress`` seconds without a response.
    """

    def __init__(self, timeouts: Timeouts, clock: Callable[[], float], controller: Process | None = None) -> None:
        self.timeouts, self.clock, self.controller = timeouts, clock, controller
        self.session_ended_at: float | None = None
        self._controller_gone_at: float | None = None
        self._progress_at = clock()
        self._responses = 0

    def start_end(self) -> None:
        """Start the time after the session's end."""
        self.session_ended_at = self.clock()

    def touch(self) -> None:
        """Note that there is progress now."""
        self._progress_at = self.clock()

    def note_responses(self, count: int) -> None:
        """Note progress if the ledger's number of responses has changed."""
        if count != self._responses:
            self._responses = count
            self.touch()

    def exclude(self, seconds: float) -> None:
        """Leave a time that the sender needed for itself out of the time without progress."""
        self._progress_at += seconds

    @property
    def is_stalled(self) -> bool:
        """Whether there was no progress for too long."""
        return self.clock() - self._progress_at > self.timeouts.send_progress

    def seconds_for_findings(self, *, is_interrupted: bool) -> float:
        """Return how long to wait for findings; 0 or less if there is no time left.

        The sender is to be done long before pytest's wait ends: pytest would report that the delivery is not confirmed.
        """
        if self.session_ended_at is None:
            return 0.0
        longest = self.timeouts.exit_interrupted if is_interrupted else self.timeouts.exit_all
        left = longest - (self.clock() - self.session_ended_at) - _SECONDS_TO_END
        return min(self.timeouts.findings, self.timeouts.exit_progress / 2, left)

    def seconds_for_report(self, *, is_interrupted: bool) -> float:
        """Return how long to wait until the report is written, 0 if there is no time left: as long as pytest waits."""
        if self.session_ended_at is None:
            return 0.0
        longest = self.timeouts.exit_interrupted if is_interrupted else self.timeouts.exit_all
        return max(0.0, longest - (self.clock() - self.session_ended_at) - _SECONDS_TO_END)

    def is_expired(self, *, is_busy: bool) -> bool:
        """Whether the sender's time is up; ``is_busy`` if a response, or a time the server needs, is awaited."""
        if self.session_ended_at is None:
            return False
        if self.controller is None:
            return self.is_stalled and not is_busy
        now = self.clock()
        if self._controller_gone_at is None and not self.controller.is_alive():
            self._controller_gone_at = now
        if now - self.session_ended_at > self.timeouts.exit_all + self.timeouts.alone:
            return True
        return self._controller_gone_at is not None and now - self._controller_gone_at > self.timeouts.alone


def reason_of(error: RefusedError) -> str:
    """Return the reason of a refusal in one line: the error, and the first three messages of the response."""
    entries = [f"{path}: {texts[0]}" for path, texts in list(error.errors.items())[:3] if texts]
    return "; ".join([str(error), *entries])
