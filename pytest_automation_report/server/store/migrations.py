"""Bring the tables of a store to the newest version, from each version that was ever released.

Numbers of versions only grow, and what a released one stands for never changes. A migration is a tuple of steps. They
run in their order in one transaction, which also gives the store its version: a kill undoes all of it. Only `Ranges`
ends the transaction after each range of ids, so that a large table is not locked for minutes: ``store_version`` says
what is done, and whoever opens the store next goes on there. Several processes may migrate one store: each does the
next part when it has the lock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from pytest_automation_report import __version__
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store.database import (
    StoreConnection,
    TransactionRolledBackError,
    in_words_of,
    marks,
    statements_of_tables,
)
from pytest_automation_report.server.store.first_texts import fill_known, fill_sessions, retype_results
from pytest_automation_report.server.store.values import try_again
from pytest_automation_report.server.store.writes import renew_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager


_logger = logging.getLogger(__name__)


class Ranges(Struct, frozen=True):
    """A step that goes through the rows of a table, ``rows`` at a time, each time in a transaction of its own.

    ``fill`` gets the first and the last id of a range, both included. Other processes may add rows between two ranges.
    """

    table: str
    fill: Callable[[StoreConnection, int, int], object]
    rows: int = 5_000


# A statement (see `database`), a function for what differs between the databases, or many rows.
MigrationStep: TypeAlias = str | Callable[[StoreConnection], object] | Ranges

# For each version the steps that make it of the one before. `database` has the tables as they are after the last one.
MIGRATIONS: Final[Mapping[int, tuple[MigrationStep, ...]]] = {
    11: (
        *(
            f'ALTER TABLE "{table}" ADD COLUMN "{column}" BIGINT'
            for table in ("run", "thread")
            for column in ("session_ended", "unexplained_exit")
        ),
        "ALTER TABLE run ADD COLUMN ancestors TEXT",
        (
            "CREATE TABLE searched (id BIGSERIAL PRIMARY KEY, source_id BIGINT NOT NULL REFERENCES source,"
            " case_id BIGINT, fingerprint BIGINT, text TEXT NOT NULL)"
        ),
        "CREATE UNIQUE INDEX searched_case_id ON searched (case_id)",
        "CREATE UNIQUE INDEX searched_source_id ON searched (source_id, fingerprint, text) WHERE case_id IS NULL",
        """CREATE TABLE content_owner (
  content_id BIGINT NOT NULL REFERENCES content, project_id BIGINT NOT NULL, PRIMARY KEY (content_id, project_id)
)""",
        # Each project whose runs had a content named it before anybody was asked for it.
        """INSERT INTO content_owner (content_id, project_id) SELECT DISTINCT c.id, r.project_id FROM content AS c
  JOIN content_use AS u ON u.hash = c.hash JOIN run AS r ON r.id = u.run_id""",
        "DROP TABLE plan",  # how jobs cut their tests is a document of their run
        *(
            f'ALTER TABLE "{table}" ADD COLUMN {column}'
            for table in ("run", "thread")
            for column in ("ending TEXT", "not_run BIGINT")
        ),
        Ranges("attachment", fill_sessions),
        *(f"ALTER TABLE result ADD COLUMN {column}" for column in ("known TEXT", "is_excused BOOLEAN")),
        Ranges("result", fill_known),
        *(f'ALTER TABLE result ADD COLUMN "{column}" TEXT' for column in ("causes", "output", "owner")),
        Ranges("result", retype_results, 1_000),
    ),
    12: (
        "ALTER TABLE result ADD COLUMN paused BIGINT",
        "DROP INDEX result_case_id_run_id",
        (
            "CREATE INDEX result_case_id_run_id"
            " ON result (case_id, run_id /*id*/, result_class, failed_attempts, elapsed, paused)"
        ),
        Ranges("result", renew_reasons),
        "DELETE FROM run_document WHERE kind <> 'cut'",  # they are made again, with these reasons
    ),
    13: (
        'ALTER TABLE "case" ADD COLUMN moved_from BIGINT',
        'CREATE INDEX case_moved_from ON "case" (source_id, moved_from) WHERE moved_from IS NOT NULL',
    ),
}
SCHEMA_VERSION: Final = max(MIGRATIONS)  # version of the tables

APPLICATION_ID: Final = 0x41525031  # SQLite's application id of our stores, which marks a file as ours ("ARP1")
APPLICATION: Final = "automation-report"  # marks a database of PostgreSQL, which has no such id
VERSION_TABLE: Final = "store_version"
# ``version`` is also that of a migration that has begun: then ``step`` counts its finished steps, and ``reached`` is
# the last id that the next one has done. ``release`` wrote the version. Later releases keep these columns.
_CREATE: Final = (
    f"CREATE TABLE {VERSION_TABLE} (version INTEGER NOT NULL, application TEXT NOT NULL, release TEXT NOT NULL,"
    " step INTEGER, reached BIGINT NOT NULL)"
)

# The first release had version 1, without that table. Versions 2 to 10, and others that were called 1, were those of
# code that was never released.
_FIRST: Final = 1
_LAST_UNRELEASED: Final = 10
_FIRST_TABLES: Final = (
    *("applied_request", "attachment", "case", "config", "content", "content_part", "content_use", "milestone"),
    *("moment", "plan", "project", "removed_run", "result", "run", "run_document", "run_tag", "secret", "source"),
    *("thread", "token"),
)
# SHA-256 of the lines ``table.column`` of these tables, sorted.
_FIRST_COLUMNS: Final = "08e53d1e38d8fa794a566fd28c37b07309afac992b04dc5d1e0739d5c449ef0d"
_TELL_SECONDS: Final = 5.0


class Opening(Struct, frozen=True):
    """How a store is opened.

    ``tell`` gets lines for the user. After ``migration_seconds`` the rest of a migration is left to whoever opens the
    store next, and `ApiError` (429) raised. A database that starts, or is away, is waited for up to ``wait_seconds``.
    """

    tell: Callable[[str], object] = _logger.warning  # commands have no handler: then it is a line on stderr
    migration_seconds: float | None = None
    wait_seconds: float = 0.0


OPENING: Final = Opening()


class SchemaState(Struct, frozen=True):
    """The version of a store's tables; while a migration to it goes on, the number of its finished steps, else None."""

    version: int
    step: int | None = None
    reached: int = 0


