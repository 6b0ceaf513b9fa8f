"""Whether a store is whole, and whether the counts that it keeps are those of its results (floor 2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from peewee import JOIN, fn

from pytest_automation_report.server.connections import STORAGE_ERRORS
from pytest_automation_report.server.references import project_statuses
from pytest_automation_report.server.statements import execute
from pytest_automation_report.server.statuses import COUNT_NAMES, ResultClass, slot_name
from pytest_automation_report.server.tables import TABLES, Content, ContentPart, Result, Run, Thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from peewee import Database

    from pytest_automation_report.model import Json
    from pytest_automation_report.server.store import Store


@dataclass(frozen=True, slots=True)
class Findings:
    """What was looked at, and a sentence for each thing that is wrong."""

    runs: int
    threads: int
    results: int
    problems: tuple[str, ...]


def check(store: Store) -> Findings:
    """Look at everything in a store; takes time in proportion to its results."""
    found: list[Findings] = []
    try:
        store.read(lambda reader: found.append(_findings(reader.database)))
    except STORAGE_ERRORS:
        # SQLite ends a transaction by itself when it meets damage, so that it cannot be ended again.
        if not found:
            raise
    return found[0]


def _findings(database: Database) -> Findings:
    damage: tuple[str, ...] = ()
    try:
        damage = tuple(_damage(database))
        findings = _counts(database)
    except STORAGE_ERRORS as error:
        return Findings(0, 0, 0, (*damage, f"the store is damaged so that not all of it can be read: {error}"))
    return replace(findings, problems=(*damage, *findings.problems))


def _counts(database: Database) -> Findings:
    problems: list[str] = []
    threads = list(_rows(Thread.select(), database))
    runs = list(_rows(Run.select(), database))
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
    return Findings(len(runs), len(threads), results, tuple(problems))


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
        Result.select(Result.thread, Result.status, Result.result_class, Run.project, fn.COUNT(Result.id).alias("n"))
        .join(Run)
        .group_by(Result.thread, Result.status, Result.result_class, Run.project)
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
    query = Result.select(Result.id, Result.run, Thread.run.alias("other")).join(Thread).where(Result.run != Thread.run)
    for row in _rows(query, database):
        yield f"result {row['id']} is of run {row['run']}, but its thread is of run {row['other']}"


def _incomplete(database: Database) -> Iterator[str]:
    kept = fn.COALESCE(fn.SUM(fn.LENGTH(ContentPart.data)), 0)
    query = Content.select(Content.hash, Content.size, kept.alias("kept")).join(ContentPart, JOIN.LEFT_OUTER)
    for row in _rows(query.group_by(Content.id).having(kept != Content.size), database):
        yield f"artifact {row['hash']} has {row['size']} bytes, but {row['kept']} are kept"


def _rows(query: Any, database: Database) -> Iterable[Json]:  # noqa: ANN401 - peewee's queries have no common type
    rows: Iterable[Json] = query.dicts().execute(database)
    return rows
