"""Columns of a report: distinct values, and characters that name them."""

from __future__ import annotations

import pytest

from pytest_automation_report.server.pages.report.columns import MOST_CODES, code, coded, column

FIRST = 0x20


def decoded(values: str, codes: str) -> list[str]:
    """Return the values of a column, as the script reads them."""
    texts = values.split("\x1f")
    return [texts[ord(each) - FIRST if ord(each) < 0xE000 else ord(each) - 0x820] for each in codes] if codes else texts


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", "b", "b", "a"],
        ["one"],
        ["", "", ""],
        ["a", "b", "c"],
        [f"{number // 2:05}" for number in range(2 * 60_000)],
        [f"{number // 3}" for number in range(3 * (MOST_CODES + 1))],
    ],
    ids=["some", "one", "empty", "different", "many", "too many for characters"],
)
def test_a_column_is_read_again(values: list[str]) -> None:
    """A column has its values in their order, by characters or directly if most of them are different."""
    assert decoded(*column(values)) == values


def test_characters_can_be_written() -> None:
    """No character is a control character, which separates columns, or half of a pair, which UTF-8 does not have."""
    text = "".join(map(code, (0, 1, 55_263, 55_264, MOST_CODES - 1)))
    assert text.encode().decode() == text
    assert min(map(ord, text)) == FIRST
    assert len(text.encode("utf-16-le")) == 2 * len(text)


def test_values_have_an_order() -> None:
    """Values are sorted, by a key if there is one, so that the same tests have the same column."""
    assert coded([3, 1, 2, 3]) == ([1, 2, 3], '" !"')
    assert coded([3, 1, 2, 3], key=lambda value: -value) == ([3, 2, 1], ' "! ')
