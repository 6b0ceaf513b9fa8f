"""Check the integrity of a store, remove old runs from it, and back it up."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.database import StoreConnection, lock, used_bytes
from pytest_automation_report.server.store.schema import REFERENCES
from pytest_automation_report.server.store.sqlite import APPLICATION_ID, BUSY_SECONDS
from pytest_automation_report.server.store.values import DAY_US, RESULT_STATUSES, STORED_COUNTS
from pytest_automation_report.system.console import publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


class IntegrityReport(Struct, frozen=True):
    """Numbers of the checked records, and one sentence for each problem."""

    runs: int
    threads: int
    results: int
    problems: tuple[str, ...]


def check(store: Store) -> IntegrityReport:
    """Check all records of a store; the time grows with the number of its results."""
    reports: list[IntegrityReport] = []
    try:
        store.read(lambda connection: reports.append(_check_all(connection, store.driver_error)))
    except store.driver_error:
        # The end of a transaction that has found damage can be an error, too.
        if not reports:
            raise
    return reports[0]


def _check_all(connection: StoreConnection, driver_error: type[Exception]) -> IntegrityReport:
    damage: tuple[str, ...] = ()
    try:
        damage = tuple(_find_damage(connection))
        report = _check_counts(connection)
    except driver_error as error:
        return IntegrityReport(0, 0, 0, (*damage, f"the store is damaged so that not all of it can be read: {error}"))
    return replace(report, problems=(*damage, *report.problems))


# ``result.run_id`` repeats the run of the thread, for the index of a run's results.
_MISPLACED = (
    'SELECT r."id", r."run_id", t."run_id" FROM "result" AS r JOIN "thread" AS t ON t."id" = r."thread_id"'
    ' WHERE r."run_id" <> t."run_id"'
)
_INCOMPLETE = (
    'SELECT c."hash", c."size", COALESCE(SUM(LENGTH(p."data")), 0) FROM "content" AS c'
    ' LEFT JOIN "content_part" AS p ON p."content_id" = c."id" GROUP BY c."id", c."hash", c."size"'
    ' HAVING COALESCE(SUM(LENGTH(p."data")), 0) <> c."size"'
)
_COUNTED = 'SELECT "thread_id", "status", COUNT(*) FROM "result" {condition} GROUP BY 1, 2'


def _check_counts(connection: StoreConnection) -> IntegrityReport:
    problems: list[str] = []
    run_names = (*STORED_COUNTS, "thread_count", "thread_active_count")
    threads = connection.rows('SELECT * FROM "thread" ORDER BY "id"')
    runs = connection.rows('SELECT * FROM "run" ORDER BY "id"')
    thread_counts, replaced = _count_results(connection), _count_results(connection, 'WHERE "is_replaced"')
    run_counts: dict[int, Counter[str]] = defaultdict(Counter)
    for thread in threads:
        run_counts[thread["run"]].update(thread_counts[thread["id"]])
        run_counts[thread["run"]].subtract(replaced[thread["id"]])
        run_counts[thread["run"]].update(thread_count=1, thread_active_count=0 if thread["is_completed"] else 1)
        problems += _compare_counts(f"thread {thread['id']}", thread, thread_counts[thread["id"]], STORED_COUNTS)
    for run in runs:
        problems += _compare_counts(f"run {run['id']}", run, run_counts[run["id"]], run_names)
    for result_id, run_id, other in connection.execute(_MISPLACED):
        problems.append(f"result {result_id} is of run {run_id}, but its thread is of run {other}")
    for content, size, stored in connection.execute(_INCOMPLETE):
        problems.append(f"artifact {content} has {size} bytes, but {stored} are stored")
    results = sum(counts["total_count"] for counts in thread_counts.values())
    return IntegrityReport(len(runs), len(threads), results, tuple(problems))


def _find_damage(connection: StoreConnection) -> Iterator[str]:
    """Check the file and its references with SQLite's own checks; PostgreSQL checks its files itself."""
    if connection.is_postgres:
        # PostgreSQL prevents references to missing records unless an administrator switched that off.
        for table, key, column, target in REFERENCES:
            for record in connection.execute(
                f'SELECT {key} FROM "{table}" AS o WHERE o."{column}" IS NOT NULL'
                f' AND NOT EXISTS (SELECT 1 FROM "{target}" AS t WHERE t."id" = o."{column}")'
            ):
                yield f"record {'-'.join(map(str, record))} of {table} refers to a {target} that is not there"
        return
    messages = [message for (message,) in connection.execute("PRAGMA integrity_check") if message != "ok"]
    yield from (f"the file is damaged: {message}" for message in messages)
    if messages:
        return
    for table, row, target, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"record {row} of {table} refers to a {target} that is not there"


def _count_results(connection: StoreConnection, condition: str = "") -> Mapping[int, Counter[str]]:
    """Count the results of each thread, or those with this condition, by the names of the contract's counts."""
    counts_by_thread: dict[int, Counter[str]] = defaultdict(Counter)
    for thread_id, status_id, count in connection.execute(_COUNTED.format(condition=condition)):
        status = RESULT_STATUSES.get(status_id)
        names = ("total_count",) if status is None else status.counts
        counts_by_thread[thread_id].update(dict.fromkeys(names, count))
    return counts_by_thread


