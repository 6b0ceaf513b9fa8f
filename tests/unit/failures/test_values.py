"""Representations are read into trees of values, and no text can harm the reader; which of their paths differ."""

import threading
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.failures.comparisons import parse_assertion
from pytest_automation_report.failures.differences import MAX_ROWS, differences, mark_differences
from pytest_automation_report.failures.values import Value, python_text, read_comparison, read_value


def value(text: str) -> Value:
    read = read_value(text)
    assert read is not None
    return read


@pytest.mark.parametrize(
    "text",
    [
        "{'a': [1, 2.5, None], 'b': {'c': (1,)}}", "[]", "{}", "()", "{1, 2}", "Boat(name='Anna', length=9.5)",
        "<BookingForm at /book>", "<function f.<locals>.g at 0x7f745aba8b00>",
        "datetime.datetime(2026, 11, 26, 18, 0)", "Decimal('1.10')", "2.1 ± 2.1e-06", "-1", "b'\\x00a'", "nan",
        "'it\\'s'",
    ],
)  # fmt: skip
def test_a_value_is_written_as_it_was_read(text: str) -> None:
    """Reading a representation and writing it again changes nothing but quotes."""
    assert python_text(value(text)) in {text, text.replace("'it\\'s'", '"it\'s"')}


def test_the_parts_of_a_value() -> None:
    """Dicts have entries, sequences items, objects fields; strings have their own characters."""
    tags = Value("list", items=(Value("str", "a"), Value("int", "1")))
    boat = Value("Boat", fields=(("name", Value("str", "Anna")), ("tags", tags)))
    assert value("{'boat': Boat(name='Anna', tags=['a', 1])}") == Value("dict", entries=((Value("str", "boat"), boat),))
    assert value("('one '\n 'two')") == Value("str", "one two")  # as pprint breaks a long string


@pytest.mark.parametrize(
    "text",
    [
        "[0, 1, ...]", "{'berth': {'e...: 'Anna', ...}", "[1, 2", "1]", "", "{1: 2, 3}", "'a' b'c'", "[1 ...]",
        "[" * 30_000, "(-" * 20_000, "'" * 30_001, "\\'" * 9_000, "<a" * 20_000, "{" + "'a': " * 10_000, "1" * 70_000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_what_is_no_whole_value_is_none(text: str) -> None:
    """A text that is cut, nested too deeply or too long is None, and raises nothing."""
    assert read_value(text) is None


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("[1, 2] == [1, 3]", ("[1, 2]", "==", "[1, 3]")), ("(0.1 + 0.2) == 0.3", ("0.1 + 0.2", "==", "0.3")),
        ("'a == b' != 'c'", ("'a == b'", "!=", "'c'")), ("3 not in {1: 'x'}", ("3", "not in", "{1: 'x'}")),
        ("None is not None", ("None", "is not", "None")),
        ("<Color.RED: 1> == <Color.BLUE: 2>", ("<Color.RED: 1>", "==", "<Color.BLUE: 2>")), ("1 < 0", ("1", "<", "0")),
    ],
)  # fmt: skip
def test_a_comparison_has_two_sides(text: str, sides: tuple[str, str, str]) -> None:
    """The operator is the first one outside of brackets and strings."""
    found = read_comparison(text)
    assert found is not None
    assert (python_text(found.left), found.operator, python_text(found.right)) == sides


@pytest.mark.parametrize(
    "text", ["'the quick br...lazy dog' == 'x'", "f(1)", "[1, ...] == [1]", "1 ==", "(1 and 0 == 2)"]
)
def test_what_is_no_whole_comparison_is_none(text: str) -> None:
    """A comparison with a shortened side is not shown as if it were whole."""
    assert read_comparison(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value("list", items=(Value("int", "1"),), start=3, size=9), "[…, 1, …]"),
        (Value("list", items=(Value("int", "1"),), start=8, size=9), "[…, 1]"),
        (Value("dict", entries=((Value("str", "a"), Value("int", "1")),), size=9), "{'a': 1, …}"),
        (Value("str", "ab", size=9), "'ab'…"),
        (Value("Foo"), "<Foo>"),
    ],
)
def test_left_out_parts_are_marked(value: Value, text: str) -> None:
    """Parts that the client left out are seen."""
    assert python_text(value) == text


def test_a_long_value_is_cut() -> None:
    """A value is written up to a limit, and its end is marked."""
    text = python_text(Value("list", items=tuple(Value("int", str(number)) for number in range(10_000))), 50)
    assert text.endswith("…")
    assert len(text) == 51


