"""Statuses of results and runs for readers, and what a list says of a run. A tone is the name of a colour."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec.structs import asdict

from pytest_automation_report.findings.verdict import RunNumbers, verdict_of
from pytest_automation_report.server.pages.words import attached
from pytest_automation_report.server.store.values import STATUS_SLOTS, ResultStatus, RunStatus, StatusTable, slot_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.store.reads import RunRecord


Tone: TypeAlias = Literal["pass", "fail", "skip", "warn", "block", "idle", "live"]

_TONES: Mapping[str, Tone] = {
    "untested": "idle",
    "passed": "pass",
    "failed": "fail",
    "retest": "warn",
    "blocked": "block",
    "skipped": "skip",
}
RUN_WORDS: Mapping[int, tuple[str, Tone]] = {
    RunStatus.SUCCESS: ("Passed", "pass"),
    RunStatus.FAILURE: ("Failed", "fail"),
    RunStatus.RUNNING: ("Running", "live"),
}


@dataclass(frozen=True, slots=True)
class Status:
    """A result status with its name and tone."""

    id: int
    name: str
    tone: Tone


def shown_status(table: StatusTable, number: int) -> Status:
    """Return a status by its id, also one that the project does not have."""
    status = table.by_id.get(number)
    return _unknown(number) if status is None else _shown(status)


@lru_cache(maxsize=STATUS_SLOTS)
def _unknown(number: int) -> Status:
    """Return a status that a project does not have: nearly all are none, in each bar of a page."""
    return _shown(ResultStatus(number, f"Status {number}", (f"status{number}",)))


def _shown(status: ResultStatus) -> Status:
    tone = _TONES.get(status.system_name)
    # A project may have renamed a status and changed its meaning: the meaning decides.
    if tone is None or status.is_passed or status.is_failed:
        tone = "pass" if status.is_passed else "fail" if status.is_failed else tone or "skip"
    return Status(status.id, status.name, tone)


def ranked(table: StatusTable) -> list[Status]:
    """Return all possible statuses, failures first and passes last."""
    rank = {"fail": 0, "block": 1, "warn": 2, "skip": 3, "idle": 4, "pass": 5, "live": 6}
    statuses = [shown_status(table, number) for number in range(1, STATUS_SLOTS + 1)]
    return sorted(statuses, key=lambda status: (rank[status.tone], status.id))


def parts(row: Mapping[str, Any], table: StatusTable) -> list[dict[str, Any]]:
    """Return the parts of the bar of a run or thread: status, tone and number of results, without empty ones."""
    counts = [(status, int(row[slot_name(status.id)])) for status in ranked(table)]
    return [{"status": status, "tone": status.tone, "count": count} for status, count in counts if count]


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
