"""Tests of ``tests/unit/server``, again on PostgreSQL: those of the store, and each that is marked ``postgresql``.

Mark a test when it is the first whose calls execute a statement, or when the databases could answer it differently.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from pytest_automation_report.api.models import PostgresDatabase
from support.clusters import Cluster
from support.repository import TESTS
from unit.server.http.test_capacity import full, limit
from unit.server.store.test_findings import runs
from unit.server.store.test_maintenance import filled
from unit.server.store.test_store import filled_store

__all__ = ["filled", "filled_store", "full", "limit", "runs"]

STORES = {"place", "new_place", "service", "site", *__all__}
"""Fixtures that end in a store."""


@pytest.fixture(autouse=True, scope="module")
def _kept_connections(cluster: Cluster) -> Iterator[None]:
    """Give the stores of all tests the same connections: half of a test's time goes into the first use of new ones."""
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - the fixture `cluster` skips where it is missing

    class KeptPool(ConnectionPool[Any]):
        def close(self, timeout: float = 5.0) -> None:
            """Leave the connections to the next store."""

    kept: list[KeptPool] = []

    def pool_for(url: str, **more: Any) -> ConnectionPool[Any]:  # noqa: ANN401 - those of the pool
        if url != cluster.place().url:
            return ConnectionPool(url, **more)
        if not kept:
            kept.append(KeptPool(url, **more))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_automation_report.server.store.postgres.ConnectionPool", pool_for)
        yield
    for pool in kept:
        ConnectionPool.close(pool)


@pytest.fixture
def place(cluster: Cluster) -> PostgresDatabase:
    return cluster.emptied()


@pytest.fixture
def new_place(cluster: Cluster) -> PostgresDatabase:
    return cluster.new()


def store_cases(module: ModuleType) -> dict[str, Callable[..., None]]:
    """Return the tests of a module to run again, without those of what only SQLite has."""
    found: dict[str, Callable[..., None]] = {}
    for name, test in inspect.getmembers(module, inspect.isfunction):
        marks = getattr(test, "pytestmark", ())
        is_chosen = ".store." in module.__name__ or any(mark.name == "postgresql" for mark in marks)
        has_place = any(mark.args[0] == "place" for mark in marks if mark.name == "parametrize")
        has_store = STORES & set(inspect.signature(test).parameters)
        if name.startswith("test_") and is_chosen and has_store and not has_place:
            found[name] = test
    return found


UNIT = TESTS / "unit" / "server"
for name in sorted({each.relative_to(UNIT).with_suffix("").as_posix() for each in UNIT.rglob("test_*.py")}):
    tests = store_cases(importlib.import_module(f"unit.server.{name.replace('/', '.')}"))
    assert not set(tests) & set(globals()), "two tests have one name, so one would not run"
    globals().update(tests)
