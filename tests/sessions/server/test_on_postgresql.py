"""The tests of ``tests/unit/server`` in which the store executes SQL, again on PostgreSQL."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from support.repository import TESTS
from unit.server.http import (
    test_artifacts,
    test_capacity,
    test_extension_bodies,
    test_findings_worker,
    test_idempotency,
    test_late_results,
    test_lists,
    test_milestones,
    test_requests,
    test_results,
    test_runs,
    test_statuses,
    test_views,
)
from unit.server.http.test_capacity import full, limit
from unit.server.pages import test_gone, test_handlers
from unit.server.pages.report import test_document, test_files
from unit.server.pages.run import test_documents, test_exports, test_page, test_wholeness
from unit.server.pages.runs import test_handlers as test_lists_of_runs
from unit.server.pages.test import test_case
from unit.server.pages.test import test_handlers as test_pages_of_tests
from unit.server.store import test_earlier_sources, test_findings, test_maintenance, test_whole_results
from unit.server.store.test_findings import runs
from unit.server.store.test_maintenance import filled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pytest_automation_report.api.models import PostgresDatabase
    from support.clusters import Cluster

__all__ = ["filled", "full", "limit", "runs"]

MODULES = (
    test_artifacts,
    test_capacity,
    test_case,
    test_document,
    test_documents,
    test_earlier_sources,
    test_exports,
    test_extension_bodies,
    test_files,
    test_findings,
    test_findings_worker,
    test_gone,
    test_handlers,
    test_idempotency,
    test_late_results,
    test_lists,
    test_lists_of_runs,
    test_milestones,
    test_page,
    test_pages_of_tests,
    test_requests,
    test_results,
    test_runs,
    test_statuses,
    test_maintenance,
    test_views,
    test_whole_results,
    test_wholeness,
)
WITHOUT_SQL_OF_ITS_OWN = {
    "http/test_contract": "the double of the contract",
    "http/test_floods": "bodies that are refused before the store",
    "http/test_middleware": "requests that are refused before the store",
    "embedded/test_client": "a client of stores in a file",
    "http/test_schemas": "bodies without a store",
    "pages/test_access": "links, codes and passes of browsers",
    "pages/test_compiled": "templates without a store",
    "pages/test_compression": "pages as they are sent",
    "pages/test_site": "passes and headers of browsers",
    "pages/test_texts": "texts without a store",
    "pages/report/test_fragments": "fragments without a store",
    "pages/run/test_drawings": "drawings without a store",
    "pages/run/test_sentences": "sentences without a store",
    "pages/run/test_surroundings": "commits and packages without a store",
    "pages/runs/test_rows": "rows without a store",
    "pages/test/test_code_links": "addresses without a store",
    "pages/test/test_failure": "texts of failures without a store",
    "pages/test/test_files": "files without a store",
    "pages/test/test_history": "histories without a store",
    "pages/test/test_neighbours": "lists without a store",
    "pages/test/test_view_models": "values without a store",
    "store/test_backup": "backups of a file",
    "store/test_derived": "values without a store",
    "store/test_store": "files, their modes and locks",
    "store/test_schema": "the tables of SQLite",
}
"""Files of ``tests/unit/server`` that say nothing new on PostgreSQL, each with the reason."""

STORES = {"place", "new_place", "service", "site", *__all__}
"""Fixtures that end in a store."""


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


for tests in map(store_cases, MODULES):
    assert tests, "a module has no test of a store"
    assert not set(tests) & set(globals()), "two tests have one name, so one would not run"
    globals().update(tests)


def test_all_files_are_run_or_have_a_reason() -> None:
    """A new file of ``tests/unit/server`` is run on PostgreSQL, too, or its reason stands here."""
    unit = TESTS / "unit" / "server"
    files = {path.relative_to(unit).with_suffix("").as_posix() for path in unit.rglob("test_*.py")}
    run = {module.__name__.removeprefix("unit.server.").replace(".", "/") for module in MODULES}
    assert files == run | set(WITHOUT_SQL_OF_ITS_OWN)
    assert not run & set(WITHOUT_SQL_OF_ITS_OWN)
