from __future__ import annotations

import json
import re
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from peewee import PostgresqlDatabase, SqliteDatabase

from pytest_automation_report.api.models import PostgresDatabase
from pytest_automation_report.errors import StoreError
from pytest_automation_report.server.store import migrations
from pytest_automation_report.server.store.maintenance import check
from pytest_automation_report.server.store.migrations import MIGRATIONS, Migration
from pytest_automation_report.server.store.schema import SCHEMA_VERSION
from pytest_automation_report.server.store.sqlite import SqliteConnection
from pytest_automation_report.server.store.store import Store
from support.earlier_stores import execute, make_version_1
from support.service import Service, a_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

    from pytest_automation_report.server.store.database import StoreConnection
    from support.contract import Contract


@contextmanager
def _opened(place: Path | PostgresDatabase) -> Iterator[Database]:
    """Open a database as it is, without the store's own checks."""
    database: Database
    if isinstance(place, PostgresDatabase):
        database = PostgresqlDatabase(place.url, prefer_psycopg3=True)
    else:
        database = SqliteDatabase(str(place))
    with database:
        yield database


def _connection(database: Database) -> StoreConnection:
    """Return the connection of a store over that of a database."""
    if isinstance(database, PostgresqlDatabase):
        from pytest_automation_report.server.store.postgres import PostgresConnection  # noqa: PLC0415 - needs the driver

        return PostgresConnection(database)
    connection = SqliteConnection(Path(str(database.database)))
    connection._raw = database.connection()  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return connection


def _schema(place: Path | PostgresDatabase) -> dict[str, Any]:
    """Return what a database is made of, whatever words made it."""
    with _opened(place) as database:
        return {
            table: (
                sorted(_column(each) for each in database.get_columns(table)),
                sorted((each.column, each.dest_table, each.dest_column) for each in database.get_foreign_keys(table)),
                sorted(
                    (each.unique, [re.sub(r"\W", "", column) for column in each.columns])
                    for each in database.get_indexes(table)
                ),
                database.get_primary_keys(table),
            )
            for table in database.get_tables()
        }


def _column(found: Any) -> tuple[object, ...]:  # noqa: ANN401 - peewee's stub leaves it out
    return (found.name, found.data_type, found.null, found.primary_key, found.default)


def _store_of(version: int, place: Path | PostgresDatabase) -> None:
    """Make a store of an earlier version: the first one, and the migrations up to the wanted one."""
    steps = [each for each in MIGRATIONS if each.version <= version]
    with _opened(place) as database:
        make_version_1(database)
        for step in steps:
            step.apply(_connection(database))
        if isinstance(database, SqliteDatabase):
            database.user_version = version
        else:
            execute(database, "UPDATE store_version SET version = ?", (version,))


def _version(place: Path | PostgresDatabase) -> int:
    with _opened(place) as database:
        if isinstance(database, SqliteDatabase):
            return int(database.user_version)
        ((version,),) = execute(database, "SELECT version FROM store_version")
        return int(version)


def test_every_version_after_the_first_has_one_named_step() -> None:
    """Versions are counted without a gap, and each step says what it is for."""
    assert [each.version for each in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))
    assert len({each.name for each in MIGRATIONS}) == len(MIGRATIONS)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_store_of_every_earlier_version_becomes_one_of_this(
    tmp_path: Path,
    new_place: Path | PostgresDatabase,
    contract: Contract,
    version: int,
    request: pytest.FixtureRequest,
) -> None:
    """It gets the tables of a new store, keeps all it had, knows its tests again, can be filtered, and takes more."""
    _store_of(version, new_place)
    service = Service(new_place, contract)
    run = service.run(1)
    assert (run["name"], run["total_count"], run["status"], run["tags"]) == ("run 1", 2, 3, ["smoke", "main", "smoke"])
    assert (len(run["threads"]), run["fields"][0]["value"]) == (1, "v")
    tests = service.get("/automation/runs/1/tests", "order=asc").json["result"]
    assert [test["key"] for test in tests] == ["key1", "key2"]
    found = service.get("/projects/1/automation/runs", "tags=smoke").json["result"]
    assert [each["id"] for each in found] == [1]
    service.append(service.new_thread(2), a_test(), a_test(key="key2"))
    assert service.run(2)["total_count"] == 2
    again = service.get("/automation/runs/2/tests", "order=asc").json["result"][1]
    assert again["automation_case_id"] == tests[1]["automation_case_id"]
    assert check(service.store).problems == ()
    service.store.close()
    new: Path | PostgresDatabase = tmp_path / "new.db"
    if isinstance(new_place, PostgresDatabase):
        new = request.getfixturevalue("cluster").new()
    Store(new).close()
    assert _schema(new_place) == _schema(new)
    assert _version(new_place) == SCHEMA_VERSION


