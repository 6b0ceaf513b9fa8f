"""Which sequences of outcomes make a test flaky, broken, suspect, new or stable."""

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_automation_report.findings.flakiness import (
    Content,
    Outcome,
    Verdict,
    evidence_words,
    judge_flakiness,
    storm,
    wilson_interval,
)

VERDICTS: dict[str, Verdict] = {"P": "passed", "F": "failed", "S": "skipped", "R": "passed", "W": "failed"}

OK = "P " * 10


def outcomes(text: str) -> list[Outcome]:
    """Return outcomes of runs in a row.

    P passed, F failed, S skipped, R passed at a second attempt, W failed in a storm. Each has a commit of its own.
    ``=`` after a letter: the commit of the run before; a number: this commit with changes of that number, 9 for unknown
    ones; ``?``: no commit is known. ``+`` before a letter: another result of the same run.
    """
    commits, run, commit, made = count(1), 0, "", []
    for word in text.split():
        letter, changes = word.strip("=?+0123456789"), word[-1] if word[-1].isdigit() else ""
        if "+" not in word:
            run += 1
            if "=" not in word and not changes:
                commit = "" if "?" in word else f"c{next(commits)}"
        content = Content(commit, changes.replace("9", "unknown"))
        made.append(Outcome(run, VERDICTS[letter], content, letter == "R", letter == "W"))
    return made


ROWS = [
    # Too little is known.
    ("", "new"), ("P", "new"), ("F", "new"), ("P P P P", "new"), ("F F", "new"), ("P F", "new"), ("P F P", "new"),
    ("S S S S S S S S", "new"), ("P S P S P S P", "new"),
    # Nothing happened, or nothing that says anything.
    ("P P P P P", "stable"), (OK, "stable"), (OK + "S " * 5, "stable"), ("S " * 5 + OK, "stable"),
    (OK + "F", "stable"), (OK + "F F", "stable"), ("F F P P P P", "stable"), ("F " + OK, "stable"),
    (OK + "F F P P", "stable"), (OK + "F F F F P P", "stable"), (OK + "F F P P F F P P", "stable"),
    (OK + "F S F P P", "stable"),
    # An outage beside a failure hides neither the pass before it nor the one after it.
    (OK + "F W P", "suspect"), (OK + "W F P", "suspect"), (OK + "F W W P P W F P", "flaky"),
    (OK + "F W F P P P", "stable"), (OK + "F F? F? P P F? F P", "stable"),
    # One retry is evidence, whatever else there is.
    ("R", "flaky"), ("P R", "flaky"), (OK + "R", "flaky"), ("R " + OK, "flaky"), ("R " + OK * 4, "flaky"),
    ("R " + "P " * 49, "flaky"), (OK + "R F", "flaky"), (OK + "R R R", "flaky"), (OK + "R S S", "flaky"),
    # A failure and a pass at one commit are evidence, in either order, with other runs of the commit between them.
    (OK + "F P=", "flaky"), (OK + "P F=", "flaky"), (OK + "F F= P=", "flaky"), (OK + "F S= P=", "flaky"),
    ("F P=", "flaky"), (OK + "P +F P", "suspect"), (OK + "F +F P=", "flaky"),
    # The same of equal changes; an author who breaks a test and mends it changes files, or commits.
    (OK + "F1 P1", "flaky"), (OK + "P1 F1", "flaky"), (OK + "F1 P2 F1", "stable"), (OK + "F1 P2 F3 P4", "stable"),
    ("P F1 P F2 P F3 P", "stable"), (OK + "F? P? F? P", "stable"), (OK + "F9 P9 F9 P", "stable"), ("F1 P2", "new"),
    (OK + "F1 P=", "stable"), (OK + "F1 P=1", "flaky"), (OK + "F1 F1 F1", "stable"), (OK + "F1 F2 F1", "broken"),
    # An isolated failure may have been real: two of them are evidence.
    (OK + "F P", "suspect"), (OK + "F S P", "suspect"), (OK + "S F P", "suspect"), (OK + "F P P F", "suspect"),
    (OK + "F P F P", "flaky"), (OK + "F P " + OK + "F P", "flaky"), (OK + "F P F F P", "suspect"),
    (OK + "F P F F F", "broken"),
    # Storms are no evidence, and they hide none.
    (OK + "W P", "stable"), (OK + "W P W P W P", "stable"), (OK + "W P= ", "stable"), (OK + "W P F P", "suspect"),
    (OK + "F P W P F P", "flaky"),
    # Broken: three failed runs on two commits or more, and none passed since. It wins over flaky.
    (OK + "F F F", "broken"), ("F F F", "broken"), (OK + "F F= F", "broken"), (OK + "F F= F=", "stable"),
    (OK + "F? F? F?", "broken"), (OK + "R F F F", "broken"), (OK + "F P F P F F F", "broken"),
    (OK + "F S F S F", "broken"), (OK + "W W W", "broken"), (OK + "F F F P", "stable"), (OK + "F F F P=", "flaky"),
    # Fifty decided runs without evidence make a test stable again; skipped runs do not.
    ("R " + "P " * 50, "stable"), ("R " + "P " * 49 + "S " * 20, "flaky"), ("F P= " + "P " * 49, "flaky"),
    ("F P= " + "P " * 50, "stable"), ("P F P F " + "P " * 49, "flaky"), ("P F P F " + "P " * 50, "stable"),
    ("R " + "P " * 120, "stable"),
    # What happened more than a hundred decided runs ago is forgotten.
    ("F P " + "P " * 97 + "F P", "suspect"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "state"), ROWS)
