"""Failures as pytest writes them are read and told."""

from time import process_time

import pytest

from pytest_automation_report.failures.frames import Call, fold_frames, is_in_package
from pytest_automation_report.failures.markdown import ReportedFailure, failure_markdown
from pytest_automation_report.failures.reading import read_failure
from pytest_automation_report.failures.tracebacks import Frame, Raised, exception_parts, parse_traceback
from pytest_automation_report.failures.values import Comparison, Value
from unit.failures.raised import STYLES, chained, deep, divided, handled, written

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
    (shown,) = read_failure("    cart_test.go:27: 249\n    cart_test.go:28: 0", "Failed")
    assert (shown.said, shown.details) == ("cart_test.go:27: 249", "    cart_test.go:28: 0")
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
        for part in fold_frames(frames)
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


ASSERTION = """\
def test_total():
        expected = 3
>       assert (
            totals()
            == expected
        )
E       AssertionError: the total is wrong
E       assert 2 == 3
E        +  where 2 = totals()

expected   = 3
boat       = Boat(
  name='Anna',
)

tests/test_cart.py:12: AssertionError"""

LINE = """\
E   AssertionError: assert 2 == 3
      .
      first
        second""".replace("      .", "      ")

NO_MODULE = """\
ImportError while importing test module '/shop/tests/test_cart.py'.
Hint: make sure your test modules/packages have valid Python names.
Traceback:
tests/test_cart.py:2: in <module>
    import shop
E   ModuleNotFoundError: No module named 'shop'"""

NO_FIXTURE = """\
file /shop/test_cart.py, line 81
  def test_cart(boat):
E       fixture 'boat' not found
>       available fixtures: cache, capfd
>       use 'pytest --fixtures [testpath]' for help on them.

/shop/test_cart.py:81"""

GROUP = """\
+ Exception Group Traceback (most recent call last):
  |   File "/shop/test_cart.py", line 113, in test_group
  |     raise ExceptionGroup("several", [ValueError("one")])
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: one
    +------------------------------------"""

REPEATED = """\
Traceback (most recent call last):
  File "/shop/tree.py", line 14, in walk
    return walk(node)
           ^^^^^^^^^^
  [Previous line repeated 57 more times]
KeyError: 'leaf'"""

CUT = """\
    def test_a():
>       walk()

tests/test_a.py:3:.
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
shop/tree.py:14: in walk
... 20,113 characters cut ...
shop/tree.py:18: in leaf
    return {}["leaf"]
E   KeyError: 'leaf'""".replace(":3:.", ":3: ")


SYNTAX = """\
../venv/lib/python3.11/site-packages/_pytest/python.py:528: in importtestmodule
    mod = import_path(
/usr/lib/python3.11/ast.py:50: in parse
    return compile(source, filename, mode, flags,
E     File "/home/me/shop/tests/test_cart.py", line 157
E       def broken(:
E                  ^
E   SyntaxError: invalid syntax"""


def parts(raised: Raised) -> tuple[str, str]:
    return exception_parts("\n".join(raised.lines))


def test_a_syntax_error_is_where_the_code_is_wrong() -> None:
    """Its file and line are the innermost frame, with the line of code and the caret below it."""
    (raised,) = parse_traceback(SYNTAX, "tests/test_cart.py")
    frame = raised.frames[-1]
    assert parts(raised) == ("SyntaxError", "invalid syntax")
    assert (frame.path, frame.line, [line.text for line in frame.code]) == (
        "tests/test_cart.py", 157, ["def broken(:", "           ^"],
    )  # fmt: skip
    assert [line.is_hit for line in frame.code] == [True, False]


def test_paths_below_the_root_folder_are_short() -> None:
    """Where a traceback has whole paths, the file of the test shows which part of them is the root folder."""
    text = REPEATED.replace("/shop/tree.py", "/home/me/shop/tree.py").replace(
        "Traceback (most recent call last):",
        """\
Traceback (most recent call last):
  File "/home/me/tests/test_tree.py", line 3, in test_tree
    walk(tree)""",
    )
    (raised,) = parse_traceback(text, "tests/test_tree.py")
    assert [frame.path for frame in raised.frames] == ["tests/test_tree.py", "shop/tree.py"]


