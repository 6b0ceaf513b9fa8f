from __future__ import annotations

from pytest_automation_report.server.store.schema import SQLITE_TABLES
from support.sqlite_schema import statements_of_models


def test_a_new_store_has_the_tables_of_the_models() -> None:
    """The statements of a new store are those of peewee's models: write them anew after a change of the models."""
    assert statements_of_models() == SQLITE_TABLES
