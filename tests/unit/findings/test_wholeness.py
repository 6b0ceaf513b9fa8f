"""The proof that the jobs of a run ran each collected test once."""

import pytest

from pytest_automation_report.findings.comparison import Share, wholeness_of
from pytest_automation_report.text.terminal import wholeness_words


def _share(
    job: str, *cases: int, chosen: int | None = None, attempt: int = 1, digest: str = "d", tests: int = 8
) -> Share:
    return Share(job, attempt, digest, tests, len(cases) if chosen is None else chosen, frozenset(cases))


FOUR = [_share(f"unit {number}/4", 2 * number, 2 * number + 1) for number in (1, 2, 3, 4)]
KILLED = [*FOUR[:3], _share("unit 4/4", 8, chosen=2)]
ALL = range(2, 10)
TABLE = [
    ("shards", FOUR, "8 tests, each once"),
    ("a lost shard", FOUR[:3], "2 missing, from unit 4/4"),
    ("the wrong number", [*FOUR[:3], _share("unit 4/4", 2, 3)], "2 missing, 2 twice, from unit 4/4"),
    ("a killed shard", KILLED, "1 missing, from unit 4/4"),
    ("which ran again", [*KILLED, _share("unit 4/4", 8, 9, attempt=2)], "8 tests, each once"),
    ("one job twice", [_share("unit", 2, 3, 4, 5), _share("unit", 4, 5, 6, 7)], "2 missing, 2 twice, from unit"),
    ("an empty shard", [*FOUR, _share("unit 5/5")], "8 tests, each once"),
    ("a matrix", [_share("py310", *ALL), _share("py313", *ALL, digest="e")], "16 tests, each once"),
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
    found = wholeness_of(shares)
    assert found is not None
    assert wholeness_words(found) == words


def test_what_cannot_be_known() -> None:
    """Nothing is claimed without sessions that say what they collected, nor if the ids of tests differ in each job."""
    assert wholeness_of([]) is None
    assert wholeness_of([_share("a", 1, 2, digest="a"), _share("b", 3, 4, digest="b")]) is None
