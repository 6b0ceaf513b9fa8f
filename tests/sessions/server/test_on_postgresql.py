"""The tests of ``tests/unit/server`` in which the store executes SQL, again on PostgreSQL."""

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

WITHOUT_SQL_OF_THEIR_OWN = {
    "http/test_floods": "bodies that are refused before the store",
    "http/test_middleware": "requests that are refused before the store",
    "pages/test_site": "passes and headers of browsers, and pages as they are sent",
}
"""Files of ``tests/unit/server`` that have a store and say nothing new on PostgreSQL, each with the reason."""

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
    """Return the tests of a module that have a store, without those of what only SQLite has."""
    return {
        name: test
        for name, test in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("test_")
        and STORES & set(inspect.signature(test).parameters)
        and not any(mark.args[0] == "place" for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize")
    }


UNIT = TESTS / "unit" / "server"
for name in sorted({each.relative_to(UNIT).with_suffix("").as_posix() for each in UNIT.rglob("test_*.py")}):
    if name not in WITHOUT_SQL_OF_THEIR_OWN:
        tests = store_cases(importlib.import_module(f"unit.server.{name.replace('/', '.')}"))
        assert not set(tests) & set(globals()), "two tests have one name, so one would not run"
        globals().update(tests)
