"""Find what stands for a run or test that was removed: the newest run of its suite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pytest_automation_report.server.pages.queries import PageReader

GONE: Final = 410
"""Status of a page whose run or test was removed."""

_find = re.compile(r"/(automation/runs/view|runs|results)/([0-9]{1,18})(?:/|$)").match
_OF_SUITE: Final = (
    'SELECT MAX(r."id") FROM "run" AS r JOIN "removed_run" AS g ON g."source_id" = r."source_id" WHERE g."id" = ?'
)


class Removed(NamedTuple):
    """A removed run or test; ``newest`` is a run that may be looked at instead, 0 if the store has none."""

    title: str
    newest: int


def removed_at(path: str, reader: PageReader) -> Removed | None:
    """Return what stood at a path of the site; None if the path names nothing that the store can ever have had.

    Ids grow, so a run with a lower id than the newest one was removed. Its suite was noted when it was removed. A page
    of a run that is there can lack something else, such as the run that it is compared with.
    """
    match = _find(path)
    if match is None:
        return None
    number, table = int(match[2]), "result" if match[1] == "results" else "run"
    rows = reader.connection.execute(f'SELECT 1 FROM "{table}" WHERE "id" = ?', (number,))
    newest, highest = (reader.connection.number(f'SELECT MAX("id") FROM "{name}"') for name in ("run", table))
    if rows or not 1 <= number <= highest:
        return None
    if table == "result":
        return Removed("This test's result is no longer stored", newest)
    return Removed(f"Run #{number} is no longer stored", reader.connection.number(_OF_SUITE, (number,)) or newest)
