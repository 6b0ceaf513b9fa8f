"""Pack the values of many tests column by column: each distinct value once, and one character a test that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["BETWEEN_VALUES", "MOST_CODES", "coded", "column", "joined"]

BETWEEN_VALUES: Final = "\x1f"
"""The character between the values of a column. Texts show control characters escaped, so no value has it."""

MOST_CODES: Final = 63_000
"""Most distinct values of a column that characters name: those that are one unit of UTF-16 and no control character."""

_FIRST: Final = 0x20
_SURROGATES: Final = range(0xD800, 0xE000)

_Item = TypeVar("_Item")


def code(number: int) -> str:
    """Return the character for a number, which counts from 0; no control character, and no half of a pair."""
    point = _FIRST + number
    return chr(point if point < _SURROGATES.start else point + len(_SURROGATES))


def coded(values: Sequence[_Item], key: Callable[[_Item], Any] | None = None) -> tuple[list[_Item], str]:
    """Return the distinct values in their order, and one character for each of the values."""
    distinct = sorted(set(values), key=key)  # type: ignore[type-var, arg-type] # without a key they are texts or numbers
    codes = {value: code(number) for number, value in enumerate(distinct)}
    return distinct, "".join([codes[value] for value in values])


def column(values: Sequence[str]) -> tuple[str, str]:
    """Return a column of texts as two: its distinct values, and the characters that name them.

    The second one is empty if most values occur once, since then all of them are in the first one, in their order.
    """
    count = len(set(values))
    if count > MOST_CODES or 2 * count > len(values) > 1:
        return joined(values), ""
    distinct, codes = coded(values)
    return joined(distinct), codes


def joined(values: Iterable[str]) -> str:
    """Return values in one text."""
    return BETWEEN_VALUES.join(values)
