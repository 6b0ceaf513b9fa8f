"""Change the store, inside a write transaction that the caller holds.

Counts of runs and threads are updated with every append, so that a page reads one row and no results. The statement
that changes the run's row comes last in each change: in PostgreSQL all writers of the run wait for its row.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from pytest_automation_report.api.models import SELECTION_FIELD, Cause, first_cause
from pytest_automation_report.findings.comparison import is_replaced
from pytest_automation_report.server.store.database import (
    MAX_ATTACHED,
    MAX_THREADS,
    NONE,
    Row,
    StoreConnection,
    lock,
    marks,
    row_lock,
    share,
    used_bytes,
)
from pytest_automation_report.server.store.reads import IS_FIXTURE, IS_MODULE, find_cases, rows_of, unexplained_exits
from pytest_automation_report.server.store.stored import causes_in
from pytest_automation_report.server.store.values import (
    INT64_MAX,
    KILLED,
    RESULT_STATUSES,
    STORED_COUNTS,
    ApiError,
    ResultClass,
    RunStatus,
    StoredAttachment,
    StoredField,
    StoredTest,
    already_completed,
    final_status,
    hashes_in,
    increments,
    json_text,
    not_found,
    validation_error,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.fingerprints import ReasonKind
    from pytest_automation_report.server.store.values import RunAddition, RunSubmission, ThreadSubmission


class Derived(NamedTuple):
    """Columns of a result, in their order there; ``fingerprint`` is a signed number of 64 bits."""

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
_VALUES: Final = (*StoredTest._fields[:-1], "result_class", *Derived._fields)
_INTS: Final = frozenset({"status", "result_class", "failed_attempts"})
_BIGINTS: Final = frozenset({"elapsed", "line", "assertions", "started", "setup", "teardown", "fingerprint", "paused"})
_TYPES: Final = {**dict.fromkeys(_INTS, "int"), **dict.fromkeys(_BIGINTS, "bigint"), "is_excused": "boolean"}
_TYPED: Final = ", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in _VALUES)
_NAMES: Final = ", ".join(f'"{name}"' for name in _VALUES[1:])
_INSERT: Final = f'INSERT INTO "result" ("run_id", "thread_id", "case_id", {_NAMES}, "created")'
_INSERT_RESULT: Final = f"{_INSERT} VALUES (?, ?, ?, {marks(_VALUES[1:])}, ?)"
_INSERT_RESULTS: Final = (
    f'{_INSERT} SELECT ?, ?, (SELECT "id" FROM "case" AS c WHERE c."source_id" = ? AND c."key" = t."key"), {_NAMES}, ?'
    f" FROM ROWS FROM (json_to_recordset(?::json) AS ({_TYPED})) WITH ORDINALITY"
    f' AS t ("key", {_NAMES}, "position") ORDER BY "position"'
)

_CLASSES: Final = {status.id: int(status.result_class) for status in RESULT_STATUSES.values()}


def add_results(connection: StoreConnection, thread: Row, tests: Sequence[StoredTest], now: int) -> None:
    """Insert the results of an append in their order, and the tests that are new to the thread's source."""
    if tests and connection.is_postgres:
        _insert_in_postgres(connection, thread, tests, now)
    elif tests:
        _insert_in_sqlite(connection, thread, tests, now)


def _insert_in_postgres(connection: StoreConnection, thread: Row, tests: Sequence[StoredTest], now: int) -> None:
    """Insert all with two statements, since each statement is a round trip to the server."""
    source_id = thread["source"]
    share(connection, "tests", source_id)
    connection.execute(_INSERT_CASES, (source_id, encode([test.key for test in tests]).decode(), source_id))
    rows = [dict(zip(_VALUES, _values(test), strict=True)) for test in tests]
    connection.execute(_INSERT_RESULTS, (thread["run"], thread["id"], source_id, now, encode(rows).decode()))


