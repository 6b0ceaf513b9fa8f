"""The texts by which searches find tests and reasons in all runs, and their index.

A completed run adds the name of each of its tests and the message of each of its failures, unless they are there. Its
document ``searched`` says that it has: searches read the results of other runs themselves. The index finds any part of
a text that has three characters or more, by FTS5 in SQLite and pg_trgm in PostgreSQL. A database that has neither is
searched test by test, as far as a search gets in its time.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from pytest_automation_report.server.store.database import TimeLimitError, lock
from pytest_automation_report.server.store.reads import keep_document, run_rows
from pytest_automation_report.server.store.searches import escaped
from pytest_automation_report.server.store.values import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.writes import Writer

T = TypeVar("T")

_logger = logging.getLogger(__name__)

MOST_FOUND: Final = 2_000  # tests, or reasons, that a search looks at; those that came last are among them
MOST_RUNS: Final = 100  # runs without their texts that a search looks at
_VERSION: Final = 1  # of the texts
_AT_ONCE: Final = 2_000  # results of the runs that add texts in one transaction: others wait for it
# A row of PostgreSQL's index has 2,700 bytes at most.
_TESTS: Final = (
    'INSERT INTO "searched" ("source_id", "case_id", "text")'
    ' SELECT ?, r."case_id", r."name" || \' \' || r."folder" || \' \' || COALESCE(r."file", \'\')'
    ' FROM "result" AS r WHERE r."run_id" = ?'
    ' AND NOT EXISTS (SELECT 1 FROM "searched" AS s WHERE s."case_id" = r."case_id") ON CONFLICT DO NOTHING'
)
_MESSAGES: Final = (
    'INSERT INTO "searched" ("source_id", "fingerprint", "text")'
    ' SELECT DISTINCT CAST(? AS BIGINT), "fingerprint", SUBSTR("message", 1, 500) FROM "result"'
    ' WHERE "run_id" = ? AND "fingerprint" IS NOT NULL AND "message" IS NOT NULL ON CONFLICT DO NOTHING'
)
_WITHOUT_TEXTS: Final = (
    'FROM "run" WHERE {} AND NOT EXISTS (SELECT 1 FROM "run_document" AS d'
    ' WHERE d."run_id" = "run"."id" AND d."kind" = \'searched\')'
)
_COMPLETED: Final = '"is_completed"'
_REMOVE: Final = (
    'DELETE FROM "searched" WHERE "source_id" = ? AND NOT EXISTS (SELECT 1 FROM "case"'
    ' WHERE "case"."id" = "searched"."case_id") AND NOT EXISTS (SELECT 1 FROM "result"'
    ' WHERE "result"."fingerprint" = "searched"."fingerprint")'
)
# Triggers keep the index of SQLite; it has no copy of the texts.
_SQLITE_INDEX: Final = (
    "CREATE VIRTUAL TABLE searched_text USING fts5(text, content='searched', content_rowid='id', tokenize='trigram')",
    (
        'CREATE TRIGGER "searched_added" AFTER INSERT ON "searched" BEGIN'
        ' INSERT INTO "searched_text" (rowid, "text") VALUES (new."id", new."text"); END'
    ),
    (
        'CREATE TRIGGER "searched_removed" AFTER DELETE ON "searched" BEGIN'
        ' INSERT INTO "searched_text" ("searched_text", rowid, "text") VALUES (\'delete\', old."id", old."text"); END'
    ),
    'INSERT INTO "searched_text" ("searched_text") VALUES (\'rebuild\')',
)
_POSTGRES_INDEX: Final = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    'CREATE INDEX "searched_text" ON "searched" USING GIN ("text" gin_trgm_ops)',
)
_HAS_INDEX: Final = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'searched_text'"
_HAS_INDEX_IN_POSTGRES: Final = (
    "SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'searched_text' AND schemaname = current_schema()"
)
_CAN_SQLITE: Final = sqlite3.sqlite_version_info >= (3, 34)  # it has indexes of trigrams


class SearchTime:
    """The time that one search may take; ``is_over`` once a question was cut off or not asked."""

    def __init__(self, connection: StoreConnection, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds
        self.is_over = False

    def ask(self, question: Callable[[], list[T]]) -> list[T]:
        """Return what a question's statements find, nothing if the time is over before they have."""
        self.is_over = self.is_over or time.monotonic() >= self._end
        if not self.is_over:
            try:
                with self._connection.limited(self._end):
                    return question()
            except TimeLimitError:
                self.is_over = True
        return []


