"""Check the integrity of a store, count what it has, and back it up."""

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
from pytest_automation_report.server.store.database import StoreConnection, used_bytes
from pytest_automation_report.server.store.schema import REFERENCES
from pytest_automation_report.server.store.sqlite import APPLICATION_ID, BUSY_SECONDS
from pytest_automation_report.server.store.values import RESULT_STATUSES, STORED_COUNTS
from pytest_automation_report.system.console import publish
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store


class IntegrityReport(Struct, frozen=True):
    """Numbers of the checked records, and one sentence for each error."""

    runs: int
    threads: int
    results: int
    errors: tuple[str, ...]


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
    return replace(report, errors=(*damage, *report.errors))


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
_COUNTED = 'SELECT "thread_id", "status", "is_replaced", COUNT(*) FROM "result" GROUP BY 1, 2, 3'


def _check_counts(connection: StoreConnection) -> IntegrityReport:
    errors: list[str] = []
    run_names = (*STORED_COUNTS, "thread_count", "thread_active_count")
    threads = connection.rows('SELECT * FROM "thread" ORDER BY "id"')
    runs = connection.rows('SELECT * FROM "run" ORDER BY "id"')
    thread_counts, replaced = _count_results(connection)
    run_counts: dict[int, Counter[str]] = defaultdict(Counter)
    for thread in threads:
        run_counts[thread["run"]].update(thread_counts[thread["id"]])
        run_counts[thread["run"]].subtract(replaced[thread["id"]])
        run_counts[thread["run"]].update(thread_count=1, thread_active_count=0 if thread["is_completed"] else 1)
        errors += _compare_counts(f"thread {thread['id']}", thread, thread_counts[thread["id"]], STORED_COUNTS)
    for run in runs:
        errors += _compare_counts(f"run {run['id']}", run, run_counts[run["id"]], run_names)
    for result_id, run_id, other in connection.execute(_MISPLACED):
        errors.append(f"result {result_id} is of run {run_id}, but its thread is of run {other}")
    for content, size, stored in connection.execute(_INCOMPLETE):
        errors.append(f"artifact {content} has {size} bytes, but {stored} are stored")
    results = sum(counts["total_count"] for counts in thread_counts.values())
    return IntegrityReport(len(runs), len(threads), results, tuple(errors))


def _find_damage(connection: StoreConnection) -> Iterator[str]:
    """Check the file with SQLite's own check, since PostgreSQL checks its files itself, and all references."""
    checked = [] if connection.is_postgres else connection.execute("PRAGMA integrity_check")
    messages = [message for (message,) in checked if message != "ok"]
    yield from (f"the file is damaged: {message}" for message in messages)
    # Both databases prevent references to missing records, but PostgreSQL does not for results: see `schema`.
    for table, column, target in REFERENCES if not messages else ():
        sql = (
            f'SELECT "{column}", COUNT(*) FROM "{table}" AS o WHERE "{column}" IS NOT NULL'
            f' AND NOT EXISTS (SELECT 1 FROM "{target}" AS t WHERE t."id" = o."{column}") GROUP BY 1'
        )
        for record, count in connection.execute(sql):
            yield f"{quantity(count, 'record')} of {table} with the {column} {record}: there is no such {target}"


def _count_results(connection: StoreConnection) -> tuple[Mapping[int, Counter[str]], Mapping[int, Counter[str]]]:
    """Count the results of each thread, and those that were replaced, by the names of the contract's counts."""
    counts, replaced = defaultdict[int, Counter[str]](Counter), defaultdict[int, Counter[str]](Counter)
    for thread_id, status_id, is_replaced, count in connection.execute(_COUNTED):
        status = RESULT_STATUSES.get(status_id)
        names = ("total_count",) if status is None else status.counts
        for counted in (counts, replaced) if is_replaced else (counts,):
            counted[thread_id].update(dict.fromkeys(names, count))
    return counts, replaced


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


def store_numbers(connection: StoreConnection) -> StoreNumbers:
    """Return the numbers of a store; the time grows with the number of its runs."""
    ((runs, open_runs, results),) = connection.execute(_RUN_NUMBERS)
    moments = connection.execute('SELECT "time" FROM "moment" WHERE "name" = ?', ("prune",))
    return StoreNumbers(runs, open_runs, int(results), used_bytes(connection), moments[0][0] if moments else None)


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
