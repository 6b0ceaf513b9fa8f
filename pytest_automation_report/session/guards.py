"""Keep errors of this package out of the session: count them in pytest's hooks, report them at the end."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from pytest_automation_report.imports import UnhookedImports

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

_MAX_TEXTS: Final = 3


class Hooks:
    """Base of plugins with several hooks; `dir` names only these.

    pytest searches all names of a plugin for hooks and for fixtures, which takes 5 us a name.
    """

    def __dir__(self) -> list[str]:
        return [name for name in dir(type(self)) if name.startswith("pytest_")]


class InternalErrors:
    """Counts errors of this package inside pytest's hooks; they are reported at the end and never raised."""

    def __init__(self) -> None:
        self.count = 0
        self.texts: list[str] = []

    def add(self, place: str, error: Exception) -> None:
        """Count one error; the first few are stored with the place that they came from."""
        self.count += 1
        if len(self.texts) < _MAX_TEXTS:
            self.texts.append(f"{place}: {type(error).__name__}: {error}")


def guarded(hook: Callable[P, None]) -> Callable[P, None]:
    """Count the errors of a method in the ``internal_errors`` of its object instead of raising them.

    Exceptions with which pytest ends a session derive from ``BaseException``: they are raised. Modules of this package
    that the method needs are imported past pytest's import hook.
    """

    @functools.wraps(hook)
    def guard(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with UnhookedImports():
                hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the one edge where our errors must not reach the session
            owner: Any = args[0]
            owner.internal_errors.add(hook.__name__, error)

    return guard
