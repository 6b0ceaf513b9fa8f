"""The table of a failed assertion: titles from its source code, rows from the text that pytest wrote."""

import pytest

from pytest_automation_report.failures.comparisons import (
    Assertion,
    Table,
    parse_assertion,
    table_from_text,
    table_from_values,
)
from pytest_automation_report.failures.values import Comparison, Value

EQUAL = Assertion("totals() == expected", "totals()", "==", "expected")

DICTS = """\
assert {'berth': {'e...: 'Anna', ...} == {'berth': {'e...: 'Anna', ...}

  Omitting 4 identical items, use -vv to show
  Differing items:
  {'discounts': [{'percent': 10}]} != {'discounts': []}
  {'total': '121.00 EUR'} != {'total': '127.10 EUR'}
  Left contains 1 more item:
  {'boat': 'Anna'}
  Use -v to get more diff"""

FULL_DIFF = """\
assert {'a': 1, 'b': ...} == {'a': 1, 'b': ...}

  Common items:
  {'a': 1}
  Differing items:
  {'b': 2} != {'b': 3}

  Full diff:
    {
        'a': 1,
  -     'b': 3,
  ?          ^
  +     'b': 2,
  ?          ^
    }"""

LINES = """\
assert 'the quick br...he lazy dog\\n' == 'the quick br...he lazy dog\\n'

    the quick brown fox
  - jumps over
  + jumped over
    the lazy dog"""

SEQUENCE = """\
assert [0, 1, 2, ...] == [0, 1, 2, ...]

  At index 50 diff: {'a': 1} != {'a': 2}
  Left contains 2 more items, first extra item: 8
  Use -v to get more diff"""

SETS = """\
assert {1, 2, ...} == {2, 4, ...}

  Extra items in the left set:
  1
  Extra items in the right set:
  4
  Use -v to get more diff"""

DATACLASSES = """\
assert Boat(name='An...) == Boat(name='An...)

  Omitting 1 identical items, use -vv to show
  Differing attributes:
  ['engine', 'length']

  Drill down into differing attribute engine:
    engine: Engine(power=1... != Engine(power=2...

    Drill down into differing attribute power:
      power: 10 != 20

  Drill down into differing attribute length:
    length: 9.5 != 9.0"""

APPROX = """\
assert {'a': 1.0, 'b': 2.0} == approx({'a': ....1 ± 2.1e-06})

  comparison failed. Mismatched elements: 1 / 2:
  Index | Obtained | Expected
  b     | 2.0      | 2.1 ± 2.1e-06"""

TRUNCATED = """\
assert 'aaa' == 'a...b'

  - one
  + two

  ...Full output truncated (3 lines hidden), use '-vv' to show"""


def shown(table: Table | None) -> list[tuple[str, str, str]]:
    """Return the rows of a table, with marked pieces in brackets and `-` for a missing side."""
    assert table is not None
    return [(row.path, shown_side(row.left), shown_side(row.right)) for row in table.rows]


def shown_side(side: tuple[tuple[str, bool], ...] | None) -> str:
    if side is None:
        return "-"
    return "".join(f"[{text}]" if is_marked else text for text, is_marked in side)


@pytest.mark.parametrize(
    ("message", "rows", "equal_count"),
    [
        ("assert [1, 2] == [1, 3]", [("[1]", "[2]", "[3]")], 1),
        ("the total is wrong\nassert 2 == 3\n +  where 2 = totals()", [("", "[2]", "[3]")], 0),
        (
            DICTS,
            [
                ("['discounts'][0]", "[{'percent': 10}]", "-"),
                ("['total']", "'12[1.0]0 EUR'", "'12[7.1]0 EUR'"),
                ("['boat']", "['Anna']", "-"),
            ],
            4,
        ),
        (FULL_DIFF, [("['b']", "[2]", "[3]")], 1),
        (LINES, [("line 2", "'jump[ed] over'", "'jump[s] over'")], 2),
        (SEQUENCE, [("[50]['a']", "[1]", "[2]"), ("more items", "[8]", "-")], 0),
        (SETS, [("{…}", "[1]", "-"), ("{…}", "-", "[4]")], 0),
        (DATACLASSES, [(".engine.power", "[10]", "[20]"), (".length", "[9.5]", "[9.0]")], 1),
        (APPROX, [("[b]", "[2.0]", "[2.1 ± 2.1e-06]")], 0),
        ("{'a': 1} != {'a': 2}\n- {'a': 1}\n?       ^\n\n+ {'a': 2}\n?       ^", [("['a']", "[1]", "[2]")], 0),
    ],
    ids=["short", "message", "dicts", "full-diff", "lines", "sequence", "sets", "dataclasses", "approx", "unittest"],
)
def test_rows_from_the_text(message: str, rows: list[tuple[str, str, str]], equal_count: int) -> None:
    """Every form in which pytest and unittest show differences becomes rows of paths."""
    table = table_from_text(message, EQUAL)
    assert shown(table) == rows
    assert table is not None
    assert (table.left_title, table.right_title, table.equal_count) == ("totals()", "expected", equal_count)


