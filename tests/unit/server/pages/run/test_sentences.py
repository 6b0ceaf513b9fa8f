"""What stands below the verdict of a run: its changes, deaths and time to go, in words."""

from typing import cast

import pytest
from msgspec.structs import replace

from pytest_automation_report.api.models import Json
from pytest_automation_report.findings.documents import RunFindings
from pytest_automation_report.findings.sentences import MINE, RunNumbers
from pytest_automation_report.server.pages.run.facts import ToGo
from pytest_automation_report.server.pages.run.head import change_sentence, live_sentence, text_of

COUNTS = ("fixed", "passed_again", "new_tests", "gone", "moved", "newly_skipped", "slower", "unstable_ids")
PASSED = RunNumbers(finished=9, passed=9)
FAILED = RunNumbers(finished=9, failed=3, passed=6)


def findings(
    *,
    why: str = "same branch",
    kind: str = "failed",
    new_reasons: int = 1,
    files: int = 0,
    since: Json | None = None,
    **counts: int,
) -> RunFindings:
    """Return findings with these numbers, some of failures by whose they are, others of what changed.

    ``files`` of the fixed tests are files.
    """
    found = {
        "base": {"run": 1213, "why": why},
        "verdict": {"kind": kind},
        "mine": {name: counts.pop(name, 0) for name in MINE},
        "counts": {**dict.fromkeys(COUNTS, 0), **counts},
        "tests": {"fixed": [{"folder": "tests.test_a", "name": "tests.test_a"}] * files},
        "reasons": [{"kind": "new", "since": since}] * new_reasons + [{"kind": "still", "since": None}],
    }
    return cast("RunFindings", found)


NOW = 1_700_000_000_000_000
BEGAN = {"run": 1214, "commit": "a1b2c3d4", "author": "Ann", "changes": None, "at": NOW - 7_200_000_000}
RETRIED = RunNumbers(finished=2418, passed=2406, flaky=1, skipped=12)
CUT = RunNumbers(finished=9, passed=9, not_run=3, collected=12)


@pytest.mark.parametrize(
    ("numbers", "found", "longest", "sentence"),
    [
        (FAILED, findings(new=301, still=18, fixed=4, new_reasons=2), 9,
         "Compared with #1213 on main: 301 new, for 2 reasons, 18 still failing for up to 9 runs. 4 tests fixed."),
        (FAILED, findings(new=1), None, "Compared with #1213 on main: 1 new."),
        (FAILED, findings(new=2, still=1, since=BEGAN), None,
         "Compared with #1213 on main: 2 new since a1b2c3d (Ann, 2 h ago), 1 still failing."),
        (FAILED, findings(new=1, since={**BEGAN, "author": None, "changes": "d1"}), None,
         "Compared with #1213 on main: 1 new since a1b2c3d + changes (2 h ago)."),
        (FAILED, findings(new=1, back=2, flaky=1, still=3), 1,
         ("Compared with #1213 on main: 1 new (2 back), 1 of a flaky test,"
         " 3 still failing.")),
        (FAILED, findings(still=2), 3, "Compared with #1213 on main: nothing new, 2 still failing for up to 3 runs."),
        (RETRIED, findings(fixed=4, passed_again=1), None,
         ("Compared with #1213 on main: 4 tests fixed, 1 flaky test passed again. 1 test passed only on a retry,"
         " 12 tests were skipped.")),
        (PASSED, findings(), None, "Compared with #1213 on main: no change."),
        (PASSED, findings(slower=2), None, "2 tests slower than usual."),
        (PASSED, findings(fixed=1, slower=1), None,
         "Compared with #1213 on main: 1 test fixed. 1 test slower than usual."),
        (PASSED, findings(fixed=3, files=1), None, "Compared with #1213 on main: 2 tests and 1 file fixed."),
        (PASSED, findings(new_tests=14), None, "Compared with #1213 on main: 14 new tests."),
        (PASSED, findings(new_tests=1, gone=2), None, "Compared with #1213 on main: 1 new test, 2 gone."),
        (PASSED, findings(gone=1), None, "Compared with #1213 on main: 1 test gone."),
        (PASSED, findings(newly_skipped=1), None, "Compared with #1213 on main: 1 test newly skipped."),
        (FAILED, findings(new=1, gone=1, newly_skipped=2), None,
         "Compared with #1213 on main: 1 new. 1 test gone, 2 newly skipped."),
        (CUT, findings(kind="passed"), None, "Compared with #1213 on main: no change. 3 tests did not run."),
        (CUT, findings(kind="died"), None, ""),
    ],
)  # fmt: skip
def test_changes_since_the_base(numbers: RunNumbers, found: RunFindings, longest: int | None, sentence: str) -> None:
    """Whose failures these are, then what passes again; always with the run it is compared with."""
    assert text_of(change_sentence(numbers, found, "main", "main", longest, is_first=False, now=NOW)) == sentence


MAIN = findings(new=17, why="main branch")
ALONE: RunFindings = {**MAIN, "base": None}


@pytest.mark.parametrize(
    ("found", "branches", "is_first", "sentence"),
    [
        (MAIN, ("main", "fix/x"), True, "No earlier run on fix/x. Compared with #1213 on main: 17 new."),
        (MAIN, ("main", "fix/x"), False,
         "No earlier run on fix/x can be compared with it. Compared with #1213 on main: 17 new."),
        (ALONE, ("", "main"), True, "The first run of this suite on main that is known here."),
        (ALONE, ("", "main"), False, "No earlier run on main can be compared with it."),
    ],
)  # fmt: skip
def test_a_first_run_says_what_it_is_compared_with(
    found: RunFindings, branches: tuple[str, str], *, is_first: bool, sentence: str
) -> None:
    """The first run of a branch names the other branch, the first run of a suite says that it is the first.

    A run that no earlier one can be compared with is not called the first.
    """
    assert text_of(change_sentence(FAILED, found, *branches, None, is_first=is_first)) == sentence


def test_an_open_run_says_how_long_it_takes_or_that_its_sender_is_silent() -> None:
    """An estimate while results come; after a minute without news, the command that sends waiting results."""
    counts = RunNumbers(finished=1204, failed=2, passed=1202, collected=2418, is_open=True)
    assert text_of(live_sentence(counts, ToGo(110_000_000, "the times of the last runs on main"), 0, 0)) == (
        "About 1 min 50 s to go, by the times of the last runs on main. 0 new so far."
    )
    silent = replace(counts, is_silent=True)
    said = text_of(live_sentence(silent, None, 120_000_000, None))
    assert said.startswith("No news for 2 min 00 s. The machine")
    assert "automation-report send" in said
    ended = text_of(live_sentence(silent, None, 120_000_000, None, has_ended=True))
    assert ended.startswith("No news for 2 min 00 s: all workers have ended.")
    assert "automation-report run finish" in ended
