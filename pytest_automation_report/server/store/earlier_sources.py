"""Find the source that a new one goes on from: projects and folders are renamed, and with them sources without a name.

Histories of tests belong to a source, so the first run under a new name has nothing to be compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.run_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection

# Tests that are looked up in other sources, spread over the run.
_SAMPLE: Final = 100
# With fewer tests equal names prove nothing: each suite may have a `tests.test_version.test_version`.
_LEAST_TESTS: Final = 5
_LEAST_SHARE: Final = 0.5
_HAS_EARLIER_RUN: Final = 'SELECT 1 FROM "run" WHERE "source_id" = ? AND "id" < ? LIMIT 1'
_HAS_OTHER_SOURCE: Final = 'SELECT 1 FROM "source" WHERE "project_id" = ? AND "id" < ? LIMIT 1'
_KEYS: Final = 'SELECT "key" FROM "case" WHERE "id" IN ({ids})'
# SQLite has no index of keys alone: it reads all tests of the store once, in the first run of a source only.
_SAME_TESTS: Final = (
    'SELECT s."id", s."name", COUNT(*) AS "same" FROM "case" AS c JOIN "source" AS s ON s."id" = c."source_id"'
    ' WHERE c."key" IN ({keys}) AND s."project_id" = ? AND s."id" < ? GROUP BY s."id", s."name"'
    ' ORDER BY "same" DESC, s."id" DESC LIMIT 1'
)
_RUNS: Final = 'SELECT COUNT(*) FROM "run" WHERE "source_id" = ? AND "id" < ?'


def earlier_source(connection: StoreConnection, run: Json, case_ids: Collection[int]) -> Json | None:
    """Return name and number of runs of the older source that has most tests of a run, by its row and its tests.

    None unless it is the first run of its source, and half of its tests at least are known in another source of its
    project.
    """
    source, run_id, project = run["source"], run["id"], run["project"]
    if len(case_ids) < _LEAST_TESTS or connection.execute(_HAS_EARLIER_RUN, (source, run_id)):
        return None
    if not connection.execute(_HAS_OTHER_SOURCE, (project, source)):
        return None
    ordered = sorted(case_ids)
    keys = [key for (key,) in rows_of(connection, _KEYS, ordered[:: len(ordered) // _SAMPLE + 1])]
    rows = connection.execute(_SAME_TESTS.replace("{keys}", marks(keys)), (*keys, project, source))
    if not rows or rows[0][2] < len(keys) * _LEAST_SHARE:
        return None
    count = connection.number(_RUNS, (rows[0][0], run_id))
    return {"name": rows[0][1], "runs": count} if count else None
