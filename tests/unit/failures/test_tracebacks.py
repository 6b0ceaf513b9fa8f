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


@pytest.mark.parametrize(
    ("text", "said", "frames", "remark"),
    [
        (LINE, ("AssertionError", "assert 2 == 3\n  \n  first\n    second"), [], ""),
        (NO_FIXTURE, ("", "fixture 'boat' not found"), [], "available fixtures"),
        (GROUP, ("ExceptionGroup", "several (1 sub-exception)"), [("test_group", 113, 0)], "ValueError: one"),
        (REPEATED, ("KeyError", "'leaf'"), [("walk", 14, 57)], ""),
        (CUT, ("KeyError", "'leaf'"), [("test_a", 3, 0), ("walk", 14, 0), ("leaf", 18, 0)], "20,113 characters cut"),
    ],
    ids=["message alone", "missing fixture", "group", "repeated", "cut"],
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