LINKS = (".a", "()", "[0]", ".a()", "+a", "-a", "**a", "<a", " or a", " if a else a", "(a", "[a", "{a:", "=a")
STARTS = ("-", "~", "- ", "not ", "not\n", "lambda:", "await ", "f'", "(not ", "a(", "a is not ")


def test_no_text_overflows_the_stack() -> None:
    """A chain of thousands of links ends no process, also in a thread with 1 MB, as Python has it on Alpine Linux."""
    texts = ["f'{a" + ".a" * 4_300 + "}'"]
    for count in (4_300, 20_000):
        texts += [("a" + link * count)[:20_000] for link in (*LINKS, ">.a")]
        texts += [(start * count)[: 20_000 - 1] + "a" for start in STARTS]
        texts += ["<a>" + ".a" * (count // 3), "1" + ".a" * (count // 3)]
    read = 0

    def read_all() -> None:
        nonlocal read
        for text in texts:
            read_value(text)
            read_comparison(text)
            parse_assertion(f"assert {text}")
            read += 1

    before = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=read_all)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert read == len(texts)


MISSING = "-"

TABLE = [
    ("{'a': {'b': 1}, 'c': 2}", "{'a': {'b': 3}, 'c': 2}", [("['a']['b']", "1", "3")], 1),
    ("{'a': 1}", "{'b': 1}", [("['a']", "1", MISSING), ("['b']", MISSING, "1")], 0),
    ("[1, 2, 3]", "[1, 9, 3]", [("[1]", "2", "9")], 2), ("[1, 2, 3]", "[1, 3]", [("[1]", "2", MISSING)], 2),
    ("[1, 3]", "[1, 2, 3]", [("[1]", MISSING, "2")], 2), ("(1,)", "[1]", [("", "(1,)", "[1]")], 1),
    ("{1, 2}", "{2, 3}", [("{…}", "1", MISSING), ("{…}", MISSING, "3")], 1),
    ("Boat(name='a', n=1)", "Boat(name='b', n=1)", [(".name", "'a'", "'b'")], 1),
    ("Boat(n=1)", "Ship(n=1)", [("", "Boat(n=1)", "Ship(n=1)")], 0),
    ("'a\\nb'", "'a\\nc'", [("line 2", "'b'", "'c'")], 1), ("1", "1.0", [], 1), ("True", "1", [], 1),
    ("9007199254740993", "9007199254740992", [("", "9007199254740993", "9007199254740992")], 0),
    ("1e999999999", "1e99999999999", [("", "1e999999999", "1e99999999999")], 0), ("'1'", "1", [("", "'1'", "1")], 0),
    ("{'a': [{'b': 'x'}]}", "{'a': [{'b': 'y'}]}", [("['a'][0]['b']", "'x'", "'y'")], 0),
    ("[]", "{}", [("", "[]", "{}")], 0),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "rows", "equal_count"), TABLE)
def test_paths_that_differ(left: str, right: str, rows: list[tuple[str, str, str]], equal_count: int) -> None:
    """Each differing path is one row, with `-` here for a side that has no such part; equal parts are counted."""
    found = differences(value(left), value(right))
    shown = [
        (row.path, *(MISSING if side is None else python_text(side) for side in (row.left, row.right)))
        for row in found.rows
    ]
    assert shown == rows
    assert found.equal_count == equal_count
    assert found.is_complete


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.text(st.characters(codec="ascii", categories=["L", "P"]), max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, json_values)
def test_values_differ_if_python_says_so(left: object, right: object) -> None:
    """There is a row exactly if the values are not equal, and no row for equal values."""
    assert bool(differences(value(repr(left)), value(repr(right))).rows) == (left != right)


ONE, TWO, THREE = (Value("int", number) for number in "123")


def dictionary(size: int | None = None, **entries: Value) -> Value:
    """Return a dict of which ``size`` parts exist, if that is more than those that are there."""
    return Value("dict", entries=tuple((Value("str", key), entry) for key, entry in entries.items()), size=size)


@pytest.mark.parametrize(
    ("left", "right", "completeness"),
    [
        (Value("list", items=(ONE, TWO), size=9, start=7), Value("list", items=(ONE,), size=8, start=7), "all"),
        (Value("list", items=(ONE, TWO), size=9, start=7), Value("list", items=(ONE,), size=9, start=7), "some"),
        (Value("list", items=(ONE, TWO), size=9, start=7), Value("list", items=(ONE,), size=7, start=6), "some"),
        (Value("str", "ab", size=9, start=7), Value("str", "ac", size=9, start=7), "all"),
        (Value("str", "ab", size=12, start=7), Value("str", "ac", size=9, start=7), "some"),
        (Value("set", items=(ONE,)), Value("set", items=(TWO,)), "all"),
        (Value("set", items=(ONE,), size=2), Value("set", items=(TWO,)), "some"),
        (dictionary(2, a=ONE), dictionary(2, a=TWO), "some"),
    ],
)
def test_the_result_says_whether_there_may_be_more(left: Value, right: Value, completeness: str) -> None:
    """What stands before a common start of two lists or texts is equal; other parts that are missing may differ."""
    assert differences(left, right).is_complete == (completeness == "all")


