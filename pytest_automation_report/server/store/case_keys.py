"""Find the tests of a source by their keys, and add new ones to a SQLite store.

Keys are hashes. In one index of all keys an append of 250 new tests changed 250 pages, which went to the disk twice:
6 KB a test. So a new entry first comes into a small table, and a full table is added to the next larger one at once,
where many entries then share a page: 1 KB a test. An entry has a short hash of the key; the key itself is in ``case``
only. No index excludes two tests with one key: SQLite has one writer at a time, and it looks before it adds.

PostgreSQL has many writers, and so a unique index.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.schema import CASE_KEY_TABLES, key_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.sqlite import SqliteConnection

__all__ = ["add_cases", "find_cases", "problems_of_keys", "remove_keys"]

_MAX_NEW: Final = 4096
"""Entries of the smallest table: 28 pages, which an append of 250 changes all."""

_MAX_RECENT: Final = 16 * _MAX_NEW
"""Entries of the middle table. To move them changes all pages of a larger table, which takes 0.3 s for 1,000,000."""

_AT_ONCE: Final = 256
"""Keys of one statement; SQLite before 3.32 allows 999 values."""

_LAST_CASE: Final = 'SELECT MAX("id") FROM "case"'
_INSERT_CASE: Final = 'INSERT INTO "case" ("id", "source_id", "key") VALUES (?, ?, ?)'
_INSERT_KEY: Final = 'INSERT INTO "case_key_new" ("source_id", "hash", "case_id") VALUES (?, ?, ?)'
_FIND_IN_POSTGRES: Final = 'SELECT "key", "id" FROM "case" WHERE "source_id" = ? AND "key" = ANY(?)'


def find_cases(connection: StoreConnection, source_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Return the ids of a source's tests by their keys, without keys that it does not have."""
    if connection.is_postgres:
        return dict(connection.execute(_FIND_IN_POSTGRES, (source_id, list(keys))))
    return _find(connection, source_id, {key: key_hash(key) for key in keys})


def add_cases(connection: SqliteConnection, source_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Return the ids of a source's tests by their keys, and add those that it does not have, in their order."""
    hashes = {key: key_hash(key) for key in keys}
    cases = _find(connection, source_id, hashes)
    if len(cases) < len(hashes):
        ((last,),) = connection.execute(_LAST_CASE)
        added = {key: number for number, key in enumerate((key for key in hashes if key not in cases), (last or 0) + 1)}
        connection.execute_many(_INSERT_CASE, [(case, source_id, key) for key, case in added.items()])
        connection.execute_many(_INSERT_KEY, [(source_id, hashes[key], case) for key, case in added.items()])
        _move(connection, "case_key_new", _MAX_NEW, "case_key_recent")
        cases |= added
    return cases


def remove_keys(connection: StoreConnection, source_id: int) -> None:
    """Remove the entries of tests of a source that were removed."""
    if connection.is_postgres:
        return
    for table in CASE_KEY_TABLES:
        connection.execute(
            f'DELETE FROM "{table}" WHERE "source_id" = ? AND "case_id" NOT IN (SELECT "id" FROM "case")',  # noqa: S608 - names of ours  # nosec B608
            (source_id,),
        )


def problems_of_keys(connection: StoreConnection) -> Iterator[str]:
    """Yield a sentence for each test of a SQLite store that is not found by its key alone."""
    if connection.is_postgres:
        return
    entries = " UNION ALL ".join(f'SELECT "source_id", "hash", "case_id" FROM "{table}"' for table in CASE_KEY_TABLES)  # noqa: S608 - names of ours  # nosec B608
    found: set[int] = set()
    for source_id, short, case_id, source, key in connection.execute(
        f'SELECT e."source_id", e."hash", e."case_id", c."source_id", c."key" FROM ({entries}) AS e'  # noqa: S608 - as above  # nosec B608
        ' LEFT JOIN "case" AS c ON c."id" = e."case_id"'
    ):
        if key is None or (source_id, short) != (source, key_hash(key)) or case_id in found:
            yield f"an entry of test {case_id} in the index of keys is wrong"
        found.add(case_id)
    for (case_id,) in connection.execute('SELECT "id" FROM "case" ORDER BY "id"'):
        if case_id not in found:
            yield f"test {case_id} is not in the index of keys"
    for source_id, key in connection.execute(
        'SELECT "source_id", "key" FROM "case" GROUP BY "source_id", "key" HAVING COUNT(*) > 1'
    ):
        yield f"source {source_id} has several tests with the key {key}"


def _find(connection: StoreConnection, source_id: int, hashes: dict[str, int]) -> dict[str, int]:
    cases: dict[str, int] = {}
    wanted = list(hashes)
    for table in CASE_KEY_TABLES:
        for first in range(0, len(wanted), _AT_ONCE):
            shorts = [hashes[key] for key in wanted[first : first + _AT_ONCE]]
            # A few lengths, so that SQLite need not compile a statement for each number of tests.
            shorts += shorts[-1:] * (_length_for(len(shorts)) - len(shorts))
            # Two keys can have one hash: the key of the test decides.
            rows = connection.execute(_find_statement(table, len(shorts)), (source_id, *shorts))
            cases |= {key: case for key, case in rows if key in hashes}
        if len(cases) == len(hashes):
            break
        wanted = [key for key in wanted if key not in cases]
    return cases


def _length_for(amount: int) -> int:
    """Return the next power of two."""
    return 1 << (amount - 1).bit_length()


@lru_cache(maxsize=64)
def _find_statement(table: str, amount: int) -> str:
    return (
        f'SELECT c."key", c."id" FROM "{table}" AS k CROSS JOIN "case" AS c ON c."id" = k."case_id"'  # noqa: S608 - names of ours  # nosec B608
        f' WHERE k."source_id" = ? AND k."hash" IN ({", ".join("?" * amount)})'
    )


def _move(connection: SqliteConnection, table: str, most: int, larger: str) -> None:
    """Move all entries of a table to a larger one if it has more than allowed, and then maybe those of that one."""
    ((amount,),) = connection.execute(f'SELECT COUNT(*) FROM "{table}"')  # noqa: S608 - names of ours  # nosec B608
    if amount < most:
        return
    # In the order of the hashes, so that each page of the larger table is changed once.
    connection.execute(f'INSERT INTO "{larger}" SELECT * FROM "{table}"')  # noqa: S608 - as above  # nosec B608
    connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - as above  # nosec B608
    if larger != "case_key":
        _move(connection, larger, _MAX_RECENT, "case_key")
