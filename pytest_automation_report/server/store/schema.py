"""The tables of a new SQLite store as statements, which are those that peewee makes of `tables`.

A sender creates the store of a new project, or of a CI job, without peewee: to load it and its models takes longer than
to report a session of one test. Written by ``PYTHONPATH=tests python -m support.sqlite_schema``; a test compares.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from pytest_automation_report.server.store.statuses import COUNT_NAMES

SCHEMA_VERSION: Final = 10
"""Version of the tables. Each earlier version has a migration; a higher one belongs to a newer release."""

CASE_KEY_TABLES: Final = ("case_key", "case_key_recent", "case_key_new")
"""The tables by which a SQLite store finds tests by their keys (`case_keys`), most tests by the first. No models."""

SQLITE_KEY_TABLES: Final = tuple(
    f'CREATE TABLE "{name}" ("source_id" INTEGER NOT NULL, "hash" INTEGER NOT NULL, "case_id" INTEGER NOT NULL,'
    ' PRIMARY KEY ("source_id", "hash", "case_id")) WITHOUT ROWID'
    for name in CASE_KEY_TABLES
)
"""Statements that create them."""


def key_hash(key: str) -> int:
    """Return the hash of a key in the tables, a signed number of 64 bits. It never changes: stores have it."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


_COUNTS: Final = ", ".join(f'"{name}" INTEGER NOT NULL' for name in COUNT_NAMES)

