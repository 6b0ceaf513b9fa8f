"""Whether a store is whole, and whether the counts that it keeps are those of its results (floor 2).

Removing old runs from a store (floor 2).

A copy of a store's file as it is at one moment (floor 2).

Copying the file itself would leave out what stands in the write-ahead log beside it, and could meet a write in its
middle. The store is not brought up to date first: a copy from before an upgrade is what an upgrade needs.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from peewee import JOIN, fn

from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.database import execute, lock_run, lock_tests
from pytest_automation_report.server.store.references import project_statuses
from pytest_automation_report.server.store.sqlite import APPLICATION_ID, BUSY_SECONDS, STORAGE_ERRORS
from pytest_automation_report.server.store.statuses import COUNT_NAMES, ResultClass, slot_name
from pytest_automation_report.server.store.tables import (
    TABLES,
    AttachmentRow,
    CaseRow,
    ContentPartRow,
    ContentRow,
    ContentUseRow,
    ResultRow,
    RunRow,
    RunTagRow,
    ThreadRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """What was looked at, and a sentence for each thing that is wrong."""

    runs: int
    threads: int
    results: int
    problems: tuple[str, ...]


def check(store: Store) -> IntegrityReport:
    """Look at everything in a store; takes time in proportion to its results."""
    found: list[IntegrityReport] = []
    try:
        store.read(lambda reader: found.append(_findings(reader.database)))
    except STORAGE_ERRORS:
        # SQLite ends a transaction by itself when it meets damage, so that it cannot be ended again.
        if not found:
            raise
    return found[0]


def _findings(database: Database) -> IntegrityReport:
    damage: tuple[str, ...] = ()
    try:
        damage = tuple(_damage(database))
        findings = _counts(database)
    except STORAGE_ERRORS as error:
        return IntegrityReport(0, 0, 0, (*damage, f"the store is damaged so that not all of it can be read: {error}"))
    return replace(findings, problems=(*damage, *findings.problems))


def _counts(database: Database) -> IntegrityReport:
    problems: list[str] = []
    threads = list(_rows(ThreadRow.select(), database))
    runs = list(_rows(RunRow.select(), database))
    counted = _counted(database)
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for thread in threads:
        sums[thread["run"]].update(counted[thread["id"]])
        sums[thread["run"]].update(thread_count=1, thread_active_count=0 if thread["is_completed"] else 1)
        problems += _differences(f"thread {thread['id']}", thread, counted[thread["id"]], COUNT_NAMES)
    names = (*COUNT_NAMES, "thread_count", "thread_active_count")
    for run in runs:
        problems += _differences(f"run {run['id']}", run, sums[run["id"]], names)
    problems += _strays(database)
    problems += _incomplete(database)
    results = sum(each["total_count"] for each in counted.values())
    return IntegrityReport(len(runs), len(threads), results, tuple(problems))


def _damage(database: Database) -> Iterator[str]:
    """Ask SQLite about the file, and about references to what is not there; PostgreSQL's files are its own affair."""
    if database.for_update:
        yield from _orphans(database)
        return
    texts = [text for (text,) in execute(database, "PRAGMA integrity_check") if text != "ok"]
    yield from (f"the file is damaged: {text}" for text in texts)
    if texts:
        return
    for table, row, target, _ in execute(database, "PRAGMA foreign_key_check"):
        yield f"record {row} of {table} refers to a {target} that is not there"


def _orphans(database: Database) -> Iterator[str]:
    """Look for references to what is not there: PostgreSQL prevents them, unless an administrator switched that off."""
    for table in TABLES:
        for column, target in table._meta.refs.items():  # noqa: SLF001 - peewee's name for it
            found = target.select(target.id).where(target.id == column)
            orphans = table.select(table._meta.primary_key).where(column.is_null(is_null=False), ~fn.EXISTS(found))  # noqa: SLF001 - as above
            for row in _rows(orphans, database):
                record = "-".join(str(value) for value in row.values())
                noun = target._meta.table_name  # noqa: SLF001 - as above
                yield f"record {record} of {table._meta.table_name} refers to a {noun} that is not there"  # noqa: SLF001 - as above


