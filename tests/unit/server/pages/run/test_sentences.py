"""The verdict of a run and its changes, in words."""

from typing import Any

import pytest

from pytest_automation_report.server.pages.run.sentences import (
    RunCounts,
    change_sentence,
    live_sentence,
    verdict,
    words,
)

COUNTS = ("newly_failing", "still_failing", "fixed", "new_tests", "gone", "newly_skipped")


def findings(
    *,
    new_reasons: tuple[int, ...] = (),
    old_reasons: tuple[int, ...] = (),
    why: str = "same branch",
    newly: str = "",
    **counts: int,
) -> dict[str, Any]:
    """Return findings with these numbers; ``newly`` has the reason of each newly failing test: n(ew) or o(ld)."""
    reasons = [
        {"is_new": is_new, "count": n, "fingerprint": "n" if is_new else "o"}
        for is_new, ns in ((True, new_reasons), (False, old_reasons))
        for n in ns
    ]
    return {
        "tests": {"newly_failing": [{"fingerprint": letter} for letter in newly]},
        "base": {"run": 1213, "why": why},
        "counts": {**dict.fromkeys(COUNTS, 0), **counts},
        "reasons": reasons,
    }


@pytest.mark.parametrize(
    ("counts", "heading", "tone"),
    [
        (RunCounts(2418, 319, 2087, reasons=5), "319 of 2,418 tests failed, for 5 reasons", "fail"),
        (RunCounts(9, 1, 8, reasons=1), "1 of 9 tests failed", "fail"),
        (RunCounts(9, 9, 0, reasons=2), "All 9 tests failed, for 2 reasons", "fail"),
        (RunCounts(1, 1, 0, reasons=1), "The only test failed", "fail"),
        (RunCounts(2418, 0, 2406, skipped=12), "All 2,406 tests passed", "pass"),
        (RunCounts(1, 0, 1), "The only test passed", "pass"),
        (RunCounts(2, 0, 2), "Both tests passed", "pass"),
        (RunCounts(3, 0, 0, skipped=3), "All 3 tests skipped", "skip"),
        (RunCounts(0, 0, 0), "No test ran", "skip"),
        (RunCounts(1204, 2, 1202, expected=2418, is_open=True), "1,204 of 2,418 tests ran, 2 failed", "live"),
        (RunCounts(7, 0, 7, is_open=True), "7 tests ran", "live"),
        (RunCounts(0, 0, 0, is_open=True), "No test has ended yet", "live"),
        (
            RunCounts(2410, 0, 2410, expected=2418, is_open=True, is_silent=True),
            "2,410 of 2,418 results are here",
            "flaky",
        ),
        (RunCounts(1204, 3, 1201, expected=2418, has_died=True), "The session died after 1,204 of 2,418 tests", "fail"),
        (RunCounts(1, 0, 1, has_died=True), "The session died after 1 test", "fail"),
    ],
)
def test_a_verdict_is_one_sentence(counts: RunCounts, heading: str, tone: str) -> None:
    """Each state of a run has its own words, with nouns that fit their numbers."""
    assert verdict(counts) == (heading, tone)


