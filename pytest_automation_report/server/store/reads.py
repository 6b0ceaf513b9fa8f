"""Run the API's queries, inside a read transaction that the caller holds."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypedDict, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from pytest_automation_report.server.store.database import MAX_THREADS, Row, StoreConnection, lock, marks
from pytest_automation_report.server.store.stored import (
    ATTACHMENT,
    NAMED,
    RUN,
    SUITE_NUMBERS,
    TEST_OF_RUN,
    THREAD,
    Attachment,
    Columns,
    Named,
    NamedStatus,
    StoredRun,
    StoredThread,
    SuiteNumbers,
    TestOfRun,
    known,
)
from pytest_automation_report.server.store.values import (
    RESULT_STATUSES,
    ResultClass,
    StoredField,
    hexadecimal,
    json_text,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_automation_report.findings.documents import RunMention

_IDS_AT_ONCE: Final = 500


def has_runs(connection: StoreConnection) -> bool:
    """Whether any project has a run."""
    return bool(connection.execute('SELECT 1 FROM "run" LIMIT 1'))


def run_rows(connection: StoreConnection, run_ids: Sequence[int]) -> list[StoredRun]:
    """Return these runs, without runs that do not exist, in no order."""
    return RUN.all(connection, f'FROM "run" WHERE "id" IN ({marks(run_ids)})', run_ids) if run_ids else []


def run_row(connection: StoreConnection, run_id: int) -> StoredRun:
    """Return a run; raises `ApiError` (404) for an unknown run, and for one that is being removed."""
    leaving = 'SELECT 1 FROM "removed_run" AS g WHERE g."id" = r."id"'
    rest = f'FROM "run" AS r WHERE "id" = ? AND NOT EXISTS ({leaving})'
    return known("automation run", RUN.first(connection, rest, (run_id,)))


def thread_rows(connection: StoreConnection, run_id: int, limit: int = MAX_THREADS) -> list[StoredThread]:
    """Return a run's first threads, in their order."""
    return (
        THREAD.all(connection, 'FROM "thread" WHERE "run_id" = ? ORDER BY "id" LIMIT ?', (run_id, limit))
        if limit
        else []
    )


def began_at(run: StoredRun, threads: Sequence[StoredThread]) -> int:
    """Return when the first session of a run began: the run is created later, with its first results."""
    # By the clock of a session that has told its end, which need not be the server's.
    has_ended = run.session_ended is not None or any(row.session_ended is not None for row in threads)
    starts = [row.session_started for row in threads if row.session_started is not None]
    return int(min(starts if has_ended and starts else [run.created, *starts]))


def session_spans(run: StoredRun, threads: Sequence[StoredThread]) -> dict[int, tuple[int, int | None]]:
    """Return when the session of each thread began and ended since the run began; the only one has no end."""
    began, ends = began_at(run, threads), dict[tuple[str | None, int | None, int | None], int]()
    keys = {row.id: (row.job, row.attempt, row.session_started) for row in threads}
    for row in threads:
        ends[keys[row.id]] = max(ends.get(keys[row.id], 0), (row.session_ended or began) - began)
    is_alone = len(ends) == 1
    return {row: (max(0, (key[-1] or began) - began), None if is_alone else ends[key]) for row, key in keys.items()}


_ENDS: Final = (
    'SELECT COALESCE("job", \'\'), COALESCE("attempt", 1), "unexplained_exit" FROM "thread"'
    ' WHERE "run_id" = ? AND "session_ended" IS NOT NULL ORDER BY "id"'
)


def unexplained_exits(connection: StoreConnection, run_id: int) -> dict[str, int]:
    """Return the exit statuses of pytest without a failed test by the jobs whose last attempt ended so."""
    last: dict[str, tuple[int, int]] = {}
    for job, attempt, status in connection.execute(_ENDS, (run_id,)):
        before = last.get(job, (attempt, 0))
        if attempt >= before[0]:
            last[job] = attempt, status or (before[1] if attempt == before[0] else 0)
    return {job: status for job, (_, status) in last.items() if status}


