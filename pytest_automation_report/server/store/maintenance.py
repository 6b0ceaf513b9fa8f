"""Administer a store: check it, back it up, remove old runs, complete those left open, and keep its tokens."""

from __future__ import annotations

import logging
import os
import re
import secrets
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from pytest_automation_report.api.models import Token, shown_store
from pytest_automation_report.errors import SettingError, StoreError
from pytest_automation_report.server.store.contents import remove_unused
from pytest_automation_report.server.store.database import REFERENCES, Row, StoreConnection, lock, used_bytes
from pytest_automation_report.server.store.migrations import APPLICATION_ID
from pytest_automation_report.server.store.search_index import remove_texts
from pytest_automation_report.server.store.store import BUSY_SECONDS
from pytest_automation_report.server.store.values import (
    DAY_US,
    INT64_MAX,
    RESULT_STATUSES,
    STORED_COUNTS,
    StoredAttachment,
)
from pytest_automation_report.system.console import publish
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


# A run that is being removed is in both tables: its counts say nothing, and it takes nothing more.
_IS_LEAVING: Final = 'IN (SELECT "id" FROM "removed_run")'


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
    for thread_id, status_id, is_replaced, count in connection.execute(_COUNTED):
        status = RESULT_STATUSES.get(status_id)
        names = ("total_count",) if status is None else status.counts
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


def back_up(store: Path, target: Path) -> int:
    """Copy a store, even one in use, to a new file that only its owner can read; return the file's size in bytes.

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


def open_bucket(address: str, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - a store of any kind
    """Return the bucket of an address; its credentials are in this process's environment."""
    from obstore.store import from_url  # noqa: PLC0415 - an extra that only users of a bucket need

    is_plain = environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
    opened: Any = from_url  # untyped: it has an overload for each kind of bucket, and the URL selects it
    return opened(
        address,
        client_options={"timeout": "30s", "connect_timeout": "5s", "allow_http": is_plain},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=20)},
    )


def remove_files(bucket: Any, hashes: Iterable[str], now_us: int) -> None:  # noqa: ANN401 - a class of obstore, which is an extra
    """Remove the files with these hashes, unless they were written in the last day: a session may still need those."""
    import obstore  # noqa: PLC0415 - an extra

    latest = datetime.fromtimestamp(now_us / 1_000_000, timezone.utc) - timedelta(days=1)
    for content_hash in hashes:
        for page in obstore.list(bucket, prefix=content_hash):
            paths = [each["path"] for each in page if each["last_modified"] < latest]
            obstore.delete(bucket, paths)


_logger = logging.getLogger(__name__)

_LEFT_OPEN: Final = (
    f'SELECT "id" FROM "run" WHERE NOT "is_completed" AND COALESCE("updated", "created") < ? AND "id" NOT {_IS_LEAVING}'
)

# Hashes of files that no other run refers to, and that the store itself does not have.
_ITS_ALONE: Final = (
    'SELECT "hash" FROM "content_use" AS u WHERE "run_id" = ?'
    ' AND NOT EXISTS (SELECT 1 FROM "content_use" AS o WHERE o."hash" = u."hash" AND o."run_id" <> u."run_id")'
    ' AND NOT EXISTS (SELECT 1 FROM "content" AS c WHERE c."hash" = u."hash")'
)
# ``place`` counts the runs of a source from 1, the newest first.
_OLD_RUNS: Final = (
    'SELECT * FROM (SELECT "id", "source_id", "branch", "created", "updated", "is_completed", "total_count",'
    ' ROW_NUMBER() OVER (PARTITION BY "source_id" ORDER BY "created" DESC, "id" DESC) AS "place" FROM "run") AS r'
    ' WHERE "created" < ? OR "place" > ? ORDER BY "created", "id"'
)
# Not the test with the highest id: see `old_runs`.
_DELETE_TESTS: Final = (
    'DELETE FROM "case" WHERE "source_id" = ? AND "id" < (SELECT MAX("id") FROM "case")'
    ' AND NOT EXISTS (SELECT 1 FROM "result" AS r WHERE r."case_id" = "case"."id") AND "key" > ? AND "key" <= ?'
)
_LAST_OF_SOME_TESTS: Final = (
    'SELECT MAX("key") FROM (SELECT "key" FROM "case" WHERE "source_id" = ? AND "key" > ? ORDER BY "key" LIMIT 5000)'
    " AS c"
)
_DELETE_SOME_RESULTS: Final = (
    'DELETE FROM "result" WHERE "id" IN (SELECT "id" FROM "result" WHERE "run_id" = ? LIMIT 5000)'
)
_REMEMBER: Final = (
    'INSERT INTO "removed_run" ("id", "source_id") SELECT "id", "source_id" FROM "run" WHERE "id" = ?'
    " ON CONFLICT DO NOTHING"
)
_PRUNED: Final = 'INSERT INTO "moment" VALUES (?, ?) ON CONFLICT ("name") DO UPDATE SET "time" = EXCLUDED."time"'


