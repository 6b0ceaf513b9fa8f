"""Which run another one is compared with, and what has changed since."""

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from pytest_automation_report.findings.comparison import Apart, RunFacts, base_of, changes_between, is_partial
from pytest_automation_report.findings.flakiness import Verdict

VERDICTS: dict[str, Verdict] = {"P": "passed", "F": "failed", "S": "skipped"}


def run(id_: int, branch: str = "main", tests: int = 100, **facts: object) -> RunFacts:
    return replace(RunFacts(id_, branch=branch, tests=tests), **facts)


TOPIC = run(10, "topic")

BASES = {
    "nothing": (TOPIC, [], "", None),
    "same-branch": (TOPIC, [run(1), run(2, "topic"), run(3, "topic"), run(4)], "", (3, "same branch")),
    "newest": (run(10), [run(3), run(1), run(2)], "", (3, "same branch")),
    "main": (TOPIC, [run(1), run(2, "other"), run(3, "develop")], "", (1, "main branch")),
    "first-main-with-runs": (TOPIC, [run(1, "trunk"), run(2, "develop")], "", (1, "main branch")),
    "configured-main": (TOPIC, [run(1), run(2, "stable")], "stable", (2, "main branch")),
    "configured-main-without-runs": (TOPIC, [run(1)], "stable", None),
    "target": (replace(TOPIC, target_branch="v2"), [run(1), run(2, "v2"), run(3)], "", (2, "target branch")),
    "target-without-runs": (replace(TOPIC, target_branch="v2"), [run(1)], "", (1, "main branch")),
    "own-before-target": (replace(TOPIC, target_branch="v2"), [run(1, "topic"), run(2, "v2")], "", (1, "same branch")),
    "later-runs": (run(2), [run(1), run(3)], "", (1, "same branch")),
    "itself": (run(2), [run(2)], "", None),
    "open": (run(3), [run(1), run(2, is_completed=False)], "", (1, "same branch")),
    "empty": (run(3), [run(1), run(2, tests=0)], "", (1, "same branch")),
    "selection": (run(3), [run(1), run(2, selection="-k cart")], "", (1, "same branch")),
    "same-selection": (
        run(4, tests=5, selection="-k a"),
        [run(1), run(2, tests=5, selection="-k a"), run(3, selection="-k b")],
        "",
        (2, "same branch"),
    ),
    "only-whole-runs": (run(4, tests=5, selection="-k a"), [run(1), run(2, selection="-k b")], "", (1, "same branch")),
    "same-selection-of-main": (
        replace(TOPIC, selection="-k a"),
        [run(1, selection="-k a"), run(2)],
        "",
        (1, "main branch"),
    ),
    "wider-selection": (
        run(4, tests=5, selection="-k a tests"),
        [run(1), run(2, selection="tests"), run(3, selection="-k b tests")],
        "",
        (2, "same branch"),
    ),
    "same-selection-before-a-wider-one": (
        run(4, tests=5, selection="-k a tests"),
        [run(1, tests=5, selection="-k a tests"), run(2, selection="tests"), run(3)],
        "",
        (1, "same branch"),
    ),
    "newest-of-the-wider-ones": (
        run(4, tests=5, selection="tests/unit/test_a.py"),
        [run(1), run(2, selection="tests/unit"), run(3, selection="tests")],
        "",
        (3, "same branch"),
    ),
    "the-whole-suite-of-a-part": (run(3), [run(1, selection="tests"), run(2, selection="-k a")], "", None),
    "last-failures-of-a-part": (
        run(3, tests=2, selection="--lf tests"),
        [run(1, selection="tests"), run(2, tests=2, selection="--lf tests")],
        "",
        (1, "same branch"),
    ),
    "last-failures": (run(3, selection="--lf"), [run(1), run(2, selection="--lf")], "", (1, "same branch")),
    "cut-short": (run(3), [run(1), run(2, tests=89, collected=100)], "", (1, "same branch")),
    "killed-near-its-end": (run(3), [run(1), run(2, tests=99, collected=100, has_died=True)], "", (1, "same branch")),
    "killed-twice": (run(2, has_died=True), [run(1, has_died=True)], "", None),
    "tests-that-never-began": (run(3), [run(1), run(2, untested=11, collected=100)], "", (1, "same branch")),
    "few-that-never-began": (run(3), [run(1), run(2, untested=10, collected=100)], "", (2, "same branch")),
    "untested-of-an-unknown-number": (run(3), [run(1), run(2, untested=60)], "", (2, "same branch")),
    "nearly-whole": (run(3), [run(1), run(2, tests=90, collected=100)], "", (2, "same branch")),
    "first-was-cut-short": (run(2), [run(1, tests=3, collected=100)], "", None),
    "first-was-small": (run(2), [run(1, tests=3)], "", None),
    "first-was-cut-short-on-main-not": (TOPIC, [run(1), run(2, "topic", tests=3)], "", (1, "main branch")),
    "whole-as-it-grew": (run(2, collected=100), [run(1, tests=3, collected=3)], "", (1, "same branch")),
    "whole-as-it-shrank": (run(3, tests=9), [run(1), run(2, tests=9, collected=9)], "", (2, "same branch")),
    "plugin-deselected-most": (
        run(3, collected=100),
        [run(1, collected=100), run(2, tests=9, collected=9, deselected=91)],
        "",
        (1, "same branch"),
    ),
    "always-deselects": (
        run(3, tests=9, collected=9, deselected=5),
        [run(1, collected=100, deselected=5), run(2, tests=9, collected=9, deselected=5)],
        "",
        (2, "same branch"),
    ),
    "small-suite-grows": (run(2, tests=20), [run(1, tests=3)], "", (1, "same branch")),
    "part": (run(3), [run(1), run(2, tests=49)], "", (1, "same branch")),
    "half": (run(3), [run(1), run(2, tests=50)], "", (2, "same branch")),
    "part-of-a-part": (run(5), [run(1), run(2, tests=40), run(3, tests=30), run(4, tests=20)], "", (1, "same branch")),
    "shrinking": (run(4), [run(1), run(2, tests=60), run(3, tests=31)], "", (3, "same branch")),
    "other-configuration": (run(3), [run(1), run(2, config=7)], "", (1, "same branch")),
    "no-branch": (run(3, ""), [run(1, ""), run(2)], "", (1, "same branch")),
    "no-branch-falls-to-main": (run(3, ""), [run(2)], "", (2, "main branch")),
}


