"""Result statuses and how each one is counted (floor 2): the only place that knows the three numberings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATUS_SLOTS = 25
"""How many result statuses an instance can have; ids count from 1."""


class RunStatus(IntEnum):
    """State of a run or thread."""

    SUCCESS = 2
    FAILURE = 3
    RUNNING = 4


class ResultClass(IntEnum):
    """What one result means, whatever its status is called."""

    NEUTRAL = 1
    SUCCESS = 2
    FAILURE = 3
    RUNNING = 4


@dataclass(frozen=True, slots=True)
class ResultStatus:
    """One result status; ``aliases`` are the words that tests may be sent with."""

    id: int
    name: str
    aliases: tuple[str, ...]
    is_final: bool = True
    is_untested: bool = False
    is_passed: bool = False
    is_failed: bool = False

    @property
    def system_name(self) -> str:
        """The status' name for programs."""
        return self.name.lower()

    @property
    def result_class(self) -> ResultClass:
        """The class of results with this status."""
        if self.is_passed:
            return ResultClass.SUCCESS
        return ResultClass.FAILURE if self.is_failed else ResultClass.NEUTRAL


DEFAULT_STATUSES = (
    ResultStatus(1, "Untested", ("untested",), is_final=False, is_untested=True),
    ResultStatus(2, "Passed", ("passed", "pass", "success", "ok"), is_passed=True),
    ResultStatus(3, "Failed", ("failed", "fail", "failure", "error"), is_failed=True),
    ResultStatus(4, "Retest", ("retest",), is_final=False),
    ResultStatus(5, "Blocked", ("blocked",)),
    ResultStatus(6, "Skipped", ("skipped", "skip")),
)

STATUS_IDS: Mapping[str, int] = {alias: status.id for status in DEFAULT_STATUSES for alias in status.aliases}
"""Status id by alias; case matters."""

RESULT_CLASSES: Mapping[int, ResultClass] = {status.id: status.result_class for status in DEFAULT_STATUSES}
"""Result class by status id."""


def slot_name(status_id: int) -> str:
    """Return the name of the count of a status: the contract numbers slots from the second status on."""
    return "untested_count" if status_id == 1 else f"status{status_id - 1}_count"


COUNT_NAMES = (
    *(slot_name(status_id) for status_id in range(1, STATUS_SLOTS + 1)),
    "success_count",
    "failure_count",
    "completed_count",
    "total_count",
)
"""Every count of a run or thread, in the contract's order."""

_SUMS: Mapping[int, tuple[str, ...]] = {
    status.id: tuple(
        name
        for name, counts in (
            ("success_count", status.is_passed),
            ("failure_count", status.is_failed),
            ("completed_count", status.is_final),
            ("total_count", True),
        )
        if counts
    )
    for status in DEFAULT_STATUSES
}


def increments(status_ids: Iterable[int]) -> dict[str, int]:
    """Return what results with these statuses add to which counts."""
    amounts: dict[str, int] = {}
    for status_id in status_ids:
        for name in (slot_name(status_id), *_SUMS[status_id]):
            amounts[name] = amounts.get(name, 0) + 1
    return amounts


def final_status(failure_count: int) -> RunStatus:
    """Return the status that a run or thread has once it is completed."""
    return RunStatus.FAILURE if failure_count else RunStatus.SUCCESS