@pytest.mark.parametrize("style", STYLES)
def test_frames_of_every_style(style: str) -> None:
    """Each frame has its file, line, function and the statement that raised, in every style of the installed pytest."""
    (raised,) = parse_traceback(written(divided, style))
    assert parts(raised) == ("ZeroDivisionError", "division by zero")
    frame = raised.frames[-1]
    assert frame.path.endswith("raised.py")
    assert frame.function == "divided"
    assert frame.statement.strip() == "str(1 / berths)"
    (hit,) = [line for line in frame.code if line.is_hit]
    assert hit.number == frame.line > 1


@pytest.mark.parametrize("style", STYLES)
def test_chained_parse_traceback(style: str) -> None:
    """The exception that let the test fail comes first, and after it its cause, with the frames of the library."""
    failure, cause = parse_traceback(written(chained, style))
    assert (parts(failure)[0].rpartition(".")[2], failure.link) == ("BookingError", "")
    assert failure.frames[-1].function == "parsed"
    assert (parts(cause)[0].rpartition(".")[2], cause.link) == ("JSONDecodeError", "cause")
    assert any(frame.path.endswith("decoder.py") for frame in cause.frames)


def test_an_exception_while_another_is_handled() -> None:
    """An exception that was handled when the next one was raised is told apart from a cause."""
    found = parse_traceback(written(handled, "long"))
    assert [raised.link for raised in found] == ["", "context"]


@pytest.mark.parametrize("style", STYLES)
def test_a_deep_recursion_keeps_its_end(style: str) -> None:
    """The innermost frame is the one that raised, however many calls are around it."""
    (raised,) = parse_traceback(written(deep, style))
    assert raised.frames[-1].statement.strip() == 'return BERTHS["leaf"]'
    assert len(raised.frames) + sum(frame.repeats for frame in raised.frames) >= 60


def test_a_module_that_cannot_be_imported_shows_its_import() -> None:
    """The line of the user's file is the statement; what pytest says above it is left out."""
    (raised,) = parse_traceback(NO_MODULE)
    assert (raised.frames[0].statement, raised.remark) == ("import shop", "")


def test_locals_are_read_by_name() -> None:
    """Local variables that pytest printed stand with their frame, by name."""
    found = parse_traceback(written(divided, "long", has_locals=True))
    assert dict(found[0].frames[-1].variables)["berths"] == "0"


def test_an_assertion_with_locals_of_several_lines() -> None:
    """The statement goes on to its last line, the message has all of its lines, a local may have several."""
    (raised,) = parse_traceback(ASSERTION)
    assert parts(raised)[1] == "the total is wrong\nassert 2 == 3\n +  where 2 = totals()"
    (frame,) = raised.frames
    assert (frame.path, frame.line, frame.function) == ("tests/test_cart.py", 12, "test_total")
    assert frame.statement.split() == ["assert", "(", "totals()", "==", "expected", ")"]
    assert [line.number for line in frame.code] == [10, 11, 12, 13, 14, 15]
    assert frame.variables == (("expected", "3"), ("boat", "Boat(\n  name='Anna',\n)"))


@pytest.mark.parametrize(
    ("text", "said", "frames", "remark"),
    [
        (LINE, ("AssertionError", "assert 2 == 3\n  \n  first\n    second"), [], ""),
        (NO_FIXTURE, ("", "fixture 'boat' not found"), [], "available fixtures"),
        (GROUP, ("ExceptionGroup", "several (1 sub-exception)"), [("test_group", 113, 0)], "ValueError: one"),
        (REPEATED, ("KeyError", "'leaf'"), [("walk", 14, 57)], ""),
        (NO_MODULE, ("ModuleNotFoundError", "No module named 'shop'"), [("<module>", 2, 0)], ""),
        (CUT, ("KeyError", "'leaf'"), [("test_a", 3, 0), ("walk", 14, 0), ("leaf", 18, 0)], "20,113 characters cut"),
    ],
    ids=["message alone", "missing fixture", "group", "repeated", "no module", "cut"],
)
def test_other_forms(text: str, said: tuple[str, str], frames: list[tuple[str, int, int]], remark: str) -> None:
    """What `--tb=line`, fixtures, groups, recursions and long texts leave is read; what says more is a remark."""
    (raised,) = parse_traceback(text)
    assert parts(raised) == said
    assert [(frame.function, frame.line, frame.repeats) for frame in raised.frames] == frames
    assert remark in raised.remark


