"""The tables of the store in a PostgreSQL database: made, brought to this release, or refused (floor 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from peewee import PostgresqlDatabase, SchemaManager

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.migrations import migrate
from pytest_automation_report.server.statements import execute
from pytest_automation_report.server.tables import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_TABLE: Final = "store_version"
"""The table with one row, the version of the others; it marks a database, or the schema in it, as ours."""

_LOCK: Final = 0x41525031
_ENCODING: Final = "UTF8"


class OrderedDatabase(PostgresqlDatabase):
    """Texts are compared as SQLite compares them, whatever the language of the database is."""

    field_types: Mapping[str, str] = {**PostgresqlDatabase.field_types, "TEXT": 'TEXT COLLATE "C"'}


def prepare(database: PostgresqlDatabase, shown: str, *, must_exist: bool) -> None:
    """Make the tables where they are missing; processes that do so at the same moment take turns.

    ``shown`` is how messages call the database. Raises `StoreError` for one that is not ours or too new for us.
    """
    _check_encoding(database, shown)
    version = _version(database, shown)
    if version == SCHEMA_VERSION:
        return
    if version is None and must_exist:
        raise StoreError(f"{shown}: there is no store in this database; `automation-report serve` makes one")
    with database.atomic():
        execute(database, "SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        version = _version(database, shown)
        if version is None:
            execute(database, f'CREATE TABLE "{VERSION_TABLE}" ("version" INTEGER NOT NULL)')
            execute(database, f'INSERT INTO "{VERSION_TABLE}" VALUES (%s)', (SCHEMA_VERSION,))  # noqa: S608 - a constant  # nosec B608
            for table in TABLES:
                SchemaManager(table, database).create_all()
            _order_indexes(database)
        elif version < SCHEMA_VERSION:
            migrate(database, version)
            _order_indexes(database)
            execute(database, f'UPDATE "{VERSION_TABLE}" SET "version" = %s', (SCHEMA_VERSION,))  # noqa: S608 - a constant  # nosec B608


def _check_encoding(database: PostgresqlDatabase, shown: str) -> None:
    ((encoding,),) = execute(database, "SHOW server_encoding")
    if encoding != _ENCODING:
        raise StoreError(f"{shown}: its encoding is {encoding}; make a database with the encoding {_ENCODING}")


def _version(database: PostgresqlDatabase, shown: str) -> int | None:
    """Return the version of the tables, ``None`` where there is nothing at all."""
    tables = database.get_tables(_schema(database))
    if VERSION_TABLE not in tables:
        if tables:
            raise StoreError(
                f"{shown}: this database has tables of something else; name another database for the store,"
                " or a schema of its own: ?options=-csearch_path%3DSCHEMA"
            )
        return None
    ((version,),) = execute(database, f'SELECT "version" FROM "{VERSION_TABLE}"')  # noqa: S608 - a constant  # nosec B608
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{shown}: this store has version {version}, made by a newer release;"
            f" this release reads up to {SCHEMA_VERSION}: upgrade, or name another database"
        )
    return int(version)


def _schema(database: PostgresqlDatabase) -> str | None:
    ((schema,),) = execute(database, "SELECT current_schema()")
    return str(schema) if schema else None


def _order_indexes(database: PostgresqlDatabase) -> None:
    """End every index with the row's id, as SQLite does by itself: rows are read from them in the order they came."""
    schema = _schema(database)
    for table in TABLES:
        names = table._meta.columns  # noqa: SLF001 - peewee's name for it
        for index in database.get_indexes(table._meta.table_name, schema):  # noqa: SLF001 - as above
            if "id" in names and not index.unique and index.columns[-1] != "id":
                execute(database, f'DROP INDEX "{index.name}"')
                execute(database, index.sql.replace(")", ', "id")', 1))
