"""Check the integrity of a store, remove old runs from it, and back it up."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from peewee import JOIN, PeeweeException, fn

from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.database import execute, lock_run, lock_tests, row_of
from pytest_automation_report.server.store.project_rows import project_statuses
from pytest_automation_report.server.store.sqlite import APPLICATION_ID, BUSY_SECONDS
from pytest_automation_report.server.store.statuses import COUNT_NAMES, ResultClass, slot_name
from pytest_automation_report.server.store.tables import (
    TABLES,
    AttachmentRow,
    CaseRow,
    ContentPartRow,
    ContentRow,
    ContentUseRow,
    ResultRow,
    RunFindingsRow,
    RunOverviewRow,
    RunRow,
    RunTagRow,
    ThreadRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


STORAGE_ERRORS = (PeeweeException, sqlite3.Error)
"""Errors of a damaged file. peewee wraps only those that come before the first row of a query."""


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """Numbers of the checked records, and one sentence for each problem."""

    runs: int
    threads: int
    results: int
    problems: tuple[str, ...]


def check(store: Store) -> IntegrityReport:
    """Check all records of a store; the time grows with the number of its results."""
    reports: list[IntegrityReport] = []
    try:
        store.read(lambda reader: reports.append(_check_all(reader)))
    except STORAGE_ERRORS:
        # The end of a transaction that has found damage can be an error, too.
        if not reports:
            raise
    return reports[0]


def _check_all(reader: Reader) -> IntegrityReport:
    damage: tuple[str, ...] = ()
    try:
        damage = tuple(_find_damage(reader.database))
        report = _check_counts(reader)
    except STORAGE_ERRORS as error:
        return IntegrityReport(0, 0, 0, (*damage, f"the store is damaged so that not all of it can be read: {error}"))
    return replace(report, problems=(*damage, *report.problems))


def _check_counts(reader: Reader) -> IntegrityReport:
    """Compare the stored counts of threads and runs with their results."""
    database = reader.database
    problems: list[str] = []
    threads = list(_rows(ThreadRow.select(), database))
    runs = list(_rows(RunRow.select(), database))
    thread_counts = _count_results(reader)
    run_counts: dict[int, Counter[str]] = defaultdict(Counter)
    for thread in threads:
        run_counts[thread["run"]].update(thread_counts[thread["id"]])
        run_counts[thread["run"]].update(thread_count=1, thread_active_count=0 if thread["is_completed"] else 1)
        problems += _compare_counts(f"thread {thread['id']}", thread, thread_counts[thread["id"]], COUNT_NAMES)
    names = (*COUNT_NAMES, "thread_count", "thread_active_count")
    for run in runs:
        problems += _compare_counts(f"run {run['id']}", run, run_counts[run["id"]], names)
    problems += _find_misplaced_results(database)
    problems += _find_incomplete_contents(database)
    results = sum(counts["total_count"] for counts in thread_counts.values())
    return IntegrityReport(len(runs), len(threads), results, tuple(problems))


def _find_damage(database: Database) -> Iterator[str]:
    """Check the file and its references with SQLite's own checks; PostgreSQL checks its files itself."""
    if database.for_update:
        yield from _find_orphans(database)
        return
    messages = [message for (message,) in execute(database, "PRAGMA integrity_check") if message != "ok"]
    yield from (f"the file is damaged: {message}" for message in messages)
    if messages:
        return
    for table, row, target, _ in execute(database, "PRAGMA foreign_key_check"):
        yield f"record {row} of {table} refers to a {target} that is not there"


def _find_orphans(database: Database) -> Iterator[str]:
    """Find references to missing records; PostgreSQL prevents them unless an administrator switched that off."""
    for table in TABLES:
        for column, target in table._meta.refs.items():  # noqa: SLF001 - peewee's name for it
            targets = target.select(target.id).where(target.id == column)
            orphans = table.select(table._meta.primary_key).where(column.is_null(is_null=False), ~fn.EXISTS(targets))  # noqa: SLF001 - as above
            for row in _rows(orphans, database):
                record = "-".join(str(value) for value in row.values())
                noun = target._meta.table_name  # noqa: SLF001 - as above
                yield f"record {record} of {table._meta.table_name} refers to a {noun} that is not there"  # noqa: SLF001 - as above


