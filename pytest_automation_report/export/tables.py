"""Write a run as CSV with one line for each result, and all that our server has of it as one JSON document."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.export.results import ExportedTest
    from pytest_automation_report.findings.documents import RunFindings


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


_VERSION: Final = 1


def json_document(run: Json, source: str, findings: RunFindings | None, items: Iterable[Json]) -> Iterator[str]:
    """Yield the document in pieces, since a run may have 100,000 results.

    ``run`` and ``items`` are those of the API; ``findings`` are None if the server has none.
    """
    encode = partial(json.dumps, ensure_ascii=False)
    described = {**run, "source": source}
    yield f'{{"format": "automation-report run", "version": {_VERSION},\n"run": {encode(described)},\n'
    yield f'"findings": {encode(findings)},\n"tests": ['
    separator = "\n"
    for item in items:
        yield f"{separator}{encode(item)}"
        separator = ",\n"
    yield "\n]}\n"
