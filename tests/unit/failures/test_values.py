"""Representations are read into trees of values, and no text can harm the reader."""

import threading

import pytest

from pytest_automation_report.failures.comparisons import assertion_of
from pytest_automation_report.failures.values import Value, read_comparison, read_value, text_of


@pytest.mark.parametrize(
    "text",
    [
        "{'a': [1, 2.5, None], 'b': {'c': (1,)}}",
        "[]",
        "{}",
        "()",
        "{1, 2}",
        "Boat(name='Anna', length=9.5)",
        "<BookingForm at /book>",
        "<function f.<locals>.g at 0x7f745aba8b00>",
        "datetime.datetime(2026, 11, 26, 18, 0)",
        "Decimal('1.10')",
        "2.1 ± 2.1e-06",
        "-1",
        "b'\\x00a'",
        "nan",
        "'it\\'s'",
    ],
)
def test_a_value_is_written_as_it_was_read(text: str) -> None:
    """Reading a representation and writing it again changes nothing but quotes."""
    value = read_value(text)
    assert value is not None
    assert text_of(value) in {text, text.replace("'it\\'s'", '"it\'s"')}


def test_the_parts_of_a_value() -> None:
    """Dicts have entries, sequences items, objects fields; strings have their own characters."""
    value = read_value("{'boat': Boat(name='Anna', tags=['a', 1])}")
    assert value is not None
    assert value.entries is not None
    ((key, boat),) = value.entries
    assert (key.type, key.text) == ("str", "boat")
    assert boat.type == "Boat"
    assert boat.fields is not None
    assert [name for name, _ in boat.fields] == ["name", "tags"]
    assert boat.fields[1][1].items == (Value("str", "a"), Value("int", "1"))


def test_strings_that_pprint_broke_are_one() -> None:
    """A long string that `pprint` wrote in several lines is one value."""
    assert read_value("('one '\n 'two')") == Value("str", "one two")


@pytest.mark.parametrize(
    "text",
    [
        "[0, 1, ...]",
        "{'berth': {'e...: 'Anna', ...}",
        "[1, 2",
        "1]",
        "",
        "{1: 2, 3}",
        "'a' b'c'",
        "[1 ...]",
        "[" * 30_000,
        "(-" * 20_000,
        "'" * 30_001,
        "\\'" * 9_000,
        "<a" * 20_000,
        "{" + "'a': " * 10_000,
        "1" * 70_000,
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_whole_value_is_none(text: str) -> None:
    """A text that is cut, nested too deeply or too long is None, and raises nothing."""
    assert read_value(text) is None


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("[1, 2] == [1, 3]", ("[1, 2]", "==", "[1, 3]")),
        ("(0.1 + 0.2) == 0.3", ("0.1 + 0.2", "==", "0.3")),
        ("'a == b' != 'c'", ("'a == b'", "!=", "'c'")),
        ("3 not in {1: 'x'}", ("3", "not in", "{1: 'x'}")),
        ("None is not None", ("None", "is not", "None")),
        ("<Color.RED: 1> == <Color.BLUE: 2>", ("<Color.RED: 1>", "==", "<Color.BLUE: 2>")),
        ("1 < 0", ("1", "<", "0")),
    ],
)
def test_a_comparison_has_two_sides(text: str, sides: tuple[str, str, str]) -> None:
    """The operator is the first one outside of brackets and strings."""
    found = read_comparison(text)
    assert found is not None
    assert (text_of(found.left), found.operator, text_of(found.right)) == sides


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
    assert text_of(value) == text


def test_a_long_value_is_cut() -> None:
    """A value is written up to a limit, and its end is marked."""
    text = text_of(Value("list", items=tuple(Value("int", str(number)) for number in range(10_000))), 50)
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
            assertion_of(f"assert {text}")
            read += 1

    before = threading.stack_size(1 << 20)
    try:
        thread = threading.Thread(target=read_all)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert read == len(texts)
