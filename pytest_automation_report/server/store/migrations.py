"""Migrate the tables of a store from an earlier release to this one.

The SQL of a migration never changes again, whatever the tables of later releases look like. All migrations of a store
run in one transaction, so it has either its old version or the newest one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_automation_report.server.store.derived import derived, run_columns
from pytest_automation_report.server.store.inputs import StoredAttachment, StoredTest
from pytest_automation_report.server.store.schema import key_hash
from pytest_automation_report.server.store.statuses import ResultClass

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_automation_report.server.store.database import StoreConnection


_COLUMN = re.compile(r'"(\w+)" (INTEGER|TEXT|BLOB)( NOT NULL PRIMARY KEY)?')
# Columns that peewee creates as INTEGER in PostgreSQL; all other integers of the tables have 64 bits.
_INT32_COLUMNS = ("number", "status", "result_class", "failed_attempts", "version")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: ``apply`` changes the tables from the version before ``version`` to ``version``."""

    version: int
    name: str
    apply: Callable[[StoreConnection], None]


def migrate(connection: StoreConnection, version: int) -> None:
    """Apply every migration after this version, in order; the caller holds the transaction and stores the version."""
    for migration in MIGRATIONS:
        if migration.version > version:
            migration.apply(connection)


def _execute(connection: StoreConnection, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Execute a statement that is written for SQLite, with its types translated for PostgreSQL."""
    if connection.is_postgres:
        sql = _COLUMN.sub(_postgres_column, sql)
    return connection.execute(sql, values)


def _postgres_column(column: re.Match[str]) -> str:
    """Return a column of SQLite's SQL with the type that peewee gives it in a new PostgreSQL store."""
    name, sqlite_type, key = column[1], column[2], column[3] or ""
    types = {"TEXT": 'TEXT COLLATE "C"', "BLOB": "BYTEA"}
    if sqlite_type == "INTEGER" and name not in _INT32_COLUMNS:
        if name.startswith("is_"):
            types["INTEGER"] = "BOOLEAN"
        else:
            types["INTEGER"] = "BIGSERIAL" if key else "BIGINT"
    return f'"{name}" {types.get(sqlite_type, sqlite_type)}{key}'


def _tags_of_runs(connection: StoreConnection) -> None:
    _execute(
        connection,
        'CREATE TABLE "run_tag" ("run_id" INTEGER NOT NULL, "tag" TEXT NOT NULL, PRIMARY KEY ("run_id", "tag"),'
        ' FOREIGN KEY ("run_id") REFERENCES "run" ("id"))',
    )
    rows = _execute(connection, 'SELECT "id", "tags" FROM "run" WHERE "tags" <> ?', ("[]",))
    for run_id, tags in rows:
        for tag in dict.fromkeys(json.loads(tags)):
            _execute(connection, 'INSERT INTO "run_tag" ("run_id", "tag") VALUES (?, ?)', (run_id, tag))


def _statuses_of_projects(connection: StoreConnection) -> None:
    _execute(
        connection,
        'CREATE TABLE "project_status" ("project_id" INTEGER NOT NULL, "number" INTEGER NOT NULL, "name" TEXT NOT NULL,'
        ' "aliases" TEXT NOT NULL, "color" TEXT NOT NULL, "is_final" INTEGER NOT NULL, "is_passed" INTEGER NOT NULL,'
        ' "is_failed" INTEGER NOT NULL, PRIMARY KEY ("project_id", "number"),'
        ' FOREIGN KEY ("project_id") REFERENCES "project" ("id"))',
    )


def _results_by_status(connection: StoreConnection) -> None:
    _execute(connection, 'CREATE INDEX "result_run_id_status" ON "result" ("run_id", "status")')


def _tags_of_milestones(connection: StoreConnection) -> None:
    _execute(
        connection,
        'CREATE TABLE "milestone_tag" ("milestone_id" INTEGER NOT NULL, "tag" TEXT NOT NULL,'
        ' PRIMARY KEY ("milestone_id", "tag"), FOREIGN KEY ("milestone_id") REFERENCES "milestone" ("id"))',
    )


def _contents_of_artifacts(connection: StoreConnection) -> None:
    _execute(
        connection,
        'CREATE TABLE "content" ("id" INTEGER NOT NULL PRIMARY KEY, "hash" TEXT NOT NULL, "size" INTEGER NOT NULL,'
        ' "media_type" TEXT NOT NULL, "created" INTEGER NOT NULL)',
    )
    _execute(connection, 'CREATE UNIQUE INDEX "content_hash" ON "content" ("hash")')
    _execute(
        connection,
        'CREATE TABLE "content_part" ("content_id" INTEGER NOT NULL, "position" INTEGER NOT NULL, "data" BLOB NOT NULL,'
        ' PRIMARY KEY ("content_id", "position"), FOREIGN KEY ("content_id") REFERENCES "content" ("id"))',
    )
    _execute(
        connection,
        'CREATE TABLE "content_use" ("run_id" INTEGER NOT NULL, "hash" TEXT NOT NULL,'
        ' PRIMARY KEY ("run_id", "hash"), FOREIGN KEY ("run_id") REFERENCES "run" ("id"))',
    )
    _execute(connection, 'CREATE INDEX "content_use_hash" ON "content_use" ("hash")')


def _columns_for_findings(connection: StoreConnection) -> None:
    for column in (
        '"branch" TEXT', '"commit" TEXT', '"target_branch" TEXT', '"selection" TEXT', '"collected" INTEGER',
        '"is_changed" INTEGER',
    ):  # fmt: skip
        _execute(connection, f'ALTER TABLE "run" ADD COLUMN {column}')
    for column in ('"failed_attempts" INTEGER', '"phase" TEXT', '"message" TEXT', '"fingerprint" INTEGER'):
        _execute(connection, f'ALTER TABLE "result" ADD COLUMN {column}')
    for column in ('"session_started" INTEGER', '"running" TEXT'):
        _execute(connection, f'ALTER TABLE "thread" ADD COLUMN {column}')
    for column in ('"started" INTEGER', '"setup" INTEGER', '"teardown" INTEGER', '"steps" TEXT', '"comparison" TEXT'):
        _execute(connection, f'ALTER TABLE "result" ADD COLUMN {column}')
    _execute(connection, 'ALTER TABLE "source" ADD COLUMN "main_branch" TEXT')
    _execute(connection, 'CREATE INDEX "run_source_id_branch" ON "run" ("source_id", "branch")')
    _execute(
        connection,
        'CREATE INDEX "result_fingerprint_run_id" ON "result" ("fingerprint", "run_id")'
        ' WHERE ("fingerprint" IS NOT NULL)',
    )
    _execute(
        connection,
        'CREATE TABLE "series" ("id" INTEGER NOT NULL PRIMARY KEY, "source_id" INTEGER NOT NULL,'
        ' "config" INTEGER NOT NULL, "branch" TEXT NOT NULL, "length" INTEGER NOT NULL, "runs" TEXT NOT NULL,'
        ' FOREIGN KEY ("source_id") REFERENCES "source" ("id"))',
    )
    _execute(
        connection,
        'CREATE UNIQUE INDEX "series_source_id_config_branch" ON "series" ("source_id", "config", "branch")',
    )
    _execute(
        connection,
        'CREATE TABLE "case_history" ("series_id" INTEGER NOT NULL, "case_id" INTEGER NOT NULL,'
        ' "position" INTEGER NOT NULL, "outcomes" TEXT NOT NULL, "durations" TEXT NOT NULL, "median" INTEGER,'
        ' "since" INTEGER, PRIMARY KEY ("series_id", "case_id"),'
        ' FOREIGN KEY ("series_id") REFERENCES "series" ("id"), FOREIGN KEY ("case_id") REFERENCES "case" ("id"))',
    )
    _execute(connection, 'CREATE INDEX "case_history_case_id" ON "case_history" ("case_id")')
    _execute(
        connection,
        'CREATE TABLE "run_findings" ("run_id" INTEGER NOT NULL, "version" INTEGER NOT NULL, "body" TEXT NOT NULL,'
        ' "summary" TEXT NOT NULL, PRIMARY KEY ("run_id"), FOREIGN KEY ("run_id") REFERENCES "run" ("id"))',
    )
    _execute(
        connection,
        'CREATE TABLE "run_overview" ("run_id" INTEGER NOT NULL, "version" INTEGER NOT NULL, "body" TEXT NOT NULL,'
        ' PRIMARY KEY ("run_id"), FOREIGN KEY ("run_id") REFERENCES "run" ("id"))',
    )
    _fill_runs(connection)
    _fill_results(connection, '%"Attempts"%')


def _columns_for_evidence(connection: StoreConnection) -> None:
    for column in ('"colours" TEXT', '"attempts" TEXT'):
        _execute(connection, f'ALTER TABLE "result" ADD COLUMN {column}')
    for column in ('"job" TEXT', '"attempt" INTEGER', '"collection" TEXT'):
        _execute(connection, f'ALTER TABLE "thread" ADD COLUMN {column}')
    _execute(connection, 'CREATE TABLE "secret" ("name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL)')


def _fill_runs(connection: StoreConnection) -> None:
    """Copy branch and commit of each run out of its fields."""
    rows = _execute(connection, 'SELECT "run_id", "body" FROM "attachment" WHERE "kind" = ? ORDER BY "id"', ("fields",))
    for run_id, body in rows:
        for name, value in run_columns((StoredAttachment("fields", body),)).items():
            _execute(connection, f'UPDATE "run" SET "{name}" = ? WHERE "id" = ?', (value, run_id))  # noqa: S608 - one of our names  # nosec B608


def _fill_results(connection: StoreConnection, fields_pattern: str = "") -> None:
    """Derive the columns of failures and of results with these fields, some at a time: a store may be large."""
    last = 0
    while True:
        rows = _execute(
            connection,
            'SELECT r."id", c."key", r."name", r."folder", r."status", r."result_class", r."file", r."fields"'
            ' FROM "result" AS r JOIN "case" AS c ON c."id" = r."case_id" WHERE r."id" > ? AND'
            ' (r."result_class" = ? OR r."fields" LIKE ?) ORDER BY r."id" LIMIT 500',
            (last, int(ResultClass.FAILURE), fields_pattern),
        )
        for result_id, key, name, folder, status, result_class, file, fields in rows:
            test = StoredTest(key, name, folder, status, file=file, fields=fields)
            _execute(
                connection,
                'UPDATE "result" SET "failed_attempts" = ?, "phase" = ?, "message" = ?, "fingerprint" = ?'
                ' WHERE "id" = ?',
                (*derived(test, result_class), result_id),
            )
            last = result_id
        if not rows:
            return


def _fingerprints_of_statements(connection: StoreConnection) -> None:
    """Compute all fingerprints anew; findings are computed anew when they are read, since their version is older."""
    _fill_results(connection)


def _hashes_of_keys(connection: StoreConnection) -> None:
    """Replace the index of keys by tables with short hashes of them, some at a time: a store may be large."""
    if connection.is_postgres:
        return
    for table in ("case_key", "case_key_recent", "case_key_new"):
        _execute(
            connection,
            f'CREATE TABLE "{table}" ("source_id" INTEGER NOT NULL, "hash" INTEGER NOT NULL,'
            ' "case_id" INTEGER NOT NULL, PRIMARY KEY ("source_id", "hash", "case_id")) WITHOUT ROWID',
        )
    last = 0
    while rows := _execute(
        connection, 'SELECT "source_id", "key", "id" FROM "case" WHERE "id" > ? ORDER BY "id" LIMIT 50000', (last,)
    ):
        last = rows[-1][2]
        for entry in sorted((source_id, key_hash(key), case_id) for source_id, key, case_id in rows):
            _execute(connection, 'INSERT INTO "case_key" VALUES (?, ?, ?)', entry)
    _execute(connection, 'DROP INDEX "case_source_id_key"')


MIGRATIONS = (
    Migration(2, "tags of runs in a separate table", _tags_of_runs),
    Migration(3, "result statuses of projects", _statuses_of_projects),
    Migration(4, "results of a run by their status", _results_by_status),
    Migration(5, "tags of milestones", _tags_of_milestones),
    Migration(6, "contents of artifacts", _contents_of_artifacts),
    Migration(7, "branches, attempts, reasons of failures and extensions as columns", _columns_for_findings),
    Migration(8, "one reason for comparisons of one statement", _fingerprints_of_statements),
    Migration(9, "tests by short hashes of their keys in SQLite", _hashes_of_keys),
    Migration(10, "colours of texts and earlier attempts as columns", _columns_for_evidence),
)
"""All migrations, oldest first; version 1 was the first release."""
