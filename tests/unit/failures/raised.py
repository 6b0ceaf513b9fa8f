"""Failures that are raised for these tests, and the text that the installed pytest writes about them."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

BERTHS: Final[dict[str, int]] = {}

STYLES: Final = ("long", "short", "native", "auto")


def written(function: Callable[[], object], style: Any, *, has_locals: bool = False) -> str:  # noqa: ANN401 - pytest's own type is private
    """Return the text that pytest writes in this style about the exception that a function raises."""
    with pytest.raises(BaseException) as info:  # noqa: PT011 - each function raises another one
        function()
    representation = info.getrepr(style="long" if style == "auto" else style, showlocals=has_locals)
    # As pytest does for `report.longreprtext`.
    return str(representation).strip()


def divided() -> None:
    berths = 0
    str(1 / berths)


def misread() -> object:
    return json.loads("{nonsense")


class BookingError(Exception):
    """An error of our own code, caused by one of a library."""


def parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BookingError(f"not a booking: {text!r}") from error


def chained() -> None:
    parsed("{nonsense")


def handled() -> None:
    try:
        divided()
    except ZeroDivisionError:
        raise BookingError("while handling")  # noqa: B904 - this is the point


def walk(depth: int) -> object:
    if depth == 0:
        return BERTHS["leaf"]
    return walk(depth - 1)


def deep() -> None:
    walk(60)