def _insert_in_sqlite(connection: StoreConnection, thread: Row, tests: Sequence[StoredTest], now: int) -> None:
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
    return (*test[:-1], result_class, *derived(test, result_class))


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
_KNOWN_FIXTURES: Final = (
    'SELECT c."key" FROM "case" AS c JOIN "result" AS r ON r."case_id" = c."id"'
    ' JOIN "thread" AS t ON t."id" = r."thread_id" WHERE c."key" IN ({ids}) AND c."source_id" = ? AND r."run_id" = ?'
    ' AND COALESCE(t."job", \'\') = ? AND COALESCE(t."attempt", 1) = ?'
)
_FIXTURES_BEFORE: Final = (
    f'SELECT "id" FROM "result" WHERE "run_id" = ? AND "result_class" = 3 AND NOT "is_replaced" AND {IS_FIXTURE}'
    ' AND "thread_id" IN (SELECT "id" FROM "thread" WHERE "run_id" = ? AND "job" = ? AND COALESCE("attempt", 1) < ?)'
)
_REPLACE: Final = 'UPDATE "result" SET "is_replaced" = TRUE WHERE "id" IN ({ids})'


def _without_known_fixtures(
    connection: StoreConnection, thread: Row, tests: Sequence[StoredTest]
) -> Sequence[StoredTest]:
    """Return the results of an append without fixtures that this attempt of the job has: each worker reports them."""
    keys = {test.key for test in tests if test.is_fixture}
    if not keys:
        return tests
    values = (thread["source"], thread["run"], thread["job"] or "", thread["attempt"] or 1)
    missing = keys - {key for (key,) in rows_of(connection, _KNOWN_FIXTURES, sorted(keys), values)}
    first = {test.key: test for test in reversed(tests) if test.is_fixture and test.key in missing}
    return [*(test for test in tests if not test.is_fixture), *reversed(first.values())]


def replace_results(connection: StoreConnection, thread: Row, tests: Sequence[StoredTest]) -> tuple[list[int], int]:
    """Mark the results that count no more now that these tests are inserted.

    Return the statuses of those of tests, and the number of those of fixtures that tests share.
    """
    # An earlier attempt of the job has them, or this one if a later attempt has come first. They are of the same test,
    # or of a file that could not be collected.
    run_id, job, own = thread["run"], thread["job"], thread["attempt"] or 1
    if not tests or job is None or not connection.execute(_OTHER_ATTEMPT, (run_id, job, own)):
        return [], 0
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
    # A fixture that fails again has another result.
    fixtures = [result_id for (result_id,) in connection.execute(_FIXTURES_BEFORE, (run_id, run_id, job, own))]
    rows_of(connection, _REPLACE, [*replaced, *fixtures])
    return list(replaced.values()), len(fixtures)


_RUN_FIELDS: Final = {
    "Branch": "branch", "Commit": "commit", "Commit author": "author", "Target branch": "target_branch",
    SELECTION_FIELD: "selection", "Changes": "changes",
}  # fmt: skip
_PHASES: Final[Mapping[str, ReasonKind]] = {"setup": "setup", "call": "call", "teardown": "teardown"}
_MAX_MESSAGE: Final = 200
# Of a traceback its end has the innermost frames.
_MAX_TEXT: Final = 20_000
# Of a test that did not fail, as nearly all.
_NOTHING: Final = Derived()
_NO_CAUSE: Final = Cause("failure", "", "")


def derived(test: StoredTest, result_class: int) -> Derived:
    """Return the derived columns of a result."""
    if result_class != ResultClass.FAILURE:
        return _NOTHING
    # Its expressions take 10 ms to compile: a session whose tests all pass does not pay for them.
    from pytest_automation_report.findings.fingerprints import describe_failure, make_fingerprint  # noqa: PLC0415

    cause = first_cause(causes_in(test.causes)) or _NO_CAUSE
    file, is_module = test.file or "", _is_module(test)
    failure = describe_failure(
        cause.message or cause.text,
        cause.type,
        cause.text[-_MAX_TEXT:],
        file=file,
        name=test.name,
        is_collection=is_module,
    )
    phase = _PHASES.get(cause.phase)
    if test.is_fixture:
        node = f"{test.folder}.{test.name}"
        failure = replace(failure, kind="fixture setup" if phase == "setup" else "fixture teardown", place=node)
    elif phase is not None and failure.kind in _PHASES:
        failure = replace(failure, kind=phase)  # as the client knows it, and not as its message begins
    fingerprint = int.from_bytes(bytes.fromhex(make_fingerprint(failure).value), "big", signed=True)
    return Derived(failure.kind, failure.line[:_MAX_MESSAGE], fingerprint)