def test_columns_of_an_earlier_store_are_derived(new_place: Path | PostgresDatabase, contract: Contract) -> None:
    """Branch, commit, attempts and reasons of failures that a store has in fields are in its columns, too."""
    _store_of(6, new_place)
    mark = "%s" if isinstance(new_place, PostgresDatabase) else "?"
    failure = [{"name": "Failure", "value": "t", "meta": {"message": "OSError: full"}, "is_highlight": True}]
    with _opened(new_place) as database:
        for fields, result_class, key in ((failure, 3, "key1"), ([{"name": "Attempts", "value": "3"}], 2, "key2")):
            execute(
                database,
                f"UPDATE result SET fields = {mark}, result_class = {mark} WHERE run_id = 1 AND case_id ="
                f' (SELECT id FROM "case" WHERE key = {mark})',
                (json.dumps(fields), result_class, key),
            )
        branch = json.dumps({"name": "Branch", "value": "main"})
        values = (1, "fields", branch)
        execute(database, f"INSERT INTO attachment (run_id, kind, body) VALUES ({mark}, {mark}, {mark})", values)
    Service(new_place, contract).store.close()
    with _opened(new_place) as database:
        assert execute(database, "SELECT branch FROM run WHERE id = 1") == [("main",)]
        columns = "phase, message, fingerprint IS NOT NULL, failed_attempts"
        rows = execute(database, f"SELECT {columns} FROM result WHERE run_id = 1 ORDER BY id")
    assert [tuple(row) for row in rows] == [("call", "OSError: full", True, None), (None, None, False, 2)]


def test_fingerprints_of_an_earlier_store_are_computed_anew(
    new_place: Path | PostgresDatabase, contract: Contract
) -> None:
    """Failures of one reason that version 7 kept apart have one fingerprint, as new failures get it."""
    _store_of(7, new_place)
    mark = "%s" if isinstance(new_place, PostgresDatabase) else "?"
    with _opened(new_place) as database:
        for number, key in enumerate(("key1", "key2")):
            message = f"AssertionError: assert {{'a{number}': 1}} == {{}}"
            text = f"    def test_a(x, y):\n>       assert x == y\nE       {message}\n\ntests/a.py:7: AssertionError"
            meta = {"message": message, "type": "AssertionError", "phase": "call"}
            failure = {"name": "Failure", "value": text, "meta": meta, "is_highlight": True}
            execute(
                database,
                f"UPDATE result SET fields = {mark}, result_class = 3, fingerprint = {mark} WHERE run_id = 1"
                f' AND case_id = (SELECT id FROM "case" WHERE key = {mark})',
                (json.dumps([failure]), number, key),
            )
    Service(new_place, contract).store.close()
    with _opened(new_place) as database:
        rows = execute(database, "SELECT fingerprint FROM result WHERE run_id = 1 ORDER BY id")
    (first,), (second,) = rows
    assert first == second
    assert first not in {0, 1, None}


def test_a_step_that_fails_leaves_the_store_as_it_was(
    new_place: Path | PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half of a migration is kept, and the next try starts where this one did."""
    _store_of(1, new_place)
    before = _schema(new_place)

    def fail(connection: StoreConnection) -> None:
        error = psycopg.OperationalError if connection.is_postgres else sqlite3.OperationalError
        raise error("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS[:1], Migration(SCHEMA_VERSION, "fails", fail)))
        with pytest.raises(StoreError, match=rf"{re.escape(str(new_place))}.*disk is full"):
            Store(new_place)
    assert (_schema(new_place), _version(new_place)) == (before, 1)
    Store(new_place).close()
