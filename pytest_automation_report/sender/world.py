"""What the sender takes from outside, as an argument (floor 3)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class World:
    """A monotonic clock and the time since the epoch, both in seconds; random numbers from 0 to 1; a log for lines."""

    clock: Callable[[], float]
    random: Callable[[], float]
    log: Callable[[str], None]
    wall: Callable[[], float] = time.time
