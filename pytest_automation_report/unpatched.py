"""Functions of Python as they are before any test or conftest runs: those patch clocks and `json`, and leave them so.

pytest loads this module with the plugin, ahead of conftests. The functions stand in a class, since freezegun replaces
the names of all modules, also those that were imported before.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Final

_SEPARATORS: Final = (",", ":")


class Unpatched:
    """Clocks, `sleep` and JSON that no patch reaches."""

    counter = staticmethod(time.perf_counter)
    """Seconds of the performance counter, which all processes of one machine share."""

    sleep = staticmethod(time.sleep)

    encode = staticmethod(json.JSONEncoder(separators=_SEPARATORS).encode)
    """Return a value as JSON in ASCII, on one line."""

    decode = staticmethod(json.JSONDecoder().decode)
    """Return the value of a JSON text."""

    _began: tuple[float, float] = (time.time(), time.perf_counter())
    _datetime = dt.datetime
    _utc = dt.timezone.utc

    @classmethod
    def wall(cls) -> float:
        """Return the seconds since 1970.

        By the counter since the start of the process: packages that move the clock reach `time.time` itself, in C.
        """
        began, at = cls._began
        return began + cls.counter() - at

    @classmethod
    def utc(cls) -> dt.datetime:
        """Return the time in UTC."""
        return cls._datetime.fromtimestamp(cls.wall(), cls._utc)