SQLITE_TABLES: Final[tuple[str, ...]] = (
    'CREATE TABLE "project" ("id" INTEGER NOT NULL PRIMARY KEY, "created" INTEGER NOT NULL)',
    (
        'CREATE TABLE "source" ("id" INTEGER NOT NULL PRIMARY KEY, "project_id" INTEGER NOT NULL, "name" TEXT NOT '
        'NULL, "created" INTEGER NOT NULL, "main_branch" TEXT, FOREIGN KEY ("project_id") REFERENCES "project" '
        '("id"))'
    ),
    'CREATE INDEX "source_project_id" ON "source" ("project_id")',
    'CREATE UNIQUE INDEX "source_project_id_name" ON "source" ("project_id", "name")',
    (
        'CREATE TABLE "config" ("id" INTEGER NOT NULL PRIMARY KEY, "project_id" INTEGER NOT NULL, "name" TEXT NOT '
        'NULL, FOREIGN KEY ("project_id") REFERENCES "project" ("id"))'
    ),
    'CREATE INDEX "config_project_id" ON "config" ("project_id")',
    'CREATE UNIQUE INDEX "config_project_id_name" ON "config" ("project_id", "name")',
    (
        'CREATE TABLE "milestone" ("id" INTEGER NOT NULL PRIMARY KEY, "project_id" INTEGER NOT NULL, "name" TEXT NOT '
        'NULL, FOREIGN KEY ("project_id") REFERENCES "project" ("id"))'
    ),
    'CREATE INDEX "milestone_project_id" ON "milestone" ("project_id")',
    'CREATE UNIQUE INDEX "milestone_project_id_name" ON "milestone" ("project_id", "name")',
    (
        'CREATE TABLE "milestone_tag" ("milestone_id" INTEGER NOT NULL, "tag" TEXT NOT NULL, PRIMARY KEY '
        '("milestone_id", "tag"), FOREIGN KEY ("milestone_id") REFERENCES "milestone" ("id"))'
    ),
    (
        f'CREATE TABLE "run" ("id" INTEGER NOT NULL PRIMARY KEY, {_COUNTS}, "project_id" INTEGER NOT NULL, "source_id" '
        'INTEGER NOT NULL, "name" TEXT NOT NULL, "config_id" INTEGER, "milestone_id" INTEGER, "tags" TEXT NOT NULL, '
        '"status" INTEGER NOT NULL, "is_completed" INTEGER NOT NULL, "elapsed" INTEGER, "thread_count" INTEGER NOT '
        'NULL, "thread_active_count" INTEGER NOT NULL, "created" INTEGER NOT NULL, "updated" INTEGER, "completed" '
        'INTEGER, "branch" TEXT, "commit" TEXT, "target_branch" TEXT, "selection" TEXT, "collected" INTEGER, '
        '"is_changed" INTEGER, FOREIGN KEY ("project_id") REFERENCES "project" ("id"), FOREIGN KEY ("source_id") '
        'REFERENCES "source" ("id"), FOREIGN KEY ("config_id") REFERENCES "config" ("id"), FOREIGN KEY '
        '("milestone_id") REFERENCES "milestone" ("id"))'
    ),
    'CREATE INDEX "run_project_id" ON "run" ("project_id")',
    'CREATE INDEX "run_source_id" ON "run" ("source_id")',
    'CREATE INDEX "run_config_id" ON "run" ("config_id")',
    'CREATE INDEX "run_milestone_id" ON "run" ("milestone_id")',
    'CREATE INDEX "run_project_id_created" ON "run" ("project_id", "created")',
    'CREATE INDEX "run_source_id_branch" ON "run" ("source_id", "branch")',
    (
        'CREATE TABLE "run_tag" ("run_id" INTEGER NOT NULL, "tag" TEXT NOT NULL, PRIMARY KEY ("run_id", "tag"), '
        'FOREIGN KEY ("run_id") REFERENCES "run" ("id"))'
    ),
    (
        'CREATE TABLE "project_status" ("project_id" INTEGER NOT NULL, "number" INTEGER NOT NULL, "name" TEXT NOT '
        'NULL, "aliases" TEXT NOT NULL, "color" TEXT NOT NULL, "is_final" INTEGER NOT NULL, "is_passed" INTEGER NOT '
        'NULL, "is_failed" INTEGER NOT NULL, PRIMARY KEY ("project_id", "number"), FOREIGN KEY ("project_id") '
        'REFERENCES "project" ("id"))'
    ),
    (
        f'CREATE TABLE "thread" ("id" INTEGER NOT NULL PRIMARY KEY, {_COUNTS}, "run_id" INTEGER NOT NULL, "position" '
        'INTEGER NOT NULL, "status" INTEGER NOT NULL, "is_completed" INTEGER NOT NULL, "elapsed_observed" INTEGER, '
        '"elapsed_computed" INTEGER, "created" INTEGER NOT NULL, "completed" INTEGER, "session_started" INTEGER, '
        '"running" TEXT, "job" TEXT, "attempt" INTEGER, "collection" TEXT, FOREIGN KEY ("run_id") REFERENCES "run" '
        '("id"))'
    ),
    'CREATE INDEX "thread_run_id" ON "thread" ("run_id")',
    (
        'CREATE TABLE "attachment" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER NOT NULL, "thread_id" '
        'INTEGER, "kind" TEXT NOT NULL, "body" TEXT NOT NULL, FOREIGN KEY ("run_id") REFERENCES "run" ("id"), FOREIGN '
        'KEY ("thread_id") REFERENCES "thread" ("id"))'
    ),
    'CREATE INDEX "attachment_run_id" ON "attachment" ("run_id")',
    (
        'CREATE TABLE "case" ("id" INTEGER NOT NULL PRIMARY KEY, "source_id" INTEGER NOT NULL, "key" TEXT NOT NULL, '
        'FOREIGN KEY ("source_id") REFERENCES "source" ("id"))'
    ),
    (
        'CREATE TABLE "result" ("id" INTEGER NOT NULL PRIMARY KEY, "run_id" INTEGER NOT NULL, "thread_id" INTEGER NOT '
        'NULL, "case_id" INTEGER NOT NULL, "name" TEXT NOT NULL, "folder" TEXT NOT NULL, "status" INTEGER NOT NULL, '
        '"result_class" INTEGER NOT NULL, "elapsed" INTEGER, "file" TEXT, "line" INTEGER, "assertions" INTEGER, '
        '"fields" TEXT, "artifacts" TEXT, "created" INTEGER NOT NULL, "failed_attempts" INTEGER, "phase" TEXT, '
        '"message" TEXT, "fingerprint" INTEGER, "started" INTEGER, "setup" INTEGER, "teardown" INTEGER, "steps" TEXT, '
        '"comparison" TEXT, "colours" TEXT, "attempts" TEXT, FOREIGN KEY ("run_id") REFERENCES "run" ("id"), FOREIGN '
        'KEY ("thread_id") REFERENCES "thread" ("id"), FOREIGN KEY ("case_id") REFERENCES "case" ("id"))'
    ),
    'CREATE INDEX "result_run_id" ON "result" ("run_id")',
    'CREATE INDEX "result_thread_id" ON "result" ("thread_id")',
    'CREATE INDEX "result_case_id" ON "result" ("case_id")',
    'CREATE INDEX "result_run_id_status" ON "result" ("run_id", "status")',
    (
        'CREATE INDEX "result_fingerprint_run_id" ON "result" ("fingerprint", "run_id") WHERE ("fingerprint" IS NOT '
        "NULL)"
    ),
    (
        'CREATE TABLE "series" ("id" INTEGER NOT NULL PRIMARY KEY, "source_id" INTEGER NOT NULL, "config" INTEGER NOT '
        'NULL, "branch" TEXT NOT NULL, "length" INTEGER NOT NULL, "runs" TEXT NOT NULL, FOREIGN KEY ("source_id") '
        'REFERENCES "source" ("id"))'
    ),
    'CREATE UNIQUE INDEX "series_source_id_config_branch" ON "series" ("source_id", "config", "branch")',
    (
        'CREATE TABLE "case_history" ("series_id" INTEGER NOT NULL, "case_id" INTEGER NOT NULL, "position" INTEGER '
        'NOT NULL, "outcomes" TEXT NOT NULL, "durations" TEXT NOT NULL, "median" INTEGER, "since" INTEGER, PRIMARY '
        'KEY ("series_id", "case_id"), FOREIGN KEY ("series_id") REFERENCES "series" ("id"), FOREIGN KEY ("case_id") '
        'REFERENCES "case" ("id"))'
    ),
    'CREATE INDEX "case_history_case_id" ON "case_history" ("case_id")',
    (
        'CREATE TABLE "run_findings" ("run_id" INTEGER NOT NULL PRIMARY KEY, "version" INTEGER NOT NULL, "body" TEXT '
        'NOT NULL, "summary" TEXT NOT NULL, FOREIGN KEY ("run_id") REFERENCES "run" ("id"))'
    ),
    (
        'CREATE TABLE "run_overview" ("run_id" INTEGER NOT NULL PRIMARY KEY, "version" INTEGER NOT NULL, "body" TEXT '
        'NOT NULL, FOREIGN KEY ("run_id") REFERENCES "run" ("id"))'
    ),
    (
        'CREATE TABLE "content" ("id" INTEGER NOT NULL PRIMARY KEY, "hash" TEXT NOT NULL, "size" INTEGER NOT NULL, '
        '"media_type" TEXT NOT NULL, "created" INTEGER NOT NULL)'
    ),
    'CREATE UNIQUE INDEX "content_hash" ON "content" ("hash")',
    (
        'CREATE TABLE "content_part" ("content_id" INTEGER NOT NULL, "position" INTEGER NOT NULL, "data" BLOB NOT '
        'NULL, PRIMARY KEY ("content_id", "position"), FOREIGN KEY ("content_id") REFERENCES "content" ("id"))'
    ),
    (
        'CREATE TABLE "content_use" ("run_id" INTEGER NOT NULL, "hash" TEXT NOT NULL, PRIMARY KEY ("run_id", "hash"), '
        'FOREIGN KEY ("run_id") REFERENCES "run" ("id"))'
    ),
    'CREATE INDEX "content_use_hash" ON "content_use" ("hash")',
    'CREATE TABLE "secret" ("name" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL)',
    (
        'CREATE TABLE "applied_request" ("key" TEXT NOT NULL PRIMARY KEY, "fingerprint" TEXT NOT NULL, "status" '
        'INTEGER NOT NULL, "body" TEXT, "created" INTEGER NOT NULL)'
    ),
    'CREATE INDEX "applied_request_created" ON "applied_request" ("created")',
)
"""Statements that create the tables and indexes of a new store."""
