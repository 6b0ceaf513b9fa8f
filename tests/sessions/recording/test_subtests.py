"""Subtests of pytest and of unittest: part of their test, each counted, each failing one with its own traceback."""

from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from pytest_automation_report.api.models import FIELD_LIMIT
from pytest_automation_report.text.limits import TEXT_UNITS
from support.recorded_suites import HAS_SUBTESTS, SUBTESTS, MadeReport, Result, needs_subtests, ran, record, result_of

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


def _steps(result: Result) -> list[tuple[str, str | None]]:
    assert result.fields["Steps"]["type"] == 3
    markup = ET.fromstring(result.values["Steps"])
    assert markup.tag == "test-steps"
    return [(each.attrib["status"], each.text) for each in markup]


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
def test_subtests_are_part_of_their_test(pytester: pytest.Pytester, verbosity: tuple[str, ...]) -> None:
    """A test with subtests is one result: a failure when any of them failed, with counts, steps and tracebacks."""
    pytester.makepyfile(test_s=SUITE)
    recorded = record(pytester, *SUBTESTS, *verbosity)
    # What a unittest prints holds the letters of pytest's own progress, in some versions: output is checked below.
    fields = [[name for name in each.fields if name != "Output"] for each in recorded.results]
    names = [(each.body["name"], each.status) for each in recorded.results]
    assert [(*name, shown) for name, shown in zip(names, fields, strict=True)] == [
        ("test_mixed", "failure", ["Failure [part <&> (number=1)]", "Subtests", "Steps"]),
        ("test_both", "failure", ["Failure", "Failure [inner]", "Subtests", "Steps"]),
        ("test_good", "passed", ["Subtests", "Steps"]),
        ("test_unit", "failure", ["Failure [unit (number=1)]", "Subtests", "Steps"]),
    ]
    mixed = recorded.final["test_mixed"]
    assert mixed.values["Subtests"] == "5: 2 passed, 1 failed, 2 skipped"
    assert _steps(mixed) == [
        ("passed", "part <&> (number=0)"),
        ("failed", "part <&> (number=1)"),
        ("passed", "part <&> (number=2)"),
        ("skipped", "<subtest>"),
        ("skipped", "known"),
    ]
    failed = mixed.fields["Failure [part <&> (number=1)]"]
    assert "assert 1 != 1" in failed["value"]
    assert failed["is_highlight"] is True
    assert failed["meta"] == {"message": "assert 1 != 1", "type": "AssertionError", "phase": "call"}
    assert mixed.values["Output"] == "setup\npart 0\npart 1\npart 2\nmain begins\nmain ends\n"
    assert "outer" in recorded.final["test_both"].values["Failure"]
    assert _steps(recorded.final["test_good"]) == [("passed", "a=1, b=2")]
    assert recorded.final["test_unit"].values["Subtests"] == "3: 1 passed, 1 failed, 1 skipped"


def test_many_failing_subtests_keep_the_limits(pytester: pytest.Pytester) -> None:
    """Of 150 failing subtests the first have a field each, the rest are counted, and nothing else is pushed out."""
    pytester.makepyfile(
        test_s="""
        def test_many(subtests, record_property):
            record_property("kept", "yes")
            print("kept too")
            for number in range(150):
                with subtests.test("s" * 500, number=number):
                    assert not number
            assert 0
    """
    )
    result = record(pytester, *SUBTESTS).only()
    assert len(result.fields) == FIELD_LIMIT
    assert {"Failure", "Subtests", "Steps", "Output", "kept"} <= set(result.fields)
    assert result.values["Subtests"] == "150: 1 passed, 149 failed"
    shown = [name for name in result.fields if name.startswith("Failure [")]
    assert result.values["Failures left out"] == f"{149 - len(shown)} more failing subtests"
    assert len(result.values["Steps"]) <= TEXT_UNITS
    steps = _steps(result)
    assert len(steps) <= 100
    assert steps[0][0] == "passed"
    assert steps[-1] == ("failed", f"{151 - len(steps)} more: {151 - len(steps)} failed")


def test_a_hundred_steps_are_all_shown() -> None:
    """Exactly 100 short steps need no remainder; with one more the last step counts two."""
    for number, expected in (
        (100, '<test-step status="passed">s</test-step></test-steps>'),
        (101, '<test-step status="passed">2 more: 2 passed</test-step></test-steps>'),
    ):
        finished = ran(*[subtest("passed")] * number, MadeReport("call"))
        steps = next(each.value for each in finished.attempt.fields if each.name == "Steps")
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
    assert b"bad=&lt;Bad without a text: RuntimeError&gt;" in finished.framed()
    assert finished.framed().isascii()


@pytest.mark.parametrize("text", ["contains 1 failed subtest", "contains 12 failed subtests", ""])
def test_the_remark_that_subtests_failed_is_no_failure_of_its_own(text: str) -> None:
    """What pytest says of a test that failed by its subtests alone adds nothing to their tracebacks."""
    for with_subtest, expected in ((True, ["Failure [s]", "Subtests", "Steps"]), (False, ["Failure"])):
        reports = [subtest("failed")] if with_subtest else []
        finished = ran(*reports, MadeReport("call", "failed", longreprtext=text))
        assert finished.attempt.status == "failure"
        assert [each.name for each in finished.attempt.fields] == expected


def test_subtests_belong_to_their_attempt() -> None:
    """When a plugin runs the call again, the subtests so far go with the attempt before."""
    finished = ran(subtest("failed"), MadeReport("call", "retried"), subtest("passed"), MadeReport("call"))
    assert finished.attempt.status == "passed"
    shown = {each.name: each.value for each in result_of(finished).test.fields}
    assert shown["Subtests"] == "1: 1 passed"
    assert shown["Attempt 1"] == "why"


def test_a_subtest_that_fails_in_the_last_attempt_fails_the_test() -> None:
    """A call that passes the second time does not hide the failure of a subtest that it ran."""
    finished = ran(MadeReport("call", "retried", longreprtext="first"), subtest("failed"), MadeReport("call"))
    assert finished.attempt.status == "failure"
    names = [each.name for each in result_of(finished).test.fields]
    assert names == ["Failure [s]", "Attempts", "Attempt 1", "Subtests", "Steps"]


def test_a_context_that_is_no_subtest_is_left_alone() -> None:
    """A report to which some plugin has given a context of its own is still the report of its test."""
    finished = ran(MadeReport("call", "failed", longreprtext="why", context="something else"))
    assert [each.name for each in finished.attempt.fields] == ["Failure"]
