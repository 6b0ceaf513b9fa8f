"""The JSON document of a run."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_automation_report.export.tables import json_document
from support.exported import HOSTILE, an_item, findings_of


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_pieces_are_one_document_with_everything(count: int) -> None:
    """Run, source, findings and each result are there as the server has them, whatever their texts."""
    items = [an_item(f"test_{number}[{HOSTILE}]", file=HOSTILE) for number in range(count)]
    run, findings = {"id": 7, "name": HOSTILE}, findings_of()
    assert json.loads("".join(json_document(run, "backend", findings, items))) == {
        "format": "automation-report run",
        "version": 1,
        "run": {**run, "source": "backend"},
        "findings": findings,
        "tests": items,
    }


def test_results_are_not_held_together() -> None:
    """A result is written before the next one is read: a run of 100,000 tests needs the memory of one."""
    read: list[int] = []

    def items() -> Iterator[dict[str, Any]]:
        for number in range(9):
            read.append(number)
            yield an_item(f"test_{number}")

    written = [len(read) for piece in json_document({}, "", None, items()) if '"name": "test_' in piece]
    assert written == list(range(1, 10))
