"""CSV and the JSON document of a run."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_automation_report.export.documents import COLUMNS, csv_table, json_document
from support.exported import HOSTILE, a_flaky_item, a_problem, an_item, exported_from, findings_of


def rows(*items: dict[str, object]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(csv_table(exported_from(*items))), newline="")))


def test_columns() -> None:
    """Each result is one row with the documented columns; an error is apart from a failure."""
    failed = an_item("test_x", "failed", a_problem("Error", "no\nmore", "E   no"), fingerprint="ab")
    first, second = rows(failed, a_flaky_item("test_y"))
    assert tuple(first) == COLUMNS
    assert first == {
        "key": failed["key"], "folder": "tests.test_a", "name": "test_x", "status": "error",
        "elapsed_seconds": "1.250000", "attempts": "1", "flaky": "no", "file": "tests/test_a.py", "line": "3",
        "thread": "7", "reason": "ab", "type": "AssertionError", "message": "no",
    }  # fmt: skip
    assert (second["status"], second["attempts"], second["flaky"], second["message"]) == ("passed", "3", "yes", "")


def test_no_cell_is_a_formula() -> None:
    """A text that a spreadsheet would run gets an apostrophe; others are unchanged, but for null characters."""
    for name in ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx"):
        (row,) = rows(an_item(name, folder=name))
        assert (row["name"], row["folder"]) == (f"'{name}", f"'{name}")
    (row,) = rows(an_item(HOSTILE))
    assert row["name"] == HOSTILE.replace("\0", "\N{SYMBOL FOR NULL}")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_pieces_are_one_document_with_everything(count: int) -> None:
    """Run, source, findings and each result are there as the server has them, whatever their texts."""
    items = [an_item(f"test_{number}[{HOSTILE}]", file=HOSTILE) for number in range(count)]
    run, findings = {"id": 7, "name": HOSTILE}, findings_of()
    assert json.loads("".join(json_document(run, "backend", findings, items))) == {
        "format": "automation-report run", "version": 1, "run": {**run, "source": "backend"}, "findings": findings,
        "tests": items,
    }  # fmt: skip


def test_results_are_not_held_together() -> None:
    """A result is written before the next one is read: a run of 100,000 tests needs the memory of one."""
    read: list[int] = []

    def items() -> Iterator[dict[str, Any]]:
        for number in range(9):
            read.append(number)
            yield an_item(f"test_{number}")

    written = [len(read) for piece in json_document({}, "", None, items()) if '"name": "test_' in piece]
    assert written == list(range(1, 10))
