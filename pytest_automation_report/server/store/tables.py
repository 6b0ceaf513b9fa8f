"""The tables of `schema` as peewee models, for queries of peewee.

The models are bound to no database: one process may have several stores open, in several threads, so every query gets
its database when it is executed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from pytest_automation_report.server.store.statuses import COUNT_NAMES, RunStatus


def _table_name(model: type[Model]) -> str:
    """Return the name of a model's table: its class name in snake case, without the suffix ``Row``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.__name__.removesuffix("Row")).lower()


class Table(Model):
    """Base of all tables."""

    class Meta:
        """Options that peewee reads."""

        table_function = _table_name


class Counted(Table):
    """A record with the contract's result counts, updated with every append so that a read needs one row."""

    # 25 fields, one for each result status. peewee collects the fields from the names of the class body.
    locals().update({name: BigIntegerField(default=0) for name in COUNT_NAMES})
    success_count = BigIntegerField(default=0)
    failure_count = BigIntegerField(default=0)
    completed_count = BigIntegerField(default=0)
    total_count = BigIntegerField(default=0)


class ProjectRow(Table):
    """A project; it exists from the first run that is created in it."""

    id = BigIntegerField(primary_key=True)
    created = BigIntegerField()


class SourceRow(Table):
    """A named suite of a project; keys of tests are unique in it."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()
    created = BigIntegerField()
    main_branch = TextField(null=True)


class ConfigRow(Table):
    """A named configuration of a project."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()


class MilestoneRow(Table):
    """A named milestone of a project."""

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()


class MilestoneTagRow(Table):
    """A tag of a milestone; runs with it belong to the milestone unless they name another one."""

    milestone = ForeignKeyField(MilestoneRow)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

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
    branch = TextField(null=True)
    commit = TextField(null=True)
    target_branch = TextField(null=True)
    selection = TextField(null=True)
    collected = BigIntegerField(null=True)
    is_changed = BooleanField(null=True)
    speed = DoubleField(null=True)


class RunTagRow(Table):
    """A tag of a run, for the filter by tags; ``RunRow.tags`` has the same tags in the order they were sent."""

    run = ForeignKeyField(RunRow)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("run", "tag")


class ProjectStatusRow(Table):
    """A result status that a project changed or added; ``aliases`` is a JSON list."""

    project = ForeignKeyField(ProjectRow)
    number = IntegerField()
    name = TextField()
    aliases = TextField()
    color = TextField()
    is_final = BooleanField()
    is_passed = BooleanField()
    is_failed = BooleanField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("project", "number")


class ThreadRow(Counted):
    """A thread of a run; ``position`` counts from 1 within the run."""

    id = BigAutoField()
    run = ForeignKeyField(RunRow)
    position = BigIntegerField()
    status = IntegerField(default=int(RunStatus.RUNNING))
    is_completed = BooleanField(default=False)
    elapsed_observed = BigIntegerField(null=True)
    elapsed_computed = BigIntegerField(null=True)
    created = BigIntegerField()
    completed = BigIntegerField(null=True)
    session_started = BigIntegerField(null=True)
    running = TextField(null=True)
    job = TextField(null=True)
    attempt = BigIntegerField(null=True)
    collection = TextField(null=True)


class AttachmentRow(Table):
    """A field, artifact or link of a run, or of one of its threads; ``body`` is a JSON object."""

    id = BigAutoField()
    run = ForeignKeyField(RunRow)
    thread = ForeignKeyField(ThreadRow, null=True)
    kind = TextField()
    body = TextField()


class CaseRow(Table):
    """The identity of a test across runs: one row for each key of a source."""

    id = BigAutoField()
    source = ForeignKeyField(SourceRow)
    key = TextField()


class ResultRow(Table):
    """The result of one test in a thread; ``fields`` and ``artifacts`` are JSON lists or null."""

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
    failed_attempts = IntegerField(null=True)
    phase = TextField(null=True)
    message = TextField(null=True)
    fingerprint = BigIntegerField(null=True)
    started = BigIntegerField(null=True)
    setup = BigIntegerField(null=True)
    teardown = BigIntegerField(null=True)
    steps = TextField(null=True)
    comparison = TextField(null=True)
    colours = TextField(null=True)
    attempts = TextField(null=True)


class RunFindingsRow(Table):
    """The findings of a completed run, computed once; ``version`` is that of the rules, ``body`` a JSON object."""

    run = ForeignKeyField(RunRow, primary_key=True)
    version = IntegerField()
    body = TextField()
    summary = TextField(default="{}")


class RunOverviewRow(Table):
    """The overview of a completed run for its pages, computed once; ``version`` is its form, ``body`` a JSON object."""

    run = ForeignKeyField(RunRow, primary_key=True)
    version = IntegerField()
    body = TextField()


class ContentRow(Table):
    """The content of a stored artifact; ``hash`` is its SHA-256 in hexadecimal, ``size`` is in bytes."""

    id = BigAutoField()
    hash = TextField()
    size = BigIntegerField()
    media_type = TextField()
    created = BigIntegerField()


class ContentPartRow(Table):
    """A part of a content; ``position`` counts from 0."""

    content = ForeignKeyField(ContentRow)
    position = BigIntegerField()
    data = BlobField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("content", "position")


class ContentUseRow(Table):
    """A reference from a run to a content, which may be missing; contents without one are removed by `store prune`."""

    run = ForeignKeyField(RunRow)
    hash = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("run", "hash")


class SecretRow(Table):
    """A secret that all servers of a store share; "pages" signs the passes of browsers."""

    name = TextField(primary_key=True)
    value = TextField()


class RemovedRunRow(Table):
    """A run that was removed, and its source."""

    id = BigIntegerField(primary_key=True)
    source = ForeignKeyField(SourceRow)


class AppliedRequestRow(Table):
    """The response to a request that had an idempotency key."""

    key = TextField(primary_key=True)
    fingerprint = TextField()
    status = IntegerField()
    body = TextField(null=True)
    created = BigIntegerField()


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
    RunFindingsRow,
    RunOverviewRow,
    ContentRow,
    ContentPartRow,
    ContentUseRow,
    SecretRow,
    RemovedRunRow,
    AppliedRequestRow,
)
"""All tables; each one stands after the tables that it refers to, so that they can be created in this order."""


@lru_cache(maxsize=32)
def columns_of(table: type[Table]) -> tuple[str, ...]:
    """Return the names of a table's columns."""
    fields: Any = table._meta.sorted_fields  # noqa: SLF001 - peewee's name for it
    return tuple(field.column_name for field in fields)