@pytest.mark.parametrize("message", [SEQUENCE, TRUNCATED], ids=["first-difference", "truncated"])
def test_a_table_that_lacks_something_says_so(message: str) -> None:
    """If pytest left differences out the table is not complete."""
    table = table_from_text(message, EQUAL)
    assert table is not None
    assert not table.is_complete


def test_parts_of_texts_are_no_lines() -> None:
    """A difference that pytest cuts at its end may begin after equal characters: nothing says where a part stands."""
    assert shown(table_from_text(TRUNCATED.replace("- one\n  + two", "  a\n  - one\n  + two"), EQUAL)) == [
        ("", "'[two]'", "'[one]'")
    ]


@pytest.mark.parametrize(
    "message",
    [
        # The left side was cut off: it is no empty text.
        "assert 'xxx...xxx' == 'yyy...yyy'\n\n  - yyyyyyyyy\n\n  ...Full output truncated, use '-vv' to show",
        "assert None\n +  where None = get('nothing')\n +    where get = boats.get",
        "assert [0, 1, ...] == [0, 1, ...]", "division by zero", "", "assert (1 and 0 == 2)",
    ],
)  # fmt: skip
def test_no_table_without_values(message: str) -> None:
    """A message that shows no whole values has no table."""
    assert table_from_text(message, None) is None


def test_other_operators_show_both_values() -> None:
    """A comparison that is none of equality has one row with both values, and nothing is marked."""
    table = table_from_text("assert 'harbour' in ['berth', 'boat']", Assertion("a in b", "a", "in", "b"))
    assert shown(table) == [("", "'harbour'", "['berth', 'boat']")]
    assert table is not None
    assert table.operator == "in"


def test_values_of_the_client_come_whole() -> None:
    """Values that the client sent become the same table, whatever pytest left out of its text."""
    left, right = (Value("dict", entries=((Value("str", "a"), Value("int", number)),)) for number in ("1", "2"))
    assert shown(table_from_values(Comparison("==", left, right), None)) == [("['a']", "[1]", "[2]")]


@pytest.mark.parametrize(
    ("statement", "assertion"),
    [
        ("assert totals() == expected", EQUAL),
        (
            "        assert (\n            totals()\n            == expected\n        )\n",
            Assertion("totals() == expected", "totals()", "==", "expected"),
        ),
        ('assert a is not None, "no boat"', Assertion("a is not None", "a", "is not", "None")),
        ("assert a and b == 2", Assertion("a and b == 2")),
        ("assert 1 < a < 3", Assertion("1 < a < 3")),
        ("assert(a == b)\n    other = 3", Assertion("a == b", "a", "==", "b")),
        (
            "self.assertEqual(first, second, 'text')",
            Assertion("self.assertEqual(first, second, 'text')", "first", "==", "second"),
        ),
        ("self.assertNotEqual(first, second)", None),
        ("raise ValueError('assert')", None),
        ("assert (", None),
        ("assert " + "(" * 5_000, None),
        ("assert " + "-" * 4_500 + "a", None),
        ("", None),
    ],
)
def test_the_assertion_of_a_statement(statement: str, assertion: Assertion | None) -> None:
    """The compared expressions are those of the source code, in one line each; no code is run."""
    assert parse_assertion(statement) == assertion
