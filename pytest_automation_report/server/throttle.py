"""How many requests a minute the server answers (floor 2); there is one token, so there is one count."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW_SECONDS = 60.0


class RateLimit:
    """Lets so many requests through in each minute, which begins with its first request; safe in several threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = -math.inf
        self._amount = 0

    def wait_seconds(self) -> int:
        """Count a request that may be answered and return 0, or return after how many whole seconds it may be."""
        with self._lock:
            now = self._clock()
            if now - self._begun >= _WINDOW_SECONDS:
                self._begun, self._amount = now, 0
            if self._amount >= self._per_minute:
                return math.ceil(self._begun + _WINDOW_SECONDS - now)
            self._amount += 1
            return 0
