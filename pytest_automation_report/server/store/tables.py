"""Define the tables of the store as peewee models.

The models are bound to no database: one process may have several stores open, in several threads, so every query gets
its database when it is executed. Times are microseconds since 1970 in UTC, durations are microseconds.

Each index costs time in every append. A foreign key with ``index=False`` needs none: no query looks for it alone, or
another index begins with its column.
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

        # The classes got the suffix `Row` after the first releases; the tables keep their names, so that the stores of
        # these releases stay readable.
        table_function = _table_name
        # Indexes are named after the table, too (`result_run_id`): peewee's default is the name of the class.
        legacy_table_names = False


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
    """A named suite of a project; keys of tests are unique in it.

    ``main_branch`` is null if none was set: then it is the first of the usual names that has runs.
    """

    id = BigAutoField()
    project = ForeignKeyField(ProjectRow)
    name = TextField()
    created = BigIntegerField()
    main_branch = TextField(null=True)


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
    """A tag of a milestone; runs with it belong to the milestone unless they name another one."""

    milestone = ForeignKeyField(MilestoneRow, index=False)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("milestone", "tag")


class RunRow(Counted):
    """An automation run; ``tags`` is a JSON list.

    ``branch``, ``commit`` and ``target_branch`` are copies of its fields of these names: findings compare runs by them.
    ``selection`` has the options that selected some of the tests, ``collected`` is the number of tests that were to
    run. ``is_changed``: files differed from the commit.
    """

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


# For the lists of runs, which are ordered by their creation.
RunRow.add_index(RunRow.project, RunRow.created)
RunRow.add_index(RunRow.source, RunRow.branch)


class RunTagRow(Table):
    """A tag of a run, for the filter by tags; ``RunRow.tags`` has the same tags in the order they were sent."""

    run = ForeignKeyField(RunRow, index=False)
    tag = TextField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

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

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("project", "number")


class ThreadRow(Counted):
    """A thread of a run; ``position`` counts from 1 within the run.

    ``session_started`` is the time at which the session of its worker began, ``running`` a JSON list of the tests that
    run now, null after completion. ``job`` and ``attempt`` are those of `api.extensions.JOB`, ``collection`` is a JSON
    object with the tests that the session collected. Only clients that know our extensions send them.
    """

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
    thread = ForeignKeyField(ThreadRow, null=True, index=False)
    kind = TextField()
    body = TextField()


class CaseRow(Table):
    """The identity of a test across runs: one row for each key of a source."""

    id = BigAutoField()
    source = ForeignKeyField(SourceRow, index=False)
    key = TextField()


# In PostgreSQL only: SQLite finds tests by their keys in other tables (`case_keys`).
CaseRow.add_index(CaseRow.source, CaseRow.key, unique=True)


class ResultRow(Table):
    """The result of one test in a thread; ``fields`` and ``artifacts`` are JSON lists or null.

    ``result_class`` follows from ``status`` and is stored because statuses of a project can change. Four columns are
    derived from ``fields``, so that findings need not read them: ``failed_attempts`` counts the attempts before the
    last one, null for a test that ran once; ``phase``, ``message`` (its first line) and ``fingerprint`` are those of a
    failure, null otherwise.

    The last columns are extensions, null if a client did not send them: ``started`` is the start in microseconds since
    ``ThreadRow.session_started``; ``setup`` and ``teardown`` are those parts of ``elapsed``, the rest is the call;
    ``steps``, ``comparison``, ``colours`` and ``attempts`` are JSON, see `extensions`.
    """

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


# For the page of a run, which shows the results status by status.
ResultRow.add_index(ResultRow.run, ResultRow.status)
# Partial, since only failures have a fingerprint.
ResultRow.add_index(ResultRow.fingerprint, ResultRow.run, where=ResultRow.fingerprint.is_null(is_null=False))


class SeriesRow(Table):
    """The completed runs of a source that findings compare: of one configuration and branch.

    ``config`` is 0 and ``branch`` is empty for runs without one. ``length`` counts the runs since the first, ``runs``
    is a JSON list of the last ones, each ``[run id, commit, speed]``, in the order in which they were added; those that
    an earlier release added have no speed.
    """

    id = BigAutoField()
    source = ForeignKeyField(SourceRow, index=False)
    config = BigIntegerField()
    branch = TextField()
    length = BigIntegerField(default=0)
    runs = TextField(default="[]")


SeriesRow.add_index(SeriesRow.source, SeriesRow.config, SeriesRow.branch, unique=True)


class CaseHistoryRow(Table):
    """The last outcomes and durations of one test in a series of runs: one row to read instead of its results.

    ``outcomes`` has one letter for each run up to the one with the number ``position`` in the series, at most 100;
    ``durations`` are those of the last 23 runs that passed, in microseconds at the speed of a usual run, separated by
    spaces. ``since`` is the run with which the present streak of failures began.
    """

    series = ForeignKeyField(SeriesRow, index=False)
    case = ForeignKeyField(CaseRow)
    position = BigIntegerField()
    outcomes = TextField()
    durations = TextField()
    median = BigIntegerField(null=True)
    since = BigIntegerField(null=True)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("series", "case")


class RunFindingsRow(Table):
    """The findings of a completed run, computed once; ``version`` is that of the rules, ``body`` a JSON object.

    ``summary`` is a small part of it, for lists of runs, which must not read the whole of each.
    """

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
    hash = TextField(unique=True)
    size = BigIntegerField()
    media_type = TextField()
    created = BigIntegerField()


class ContentPartRow(Table):
    """A part of a content; ``position`` counts from 0."""

    content = ForeignKeyField(ContentRow, index=False)
    position = BigIntegerField()
    data = BlobField()

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("content", "position")


class ContentUseRow(Table):
    """A reference from a run to a content, which may be missing; contents without one are removed by `store prune`."""

    run = ForeignKeyField(RunRow, index=False)
    hash = TextField(index=True)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride] # peewee reads it in each class by itself
        """Options that peewee reads."""

        primary_key = CompositeKey("run", "hash")


class SecretRow(Table):
    """A secret that all servers of a store share; "pages" signs the passes of browsers."""

    name = TextField(primary_key=True)
    value = TextField()


class AppliedRequestRow(Table):
    """The response to a request that had an idempotency key."""

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
    SeriesRow,
    CaseHistoryRow,
    RunFindingsRow,
    RunOverviewRow,
    ContentRow,
    ContentPartRow,
    ContentUseRow,
    SecretRow,
    AppliedRequestRow,
)
"""All tables; each one stands after the tables that it refers to, so that they can be created in this order."""


@lru_cache(maxsize=32)
def columns_of(table: type[Table]) -> tuple[str, ...]:
    """Return the names of a table's columns."""
    fields: Any = table._meta.sorted_fields  # noqa: SLF001 - peewee's name for it
    return tuple(field.column_name for field in fields)