def test_state_of_a_sequence(text: str, state: str) -> None:
    """Each sequence of outcomes has the state that a person would give it."""
    assert judge_flakiness(outcomes(text))["state"] == state


def test_evidence_and_rate_are_told() -> None:
    """The state comes with its evidence by kind, the rate with both of its numbers and its interval."""
    found = judge_flakiness(outcomes(OK + "R P F P= P F P W P"))
    assert (found["state"], found["failed"], found["runs"]) == ("flaky", 3, 18)
    assert found["evidence"] == {"retries": 1, "states": 1, "isolated": 2}
    assert found["low"] < 3 / 18 < found["high"]


@pytest.mark.parametrize(
    ("text", "failed", "runs"), [("F? F? F?", 3, 3), ("P F1 F2 F3", 3, 4), (OK + "W W W", 3, 13), (OK + "W W P", 0, 11)]
)
def test_state_and_rate_are_of_the_same_runs(text: str, failed: int, runs: int) -> None:
    """The failures that make a test broken are among those that are counted."""
    found = judge_flakiness(outcomes(text))
    assert (found["failed"], found["runs"]) == (failed, runs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("P P R", "a first attempt failed in 1 of 3 runs"),
        (OK + "R R", "a first attempt failed in 2 of 12 runs"),
        ("P P F P=", "passed and failed with the same files; failed in 1 run between two that passed"),
        (OK + "F P F P", "failed in 2 runs, each between two that passed"),
        ("R F F F", "failed in each of its last 3 runs"),
        (OK + "F", "failed in 1 of 11 runs"),
    ],
)
def test_evidence_in_words(text: str, words: str) -> None:
    """No test is said to have failed whose second attempt passed in each run."""
    assert evidence_words(judge_flakiness(outcomes(text))) == words


@pytest.mark.parametrize(
    ("failed", "runs", "low", "high"),
    [(3, 120, 0.0085, 0.0709), (0, 60, 0.0, 0.0602), (0, 0, 0.0, 1.0), (5, 5, 0.5655, 1.0), (1, 2, 0.0945, 0.9055)],
)
def test_interval(failed: int, runs: int, low: float, high: float) -> None:
    """The interval is Wilson's."""
    assert wilson_interval(failed, runs) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("failures", "tests", "shared"),
    [
        ([], 100, frozenset()), (["a"] * 9, 100, frozenset()), (["a"] * 10 + ["b"] * 9, 100, frozenset({"a"})),
        (["a"] * 40, 5000, frozenset()), (["a"] * 50, 5000, frozenset({"a"})), (list("abcdefghijk"), 20, None),
        (list("abcdefghij"), 20, frozenset()), (list("abcdefghijk"), 19, frozenset()), (["a"] * 11, 20, None),
    ],
)  # fmt: skip
def test_storm(failures: list[str], tests: int, shared: frozenset[str] | None) -> None:
    """A run is a storm if most of its tests failed; a reason is one that ten tests share, or 1 % of a large run."""
    assert storm(failures, tests) == shared


@given(st.text("PFSRW", max_size=120), st.integers(), st.integers(0, 120))
def test_skipped_runs_and_the_order_of_arrival_change_nothing(letters: str, seed: int, where: int) -> None:
    """A state does not change with a run that skipped the test, nor with the order in which results arrived."""
    made = outcomes(" ".join(letters))
    found = judge_flakiness(made)
    between = Outcome(made[where % len(made)].run if made else 1, "skipped", Content("another"))
    shuffled = [*made, between]
    random.Random(seed).shuffle(shuffled)
    assert judge_flakiness(shuffled) == found
