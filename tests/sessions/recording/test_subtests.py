"""Subtests of pytest and of unittest: part of their test, each counted, each failing one with its own traceback."""

from types import SimpleNamespace

import pytest

from pytest_automation_report.api.models import FIELD_LIMIT
from pytest_automation_report.text.limits import TEXT_UNITS
from support.annotated_suites import HTML, Suite
from support.made_reports import MadeReport, ran, result_of
from support.needs import HAS_SUBTESTS, needs_subtests

pytestmark = needs_subtests

SUITE = """
import unittest
import pytest

@pytest.fixture
def noisy():
    print("setup")

def test_mixed(noisy, subtests):
    print("main begins")
    for number in range(3):
        with subtests.test("part <&>", number=number):
            print("part", number)
            assert number != 1
    with subtests.test():
        pytest.skip("later")
    with subtests.test("known"):
        pytest.xfail("bug")
    print("main ends")

def test_both(subtests):
    with subtests.test("inner"):
        assert 0
    raise ValueError("outer")

def test_good(subtests):
    with subtests.test(a=1, b=2):
        pass

class Case(unittest.TestCase):
    def test_unit(self):
        for number in range(3):
            with self.subTest("unit", number=number):
                if number == 2:
                    self.skipTest("no")
                self.assertNotEqual(number, 1)
"""


def subtest(outcome: str) -> MadeReport:
    return MadeReport("call", outcome, longreprtext="why", context=SimpleNamespace(msg="s", kwargs={}))


@pytest.mark.parametrize(
    "verbosity",
    [
        (),
        ("-vv",),
        ("-q",),
        pytest.param(
            ("-o", "verbosity_subtests=1"),
            marks=pytest.mark.skipif(not HAS_SUBTESTS, reason="pytest-subtests has no such setting"),
        ),
    ],
    ids=["plain", "verbose", "quiet", "setting"],
)
def test_subtests_are_part_of_their_test(suite: Suite, verbosity: tuple[str, ...]) -> None:
    """A test with subtests is one result: a failure when any of them failed, with counts, steps and tracebacks."""
    suite.tests(SUITE)
    found = suite.report(*verbosity, output="failed", exit_status=1)
    # What a unittest prints holds the letters of pytest's own progress, in some versions: output is checked below.
    fields = {name: [field for field in each.values if field != "Output"] for name, each in found.items()}
    assert fields == {
        "test_mixed": ["Failure [part <&> (number=1)]", "Subtests", "Steps"],
        "test_both": ["Failure", "Failure [inner]", "Subtests", "Steps"],
        "test_good": ["Subtests", "Steps"],
        "test_unit": ["Failure [unit (number=1)]", "Subtests", "Steps"],
    }
    assert [each.body["status"] for each in found.values()] == ["failure", "failure", "passed", "failure"]
    mixed = found["test_mixed"]
    assert mixed.values["Subtests"] == "5: 2 passed, 1 failed, 2 skipped"
    assert mixed.named["Steps"]["type"] == HTML
    assert mixed.steps == [
        ("passed", "part <&> (number=0)"),
        ("failed", "part <&> (number=1)"),
        ("passed", "part <&> (number=2)"),
        ("skipped", "<subtest>"),
        ("skipped", "known"),
    ]
    failed = mixed.named["Failure [part <&> (number=1)]"]
    assert "assert 1 != 1" in failed["value"]
    assert failed["is_highlight"] is True
    assert failed["meta"] == {"message": "assert 1 != 1", "type": "AssertionError", "phase": "call"}
    assert mixed.values["Output"] == "setup\npart 0\npart 1\npart 2\nmain begins\nmain ends\n"
    assert "outer" in found["test_both"].values["Failure"]
    assert found["test_good"].steps == [("passed", "a=1, b=2")]
    assert found["test_unit"].values["Subtests"] == "3: 1 passed, 1 failed, 1 skipped"


