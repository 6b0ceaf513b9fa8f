"""The values of a run in a list, and on the pages of its tests; ``run.head`` has those of the page of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.statuses import RUN_WORDS, parts

if TYPE_CHECKING:
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.statuses import StatusTable


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
