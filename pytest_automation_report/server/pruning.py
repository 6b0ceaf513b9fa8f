"""Removing old runs from a store (floor 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import fn

from pytest_automation_report.server.locks import lock_run, lock_tests
from pytest_automation_report.server.tables import Attachment, Case, ContentUse, Result, Run, RunTag, Thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peewee import Database

    from pytest_automation_report.model import Json
    from pytest_automation_report.server.writes import Writer

_DAY_MICROSECONDS = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that can go; ``created`` in microseconds since 1970."""

    id: int
    source: int
    name: str
    created: int
    results: int


def runs_beyond(database: Database, amount: int, now: int) -> list[OldRun]:
    """Return the runs of each source that are older than its newest ``amount`` ones, oldest first."""
    seen: dict[int, int] = {}
    found = []
    for row in _runs(database):
        seen[row["source"]] = seen.get(row["source"], 0) + 1
        if seen[row["source"]] > amount:
            found.append(row)
    return list(_removable(database, found, now))[::-1]


def runs_before(database: Database, moment: int, now: int) -> list[OldRun]:
    """Return the runs that were created before a moment, in microseconds since 1970, oldest first."""
    found = [row for row in _runs(database) if row["created"] < moment]
    return list(_removable(database, found, now))[::-1]


def remove_run(run_id: int, writer: Writer) -> int:
    """Remove a run with all that belongs to it, when it is still there; return how many results went."""
    lock_run(writer.database, run_id)
    removed: int = Result.delete().where(Result.run == run_id).execute(writer.database)
    for table in (Attachment, ContentUse, RunTag, Thread):
        table.delete().where(table.run == run_id).execute(writer.database)
    Run.delete().where(Run.id == run_id).execute(writer.database)
    return removed


def remove_unused_tests(source_id: int, writer: Writer) -> int:
    """Remove the tests of a source that no result refers to any more; return how many."""
    lock_tests(writer.database, source_id)
    used = Result.select(Result.id).where(Result.case == Case.id)
    unused: Any = (Case.source == source_id) & ~fn.EXISTS(used)
    removed: int = Case.delete().where(unused).execute(writer.database)
    return removed


def _runs(database: Database) -> Iterable[Json]:
    """Return all runs, newest first."""
    query: Any = Run.select(
        Run.id, Run.source, Run.name, Run.created, Run.updated, Run.is_completed, Run.total_count
    ).order_by(Run.created.desc(), Run.id.desc())
    rows: Iterable[Json] = query.dicts().execute(database)
    return rows


def _removable(database: Database, rows: Iterable[Json], now: int) -> Iterator[OldRun]:
    """Leave out runs that are still being filled, and those whose ids the next run and thread would get again.

    A client that remembers an id must never reach another run with it.
    """
    last_run = Run.select(fn.MAX(Run.id)).scalar(database)
    query: Any = Thread.select(Thread.run).order_by(Thread.id.desc()).limit(1)
    last_of_thread = next((row["run"] for row in query.dicts().execute(database)), None)
    for row in rows:
        touched = row["updated"] or row["created"]
        is_in_use = not row["is_completed"] and touched > now - _DAY_MICROSECONDS
        if not is_in_use and row["id"] not in (last_run, last_of_thread):
            yield OldRun(row["id"], row["source"], row["name"], row["created"], row["total_count"])