def _compare_counts(title: str, row: Json, counts: Mapping[str, int], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        count = counts.get(name, 0)
        if row[name] != count:
            yield f"{title}: {name} is {row[name]}, counted are {count}"


class StoreNumbers(Struct, frozen=True):
    """Numbers of a store; ``size`` is in bytes, ``pruned`` the time of the last prune in microseconds since 1970."""

    runs: int
    open_runs: int
    results: int
    size: int
    pruned: int | None


_RUN_NUMBERS = (
    'SELECT COUNT(*), COALESCE(SUM(CASE WHEN "is_completed" THEN 0 ELSE 1 END), 0), COALESCE(SUM("total_count"), 0)'
    ' FROM "run"'
)
_PRUNED = 'INSERT INTO "moment" VALUES (?, ?) ON CONFLICT ("name") DO UPDATE SET "time" = EXCLUDED."time"'


def store_numbers(connection: StoreConnection) -> StoreNumbers:
    """Return the numbers of a store; the time grows with the number of its runs."""
    ((runs, open_runs, results),) = connection.execute(_RUN_NUMBERS)
    moments = connection.execute('SELECT "time" FROM "moment" WHERE "name" = ?', ("prune",))
    return StoreNumbers(runs, open_runs, int(results), used_bytes(connection), moments[0][0] if moments else None)


_REMEMBER = (
    'INSERT INTO "removed_run" ("id", "source_id") SELECT "id", "source_id" FROM "run" WHERE "id" = ?'
    " ON CONFLICT DO NOTHING"
)


class OldRun(Struct, frozen=True):
    """A run that can be removed; times are in microseconds since 1970, ``results`` is their number."""

    id: int
    source: int
    branch: str | None
    created: int
    updated: int | None
    results: int


def runs_beyond(connection: StoreConnection, max_runs: int, now: int) -> list[OldRun]:
    """Return all but the newest ``max_runs`` runs of each source, oldest first."""
    return _removable(connection, '"place" > ?', max_runs, now)


def runs_before(connection: StoreConnection, time_us: int, now: int) -> list[OldRun]:
    """Return the runs that were created before a time, in microseconds since 1970, oldest first."""
    return _removable(connection, '"created" < ?', time_us, now)


def remove_unchanged(run: OldRun, writer: Writer) -> bool:
    """Remove a run unless it has changed since it was chosen; return whether it was removed."""
    lock(writer.connection, "run", run.id)
    if not is_unchanged(writer.connection, run):
        return False
    remove_run(run.id, writer)
    return True


def is_unchanged(connection: StoreConnection, run: OldRun) -> bool:
    """Whether a run is as it was when it was chosen."""
    row = connection.row('SELECT "updated", "total_count" FROM "run" WHERE "id" = ?', (run.id,))
    return row == {"updated": run.updated, "total_count": run.results}


def note_prune(writer: Writer) -> None:
    """Store that runs were pruned now, for the metrics."""
    writer.connection.change(_PRUNED, ("prune", writer.now))


def remove_run(run_id: int, writer: Writer) -> int:
    """Remove a run with its threads, results and attachments; return the number of results, 0 for a missing run."""
    lock(writer.connection, "run", run_id)
    writer.connection.change(_REMEMBER, (run_id,))
    removed = writer.connection.change('DELETE FROM "result" WHERE "run_id" = ?', (run_id,))
    for table in ("attachment", "content_use", "run_tag", "run_document", "thread"):
        writer.connection.change(f'DELETE FROM "{table}" WHERE "run_id" = ?', (run_id,))
    writer.connection.change('DELETE FROM "run" WHERE "id" = ?', (run_id,))
    return removed


def remove_unused_tests(source_id: int, writer: Writer) -> int:
    """Remove the tests of a source that have no result any more; return their number."""
    lock(writer.connection, "tests", source_id)
    unused = 'NOT EXISTS (SELECT 1 FROM "result" AS r WHERE r."case_id" = "case"."id")'
    return writer.connection.change(f'DELETE FROM "case" WHERE "source_id" = ? AND {unused}', (source_id,))


# ``place`` counts the runs of a source from 1, the newest first.
_OLD_RUNS = (
    'SELECT * FROM (SELECT "id", "source_id", "branch", "created", "updated", "is_completed", "total_count",'
    ' ROW_NUMBER() OVER (PARTITION BY "source_id" ORDER BY "created" DESC, "id" DESC) AS "place" FROM "run") AS r'
    ' WHERE {condition} ORDER BY "created", "id"'
)


def _removable(connection: StoreConnection, condition: str, value: int, now: int) -> list[OldRun]:
    """Return the runs with this condition that can be removed, oldest first."""
    # SQLite would give the highest ids of a removed run and thread to the next ones, and a client that remembers an id
    # must never reach another run with it.
    last_run = connection.number('SELECT MAX("id") FROM "run"')
    last_thread = 'SELECT "run_id" FROM "thread" WHERE "id" = (SELECT MAX("id") FROM "thread")'
    kept = {last_run, *(run_id for (run_id,) in connection.execute(last_thread))}
    return [
        OldRun(row["id"], row["source"], row["branch"], row["created"], row["updated"], row["total_count"])
        for row in connection.each(_OLD_RUNS.format(condition=condition), (value,))
        # A run without a change for a day was left open by a job that was killed.
        if row["id"] not in kept and (row["is_completed"] or (row["updated"] or row["created"]) <= now - DAY_US)
    ]


def back_up(store: Path, target: Path) -> int:
    """Copy a store, which may be in use, to a new file that only its owner can read; return the file's size in bytes.

    Raises `SettingError` for a target that exists or cannot be created, and `StoreError` for a file that is no store.
    """
    # The file gets its name once it is complete. A plain copy would miss the changes in the write-ahead log.
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write_backup(store, draft)
        publish(draft, target)
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
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            if database.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise StoreError(f"{store}: is not a store of automation-report")
            database.execute("VACUUM INTO ?", (str(draft),))
        # VACUUM INTO does not wait until the file is on disk.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
