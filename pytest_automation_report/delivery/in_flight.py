"""Requests that are under way at the same time, to different threads of the server (floor 3).

A request spends its time in the network, so what a session leaves to its end is sent in a few round trips, however many
workers it had. The threads here do nothing but make one request each: intents are written before, and what came of them
after, by the sender's own thread.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from pytest_automation_report.api.transport import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_automation_report.api.models import Endpoint

T = TypeVar("T")

Call: TypeAlias = "Callable[[], int | None]"
"""A request; it returns the id of what was made, if anything was, or raises what it met."""


def max_in_flight(endpoint: Endpoint) -> int:
    """Return how many requests to a server at the same time are of use; the embedded store answers in process."""
    return 1 if endpoint.is_embedded else CONNECTIONS


def in_thread(work: Callable[[], None]) -> None:
    """Do this work in a thread of its own, which ends with the process."""
    threading.Thread(target=work, daemon=True).start()


class InFlightRequests(Generic[T]):
    """Up to ``most`` requests, each with what the caller knows it by.

    One thread calls all methods, and may change ``most``. ``spawn`` is given a request to make, and returns at once.
    """

    def __init__(self, spawn: Callable[[Callable[[], None]], None] = in_thread) -> None:
        self.most = 1
        self._spawn = spawn
        self._count = 0
        self._answers: queue.SimpleQueue[tuple[T, Call]] = queue.SimpleQueue()
        self._next: tuple[T, Call] | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether an answer must come before another request can be made."""
        return self._count >= self.most

    def start(self, known_by: T, call: Call) -> None:
        """Make a request."""
        self._count += 1
        self._spawn(lambda: self._answers.put((known_by, _repeated(call))))

    def wait(self, seconds: float) -> None:
        """Wait so long for an answer, unless there is one."""
        if self._next is None:
            try:
                self._next = self._answers.get(timeout=seconds)
            except queue.Empty:
                return

    def answers(self) -> Iterator[tuple[T, Call]]:
        """Yield what the requests are known by whose answers have come; the call returns or raises it (again)."""
        while True:
            self.wait(0.0)
            if self._next is None:
                return
            answer, self._next = self._next, None
            self._count -= 1
            yield answer


def _repeated(call: Call) -> Call:
    """Make a call now, and return one that ends as it did, whatever that was."""
    try:
        made = call()
    except BaseException as error:  # noqa: BLE001 - raised where it is asked for
        met = error
    else:
        return lambda: made

    def raise_() -> int | None:
        raise met

    return raise_
