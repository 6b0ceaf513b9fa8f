"""The members of a JSON object that somebody else wrote, read by name and type (floor 0).

Here is decided what a server may leave out or write in another way; `answers` says which member is read how. It
never recurses, so that no nesting can exhaust the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_automation_report.api.models import Json

_LARGEST = 2**63 - 1
"""The contract's integers have 64 bits."""


class JsonReader:
    """The members of one JSON object, read by name; errors name the path from the answer's root."""

    __slots__ = ("path", "values")

    def __init__(self, obj: object, path: str = "") -> None:
        if not isinstance(obj, dict):
            raise ValueError(f"{path.rstrip('.') or 'answer'}: an object expected, not {type(obj).__name__}")  # noqa: TRY004 - one type of error for all bad answers
        self.values: Json = obj
        self.path = path

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raise the error that says what was expected of a member."""
        found = type(self.values[name]).__name__ if name in self.values else "missing"
        raise ValueError(f"{self.path}{name}: {expected} expected, not {found}")

    def identity(self, name: str) -> int:
        """Return an id that must be there."""
        value = self.values.get(name)
        if type(value) is not int or not 0 < value <= _LARGEST:
            self.refuse(name, "an id")
        return value

    def identity_or_none(self, name: str) -> int | None:
        """Return an id, or ``None`` where there is none."""
        return None if self.values.get(name) is None else self.identity(name)

    def count(self, name: str, *, is_required: bool = False) -> int:
        """Return a number of things; a missing one is 0 unless it is required."""
        value = self.values.get(name)
        if value is None and not is_required:
            return 0
        if type(value) is not int or not 0 <= value <= _LARGEST:
            self.refuse(name, "a count")
        return value

    def flag(self, name: str, *, is_required: bool = False) -> bool:
        """Return a truth value, which servers write as ``true``, ``false``, ``1`` or ``0``."""
        value = self.values.get(name)
        if value is None and not is_required:
            return False
        if type(value) not in {bool, int} or value not in {0, 1}:
            self.refuse(name, "true or false")
        return bool(value)

    def number_or_none(self, name: str) -> int | None:
        """Return a whole number of which nothing depends: another type reads as ``None``."""
        value = self.values.get(name)
        return value if type(value) is int and abs(value) <= _LARGEST else None

    def text_or_none(self, name: str) -> str | None:
        """Return a text on which nothing depends: another type reads as ``None``."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def text(self, name: str) -> str:
        """Return a text on which nothing depends: another type reads as empty."""
        return self.text_or_none(name) or ""

    def items(self, name: str, *, is_required: bool = False) -> list[Any]:
        """Return a list; a missing one is empty unless it is required."""
        value = self.values.get(name)
        if value is None and not is_required:
            return []
        if not isinstance(value, list):
            self.refuse(name, "a list")
        return value

    def objects(self, name: str, *, is_required: bool = False) -> Iterable[JsonReader]:
        """Yield the objects of a list."""
        for index, each in enumerate(self.items(name, is_required=is_required)):
            yield JsonReader(each, f"{self.path}{name}.{index}.")

    def inner(self, name: str) -> JsonReader:
        """Return an object that must be there."""
        if not isinstance(self.values.get(name), dict):
            self.refuse(name, "an object")
        return JsonReader(self.values[name], f"{self.path}{name}.")

    def mapping(self, name: str) -> Json:
        """Return an object for which ``null`` and ``[]`` may stand when it is empty."""
        value = self.values.get(name)
        if value is None or value == []:
            return {}
        if not isinstance(value, dict):
            self.refuse(name, "an object")
        return value
