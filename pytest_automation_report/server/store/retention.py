"""Remove old runs of a store, and complete runs that their jobs left open."""

from __future__ import annotations

import logging
import os
from fnmatch import fnmatchcase
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.json import encode

from pytest_automation_report.api.models import shown_store
from pytest_automation_report.server.store.buckets import open_bucket, remove_files
from pytest_automation_report.server.store.contents import remove_unused
from pytest_automation_report.server.store.database import StoreConnection, lock
from pytest_automation_report.server.store.values import DAY_US, StoredAttachment
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

_logger = logging.getLogger(__name__)

_LEFT_OPEN: Final = 'SELECT "id" FROM "run" WHERE NOT "is_completed" AND COALESCE("updated", "created") < ?'

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
    ' WHERE {condition} ORDER BY "created", "id"'
)
# Not the test with the highest id: see `_removable`.
_DELETE_TESTS: Final = (
    'DELETE FROM "case" WHERE "source_id" = ? AND "id" < (SELECT MAX("id") FROM "case")'
    ' AND NOT EXISTS (SELECT 1 FROM "result" AS r WHERE r."case_id" = "case"."id")'
)
_REMEMBER: Final = (
    'INSERT INTO "removed_run" ("id", "source_id") SELECT "id", "source_id" FROM "run" WHERE "id" = ?'
    " ON CONFLICT DO NOTHING"
)
_PRUNED: Final = 'INSERT INTO "moment" VALUES (?, ?) ON CONFLICT ("name") DO UPDATE SET "time" = EXCLUDED."time"'


class Retention(Struct, frozen=True):
    """How long a server keeps runs, and when it completes those that are open.

    ``keep_days`` has days by pattern of the branch: the first one that fits a run counts, and a run that none fits
    stays. An open run that did not change for ``complete_seconds`` is completed; None completes none. Files in the
    ``bucket`` go with their runs.
    """

    keep_days: Mapping[str, int] = {}
    complete_seconds: float | None = None
    bucket: str = ""

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.keep_days) or self.complete_seconds is not None

    def keeps(self, branch: str | None, age_us: int) -> bool:
        """Whether a run of this branch and age, in microseconds, stays."""
        days = next((days for pattern, days in self.keep_days.items() if fnmatchcase(branch or "", pattern)), None)
        return days is None or age_us <= days * DAY_US


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
    return writer.connection.change(_DELETE_TESTS, (source_id,))


def _removable(connection: StoreConnection, condition: str, value: int, now: int) -> list[OldRun]:
    """Return the runs with this condition that can be removed, oldest first."""
    # SQLite would give the highest id of a removed run, thread or result to the next one, and who remembers an id must
    # never reach anything else with it.
    kept = {connection.number('SELECT MAX("id") FROM "run"')}
    for table in ("thread", "result"):
        last = f'SELECT "run_id" FROM "{table}" ORDER BY "id" DESC LIMIT 1'
        kept |= {run_id for (run_id,) in connection.execute(last)}
    return [
        OldRun(row["id"], row["source"], row["branch"], row["created"], row["updated"], row["total_count"])
        for row in connection.each(_OLD_RUNS.format(condition=condition), (value,))
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
        # In a transaction of its own, so that others can write between them.
        is_removed = store.write(partial(remove_unchanged, run))
        if is_removed:
            removed.append(run)
        after_each(run, is_removed)
    for source in sorted({run.source for run in removed}):
        store.write(partial(remove_unused_tests, source))
    artifacts = store.write(lambda writer: remove_unused(writer.connection, writer.now))
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
        for (run_id,) in store.look(lambda connection: connection.execute(_LEFT_OPEN, (before,))):
            if not is_over() and store.write(partial(_complete, run_id, before, seconds)):
                _logger.info("completed run %s, which did not change for %s", run_id, _span(seconds))
                on_completed(run_id)
    if retention.keep_days:
        latest = now - min(retention.keep_days.values()) * DAY_US
        found = store.read(lambda connection: runs_before(connection, latest, now))
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
