"""Stores as earlier releases made them: their tables as text that never changes, and a few records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from peewee import SqliteDatabase

from pytest_automation_report.server.store import database as statements

if TYPE_CHECKING:
    from peewee import Database

_SLOTS = ", ".join(
    f'"{name}" INTEGER NOT NULL'
    for name in (
        "untested_count",
        *(f"status{number}_count" for number in range(1, 25)),
        "success_count",
        "failure_count",
        "completed_count",
        "total_count",
    )
)

VERSION_1 = f"""
CREATE TABLE "project" ("id" INTEGER NOT NULL PRIMARY KEY, "created" INTEGER NOT NULL);
CREATE TABLE "source" ("id" INTEGER NOT NULL PRIMARY KEY, "project_id" INTEGER NOT NULL, "name" TEXT NOT NULL,
  "created" INTEGER NOT NULL, FOREIGN KEY ("project_id") REFERENCES "project" ("id"));
CREATE INDEX "source_project_id" ON "source" ("project_id");
CREATE UNIQUE INDEX "source_project_id_name" ON "source" ("project_id", "name");
CREATE TABLE "config" ("id" INTEGER NOT NULL PRIMARY KEY, "project_id" INTEGER NOT NULL, "name" TEXT NOT NULL,
  FOREIGN KEY ("project_id") REFERENCES "project" ("id"));
CREATE INDEX "config_project_id" ON "config" ("project_id");
CREATE UNIQUE INDEX "config_project_id_name" ON "config" ("project_id", "name");
CREATE TABLE "milestone" ("id" INTEGER NOT NULL PRIMARY KEY, "project_id" INTEGER NOT NULL, "name" TEXT NOT NULL,
  FOREIGN KEY ("project_id") REFERENCES "project" ("id"));
CREATE INDEX "milestone_project_id" ON "milestone" ("project_id");
CREATE UNIQUE INDEX "milestone_project_id_name" ON "milestone" ("project_id", "name");
CREATE TABLE "run" ("id" INTEGER NOT NULL PRIMARY KEY, {_SLOTS}, "project_id" INTEGER NOT NULL,
  "source_id" INTEGER NOT NULL, "name" TEXT NOT NULL, "config_id" INTEGER, "milestone_id" INTEGER,
  "tags" TEXT NOT NULL, "status" INTEGER NOT NULL, "is_completed" INTEGER NOT NULL, "elapsed" INTEGER,
  "thread_count" INTEGER NOT NULL, "thread_active_count" INTEGER NOT NULL, "created" INTEGER NOT NULL,
  "updated" INTEGER, "completed" INTEGER, FOREIGN KEY ("project_id") REFERENCES "project" ("id"),
  FOREIGN KEY ("source_id") REFERENCES "source" ("id"), FOREIGN KEY ("config_id") REFERENCES "config" ("id"),
  FOREIGN KEY ("milestone_id") REFERENCES "milestone" ("id"));
CREATE INDEX "run_project_id" ON "run" ("project_id");
CREATE INDEX "run_source_id" ON "run" ("source_id");
CREATE INDEX "run_config_id" ON "run" ("config_id");
CREATE INDEX "run_milestone_id" ON "run" ("milestone_id");
CREATE INDEX "run_project_id_created" ON "run" ("project_id", "created");
CREATE TABLE "thread" ("id" INTEGER NOT NULL PRIMARY KEY, {_SLOTS}, "run_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL, "status" INTEGER NOT NULL, "is_completed" INTEGER NOT NULL,
  "elapsed_observed" INTEGER, "elapsed_computed" INTEGER, "created" INTEGER NOT NULL, "completed" INTEGER,
  FOREIGN KEY ("run_id") REFERENCES "run" ("id"));
CREATE INDEX "thread_run_id" ON "thread" ("run_id");
CREATE TABLE "attachment" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER NOT NULL, "thread_id" INTEGER,
  "kind" TEXT NOT NULL, "body" TEXT NOT NULL, FOREIGN KEY ("run_id") REFERENCES "run" ("id"),
  FOREIGN KEY ("thread_id") REFERENCES "thread" ("id"));
CREATE INDEX "attachment_run_id" ON "attachment" ("run_id");
CREATE TABLE "case" ("id" INTEGER NOT NULL PRIMARY KEY, "source_id" INTEGER NOT NULL, "key" TEXT NOT NULL,
  FOREIGN KEY ("source_id") REFERENCES "source" ("id"));
CREATE UNIQUE INDEX "case_source_id_key" ON "case" ("source_id", "key");
CREATE TABLE "result" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER NOT NULL, "thread_id" INTEGER NOT NULL,
  "case_id" INTEGER NOT NULL, "name" TEXT NOT NULL, "folder" TEXT NOT NULL, "status" INTEGER NOT NULL,
  "result_class" INTEGER NOT NULL, "elapsed" INTEGER, "file" TEXT, "line" INTEGER, "assertions" INTEGER,
  "fields" TEXT, "artifacts" TEXT, "created" INTEGER NOT NULL, FOREIGN KEY ("run_id") REFERENCES "run" ("id"),
  FOREIGN KEY ("thread_id") REFERENCES "thread" ("id"), FOREIGN KEY ("case_id") REFERENCES "case" ("id"));
