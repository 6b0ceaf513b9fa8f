"""Insert the tests of an append."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from pytest_automation_report.server.store.case_keys import add_cases
from pytest_automation_report.server.store.database import array_text, share_tests
from pytest_automation_report.server.store.derived import derived

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.inputs import StoredTest
    from pytest_automation_report.server.store.sqlite import SqliteConnection
    from pytest_automation_report.server.store.statuses import StatusTable

# The id of a key is read by a subquery: for a join PostgreSQL may read all tests of a source. New keys are inserted in
# the order of the keys: two writers that insert the same tests then lock them in the same order and cannot deadlock.
_INSERT_CASES: Final = (
    'INSERT INTO "case" ("source_id", "key") SELECT ?, "key" FROM (SELECT DISTINCT unnest(?::text[]) AS "key") AS t'
    ' WHERE (SELECT "id" FROM "case" AS c WHERE c."source_id" = ? AND c."key" = t."key") IS NULL'
    ' ORDER BY "key" ON CONFLICT DO NOTHING'
)
_INSERT_RESULTS: Final = (
    'INSERT INTO "result" ("run_id", "thread_id", "case_id", "name", "folder", "status", "result_class", "elapsed",'
    ' "file", "line", "assertions", "fields", "artifacts", "started", "setup", "teardown", "steps", "comparison",'
    ' "colours", "attempts", "failed_attempts", "phase", "message", "fingerprint", "created")'
    ' SELECT ?, ?, (SELECT "id" FROM "case" AS c WHERE c."source_id" = ? AND c."key" = t."key"),'
    ' "name", "folder", "status", "result_class", "elapsed", "file", "line", "assertions", "fields", "artifacts",'
    ' "started", "setup", "teardown", "steps", "comparison", "colours", "attempts",'
    ' "failed_attempts", "phase", "message", "fingerprint", ?'
    " FROM unnest(?::text[], ?::text[], ?::text[], ?::int[], ?::int[], ?::bigint[], ?::text[], ?::bigint[],"
    " ?::bigint[], ?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::text[],"
    " ?::text[], ?::text[], ?::int[], ?::text[], ?::text[], ?::bigint[]) WITH ORDINALITY"
    ' AS t ("key", "name", "folder", "status", "result_class", "elapsed", "file", "line", "assertions", "fields",'
    ' "artifacts", "started", "setup", "teardown", "steps", "comparison", "colours", "attempts", "failed_attempts",'
    ' "phase", "message", "fingerprint", "position") ORDER BY "position"'
)
_INSERT_RESULT: Final = (
    'INSERT INTO "result" ("run_id", "thread_id", "case_id", "name", "folder", "status", "result_class", "elapsed",'
    ' "file", "line", "assertions", "fields", "artifacts", "started", "setup", "teardown", "steps", "comparison",'
    ' "colours", "attempts", "failed_attempts", "phase", "message", "fingerprint", "created")'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def add_results(
    connection: StoreConnection, thread: Json, tests: Sequence[StoredTest], statuses: StatusTable, now: int
) -> None:
    """Insert the results of an append in their order, and the tests that are new to the thread's source."""
    if not tests:
        return
    classes: Mapping[int, int] = {status.id: int(status.result_class) for status in statuses.statuses}
    if connection.is_postgres:
        _insert_in_postgres(connection, thread, tests, classes, now)
    else:
        _insert_in_sqlite(cast("SqliteConnection", connection), thread, tests, classes, now)


def _insert_in_postgres(
    connection: StoreConnection, thread: Json, tests: Sequence[StoredTest], classes: Mapping[int, int], now: int
) -> None:
    """Insert all with two statements, since each statement is a round trip to the server."""
    source_id = thread["source_id"]
    share_tests(connection, source_id)
    keys, names, folders, status_ids, *others = (list(column) for column in zip(*tests, strict=True))
    connection.execute(_INSERT_CASES, (source_id, array_text(keys), source_id))
    values = (thread["run_id"], thread["id"], source_id, now)
    result_classes = [classes[status_id] for status_id in status_ids]
    rows = zip(*map(derived, tests, result_classes), strict=True)
    columns = (keys, names, folders, status_ids, result_classes, *others, *rows)
    connection.execute(_INSERT_RESULTS, (*values, *map(array_text, columns)))


def _insert_in_sqlite(
    connection: SqliteConnection, thread: Json, tests: Sequence[StoredTest], classes: Mapping[int, int], now: int
) -> None:
    run_id, thread_id = thread["run_id"], thread["id"]
    cases = add_cases(connection, thread["source_id"], [test.key for test in tests])
    rows: list[tuple[object, ...]] = []
    for test in tests:
        key, name, folder, status, *others = test
        result_class = classes[status]
        where = (run_id, thread_id, cases[key], name, folder, status, result_class)
        rows.append((*where, *others, *derived(test, result_class), now))
    connection.execute_many(_INSERT_RESULT, rows)
