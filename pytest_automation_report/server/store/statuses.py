"""Define result statuses and the counts that each one adds to.

There are three numberings: ids of result statuses (1 to 25, set by an instance), result classes (what a result means,
1 to 4), and states of runs and threads (2 to 4). Only this module translates between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATUS_SLOTS = 25
"""Number of result statuses that an instance can have; ids count from 1."""


class RunStatus(IntEnum):
    """State of a run or thread."""

    SUCCESS = 2
    FAILURE = 3
    RUNNING = 4


class ResultClass(IntEnum):
    """Meaning of a result, which does not depend on the name of its status."""

    NEUTRAL = 1
    SUCCESS = 2
    FAILURE = 3
    RUNNING = 4


class ResultStatus(Struct, frozen=True):
    """One result status; clients send a test with one of its ``aliases``; ``color`` is ``#rrggbb``."""

    id: int
    name: str
    aliases: tuple[str, ...]
    color: str = "#64748b"
    is_final: bool = True
    is_untested: bool = False
    is_passed: bool = False
    is_failed: bool = False

    @property
    def system_name(self) -> str:
        """The name for programs, which does not change when a status is renamed."""
        return _SYSTEM_NAMES.get(self.id, f"custom{self.id - len(_SYSTEM_NAMES)}")

    @property
    def result_class(self) -> ResultClass:
        """The class of results with this status."""
        if self.is_passed:
            return ResultClass.SUCCESS
        return ResultClass.FAILURE if self.is_failed else ResultClass.NEUTRAL

    @property
    def counts(self) -> tuple[str, ...]:
        """The names of the counts that grow by one with each result of this status."""
        sums = (
            ("success_count", self.is_passed),
            ("failure_count", self.is_failed),
            ("completed_count", self.is_final),
            ("total_count", True),
        )
        return (slot_name(self.id), *(name for name, is_counted in sums if is_counted))


_SYSTEM_NAMES: Mapping[int, str] = {
    1: "untested",
    2: "passed",
    3: "failed",
    4: "retest",
    5: "blocked",
    6: "skipped",
}

BUILT_IN = range(1, len(_SYSTEM_NAMES) + 1)
"""Ids of the statuses that every project has; a project can add statuses with the other ids."""


@dataclass(frozen=True)  # without slots: cached_property needs a dictionary
class StatusTable:
    """The result statuses of a project."""

    statuses: tuple[ResultStatus, ...]

    @cached_property
    def by_alias(self) -> Mapping[str, ResultStatus]:
        """Statuses by alias; case matters."""
        return {alias: status for status in self.statuses for alias in status.aliases}

    @cached_property
    def by_id(self) -> Mapping[int, ResultStatus]:
        """Statuses by id."""
        return {status.id: status for status in self.statuses}

    def changed(self, status: ResultStatus) -> StatusTable:
        """Return a table in which this status replaces the one with its id, or is added.

        Raises ``ValueError`` for an id out of range, an empty alias, and an alias of another status.
        """
        if not 1 <= status.id <= STATUS_SLOTS:
            raise ValueError(f"a status id is a number from 1 to {STATUS_SLOTS}")
        if not status.aliases or not all(alias.strip() for alias in status.aliases):
            raise ValueError("a status needs at least one alias, and none is empty")
        others = {other.id: other for other in self.statuses if other.id != status.id}
        for alias in status.aliases:
            for other in others.values():
                if alias in other.aliases:
                    raise ValueError(f"the alias {alias!r} belongs to status {other.id} ({other.name})")
        by_id = {**others, status.id: status}
        return StatusTable(tuple(by_id[status_id] for status_id in sorted(by_id)))

    def increments(self, status_ids: Iterable[int]) -> dict[str, int]:
        """Return by how much results with these statuses increase each count."""
        increments: dict[str, int] = {}
        for status_id in status_ids:
            for name in self._counts[status_id]:
                increments[name] = increments.get(name, 0) + 1
        return increments

    @cached_property
    def _counts(self) -> Mapping[int, tuple[str, ...]]:
        return {status.id: status.counts for status in self.statuses}


DEFAULT_STATUSES = StatusTable(
    (
        ResultStatus(1, "Untested", ("untested",), "#9aa0a6", is_final=False, is_untested=True),
        ResultStatus(2, "Passed", ("passed", "pass", "success", "ok"), "#2e9e5b", is_passed=True),
        ResultStatus(3, "Failed", ("failed", "fail", "failure", "error"), "#d64545", is_failed=True),
        ResultStatus(4, "Retest", ("retest",), "#d99a00", is_final=False),
        ResultStatus(5, "Blocked", ("blocked",), "#8b5cf6"),
        ResultStatus(6, "Skipped", ("skipped", "skip"), "#6b7f99"),
    )
)
"""The statuses of a project that has not changed any."""


def slot_name(status_id: int) -> str:
    """Return the name of a status' count: in the contract, ``status1_count`` belongs to the status with id 2."""
    return "untested_count" if status_id == 1 else f"status{status_id - 1}_count"


COUNT_NAMES = (
    *(slot_name(status_id) for status_id in range(1, STATUS_SLOTS + 1)),
    "success_count",
    "failure_count",
    "completed_count",
    "total_count",
)
"""Every count of a run or thread, in the contract's order."""


def final_status(failure_count: int) -> RunStatus:
    """Return the state of a completed run or thread."""
    return RunStatus.FAILURE if failure_count else RunStatus.SUCCESS
