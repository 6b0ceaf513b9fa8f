"""What a reader sees first of a failure: its message once, and the calls that matter."""

from time import process_time

import pytest

from pytest_automation_report.failures.reading import read_failure
from pytest_automation_report.failures.values import Comparison, Value
from unit.failures.raised import STYLES, chained, written

FAILURE = """\
def test_total():
>       assert totals() == expected{message}
E       {error}

tests/test_cart.py:12: AssertionError"""


def failure(error: str, message: str = "") -> str:
    """Return the text of a failed assertion."""
    return FAILURE.format(message=message, error=error.replace("\n", "\nE       "))


@pytest.mark.parametrize(
    ("text", "type_name", "said", "details"),
    [
        # The condition stands as it is in the source code, its values in the table alone.
        (failure("assert 2 == 3\n +  where 2 = totals()"), "AssertionError", "assert totals() == expected", ""),
        # The text of the user is the message, the condition stands below.
        (
            failure("AssertionError: the total is wrong\nassert 2 == 3", ', "the total is wrong"'),
            "AssertionError",
            "the total is wrong",
            "assert totals() == expected",
        ),
        # Values that cannot be compared stay as pytest wrote them.
        (
            failure("AssertionError: assert <Form at 0x1 ...> == <Form at 0x2 ...>"),
            "AssertionError",
            "assert totals() == expected",
            "assert <Form at 0x1 ...> == <Form at 0x2 ...>",
        ),
        (
            "def f():\n>       raise X\nE       shop.NotFound: one\nE         two\n\nshop/cart.py:3: NotFound",
            "shop.NotFound",
            "one",
            "  two",
        ),
    ],
    ids=["condition", "message", "no table", "lines"],
)
def test_what_an_exception_says(text: str, type_name: str, said: str, details: str) -> None:
    """The first line is what the exception says, the others are its details, without those that a table shows."""
    (shown,) = read_failure(text)
    assert (shown.type_name, shown.said, shown.details) == (type_name, said, details)


@pytest.mark.parametrize("style", STYLES)
def test_the_cause_of_a_failure(style: str) -> None:
    """The failure comes first, then the exception that it was raised from, each with its own open call."""
    shown = read_failure(written(chained, style))
    assert [exception.link for exception in shown] == ["", "cause"]
    assert shown[0].said == "not a booking: '{nonsense'"
    assert all(sum(getattr(call, "is_open", False) for call in exception.calls) == 1 for exception in shown)


def test_a_text_without_exceptions() -> None:
    """A failure without a traceback has its message and nothing else."""
    (shown,) = read_failure("anything\nelse", "Failed: explicitly", "Failed")
    assert (shown.type_name, shown.said, shown.calls) == ("Failed", "explicitly", ())
    (shown,) = read_failure("anything\nelse")
    assert (shown.said, shown.details) == ("anything", "else")


@pytest.mark.parametrize(
    "text",
    [
        failure("assert x\n  \n  " + "{} != {" * 8_000),
        failure("assert x\n  \n  Drill down into differing attribute a:\n  a: " + " != " * 20_000),
        failure("assert x\n  \n  Index | Obtained | Expected\n  a" + " " * 60_000 + "b"),
        failure("assert x\n  \n" + "  Left contains 2 more items:\n  {'a': {}}, {\n  {}\n" * 2_000),
        ">   assert (\n" + "    (\n" * 8_000 + "E   assert 1 == 2\n\na.py:3: AssertionError",
        failure("assert '" + "ab" * 15_000 + "' == '" + "ba" * 15_000 + "'"),
        failure("assert [" + "[" * 15_000 + "] == []"),
        "_ " * 100_000 + "\n" + "E " * 100_000,
        "a.py:1: in f\n    x\n" * 9_000 + "E   KeyError",
        "E   " + "x" * 300_000 + ": y",
    ],
    ids=["items", "attributes", "approx", "more", "statement", "alike", "nested", "rules", "frames", "long"],
)
def test_hostile_texts_cost_little(text: str) -> None:
    """A text that was made to cost much is read in bounded time, and nothing is raised."""
    started = process_time()
    assert read_failure(text)
    # Measured: less than 0.4 s each.
    assert process_time() - started < 20


def test_values_of_the_client_win() -> None:
    """The values that the client sent are compared, and not the text that pytest shortened."""
    comparison = Comparison("==", Value("int", "20"), Value("int", "30"))
    (shown,) = read_failure(failure("assert 2 == 3"), comparison=comparison)
    assert shown.table is not None
    left = shown.table.rows[0].left
    assert left is not None
    assert left[0][0] == "20"