@pytest.mark.parametrize(
    "text", ["", "explicitly", "contains 2 failed subtests", "a: 1\nb: 2", "\n\n", "012 def f\nExpected:\n    1"]
)
def test_other_texts_have_no_exceptions(text: str) -> None:
    """A text in no form of pytest or Python is left alone."""
    assert parse_traceback(text) == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("shop.NotFound: no boat", ("shop.NotFound", "no boat")), ("KeyError", ("KeyError", "")),
        ("ValueError: one\ntwo", ("ValueError", "one\ntwo")), ("assert 1 == 2", ("AssertionError", "assert 1 == 2")),
        ("fixture 'boat' not found", ("", "fixture 'boat' not found")), ("", ("", "")),
    ],
)  # fmt: skip
def test_type_and_message(text: str, parts: tuple[str, str]) -> None:
    """The type of an exception is apart from its message, empty if the text has none."""
    assert exception_parts(text) == parts


def test_a_marked_line_may_be_empty() -> None:
    """Pytest marks a statement, but a client may send any text: it is read as far as it goes."""
    found = parse_traceback("    def test_a():\n>   \nE   KeyError: 'a'\n\ntests/a.py:3: KeyError")
    ((frame,),) = [raised.frames for raised in found]
    assert (frame.function, [line.is_hit for line in frame.code]) == ("test_a", [False])


def test_notes_stand_below_compared_values() -> None:
    """What a table shows is left out of the message, but not the notes below it, as those of hypothesis."""
    text = """>       assert [1, 2] == [1, 3]
E       assert [1, 2] == [1, 3]
E         At index 1 diff: 2 != 3
E         Use -v to get more diff
E       Failing test case: test_it(
E           x=10,
E       )

test_it.py:2: AssertionError"""
    (shown,) = read_failure(text)
    assert shown.table is not None
    assert shown.details == "Failing test case: test_it(\n    x=10,\n)"
    assert shown.notes == ("Failing test case: test_it(", "    x=10,", ")")


def test_members_of_a_group_have_notes() -> None:
    """Messages and notes of the members, of groups within it, too, without their calls."""
    text = """  + Exception Group Traceback (most recent call last):
  |   File "test_it.py", line 2, in test_it
  |     raise error
  | ExceptionGroup: two (2 sub-exceptions)
  | of the group
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "test_it.py", line 9, in make
    |     raise ValueError
    | ValueError: one
    | of one
    |     x=10
    +---------------- 2 ----------------
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | KeyError: 'a'
      | of a
      +------------------------------------"""
    (shown,) = read_failure(text)
    assert shown.notes == (
        "of the group", "ValueError: one", "of one", "    x=10", "ExceptionGroup: inner (1 sub-exception)",
        "KeyError: 'a'", "of a",
    )  # fmt: skip


def test_a_message_that_was_cut_has_its_note() -> None:
    """What stands below the cut belongs to the message above it."""
    cut = "E       ValueError: xxx\n... 30,000 characters cut ...\nxxx\nE       a note"
    text = f">       raise error\n{cut}\n\nt.py:2: ValueError"
    (shown,) = read_failure(text)
    assert (shown.type_name, shown.said, shown.notes) == ("ValueError", "xxx", ("a note",))


def test_members_of_a_group_have_places_from_the_root() -> None:
    """Where a frame of the group shows the root folder, calls of its members are shown from there, too."""
    call = '  |   File "/home/ann/shop/tests/{}.py", line 2, in test_it\n  |     raise error\n'
    text = (
        "  + Exception Group Traceback (most recent call last):\n" + call.format("test_it")
        + "  | ExceptionGroup: one (1 sub-exception)\n  +-+---------------- 1 ----------------\n"
        + "    | Traceback (most recent call last):\n  " + call.format("other").replace("\n  |", "\n    |")
        + "    | ValueError: one\n    +------------------------------------"
    )  # fmt: skip
    (shown,) = read_failure(text, file="tests/test_it.py")
    assert 'File "tests/other.py", line 2' in shown.remark
    assert "/home/ann" not in shown.remark