def _count_results(reader: Reader) -> Mapping[int, Counter[str]]:
    """Count the results of each thread, by the names of the contract's counts."""
    query = (
        ResultRow.select(
            ResultRow.thread,
            ResultRow.status,
            ResultRow.result_class,
            RunRow.project,
            fn.COUNT(ResultRow.id).alias("n"),
        )
        .join(RunRow)
        .group_by(ResultRow.thread, ResultRow.status, ResultRow.result_class, RunRow.project)
    )
    counts_by_thread: dict[int, Counter[str]] = defaultdict(Counter)
    statuses: dict[int, Any] = {}
    for row in _rows(query, reader.database):
        project = row["project"]
        if project not in statuses:
            statuses[project] = project_statuses(reader.connection, project).by_id
        status = statuses[project].get(row["status"])
        counts = counts_by_thread[row["thread"]]
        counts[slot_name(row["status"])] += row["n"]
        counts["total_count"] += row["n"]
        counts["success_count"] += row["n"] if row["result_class"] == ResultClass.SUCCESS else 0
        counts["failure_count"] += row["n"] if row["result_class"] == ResultClass.FAILURE else 0
        counts["completed_count"] += row["n"] if status is not None and status.is_final else 0
    return counts_by_thread


def _compare_counts(title: str, row: Json, counts: Mapping[str, int], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        count = counts.get(name, 0)
        if row[name] != count:
            yield f"{title}: {name} is {row[name]}, counted are {count}"


def _find_misplaced_results(database: Database) -> Iterator[str]:
    # `ResultRow.run` repeats the run of the thread, for the index of a run's results.
    query = (
        ResultRow.select(ResultRow.id, ResultRow.run, ThreadRow.run.alias("other"))
        .join(ThreadRow)
        .where(ResultRow.run != ThreadRow.run)
    )
    for row in _rows(query, database):
        yield f"result {row['id']} is of run {row['run']}, but its thread is of run {row['other']}"


def _find_incomplete_contents(database: Database) -> Iterator[str]:
    stored = fn.COALESCE(fn.SUM(fn.LENGTH(ContentPartRow.data)), 0)
    query = ContentRow.select(ContentRow.hash, ContentRow.size, stored.alias("stored")).join(
        ContentPartRow, JOIN.LEFT_OUTER
    )
    for row in _rows(query.group_by(ContentRow.id).having(stored != ContentRow.size), database):
        yield f"artifact {row['hash']} has {row['size']} bytes, but {row['stored']} are stored"


def _rows(query: Any, database: Database) -> Iterable[Json]:  # noqa: ANN401 - peewee's queries have no common type
    rows: Iterable[Json] = query.dicts().execute(database)
    return rows


_REMEMBER = (
    'INSERT INTO "removed_run" ("id", "source_id") SELECT "id", "source_id" FROM "run" WHERE "id" = ?'
    " ON CONFLICT DO NOTHING"
)
_DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that can be removed; times in microseconds since 1970, ``results`` is their number."""

    id: int
    source: int
    name: str
    created: int
    updated: int | None
    results: int


def runs_beyond(database: Database, max_runs: int, now: int) -> list[OldRun]:
    """Return all but the newest ``max_runs`` runs of each source, oldest first."""
    counts: dict[int, int] = {}
    old_runs = []
    for row in _newest_runs_first(database):
        counts[row["source"]] = counts.get(row["source"], 0) + 1
        if counts[row["source"]] > max_runs:
            old_runs.append(row)
    return list(_removable(database, old_runs, now))[::-1]


def runs_before(database: Database, time_us: int, now: int) -> list[OldRun]:
    """Return the runs that were created before a time, in microseconds since 1970, oldest first."""
    old_runs = [row for row in _newest_runs_first(database) if row["created"] < time_us]
    return list(_removable(database, old_runs, now))[::-1]


def remove_unchanged(run: OldRun, writer: Writer) -> bool:
    """Remove a run unless it has changed since it was chosen; return whether it was removed."""
    lock_run(writer.connection, run.id)
    if row_of(writer.connection, "run", ("updated", "total_count"), run.id) != {
        "updated": run.updated,
        "total_count": run.results,
    }:
        return False
    remove_run(run.id, writer)
    return True


def remove_run(run_id: int, writer: Writer) -> int:
    """Remove a run with its threads, results and attachments; return the number of results, 0 for a missing run."""
    lock_run(writer.connection, run_id)
    writer.connection.change(_REMEMBER, (run_id,))
    removed: int = ResultRow.delete().where(ResultRow.run == run_id).execute(writer.database)
    for table in (AttachmentRow, ContentUseRow, RunTagRow, RunFindingsRow, RunOverviewRow, ThreadRow):
        table.delete().where(table.run == run_id).execute(writer.database)
    RunRow.delete().where(RunRow.id == run_id).execute(writer.database)
    return removed


def remove_unused_tests(source_id: int, writer: Writer) -> int:
    """Remove the tests of a source that have no result any more; return their number."""
    lock_tests(writer.connection, source_id)
    results = ResultRow.select(ResultRow.id).where(ResultRow.case == CaseRow.id)
    is_unused: Any = (CaseRow.source == source_id) & ~fn.EXISTS(results)
    removed: int = CaseRow.delete().where(is_unused).execute(writer.database)
    return removed


def _newest_runs_first(database: Database) -> Iterable[Json]:
    query: Any = RunRow.select(
        RunRow.id, RunRow.source, RunRow.name, RunRow.created, RunRow.updated, RunRow.is_completed, RunRow.total_count
    ).order_by(RunRow.created.desc(), RunRow.id.desc())
    rows: Iterable[Json] = query.dicts().execute(database)
    return rows


def _removable(database: Database, rows: Iterable[Json], now: int) -> Iterator[OldRun]:
    """Yield those of these runs that can be removed.

    Not removed are runs that still get results, and the runs with the highest run id and thread id. SQLite would give
    these ids to the next run and thread, and a client that remembers an id must never reach another run with it.
    """
    last_run_id = RunRow.select(fn.MAX(RunRow.id)).scalar(database)
    query: Any = ThreadRow.select(ThreadRow.run).order_by(ThreadRow.id.desc()).limit(1)
    run_of_last_thread = next((row["run"] for row in query.dicts().execute(database)), None)
    for row in rows:
        changed = row["updated"] or row["created"]
        # A run without a change for a day was left open by a job that was killed.
        is_in_use = not row["is_completed"] and changed > now - _DAY_US
        if not is_in_use and row["id"] not in (last_run_id, run_of_last_thread):
            yield OldRun(row["id"], row["source"], row["name"], row["created"], row["updated"], row["total_count"])


def back_up(store: Path, target: Path) -> int:
    """Copy a store, which may be in use, to a new file that only its owner can read; return the file's size in bytes.

    The file gets its name once it is complete and on disk. A plain copy of the store's file would miss the changes in
    the write-ahead log, and could be made in the middle of a write. It has the version that the store
    has.
    Raises `SettingError` for a file that exists or cannot be created, and `StoreError` for a file that is no store or
    cannot be read.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write_backup(store, draft)
        os.link(draft, target)
    except FileExistsError as error:
        raise SettingError("FILE", str(target), "it is there already; name a new file") from error
    except OSError as error:
        raise SettingError("FILE", str(target), f"{error.strerror}; name a file that can be written") from error
    except sqlite3.Error as error:
        raise StoreError(f"{store}: cannot be copied to {target}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _write_backup(store: Path, draft: Path) -> None:
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            if database.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise StoreError(f"{store}: is no store of this program")
            database.execute("VACUUM INTO ?", (str(draft),))
        # VACUUM INTO does not wait until the file is on disk.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
