"""Which run another one is compared with, what has changed since, which selections hold others, what jobs lost."""

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from pytest_automation_report.findings.comparison import (
    Apart,
    RunFacts,
    Share,
    changes_between,
    choose_base,
    includes,
    is_partial,
    judge_wholeness,
    selection_command,
)
from pytest_automation_report.findings.flakiness import Verdict
from pytest_automation_report.findings.sentences import wholeness_words

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
        run(4, tests=5, selection="-k a"), [run(1), run(2, tests=5, selection="-k a"), run(3, selection="-k b")], "",
        (2, "same branch"),
    ),
    "only-whole-runs": (run(4, tests=5, selection="-k a"), [run(1), run(2, selection="-k b")], "", (1, "same branch")),
    "wider-selection-of-main": (
        replace(TOPIC, selection="-k a"), [run(1, selection="-k a"), run(2)], "", (2, "main branch"),
    ),
    "wider-selection": (
        run(4, tests=5, selection="-k a tests"), [run(1), run(2, selection="tests"), run(3, selection="-k b tests")],
        "", (2, "same branch"),
    ),
    "same-selection-after-a-wider-one": (
        run(4, tests=5, selection="-k a tests"),
        [run(1), run(2, selection="tests"), run(3, tests=5, selection="-k a tests")], "", (3, "same branch"),
    ),
    "newest-of-the-wider-ones": (
        run(4, tests=5, selection="tests/unit/test_a.py"),
        [run(1), run(2, selection="tests/unit"), run(3, selection="tests")], "", (3, "same branch"),
    ),
    "the-whole-suite-of-a-part": (run(3), [run(1, selection="tests"), run(2, selection="-k a")], "", None),
    "last-failures-of-a-part": (
        run(3, tests=2, selection="--lf tests"), [run(1, selection="tests"), run(2, tests=2, selection="--lf tests")],
        "", (1, "same branch"),
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
        run(3, collected=100), [run(1, collected=100), run(2, tests=9, collected=9, deselected=91)], "",
        (1, "same branch"),
    ),
    "always-deselects": (
        run(3, tests=9, collected=9, deselected=5),
        [run(1, collected=100, deselected=5), run(2, tests=9, collected=9, deselected=5)], "", (2, "same branch"),
    ),
    "small-suite-grows": (run(2, tests=20), [run(1, tests=3)], "", (1, "same branch")),
    "part": (run(3), [run(1), run(2, tests=49)], "", (1, "same branch")),
    "half": (run(3), [run(1), run(2, tests=50)], "", (2, "same branch")),
    "part-of-a-part": (run(5), [run(1), run(2, tests=40), run(3, tests=30), run(4, tests=20)], "", (1, "same branch")),
    "shrinking": (run(4), [run(1), run(2, tests=60), run(3, tests=31)], "", (3, "same branch")),
    "other-configuration": (run(3), [run(1), run(2, config=7)], "", (1, "same branch")),
    "no-branch": (run(3, ""), [run(1, ""), run(2)], "", (1, "same branch")),
    "no-branch-falls-to-main": (run(3, ""), [run(2)], "", (2, "main branch")),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "others", "main", "expected"), list(BASES.values()), ids=list(BASES))
def test_base(facts: RunFacts, others: list[RunFacts], main: str, expected: tuple[int, str] | None) -> None:
    """The base is the newest whole run, or run of the same part, of the own branch, the target or the main branch."""
    for order in (others, others[::-1]):
        base = choose_base(facts, order, main_branch=main)
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


@pytest.mark.parametrize(
    ("before", "now", "options", "expected"),
    [
        ("PP.", ".PF", {"apart": Apart(modules={2}, not_run={0})}, {"newly_failing": [2], "not_run": [0]}),
        (".PF", "PP.", {"apart": Apart(modules={2}, imported={2}, known={0})}, {"fixed": [2]}),
        ("F", "P", {"apart": Apart(flaky={0})}, {"passed_again": [0]}),
        ("PPF", "F", {"has_part": True}, {"newly_failing": [0]}),
    ],
    ids=["broken module", "mended module", "flaky", "part"],
)
def test_tests_apart(before: str, now: str, options: dict[str, Any], expected: dict[str, list[int]]) -> None:
    """A file that was not collected is no test; its tests are neither gone nor new, nor are those of no selection."""
    assert lists(before, now, **options) == expected


@pytest.mark.parametrize(
    ("facts", "base", "expected"),
    [
        (run(2), None, False), (run(2, selection="-k cart"), None, True),
        (run(2, selection="-k cart"), run(1, selection="-k cart"), False), (run(2, selection="-k cart"), run(1), True),
        (run(2), run(1, selection="-k cart"), False), (run(2, collected=200), run(1), True),
        (run(2, has_died=True), run(1), True), (run(2, tests=49), run(1), True), (run(2, tests=50), run(1), False),
        (run(2, tests=9, collected=9), run(1), False), (run(2, tests=9, collected=9, deselected=91), run(1), True),
        (run(2, tests=500), run(1), False),
    ],
)  # fmt: skip
def test_part_of_a_suite(facts: RunFacts, base: RunFacts | None, *, expected: bool) -> None:
    """A run is a part of the suite if tests were selected or did not run, or by its size if nothing else is known."""
    assert is_partial(facts, base) is expected