def stored_state(connection: StoreConnection, place: object) -> SchemaState | None:
    """Return the state of a store, None for an empty database; raises `StoreError` for one that cannot be used."""
    tables = _table_names(connection)
    row = connection.row(f'SELECT * FROM "{VERSION_TABLE}"') if VERSION_TABLE in tables else None
    if connection.is_postgres:
        version = row["version"] if row else 0
        is_ours = row is not None and row.get("application", APPLICATION) == APPLICATION
        other = "database has tables of something else; name another database for the store, or a schema of its own:"
        other += " ?options=-csearch_path%3DSCHEMA"
    else:
        application, version = connection.number("PRAGMA application_id"), connection.number("PRAGMA user_version")
        is_ours = application == APPLICATION_ID
        other = "SQLite database belongs to something else; name another file for the store"
        if not tables and not application and not version:
            return None
    if not tables and connection.is_postgres:
        return None
    if not is_ours:
        raise StoreError(f"{place}: this {other}")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{place}: {later_release(version, row)}, or name another store")
    if version <= _LAST_UNRELEASED and not (version == _FIRST and _columns_hash(connection) == _FIRST_COLUMNS):
        raise StoreError(f"{place}: {unreleased(version)}: name another store")
    return SchemaState(version, row["step"], row["reached"]) if row and "step" in row else SchemaState(version)


def later_release(version: int, row: Mapping[str, object] | None) -> str:
    """Say that a store is of a later version, and which release wrote it."""
    release = (row or {}).get("release") or "a later release"
    return (
        f"this store has version {version}, written by automation-report {release}, and this release, {__version__},"
        f" reads up to version {SCHEMA_VERSION}: upgrade automation-report"
    )


def unreleased(version: int) -> str:
    """Say that the tables of a store are those of no release."""
    return f"this store has tables of version {version} as no release of automation-report has made them"


