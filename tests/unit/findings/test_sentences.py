"""What is to be said of a run, in a sentence and in a few words."""

import pytest

from pytest_automation_report.findings.sentences import RunNumbers, judge_run


def of(finished: int, failed: int = 0, passed: int | None = None, **numbers: object) -> RunNumbers:
    counted = finished - failed if passed is None else passed
    return RunNumbers(finished=finished, failed=failed, passed=counted, **numbers)  # type: ignore[arg-type]


def cut(why: str, limit: int = 0, **numbers: int) -> RunNumbers:
    values = {"finished": 35, "failed": 1, "collected": 60, "not_run": 25, **numbers}
    return RunNumbers(cut=(why, limit), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "tone", "long", "short"),
    [
        (of(2418, 319, reasons=5), "fail", "319 of 2,418 tests failed, for 5 reasons", "319 failed"),
        (of(9, 1, reasons=1), "fail", "1 of 9 tests failed", "1 failed"),
        (of(9, 9, reasons=2), "fail", "All 9 tests failed, for 2 reasons", "9 failed"),
        (of(1, 1), "fail", "The only test failed", "1 failed"),
        (of(2418, passed=2406, skipped=12), "pass", "All 2,406 tests passed", "passed"),
        (of(6, 2, are_results=True), "fail", "2 of 6 results failed", "2 failed"),
        (of(2, are_results=True), "pass", "Both results passed", "passed"),
        (of(1), "pass", "The only test passed", "passed"),
        (of(2), "pass", "Both tests passed", "passed"),
        (of(5, passed=0, skipped=5), "skip", "All 5 tests skipped", "5 skipped"),
        (of(5, passed=0, skipped=4), "skip", "No test passed", "no test passed"),
        (of(0), "skip", "No test ran", "no test ran"),
        (of(6, is_torn=True), "skip", "6 tests passed, the run is not whole", "not whole"),
        (cut("died"), "fail", "The session died after 35 of 60 tests, 1 failed", "died after 35 of 60, 1 failed"),
        (of(1, cut=("died", 0)), "fail", "The session died after 1 test", "died after 1"),
        (
            of(9, 1, collected=12, cut=("died", 0), dead="1 of 4 jobs died: unit 2/4"), "fail",
            "1 of 4 jobs died: unit 2/4; 9 of 12 tests ran, 1 failed", "died after 9 of 12, 1 failed",
        ),
        (
            cut("interrupted"),
            "fail", "Interrupted after 35 of 60 tests, 1 failed", "interrupted after 35 of 60, 1 failed",
        ),
        (cut("interrupted", failed=0), "skip", "Interrupted after 35 of 60 tests", "interrupted after 35 of 60"),
        (
            cut("stopped", 1, finished=11, collected=1203, not_run=1192),
            "fail", "Stopped at the first failure (-x) after 11 of 1,203", "stopped after 11 of 1,203, 1 failed",
        ),
        (
            cut("stopped", 3),
            "fail", "Stopped at 3 failures (--maxfail) after 35 of 60", "stopped after 35 of 60, 1 failed",
        ),
        (of(9, 1, cut=("stopped", 1)), "fail", "1 of 9 tests failed", "1 failed"),
        (cut("", failed=0), "skip", "Ended after 35 of 60 tests", "ended after 35 of 60"),
        (
            of(506, files=1, lost=13, not_run=13, collected=506),
            "fail", "1 file could not be collected, so 13 tests of it did not run", "1 file not collected",
        ),
        (of(506, files=2), "fail", "2 files could not be collected", "2 files not collected"),
        (
            of(506, 2, files=1, lost=13, not_run=13, reasons=3),
            "fail", "2 of 506 tests failed and 1 file could not be collected, for 3 reasons",
            "2 failed, 1 file not collected",
        ),
        (
            of(0, files=1, lost=13, not_run=519, collected=506),
            "fail", "Collection failed: 1 file, so no test ran", "collection failed",
        ),
        (of(0, files=1, file="a/b.py"), "fail", "Collection failed: a/b.py, so no test ran", "collection failed"),
        (of(9, files=1, file="test_b.py"), "fail", "test_b.py could not be collected", "1 file not collected"),
        (
            of(1204, 2, collected=2418, is_open=True),
            "live", "1,204 of 2,418 tests ran, 2 failed", "1,204 of 2,418 so far, 2 failed",
        ),
        (of(7, is_open=True), "live", "7 tests ran", "7 so far"),
        (of(0, is_open=True), "live", "No test has ended yet", "0 so far"),
        (
            of(2410, collected=2418, is_open=True, is_silent=True),
            "flaky", "2,410 of 2,418 results are here", "2,410 of 2,418 so far",
        ),
    ],
)  # fmt: skip
def test_a_verdict_is_one_sentence_and_a_few_words(numbers: RunNumbers, tone: str, long: str, short: str) -> None:
    """Each state of a run has its own words, long and short, with nouns that fit their numbers."""
    said = judge_run(numbers)
    assert (said["tone"], said["long"], said["short"], said["part"]) == (tone, long, short, "")


def test_a_part_of_the_suite_is_always_called_so() -> None:
    """A selection stands beside whatever is said."""
    assert judge_run(of(94, selection="-k parser"))["part"] == "part of the suite: -k parser"