@pytest.mark.parametrize(("facts", "others", "main", "expected"), list(BASES.values()), ids=list(BASES))
def test_base(facts: RunFacts, others: list[RunFacts], main: str, expected: tuple[int, str] | None) -> None:
    """The base is the newest whole run, or run of the same part, of the own branch, the target or the main branch."""
    for order in (others, others[::-1]):
        base = base_of(facts, order, main_branch=main)
        assert (base and (base.run.id, base.why)) == expected


def verdicts(text: str) -> dict[int, Verdict]:
    """Return verdicts of tests with the numbers 0, 1, 2 ..; a dot is a test that is not there."""
    return {place: VERDICTS[letter] for place, letter in enumerate(text) if letter != "."}


def lists(before: str | None, now: str, **options: Any) -> dict[str, list[int]]:  # noqa: ANN401 - those of the function
    """Return the tests of each list that has any."""
    found = asdict(changes_between(None if before is None else verdicts(before), verdicts(now), **options))
    return {name: [*tests] for name, tests in found.items() if tests}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("", "", {}),
        ("PPP", "PPP", {}),
        ("P", "F", {"newly_failing": [0]}),
        ("F", "F", {"still_failing": [0]}),
        ("F", "P", {"fixed": [0]}),
        ("F", "S", {"newly_skipped": [0]}),
        ("P", "S", {"newly_skipped": [0]}),
        ("S", "S", {}),
        ("S", "F", {"newly_failing": [0]}),
        ("S", "P", {}),
        (".", "P", {"new_tests": [0]}),
        (".", "S", {"new_tests": [0]}),
        (".", "F", {"newly_failing": [0], "new_tests": [0]}),
        ("P", ".", {"gone": [0]}),
        ("F", ".", {"gone": [0]}),
        # The first run of a suite has failures, but no new ones.
        (None, "FPS", {}),
        (
            "PFPF.P",
            "FFFPF.",
            {"newly_failing": [0, 2, 4], "still_failing": [1], "fixed": [3], "new_tests": [4], "gone": [5]},
        ),
    ],
)
def test_changes(before: str | None, now: str, expected: dict[str, list[int]]) -> None:
    """Each test is in the list of what happened to it since the base; without a base nothing has changed."""
    assert lists(before, now) == expected


def test_modules_and_tests_that_did_not_run_are_apart() -> None:
    """A file that was not collected is no test; its tests are not gone, and not new when it is collected again."""
    broken = Apart(modules={2}, not_run={0})
    assert lists("PP.", ".PF", apart=broken) == {"newly_failing": [2], "not_run": [0]}
    mended = Apart(modules={2}, imported={2}, known={0})
    assert lists(".PF", "PP.", apart=mended) == {"fixed": [2]}
    assert lists("F", "P", apart=Apart(flaky={0})) == {"passed_again": [0]}


def test_a_part_of_the_suite_makes_no_test_gone() -> None:
    """A run of some tests says nothing of the others."""
    assert lists("PPF", "F", has_part=True) == {"newly_failing": [0]}


@pytest.mark.parametrize(
    ("facts", "base", "expected"),
    [
        (run(2), None, False),
        (run(2, selection="-k cart"), None, True),
        (run(2, selection="-k cart"), run(1, selection="-k cart"), False),
        (run(2, selection="-k cart"), run(1), True),
        (run(2), run(1, selection="-k cart"), False),
        (run(2, collected=200), run(1), True),
        (run(2, has_died=True), run(1), True),
        (run(2, tests=49), run(1), True),
        (run(2, tests=50), run(1), False),
        (run(2, tests=9, collected=9), run(1), False),
        (run(2, tests=9, collected=9, deselected=91), run(1), True),
        (run(2, tests=500), run(1), False),
    ],
)
def test_part_of_a_suite(facts: RunFacts, base: RunFacts | None, *, expected: bool) -> None:
    """A run is a part of the suite if tests were selected or did not run, or by its size if nothing else is known."""
    assert is_partial(facts, base) is expected