def _counted(database: Database) -> Mapping[int, Counter[str]]:
    """Count the results of each thread as the contract does."""
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
    counted: dict[int, Counter[str]] = defaultdict(Counter)
    statuses: dict[int, Any] = {}
    for row in _rows(query, database):
        project = row["project"]
        if project not in statuses:
            statuses[project] = project_statuses(database, project).by_id
        status = statuses[project].get(row["status"])
        counts = counted[row["thread"]]
        counts[slot_name(row["status"])] += row["n"]
        counts["total_count"] += row["n"]
        counts["success_count"] += row["n"] if row["result_class"] == ResultClass.SUCCESS else 0
        counts["failure_count"] += row["n"] if row["result_class"] == ResultClass.FAILURE else 0
        counts["completed_count"] += row["n"] if status is not None and status.is_final else 0
    return counted


def _differences(title: str, row: Json, counted: Mapping[str, int], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        found = counted.get(name, 0)
        if row[name] != found:
            yield f"{title}: {name} is {row[name]}, counted are {found}"


def _strays(database: Database) -> Iterator[str]:
    query = (
        ResultRow.select(ResultRow.id, ResultRow.run, ThreadRow.run.alias("other"))
        .join(ThreadRow)
        .where(ResultRow.run != ThreadRow.run)
    )
    for row in _rows(query, database):
        yield f"result {row['id']} is of run {row['run']}, but its thread is of run {row['other']}"


def _incomplete(database: Database) -> Iterator[str]:
    kept = fn.COALESCE(fn.SUM(fn.LENGTH(ContentPartRow.data)), 0)
    query = ContentRow.select(ContentRow.hash, ContentRow.size, kept.alias("kept")).join(
        ContentPartRow, JOIN.LEFT_OUTER
    )
    for row in _rows(query.group_by(ContentRow.id).having(kept != ContentRow.size), database):
        yield f"artifact {row['hash']} has {row['size']} bytes, but {row['kept']} are kept"


def _rows(query: Any, database: Database) -> Iterable[Json]:  # noqa: ANN401 - peewee's queries have no common type
    rows: Iterable[Json] = query.dicts().execute(database)
    return rows


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
    removed: int = ResultRow.delete().where(ResultRow.run == run_id).execute(writer.database)
    for table in (AttachmentRow, ContentUseRow, RunTagRow, ThreadRow):
        table.delete().where(table.run == run_id).execute(writer.database)
    RunRow.delete().where(RunRow.id == run_id).execute(writer.database)
    return removed


def remove_unused_tests(source_id: int, writer: Writer) -> int:
    """Remove the tests of a source that no result refers to any more; return how many."""
    lock_tests(writer.database, source_id)
    used = ResultRow.select(ResultRow.id).where(ResultRow.case == CaseRow.id)
    unused: Any = (CaseRow.source == source_id) & ~fn.EXISTS(used)
    removed: int = CaseRow.delete().where(unused).execute(writer.database)
    return removed


def _runs(database: Database) -> Iterable[Json]:
    """Return all runs, newest first."""
    query: Any = RunRow.select(
        RunRow.id, RunRow.source, RunRow.name, RunRow.created, RunRow.updated, RunRow.is_completed, RunRow.total_count
    ).order_by(RunRow.created.desc(), RunRow.id.desc())
    rows: Iterable[Json] = query.dicts().execute(database)
    return rows


def _removable(database: Database, rows: Iterable[Json], now: int) -> Iterator[OldRun]:
    """Leave out runs that are still being filled, and those whose ids the next run and thread would get again.

    A client that remembers an id must never reach another run with it.
    """
    last_run = RunRow.select(fn.MAX(RunRow.id)).scalar(database)
    query: Any = ThreadRow.select(ThreadRow.run).order_by(ThreadRow.id.desc()).limit(1)
    last_of_thread = next((row["run"] for row in query.dicts().execute(database)), None)
    for row in rows:
        touched = row["updated"] or row["created"]
        is_in_use = not row["is_completed"] and touched > now - _DAY_MICROSECONDS
        if not is_in_use and row["id"] not in (last_run, last_of_thread):
            yield OldRun(row["id"], row["source"], row["name"], row["created"], row["total_count"])


def back_up(store: Path, target: Path) -> int:
    """Copy a store that others may be using to a new file, for its owner only, and return the file's bytes.

    The file has its name once it is whole and on disk. Raises `SettingError` for a file that is there or cannot be
    made, and `StoreError` for a store that is none or cannot be read.
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write(store, draft)
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


def _write(store: Path, draft: Path) -> None:
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            if database.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise StoreError(f"{store}: is no store of this program")
            database.execute("VACUUM INTO ?", (str(draft),))
        # SQLite does not wait for the disk here.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