class Parts(Struct, frozen=True):
    """Parts of texts that a search has, each of which an index can find: a text has all of them.

    ``source`` is the suite that is searched, None for all.
    """

    texts: Sequence[str]
    source: int | None = None

    def tests(self, connection: StoreConnection) -> list[int]:
        """Return the tests, by case, whose name, folder or file have all parts, last ones first."""
        return self._found(connection, "case_id")

    def reasons(self, connection: StoreConnection) -> list[int]:
        """Return the fingerprints of the failures one of whose messages has all parts, last ones first."""
        return list(dict.fromkeys(self._found(connection, "fingerprint")))

    def _found(self, connection: StoreConnection, column: str) -> list[int]:
        own, values = (f's."{column}" IS NOT NULL', [])
        if self.source is not None:
            own, values = own + ' AND s."source_id" = ?', [self.source]
        if connection.is_postgres:
            conditions = " AND ".join(["s.\"text\" ILIKE ? ESCAPE '\\'"] * len(self.texts))
            patterns: list[object] = [f"%{escaped(text)}%" for text in self.texts]
            # An order by the id alone would be served by the primary key: by all texts.
            sql = f'SELECT s."{column}" FROM "searched" AS s WHERE {conditions} AND {own} ORDER BY s."id" + 0 DESC'
        else:
            patterns = [" AND ".join('"' + text.replace('"', '""') + '"' for text in self.texts)]
            sql = (
                f'SELECT s."{column}" FROM "searched_text" AS i JOIN "searched" AS s ON s."id" = i.rowid'
                f' WHERE "searched_text" MATCH ? AND {own} ORDER BY i.rowid DESC'
            )
        return [found for (found,) in connection.execute(f"{sql} LIMIT ?", (*patterns, *values, MOST_FOUND))]


def is_indexed(connection: StoreConnection) -> bool:
    """Whether the database has the index, and can use it."""
    if connection.is_postgres:
        return bool(connection.number(_HAS_INDEX_IN_POSTGRES))
    return _CAN_SQLITE and bool(connection.number(_HAS_INDEX))


def runs_without_texts(connection: StoreConnection, source_id: int | None) -> list[int]:
    """Return the newest runs whose texts are not searched yet, one more than `MOST_RUNS` if there are more."""
    own, values = ("1 = 1", ()) if source_id is None else ('"source_id" = ?', (source_id,))
    sql = f'SELECT "id" {_WITHOUT_TEXTS.format(own)} ORDER BY "id" DESC LIMIT ?'
    return [run_id for (run_id,) in connection.execute(sql, (*values, MOST_RUNS + 1))]


def update_index(store: Store, is_over: Callable[[], bool] = lambda: False) -> None:
    """Make the index unless it is there, and add the texts of all completed runs without them, newest first."""
    if not store.read(is_indexed) and not _make_index(store):
        return
    sql = f'SELECT "id", "total_count" {_WITHOUT_TEXTS.format(_COMPLETED)} ORDER BY "id" DESC'
    some, results = list[int](), 0
    for run_id, count in store.read(lambda connection: connection.execute(sql)):
        if is_over():
            break
        some.append(run_id)
        results += count
        if results > _AT_ONCE:
            add_texts(store, some)
            some, results = [], 0
    add_texts(store, some)


def add_texts(store: Store, run_ids: Iterable[int]) -> None:
    """Add the texts of completed runs, unless there is no index, but for those that have changed or gone meanwhile."""
    if store.read(is_indexed):
        store.write(partial(_add_texts, run_ids))


def _add_texts(run_ids: Iterable[int], writer: Writer) -> None:
    connection = writer.connection
    # Two servers would wait for each other's texts, in different orders.
    lock(connection, "texts")
    for run_id in run_ids:
        rows = run_rows(connection, [run_id])
        # Before the texts, since it locks the run: nobody can remove it meanwhile.
        if rows and keep_document(connection, rows[0], "searched", _VERSION, {}):
            for sql in (_TESTS, _MESSAGES):
                connection.change(sql, (rows[0].source, run_id))


def remove_texts(source_id: int, connection: StoreConnection) -> None:
    """Remove the texts of a suite's tests and reasons that have no result any more."""
    # A trigger of another Python's SQLite would fail in this one.
    if is_indexed(connection) or connection.is_postgres or not connection.number(_HAS_INDEX):
        connection.change(_REMOVE, (source_id,))


def _make_index(store: Store) -> bool:
    """Make the index; return False, with a line in the log, if this database has none of the kind."""
    try:
        store.write(lambda writer: _create_index(writer.connection))
    except ApiError:
        raise
    except store.driver_error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        _logger.info("searches have no index, so that they do not see all tests of large stores: %s", reason)
        return False
    return True


def _create_index(connection: StoreConnection) -> None:
    lock(connection, "texts")
    if not is_indexed(connection):
        for statement in _POSTGRES_INDEX if connection.is_postgres else _SQLITE_INDEX:
            connection.execute(statement)
