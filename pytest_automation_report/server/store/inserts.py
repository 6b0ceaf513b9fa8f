"""How the tests of an append become rows (floor 2): raw SQL, since peewee's own costs several times the storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.database import execute, share_tests
from pytest_automation_report.server.store.tables import INSERT_CASE, INSERT_RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import StoredTest
    from pytest_automation_report.server.store.statuses import StatusTable

# A key is looked up by a subquery and not by a join, for which PostgreSQL may read all tests of a source. New ones are
# added in one order, so that writers of the same tests wait for each other in a row and never in a circle.
_INSERT_CASES: Final = (
    'INSERT INTO "case" ("source_id", "key") SELECT %s, "key" FROM (SELECT DISTINCT unnest(%s::text[]) AS "key") AS t'
    ' WHERE (SELECT "id" FROM "case" AS c WHERE c."source_id" = %s AND c."key" = t."key") IS NULL'
    ' ORDER BY "key" ON CONFLICT DO NOTHING'
)
_INSERT_RESULTS: Final = (
    'INSERT INTO "result" ("run_id", "thread_id", "case_id", "name", "folder", "status", "result_class", "elapsed",'
    ' "file", "line", "assertions", "fields", "artifacts", "created")'
    ' SELECT %s, %s, (SELECT "id" FROM "case" AS c WHERE c."source_id" = %s AND c."key" = t."key"),'
    ' "name", "folder", "status", "result_class", "elapsed", "file", "line", "assertions", "fields", "artifacts", %s'
    " FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bigint[], %s::text[], %s::bigint[],"
    " %s::bigint[], %s::text[], %s::text[]) WITH ORDINALITY"
    ' AS t ("key", "name", "folder", "status", "result_class", "elapsed", "file", "line", "assertions", "fields",'
    ' "artifacts", "position") ORDER BY "position"'
)


def add_results(database: Database, thread: Json, tests: Sequence[StoredTest], statuses: StatusTable, now: int) -> None:
    """Add the tests of an append to a thread, in their order, and make those known that are new to its source."""
    if not tests:
        return
    classes: Mapping[int, int] = {each.id: int(each.result_class) for each in statuses.statuses}
    if database.for_update:
        _add_at_once(database, thread, tests, classes, now)
    else:
        _add_one_by_one(database, thread, tests, classes, now)


def _add_at_once(
    database: Database, thread: Json, tests: Sequence[StoredTest], classes: Mapping[int, int], now: int
) -> None:
    """Add them by two statements, since each one goes to PostgreSQL and back."""
    source_id = thread["source"]
    share_tests(database, source_id)
    keys, names, folders, numbers, *others = (list(column) for column in zip(*tests, strict=True))
    execute(database, _INSERT_CASES, (source_id, keys, source_id))
    known = (thread["run"], thread["id"], source_id, now)
    columns = (keys, names, folders, numbers, [classes[number] for number in numbers], *others)
    execute(database, _INSERT_RESULTS, (*known, *columns))


def _add_one_by_one(
    database: Database, thread: Json, tests: Sequence[StoredTest], classes: Mapping[int, int], now: int
) -> None:
    source_id, run_id, thread_id = thread["source"], thread["run"], thread["id"]
    cursor = database.connection().cursor()  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    cursor.executemany(INSERT_CASE, [(source_id, test.key) for test in tests])
    cursor.executemany(
        INSERT_RESULT,
        [
            (
                run_id,
                thread_id,
                source_id,
                test.key,
                test.name,
                test.folder,
                test.status,
                classes[test.status],
                test.elapsed,
                test.file,
                test.line,
                test.assertions,
                test.fields,
                test.artifacts,
                now,
            )
            for test in tests
        ],
    )
    cursor.close()