CREATE INDEX "result_run_id" ON "result" ("run_id");
CREATE INDEX "result_thread_id" ON "result" ("thread_id");
CREATE INDEX "result_case_id" ON "result" ("case_id");
CREATE TABLE "applied_request" ("key" TEXT NOT NULL PRIMARY KEY, "fingerprint" TEXT NOT NULL,
  "status" INTEGER NOT NULL, "body" TEXT, "created" INTEGER NOT NULL);
CREATE INDEX "applied_request_created" ON "applied_request" ("created");
"""


def make_version_1(database: Database) -> None:
    """Make a store of version 1: two runs with tags, one of them completed with two results."""
    counted = {"status1_count": 1, "status2_count": 1, "success_count": 1, "failure_count": 1, "completed_count": 2}
    counted["total_count"] = 2
    for statement in VERSION_1.split(";"):
        if statement.strip():
            execute(database, statement)
    execute(database, "INSERT INTO project VALUES (1, 1700000000000000)")
    execute(database, "INSERT INTO source VALUES (1, 1, 'a-source', 1700000000000000)")
    execute(database, "INSERT INTO config VALUES (1, 1, 'Chrome')")
    execute(database, "INSERT INTO milestone VALUES (1, 1, '1.0')")
    for run_id, tags, counts in ((1, '["smoke","main","smoke"]', counted), (2, "[]", {})):
        _insert(database, "run", {**_run(run_id, tags, is_completed=bool(counts)), **counts})
    _insert(database, "thread", {**_thread(), **counted})
    execute(database, """INSERT INTO attachment VALUES (1, 1, NULL, 'fields', '{"type":1,"name":"f","value":"v"}')""")
    for number, (status, result_class) in enumerate(((2, 2), (3, 3)), 1):
        execute(database, 'INSERT INTO "case" VALUES (?, 1, ?)', (number, f"key{number}"))
        execute(
            database,
            "INSERT INTO result VALUES (?, 1, 1, ?, ?, 'folder', ?, ?, 5, NULL, NULL, NULL, NULL, NULL, 17)",
            (number, number, f"test_{number}", status, result_class),
        )
    execute(database, """INSERT INTO applied_request VALUES ('key', 'f', 201, '{"id":1}', 1700000000000000)""")
    if isinstance(database, SqliteDatabase):
        database.application_id = 0x41525031
        database.user_version = 1
        return
    execute(database, "CREATE TABLE store_version (version INTEGER NOT NULL)")
    execute(database, "INSERT INTO store_version VALUES (1)")
    for table in ("source", "config", "milestone", "run", "thread", "attachment", "case", "result"):
        execute(database, f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM \"{table}\"))")


def execute(database: Database, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Execute SQLite's words; PostgreSQL has never seen these versions, so that its own are made here."""
    if not isinstance(database, SqliteDatabase):
        sql = sql.replace('"project" ("id" INTEGER NOT NULL', '"project" ("id" BIGINT NOT NULL')
        sql = sql.replace('"id" INTEGER NOT NULL', '"id" BIGSERIAL NOT NULL').replace("TEXT", 'TEXT COLLATE "C"')
        sql = sql.replace('"is_completed" INTEGER', '"is_completed" BOOLEAN').replace("?", "%s")
        sql = re.sub(r'(?<!"status")(?<!"result_class") INTEGER', " BIGINT", sql) if "version" not in sql else sql
    return statements.execute(database, sql, values)


def _run(run_id: int, tags: str, *, is_completed: bool) -> dict[str, object]:
    return {
        "id": run_id,
        "project_id": 1,
        "source_id": 1,
        "name": f"run {run_id}",
        "config_id": 1,
        "milestone_id": 1,
        "tags": tags,
        "status": 3 if is_completed else 4,
        "is_completed": is_completed,
        "elapsed": 7 if is_completed else None,
        "thread_count": int(is_completed),
        "thread_active_count": 0,
        "created": 1_700_000_000_000_000 + run_id,
    }


def _thread() -> dict[str, object]:
    times = {"created": 1_700_000_000_000_000, "completed": 1_700_000_000_000_000}
    return {"id": 1, "run_id": 1, "position": 1, "status": 3, "is_completed": True, **times}


def _insert(database: Database, table: str, values: dict[str, object]) -> None:
    columns = [each.name for each in database.get_columns(table)]
    counts = {name: 0 for name in columns if name.endswith("_count")}
    row = {**counts, **values}
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    execute(database, f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
