"""Regular expressions at the top of modules, compiled when they are used for the first time.

A session of few tests uses few of them: compiling all 60 at every start took pytest's process 12 ms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

# The function as it is now: tests patch `re`, and an expression may be used for the first time while one runs.
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
    """Return a regular expression that is compiled when it is used for the first time."""
    return cast("re.Pattern[str]", _Pattern(source, flags))
