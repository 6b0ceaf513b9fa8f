"""Read untrusted JSON member by member, with checks of type and range.

This module decides which other spellings and which missing values are accepted; `responses` decides which member is
read in which way. Nothing recurses, so that deep nesting cannot exhaust the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Json

# The contract's integers have 64 bits.
_MAX_INTEGER = 2**63 - 1


class JsonReader:
    """Reader of one JSON object; its errors have the path of the member from the response's root."""

    __slots__ = ("path", "values")

    def __init__(self, obj: object, path: str = "") -> None:
        if not isinstance(obj, dict):
            raise ValueError(f"{path.rstrip('.') or 'response'}: an object expected, not {type(obj).__name__}")  # noqa: TRY004 - one type of error for all bad answers
        self.values: Json = obj
        self.path = path

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raise `ValueError` for a member: its path, the expected type and the type found."""
        actual = type(self.values[name]).__name__ if name in self.values else "missing"
        raise ValueError(f"{self.path}{name}: {expected} expected, not {actual}")

    def identity(self, name: str) -> int:
        """Return a required id."""
        value = self.values.get(name)
        # `type() is` and not isinstance: True is an int.
        if type(value) is not int or not 0 < value <= _MAX_INTEGER:
            self.refuse(name, "an id")
        return value

    def identity_or_none(self, name: str) -> int | None:
        """Return an id, None if it is missing or null."""
        return None if self.values.get(name) is None else self.identity(name)

    def count(self, name: str, *, is_required: bool = False) -> int:
        """Return a number of things; 0 if it is missing and not required."""
        value = self.values.get(name)
        if value is None and not is_required:
            return 0
        if type(value) is not int or not 0 <= value <= _MAX_INTEGER:
            self.refuse(name, "a count")
        return value

    def flag(self, name: str) -> bool:
        """Return a required flag: ``true``, ``false``, ``1`` or ``0``."""
        value = self.values.get(name)
        if type(value) not in {bool, int} or value not in {0, 1}:
            self.refuse(name, "true or false")
        return bool(value)

    def text_or_none(self, name: str) -> str | None:
        """Return a text on which no decision depends; None for another type."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def items(self, name: str, *, is_required: bool = False) -> list[Any]:
        """Return a list; an empty one if it is missing and not required."""
        value = self.values.get(name)
        if value is None and not is_required:
            return []
        if not isinstance(value, list):
            self.refuse(name, "a list")
        return value

    def objects(self, name: str, *, is_required: bool = False) -> Iterable[JsonReader]:
        """Yield a reader for each object of a list."""
        for index, item in enumerate(self.items(name, is_required=is_required)):
            yield JsonReader(item, f"{self.path}{name}.{index}.")

    def inner(self, name: str) -> JsonReader:
        """Return a reader for a required object."""
        if not isinstance(self.values.get(name), dict):
            self.refuse(name, "an object")
        return JsonReader(self.values[name], f"{self.path}{name}.")

    def mapping(self, name: str) -> Json:
        """Return an object; PHP servers write an empty one as ``null`` or ``[]``."""
        value = self.values.get(name)
        if value is None or value == []:
            return {}
        if not isinstance(value, dict):
            self.refuse(name, "an object")
        return value