class Retention(Struct, frozen=True):
    """How long a server keeps runs, and when it completes those that are open.

    ``keep_days`` has days by pattern of the branch: the first one that `fits` a run counts, and a run that none fits
    stays. An open run that did not change for ``complete_seconds`` is completed; None completes none. Files in the
    ``bucket`` go with their runs.
    """

    keep_days: Mapping[str, int] = {}
    complete_seconds: float | None = None
    bucket: str = ""

    def keeps(self, branch: str | None, age_us: int) -> bool:
        """Whether a run of this branch and age, in microseconds, stays."""
        days = next((days for pattern, days in self.keep_days.items() if fits(pattern, branch or "")), None)
        return days is None or age_us <= days * DAY_US


def fits(pattern: str, branch: str) -> bool:
    """Whether a branch fits a pattern, in which ``*`` stands for any text."""
    return fnmatchcase(branch, re.sub(r"[\[?]", r"[\g<0>]", pattern))  # a class of one character stands for itself


class OldRun(Struct, frozen=True):
    """A run that can be removed; times are in microseconds since 1970, ``results`` is their number."""

    id: int
    source: int
    branch: str | None
    created: int
    updated: int | None
    results: int


def remove_unchanged(run: OldRun, writer: Writer) -> bool:
    """Begin to remove a run unless it has changed since it was chosen: from now on it takes no results."""
    lock(writer.connection, "run", run.id)
    if not is_unchanged(writer.connection, run):
        return False
    writer.connection.change(_REMEMBER, (run.id,))
    return True


def _remove(store: Store, run: OldRun) -> bool:
    """Remove a run, some results at a time, so that others can write between; return whether it was removed."""
    if not store.write(partial(remove_unchanged, run)):
        return False
    while store.write(lambda writer: writer.connection.change(_DELETE_SOME_RESULTS, (run.id,))):
        pass
    store.write(partial(remove_run, run.id))
    return True


def is_unchanged(connection: StoreConnection, run: OldRun) -> bool:
    """Whether a run is as it was when it was chosen."""
    row = connection.row('SELECT "updated", "total_count" FROM "run" WHERE "id" = ?', (run.id,))
    return row == {"updated": run.updated, "total_count": run.results}


def remove_run(run_id: int, writer: Writer) -> int:
    """Remove a run with its threads, results and attachments; return the number of results, 0 for a missing run."""
    lock(writer.connection, "run", run_id)
    writer.connection.change(_REMEMBER, (run_id,))
    removed = writer.connection.change('DELETE FROM "result" WHERE "run_id" = ?', (run_id,))
    for table in ("attachment", "content_use", "run_tag", "run_document", "thread"):
        writer.connection.change(f'DELETE FROM "{table}" WHERE "run_id" = ?', (run_id,))
    writer.connection.change('DELETE FROM "run" WHERE "id" = ?', (run_id,))
    return removed


def remove_unused_tests(source_id: int, writer: Writer, after: str = "", last: str | None = None) -> int:
    """Remove the tests of a source that have no result any more; return their number.

    They are those with the keys behind ``after`` up to ``last``; None for all the rest.
    """
    lock(writer.connection, "tests", source_id)
    if last is None:
        last = writer.connection.execute('SELECT MAX("key") FROM "case" WHERE "source_id" = ?', (source_id,))[0][0]
    return writer.connection.change(_DELETE_TESTS, (source_id, after, last))


