"""Read the rows of runs, tests by their keys, and what runs refer to: sources, milestones, configurations.

All functions run inside a transaction that the caller holds. The records of `referenced` are those of the API's
``expands``: sources, configurations, milestones, statuses and users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec.structs import asdict

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.values import RESULT_STATUSES, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import RunMention
    from pytest_automation_report.server.store.database import StoreConnection


_IDS_AT_ONCE: Final = 500


def run_rows(connection: StoreConnection, run_ids: Sequence[int]) -> list[Json]:
    """Return the rows of those of these runs that exist, in no order."""
    return connection.rows(f'SELECT * FROM "run" WHERE "id" IN ({marks(run_ids)})', run_ids) if run_ids else []


def run_row(connection: StoreConnection, run_id: int) -> Json:
    """Return the row of a run; raises `ApiError` (404) for an unknown run."""
    rows = run_rows(connection, [run_id])
    if not rows:
        raise not_found("automation run")
    return rows[0]


def rows_of(
    connection: StoreConnection, sql: str, ids: Sequence[int] | Sequence[str], values: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement for many ids, some at a time; ``{ids}`` is their place, before ``values``."""
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        rows += connection.execute(sql.replace("{ids}", marks(some)), (*some, *values))
    return rows


_CASES: Final = 'SELECT "key", "id" FROM "case" WHERE "key" IN ({ids}) AND "source_id" = ?'


def find_cases(connection: StoreConnection, source_id: int, keys: Sequence[str]) -> dict[str, int]:
    """Return the ids of a source's tests by their keys, without keys that it does not have."""
    return dict(rows_of(connection, _CASES, keys, (source_id,)))


def mention(run: Json) -> RunMention:
    """Return a run, by its row, as documents name it; ``at`` is in microseconds since 1970."""
    return {"run": run["id"], "commit": run["commit"], "at": run["created"]}


Reference: TypeAlias = Literal["automation_sources", "configs", "milestones", "statuses", "users"]

RUN_REFERENCES: Final[tuple[Reference, ...]] = ("automation_sources", "configs", "milestones", "statuses", "users")
"""Kinds of records that runs refer to."""

SOURCE_REFERENCES: Final[tuple[Reference, ...]] = ("users",)
"""Kinds of records that sources refer to."""

USER_ID: Final = 1
"""Id of the only user of an embedded server."""

USER_NAME: Final = "Embedded server"
"""Name of the only user."""

# Tables, and the names of the columns that refer to them.
_TABLES: Mapping[Reference, str] = {"automation_sources": "source", "configs": "config", "milestones": "milestone"}


def referenced(
    connection: StoreConnection, rows: Sequence[Json], wanted: Iterable[Reference]
) -> dict[Reference, list[Json]]:
    """Return, for each wanted kind, the records that these runs or sources refer to, each once and ordered by id."""
    return {kind: _records(connection, rows, kind) for kind in wanted}


def _records(connection: StoreConnection, rows: Sequence[Json], kind: Reference) -> list[Json]:
    if kind == "statuses":
        return [{**asdict(status), "system_name": status.system_name} for status in RESULT_STATUSES.values()]
    if kind == "users":
        return [{"id": USER_ID, "name": USER_NAME}] if rows else []
    table = _TABLES[kind]
    ids = sorted({row[table] for row in rows} - {None})
    return connection.rows(f'SELECT "id", "name" FROM "{table}" WHERE "id" IN ({marks(ids)}) ORDER BY "id"', ids)
