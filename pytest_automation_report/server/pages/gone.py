"""Find what stands for a run or test that was removed: the newest run of its suite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.store.database import number_of
from pytest_automation_report.server.store.tables import ResultRow, RunRow

if TYPE_CHECKING:
    from peewee import Database

    from pytest_automation_report.server.store.reads import Reader

GONE: Final = 410
"""Status of a page whose run or test was removed."""

_find_run = re.compile(r"/(?:automation/runs/view|runs)/([0-9]{1,18})(?:/|$)").match
_find_result = re.compile(r"/results/([0-9]{1,18})(?:/|$)").match


class Removed:
    """A removed run or test; ``newest`` is a run that may be looked at instead, None if the store has none."""

    def __init__(self, what: str, newest: int | None) -> None:
        self.title = f"{what} is no longer stored"
        self.newest = newest


def removed_at(path: str, reader: Reader) -> Removed | None:
    """Return what stood at a path of the site; None if the path names nothing that the store can ever have had.

    Ids grow, so a run with a lower id than the newest one was removed. Its suite was noted when it was removed.
    """
    if match := _find_run(path):
        run_id, newest = int(match[1]), _highest(reader.database, RunRow)
        if newest is None or not 1 <= run_id <= newest or _has(reader.database, RunRow, run_id):
            return None
        return Removed(f"Run #{run_id}", _newest_of_suite(reader, run_id) or newest)
    if match := _find_result(path):
        highest = _highest(reader.database, ResultRow)
        result_id = int(match[1])
        if highest is not None and 1 <= result_id <= highest and not _has(reader.database, ResultRow, result_id):
            return Removed("This test's result", _highest(reader.database, RunRow))
    return None


def _highest(database: Database, table: Any) -> int | None:  # noqa: ANN401 - peewee's tables have no common type
    query: Any = table.select(fn.MAX(table.id)).tuples().execute(database)
    ((highest,),) = query
    return None if highest is None else int(highest)


def _has(database: Database, table: Any, row_id: int) -> bool:  # noqa: ANN401 - as above
    """Whether a row exists: a page of one can lack something else, such as the run that it is compared with."""
    query: Any = table.select(table.id).where(table.id == row_id).tuples().execute(database)
    return bool(list(query))


def _newest_of_suite(reader: Reader, run_id: int) -> int | None:
    """Return the newest run of the suite of a removed run."""
    sql = 'SELECT MAX(r."id") FROM "run" AS r JOIN "removed_run" AS g ON g."source_id" = r."source_id" WHERE g."id" = ?'
    return number_of(reader.connection, sql, (run_id,)) or None
