"""Keep errors of this package out of pytest's sessions: the summary shows them."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

P = ParamSpec("P")
R = TypeVar("R")

_MAX_TEXTS: Final = 10
_MORE_TEXTS: Final = f"more errors of this kind occurred; the first {_MAX_TEXTS} are shown"
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
    if inspect.isgeneratorfunction(hook):
        return cast("Callable[P, R]", _guarded_wrapper(hook))

    @functools.wraps(hook)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except BaseException as error:
            if _ends_session(error):
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
        except BaseException as error:
            if _ends_session(error):
                raise
            _add(args[0], hook.__name__, error)
        return result

    return guard


def _ends_session(error: BaseException) -> bool:
    """Whether a user ends the session with this error, or a setting that cannot be used."""
    # Not imported: code that annotates must not load pytest where no test runs.
    pytest = sys.modules["pytest"]
    # pytest's fail and skip are no `Exception`; a user's object or timeout may raise one while a hook of ours runs.
    kept_out = (Exception, pytest.fail.Exception, pytest.skip.Exception)
    return isinstance(error, (pytest.exit.Exception, pytest.UsageError)) or not isinstance(error, kept_out)


def _add(owner: Any, place: str, error: BaseException) -> None:  # noqa: ANN401 - any object with hooks
    errors: Errors | None = getattr(owner, "internal_errors", None)
    if errors is not None:
        from pytest_automation_report.text.redaction import safe_str  # noqa: PLC0415 - only with an error

        errors.add(f"{place}: {type(error).__name__}: {safe_str(error)}")
    elif sys.stderr is not None:  # the hook of a module, before there is a session
        sys.stderr.write(f"automation report: error in reporting: {place}: {type(error).__name__}\n")
