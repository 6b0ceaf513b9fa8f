"""Insert the tests of an append, with the columns that findings need: attempts, and the reason of a failure."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from msgspec.json import encode
from msgspec.structs import replace

from pytest_automation_report.api.models import ATTEMPTS_META, COLLECTED_FIELD, DESELECTED_FIELD, SELECTION_FIELD, Json
from pytest_automation_report.findings.comparison import is_replaced
from pytest_automation_report.server.store.database import StoreConnection, marks, share
from pytest_automation_report.server.store.reads import IS_MODULE, find_cases, rows_of
from pytest_automation_report.server.store.values import (
    KILLED,
    RESULT_STATUSES,
    ResultClass,
    StoredAttachment,
    StoredTest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.findings.fingerprints import Kind
    from pytest_automation_report.server.store.sqlite import SqliteConnection


class Derived(NamedTuple):
    """Columns of a result, in their order there; ``fingerprint`` is a signed number of 64 bits."""

    failed_attempts: int | None = None
    phase: str | None = None
    message: str | None = None
    fingerprint: int | None = None


# The id of a key is read by a subquery: for a join PostgreSQL may read all tests of a source. New keys are inserted in
# the order of the keys: two writers that insert the same tests then lock them in the same order and cannot deadlock.
_INSERT_CASES: Final = (
    'INSERT INTO "case" ("source_id", "key")'
    ' SELECT ?, "key" FROM (SELECT DISTINCT json_array_elements_text(?::json) AS "key") AS t'
    ' WHERE (SELECT "id" FROM "case" AS c WHERE c."source_id" = ? AND c."key" = t."key") IS NULL'
    ' ORDER BY "key" ON CONFLICT DO NOTHING'
)
_INSERT_CASE: Final = 'INSERT INTO "case" ("id", "source_id", "key") VALUES (?, ?, ?)'
# The values of a test, in the order of `_values`: its key, and columns of its result with PostgreSQL's types of them.
_VALUES: Final = (*StoredTest._fields, "result_class", *Derived._fields)
_INTS: Final = frozenset({"status", "result_class", "failed_attempts"})
_BIGINTS: Final = frozenset({"elapsed", "line", "assertions", "started", "setup", "teardown", "fingerprint"})
_TYPED: Final = ", ".join(
    f'"{name}" {"int" if name in _INTS else "bigint" if name in _BIGINTS else "text"}' for name in _VALUES
)
_NAMES: Final = ", ".join(f'"{name}"' for name in _VALUES[1:])
_INSERT: Final = f'INSERT INTO "result" ("run_id", "thread_id", "case_id", {_NAMES}, "created")'
_INSERT_RESULT: Final = f"{_INSERT} VALUES (?, ?, ?, {marks(_VALUES[1:])}, ?)"
_INSERT_RESULTS: Final = (
    f'{_INSERT} SELECT ?, ?, (SELECT "id" FROM "case" AS c WHERE c."source_id" = ? AND c."key" = t."key"), {_NAMES}, ?'
    f" FROM ROWS FROM (json_to_recordset(?::json) AS ({_TYPED})) WITH ORDINALITY"
    f' AS t ("key", {_NAMES}, "position") ORDER BY "position"'
)

_CLASSES: Final = {status.id: int(status.result_class) for status in RESULT_STATUSES.values()}


def add_results(connection: StoreConnection, thread: Json, tests: Sequence[StoredTest], now: int) -> None:
    """Insert the results of an append in their order, and the tests that are new to the thread's source."""
    if tests and connection.is_postgres:
        _insert_in_postgres(connection, thread, tests, now)
    elif tests:
        _insert_in_sqlite(cast("SqliteConnection", connection), thread, tests, now)


def _insert_in_postgres(connection: StoreConnection, thread: Json, tests: Sequence[StoredTest], now: int) -> None:
    """Insert all with two statements, since each statement is a round trip to the server."""
    source_id = thread["source"]
    share(connection, "tests", source_id)
    connection.execute(_INSERT_CASES, (source_id, encode([test.key for test in tests]).decode(), source_id))
    rows = [dict(zip(_VALUES, _values(test), strict=True)) for test in tests]
    connection.execute(_INSERT_RESULTS, (thread["run"], thread["id"], source_id, now, encode(rows).decode()))


