"""A file of known failures is read line by line, and names tests as pytest and pages show them."""

from datetime import date
from pathlib import Path

import pytest

from pytest_automation_report.findings.known import (
    KnownFailure,
    KnownTests,
    known_failures,
    known_text,
    known_words,
    session_entry,
)

FILE = """
# waits for the new price list
until 2026-12-31 tests/test_cart.py::test_total[eur] SHOP-1 wrong sum
  until 2027-01-01 "tests/test_cart.py::test_total[us d]"
until 2027-01-01 tests/test_*.py::test_rate[*] SHOP-2
"""


def test_lines() -> None:
    """An entry has its line, day, test and reason; comments and empty lines are none, quotes keep spaces."""
    assert known_failures(FILE) == [
        KnownFailure(3, date(2026, 12, 31), "tests/test_cart.py::test_total[eur]", "SHOP-1 wrong sum"),
        KnownFailure(4, date(2027, 1, 1), "tests/test_cart.py::test_total[us d]", ""),
        KnownFailure(5, date(2027, 1, 1), "tests/test_*.py::test_rate[*]", "SHOP-2"),
    ]


def test_a_mark_of_the_encoding_is_no_part_of_a_line(tmp_path: Path) -> None:
    """Editors on Windows write a byte order mark before the first line."""
    path = tmp_path / "known.txt"
    path.write_text("until 2026-12-31 a.py::test_b\n", "utf-8-sig")
    assert known_failures(known_text(path))[0].test == "a.py::test_b"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-12-31 test_a.py::test_b", "line 2: '2026-12-31 test_a.py::test_b': write: until 2026-12-31"),
        ("until 2026-12-31", "line 2: 'until 2026-12-31': write: until"),
        ("until 31.12.2026 test_a.py::test_b", "line 2: '31.12.2026' is not a date: write it as 2026-12-31"),
        ("until 2026-02-30 test_a.py::test_b", "line 2: '2026-02-30' is not a date"),
        ("until 20261231 test_a.py::test_b", "line 2: '20261231' is not a date: write it as 2026-12-31"),
        ('until 2026-12-31 "test_a.py::test_b', "line 2: 'until 2026-12-31 \"test_a.py::test_b': write: until"),
    ],
    ids=["no until", "no test", "no ISO date", "no day", "no hyphens", "an open quote"],
)
def test_lines_that_cannot_be_read(line: str, message: str) -> None:
    """A line without `until`, a date or a test is an error with its number."""
    with pytest.raises(ValueError, match="line 2") as error:
        known_failures(f"# known\n{line}\n")
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tests/test_cart.py::test_total[eur]", 3),
        ("tests.test_cart.test_total[eur]", 3),
        ("tests/test_cart.py::test_total[us d]", 4),
        ("tests/test_cart.py::test_total[e]", None),
        ("tests/test_a/b.py::test_rate[x]", 5),
        ("tests/test_tax.py::test_rate[a-b]", 5),
        ("tests/test_tax.py::test_rate", None),
    ],
)
def test_names(name: str, line: int | None) -> None:
    """An entry names a test by its node id or by folder and name, brackets as they are; `*` is any text."""
    entry = KnownTests(known_failures(FILE)).of(name)
    assert (entry and entry.line) == line


def test_last_entry_of_a_test_counts() -> None:
    """Of several entries for a test the last one counts, be it a pattern or not."""
    entries = known_failures("until 2026-01-01 a.py::test_b\nuntil 2026-01-02 a.py::*\nuntil 2026-01-03 a.py::test_c\n")
    tests = KnownTests(entries)
    assert [entry and entry.line for entry in (tests.of("a.py::test_b"), tests.of("a.py::test_c"))] == [2, 3]
    assert {entry.line for entry in tests.matching("a.py::test_b")} == {1, 2}, "both name the test"


def test_the_day_is_the_last_that_excuses() -> None:
    """On its day an entry excuses a failure, on the next it does not."""
    (entry,) = known_failures("until 2026-12-31 a.py::test_b\n")
    days = (date(2026, 12, 31), date(2027, 1, 1))
    assert [KnownTests([entry], day).is_past(entry) for day in days] == [False, True]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([("2026-12-31", "SHOP-1 wrong sum"), ("2026-12-31", "SHOP-1")], "known until 31 December 2026 (SHOP-1)"),
        ([("2026-12-31", "SHOP-1"), ("2027-01-02", "SHOP-2")], "known until 31 December 2026 at the earliest"),
        ([("2026-12-31", "SHOP-1"), ("2026-12-31", "")], "known until 31 December 2026"),
        ([("2026-12-31", "")], "known until 31 December 2026"),
        ([("2026-02-31", "")], "known"),
    ],
)
def test_words(values: list[tuple[str, str]], words: str) -> None:
    """What is said of known failures names the first day, and the ticket if they share one."""
    assert known_words(session_entry(*each) for each in values) == words