_FAILURES: Final = (
    'SELECT "name", "folder", "file", "line", "causes", "id" FROM "result"'
    ' WHERE "id" BETWEEN ? AND ? AND "fingerprint" IS NOT NULL'
)


def renew_reasons(connection: StoreConnection, first: int, last: int) -> None:
    """Derive the reasons of the failures with these ids anew, after a change of what makes two reasons one."""
    for name, folder, file, line, causes, result_id in connection.execute(_FAILURES, (first, last)):
        test = StoredTest("", name, folder, 0, file=file, line=line, causes=causes)
        connection.update("result", result_id, derived(test, ResultClass.FAILURE)._asdict())


def _is_module(test: StoredTest) -> bool:
    """Whether a failed result is of a module that could not be collected, as `reads.IS_MODULE` has it."""
    stands_in_both = test.folder == test.name or test.folder.endswith(f".{test.name}")
    path = (test.file or "").replace("/", ".")
    return test.line is None and stands_in_both and path in {test.name, f"{test.name}.py"}


def run_columns(attachments: Iterable[StoredAttachment]) -> dict[str, str]:
    """Return the columns of a run that its new fields set; an empty value sets none."""
    columns: dict[str, str] = {}
    for attachment in attachments:
        if attachment.kind != "fields":
            continue
        field: StoredField = json.loads(attachment.body)
        name, value = field.get("name"), field.get("value")
        if name in _RUN_FIELDS and isinstance(value, str) and value:
            columns[_RUN_FIELDS[name]] = value
    return columns


_Named: TypeAlias = Literal["source", "config", "milestone"]  # the tables whose records are created by their name
# The columns of a new run or thread that are the same in all of them.
_OPEN: Final[Mapping[str, object]] = {
    **dict.fromkeys(STORED_COUNTS, 0),
    "status": int(RunStatus.RUNNING),
    "is_completed": False,
}
_MOST_BEFORE_US: Final = 60_000_000
_ATTACHED: Final = 'SELECT COALESCE(SUM(LENGTH("body")), 0) FROM "attachment" WHERE "run_id" = ?'
_GIVE: Final = (
    'INSERT INTO "content_owner" ("content_id", "project_id") SELECT c."id", r."project_id" FROM "content" AS c, "run"'
    ' AS r WHERE r."id" = ? AND c."hash" IN ({hashes}) ON CONFLICT DO NOTHING'
)
_OPEN_THREADS: Final = 'SELECT "id", "failure_count" FROM "thread" WHERE "run_id" = ? AND NOT "is_completed"'
_SPAN: Final = 'SELECT MIN("session_started"), MAX("session_ended") FROM "thread" WHERE "run_id" = ?'
_LONGEST: Final = 'SELECT MAX(COALESCE("elapsed_observed", "elapsed_computed")) FROM "thread" WHERE "run_id" = ?'
_RUN_OF_THREAD: Final = (
    'SELECT t."run_id", r."source_id" FROM "thread" AS t JOIN "run" AS r ON r."id" = t."run_id" WHERE t."id" = ?'
)
# Not how its jobs cut their tests: one that runs again has the same tests.
_FORGET_DOCUMENTS: Final = 'DELETE FROM "run_document" WHERE "run_id" = ? AND "kind" <> \'cut\''
_RUN: Final = (
    'SELECT "created", "completed", "status", "failure_count", "thread_count", "thread_active_count", "session_ended",'
    ' "unexplained_exit" FROM "run"'
    ' WHERE "id" = ? AND NOT EXISTS (SELECT 1 FROM "removed_run" AS g WHERE g."id" = "run"."id")'  # being removed
)
_THREAD: Final = (
    'SELECT "id", "run_id", "status", "failure_count", "elapsed_observed", "elapsed_computed", "job", "attempt"'
    ' FROM "thread" WHERE "id" = ? AND NOT EXISTS (SELECT 1 FROM "removed_run" AS g WHERE g."id" = "run_id")'
)