def _insert_in_sqlite(connection: SqliteConnection, thread: Json, tests: Sequence[StoredTest], now: int) -> None:
    source_id = thread["source"]
    cases = find_cases(connection, source_id, [test.key for test in tests])
    missing = dict.fromkeys(test.key for test in tests if test.key not in cases)
    if missing:
        # The ids are counted here, since SQLite has one writer at a time.
        first = connection.number('SELECT MAX("id") FROM "case"') + 1
        new = {key: number for number, key in enumerate(missing, first)}
        connection.raw.executemany(_INSERT_CASE, [(case_id, source_id, key) for key, case_id in new.items()])
        cases |= new
    rows = ((thread["run"], thread["id"], cases[test.key], *_values(test)[1:], now) for test in tests)
    connection.raw.executemany(_INSERT_RESULT, rows)


def _values(test: StoredTest) -> tuple[object, ...]:
    result_class = _CLASSES[test.status]
    return (*test, result_class, *derived(test, result_class))


# The number of this status is the contract's.
_UNTESTED: Final = 1
_OTHER_ATTEMPT: Final = (
    'SELECT 1 FROM "thread" WHERE "run_id" = ? AND "job" = ? AND COALESCE("attempt", 1) <> ? LIMIT 1'
)
_OF_JOB: Final = (
    'SELECT c."key", r."id", r."status", COALESCE(t."attempt", 1), r."is_replaced",'
    f' r."status" = {_UNTESTED} OR COALESCE(r."fingerprint", 0) = {KILLED} FROM "case" AS c'
    ' JOIN "result" AS r ON r."case_id" = c."id" JOIN "thread" AS t ON t."id" = r."thread_id"'
    ' WHERE c."key" IN ({ids}) AND c."source_id" = ? AND r."run_id" = ? AND t."job" = ?'
)
# Modules of the job that could not be collected, and the last attempt that has other results of their files.
_BROKEN: Final = (
    'SELECT "id", "status", "case_id", "file", (SELECT COALESCE("attempt", 1) FROM "thread" AS t'
    ' WHERE t."id" = "result"."thread_id") FROM "result" WHERE "run_id" = ? AND "result_class" = 3'
    f' AND NOT "is_replaced" AND {IS_MODULE}'
    ' AND "thread_id" IN (SELECT "id" FROM "thread" WHERE "run_id" = ? AND "job" = ?)'
)
_COLLECTED: Final = (
    'SELECT r."file", MAX(COALESCE(t."attempt", 1)) FROM "result" AS r JOIN "thread" AS t ON t."id" = r."thread_id"'
    ' WHERE r."file" IN ({ids}) AND r."run_id" = ? AND t."job" = ? AND r."status" <> 1'
    ' AND r."case_id" NOT IN ({cases}) GROUP BY r."file"'
)
_REPLACE: Final = 'UPDATE "result" SET "is_replaced" = TRUE WHERE "id" IN ({ids})'


def replace_results(connection: StoreConnection, thread: Json, tests: Sequence[StoredTest]) -> list[int]:
    """Mark the results that count no more now that these tests are inserted, and return their statuses."""
    # They are those of the job's attempts before, or inserted ones, if a later attempt has come first: of the same
    # test, or of a file that could not be collected.
    run_id, job, own = thread["run"], thread["job"], thread["attempt"] or 1
    if not tests or job is None or not connection.execute(_OTHER_ATTEMPT, (run_id, job, own)):
        return []
    known: defaultdict[str, list[tuple[int, int, int, bool, bool]]] = defaultdict(list)
    keys = list({test.key for test in tests})
    for key, *result in rows_of(connection, _OF_JOB, keys, (thread["source"], run_id, job)):
        known[key].append(tuple(result))
    replaced: dict[int, int] = {}
    for results in known.values():
        others = [(attempt, bool(is_unfinished)) for _, _, attempt, _, is_unfinished in results]
        replaced |= {
            result_id: status
            for result_id, status, attempt, is_known, is_unfinished in results
            if not is_known and is_replaced(attempt, others, is_untested=bool(is_unfinished))
        }
    broken = connection.execute(_BROKEN, (run_id, run_id, job))
    if broken:
        sql = _COLLECTED.replace("{cases}", marks(broken))
        cases = [case_id for _, _, case_id, _, _ in broken]
        collected = dict(rows_of(connection, sql, [file for *_, file, _ in broken], (run_id, job, *cases)))
        replaced |= {
            result_id: status for result_id, status, _, file, attempt in broken if attempt < collected.get(file, 0)
        }
    rows_of(connection, _REPLACE, list(replaced))
    return list(replaced.values())