def migrate(
    connection: StoreConnection,
    place: object,
    locked: Callable[[], AbstractContextManager[object]],
    opening: Opening,
) -> None:
    """Create missing tables, or change those of an earlier version.

    ``locked`` enters a transaction with the only lock for this; it raises `TransactionRolledBackError` if another
    process holds that for long. Raises `StoreError` for a store that this release cannot use, and `ApiError` (429) if
    the time is over.
    """
    tell, seconds = opening.tell, opening.migration_seconds
    state, newest = stored_state(connection, place), SchemaState(SCHEMA_VERSION)
    if state == newest:
        return
    began = told = time.monotonic()
    is_new = state is None
    if state is not None:
        tell(f"{place}: its tables are of version {state.version}; they are changed to version {SCHEMA_VERSION}")
    while state != newest:
        reason = ""
        try:
            with locked():
                # Read again: another process may have been faster.
                state = _advanced(connection, stored_state(connection, place))
        except TransactionRolledBackError:
            reason = ", waiting for another process"
        now = time.monotonic()
        if state != newest and seconds is not None and now > began + seconds:
            raise try_again(f"The tables of the store are being changed: {_progress(connection, state)}{reason}.")
        if state != newest and now > told + _TELL_SECONDS:
            told = now
            tell(f"{place}: {_progress(connection, state)}{reason}")
    if not is_new:
        tell(f"{place}: its tables are of version {SCHEMA_VERSION} now, after {time.monotonic() - began:.0f} s")


def _advanced(connection: StoreConnection, state: SchemaState | None) -> SchemaState:
    """Do the next part of what is to be done, within a transaction, and return the state after it."""
    if state is None:
        for statement in statements_of_tables(is_postgres=connection.is_postgres):
            connection.execute(statement)
        return _begun(connection, SchemaState(SCHEMA_VERSION))
    if state == SchemaState(SCHEMA_VERSION):
        return state
    if state.step is None:
        is_first = state.version == _FIRST
        state = SchemaState(min(version for version in MIGRATIONS if version > state.version), 0)
        if is_first:
            connection.execute(f"DROP TABLE IF EXISTS {VERSION_TABLE}")
            _begun(connection, state)
    steps, reached = MIGRATIONS[state.version], state.reached
    for number, step in enumerate(steps[state.step or 0 :], state.step or 0):
        if isinstance(step, Ranges):
            ids = f'SELECT "id" FROM "{step.table}" WHERE "id" > ? ORDER BY "id" LIMIT ?'
            rows = connection.execute(f'SELECT MIN("id"), MAX("id") FROM ({ids}) AS r', (reached, step.rows))
            ((first, last),) = rows
            if last is not None:
                step.fill(connection, first, last)
                return _written(connection, SchemaState(state.version, number, last))
            reached = 0
        elif isinstance(step, str):
            connection.execute(in_words_of(step, is_postgres=connection.is_postgres))
        else:
            step(connection)
    return _written(connection, SchemaState(state.version))


def _begun(connection: StoreConnection, state: SchemaState) -> SchemaState:
    connection.execute(in_words_of(_CREATE, is_postgres=connection.is_postgres))
    connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES (?, ?, ?, NULL, 0)", (0, APPLICATION, ""))
    return _written(connection, state)


def _written(connection: StoreConnection, state: SchemaState) -> SchemaState:
    sql = f"UPDATE {VERSION_TABLE} SET version = ?, release = ?, step = ?, reached = ?"
    connection.execute(sql, (state.version, __version__, state.step, state.reached))
    if not connection.is_postgres:  # also the numbers in the head of the file, by which others know it
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {state.version}")
    return state


def _progress(connection: StoreConnection, state: SchemaState | None) -> str:
    if state is None or state.step is None:
        return f"they are of version {state.version}" if state else "there are none"
    steps = MIGRATIONS[state.version]
    step, share = steps[state.step], ""
    if isinstance(step, Ranges):
        highest = connection.number(f'SELECT MAX("id") FROM "{step.table}"')
        share = f", {100 * state.reached // max(highest, 1)} %"
    return f"version {state.version}, step {state.step + 1} of {len(steps)}{share}"


def _table_names(connection: StoreConnection) -> tuple[str, ...]:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if connection.is_postgres:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    return tuple(name for (name,) in connection.execute(sql))


def _columns_hash(connection: StoreConnection) -> str:
    """Return a hash of all columns of the tables that version 1 has."""
    sql = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.name"
    if connection.is_postgres:
        sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        sql += " AND table_name"
    rows = connection.execute(f"{sql} IN ({marks(_FIRST_TABLES)})", _FIRST_TABLES)
    return sha256("".join(sorted(f"{table}.{column}\n" for table, column in rows)).encode()).hexdigest()
