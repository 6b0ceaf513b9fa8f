"""Read how long the tests of a source usually take, and which failed last, for sessions that cut or order their tests.

All jobs of a pipeline get the durations of the same runs: the first one that asks with a key settles which. It may be
no run: then all of them cut their tests by number.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_automation_report.findings.times import median
from pytest_automation_report.server.store.compared import main_branch
from pytest_automation_report.server.store.database import StoreConnection, try_lock
from pytest_automation_report.server.store.reads import IS_MODULE, rows_of
from pytest_automation_report.server.store.values import DAY_US, ResultClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

_RUNS: Final = 5
# A job of a pipeline that is older does not run again.
_KEEP_US: Final = 30 * DAY_US
_SOURCE: Final = 'SELECT "id" FROM "source" WHERE "project_id" = ? AND "name" = ?'
_OF_BRANCH: Final = (
    'SELECT "id" FROM "run" WHERE "source_id" = ? AND {branch} AND "is_completed" AND "total_count" > 0'
    ' ORDER BY "id" DESC LIMIT ?'
)
# The runs of a key, which is a run's tag, or "run" and its id. Only newer ones: the tags have no index of their own.
_OWN: Final = (
    'SELECT "id" FROM (SELECT "id" FROM "run" WHERE "source_id" = ? ORDER BY "id" DESC LIMIT 1000) AS newest'
    ' WHERE \'run \' || "id" = ? OR EXISTS (SELECT 1 FROM "run_tag" WHERE "run_id" = newest."id" AND "tag" = ?)'
)
_COLLECTIONS: Final = 'SELECT "collection" FROM "thread" WHERE "run_id" = ? AND "collection" IS NOT NULL'
_SETTLED: Final = 'SELECT "runs" FROM "plan" WHERE "project_id" = ? AND "key" = ?'
_SETTLE: Final = (
    'INSERT INTO "plan" ("project_id", "key", "runs", "created") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'
)
# Not the tests that are only named since they did not run. In PostgreSQL an order by the id alone would be served by
# the primary key: see `database`.
_RESULTS: Final = (
    f'SELECT "case_id", "result_class", "elapsed", {IS_MODULE} FROM "result"'  # nosec B608
    ' WHERE "run_id" = ? AND "status" <> 1 AND NOT "is_replaced" ORDER BY "run_id", "id"'
)
_KEYS: Final = 'SELECT "id", "key" FROM "case" WHERE "id" IN ({ids})'


def usual_durations(store: Store, project_id: int, source: str, branch: str, key: str) -> Json:
    """Return ``runs``, the medians in them as ``durations`` by key, and the keys of tests that ``failed`` last.

    The runs are the last ones of the branch, then of the main branch, newest first; with a key they are the runs
    of its first call, and ``error`` says that it had none. Durations are in microseconds.
    """
    own, runs = store.read(partial(_last_runs, project_id=project_id, source=source, branch=branch, key=key))
    if not key:
        return store.read(partial(_history, runs=runs))
    settled = store.write(partial(_settled, project_id, key, own, runs))
    error = {} if settled or not runs else {"error": "the first job of this run key had no durations"}
    return {**store.read(partial(_history, runs=settled)), **error}


def _last_runs(
    connection: StoreConnection, project_id: int, source: str, branch: str, key: str
) -> tuple[list[int], list[int]]:
    """Return the runs of the key, and the other ones whose durations count."""
    sources = connection.execute(_SOURCE, (project_id, source))
    if not sources:
        return [], []
    ((source_id,),) = sources
    own = [run_id for (run_id,) in connection.execute(_OWN, (source_id, key, key))] if key else []
    found: list[int] = []
    for name in dict.fromkeys([branch, main_branch(connection, source_id)]):
        condition, values = ('"branch" = ?', (name,)) if name else ('"branch" IS NULL', ())
        rows = connection.execute(_OF_BRANCH.format(branch=condition), (source_id, *values, _RUNS + len(own)))
        found += [run_id for (run_id,) in rows if run_id not in own]
    return own, found[:_RUNS]


def _is_part(collection: str) -> bool:
    """Whether a session ran only a shard of the tests that it collected."""
    numbers = json.loads(collection)
    return bool(numbers["chosen"] < numbers["tests"])


def _settled(project_id: int, key: str, own: Sequence[int], runs: Sequence[int], writer: Writer) -> list[int]:
    """Store the runs for a key, unless another job was first; return what is stored. ``own`` are the key's runs."""
    connection = writer.connection
    # Two purges at once would lock the same rows in different orders.
    if try_lock(connection, "plans"):
        connection.change('DELETE FROM "plan" WHERE "created" < ?', (writer.now - _KEEP_US,))
    if not connection.execute(_SETTLED, (project_id, key)):
        # Shards that ran before anybody got an answer were cut by number.
        is_cut = any(_is_part(text) for run_id in own for (text,) in connection.execute(_COLLECTIONS, (run_id,)))
        connection.change(_SETTLE, (project_id, key, json.dumps([] if is_cut else runs), writer.now))
    ((stored,),) = connection.execute(_SETTLED, (project_id, key))
    found: list[int] = json.loads(stored)
    return found


def _history(connection: StoreConnection, runs: Sequence[int]) -> Json:
    durations: dict[int, list[int]] = defaultdict(list)
    has_failed: dict[int, bool] = {}
    for run_id in runs:
        here: dict[int, bool] = {}
        for case_id, result_class, elapsed, is_module in connection.execute(_RESULTS, (run_id,)):
            if is_module and run_id != runs[0]:  # one that is collected again has no result
                continue
            # Several jobs of a run may have results of a test: it failed if it failed in any of them.
            here[case_id] = here.get(case_id, False) or result_class == ResultClass.FAILURE
            if not is_module:
                durations[case_id].append(elapsed or 0)
        has_failed = {**here, **has_failed}  # the newest run that has the test decides
    keys: dict[int, str] = dict(rows_of(connection, _KEYS, sorted(has_failed)))
    return {
        "runs": runs,
        "failed": [keys[case_id] for case_id, failed in has_failed.items() if failed],
        "durations": {keys[case_id]: round(median(times)) for case_id, times in durations.items()},
    }