@pytest.mark.parametrize(
    ("wide", "narrow", "is_included"),
    [
        ("", "", True), ("", "-k cart", True), ("-k cart", "", False), ("-k cart", "-k cart", True),
        ("-k cart", "-k 'cart and pay'", False), ("-k cart", "-k cart -m smoke", True),
        ("-k cart -m smoke", "-k cart", False), ("-m cart", "-k cart", False), ("-m cart", "-k -m cart", False),
        ("--deselect=tests/test_a.py", "--deselect=tests/test_a.py tests", True),
        ("--deselect=tests/test_a.py", "--deselect=tests/test_b.py", False), ("tests", "-k cart tests", True),
        ("tests", "-k cart", False), ("tests", "tests/unit", True), ("tests/unit", "tests", False),
        ("tests/unit", "tests/unit_old", False), ("tests/test_a.py", "'tests/test_a.py::test_b[x y]'", True),
        ("tests/test_a.py::test_b", "'tests/test_a.py::test_b[x y]'", True),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_bc", False), ("tests/a tests/b", "tests/b/test_c.py", True),
        ("tests/a", "tests/a tests/b", False), ("--lf", "--lf", False), ("tests", "--lf tests", True),
        ("-k '--lf'", "-k '--lf'", True), ("tests", "it's broken", False), ("", "it's broken", True),
    ],
)  # fmt: skip
def test_includes(wide: str, narrow: str, *, is_included: bool) -> None:
    """A selection has another's tests if it has no option of its own and its paths lead to those of the other."""
    assert includes(wide, narrow) is is_included


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ("", ""), ("-k 'cart and pay' tests/unit", " -k 'cart and pay' tests/unit"),
        ("-m smoke --deselect=tests/a.py::test_a", " -m smoke --deselect=tests/a.py::test_a"), ("--lf", ""),
        ("tests; rm -r .", ""), ("tests;reboot '$(reboot)'", " 'tests;reboot' '$(reboot)'"), ("-p evil tests", ""),
        ("@options", ""), ("-k @options", ""), ("tests 'unclosed", ""),
        ("-k 'cart or pay or an expression that was c", ""), ("''", " ''"),
    ],
)  # fmt: skip
def test_command_of(selection: str, words: str) -> None:
    """The command runs the same tests; a part of a selection, and words of another program, are in none."""
    assert selection_command(selection) == f"pytest --automation-report{words}"


def _share(
    job: str, *cases: int, chosen: int | None = None, attempt: int = 1, digest: str = "d", tests: int = 8
) -> Share:
    return Share(job, attempt, frozenset(cases), digest, tests, len(cases) if chosen is None else chosen)


FOUR = [_share(f"unit {number}/4", 2 * number, 2 * number + 1) for number in (1, 2, 3, 4)]
KILLED = [*FOUR[:3], _share("unit 4/4", 8, chosen=2)]
ALL = range(2, 10)
TABLE = [
    ("shards", FOUR, "8 tests, each once in 4 jobs"),
    ("a lost shard", FOUR[:3], "2 missing, from unit 4/4"),
    ("the wrong number", [*FOUR[:3], _share("unit 4/4", 2, 3)], "2 missing, 2 twice, from unit 4/4"),
    ("a killed shard", KILLED, "1 missing, from unit 4/4"),
    ("which ran again", [*KILLED, _share("unit 4/4", 8, 9, attempt=2)], "8 tests, each once in 4 jobs"),
    ("one job twice", [_share("unit", 2, 3, 4, 5), _share("unit", 4, 5, 6, 7)], "2 missing, 2 twice, from unit"),
    ("an empty shard", [*FOUR, _share("unit 5/5")], "8 tests, each once in 5 jobs"),
    ("a matrix", [_share("py310", *ALL), _share("py313", *ALL, digest="e")], "8 tests, each once in each of its jobs"),
    ("a matrix without names", [_share("test", *ALL), _share("test", *ALL, attempt=2)], "8 tests, each once"),
    ("a matrix that was killed", [_share("py310", *ALL), _share("py313", 2, 3, chosen=8)], "6 missing, from py313"),
    (
        "a file that was not collected at first",
        [_share("unit", tests=6, chosen=6, digest="e"), _share("unit", *ALL, attempt=2)],
        "8 tests, each once",
    ),
    (
        "a file that is not collected any more",
        [_share("unit", 2, chosen=8), _share("unit", 2, tests=1, digest="e", attempt=2)],
        "7 missing, from unit",
    ),
    ("one test", [_share("a", 1, tests=1)], "1 test, each once"),
]  # fmt: skip


@pytest.mark.parametrize(("shares", "words"), [pytest.param(*row, id=name) for name, *row in TABLE])
def test_wholeness(shares: list[Share], words: str) -> None:
    """Shards have each test once together, other jobs each of their own; who lost or doubled tests is named."""
    found = judge_wholeness(shares)
    assert found is not None
    assert wholeness_words(found) == words


def test_what_cannot_be_known() -> None:
    """Nothing is claimed without sessions that say what they collected, nor if the ids of tests differ in each job."""
    assert judge_wholeness([]) is None
    assert judge_wholeness([_share("a", 1, 2, digest="a"), _share("b", 3, 4, digest="b")]) is None
