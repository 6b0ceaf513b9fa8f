"""The stores that releases have left, from `tests/data/stores`, and what is in a store, to be compared."""

import os
import secrets
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.server.store.store import Store
from support.clusters import Cluster
from support.repository import TESTS

FOLDER = TESTS / "data" / "stores"
VERSIONS = sorted({path.name.partition(".")[0] for path in FOLDER.glob("*.sql")}, key=int)
Place: TypeAlias = Path | PostgresDatabase


def kept_file(folder: Path, version: str) -> Path:
    """Make the SQLite file that a release has left."""
    path = folder / f"{secrets.token_hex(4)}.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.executescript((FOLDER / f"{version}.sqlite.sql").read_text("utf-8"))
    return path


def kept_database(cluster: Cluster, version: str) -> PostgresDatabase:
    """Make the PostgreSQL database that a release has left."""
    place = cluster.new()
    name = place.shown.rpartition("/")[2].partition("?")[0]
    cluster.execute((FOLDER / f"{version}.postgresql.sql").read_text("utf-8"), name)
    return place


_SQLITE_COLUMNS = """
SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk
FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'
"""
_POSTGRESQL = (
    """SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, generation_expression
    FROM information_schema.columns WHERE table_schema = 'public'""",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0",
    """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
)


def schema_of(place: Place) -> list[tuple[Any, ...]]:
    """Return all tables, columns, indexes and the like of a store, in an order of their names.

    Without the index of texts, which a store has once a server served its pages.
    """

    def read(connection: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - a connection of the store
        if isinstance(place, PostgresDatabase):
            return [row for sql in _POSTGRESQL for row in connection.execute(sql)]
        others = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type <> 'table' OR sql LIKE '%VIRTUAL%'"
        return [*connection.execute(_SQLITE_COLUMNS), *connection.execute(others)]

    with closing(Store(place)) as store:
        return sorted((row for row in store.read(read) if "searched_text" not in str(row)), key=str)


def rows_of(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables that both databases have, columns and rows in an order that is always the same."""

    def read(connection: Any) -> dict[str, list[tuple[Any, ...]]]:  # noqa: ANN401 - a connection of the store
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
        if isinstance(place, PostgresDatabase):
            names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        found = {}
        for (table,) in connection.execute(names):
            rows = connection.rows(f'SELECT * FROM "{table}"')
            found[table] = sorted((tuple(sorted(row.items())) for row in rows), key=str)
        return found

    with closing(Store(place)) as store:
        return store.read(read)


def dies_at(number: int, place: Place) -> bool:
    """Open a store in a process that is killed before its statement of this number; return whether it came so far."""
    pid = os.fork()
    if pid == 0:
        try:
            with pytest.MonkeyPatch.context() as patch:
                _kill_at(number, patch)
                Store(place)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _kill_at(number: int, patch: pytest.MonkeyPatch) -> None:
    import psycopg  # noqa: PLC0415 - the tests on SQLite need no driver

    left = [number]

    def count(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def execute(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - those of psycopg
            count()
            return call(*arguments, **options)

        return execute

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of sqlite3
            super().__init__(*arguments, **options)
            self.set_trace_callback(count)

    connect = sqlite3.connect
    patch.setattr(sqlite3, "connect", lambda *arguments, **options: connect(*arguments, factory=Traced, **options))
    patch.setattr(psycopg.Connection, "execute", counted(psycopg.Connection.execute))
