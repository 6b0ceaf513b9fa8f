"""Find the parts in which the two sides of a failed comparison differ.

Paths are Python: appended to the expression of a side they give the part, as in ``['user'].roles[2]``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["MAX_ROWS", "Comparison", "Difference", "Differences", "Value", "differences", "shown"]

MAX_ROWS: Final = 200
"""Most differences that are returned."""

_SETS: Final = ("set", "frozenset")
_BRACKETS: Final = {"list": "[]", "tuple": "()", "set": "{}"}


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a comparison, or a part of one.

    ``type`` is the name of its class. A text, number or the like has a ``text``: the characters of a ``str``, the
    representation of any other. A container has ``items`` (list, tuple, set), ``entries`` (dict) or ``fields``
    (dataclass, named tuple). An object of another class has none of these. ``size`` is the real number of parts or
    characters if some were left out, None otherwise; ``start`` is the index of the first one that is there.
    """

    type: str
    text: str | None = None
    items: tuple[Value, ...] | None = None
    entries: tuple[tuple[Value, Value], ...] | None = None
    fields: tuple[tuple[str, Value], ...] | None = None
    size: int | None = None
    start: int = 0

    @property
    def is_known(self) -> bool:
        """Whether the value itself is known, and not only its class or a part of it."""
        return self.size is None and any(
            part is not None for part in (self.text, self.items, self.entries, self.fields)
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison that failed: ``left operator right``."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Difference:
    """A part in which the sides differ; a side without that part is None. The whole has an empty path."""

    path: str
    left: Value | None
    right: Value | None


@dataclass(slots=True)
class Differences:
    """The parts that differ, in their order, and the number of those that are equal.

    ``is_complete`` is False if there may be more differences: in parts that were left out, in objects of unknown
    classes, or beyond `MAX_ROWS`.
    """

    rows: list[Difference] = field(default_factory=list)
    equal_count: int = 0
    is_complete: bool = True

    def add(self, path: str, left: Value | None, right: Value | None) -> None:
        """Add a difference while there is room."""
        if len(self.rows) < MAX_ROWS:
            self.rows.append(Difference(path, left, right))
        else:
            self.is_complete = False


def differences(left: Value, right: Value) -> Differences:
    """Return the parts in which two values differ."""
    found = Differences()
    _compare("", left, right, found)
    return found


def shown(value: Value, max_characters: int = 200) -> str:
    """Return a value in one line as Python writes it; parts that were left out are shown as ``...``."""
    text = _python(value)
    return text if len(text) <= max_characters else f"{text[: max_characters - 3]}..."


def _compare(path: str, left: Value, right: Value, found: Differences) -> None:
    if left == right:
        found.equal_count += left.is_known
        found.is_complete &= left.is_known
    elif left.items is not None and right.items is not None:
        if left.type in _SETS and right.type in _SETS:
            _compare_sets(path, left, right, found)
        else:
            _compare_items(path, left, right, found)
    elif left.entries is not None and right.entries is not None:
        _compare_entries(path, left, right, found)
    elif left.fields is not None and right.fields is not None and left.type == right.type:
        _compare_fields(path, left.fields, right.fields, found)
    else:
        found.add(path, left, right)


def _compare_items(path: str, left: Value, right: Value, found: Differences) -> None:
    left_items = dict(enumerate(left.items or (), left.start))
    right_items = dict(enumerate(right.items or (), right.start))
    found.is_complete &= left.size is None and right.size is None
    for index in sorted(left_items.keys() | right_items.keys()):
        left_item, right_item = left_items.get(index), right_items.get(index)
        if left_item is not None and right_item is not None:
            _compare(f"{path}[{index}]", left_item, right_item, found)
        # An item within the real length was left out: it is not known to differ.
        elif index >= _length(right if right_item is None else left):
            found.add(f"{path}[{index}]", left_item, right_item)


def _length(value: Value) -> int:
    """Return the real number of a container's parts."""
    return value.start + len(value.items or value.entries or ()) if value.size is None else value.size


def _compare_sets(path: str, left: Value, right: Value, found: Differences) -> None:
    left_items, right_items = left.items or (), right.items or ()
    found.is_complete &= left.size is None and right.size is None
    if right.size is None:
        for item in left_items:
            if item not in right_items:
                found.add(path, item, None)
    if left.size is None:
        for item in right_items:
            if item not in left_items:
                found.add(path, None, item)
    found.equal_count += sum(item in right_items for item in left_items)


def _compare_entries(path: str, left: Value, right: Value, found: Differences) -> None:
    left_entries, right_entries = dict(left.entries or ()), dict(right.entries or ())
    found.is_complete &= left.size is None and right.size is None
    for key in dict.fromkeys((*left_entries, *right_entries)):
        left_part, right_part = left_entries.get(key), right_entries.get(key)
        if left_part is not None and right_part is not None:
            _compare(f"{path}[{_python(key)}]", left_part, right_part, found)
        elif (right if right_part is None else left).size is None:
            found.add(f"{path}[{_python(key)}]", left_part, right_part)


def _compare_fields(
    path: str, left: tuple[tuple[str, Value], ...], right: tuple[tuple[str, Value], ...], found: Differences
) -> None:
    left_fields, right_fields = dict(left), dict(right)
    for name in dict.fromkeys((*left_fields, *right_fields)):
        left_part, right_part = left_fields.get(name), right_fields.get(name)
        if left_part is not None and right_part is not None:
            _compare(f"{path}.{name}", left_part, right_part, found)
        else:
            found.add(f"{path}.{name}", left_part, right_part)


def _python(value: Value) -> str:
    if value.text is not None:
        text = repr(value.text) if value.type == "str" else value.text
        return text if value.size is None else f"{text}..."
    if value.fields is not None:
        return f"{value.type}({', '.join(f'{name}={_python(part)}' for name, part in value.fields)})"
    if value.entries is not None:
        entries = [f"{_python(key)}: {_python(part)}" for key, part in value.entries]
        return _enclosed(value, "dict", "{}", entries)
    if value.items is not None:
        is_single = value.type == "tuple" and len(value.items) == 1 and value.size is None
        if value.type in _SETS and not value.items and value.size is None:
            return f"{value.type}()"
        items = [f"{_python(item)}," if is_single else _python(item) for item in value.items]
        return _enclosed(value, value.type, _BRACKETS.get(value.type, "[]"), items)
    return f"<{value.type}>"


def _enclosed(value: Value, plain_type: str, brackets: str, parts: list[str]) -> str:
    """Return the parts in the brackets of their class, or behind its name if it has none."""
    if value.start:
        parts = ["...", *parts]
    if value.size is not None and value.size > value.start + len(value.items or value.entries or ()):
        parts = [*parts, "..."]
    text = f"{brackets[0]}{', '.join(parts)}{brackets[1]}"
    is_plain = value.type == plain_type and (plain_type == "dict" or plain_type in _BRACKETS)
    return text if is_plain else f"{value.type}({text})"
