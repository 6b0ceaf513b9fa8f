"""Statuses of results and runs for readers: word and tone. A tone is the name of a colour in the style sheet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pytest_automation_report.server.store.values import (
    STATUS_SLOTS,
    ResultStatus,
    RunStatus,
    StatusTable,
    slot_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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
