"""Keep errors of ours out of pytest's sessions, whose summary shows them; what ends a test or a session goes on."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

P = ParamSpec("P")
R = TypeVar("R")

_MAX_TEXTS: Final = 10
_MORE_TEXTS: Final = f"more errors of this kind occurred; the first {_MAX_TEXTS} are shown"
_CO_GENERATOR: Final = 0x20  # as in inspect, which the sender would load for it: a twentieth of its start
_LONGEST: Final = 3000  # characters; the summary shows fewer


class Errors:
    """Errors of this package, or in users' code and settings: shown at the session's end, and never raised.

    Each text stands once, and after the first ones a text says that there are more. Texts may hold secrets.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> None:
        """Add one error."""
        text = text[:_LONGEST]
        if text not in self.texts and len(self.texts) <= _MAX_TEXTS:
            self.texts.append(text if len(self.texts) < _MAX_TEXTS else _MORE_TEXTS)


class Hooks:
    """Base of plugins; `dir` names only their hooks, since pytest searches all names, which takes 5 us a name."""

    internal_errors: Errors

    def __dir__(self) -> list[str]:
        return [name for name in dir(type(self)) if name.startswith("pytest_")]


def guarded(hook: Callable[P, R]) -> Callable[P, R]:
    """Add the errors of a method to the ``internal_errors`` of its object; it then returns None.

    A generator wraps pytest's other hooks: their result, or their error, stays.
    """
    if hook.__code__.co_flags & _CO_GENERATOR:
        return cast("Callable[P, R]", _guarded_wrapper(cast("Any", hook)))

    @functools.wraps(hook)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            if goes_on(error):
                raise
            _add(args[0], hook.__name__, error)
            return None

    return cast("Callable[P, R]", guard)


def _guarded_wrapper(hook: Callable[..., Generator[None, R, R]]) -> Callable[..., Generator[None, R, R]]:
    @functools.wraps(hook)
    def guard(*args: Any) -> Generator[None, R, R]:  # noqa: ANN401 - as the hook has them
        steps = hook(*args)
        next(steps)
        result = yield
        try:
            steps.send(result)
        except StopIteration as end:
            return cast("R", end.value)
        except Exception as error:
            if goes_on(error):
                raise
            _add(args[0], hook.__name__, error)
        return result

    return guard


def goes_on(error: BaseException) -> bool:
    """Whether an error goes on to the test or the session, though code of ours or a user's hook runs.

    A time limit is raised into whatever runs, as pytest's fail or an error that is no `Exception`: a test that is over
    its limit must not pass since it was ours that took too long.
    """
    # Not imported: code that annotates must not load pytest where no test runs.
    pytest: Any = sys.modules.get("pytest")
    own = () if pytest is None else (pytest.exit.Exception, pytest.UsageError)
    return isinstance(error, own) or not isinstance(error, Exception)


def _add(owner: Any, place: str, error: BaseException) -> None:  # noqa: ANN401 - any object with hooks
    errors: Errors | None = getattr(owner, "internal_errors", None)
    if errors is not None:
        errors.add(f"{place}: {type(error).__name__}: {safe_str(error)}")
    elif sys.stderr is not None:  # the hook of a module, before there is a session
        sys.stderr.write(f"automation report: error in reporting: {place}: {type(error).__name__}\n")


def safe_str(value: object) -> str:
    """Return a user's value as a plain text, also if its ``__str__`` raises or returns a text of another class."""
    try:
        return "".join((str(value),))
    except Exception as error:
        if goes_on(error):
            raise
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"