def _remove_unused_tests(store: Store, source: int) -> None:
    """Remove them in parts: appends that add tests to the source wait for each."""

    def last_of_some(after: str, connection: StoreConnection) -> str | None:
        found: str | None = connection.execute(_LAST_OF_SOME_TESTS, (source, after))[0][0]
        return found

    after = ""
    while (last := store.read(partial(last_of_some, after))) is not None:
        store.write(partial(remove_unused_tests, source, after=after, last=last))
        after = last
    store.write(lambda writer: remove_texts(source, writer.connection))


def old_runs(connection: StoreConnection, now: int, *, before: int = 0, beyond: int | None = None) -> list[OldRun]:
    """Return the runs that can be removed, oldest first; times are in microseconds since 1970.

    These are the runs created ``before`` a time, and all but the newest ``beyond`` runs of each source.
    """
    # SQLite would give the highest id of a removed run, thread or result to the next one, and who remembers an id must
    # never reach anything else with it.
    kept = {connection.number('SELECT MAX("id") FROM "run"')}
    for table in ("thread", "result"):
        last = f'SELECT "run_id" FROM "{table}" ORDER BY "id" DESC LIMIT 1'
        kept |= {run_id for (run_id,) in connection.execute(last)}
    return [
        OldRun(row["id"], row["source"], row["branch"], row["created"], row["updated"], row["total_count"])
        for row in connection.each(_OLD_RUNS, (before, INT64_MAX if beyond is None else beyond))
        # A run without a change for a day was left open by a job that was killed.
        if row["id"] not in kept and (row["is_completed"] or (row["updated"] or row["created"]) <= now - DAY_US)
    ]


def remove_runs(
    store: Store, runs: Iterable[OldRun], after_each: Callable[[OldRun, bool], object], bucket: str = ""
) -> tuple[list[OldRun], int]:
    """Remove the runs that did not change since they were chosen, and then the artifacts and tests without a run.

    ``after_each`` is called with each run and whether it was removed. Returns the removed runs, and the number of
    removed artifacts.
    """
    removed = []
    for run in _emptied(store, runs, bucket) if bucket else runs:
        is_removed = _remove(store, run)
        if is_removed:
            removed.append(run)
        after_each(run, is_removed)
    for source in sorted({run.source for run in removed}):
        _remove_unused_tests(store, source)
    artifacts = 0
    while some := store.write(lambda writer: remove_unused(writer.connection, writer.now)):
        artifacts += some
    store.write(lambda writer: writer.connection.change(_PRUNED, ("prune", writer.now)))
    return removed, artifacts


def _emptied(store: Store, runs: Iterable[OldRun], address: str) -> Iterator[OldRun]:
    """Yield runs after their files in the bucket are gone; those that another run has, too, stay."""
    bucket = None
    for run in runs:
        # Files first: if the bucket does not answer, the run stays until it does, and no file is forgotten.
        hashes = store.read(partial(_its_alone, run))
        try:
            if hashes:
                bucket = bucket or open_bucket(address, os.environ)
                remove_files(bucket, hashes, store.now())
        except Exception as error:  # noqa: BLE001 - an error of obstore, which is imported only here
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            _logger.warning("%s: %s; run %s and later ones stay until it answers", shown_store(address), reason, run.id)
            return
        yield run


def _its_alone(run: OldRun, connection: StoreConnection) -> list[str]:
    """Return the hashes of files that can go with a run: none if it has changed, for then it stays."""
    rows = connection.execute(_ITS_ALONE, (run.id,)) if is_unchanged(connection, run) else ()
    return [content_hash for (content_hash,) in rows]


