"""A failure's text is read into exceptions and frames, whatever the style in which pytest wrote it."""

import pytest

from pytest_automation_report.failures.tracebacks import Raised, exception_parts, parse_traceback
from unit.failures.raised import STYLES, chained, deep, divided, handled, written

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


def parts(raised: Raised) -> tuple[str, str]:
    """Return type and message of an exception."""
    return exception_parts("\n".join(raised.lines))


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


def test_a_message_alone() -> None:
    """The styles `line` and `no` have a message of several lines and no frame."""
    found = parse_traceback(LINE)
    assert parts(found[0])[1] == "assert 2 == 3\n  \n  first\n    second"
    assert found[0].frames == ()


def test_a_missing_fixture() -> None:
    """The line that says which fixture is missing is the message; the list of fixtures is a remark."""
    found = parse_traceback(NO_FIXTURE)
    assert parts(found[0])[1] == "fixture 'boat' not found"
    assert "available fixtures" in found[0].remark


def test_an_exception_group() -> None:
    """A group has its own frames and message, and the tree of its members as a remark."""
    (raised,) = parse_traceback(GROUP)
    assert parts(raised) == ("ExceptionGroup", "several (1 sub-exception)")
    assert [frame.line for frame in raised.frames] == [113]
    assert "ValueError: one" in raised.remark


def test_repeats_that_python_left_out() -> None:
    """Calls that Python itself left out are counted."""
    found = parse_traceback(REPEATED)
    assert [(frame.line, frame.repeats) for frame in found[0].frames] == [(14, 57)]


def test_a_text_that_was_cut_in_its_middle() -> None:
    """Frames before and after the cut are read, and the cut is a remark."""
    (raised,) = parse_traceback(CUT)
    assert parts(raised)[1] == "'leaf'"
    assert raised.frames[0].function == "test_a"
    assert "20,113 characters cut" in raised.remark


@pytest.mark.parametrize(
    "text", ["", "explicitly", "contains 2 failed subtests", "a: 1\nb: 2", "\n\n", "012 def f\nExpected:\n    1"]
)
def test_other_texts_have_no_exceptions(text: str) -> None:
    """A text in no form of pytest or Python is left alone."""
    assert parse_traceback(text) == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("shop.NotFound: no boat", ("shop.NotFound", "no boat")),
        ("KeyError", ("KeyError", "")),
        ("ValueError: one\ntwo", ("ValueError", "one\ntwo")),
        ("assert 1 == 2", ("AssertionError", "assert 1 == 2")),
        ("fixture 'boat' not found", ("", "fixture 'boat' not found")),
        ("", ("", "")),
    ],
)
def test_type_and_message(text: str, parts: tuple[str, str]) -> None:
    """The type of an exception is apart from its message, empty if the text has none."""
    assert exception_parts(text) == parts


def test_a_marked_line_may_be_empty() -> None:
    """Pytest marks a statement, but a client may send any text: it is read as far as it goes."""
    found = parse_traceback("    def test_a():\n>   \nE   KeyError: 'a'\n\ntests/a.py:3: KeyError")
    ((frame,),) = [raised.frames for raised in found]
    assert (frame.function, [line.is_hit for line in frame.code]) == ("test_a", [False])
