"""Reading the rows of one run, thread or status in the order of an index (floor 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peewee import Database


def within(query: Any, column: Any, value: int, database: Database | None) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return a query for those of its rows that have a value in a column.

    PostgreSQL would rather walk along the primary key for a page of rows in the order of their ids, since it believes
    that rows of one value are spread over the table; those of a run lie together, maybe at the other end. Ordered by
    the column first, which only an index that begins with it does, and asked for as a range, since a single value
    would be left out of the order, they are read where they are.
    """
    if database is None or not database.for_update:
        return query.where(column == value)
    return query.where(column.between(value, value))


def first_order(column: Any, database: Database | None, *, is_descending: bool = False) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    """Return what rows that are `within` are ordered by before all else."""
    if database is None or not database.for_update:
        return ()
    return (column.desc() if is_descending else column.asc(),)