def apply_retention(
    store: Store,
    retention: Retention,
    on_completed: Callable[[int], None],
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Complete the runs that were left open, then remove the old ones, until ``is_over`` returns true.

    ``on_completed`` gets the id of each run that was completed.
    """
    now = store.now()
    if (seconds := retention.complete_seconds) is not None:
        before = now - int(seconds * 1_000_000)
        for (run_id,) in store.read(lambda connection: connection.execute(_LEFT_OPEN, (before,))):
            if not is_over() and store.write(partial(_complete, run_id, before, seconds)):
                _logger.info("completed run %s, which did not change for %s", run_id, _span(seconds))
                on_completed(run_id)
    if retention.keep_days:
        latest = now - min(retention.keep_days.values()) * DAY_US
        found = store.read(partial(old_runs, now=now, before=latest))
        old = [run for run in found if not retention.keeps(run.branch, now - run.created)]
        remove_runs(store, takewhile(lambda _: not is_over(), old), partial(_log, now), retention.bucket)


def _log(now: int, run: OldRun, is_removed: bool) -> None:  # noqa: FBT001 - as `remove_runs` calls it
    if is_removed:
        of_branch = f" of branch {run.branch}" if run.branch else ""
        days = (now - run.created) // DAY_US
        results = quantity(run.results, "result")
        _logger.info("removed run %s%s with %s, %s old", run.id, of_branch, results, quantity(days, "day"))


def _complete(run_id: int, before: int, seconds: float, writer: Writer) -> bool:
    """Complete a run unless it changed since it was chosen, and note why; return whether it was completed."""
    lock(writer.connection, "run", run_id)
    if not writer.connection.execute(f'{_LEFT_OPEN} AND "id" = ?', (before, run_id)):
        return False
    reason = {"type": 1, "name": "Completed", "value": f"by the server: nothing changed for {_span(seconds)}"}
    writer.complete_run(run_id, measure_elapsed=False, reason=[StoredAttachment("fields", encode(reason).decode())])
    return True


def _span(seconds: float) -> str:
    """Return a time as users type it: 6h, 90m."""
    size, unit = next(each for each in ((3600, "h"), (60, "m"), (1, "s")) if not seconds % each[0])
    return f"{seconds / size:.0f}{unit}"


Role: TypeAlias = Literal["report", "read", "admin"]
PREFIX: Final = "arp_"


class Grant(Struct, frozen=True):
    """What the bearer of a token may do: ``report`` and ``read`` may be limited to one project, else None."""

    name: str
    role: Role
    project: int | None = None
    created: int = 0  # microseconds since 1970

    @property
    def scope(self) -> str:
        """Role and project in words."""
        return f"{self.role}, {'all projects' if self.project is None else f'project {self.project}'}"


def create_token(name: str, role: Role, project: int | None, writer: Writer) -> Token | None:
    """Create a token and return it: only now is it known; None if the name is in use."""
    token = Token(f"{PREFIX}{secrets.token_urlsafe(32)}")
    columns = {"name": name, "hash": hash_of(token.value), "role": role, "project_id": project, "created": writer.now}
    return token if writer.connection.add("token", **columns) else None


def revoke_token(name: str, writer: Writer) -> bool:
    """Remove a token; False if no token has this name."""
    return bool(writer.connection.change('DELETE FROM "token" WHERE "name" = ?', (name,)))


def grants(connection: StoreConnection) -> Mapping[str, Grant]:
    """Return what each token may do, by its hash, in the order of names."""
    rows = connection.execute('SELECT "hash", "name", "role", "project_id", "created" FROM "token" ORDER BY "name"')
    return {row[0]: Grant(*row[1:]) for row in rows}


def hash_of(token: str) -> str:
    """Return the hash by which a token is stored: it has 256 random bits, so that none can be guessed from its hash."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


_OWNERS: Final[Mapping[str, str]] = {
    "run": 'SELECT 1 FROM "run" WHERE "id" = ? AND "project_id" = ?',
    "thread": 'SELECT 1 FROM "thread" AS t JOIN "run" AS r ON r."id" = t."run_id"'
    ' WHERE t."id" = ? AND "project_id" = ?',
    "source": 'SELECT 1 FROM "source" WHERE "id" = ? AND "project_id" = ?',
    "artifact": 'SELECT 1 FROM "content_owner" AS o JOIN "content" AS c ON c."id" = o."content_id"'
    ' WHERE c."hash" = ? AND o."project_id" = ?',
}


def is_of_project(kind: str, record_id: int | str, project: int, connection: StoreConnection) -> bool:
    """Whether a project has this run, thread, source or artifact."""
    return bool(connection.execute(_OWNERS[kind], (record_id, project)))
