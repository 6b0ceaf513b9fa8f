"""The tables of the store (floor 2).

The models are bound to no database: several stores live in one process and in several threads, so every query is
given its database when it is executed. Times are microseconds since 1970 in UTC, durations microseconds.
"""

from __future__ import annotations

import re

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from pytest_automation_report.server.store.statuses import COUNT_NAMES, RunStatus

SCHEMA_VERSION = 6
"""Version of these tables; each earlier one has a migration, a higher one was made by a newer release."""


def _table_name(model: type[Model]) -> str:
    """Return the name of a model's table: that of its class in snake case, without the suffix of the layer."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__.removesuffix("Row")).lower()


class Table(Model):
    """What all tables share."""

    class Meta:
        """What peewee takes from here."""

        # A class is named by its layer (`RunRow`), a table by what it holds (`run`), so that
        # the stores of earlier versions stay readable.
        table_function = _table_name


class Counted(Table):
    """A record with the contract's result counts; they are kept with every write so that reading is one row."""

    locals().update({name: BigIntegerField(default=0) for name in COUNT_NAMES})
    success_count = BigIntegerField(default=0)
    failure_count = BigIntegerField(default=0)
    completed_count = BigIntegerField(default=0)
    total_count = BigIntegerField(default=0)


class ProjectRow(Table):
    """A project; any id that a run was created in."""

    id = BigIntegerField(primary_key=True)
    created = BigIntegerField()


class SourceRow(Table):
    """A named suite of a project: test identities belong to it."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()
    created = BigIntegerField()


SourceRow.add_index(SourceRow.project, SourceRow.name, unique=True)


class ConfigRow(Table):
    """A named configuration of a project."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()


ConfigRow.add_index(ConfigRow.project, ConfigRow.name, unique=True)


class MilestoneRow(Table):
    """A named milestone of a project."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()


MilestoneRow.add_index(MilestoneRow.project, MilestoneRow.name, unique=True)


class MilestoneTagRow(Table):
    """A tag whose runs belong to a milestone unless they name another one."""

    milestone = ForeignKeyField(MilestoneRow, index=False)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("milestone", "tag")


class RunRow(Counted):
    """An automation run; ``tags`` is a JSON list."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    source = ForeignKeyField(SourceRow)
    name = TextField()
    config = ForeignKeyField(ConfigRow, null=True)
    milestone = ForeignKeyField(MilestoneRow, null=True)
    tags = TextField()
    status = IntegerField(default=int(RunStatus.RUNNING))
    is_completed = BooleanField(default=False)
    elapsed = BigIntegerField(null=True)
    thread_count = BigIntegerField(default=0)
    thread_active_count = BigIntegerField(default=0)
    created = BigIntegerField()
    updated = BigIntegerField(null=True)
    completed = BigIntegerField(null=True)


RunRow.add_index(RunRow.project, RunRow.created)


class RunTagRow(Table):
    """A tag of a run, for the filter; the run itself keeps its tags as they were sent."""

    run = ForeignKeyField(RunRow, index=False)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("run", "tag")


class ProjectStatusRow(Table):
    """A result status that a project changed or added; ``aliases`` is a JSON list."""

    project = ForeignKeyField(ProjectRow, index=False)
    number = IntegerField()
    name = TextField()
    aliases = TextField()
    color = TextField()
    is_final = BooleanField()
    is_passed = BooleanField()
    is_failed = BooleanField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("project", "number")


class ThreadRow(Counted):
    """A thread of a run; ``position`` counts from 1."""

    id = BigAutoField()
    run = ForeignKeyField(RunRow)
    position = BigIntegerField()
    status = IntegerField(default=int(RunStatus.RUNNING))
    is_completed = BooleanField(default=False)
    elapsed_observed = BigIntegerField(null=True)
    elapsed_computed = BigIntegerField(null=True)
    created = BigIntegerField()
    completed = BigIntegerField(null=True)


class AttachmentRow(Table):
    """A field, artifact or link of a run, or of one of its threads; ``body`` is a JSON object."""

    id = BigAutoField()
    run = ForeignKeyField(RunRow)
    thread = ForeignKeyField(ThreadRow, null=True, index=False)
    kind = TextField()
    body = TextField()


class CaseRow(Table):
    """A test across runs: one for each key of a source."""

    id = BigAutoField()
    source = ForeignKeyField(SourceRow, index=False)
    key = TextField()


CaseRow.add_index(CaseRow.source, CaseRow.key, unique=True)


class ResultRow(Table):
    """One test of a thread; ``fields`` and ``artifacts`` are JSON lists or null."""

    id = BigAutoField()
    run = ForeignKeyField(RunRow)
    thread = ForeignKeyField(ThreadRow)
    case = ForeignKeyField(CaseRow)
    name = TextField()
    folder = TextField()
    status = IntegerField()
    result_class = IntegerField()
    elapsed = BigIntegerField(null=True)
    file = TextField(null=True)
    line = BigIntegerField(null=True)
    assertions = BigIntegerField(null=True)
    fields = TextField(null=True)
    artifacts = TextField(null=True)
    created = BigIntegerField()


ResultRow.add_index(ResultRow.run, ResultRow.status)


class ContentRow(Table):
    """The content of an artifact that the store keeps; ``hash`` is its SHA-256 in hexadecimal, ``size`` in bytes."""

    id = BigAutoField()
    hash = TextField(unique=True)
    size = BigIntegerField()
    media_type = TextField()
    created = BigIntegerField()


class ContentPartRow(Table):
    """A stretch of a content; ``position`` counts from 0."""

    content = ForeignKeyField(ContentRow, index=False)
    position = BigIntegerField()
    data = BlobField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("content", "position")


class ContentUseRow(Table):
    """A content that something in a run refers to, there or not; ``hash`` is that of the content."""

    run = ForeignKeyField(RunRow, index=False)
    hash = TextField(index=True)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("run", "hash")


class AppliedRequestRow(Table):
    """The answer to a request that was sent with an idempotency key."""

    key = TextField(primary_key=True)
    fingerprint = TextField()
    status = IntegerField()
    body = TextField(null=True)
    created = BigIntegerField(index=True)


TABLES: tuple[type[Table], ...] = (
    ProjectRow,
    SourceRow,
    ConfigRow,
    MilestoneRow,
    MilestoneTagRow,
    RunRow,
    RunTagRow,
    ProjectStatusRow,
    ThreadRow,
    AttachmentRow,
    CaseRow,
    ResultRow,
    ContentRow,
    ContentPartRow,
    ContentUseRow,
    AppliedRequestRow,
)
"""All tables, in an order in which they can be created."""

INSERT_CASE = 'INSERT INTO "case" ("source_id", "key") VALUES (?, ?) ON CONFLICT DO NOTHING'
"""Makes a test of a source known; raw, like `INSERT_RESULT`."""

INSERT_RESULT = (
    'INSERT INTO "result" ("run_id", "thread_id", "case_id", "name", "folder", "status", "result_class", "elapsed",'
    ' "file", "line", "assertions", "fields", "artifacts", "created")'
    ' VALUES (?, ?, (SELECT "id" FROM "case" WHERE "source_id" = ? AND "key" = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
)
"""Adds one result; raw because peewee's own multi-row insert costs several times the storage itself."""
