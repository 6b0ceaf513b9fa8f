"""What the comparison of real suites takes for a difference, and what for a suite's own unsteadiness."""

from dataclasses import replace
from pathlib import Path

import pytest

from compatibility.real.comparing import differing, undelivered
from compatibility.real.printed import without_report
from compatibility.real.running import Session
from compatibility.real.verdicts import Verdict
from support.sessions import Ran

_LAST = "==== 1 failed, 1 passed in 0.10s ===="
_BARE = Session(
    Ran(1, f"a line\n{_LAST}\n", ""),
    {"a": Verdict("t.a", "passed", 1), "b": Verdict("t.b", "failure", 1)},
    ("a line",),
    {"main.end": {"threads": ["MainThread"], "of the spool": 0}},
    has_ended=True,
)
_PASSES = replace(_BARE, verdicts={**_BARE.verdicts, "b": Verdict("t.b", "passed", 1)})


def _at_end(**state: object) -> Session:
    """Return the bare session with this in its state at its end."""
    return replace(_BARE, states={"main.end": {**_BARE.states["main.end"], **state}})


@pytest.mark.parametrize(
    ("reported", "told"),
    [
        (_PASSES, "status of t.b: 'failure' bare, 'passed' reported"),
        (replace(_BARE, verdicts={"a": _BARE.verdicts["a"]}), "status of t.b: 'failure' bare, 'None' reported"),
        (replace(_BARE, ran=Ran(0, _BARE.ran.out, "")), "end, exit status and last line: "),
        (replace(_BARE, has_ended=False), "end, exit status and last line: "),
        (replace(_BARE, ran=Ran(1, "==== 2 passed in 1s ====\n", "")), "end, exit status and last line: "),
        (replace(_BARE, ran=Ran(1, _BARE.ran.out, "Warning")), "on stderr: '' bare, 'Warning' reported"),
        (replace(_BARE, lines=("a line", "a line")), "printed 'a line': '1' bare, '2' reported"),
        (replace(_BARE, lines=()), "printed 'a line': '1' bare, 'None' reported"),
        (_at_end(threads=["MainThread", "ours"]), "threads (main.end): '[]' bare, \"['ours']\" reported"),
        (_at_end(new="1"), "new (main.end): 'None' bare, \"['1']\" reported"),
    ],
    ids=["status", "test", "exit", "hang", "counts", "stderr", "more", "less", "thread", "environment"],
)
def test_difference_is_told(reported: Session, told: str) -> None:
    """Each thing that is not as in equal bare sessions is told with both values."""
    for bares in ([_BARE], [_BARE, _BARE]):
        (difference,) = differing(reported, bares)
        assert difference.startswith(told)


def test_line_of_a_wait_is_no_difference() -> None:
    """Before the line of a wait the line of dots ends: neither it nor the empty line after it is of the suite."""
    bare = f"... [100%]\n{_LAST}\n"
    wait = "automation report: waiting for the last results to reach http://127.0.0.1:1, at most 600 s (Ctrl-C ends it)"
    reported = bare.replace("]\n", f"]\n{wait}\n\n")
    assert without_report(reported, Path("/work")) == without_report(bare, Path("/work"))


def test_workers_may_swap_their_tests() -> None:
    """What a test left in one worker may be left in the other; what both together have is compared."""
    with_it, without = {"threads": ["MainThread", "of a test"]}, {"threads": ["MainThread"]}
    bare = replace(_BARE, states={"gw0.end": with_it, "gw1.end": without})
    assert differing(replace(_BARE, states={"gw0.end": without, "gw1.end": with_it}), [bare]) == []
    (difference,) = differing(replace(_BARE, states={"gw0.end": with_it, "gw1.end": with_it}), [bare])
    assert difference.startswith("threads (workers.end): ")


def test_what_bare_sessions_differ_in_is_no_difference() -> None:
    """Where bare sessions differ in a test, a line or a thread, that says nothing, and the rest is compared still."""
    late, later = (_at_end(threads=["MainThread", name]).states for name in ("late", "later"))
    other = replace(_PASSES, ran=Ran(0, "==== 2 passed in 1s ====\n", ""), lines=("another line",), states=late)
    assert differing(replace(other, lines=("a third",), states=later), [_BARE, other]) == []
    (difference,) = differing(replace(other, states=_at_end(new="1").states), [_BARE, other])
    assert difference.startswith("new (main.end): ")


def test_what_the_server_lacks_is_told() -> None:
    """The server must have what the session's own XML has, each key once, whatever bare sessions did."""
    session = replace(_BARE, ran=Ran(1, "1 of 2 results delivered", ""))
    stored = {"a": Verdict("t.a", "failure", 2), "c": Verdict("t.c", "passed", 1)}
    assert list(undelivered(session, stored, "loopback")) == [
        "only in the XML: t.b",
        "only on the server: t.c",
        "other status in the XML and on the server: t.a (passed, failure)",
        "more than once in a thread: t.a",
        "the server has 3 results, the summary says '1 of 2 results delivered'",
    ]
    whole = replace(_BARE, ran=Ran(1, "2 of 2 results delivered", ""))
    assert list(undelivered(whole, _BARE.verdicts, "loopback")) == []
    classes = {"a": Verdict("t.a", "passed", 1), "b": Verdict("t.b", "failed", 1)}
    assert list(undelivered(whole, classes, "embedded")) == []
