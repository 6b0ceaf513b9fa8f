"""Check all records of a store, and count them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from pytest_automation_report.server.store.database import REFERENCES, Row, StoreConnection, used_bytes
from pytest_automation_report.server.store.reads import IS_FIXTURE
from pytest_automation_report.server.store.values import (
    FIXTURE_COUNTS,
    RESULT_STATUSES,
    STORED_COUNTS,
)
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_automation_report.server.store.store import Store


# A run that is being removed is in both tables: its counts say nothing, and it takes nothing more.
_IS_LEAVING: Final = 'IN (SELECT "id" FROM "removed_run")'


class IntegrityReport(Struct, frozen=True):
    """Numbers of the checked records, and one sentence for each error."""

    runs: int
    threads: int
    results: int
    errors: tuple[str, ...]


def check_store(store: Store) -> IntegrityReport:
    """Check all records of a store; the time grows with the number of its results."""
    reports: list[IntegrityReport] = []
    try:
        store.read(lambda connection: reports.append(_check_all(connection, store.driver_error)))
    except store.driver_error:
        # The end of a transaction that has found damage can be an error, too.
        if not reports:
            raise
    return reports[0]


def first_damage(connection: StoreConnection) -> str:
    """Return the first damage that SQLite finds in a file without its indexes, "" if it finds none."""
    ((message,),) = connection.execute("PRAGMA quick_check(1)")
    return "" if message == "ok" else str(message)


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
_COUNTED = f'SELECT "thread_id", "status", "is_replaced", {IS_FIXTURE}, COUNT(*) FROM "result" GROUP BY 1, 2, 3, 4'


def _check_counts(connection: StoreConnection) -> IntegrityReport:
    errors: list[str] = []
    run_names = (*STORED_COUNTS, "thread_count", "thread_active_count")
    threads = connection.rows(f'SELECT * FROM "thread" WHERE "run_id" NOT {_IS_LEAVING} ORDER BY "id"')
    runs = connection.rows(f'SELECT * FROM "run" WHERE "id" NOT {_IS_LEAVING} ORDER BY "id"')
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
    # Both databases prevent references to missing records, but PostgreSQL does not for results: see `database`.
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
    for thread_id, status_id, is_replaced, is_fixture, count in connection.execute(_COUNTED):
        status = RESULT_STATUSES.get(status_id)
        names = FIXTURE_COUNTS if is_fixture else ("total_count",) if status is None else status.counts
        for counted in (counts, replaced) if is_replaced else (counts,):
            counted[thread_id].update(dict.fromkeys(names, count))
    return counts, replaced


def _compare_counts(title: str, row: Row, counts: Mapping[str, int], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        count = counts.get(name, 0)
        if row[name] != count:
            yield f"{title}: {name} is {row[name]}, counted are {count}"


_NUMBERS = (
    'SELECT COUNT(*) AS "runs", COALESCE(SUM(CASE WHEN "is_completed" THEN 0 ELSE 1 END), 0) AS "open_runs",'
    ' CAST(COALESCE(SUM("total_count"), 0) AS BIGINT) AS "results",'
    ' (SELECT "time" FROM "moment" WHERE "name" = \'prune\') AS "pruned" FROM "run"'
)


def store_numbers(connection: StoreConnection) -> Row:
    """Return numbers of a store by name, ``pruned`` in microseconds; the time grows with the number of its runs."""
    (numbers,) = connection.rows(_NUMBERS)
    return {**numbers, "store_bytes": used_bytes(connection)}