@pytest.mark.parametrize(
    ("left", "right", "rows", "equal_count"),
    [
        (
            Value("list", items=(ONE, TWO), size=900, start=12),
            Value("list", items=(ONE, THREE), size=900, start=12),
            ["[13]"],
            1,
        ),
        (Value("list", items=(ONE, TWO), size=9), Value("list", items=(ONE,), size=9), [], 1),
        (Value("list", items=(ONE, TWO), size=9), Value("list", items=(ONE,), size=1), ["[1]"], 1),
        (dictionary(a=ONE, b=ONE), dictionary(9, a=TWO), ["['a']", "['b']"], 0),
        (Value("set", items=(ONE, TWO)), Value("set", items=(ONE,), size=9), ["{…}"], 1),
        (Value("Foo"), Value("Foo"), [], 0),
        (dictionary(a=Value("Foo"), b=ONE), dictionary(a=Value("Foo"), b=ONE), [], 1),
    ],
    ids=["start", "items", "longer", "entries", "sets", "unknown", "unknown-inside"],
)
def test_left_out_parts_are_no_differences(left: Value, right: Value, rows: list[str], equal_count: int) -> None:
    """Items that the client left out are not known to differ; of dicts and sets it leaves out only equal parts."""
    found = differences(left, right)
    assert [row.path for row in found.rows] == rows
    assert found.equal_count == equal_count
    assert not found.is_complete


def test_many_differences_are_counted() -> None:
    """The rows have a limit, and the others are counted."""
    left = Value("list", items=tuple(Value("int", "1") for _ in range(1000)))
    right = Value("list", items=tuple(Value("int", "2") for _ in range(1000)))
    found = differences(left, right)
    assert (len(found.rows), found.more) == (MAX_ROWS, 1000 - MAX_ROWS)


ALIKE = st.text(max_size=600) | st.text("01", max_size=12)
"""Texts of any characters, and short ones that have much in common."""


@pytest.mark.parametrize(
    ("left", "right", "shown"),
    [
        ("'121.00 EUR'", "'127.10 EUR'", ("'12[1.0]0 EUR'", "'12[7.1]0 EUR'")), ("34.1", "37.2", ("[34.1]", "[37.2]")),
        ("the lazy dog", "the crazy dog", ("the [l]azy dog", "the [cr]azy dog")), ("same", "same", ("same", "same")),
        ("", "x", ("", "[x]")), ("100", "1000", ("100", "100[0]")), ("ab", "aab", ("ab", "[a]ab")),
        ("Straße", "Strasse", ("Stra[ß]e", "Stra[ss]e")),
    ],
)  # fmt: skip
def test_differing_characters_are_marked(left: str, right: str, shown: tuple[str, str]) -> None:
    """Characters in brackets are those that differ; texts with little in common are marked as a whole."""
    sides = mark_differences(left, right)
    assert tuple("".join(f"[{text}]" if is_marked else text for text, is_marked in side) for side in sides) == shown


@given(ALIKE, ALIKE)
def test_marking_loses_no_character(left: str, right: str) -> None:
    """The pieces of a text are the text, whatever its sides have in common."""
    assert tuple("".join(text for text, _ in side) for side in mark_differences(left, right)) == (left, right)


def test_hostile_values_cost_little() -> None:
    """Long and alike values, which cost most to align and to mark, take bounded time."""
    started = process_time()
    for left, right in (("ab" * 10_000, "ba" * 10_000), ("ab" * 200, "ba" * 200)):
        mark_differences(left, right)
    lines = [Value("str", "\n".join("ab"[(number + shift) % 2] for number in range(20_000))) for shift in (0, 1)]
    differences(*lines)
    # Measured: 0.1 s; without the limits minutes.
    assert process_time() - started < 20


def test_parts_of_lists_that_are_far_apart() -> None:
    """Only what was sent of two lists is looked at, wherever a client says that it stands."""
    left = Value("list", items=(Value("int", "1"),))
    right = Value("list", items=(Value("int", "2"),), start=2**62)
    assert [row.path for row in differences(left, right).rows] == ["[0]", f"[{2**62}]"]
