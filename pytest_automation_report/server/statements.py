"""Statements in a database's own words (floor 2), for what peewee has no words for or is too slow at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peewee import Database


def execute(database: Database, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Execute a statement, and return the rows of one that gives rows."""
    cursor: Any = database.execute_sql(sql, values)  # type: ignore[no-untyped-call] # peewee's stub leaves it out
    return list(cursor) if cursor.description else []