@pytest.mark.parametrize(
    ("counts", "found", "longest", "sentence"),
    [
        (
            RunCounts(2418, 319, 2087),
            findings(new_reasons=(300, 1), old_reasons=(15, 2, 1), newly_failing=301, still_failing=18, fixed=4),
            9,
            (
                "2 reasons are new since #1213 on main and fail 301 tests. 3 have been failing for up to 9 runs."
                " 4 tests were fixed."
            ),
        ),
        (
            RunCounts(9, 1, 8),
            findings(new_reasons=(1,), newly_failing=1),
            None,
            "1 reason is new since #1213 on main and fails 1 test.",
        ),
        (
            RunCounts(9, 2, 7),
            findings(old_reasons=(2,), newly_failing=1, still_failing=1),
            3,
            "1 test fails anew since #1213 on main. 1 reason has been failing for up to 3 runs.",
        ),
        (
            RunCounts(9, 2, 7),
            findings(old_reasons=(2,), still_failing=2),
            1,
            "Nothing fails anew since #1213 on main. 1 reason has been failing since an earlier run.",
        ),
        (
            RunCounts(2418, 0, 2406, flaky=1, skipped=12),
            findings(fixed=4),
            None,
            "4 tests are fixed since #1213 on main. 1 passed only when it was tried again, 12 were skipped.",
        ),
        (
            RunCounts(90, 49, 41),
            findings(new_reasons=(2,), old_reasons=(47,), newly_failing=5, newly="nnooo"),
            2,
            (
                "1 reason is new since #1213 on main and fails 2 tests. 1 has been failing for up to 2 runs, now in"
                " 3 more tests."
            ),
        ),
        (RunCounts(9, 0, 9), findings(), None, "No change since #1213 on main."),
        (RunCounts(9, 0, 9), findings(new_tests=14), None, "14 new tests since #1213 on main."),
        (RunCounts(9, 0, 9), findings(new_tests=1, gone=2), None, "1 new test and 2 gone since #1213 on main."),
        (RunCounts(9, 0, 9), findings(gone=1), None, "1 test gone since #1213 on main."),
        (
            RunCounts(9, 3, 6, has_died=True, not_run=5),
            findings(new_reasons=(2, 1), newly_failing=3),
            None,
            "2 reasons are new since #1213 on main and fail 3 tests. 5 tests did not run.",
        ),
        (
            RunCounts(9, 3, 6, has_died=True, not_run=5),
            findings(new_reasons=(1,), old_reasons=(2,), newly_failing=1, still_failing=2),
            None,
            (
                "1 reason is new since #1213 on main and fails 1 test. 1 has been failing since an earlier run."
                " 3 tests failed, 5 tests did not run."
            ),
        ),
        (
            RunCounts(9, 1, 8, has_died=True),
            findings(old_reasons=(1,), newly_failing=1),
            None,
            "1 test fails anew since #1213 on main. 1 reason has been failing since an earlier run.",
        ),
        (
            RunCounts(9, 2, 7, has_died=True),
            findings(old_reasons=(2,), still_failing=2),
            None,
            "Nothing fails anew since #1213 on main. 1 reason has been failing since an earlier run. 2 tests failed.",
        ),
        (
            RunCounts(9, 0, 9, not_run=3),
            findings(),
            None,
            "No change since #1213 on main. 3 tests did not run.",
        ),
    ],
)
def test_changes_are_told_since_the_base(
    counts: RunCounts, found: dict[str, Any], longest: int | None, sentence: str
) -> None:
    """New reasons first, then what has been failing, then what was fixed; always with the run it is compared with."""
    assert words(change_sentence(counts, found, "main", "main", longest)) == sentence


def test_a_first_run_says_what_it_is_compared_with() -> None:
    """The first run of a branch names the other branch, the first run of a suite says why nothing is compared."""
    found = findings(new_reasons=(17,), newly_failing=17, why="main branch")
    sentence = words(change_sentence(RunCounts(99, 17, 82), found, "main", "fix/rounding", None))
    assert sentence == (
        "No earlier run on fix/rounding: compared with main. 1 reason is new since #1213 on main and fails 17 tests."
    )
    first = {**found, "base": None}
    assert words(change_sentence(RunCounts(99, 17, 82), first, "", "main", None)) == (
        "No earlier run of this suite on main is known here, so it is compared with none."
    )
    assert change_sentence(RunCounts(99, 17, 82), None, "", "", None) == []


def test_an_open_run_says_how_long_it_takes_or_that_its_sender_is_silent() -> None:
    """An estimate while results come; after a minute without news, the command that sends waiting results."""
    counts = RunCounts(1204, 2, 1202, expected=2418, reasons=1, is_open=True)
    assert words(live_sentence(counts, 110_000_000, "main", None)) == (
        "About 1 min 50 s to go, by the times of the last runs on main. 1 reason so far."
    )
    silent = words(live_sentence(counts, None, "main", 120_000_000))
    assert silent.startswith("No news for 2 min 00 s.")
    assert "automation-report send" in silent
