"""Functions of Python as they are before any test or conftest runs: those patch clocks, `json` and `re`.

pytest loads this module ahead of conftests. The functions stand in a class, since freezegun replaces names of modules.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

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
        """Return the seconds since 1970."""
        # By the counter since the start of the process: packages that move the clock reach `time.time` itself, in C.
        began, at = cls._began
        return began + cls.counter() - at

    @classmethod
    def utc(cls) -> dt.datetime:
        """Return the time in UTC."""
        return cls._datetime.fromtimestamp(cls.wall(), cls._utc)


compiled: Final[Callable[..., re.Pattern[str]]] = lru_cache(maxsize=None)(re.compile)
"""Return a regular expression, compiled once; for those that are made while a text is read."""


class _Pattern:
    """Stands for a compiled expression; a method becomes an attribute when it is used for the first time."""

    def __init__(self, source: str, flags: int) -> None:
        self._source, self._flags = source, flags

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method of a compiled expression
        """Compile the expression: Python calls this for an attribute that is not set yet."""
        method = getattr(compiled(self._source, self._flags), name)
        setattr(self, name, method)
        return method


def lazy_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return a regular expression that is compiled at its first use: few sessions use many of the 60."""
    return cast("re.Pattern[str]", _Pattern(source, flags))
