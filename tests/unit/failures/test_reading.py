"""What a reader sees first of a failure: its message once, the calls that matter, and all of it as Markdown."""

from time import process_time

import pytest

from pytest_automation_report.failures.reading import (
    Call,
    ReportedFailure,
    code_span,
    failure_markdown,
    folded,
    is_in_package,
    read_failure,
)
from pytest_automation_report.failures.tracebacks import Frame
from pytest_automation_report.failures.values import Comparison, Value

FAILURE = """\
def test_total():
>       assert totals() == expected{message}
E       {error}

tests/test_cart.py:12: AssertionError"""


def failure(error: str, message: str = "") -> str:
    return FAILURE.format(message=message, error=error.replace("\n", "\nE       "))


@pytest.mark.parametrize(
    ("text", "type_name", "said", "details"),
    [
        # The condition stands as it is in the source code, its values in the table alone.
        (failure("assert 2 == 3\n +  where 2 = totals()"), "AssertionError", "assert totals() == expected", ""),
        # The text of the user is the message, the condition stands below.
        (
            failure("AssertionError: the total is wrong\nassert 2 == 3", ', "the total is wrong"'), "AssertionError",
            "the total is wrong", "assert totals() == expected",
        ),
        # Values that cannot be compared stay as pytest wrote them.
        (
            failure("AssertionError: assert <Form at 0x1 ...> == <Form at 0x2 ...>"), "AssertionError",
            "assert totals() == expected", "assert <Form at 0x1 ...> == <Form at 0x2 ...>",
        ),
        (
            "def f():\n>       raise X\nE       shop.NotFound: one\nE         two\n\nshop/cart.py:3: NotFound",
            "shop.NotFound", "one", "  two",
        ),
    ],
    ids=["condition", "message", "no table", "lines"],
)  # fmt: skip
def test_what_an_exception_says(text: str, type_name: str, said: str, details: str) -> None:
    """The first line is what the exception says, the others are its details, without those that a table shows."""
    (shown,) = read_failure(text)
    assert (shown.type_name, shown.said, shown.details) == (type_name, said, details)


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


TEST = Frame("tests/test_cart.py", 10, "test_total")
CART = Frame("shop/cart.py", 20, "total")
JSON = Frame("/usr/lib/python3.11/json/decoder.py", 30, "decode")
PACKAGE = Frame("/shop/.venv/lib/python3.11/site-packages/jinja2/environment.py", 40, "compile")


def titles(frames: list[Frame]) -> list[str]:
    """Return what is shown: functions, with a star for the open one, and titles of folds."""
    return [
        f"{'*' if part.is_open else ''}{part.frame.function}" if isinstance(part, Call) else part.title
        for part in folded(frames)
    ]


WALK, LEAF = Frame("shop/tree.py", 14, "walk"), Frame("shop/tree.py", 12, "walk")
# Python itself left calls of this line out.
LAST = Frame("shop/tree.py", 14, "walk", repeats=57)
PING, PONG = Frame("shop/ping.py", 1, "ping"), Frame("shop/ping.py", 2, "pong")


@pytest.mark.parametrize(
    ("frames", "shown"),
    [
        ([TEST, CART, JSON, PACKAGE], ["2 calls in packages", "*total", "test_total"]),
        ([TEST, JSON, CART], ["*total", "1 call in packages", "test_total"]),
        ([JSON, PACKAGE], ["*compile", "1 call in packages"]),
        ([TEST, *[WALK] * 60, LEAF], ["*walk", "walk", "59 more calls of walk", "test_total"]),
        ([TEST, *[PING, PONG] * 10, LEAF], ["*walk", "pong", "ping", "18 more calls of ping and pong", "test_total"]),
        ([TEST, *[WALK] * 20], ["*walk", "walk", "18 more calls of walk", "test_total"]),
        ([TEST, WALK, WALK, LAST, LEAF], ["*walk", "walk", "59 more calls of walk", "test_total"]),
        ([], []),
    ],
    ids=["packages", "package between", "packages alone", "recursion", "two functions", "endless", "left out", "none"],
)
def test_calls_are_folded(frames: list[Frame], shown: list[str]) -> None:
    """The innermost frame stands first, and the innermost own one is open, never hidden in a count of repetitions.

    Neighbours in packages are one fold, and so are calls that repeat, also those that Python left out.
    """
    assert titles(frames) == shown


@pytest.mark.parametrize(
    ("path", "is_foreign"),
    [
        ("tests/test_cart.py", False), ("/home/anna/shop/cart.py", False), ("../shop/cart.py", False),
        ("lib/python/cart.py", False), ("/usr/lib/python3.11/json/decoder.py", True),
        (".venv/lib/python3.13/site-packages/a.py", True), ("C:\\Python311\\Lib\\json\\decoder.py", True),
        ("<frozen importlib._bootstrap>", True), ("/usr/lib/python3/dist-packages/a.py", True),
    ],
)  # fmt: skip
def test_files_of_packages(path: str, *, is_foreign: bool) -> None:
    """A file is in a package if its path says so, on Linux, macOS and Windows."""
    assert is_in_package(path) == is_foreign


TEXT = """\
def test_total():
        expected = {'total': 3, 'boat': 'Anna'}
>       assert totals() == expected
E       AssertionError: assert {'total': 2, 'boat': 'Anna'} == {'total': 3, 'boat': 'Anna'}

tests/test_cart.py:12: AssertionError"""

EXPECTED = """\
### `tests.test_cart.test_total`

New failure.

At `tests/test_cart.py:12`

**`AssertionError: assert totals() == expected`**

| differs | `totals()` | `expected` |
| --- | --- | --- |
| `['total']` | `2` | `3` |

(1 equal)

`tests/test_cart.py:12` in `test_total`

```python
  def test_total():
      expected = {'total': 3, 'boat': 'Anna'}
> assert totals() == expected
```

Run it again:

```sh
pytest tests/test_cart.py::test_total
```

<https://reports.example/results/7>
""".replace("> assert", ">     assert")


def test_everything_about_a_failure() -> None:
    """The report has the name, what was said, the differing values, the code and the command."""
    failure = ReportedFailure(
        "tests.test_cart.test_total", TEXT, place="tests/test_cart.py:12", sentence="New failure.",
        command="pytest tests/test_cart.py::test_total", url="https://reports.example/results/7",
    )  # fmt: skip
    assert failure_markdown(failure) == EXPECTED


def test_little_is_known() -> None:
    """A failure of another tool has a name and a message."""
    assert failure_markdown(ReportedFailure("t", message="it broke")) == "### `t`\n\n**`it broke`**\n"


def test_hostile_text_stays_text() -> None:
    """Backticks, pipes and markup in values end neither their code nor their cell."""
    comparison = Comparison("==", Value("str", "a`|</td>"), Value("str", "``` b"))
    text = failure_markdown(ReportedFailure("a`b", TEXT, comparison=comparison))
    assert "### ``a`b``" in text
    assert "``'a`\\|</td>'``" in text
    assert "````'``` b'````" in text


@pytest.mark.parametrize(
    ("text", "span"), [("a", "`a`"), ("a\nb", "`a b`"), ("`a`", "`` `a` ``"), ("x``y", "```x``y```")]
)
def test_a_span_is_one_line(text: str, span: str) -> None:
    """A span of code is one line, whatever backticks it has."""
    assert code_span(text) == span
