"""Regular expressions at the top of modules, compiled when they are used for the first time.

A session of few tests uses few of them: compiling all 60 at every start took pytest's process 12 ms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

# Tests patch `re`, and an expression may be used for the first time while one runs.
_compile: Final = re.compile

compiled: Final[Callable[[str], re.Pattern[str]]] = lru_cache(maxsize=None)(re.compile)
"""Return a regular expression, compiled once; for those that are made while a text is read."""


class _Pattern:
    """Stands for a compiled expression; its methods become attributes when one is used for the first time."""

    def __init__(self, source: str, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method of a compiled expression
        """Compile the expression: Python calls this for an attribute that is not set yet."""
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = _compile(self._source, self._flags)
        for method in ("search", "match", "fullmatch", "sub", "finditer", "split", "pattern"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def lazy_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return a regular expression that is compiled when it is used for the first time."""
    return cast("re.Pattern[str]", _Pattern(source, flags))