_RUN_FIELDS: Final = {
    "Branch": "branch", "Commit": "commit", "Commit author": "author", "Target branch": "target_branch",
    SELECTION_FIELD: "selection", "Changes": "changes",
}  # fmt: skip
_RUN_NUMBERS: Final = {COLLECTED_FIELD: "collected", DESELECTED_FIELD: "deselected"}
_PHASES: Final[Mapping[str, Kind]] = {"setup": "setup", "call": "call", "teardown": "teardown"}
_MAX_MESSAGE: Final = 200
# Of a traceback its end has the innermost frames.
_MAX_TEXT: Final = 20_000
# Of a test that passed at its first attempt, as nearly all do.
_NOTHING: Final = Derived()
_WHOLE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


def derived(test: StoredTest, result_class: int) -> Derived:
    """Return the derived columns of a result."""
    # The fields are parsed only if they can have something: of 10,000 tests that passed none is.
    is_failure = result_class == ResultClass.FAILURE
    if not is_failure and (test.fields is None or '"counts"' not in test.fields):
        return _NOTHING
    fields: list[Json] = json.loads(test.fields) if test.fields else []
    attempts = next((field["value"] for field in fields if field.get("meta") == ATTEMPTS_META), None)
    failed_attempts = None
    if isinstance(attempts, str) and _WHOLE_NUMBER.fullmatch(attempts):
        failed_attempts = int(attempts) - 1 or None
    if not is_failure:
        return Derived(failed_attempts)
    # Its expressions take 10 ms to compile: a session whose tests all pass does not pay for them.
    from pytest_automation_report.findings.fingerprints import failure_of, fingerprint_of  # noqa: PLC0415

    highlighted = [field for field in fields if field.get("is_highlight")]
    told = [field for field in fields if (field.get("meta") or {}).get("message")]
    cause: Json = next(iter(highlighted or told), {})
    meta: Mapping[str, str] = cause.get("meta") or {}
    text = str(cause.get("value") or "")
    message = meta.get("message") or text
    file, is_module = test.file or "", _is_module(test)
    failure = failure_of(
        message, meta.get("type", ""), text[-_MAX_TEXT:], file=file, name=test.name, is_collection=is_module
    )
    phase = _PHASES.get(meta.get("phase", ""))
    if phase is not None and failure.kind in _PHASES:
        failure = replace(failure, kind=phase)  # as the client knows it, and not as its message begins
    fingerprint = int.from_bytes(bytes.fromhex(fingerprint_of(failure).value), "big", signed=True)
    return Derived(failed_attempts, failure.kind, failure.line[:_MAX_MESSAGE], fingerprint)


def _is_module(test: StoredTest) -> bool:
    """Whether a failed result is of a module that could not be collected, as `reads.IS_MODULE` has it."""
    stands_in_both = test.folder == test.name or test.folder.endswith(f".{test.name}")
    path = (test.file or "").replace("/", ".")
    return test.line is None and stands_in_both and path in {test.name, f"{test.name}.py"}


def run_columns(attachments: Iterable[StoredAttachment]) -> dict[str, str | int]:
    """Return the columns of a run that its new fields set; an empty value sets none."""
    columns: dict[str, str | int] = {}
    for attachment in attachments:
        if attachment.kind != "fields":
            continue
        field: Json = json.loads(attachment.body)
        name, value = field.get("name"), field.get("value")
        if name in _RUN_FIELDS and isinstance(value, str) and value:
            columns[_RUN_FIELDS[name]] = value
        elif name in _RUN_NUMBERS and isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            columns[_RUN_NUMBERS[name]] = int(value)
    return columns
