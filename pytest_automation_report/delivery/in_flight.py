"""Make several requests at the same time, each for another worker.

A request spends its time in the network, so the end of a session is sent in a few round trips however many workers it
had. Each thread here makes one request and nothing else: the ledger is written by the sender's own thread alone.
"""

from __future__ import annotations

import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Generic, NoReturn, TypeAlias, TypeVar

from pytest_automation_report.api.limits import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.api.models import Endpoint

T = TypeVar("T")

Call: TypeAlias = "Callable[[], int | None]"
"""A request; returns the id of the created object, None if it creates none, or raises the request's error."""


def max_in_flight(endpoint: Endpoint) -> int:
    """Return how many simultaneous requests to a server are of use: one to the embedded store, which has no network."""
    return 1 if endpoint.is_embedded else CONNECTIONS


def start_thread(work: Callable[[], None]) -> None:
    """Run a function in a separate thread, which ends with the process at the latest."""
    threading.Thread(target=work, daemon=True).start()


class InFlightRequests(Generic[T]):
    """Up to ``max_count`` requests whose responses are awaited, each with the caller's value for it.

    All methods are called by one thread, which may change ``max_count``. ``spawn`` starts the work of one request and
    returns at once.
    """

    def __init__(self, spawn: Callable[[Callable[[], None]], None] = start_thread) -> None:
        self.max_count = 1
        self._spawn = spawn
        self._count = 0
        self._finished: queue.Queue[tuple[T, Call]] = queue.Queue()
        # A queue cannot be waited for without taking from it: `wait` puts here what it took.
        self._next: tuple[T, Call] | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether a response must come before another request can be made."""
        return self._count >= self.max_count

    def start(self, pending: T, call: Call) -> None:
        """Make a request; ``pending`` comes back with its response."""
        self._count += 1
        self._spawn(lambda: self._finished.put((pending, _finished_call(call))))

    def wait(self, seconds: float) -> None:
        """Wait for a response, at most this long; returns at once if there is one."""
        if self._next is None:
            try:
                self._next = self._finished.get(timeout=seconds)
            except queue.Empty:
                return

    def finished(self) -> Iterator[tuple[T, Call]]:
        """Yield the requests whose responses have come.

        The yielded call does not make the request again: it returns its result or raises its error.
        """
        while True:
            self.wait(0.0)
            if self._next is None:
                return
            finished, self._next = self._next, None
            self._count -= 1
            yield finished


def _finished_call(call: Call) -> Call:
    """Make a request now; return a function that returns its result or raises its error.

    So an error crosses from the request's thread to the sender's, where the same code handles it as without threads.
    """
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - raised in the sender's thread
        return partial(_raise, error)
    return lambda: result


def _raise(error: BaseException) -> NoReturn:
    raise error