# pytest's own name for a module that could not be collected, or skipped itself, stands in folder and name, and is that
# of its file: Jest writes the name of a test twice, too. A function of that name has a line.
IS_MODULE: Final = (
    '("folder" = "name" OR substr("folder", length("folder") - length("name")) = \'.\' || "name")'
    " AND replace(COALESCE(\"file\", ''), '/', '.') IN (\"name\", \"name\" || '.py')"
    ' AND "line" IS NULL AND "result_class" <> 2 AND "status" <> 1'
)
"""Condition of results that are of a module, in statements on the table of results alone."""

IS_FIXTURE: Final = "COALESCE(\"phase\", '') IN ('fixture setup', 'fixture teardown')"
"""Condition of results that are of a fixture that tests share."""

IS_NO_TEST: Final = f"({IS_MODULE} OR {IS_FIXTURE})"
"""Condition of results that are of no test."""


def rows_of(
    connection: StoreConnection, sql: str, ids: Sequence[int] | Sequence[str], values: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement for many ids, some at a time; ``{ids}`` is their place, before ``values``."""
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        rows += connection.execute(sql.replace("{ids}", marks(some)), (*some, *values))
    return rows


def find_cases(connection: StoreConnection, source_id: int, keys: Sequence[str]) -> dict[str, int]:
    """Return the ids of a source's tests by their keys, without keys that it does not have."""
    sql = 'SELECT "key", "id" FROM "case" WHERE "key" IN ({ids}) AND "source_id" = ?'
    return dict(rows_of(connection, sql, keys, (source_id,)))


_DOCUMENTS: Final = (
    'SELECT "run_id", "body" FROM "run_document" WHERE "run_id" IN ({ids}) AND "kind" = ? AND "version" >= ?'
)
# Two servers may compute the same document at once: each stores it, unless the run was removed or opened meanwhile.
_KEEP: Final = (
    'INSERT INTO "run_document" ("run_id", "kind", "version", "body")'
    ' SELECT "id", ?, ?, ? FROM "run" WHERE "id" = ? AND "is_completed" AND "updated" = ?'
    ' ON CONFLICT ("run_id", "kind") DO UPDATE SET "version" = excluded."version", "body" = excluded."body"'
)
DocumentKind: TypeAlias = Literal["findings", "summary", "overview", "searched", "cut"]


def stored_documents(
    connection: StoreConnection, kind: DocumentKind, run_ids: Sequence[int], version: int
) -> dict[int, Any]:
    """Return what was computed of these runs, of those for which it is stored by rules of this version or later."""
    return {run_id: json.loads(body) for run_id, body in rows_of(connection, _DOCUMENTS, run_ids, (kind, version))}


def keep_document(
    connection: StoreConnection, run: StoredRun, kind: DocumentKind, version: int, document: Mapping[str, Any]
) -> bool:
    """Store what was computed of a completed run, by the row it was made of; False if the run has changed since."""
    # Exclusive: a job that opens the run again has the shared lock, and removes the documents that it can see.
    lock(connection, "run", run.id)
    return bool(connection.change(_KEEP, (kind, version, json_text(document), run.id, run.updated)))


def mention(run: StoredRun) -> RunMention:
    """Return a run, by its row, as documents name it; ``at`` is in microseconds since 1970."""
    # Whoever changed the files need not be the author of the commit.
    return {
        "run": run.id,
        "commit": run.commit,
        "author": None if run.changes else run.author,
        "changes": run.changes,
        "at": run.created,
    }


Reference: TypeAlias = Literal["automation_sources", "configs", "milestones", "statuses", "users"]

# Kinds of records that runs refer to.
RUN_REFERENCES: Final[tuple[Reference, ...]] = ("automation_sources", "configs", "milestones", "statuses", "users")
SOURCE_REFERENCES: Final[tuple[Reference, ...]] = ("users",)  # kinds of records that sources refer to
USER_ID: Final = 1  # id of the only user of an embedded server
# Tables, and the names of the columns that refer to them.
_TABLES: Mapping[Reference, str] = {"automation_sources": "source", "configs": "config", "milestones": "milestone"}


def referenced(
    connection: StoreConnection, runs: Sequence[StoredRun | SuiteNumbers], wanted: Iterable[Reference]
) -> dict[Reference, Sequence[NamedStatus | Named]]:
    """Return, for each wanted kind, the records that these runs or sources refer to, each once and ordered by id."""
    found: dict[Reference, Sequence[NamedStatus | Named]] = {}
    for kind in wanted:
        if kind == "statuses":
            found[kind] = [
                NamedStatus(**asdict(status), program_name=status.system_name) for status in RESULT_STATUSES.values()
            ]
        elif kind == "users":
            found[kind] = [Named(USER_ID, "Embedded server")] if runs else []
        else:
            table = _TABLES[kind]
            ids = sorted({getattr(run, table) for run in runs} - {None})
            found[kind] = NAMED.all(connection, f'FROM "{table}" WHERE "id" IN ({marks(ids)}) ORDER BY "id"', ids)
    return found


Item = TypeVar("Item")
T = TypeVar("T", bound=Struct)

# The form of a filter's value, for the parser of the query.
RunFilter: TypeAlias = Literal["statuses", "ids", "tags", "text", "after", "before"]
RUN_FILTERS: Final[dict[str, tuple[RunFilter, str]]] = {
    "status": ("statuses", '"status" IN ({})'),
    "state": ("statuses", '"status" IN ({})'),
    "source_id": ("ids", '"source_id" IN ({})'),
    "config_id": ("ids", '"config_id" IN ({})'),
    "milestone_id": ("ids", '"milestone_id" IN ({})'),
    "created_by": ("ids", f"{USER_ID} IN ({{}})"),  # one user creates all runs
    "tags": ("tags", 'EXISTS (SELECT 1 FROM "run_tag" AS t WHERE t."run_id" = "run"."id" AND t."tag" IN ({}))'),
    "branch": ("text", '"branch" IN ({})'),
    "commit": ("text", '"commit" IN ({})'),
    "created_after": ("after", '"created" >= {}'),
    "created_before": ("before", '"created" < {}'),
}
"""The filters of the list of runs: the name of the parameter, the form of its value, and its condition."""

_LATER_ATTEMPT: Final = 'SELECT 1 FROM "thread" WHERE "run_id" = ? AND "attempt" > 1 LIMIT 1'
_RESULTS: Final = 'FROM "result" JOIN "case" ON "case"."id" = "result"."case_id"'
# Null sorts before all numbers, in both databases.
RESULT_ORDERS: Final[Mapping[str, str]] = {
    "automation_run_tests:id": '"result"."id"',
    "automation_run_tests:name": '"result"."name"',
    "automation_run_tests:status": '"result"."result_class"',
    "automation_run_tests:elapsed": 'COALESCE("result"."elapsed", -1)',
    "automation_run_tests:created_at": '"result"."created"',
}
_SOURCES: Final = 'FROM "source" AS s LEFT JOIN "run" AS r ON r."source_id" = s."id" WHERE s."{}" = ? GROUP BY s."id"'
SOURCE_ORDERS: Final[Mapping[str, str]] = {
    "automation_sources:created_at": 's."created"',
    "automation_sources:ran_at": 'COALESCE(MAX(r."created"), -1)',
    "automation_sources:retired_at": 's."created"',
}


class RunRecord(Struct, frozen=True):
    """A run with the requested threads, and the attachments of both in the order of their arrival."""

    row: StoredRun
    threads: Sequence[StoredThread]
    attachments: Sequence[Attachment]


class Page(Struct, Generic[Item], frozen=True):
    """One page of a list; ``number`` counts from 1, ``total`` is the number of items on all pages."""

    number: int
    size: int
    total: int
    items: Sequence[Item]


class Reader:
    """The queries of one read transaction; each raises `ApiError` (404) for a record that does not exist."""

    def __init__(self, connection: StoreConnection) -> None:
        self.connection = connection
        self._attempts: dict[int, bool] = {}

    def has_attempts(self, run_id: int) -> bool:
        """Whether a job of a run ran more than once, so that some results may be replaced."""
        if run_id not in self._attempts:
            self._attempts[run_id] = bool(self.connection.execute(_LATER_ATTEMPT, (run_id,)))
        return self._attempts[run_id]

    def run(self, run_id: int, max_threads: int = 0) -> RunRecord:
        """Return a run with its first ``max_threads`` threads; no result is read."""
        row = run_row(self.connection, run_id)
        threads = thread_rows(self.connection, run_id, max_threads)
        last = threads[-1].id if threads else 0
        return RunRecord(row, threads, self._attachments([run_id], last))

    def runs(self, run_ids: Sequence[int]) -> dict[int, RunRecord]:
        """Return these runs by id, without their threads and without runs that do not exist."""
        attachments: defaultdict[int, list[Attachment]] = defaultdict(list)
        for row in self._attachments(run_ids):
            attachments[row.run].append(row)
        return {row.id: RunRecord(row, (), attachments[row.id]) for row in run_rows(self.connection, run_ids)}

    def run_page(self, project_id: int, query: Mapping[str, Any]) -> Page[StoredRun]:
        """Return a page of a project's runs, in the order of their creation."""
        self._check_project(project_id)
        condition, values = run_condition(project_id, query)
        total = self.connection.number(f'SELECT COUNT(*) FROM "run" WHERE {condition}', values)
        return self._page(RUN, f'FROM "run" WHERE {condition}', values, ('"created"', '"id"'), query, total)

    def test_page(self, run_id: int, query: Mapping[str, Any]) -> Page[TestOfRun]:
        """Return a page of the results of a run."""
        run_row(self.connection, run_id)
        thread_id, classes = query["thread_id"], query["status_id"]
        column, parent = ('"result"."run_id"', run_id) if thread_id is None else ('"result"."thread_id"', thread_id)
        condition, values = f"{column} BETWEEN ? AND ?", [parent, parent]
        if classes is not None:
            condition += f' AND "result"."result_class" IN ({marks(classes)})'
            values += classes
        if not query["replaced"]:
            condition += ' AND NOT "result"."is_replaced"'
        # The threads' counts give the total without counting rows; a thread of another run has 0. They include results
        # that a later attempt of the job replaced.
        (counted,) = self.connection.rows(_COUNTS, (run_id, thread_id))
        total = _count_of_classes(counted, classes)
        if total and self.has_attempts(run_id):
            total = self.connection.number(f'SELECT COUNT(*) FROM "result" WHERE {condition}', values)
        columns = (column, RESULT_ORDERS[query["sort"]], '"result"."id"')
        return self._page(TEST_OF_RUN, f"{_RESULTS} WHERE {condition}", values, columns, query, total)

    def source(self, source_id: int) -> SuiteNumbers:
        """Return a source with the number, averages and last status of its runs."""
        return known("automation source", SUITE_NUMBERS.first(self.connection, _SOURCES.format("id"), (source_id,)))

    def source_page(self, project_id: int, query: Mapping[str, Any]) -> Page[SuiteNumbers]:
        """Return a page of a project's sources; a request for retired ones gets an empty page."""
        self._check_project(project_id)
        total = self.connection.number('SELECT COUNT(*) FROM "source" WHERE "project_id" = ?', (project_id,))
        # The embedded server cannot retire sources.
        total = 0 if query["is_retired"] else total
        columns = (SOURCE_ORDERS[query["sort"]], 's."id"')
        return self._page(SUITE_NUMBERS, _SOURCES.format("project_id"), (project_id,), columns, query, total)

    def _check_project(self, project_id: int) -> None:
        if not self.connection.execute('SELECT 1 FROM "project" WHERE "id" = ?', (project_id,)):
            raise not_found("project with automation runs")

    def _attachments(self, run_ids: Sequence[int], last_thread: int = 0) -> list[Attachment]:
        """Return the attachments of runs, and of their threads up to this id."""
        condition = f'"run_id" IN ({marks(run_ids)}) AND COALESCE("thread_id", 0) <= ?'
        return ATTACHMENT.all(
            self.connection, f'FROM "attachment" WHERE {condition} ORDER BY "id"', (*run_ids, last_thread)
        )

    def _page(
        self,
        columns: Columns[T],
        rest: str,
        values: Sequence[object],
        orders: Sequence[str],
        query: Mapping[str, Any],
        total: int,
    ) -> Page[T]:
        number, size = query["page"], query["per_page"]
        offset = (number - 1) * size
        # A page after the last one needs no query, and its offset may be too large for the database.
        if offset >= total:
            return Page(number, size, total, ())
        order = ", ".join(f"{each} {query['order']}" for each in orders)
        rest = f"{rest} ORDER BY {order} LIMIT ? OFFSET ?"
        return Page(number, size, total, columns.all(self.connection, rest, (*values, size, offset)))


def run_condition(project_id: int, query: Mapping[str, Any]) -> tuple[str, list[object]]:
    """Return the condition of a list of runs with its values; an empty branch finds the runs without one."""
    # It consists of names of ours and of question marks.
    conditions, values = ['"project_id" = ?'], list[object]([project_id])
    for name, (_, condition) in RUN_FILTERS.items():
        wanted = query.get(name)
        if name == "branch" and wanted == "":
            conditions.append('"branch" IS NULL')
        elif wanted is not None:
            several = [*wanted] if isinstance(wanted, frozenset) else [wanted]
            conditions.append(condition.format(marks(several)))
            values += several
    return " AND ".join(conditions), values


_SUM: Final = 'CAST(COALESCE(SUM("{0}_count"), 0) AS BIGINT) AS "{0}_count"'
_COUNTS: Final = (
    f'SELECT {", ".join(map(_SUM.format, ("total", "success", "failure")))} FROM "thread"'
    ' WHERE "run_id" = ? AND "id" = COALESCE(?, "id")'
)


def _count_of_classes(row: Mapping[str, int], classes: frozenset[int] | None) -> int:
    counts = {
        ResultClass.NEUTRAL: row["total_count"] - row["success_count"] - row["failure_count"],
        ResultClass.SUCCESS: row["success_count"],
        ResultClass.FAILURE: row["failure_count"],
    }
    return sum(count for result_class, count in counts.items() if classes is None or result_class in classes)


PAGE_RESULTS: Final = 1000  # most results of one page
_TEXTS: Final = ("fields", "artifacts", "causes", "output", "steps", "attempts")
# Length of these texts after which a page ends: clients read no response of more than 16 MiB.
PAGE_CHARACTERS: Final = 4 * 1024 * 1024


class WholeResult(TypedDict):
    """A result with all that a client sent of it, beside the contract; ``elapsed`` is in microseconds."""

    automation_test_id: int
    automation_case_id: int
    thread_id: int
    key: str
    folder: str
    name: str
    status: int
    status_name: str
    elapsed: int | None
    file: str | None
    line: int | None
    assertions: int | None
    fields: list[StoredField]
    artifacts: list[dict[str, Any]]
    causes: list[dict[str, Any]]
    output: dict[str, str]
    owner: str | None
    steps: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    phase: str | None
    fingerprint: str | None
    known: dict[str, Any] | None


def results_page(
    connection: StoreConnection, run_id: int, after: int = 0, status_id: Collection[int] | None = None
) -> tuple[list[WholeResult], int | None]:
    """Return a page of the results that count, and the id to read on after, None at the end; raises `ApiError`: 404."""
    run_row(connection, run_id)
    chosen = "" if status_id is None else f'AND "result"."result_class" IN ({marks(status_id)})'
    sql = (
        'SELECT "result".*, "case"."key" FROM "result" JOIN "case" ON "case"."id" = "result"."case_id"'
        f' WHERE "result"."run_id" BETWEEN ? AND ? AND "result"."id" > ? AND NOT "result"."is_replaced" {chosen}'
        f' ORDER BY "result"."run_id", "result"."id" LIMIT {PAGE_RESULTS + 1}'
    )
    results: list[WholeResult] = []
    characters = 0
    for row in connection.each(sql, (run_id, run_id, after, *(status_id or ()))):
        if len(results) == PAGE_RESULTS or characters > PAGE_CHARACTERS:
            return results, results[-1]["automation_test_id"]
        characters += sum(len(row[name] or "") for name in _TEXTS)
        results.append(_whole_result(row))
    return results, None


def _whole_result(row: Row) -> WholeResult:
    return {
        "automation_test_id": row["id"],
        "automation_case_id": row["case"],
        "thread_id": row["thread"],
        "key": row["key"],
        "folder": row["folder"],
        "name": row["name"],
        "status": row["result_class"],
        "status_name": RESULT_STATUSES[row["status"]].system_name,
        "elapsed": row["elapsed"],
        "file": row["file"],
        "line": row["line"],
        "assertions": row["assertions"],
        "fields": json.loads(row["fields"] or "[]"),
        "artifacts": json.loads(row["artifacts"] or "[]"),
        "causes": json.loads(row["causes"] or "[]"),
        "output": json.loads(row["output"] or "{}"),
        "owner": row["owner"],
        "steps": json.loads(row["steps"] or "[]"),
        "attempts": json.loads(row["attempts"] or "[]"),
        "phase": row["phase"],
        "fingerprint": None if row["fingerprint"] is None else hexadecimal(row["fingerprint"]),
        "known": row["known"] and json.loads(row["known"]),
    }