class Writer(Struct):
    """The changes of one write transaction; ``now`` is in microseconds since 1970.

    Every method raises `ApiError` for a change that the contract does not allow. The caller must then roll back.
    """

    connection: StoreConnection
    now: int
    max_bytes: int | None  # of the store
    main_branch: str  # of new sources
    are_references_strict: bool
    # Whether the client may read the contents of all projects: then it may give them to the project of its run.
    has_all_projects: bool = True

    def check_room(self) -> None:
        """Raise `ApiError` (422) when the store has reached its size limit; a completion does not call this."""
        # After a 429 or a 5xx, clients would repeat the request or not know whether it was applied. After a 422 the
        # sender stores the refused results, and its user can send them again when there is room.
        if self.max_bytes is None or (used := used_bytes(self.connection)) < self.max_bytes:
            return
        raise ApiError(
            422,
            f"The store is full: it has {used} bytes and may have {self.max_bytes}. Remove old runs with"
            " automation-report store prune, or serve it with a larger --max-size.",
        )

    def create_run(self, project_id: int, run: RunSubmission) -> int:
        """Create a run and return its id; what it names is created, too, or has to exist with strict references."""
        self.check_room()
        self.connection.add("project", id=project_id, created=self.now)
        errors: dict[str, list[str]] = {}
        references = {
            "config_id": self._reference("config", project_id, run.config_id, run.config, errors),
            "milestone_id": self._reference("milestone", project_id, run.milestone_id, run.milestone, errors),
        }
        if errors:
            raise validation_error(errors)
        run_id = self.connection.insert(
            "run",
            **_OPEN,
            **references,
            **run_columns(run.attachments),
            **run.extensions,
            project_id=project_id,
            source_id=self._find_or_create("source", project_id, run.source),
            name=run.name,
            tags=json_text(run.tags),
            thread_count=0,
            thread_active_count=0,
            created=self.now,
        )
        for tag in dict.fromkeys(run.tags):
            self.connection.add("run_tag", run_id=run_id, tag=tag)
        self._attach(run_id, None, run.attachments)
        return run_id

    def append_to_run(self, run_id: int, addition: RunAddition) -> None:
        """Add fields, artifacts, links and the end of its session to a run that is not completed."""
        self.check_room()
        self._open_run(run_id)
        self._attach(run_id, None, addition.attachments)
        self._update_run(run_id, {**run_columns(addition.attachments), **addition.extensions})

    def complete_run(self, run_id: int, *, measure_elapsed: bool, reason: Sequence[StoredAttachment] = ()) -> None:
        """Complete a run and its open threads; ``reason`` is added to the run, also when the store is full.

        Its time is that of its sessions, from the first start to the last end, if one has told its end. Else it is
        measured since the run began, or is its longest thread's.
        """
        lock(self.connection, "run", run_id)
        run = self._open_run(run_id)
        self._attach(run_id, None, reason)
        for thread_id, failure_count in self.connection.execute(_OPEN_THREADS, (run_id,)):
            self._close_thread(thread_id, failure_count)
        if measure_elapsed:
            ((began, _),) = self.connection.execute(_SPAN, (run_id,))
            # The session began some time before the sender created the run. Minutes come from two clocks or from an
            # outage, and do not count.
            before = 0 if began is None else run["created"] - began
            elapsed = max(0, self.now - run["created"] + (before if 0 < before <= _MOST_BEFORE_US else 0))
        else:
            ((elapsed,),) = self.connection.execute(_LONGEST, (run_id,))
        self._update_run(run_id, {"elapsed": elapsed, "thread_active_count": 0, **self._completion(run_id, run)})

    def _completion(self, run_id: int, run: Row) -> dict[str, object]:
        """Return the values of a run that is completed, with what its sessions have told of their ends."""
        ((began, of_threads),) = self.connection.execute(_SPAN, (run_id,))
        ends = [time for time in (of_threads, run["session_ended"]) if time is not None]
        elapsed = {"elapsed": max(0, max(ends) - began)} if ends and began is not None else {}
        own = None if run["session_ended"] is None else run["unexplained_exit"]
        unexplained = next(filter(None, (own, *unexplained_exits(self.connection, run_id).values())), None)
        status = int(final_status(run["failure_count"] or unexplained or 0))
        completion = {"is_completed": True, "completed": self.now, "status": status, "unexplained_exit": unexplained}
        return {**completion, **elapsed}

    def create_thread(self, run_id: int, thread: ThreadSubmission) -> int:
        """Add a thread to a run and return the thread's id; one with a job opens a completed run again."""
        self.check_room()
        # A job comes late, or runs again. The run is open until all such threads are completed.
        run = self._open_run(run_id, is_reopened="job" in thread.extensions)
        if run["thread_count"] >= MAX_THREADS:
            message = f"The automation run has {run['thread_count']} threads, and can have no more; create another run."
            raise ApiError(422, message)
        thread_id = self.connection.insert(
            "thread",
            **_OPEN,
            **thread.durations,
            **thread.extensions,
            run_id=run_id,
            position=run["thread_count"] + 1,
            created=self.now,
        )
        self._attach(run_id, thread_id, thread.attachments)
        self._update_run(run_id, thread.of_run, increments={"thread_count": 1, "thread_active_count": 1})
        return thread_id

    def append_to_thread(self, thread_id: int, addition: ThreadSubmission) -> None:
        """Add tests, fields, artifacts and durations to a thread that is not completed."""
        self.check_room()
        thread = self._open_thread(thread_id)
        run_id = thread["run"]
        changes = {**_elapsed_totals(thread, addition.durations), **addition.extensions}
        self._attach(run_id, thread_id, addition.attachments)
        artifact_hashes = (hashes_in(test.artifacts) for test in addition.tests if test.artifacts)
        self._use(run_id, set[str]().union(*artifact_hashes))
        thread = {**thread, **addition.extensions}
        tests = _without_known_fixtures(self.connection, thread, addition.tests)
        add_results(self.connection, thread, tests, self.now)
        own = [test for test in tests if not test.is_fixture]
        more = increments((test.status for test in own), len(tests) - len(own))
        self.connection.update("thread", thread_id, changes, more)
        more.subtract(increments(*replace_results(self.connection, thread, own)))
        self._update_run(run_id, addition.of_run, increments=more)

    def complete_thread(self, thread_id: int, durations: Mapping[str, int]) -> None:
        """Complete a thread; durations, in microseconds, replace the totals of its appends."""
        thread = self._open_thread(thread_id)
        self._close_thread(thread_id, thread["failure_count"], durations)
        self._update_run(thread["run"], increments={"thread_active_count": -1})
        # Read after the change, which waits in PostgreSQL for other threads of the run that end now.
        run = self.connection.row(_RUN, (thread["run"],))
        if run is not None and run["completed"] is not None and not run["thread_active_count"]:
            self._update_run(thread["run"], self._completion(thread["run"], run))

    def _update_run(
        self, run_id: int, values: Mapping[str, object] = NONE, increments: Mapping[str, int] = NONE
    ) -> None:
        self.connection.update("run", run_id, {**values, "updated": self.now}, increments)

    def _close_thread(self, thread_id: int, failure_count: int, durations: Mapping[str, int] = NONE) -> None:
        status = int(final_status(failure_count))
        completion = {"is_completed": True, "completed": self.now, "status": status, "running": None, **durations}
        self.connection.update("thread", thread_id, completion)

    def _open_run(self, run_id: int, *, is_reopened: bool = False) -> Row:
        """Lock a run's row and return it; raises `ApiError` if it is missing (404) or completed (422)."""
        share(self.connection, "run", run_id)
        row = self.connection.row(_RUN + row_lock(self.connection), (run_id,))
        if row is None:
            raise not_found("automation run")
        if row["status"] != RunStatus.RUNNING:
            if not is_reopened:
                raise already_completed("automation run")
            # It keeps the time of its completion, by which it is known to complete by itself.
            self.connection.change(_FORGET_DOCUMENTS, (run_id,))
            self._update_run(run_id, {"is_completed": False, "status": int(RunStatus.RUNNING), "speed": None})
        return row

    def _open_thread(self, thread_id: int) -> Row:
        """Lock a thread's row and return it, with the source of its run; raises `ApiError` like `_open_run`."""
        rows = self.connection.execute(_RUN_OF_THREAD, (thread_id,))
        if not rows:
            raise not_found("thread")
        ((run_id, source_id),) = rows
        # The locks come first: a row that is read before them may be completed by another writer in between.
        share(self.connection, "run", run_id)
        row = self.connection.row(_THREAD + row_lock(self.connection), (thread_id,))
        if row is None:
            raise not_found("thread")
        if row["status"] != RunStatus.RUNNING:
            raise already_completed("thread")
        return {**row, "source": source_id}

    def _reference(
        self, table: _Named, project_id: int, record_id: int | None, name: str | None, errors: dict[str, list[str]]
    ) -> int | None:
        """Return the id of a configuration or milestone, None if none is named; add what the project does not have."""
        if record_id is not None:
            if self._find(table, project_id, "id", record_id) is None:
                errors[f"{table}_id"] = [f"There is no {table} with the id {record_id} in this project."]
            return record_id
        if name is None:
            return None
        if self.are_references_strict and self._find(table, project_id, "name", name) is None:
            errors[table] = [f"There is no {table} of this name in this project."]
            return None
        return self._find_or_create(table, project_id, name)

    def _find(self, table: _Named, project_id: int, column: Literal["id", "name"], value: object) -> int | None:
        sql = f'SELECT "id" FROM "{table}" WHERE "project_id" = ? AND "{column}" = ?'
        rows = self.connection.execute(sql, (project_id, value))
        return rows[0][0] if rows else None

    def _find_or_create(self, table: _Named, project_id: int, name: str) -> int | None:
        record_id = self._find(table, project_id, "name", name)
        if record_id is None:
            # In PostgreSQL another writer may insert the same record at this moment; then this insert does nothing.
            more = {"created": self.now, "main_branch": self.main_branch or None} if table == "source" else {}
            self.connection.add(table, project_id=project_id, name=name, **more)
            record_id = self._find(table, project_id, "name", name)
        return record_id

    def _attach(self, run_id: int, thread_id: int | None, attachments: Sequence[StoredAttachment]) -> None:
        for attachment in attachments:
            self.connection.insert("attachment", run_id=run_id, thread_id=thread_id, **attachment._asdict())
        if attachments and self.connection.number(_ATTACHED, (run_id,)) > MAX_ATTACHED:
            most = f"{MAX_ATTACHED} characters together"
            raise ApiError(422, f"The fields, artifacts and links of an automation run can have {most}.")
        artifacts = (attachment.body for attachment in attachments if attachment.kind == "artifacts")
        self._use(run_id, set[str]().union(*map(hashes_in, artifacts)))

    def _use(self, run_id: int, hashes: Collection[str]) -> None:
        """Record that a run refers to these contents, so that they are stored as long as the run."""
        if hashes:
            share(self.connection, "contents")
        for content_hash in sorted(hashes):
            self.connection.add("content_use", run_id=run_id, hash=content_hash)
        # Who has one project gets no other's content by its hash: only by an upload of the same bytes.
        if hashes and self.has_all_projects:
            self.connection.change(_GIVE.format(hashes=marks(hashes)), (run_id, *sorted(hashes)))


def _elapsed_totals(thread: Row, durations: Mapping[str, int]) -> dict[str, int]:
    """Return the durations of a thread after an addition; raises `ApiError` (422) for more than 64 bits."""
    totals = {name: (thread[name] or 0) + amount for name, amount in durations.items()}
    # SQLite itself would turn a larger sum into a floating-point number.
    large = [name for name, total in totals.items() if total > INT64_MAX]
    if large:
        raise validation_error({name: ["The total of the thread would be too large."] for name in large})
    return totals


def set_main_branch(branch: str, source: str | None, writer: Writer) -> int:
    """Set the main branch of the sources of this name, or of all; return their number."""
    condition, values = ("", (branch,)) if source is None else (' WHERE "name" = ?', (branch, source))
    return writer.connection.change(f'UPDATE "source" SET "main_branch" = ?{condition}', values)


def source_names(connection: StoreConnection) -> list[str]:
    """Return the names of all sources, each once."""
    return [name for (name,) in connection.execute('SELECT DISTINCT "name" FROM "source" ORDER BY "name"')]
