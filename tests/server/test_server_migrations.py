from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from peewee import OperationalError

from pytest_automation_report.errors import StoreError
from pytest_automation_report.server import migrations
from pytest_automation_report.server.migrations import MIGRATIONS, Migration
from pytest_automation_report.server.store import Store
from pytest_automation_report.server.tables import SCHEMA_VERSION
from server.service import Service, a_test
from server.versions import make_version_1

if TYPE_CHECKING:
    from pathlib import Path

    from contract import Contract
    from peewee import SqliteDatabase


def _schema(path: Path) -> dict[str, Any]:
    """Return what a database is made of, whatever words made it."""
    with closing(sqlite3.connect(path)) as database:
        tables = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        return {
            table: (
                [tuple(row[1:]) for row in database.execute(f'PRAGMA table_info("{table}")')],
                sorted(tuple(row[2:5]) for row in database.execute(f'PRAGMA foreign_key_list("{table}")')),
                sorted(
                    (row[2], row[3], [each[2] for each in database.execute(f'PRAGMA index_info("{row[1]}")')])
                    for row in database.execute(f'PRAGMA index_list("{table}")')
                ),
            )
            for table in tables
        }


def _store_of(version: int, path: Path) -> None:
    """Make a store of an earlier version: the first one, and the migrations up to the wanted one."""
    make_version_1(path)
    steps = [each for each in MIGRATIONS if each.version <= version]
    with closing(sqlite3.connect(path)) as database:
        for step in steps:
            step.apply(_Executing(database))  # type: ignore[arg-type] # a step asks a database for nothing else
        database.execute(f"PRAGMA user_version = {version}")
        database.commit()


class _Executing:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def execute_sql(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        return self._database.execute(sql, values)


def test_every_version_after_the_first_has_one_named_step() -> None:
    """Versions are counted without a gap, and each step says what it is for."""
    assert [each.version for each in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))
    assert len({each.name for each in MIGRATIONS}) == len(MIGRATIONS)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_store_of_every_earlier_version_becomes_one_of_this(tmp_path: Path, contract: Contract, version: int) -> None:
    """It gets the tables of a new store, keeps all it had, can be filtered by its tags, and takes more."""
    path = tmp_path / "store.db"
    _store_of(version, path)
    service = Service(path, contract)
    run = service.run(1)
    assert (run["name"], run["total_count"], run["status"], run["tags"]) == ("run 1", 2, 3, ["smoke", "main", "smoke"])
    assert (len(run["threads"]), run["fields"][0]["value"]) == (1, "v")
    tests = service.get("/automation/runs/1/tests", "order=asc").json["result"]
    assert [test["key"] for test in tests] == ["key1", "key2"]
    found = service.get("/projects/1/automation/runs", "tags=smoke").json["result"]
    assert [each["id"] for each in found] == [1]
    service.append(service.new_thread(2), a_test())
    assert service.run(2)["total_count"] == 1
    service.store.close()
    Store(tmp_path / "new.db").close()
    assert _schema(path) == _schema(tmp_path / "new.db")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half of a migration is kept, and the next try starts where this one did."""
    path = tmp_path / "store.db"
    make_version_1(path)
    before = _schema(path)

    def fail(_: SqliteDatabase) -> None:
        raise OperationalError("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS[:1], Migration(SCHEMA_VERSION, "fails", fail)))
        with pytest.raises(StoreError, match=r"store\.db.*disk is full"):
            Store(path)
    assert _schema(path) == before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    Store(path).close()
