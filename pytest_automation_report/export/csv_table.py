"""Write the results of a run as CSV, one line for each, for spreadsheets and for databases."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.export.results import ExportedTest

COLUMNS: Final = (
    "key", "folder", "name", "status", "elapsed_seconds", "attempts", "flaky", "file", "line", "thread", "reason",
    "type", "message",
)  # fmt: skip
"""Names of the columns, which are the first line."""

# Spreadsheets take a cell that begins with one of these for a formula, and run it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_table(tests: Iterable[ExportedTest]) -> Iterator[str]:
    """Yield the table line by line; an apostrophe stands before a text that a spreadsheet would take for a formula."""
    yield _line(COLUMNS)
    for test in tests:
        problem = next(iter(test.problems), None)
        yield _line(
            (
                _cell(test.key),
                _cell(test.folder),
                _cell(test.name),
                "error" if test.is_error else _cell(test.status or test.verdict),
                "" if test.elapsed is None else f"{test.elapsed / 1_000_000:.6f}",
                test.attempt_count,
                "yes" if test.is_flaky else "no",
                _cell(test.file or ""),
                "" if test.line is None else test.line,
                "" if test.thread_id is None else test.thread_id,
                test.fingerprint or "",
                _cell(problem.type if problem else ""),
                _cell(test.message.strip().partition("\n")[0]),
            )
        )


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(text: str) -> str:
    # Spreadsheets end a cell at a null character, and Python 3.10 refuses to write it: its picture stands for it.
    text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    return f"'{text}" if text.startswith(_FORMULA) else text
