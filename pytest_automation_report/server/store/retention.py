"""Complete runs that were left open, and remove old ones."""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatchcase
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.json import encode

from pytest_automation_report.server.store.database import lock
from pytest_automation_report.server.store.removal import OldRun, old_runs, remove_runs
from pytest_automation_report.server.store.values import (
    DAY_US,
    StoredAttachment,
)
from pytest_automation_report.text.limits import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer


_logger = logging.getLogger(__name__)

# A run that is being removed is in both tables: its counts say nothing, and it takes nothing more.
_IS_LEAVING: Final = 'IN (SELECT "id" FROM "removed_run")'

_LEFT_OPEN: Final = (
    f'SELECT "id" FROM "run" WHERE NOT "is_completed" AND COALESCE("updated", "created") < ? AND "id" NOT {_IS_LEAVING}'
)


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
