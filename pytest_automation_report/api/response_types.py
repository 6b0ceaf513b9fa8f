"""Types of the members of responses: which other spellings and which missing values are accepted.

Servers leave members out, or write ``null``, ``[]`` or ``0`` for "nothing". A member on which decisions depend has a
strict type; another is read as empty if it is of another type.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from pytest_automation_report.api.json_values import JsonError, JsonValue

# The contract's integers have 64 bits.
_MAX_INTEGER: Final = 2**63 - 1


class Answer(JsonValue, null_is_missing=True):
    """Base of responses, and of their parts: a ``null`` stands for a missing member."""


def _id(value: object) -> int:
    # `type() is` and not isinstance: True is an int.
    if type(value) is not int or not 0 < value <= _MAX_INTEGER:
        raise JsonError("an id", value)
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_INTEGER:
        raise JsonError("a count", value)
    return value


def _flag(value: object) -> bool:
    if type(value) not in {bool, int} or value not in {0, 1}:
        raise JsonError("true or false", value)
    return bool(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise JsonError("a list", value)
    return tuple(item for item in value if isinstance(item, str))


def _php_object(value: object) -> dict[str, Any]:
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise JsonError("an object", value)
    return value


Id: TypeAlias = Annotated[int, _id]
"""An id."""

Count: TypeAlias = Annotated[int, _count]
"""A number of things."""

Flag: TypeAlias = Annotated[bool, _flag]
"""A flag: ``true``, ``false``, ``1`` or ``0``."""

Text: TypeAlias = Annotated[str, _text]
"""A text on which no decision depends; empty for another type."""

TextOrNone: TypeAlias = Annotated[str | None, _text_or_none]
"""A text on which no decision depends; None for another type."""

Texts: TypeAlias = Annotated[tuple[str, ...], _texts]
"""The texts of a list; items of other types are left out."""

PhpObject: TypeAlias = Annotated[dict[str, Any], _php_object]
"""An object; PHP servers write an empty one as ``[]``."""
