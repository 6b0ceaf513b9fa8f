"""``automation_report_order``: the tests that pay most run first."""

import re

import pytest

from support.checked_server import CheckedServer
from support.projects import Project
from support.sessions import session_environment

FAILED_FIRST = ("-v", "-oautomation_report_order=failed-first")
SLOWEST_FIRST = ("-v", "-oautomation_report_order=slowest-first")
FAILING = """
import os
import pytest

@pytest.mark.parametrize("n", range(4))
def test_a(n):
    assert n != 2 or os.getenv("FIXED")
"""


def order_of(out: str) -> list[str]:
    """Return the tests in the order in which they ended."""
    return re.findall(r"::(\w+(?:\[\w+\])?) (?:PASSED|FAILED|ERROR|SKIPPED)", out)


def summary_of(out: str) -> str:
    """Return the line of the summary on the order."""
    (line,) = re.findall(r"automation report: (ordered: .*)", out)
    return str(line)


@pytest.mark.parametrize("place", ["embedded", "server"])
def test_what_failed_last_runs_first_then_what_is_new(project: Project, server: CheckedServer, place: str) -> None:
    """Tests that failed in the last run come first, then new ones, then the others as collected."""
    address = server.address if place == "server" else None
    project.write("test_b.py", FAILING)
    first = project.report(*FAILED_FIRST, address=address, exits=1)
    assert order_of(first.out) == ["test_a[0]", "test_a[1]", "test_a[2]", "test_a[3]", "test_ok"]
    assert summary_of(first.out) == "ordered: as collected: no run has durations yet"
    project.write("test_z.py", "def test_new(): pass\n")
    again = project.report(*FAILED_FIRST, address=address, env=session_environment(FIXED="1"), exits=0)
    assert order_of(again.out) == ["test_a[2]", "test_new", "test_a[0]", "test_a[1]", "test_a[3]", "test_ok"]
    assert summary_of(again.out) == "ordered: 1 failed last time, 1 new first"
    none = project.report(*FAILED_FIRST, address=address, env=session_environment(FIXED="1"), exits=0)
    assert order_of(none.out) == [*order_of(first.out), "test_new"]
    assert summary_of(none.out) == "ordered: as collected: none failed last time"


def test_every_worker_has_the_same_order(project: Project) -> None:
    """With pytest-xdist all workers collect in the new order, and the controller's summary says it."""
    project.write("test_b.py", FAILING)
    project.report(exits=1)
    again = project.report(*FAILED_FIRST, "-n", "2", exits=1)
    first: dict[str, str] = {}
    for worker, test in re.findall(r"\[(gw[01])\] .*::(\S+)", again.out):
        first.setdefault(worker, test)
    assert "test_a[2]" in first.values()
    assert summary_of(again.out) == "ordered: 1 failed last time first"


def test_a_file_that_could_not_be_collected_stands_for_its_tests(project: Project) -> None:
    """When a file is collected again, its tests run first, once."""
    whole = "def test_last(): pass\n"
    for text, exits in ((whole, 0), ("import nowhere\n", 1)):
        project.write("test_z.py", text)
        project.report("--continue-on-collection-errors", exits=exits)
    project.write("test_z.py", whole)
    orders = [order_of(project.report(*FAILED_FIRST, exits=0).out) for _ in range(2)]
    assert orders == [["test_last", "test_ok"], ["test_ok", "test_last"]]


GROUPS = """
import pytest

@pytest.fixture(scope="{scope}")
def shared(): pass

def test_before(): pass

class TestOne:
    def test_one(self, shared): pass
    def test_two(self, shared): pass

{marks}
def test_alone({argument}): pass

{marks}
def test_failed({argument}): assert 0
"""


@pytest.mark.parametrize(
    ("scope", "argument", "marks", "expected"),
    [
        ("function", "", "", ["test_failed", "test_before", "test_one", "test_two", "test_alone", "test_ok"]),
        ("module", "shared", "", ["test_one", "test_two", "test_alone", "test_failed", "test_before", "test_ok"]),
        ("class", "shared", "", ["test_failed", "test_before", "test_one", "test_two", "test_alone", "test_ok"]),
        (
            "function",
            "",
            "@pytest.mark.dependency",
            ["test_alone", "test_failed", "test_before", "test_one", "test_two", "test_ok"],
        ),
    ],
)
def test_tests_that_share_a_fixture_move_together(
    project: Project, scope: str, argument: str, marks: str, expected: list[str]
) -> None:
    """A test moves with those of its module that share a fixture of that scope, or that a marker binds to it."""
    project.write("pytest.ini", "[pytest]\nmarkers =\n    dependency\n")
    project.write("test_a.py", GROUPS.format(scope=scope, argument=argument, marks=marks))
    project.report(exits=1)
    ran = project.report(*FAILED_FIRST, exits=1)
    assert order_of(ran.out) == expected, summary_of(ran.out)


def test_a_class_moves_as_a_whole(project: Project) -> None:
    """A test moves with its class if the class has a fixture of that scope, as that of ``setUpClass``."""
    project.write(
        "test_a.py",
        """
        import unittest

        def test_before(): pass

        class TestForm(unittest.TestCase):
            @classmethod
            def setUpClass(cls): pass

            def test_one(self): pass
            def test_two(self): assert 0
        """,
    )
    project.report(exits=1)
    assert order_of(project.report(*FAILED_FIRST, exits=1).out) == ["test_one", "test_two", "test_before", "test_ok"]


def test_the_modules_that_take_longest_run_first(project: Project) -> None:
    """Modules stand in the order of the sums of their tests, longest first; within them nothing moves."""
    for name, seconds in (("a", 0.0), ("b", 0.3), ("c", 0.1)):
        project.write(
            f"test_{name}.py", f"import time\ndef test_{name}1(): pass\ndef test_{name}2(): time.sleep({seconds})\n"
        )
    first = project.report(*SLOWEST_FIRST, exits=0)
    assert summary_of(first.out) == "ordered: as collected: no run has durations yet"
    again = project.report(*SLOWEST_FIRST, exits=0)
    assert order_of(again.out)[:4] == ["test_b1", "test_b2", "test_c1", "test_c2"]
    assert summary_of(again.out) == "ordered: slowest modules first, by run 1"
