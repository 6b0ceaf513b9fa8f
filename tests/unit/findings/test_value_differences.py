"""The sides of failed comparisons: which parts differ, by which path, and how a value is shown."""

from __future__ import annotations

import pytest

from pytest_automation_report.findings.value_differences import MAX_ROWS, Value, differences, shown


def _number(value: float) -> Value:
    return Value(type(value).__name__, repr(value))


def _text(value: str) -> Value:
    return Value("str", value)


def _list(*values: Value, size: int | None = None, start: int = 0, kind: str = "list") -> Value:
    return Value(kind, items=values, size=size, start=start)


def _dict(size: int | None = None, **values: Value) -> Value:
    return Value("dict", entries=tuple((_text(key), value) for key, value in values.items()), size=size)


def _point(x: int, y: int) -> Value:
    return Value("Point", fields=(("x", _number(x)), ("y", _number(y))))


ONE, TWO, THREE = map(_number, (1, 2, 3))
ROWS = [
    pytest.param(ONE, TWO, [("", "1", "2")], 0, "complete", id="numbers"),
    pytest.param(_text("a"), _text("b"), [("", "'a'", "'b'")], 0, "complete", id="texts"),
    pytest.param(_list(ONE, TWO), _list(ONE, THREE), [("[1]", "2", "3")], 1, "complete", id="items"),
    pytest.param(_list(ONE), _list(ONE, TWO), [("[1]", None, "2")], 1, "complete", id="one item more"),
    pytest.param(
        _list(ONE, TWO, size=9), _list(ONE, size=9), [], 1, "partial", id="an item that the other side left out"
    ),
    pytest.param(
        _dict(a=ONE, b=_dict(c=TWO)), _dict(a=ONE, b=_dict(c=THREE), d=ONE),
        [("['b']['c']", "2", "3"), ("['d']", None, "1")], 1, "complete", id="entries within entries",
    ),
    pytest.param(_dict(a=ONE, b=ONE), _dict(9, a=TWO), [("['a']", "1", "2")], 0, "partial", id="entries left out"),
    pytest.param(_point(1, 2), _point(1, 3), [(".y", "2", "3")], 1, "complete", id="fields"),
    pytest.param(
        _list(ONE, TWO, kind="set"), _list(TWO, THREE, kind="set"), [("", "1", None), ("", None, "3")], 1, "complete",
        id="sets",
    ),
    pytest.param(_list(ONE), _list(ONE, kind="tuple"), [], 1, "complete", id="two classes of items"),
    pytest.param(_list(ONE), _dict(a=ONE), [("", "[1]", "{'a': 1}")], 0, "complete", id="two kinds"),
    pytest.param(Value("Foo"), Value("Foo"), [], 0, "partial", id="objects of an unknown class"),
    pytest.param(Value("Foo"), ONE, [("", "<Foo>", "1")], 0, "complete", id="an object and a number"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "rows", "equal_count", "completeness"), ROWS)
def test_the_parts_that_differ_have_paths(
    left: Value, right: Value, rows: list[tuple[str, str | None, str | None]], equal_count: int, completeness: str
) -> None:
    """Each part that differs has its path and both values; equal parts are counted, unknown ones are not."""
    result = differences(left, right)
    assert [(row.path, row.left and shown(row.left), row.right and shown(row.right)) for row in result.rows] == rows
    assert (result.equal_count, result.is_complete) == (equal_count, completeness == "complete")


def test_the_number_of_differences_is_bounded() -> None:
    """Of very many differences the first are shown, and the result says that there are more."""
    left = _list(*map(_number, range(MAX_ROWS + 1)))
    right = _list(*map(_number, range(-MAX_ROWS - 1, 0)))
    result = differences(left, right)
    assert len(result.rows) == MAX_ROWS
    assert not result.is_complete


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (_list(ONE, kind="tuple"), "(1,)"),
        (_list(ONE, TWO, kind="tuple"), "(1, 2)"),
        (_list(ONE, kind="set"), "{1}"),
        (_list(kind="set"), "set()"),
        (_list(ONE, kind="frozenset"), "frozenset([1])"),
        (_list(kind="frozenset"), "frozenset()"),
        (_list(ONE, start=3, size=9), "[..., 1, ...]"),
        (_list(ONE, start=8, size=9), "[..., 1]"),
        (_dict(9, a=ONE), "{'a': 1, ...}"),
        (Value("OrderedDict", entries=()), "OrderedDict({})"),
        (_point(1, 2), "Point(x=1, y=2)"),
        (Value("str", "ab", size=9), "'ab'..."),
        (Value("bytes", "b'a'"), "b'a'"),
        (_text("n" * 300), "'" + "n" * 196 + "..."),
    ],
)
def test_a_value_is_shown_as_python_writes_it(value: Value, text: str) -> None:
    """Values are shown in one line, as their representation; parts that were left out are dots."""
    assert shown(value) == text
