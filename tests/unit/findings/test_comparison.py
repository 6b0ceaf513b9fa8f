"""Which run another one is compared with, and what has changed since."""

import pytest
from msgspec.structs import replace

from pytest_automation_report.findings.comparison import (
    Apart,
    Changes,
    RunFacts,
    base_of,
    changes_between,
    is_partial,
    since,
)
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


def verdicts(text: str) -> dict[str, Verdict]:
    """Return verdicts of tests named a, b, c ..; a dot is a test that is not there."""
    return {chr(97 + place): VERDICTS[letter] for place, letter in enumerate(text) if letter != "."}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("", "", Changes()),
        ("PPP", "PPP", Changes()),
        ("P", "F", Changes(newly_failing=("a",))),
        ("F", "F", Changes(still_failing=("a",))),
        ("F", "P", Changes(fixed=("a",))),
        ("F", "S", Changes(newly_skipped=("a",))),
        ("P", "S", Changes(newly_skipped=("a",))),
        ("S", "S", Changes()),
        ("S", "F", Changes(newly_failing=("a",))),
        ("S", "P", Changes()),
        (".", "P", Changes(new_tests=("a",))),
        (".", "S", Changes(new_tests=("a",))),
        (".", "F", Changes(newly_failing=("a",), new_tests=("a",))),
        ("P", ".", Changes(gone=("a",))),
        ("F", ".", Changes(gone=("a",))),
        ("PFPF.P", "FFFPF.", Changes(("a", "c", "e"), ("b",), ("d",), new_tests=("e",), gone=("f",))),
    ],
)
def test_changes(before: str, now: str, expected: Changes[str]) -> None:
    """Each test is in the list of what happened to it since the base."""
    assert changes_between(verdicts(before), verdicts(now)) == expected


def test_modules_and_tests_that_did_not_run_are_apart() -> None:
    """A file that was not collected is no test; its tests are not gone, and not new when it is collected again."""
    broken = Apart(modules={"c"}, not_run={"a"})
    assert changes_between(verdicts("PP."), verdicts(".PF"), apart=broken) == Changes(
        newly_failing=("c",), not_run=("a",)
    )
    mended = Apart(modules={"c"}, imported={"c"}, known={"a"})
    assert changes_between(verdicts(".PF"), verdicts("PP."), apart=mended) == Changes(fixed=("c",))
    assert changes_between(verdicts("F"), verdicts("P"), apart=Apart(flaky={"a"})) == Changes(passed_again=("a",))


def test_a_part_of_the_suite_makes_no_test_gone() -> None:
    """A run of some tests says nothing of the others."""
    assert changes_between(verdicts("PPF"), verdicts("F"), has_part=True) == Changes(newly_failing=("a",))


def test_without_a_base_nothing_has_changed() -> None:
    """The first run of a suite has failures, but no new ones."""
    nothing: Changes[str] = Changes()
    assert changes_between(None, verdicts("FPS")) == nothing


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
        (run(2, tests=500), run(1), False),
    ],
)
def test_part_of_a_suite(facts: RunFacts, base: RunFacts | None, *, expected: bool) -> None:
    """A run is a part of the suite if tests were selected, or if it has fewer than half of its base's."""
    assert is_partial(facts, base) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("P", None),
        ("F", 1),
        ("PF", 2),
        ("PFF", 2),
        ("PFSF", 2),
        ("FPF", 3),
        ("FP", None),
        ("FFS", None),
        ("SF", 2),
    ],
)
def test_since(text: str, expected: int | None) -> None:
    """A failing test fails since the first run of its streak; runs that skipped it do not break the streak."""
    assert since([(number, VERDICTS[letter]) for number, letter in enumerate(text, 1)]) == expected
