"""The values of a run in a list, and on the pages of its tests; ``run.head`` has those of the page of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from pytest_automation_report.findings.verdict import RunNumbers, verdict_of
from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.statuses import parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.values import StatusTable

_SIGNS: Final = {"fail": "✗", "pass": "✓", "live": "●", "flaky": "●", "skip": "–"}  # noqa: RUF001 - typography

PART_COLUMNS: Final = ("id", "elapsed", "selection", "collected", "total_count", "untested_count")
"""Columns of a run that say what part of its suite it ran, and for how long."""


def verdict_in_list(row: Mapping[str, Any], summary: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what is to be said of a run, by its row and the summary of its findings, None before these are there."""
    if row["is_completed"] and summary is not None:
        said: Mapping[str, Any] = summary["verdict"]
        return said
    finished = row["total_count"] - row["untested_count"]
    numbers = RunNumbers(
        finished=finished,
        failed=row["failure_count"],
        passed=row["success_count"],
        skipped=row["status5_count"],
        collected=row["collected"] if row["collected"] is None else max(row["collected"], finished),
        selection=row["selection"] or "",
        is_open=not row["is_completed"],
    )
    return asdict(verdict_of(numbers))


def titled(said: Mapping[str, Any]) -> str:
    """Return a verdict for the title of a window."""
    return f"{_SIGNS[said['tone']]} {said['short']}"


def comparable_time(run: Mapping[str, Any], base: Mapping[str, Any]) -> int | None:
    """Return the duration of a run's base, None if one of the two ran other tests or stopped before the last one."""
    is_cut = any(row["total_count"] - row["untested_count"] < (row["collected"] or 0) for row in (run, base))
    elapsed: int | None = base["elapsed"]
    return None if is_cut or (run["selection"] or "") != (base["selection"] or "") else elapsed


def run_summary(
    record: RunRecord, table: StatusTable, source: str, summary: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the values of a run in a list, and on the page of a test; ``summary`` is that of its findings."""
    row = record.row
    said = verdict_in_list(row, summary)
    fields, links = attached(record, "fields"), attached(record, "links")
    return {
        "id": row["id"],
        "project": row["project"],
        "name": row["name"],
        "source": source,
        "source_id": row["source"],
        "said": said,
        "word": "Running" if said["kind"] == "running" else said["short"].capitalize(),
        "tone": said["tone"],
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
