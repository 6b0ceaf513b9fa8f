"""Let peewee use an open SQLite connection; loaded by the first query of peewee."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peewee import SqliteDatabase

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


class SharedDatabase(SqliteDatabase):
    """A peewee database over a connection that its owner opened, closes, and has put into a transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._shared = connection
        # One connection for all threads instead of one for each: the locks of `Connections` keep the threads apart.
        super().__init__(str(path), thread_safe=False, autoconnect=False)
        self.connect()

    def _connect(self) -> sqlite3.Connection:
        """Return the connection with peewee's SQL functions, where peewee would open one."""
        self._add_conn_hooks(self._shared)  # type: ignore[attr-defined] # peewee's stub leaves it out
        return self._shared
