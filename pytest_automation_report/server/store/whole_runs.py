"""Read runs as responses have them: with all their threads, fields, artifacts and links.

A run can have thousands of threads, so nothing here is done for each count or each field: plain statements, since
peewee takes five times as long for a row, and the database itself writes the 29 counts of a thread as JSON, which
takes less time than to read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.statuses import COUNT_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.inputs import Kind

__all__ = ["AttachedText", "ThreadLine", "WholeRun", "whole_runs"]


class ThreadLine(NamedTuple):
    """A thread; times and durations are in microseconds, ``counts`` has the members of a JSON object."""

    run: int
    id: int
    position: int
    status: int
    elapsed: int | None
    is_completed: bool
    created: int
    completed: int | None
    counts: str


AttachedText: TypeAlias = "tuple[int, int | None, Kind, str]"
"""A field, artifact or link: its run, its thread or None, its kind, its JSON object. A plain tuple, as it is read."""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The row of a run, its threads, and the attachments of both in the order of their arrival."""

    row: Json
    threads: Sequence[ThreadLine]
    attachments: Sequence[AttachedText]


_COUNT_COLUMNS: Final = ", ".join(f'"{name}"' for name in COUNT_NAMES)
_COUNTS: Final = ",".join(f'"{name}":%s' for name in COUNT_NAMES)
_THREADS: Final = (
    'SELECT "run_id", "id", "position", "status", COALESCE("elapsed_observed", "elapsed_computed"), "is_completed",'
    ' "created", "completed", {format}(?, {counts}) FROM "thread" WHERE "run_id" IN ({ids}) ORDER BY "id"'
)
_ATTACHMENTS: Final = (
    'SELECT "run_id", "thread_id", "kind", "body" FROM "attachment" WHERE "run_id" IN ({ids}){whose} ORDER BY "id"'
)
_OF_THE_RUN: Final = ' AND "thread_id" IS NULL'


def whole_runs(connection: StoreConnection, rows: Sequence[Json], *, has_threads: bool) -> list[WholeRun]:
    """Return the runs of these rows, with their threads or without, so that their number costs nothing."""
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    threads: dict[int, list[ThreadLine]] = {run_id: [] for run_id in ids}
    attachments: dict[int, list[Any]] = {run_id: [] for run_id in ids}
    if has_threads:
        function = "format" if connection.is_postgres else "printf"
        sql = _THREADS.format(format=function, counts=_COUNT_COLUMNS, ids=marks(ids))
        for thread in map(ThreadLine._make, connection.execute(sql, (_COUNTS, *ids))):
            threads[thread.run].append(thread)
    sql = _ATTACHMENTS.format(ids=marks(ids), whose="" if has_threads else _OF_THE_RUN)
    for attachment in connection.execute(sql, ids):
        attachments[attachment[0]].append(attachment)
    return [WholeRun(row, threads[row["id"]], attachments[row["id"]]) for row in rows]
