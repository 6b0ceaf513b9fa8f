"""A request that the scheduler has chosen, when to try again after an error, and what all parts of a delivery share.

One that changes something on the server is written to the ledger before it is made, under the operation's name, and its
outcome is written afterwards. All other requests may be repeated, whatever their outcome, so they need no record.

A request spends its time in the network, so the end of a session is sent in a few round trips however many workers it
had: several are in flight, each made in a thread that does nothing else. The sender's own thread alone writes the
ledger.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct

from pytest_automation_report.api.models import CONNECTIONS
from pytest_automation_report.delivery.batches import RefusalHandling
from pytest_automation_report.errors import (
    ClientError,
    InProgressError,
    NotSentError,
    RefusedError,
    StoreError,
    ThrottledError,
    TokenRefusedError,
    UnknownAnswerError,
)
from pytest_automation_report.spool.folder import SessionFolder
from pytest_automation_report.spool.ledger import TroubleRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_automation_report.api.client import Client
    from pytest_automation_report.api.models import ArtifactStoreConfig
    from pytest_automation_report.delivery.batches import Batch
    from pytest_automation_report.delivery.launch import Runtime, Timeouts
    from pytest_automation_report.delivery.queues import WorkerQueues
    from pytest_automation_report.spool.folder import SessionManifest
    from pytest_automation_report.spool.ledger import Intent, LedgerFile


Unknown: TypeAlias = Literal["hold", "send", "drop"]
"""What to do with results of which the server does not show whether they arrived."""

RepeatableStep: TypeAlias = "Callable[[], None]"
"""Makes a request that may be repeated, and acts on its response."""


class Request(Struct, frozen=True):
    """A request that changes something on the server: what the ledger records before it, and the call that makes it.

    ``batch`` has the results of an append as they wait, ``sent`` as they are sent, with the URLs of their files; both
    are None for other requests. ``began`` is when it was sent, by the sender's clock in seconds.
    """

    intent: Intent
    call: Call
    began: float
    batch: Batch | None = None
    sent: Batch | None = None


class DeliveryOptions(Struct, frozen=True):
    """The ways in which deliveries differ.

    ``unknown`` is what to do with results of which the server cannot show whether they arrived. With ``is_in_new_run``
    the remaining results go to a new run. ``artifact_store`` stores files instead of the server. ``max_in_flight`` is
    how many requests to a server may be in flight once all workers have ended, never two of the same worker.
    ``files_folder`` is the session's folder if the ledger is in another one: its files stay.
    """

    unknown: Unknown = "hold"
    is_in_new_run: bool = False
    artifact_store: ArtifactStoreConfig | None = None
    max_in_flight: int = CONNECTIONS
    files_folder: Path | None = None


class Life(Struct, dict=True, eq=False):
    """One life of a sender: what all parts of its delivery share."""

    session: SessionManifest
    client: Client
    ledger: LedgerFile
    queues: WorkerQueues
    timeouts: Timeouts
    runtime: Runtime
    options: DeliveryOptions = DeliveryOptions()

    def __post_init__(self) -> None:
        self.folder, self.state = SessionFolder(self.ledger.folder), self.ledger.state
        self.in_flight = InFlightRequests()
        self.retry_policy = RetryPolicy(self.ledger, self.timeouts, self.runtime)
        self.refusals = RefusalHandling(self.state.aliases)


NOT_FOUND: Final = 404
NOT_FOUND_OR_GONE: Final = frozenset({NOT_FOUND, 410})
UNPROCESSABLE: Final = 422

RequestError: TypeAlias = ClientError | StoreError
"""An error with which a request can fail."""

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
        self._failures = self._probes = 0
        # Appends in a row whose responses are unknown.
        self.unanswered_appends = 0

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be sent now."""
        return bool(self.stopped) or self.runtime.clock() < max(self._backoff_until, self._throttled_until)

    @property
    def is_circuit_open(self) -> bool:
        """Whether appends go unanswered; each more would cost a thread, so only probes are sent."""
        return self.unanswered_appends >= _CIRCUIT_OPENS_AT

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
            self.runtime.log(f"{error}: a response all the same")
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

        ``is_run_completed`` is whether the server shows the run as completed, so that it accepts nothing more; None if
        it was not read.
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
            self.stop("refused", reason_of(error), is_run_gone=is_run_gone)
        else:
            # A random time, whose upper bound doubles with each failure ("full jitter"). A failure during a wait is of
            # a request that was in flight with the one that failed first: it neither lengthens the wait nor counts.
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


def reason_of(error: RefusedError) -> str:
    """Return the reason of a refusal in one line: the error, and the first three messages of the response."""
    entries = [f"{path}: {texts[0]}" for path, texts in list(error.errors.items())[:3] if texts]
    return "; ".join([str(error), *entries])


Call: TypeAlias = "Callable[[], int | None]"
"""A request; returns the id of the created object, None if it creates none, or raises the request's error."""


class InFlightRequests:
    """Up to ``max_count`` requests whose responses are awaited.

    All methods are called by one thread, which may change ``max_count``. ``spawn`` starts the work of one request and
    returns at once; by default in a separate thread, which ends with the process at the latest.
    """

    def __init__(self, spawn: Callable[[Callable[[], None]], None] | None = None) -> None:
        self.max_count = 1
        self._spawn = spawn or (lambda work: threading.Thread(target=work, daemon=True).start())
        self._count = 0
        self._finished: deque[tuple[Request, Call]] = deque()
        self._has_finished = threading.Condition()

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether a response must come before another request can be made."""
        return self._count >= self.max_count

    def start(self, request: Request) -> None:
        """Make a request, without waiting for its response."""
        self._count += 1
        self._spawn(partial(self._make, request))

    def wait(self, seconds: float) -> None:
        """Wait for a response, at most this long; returns at once if there is one."""
        with self._has_finished:
            self._has_finished.wait_for(lambda: self._finished, seconds)

    def finished(self) -> Iterator[tuple[Request, Call]]:
        """Yield the requests whose responses have come.

        The yielded call does not make the request again: it returns its result or raises its error.
        """
        while self._finished:
            self._count -= 1
            yield self._finished.popleft()

    def _make(self, request: Request) -> None:
        try:
            finished = partial(_repeated, request.call(), None)
        except BaseException as error:  # noqa: BLE001 - raised in the sender's thread, as without threads
            finished = partial(_repeated, None, error)
        with self._has_finished:
            self._finished.append((request, finished))
            self._has_finished.notify()


def _repeated(made: int | None, error: BaseException | None) -> int | None:
    """Return the result of a request that was made, or raise its error."""
    if error is not None:
        raise error
    return made
