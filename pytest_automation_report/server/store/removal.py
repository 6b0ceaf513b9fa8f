"""Remove runs, and the artifacts and tests that no run has any more."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from pytest_automation_report.api.models import shown_store
from pytest_automation_report.server.store.buckets import open_bucket, remove_files
from pytest_automation_report.server.store.contents import remove_unused
from pytest_automation_report.server.store.database import StoreConnection, lock
from pytest_automation_report.server.store.search_index import remove_texts
from pytest_automation_report.server.store.values import (
    DAY_US,
    INT64_MAX,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


_logger = logging.getLogger(__name__)

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


@contextmanager
def numbered_from(store: Store, first: int, run_id: int) -> Iterator[None]:
    """Let the next run have this number in a store whose only run is ``first``, an empty one, which then goes."""
    # SQLite counts on from the largest number.
    before = run_id - 1
    store.write(lambda writer: writer.connection.change('UPDATE "run" SET "id" = ? WHERE "id" = ?', (before, first)))
    yield
    store.write(lambda writer: writer.connection.change('DELETE FROM "run" WHERE "id" = ?', (before,)))