def test_many_failing_subtests_keep_the_limits(suite: Suite) -> None:
    """Of 150 failing subtests the first have a field each, the rest are counted, and nothing else is pushed out."""
    suite.tests(
        """
        def test_many(subtests, record_property):
            record_property("kept", "yes")
            print("kept too")
            for number in range(150):
                with subtests.test("s" * 500, number=number):
                    assert not number
            assert 0
        """
    )
    (found,) = suite.report(output="failed", exit_status=1).values()
    assert len(found.fields) == FIELD_LIMIT
    assert {"Failure", "Subtests", "Steps", "Output", "kept"} <= set(found.values)
    assert found.values["Subtests"] == "150: 1 passed, 149 failed"
    shown = [name for name in found.values if name.startswith("Failure [")]
    assert found.values["Failures left out"] == f"{149 - len(shown)} more failing subtests"
    assert len(found.values["Steps"]) <= TEXT_UNITS
    assert len(found.steps) <= 100
    assert found.steps[0][0] == "passed"
    left = 151 - len(found.steps)
    assert found.steps[-1] == ("failed", f"{left} more: {left} failed")


def test_a_hundred_steps_are_all_shown() -> None:
    """Exactly 100 short steps need no remainder; with one more the last step counts two."""
    for number, expected in (
        (100, '<test-step status="passed">s</test-step></test-steps>'),
        (101, '<test-step status="passed">2 more: 2 passed</test-step></test-steps>'),
    ):
        finished = ran(*[subtest("passed")] * number, MadeReport("call"))
        steps = next(each.value for each in result_of(finished).contract().fields if each.name == "Steps")
        assert steps is not None
        assert steps.endswith(expected)
        assert steps.count("<test-step ") == 100


def test_descriptions_that_have_no_text_do_not_hurt() -> None:
    """A subtest whose argument cannot be shown is still counted, and the line is still plain ASCII."""

    class Bad:
        def __str__(self) -> str:
            raise RuntimeError

    context = SimpleNamespace(msg="\ud800\x00", kwargs={"bad": Bad()})
    finished = ran(MadeReport("call", context=context), MadeReport("call"))
    assert b"bad=<Bad without a text: RuntimeError>" in finished.framed()
    assert finished.framed().isascii()


@pytest.mark.parametrize("text", ["contains 1 failed subtest", "contains 12 failed subtests", ""])
def test_the_remark_that_subtests_failed_is_no_failure_of_its_own(text: str) -> None:
    """What pytest says of a test that failed by its subtests alone adds nothing to their tracebacks."""
    for with_subtest, expected in ((True, ["Failure [s]", "Subtests", "Steps"]), (False, ["Failure"])):
        reports = [subtest("failed")] if with_subtest else []
        finished = ran(*reports, MadeReport("call", "failed", longreprtext=text))
        assert finished.attempt.status == "failure"
        assert [each.name for each in result_of(finished).contract().fields] == expected


def test_subtests_belong_to_their_attempt() -> None:
    """When a plugin runs the call again, the subtests so far go with the attempt before."""
    finished = ran(subtest("failed"), MadeReport("call", "retried"), subtest("passed"), MadeReport("call"))
    assert finished.attempt.status == "passed"
    shown = {each.name: each.value for each in result_of(finished).contract().fields}
    assert shown["Subtests"] == "1: 1 passed"
    assert shown["Attempt 1"] == "why"


def test_a_subtest_that_fails_in_the_last_attempt_fails_the_test() -> None:
    """A call that passes the second time does not hide the failure of a subtest that it ran."""
    finished = ran(MadeReport("call", "retried", longreprtext="first"), subtest("failed"), MadeReport("call"))
    assert finished.attempt.status == "failure"
    names = [each.name for each in result_of(finished).contract().fields]
    assert names == ["Failure [s]", "Attempts", "Attempt 1", "Subtests", "Steps"]


def test_a_context_that_is_no_subtest_is_left_alone() -> None:
    """A report to which some plugin has given a context of its own is still the report of its test."""
    finished = ran(MadeReport("call", "failed", longreprtext="why", context="something else"))
    assert [each.name for each in finished.attempt.causes] == ["Failure"]
