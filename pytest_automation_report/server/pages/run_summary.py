"""The values of a run in a list, and on the pages of its tests; ``run.head`` has those of the page of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.statuses import RUN_WORDS, parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.values import StatusTable

PART_COLUMNS: Final = ("id", "elapsed", "selection", "collected", "total_count", "untested_count")
"""Columns of a run that say what part of its suite it ran, and for how long."""


def is_part_of(run: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether a run had another selection of tests than its base, by their rows."""
    return bool(run["selection"]) and run["selection"] != base["selection"]


def comparable_time(run: Mapping[str, Any], base: Mapping[str, Any]) -> int | None:
    """Return the duration of a run's base, None if one of the two ran other tests or stopped before the last one."""
    is_cut = any(row["total_count"] - row["untested_count"] < (row["collected"] or 0) for row in (run, base))
    elapsed: int | None = base["elapsed"]
    return None if is_cut or (run["selection"] or "") != (base["selection"] or "") else elapsed


def run_summary(record: RunRecord, table: StatusTable, source: str) -> dict[str, Any]:
    """Return the values of a run in a list, and on the page of a test."""
    row = record.row
    word, tone = RUN_WORDS.get(row["status"], ("Unknown", "idle"))
    fields, links = attached(record, "fields"), attached(record, "links")
    return {
        "id": row["id"],
        "project": row["project"],
        "name": row["name"],
        "source": source,
        "source_id": row["source"],
        "word": word,
        "tone": tone,
        "is_open": not row["is_completed"],
        "tags": json.loads(row["tags"]),
        "branch": next((field["value"] for field in fields if field["name"].lower() == "branch"), None),
        "link": next(iter(links), None),
        "parts": parts(row, table),
        "total": row["total_count"],
        "elapsed": row["elapsed"],
        "created": row["created"],
        "completed": row["completed"],
    }
