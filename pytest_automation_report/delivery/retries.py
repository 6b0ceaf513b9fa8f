"""When the sender tries again, and when it stops (floor 3)."""

from __future__ import annotations

from dataclasses import dataclass
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

if TYPE_CHECKING:
    from pytest_automation_report.delivery.handover import Runtime, Timeouts
    from pytest_automation_report.spool.ledger_file import LedgerFile

_UNKNOWN: Final = frozenset({404, 410})
_UNPROCESSABLE: Final = 422

Trouble: TypeAlias = ClientError | StoreError
"""What a request can meet."""


_CIRCUIT_OPENS_AT: Final = 2
"""Appends in a row without a response, from which on only an append without tests is sent until one is answered.

Each append whose response is unknown completes its thread, since nothing else keeps a late copy of it out.
"""


@dataclass(slots=True)
class RetryPolicy:
    """One pause for all threads after trouble; ``stopped`` says why nothing more is sent in this life of the sender.

    A wait of our own and one that the server asked for end by themselves, each at its moment.
    """

    ledger: LedgerFile
    timeouts: Timeouts
    runtime: Runtime
    stopped: str = ""
    _until: float = 0.0
    _asked_until: float = 0.0
    _told: tuple[str, str] = ("", "")
    _is_gone: bool = False
    _failures: int = 0
    _probes: int = 0
    _unanswered_appends: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is to be sent now."""
        return bool(self.stopped) or self.runtime.clock() < max(self._until, self._asked_until)

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
        """End a wait of our own; one that the server asked for goes on."""
        self._until = 0.0

    def succeeded(self) -> None:
        """Begin anew with short waits."""
        self._failures = 0

    def handle_error(self, error: Trouble, *, is_run_completed: bool = False) -> None:
        """Wait after what a request has met, or send nothing more where waiting would not help.

        ``is_run_completed`` if the server has shown that it takes nothing more for that reason.
        """
        if isinstance(error, (ThrottledError, InProgressError)):
            self.throttled(error)
        elif isinstance(error, StoreError):
            self.stop("store", str(error))
        elif isinstance(error, TokenRefusedError):
            self.stop("token", str(error))
        elif isinstance(error, RefusedError):
            self.stop("refused", reason_of(error), is_run_gone=is_run_completed or self._is_run_gone(error))
        else:
            self.later("again" if isinstance(error, NotSentError) else "unknown", str(error))

    def throttled(self, error: ThrottledError | InProgressError) -> None:
        """Wait as long as the server asks for."""
        asked = self.timeouts.throttle if error.retry_after_seconds is None else error.retry_after_seconds
        self._pause("throttled", str(error), asked + self.timeouts.retry_base * self.runtime.random())

    def later(self, trouble: str, why: str) -> None:
        """Wait at random, up to twice as long each time; what failed at the same time as another waits with it."""
        ceiling = 0.0
        if not self.is_waiting:
            ceiling = min(self.timeouts.retry_cap, self.timeouts.retry_base * 2.0 ** min(self._failures, 30))
            self._failures += 1
        self._pause(trouble, why, ceiling * self.runtime.random())

    def probed(self, why: str) -> None:
        """Wait for the next probe; an empty ``why`` says that the server has answered."""
        if not why:
            self._probes = 0
            return
        seconds = min(self.timeouts.probe_cap, self.timeouts.probe * 2.0 ** min(self._probes, 30))
        self._probes += 1
        self._pause("unknown", why, seconds)

    def _is_run_gone(self, error: RefusedError) -> bool:
        """Whether a refusal says that the run is unknown, or completed: 422 names no property that is wrong then."""
        is_of_run = error.status in _UNKNOWN or (error.status == _UNPROCESSABLE and not error.errors)
        return is_of_run and self.ledger.state.run is not None

    def stop(self, trouble: str, why: str, *, is_run_gone: bool = False) -> None:
        """Send nothing more; the first reason counts, whatever else was under way then.

        With ``is_run_gone`` the rest can only go to a new run.
        """
        if not self.stopped:
            self.stopped, self._told, self._is_gone = why, (trouble, why), is_run_gone
        self.tell()
        self.runtime.log(f"stopped: {why}")

    def tell(self) -> None:
        """Write what is waited for, or why nothing more is sent: again, when an answer after it has taken it back."""
        trouble, why = self._told
        more = {"gone": True} if self._is_gone else {}
        self.ledger.write("trouble", why=why, **{"class": trouble}, **more)

    def resume(self) -> None:
        """Send again, as if nothing had been met."""
        self.stopped, self._until, self._asked_until, self._failures = "", 0.0, 0.0, 0
        self._is_gone = False

    def _pause(self, trouble: str, why: str, seconds: float) -> None:
        now = self.runtime.clock()
        if trouble == "throttled":
            self._asked_until = max(self._asked_until, now + seconds)
        else:
            self._until = max(self._until, now + seconds)
        if not self.stopped:
            self._told = trouble, why
        self.tell()
        self.runtime.log(f"{trouble}: {why}; next try in {max(self._until, self._asked_until) - now:.1f} s")


def reason_of(error: RefusedError) -> str:
    """Return what a server said in refusing a request, for one line."""
    entries = [f"{path}: {texts[0]}" for path, texts in list(error.errors.items())[:3] if texts]
    return "; ".join([str(error), *entries])
