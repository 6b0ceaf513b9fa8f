"""What the store asks of the database that it is in (floor 2); how it is done is the database's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from peewee import Database


class UndoneError(Exception):
    """The database itself undid a transaction that would succeed when it is done again."""


class Transactions(Protocol):
    """The ways into one database; safe to use from several threads.

    ``notes`` tells, in sentences, what its user should know about the database. Each way raises `RefusalError` (429)
    when it cannot be entered, and `UndoneError` when all that was done in it is undone and can be done again.
    """

    notes: tuple[str, ...]

    def writing(self) -> AbstractContextManager[Database]:
        """Change the store; what was done is kept when the block ends without an error."""
        raise NotImplementedError

    def reading(self) -> AbstractContextManager[Database]:
        """See the store as it is at one moment, whatever is written meanwhile."""
        raise NotImplementedError

    def compact(self) -> None:
        """Give back the space of what was removed; raises `RefusalError` (429) while others use the store."""

    def close(self) -> None:
        """Close every connection; harmless when they are closed."""
