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

from pytest_automation_report.api.urls import shown_store
from pytest_automation_report.server.store.buckets import open_bucket, remove_files
from pytest_automation_report.server.store.contents import remove_unused
from pytest_automation_report.server.store.database import StoreConnection, lock
from pytest_automation_report.server.store.maintenance import (
    is_unchanged,
    note_prune,
    remove_unchanged,
    remove_unused_tests,
    runs_before,
)
from pytest_automation_report.server.store.values import DAY_US, StoredAttachment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_automation_report.server.store.maintenance import OldRun
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


def remove_runs(
    store: Store, runs: Iterable[OldRun], after_each: Callable[[OldRun], None], bucket: str = ""
) -> tuple[list[OldRun], int]:
    """Remove the runs that did not change since they were chosen, and then the artifacts and tests without a run.

    ``after_each`` is called for each run. Returns the removed runs, and the number of removed artifacts.
    """
    removed = []
    for run in _emptied(store, runs, bucket) if bucket else runs:
        # In a transaction of its own, so that others can write between them.
        if store.write(partial(remove_unchanged, run)):
            removed.append(run)
        after_each(run)
    for source in sorted({run.source for run in removed}):
        store.write(partial(remove_unused_tests, source))
    artifacts = store.write(lambda writer: remove_unused(writer.connection, writer.now))
    store.write(note_prune)
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
        except Exception as error:  # noqa: BLE001 - those of obstore, which is imported only here
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
        removed, _ = remove_runs(store, takewhile(lambda _: not is_over(), old), lambda _: None, retention.bucket)
        for run in removed:
            of_branch = f" of branch {run.branch}" if run.branch else ""
            days = (now - run.created) // DAY_US
            _logger.info("removed run %s%s with %s results, %s days old", run.id, of_branch, run.results, days)


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
