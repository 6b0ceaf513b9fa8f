"""The tables of the store (floor 2).

The models are bound to no database: several stores live in one process and in several threads, so every query is
given its database when it is executed. Times are microseconds since 1970 in UTC, durations microseconds.
"""

from __future__ import annotations

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


class Table(Model):
    """What all tables share."""

    class Meta:
        """What peewee takes from here."""

        legacy_table_names = False


class Counted(Table):
    """A record with the contract's result counts; they are kept with every write so that reading is one row."""

    locals().update({name: BigIntegerField(default=0) for name in COUNT_NAMES})
    success_count = BigIntegerField(default=0)
    failure_count = BigIntegerField(default=0)
    completed_count = BigIntegerField(default=0)
    total_count = BigIntegerField(default=0)


class Project(Table):
    """A project; any id that a run was created in."""

    id = BigIntegerField(primary_key=True)
    created = BigIntegerField()


class Source(Table):
    """A named suite of a project: test identities belong to it."""

    id = BigAutoField()
    project = ForeignKeyField(Project)
    name = TextField()
    created = BigIntegerField()


Source.add_index(Source.project, Source.name, unique=True)


class Config(Table):
    """A named configuration of a project."""

    id = BigAutoField()
    project = ForeignKeyField(Project)
    name = TextField()


Config.add_index(Config.project, Config.name, unique=True)


class Milestone(Table):
    """A named milestone of a project."""

    id = BigAutoField()
    project = ForeignKeyField(Project)
    name = TextField()


Milestone.add_index(Milestone.project, Milestone.name, unique=True)


class MilestoneTag(Table):
    """A tag whose runs belong to a milestone unless they name another one."""

    milestone = ForeignKeyField(Milestone, index=False)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("milestone", "tag")


class Run(Counted):
    """An automation run; ``tags`` is a JSON list."""

    id = BigAutoField()
    project = ForeignKeyField(Project)
    source = ForeignKeyField(Source)
    name = TextField()
    config = ForeignKeyField(Config, null=True)
    milestone = ForeignKeyField(Milestone, null=True)
    tags = TextField()
    status = IntegerField(default=int(RunStatus.RUNNING))
    is_completed = BooleanField(default=False)
    elapsed = BigIntegerField(null=True)
    thread_count = BigIntegerField(default=0)
    thread_active_count = BigIntegerField(default=0)
    created = BigIntegerField()
    updated = BigIntegerField(null=True)
    completed = BigIntegerField(null=True)


Run.add_index(Run.project, Run.created)


class RunTag(Table):
    """A tag of a run, for the filter; the run itself keeps its tags as they were sent."""

    run = ForeignKeyField(Run, index=False)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("run", "tag")


class ProjectStatus(Table):
    """A result status that a project changed or added; ``aliases`` is a JSON list."""

    project = ForeignKeyField(Project, index=False)
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


class Thread(Counted):
    """A thread of a run; ``position`` counts from 1."""

    id = BigAutoField()
    run = ForeignKeyField(Run)
    position = BigIntegerField()
    status = IntegerField(default=int(RunStatus.RUNNING))
    is_completed = BooleanField(default=False)
    elapsed_observed = BigIntegerField(null=True)
    elapsed_computed = BigIntegerField(null=True)
    created = BigIntegerField()
    completed = BigIntegerField(null=True)


class Attachment(Table):
    """A field, artifact or link of a run, or of one of its threads; ``body`` is a JSON object."""

    id = BigAutoField()
    run = ForeignKeyField(Run)
    thread = ForeignKeyField(Thread, null=True, index=False)
    kind = TextField()
    body = TextField()


class Case(Table):
    """A test across runs: one for each key of a source."""

    id = BigAutoField()
    source = ForeignKeyField(Source, index=False)
    key = TextField()


Case.add_index(Case.source, Case.key, unique=True)


class Result(Table):
    """One test of a thread; ``fields`` and ``artifacts`` are JSON lists or null."""

    id = BigAutoField()
    run = ForeignKeyField(Run)
    thread = ForeignKeyField(Thread)
    case = ForeignKeyField(Case)
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


Result.add_index(Result.run, Result.status)


class Content(Table):
    """The content of an artifact that the store keeps; ``hash`` is its SHA-256 in hexadecimal, ``size`` in bytes."""

    id = BigAutoField()
    hash = TextField(unique=True)
    size = BigIntegerField()
    media_type = TextField()
    created = BigIntegerField()


class ContentPart(Table):
    """A stretch of a content; ``position`` counts from 0."""

    content = ForeignKeyField(Content, index=False)
    position = BigIntegerField()
    data = BlobField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("content", "position")


class ContentUse(Table):
    """A content that something in a run refers to, there or not; ``hash`` is that of the content."""

    run = ForeignKeyField(Run, index=False)
    hash = TextField(index=True)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee takes it from each class by itself
        """What peewee takes from here."""

        primary_key = CompositeKey("run", "hash")


class AppliedRequest(Table):
    """The answer to a request that was sent with an idempotency key."""

    key = TextField(primary_key=True)
    fingerprint = TextField()
    status = IntegerField()
    body = TextField(null=True)
    created = BigIntegerField(index=True)


TABLES: tuple[type[Table], ...] = (
    Project,
    Source,
    Config,
    Milestone,
    MilestoneTag,
    Run,
    RunTag,
    ProjectStatus,
    Thread,
    Attachment,
    Case,
    Result,
    Content,
    ContentPart,
    ContentUse,
    AppliedRequest,
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
