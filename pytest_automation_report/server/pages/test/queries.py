"""Read one test, its history and its neighbours, inside a read transaction of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.run.queries import NEAR
from pytest_automation_report.server.store.database import marks, number_of, select_rows
from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.tables import CaseRow, ResultRow, ThreadRow, columns_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.database import StoreConnection

HISTORY_ROWS: Final = 300
"""Most results of one test that its pages look at."""

SIBLINGS: Final = 60
"""Most results of one function that a page of one of them names."""

_MOST_FAILURES: Final = 2_000
_SAME_REASON: Final = 8
_BEFORE: Final = 3

_OUTCOME: Final = (
    "id", "run", "name", "folder", "file", "line", "status", "result_class", "elapsed", "created", "failed_attempts",
    "fingerprint", "message", "branch", "commit", "job", "attempt", "thread",
)  # fmt: skip
HISTORY: Final = (
    # The number is one of ours.
    'SELECT r."id", r."run_id", r."name", r."folder", r."file", r."line", r."status", r."result_class", r."elapsed",'  # noqa: S608  # nosec B608
    ' r."created", r."failed_attempts", r."fingerprint", r."message", u."branch", u."commit",'
    ' t."job", t."attempt", t."id" FROM "result" AS r INNER JOIN "run" AS u ON u."id" = r."run_id"'
    ' INNER JOIN "thread" AS t ON t."id" = r."thread_id" WHERE r."case_id" = ?'
    f' ORDER BY r."run_id" DESC, r."id" DESC LIMIT {HISTORY_ROWS}'
)
"""The statement for the last results of a test, with branch and commit of their runs, and with their jobs."""


class TestReader:
    """Read tests and their histories from one store.

    A page asks ten questions, and a report has 1,000 pages: the statements are written out, since peewee takes ten
    times as long to write them as SQLite to answer.
    """

    __test__ = False  # pytest must not collect it

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def test(self, result_id: int) -> Json:
        """Return the whole row of one test, with its key and source; raises `ApiError` (404) for an unknown id."""
        rows = self._rows("result", columns_of(ResultRow), 'WHERE "id" = ?', (result_id,))
        if not rows:
            raise not_found("test")
        (case,) = self._rows("case", ("key", "source_id"), 'WHERE "id" = ?', (rows[0]["case"],))
        return {**rows[0], **case}

    def case(self, case_id: int) -> Json:
        """Return key and source of a test, whatever the run; raises `ApiError` (404) for an unknown id."""
        rows = self._rows("case", columns_of(CaseRow), 'WHERE "id" = ?', (case_id,))
        if not rows:
            raise not_found("test")
        return rows[0]

    def history(self, case_id: int) -> list[Json]:
        """Return the last results of a test in its source, latest first."""
        return [dict(zip(_OUTCOME, row, strict=True)) for row in self._connection.execute(HISTORY, (case_id,))]

    def thread(self, thread_id: int) -> Json:
        """Return the row of a thread."""
        return self._rows("thread", columns_of(ThreadRow), 'WHERE "id" = ?', (thread_id,))[0]

    def thread_fields(self, thread_id: int) -> list[str]:
        """Return the fields of a thread, as JSON texts."""
        rest = """WHERE "thread_id" = ? AND "kind" = 'fields'"""
        return [str(row["body"]) for row in self._rows("attachment", ("body",), rest, (thread_id,))]

    def failures(self, run_id: int, statuses: Sequence[int]) -> list[Json]:
        """Return id and fingerprint of the tests of a run with these statuses, in the order of their arrival."""
        # In PostgreSQL an order by the id alone would be served by the primary key: see `database.within`.
        rest = f'WHERE "run_id" = ? AND "status" IN ({marks(statuses)}) ORDER BY "run_id", "id" LIMIT {_MOST_FAILURES}'
        return self._rows("result", ("id", "fingerprint"), rest, (run_id, *statuses)) if statuses else []

    def known_reasons(self, run_id: int, fingerprints: Collection[int]) -> set[int]:
        """Return those of these fingerprints that failures of another run have."""
        wanted = tuple(fingerprints)
        rest = f'WHERE "fingerprint" IN ({marks(wanted)}) AND "run_id" = ? GROUP BY "fingerprint"'
        return {row["fingerprint"] for row in self._rows("result", ("fingerprint",), rest, (*wanted, run_id))}

    def same_reason(self, row: Json) -> tuple[list[Json], int]:
        """Return some other tests of the run that failed for the same reason, and the number of all of them."""
        if row["fingerprint"] is None:
            return [], 0
        is_same, values = (
            'WHERE "fingerprint" = ? AND "run_id" = ? AND "id" <> ?',
            (row["fingerprint"], row["run"], row["id"]),
        )
        rest = f'{is_same} ORDER BY "fingerprint", "id" LIMIT {_SAME_REASON}'
        rows = self._rows("result", ("id", "name", "folder", "elapsed"), rest, values)
        if len(rows) < _SAME_REASON:
            return rows, len(rows)
        return rows, number_of(self._connection, f'SELECT COUNT(*) FROM "result" {is_same}', values)  # noqa: S608 - as above  # nosec B608

    def siblings(self, row: Json) -> list[Json]:
        """Return the results of the same function with other parameters, of those that arrived about the same time.

        A run of 100,000 tests has no index by name, so the rows near this one are looked through.
        """
        function = str(row["name"]).partition("[")[0]
        if function == row["name"]:
            return []
        prefix = f"{function}["
        rest = (
            'WHERE "id" BETWEEN ? AND ? AND "run_id" = ? AND "folder" = ? AND SUBSTR("name", 1, ?) = ?'
            f' ORDER BY "id" LIMIT {SIBLINGS}'
        )
        values = (row["id"] - NEAR, row["id"] + NEAR, row["run"], row["folder"], len(prefix), prefix)
        return self._rows("result", ("id", "name", "status", "elapsed"), rest, values)

    def before(self, row: Json) -> list[Json]:
        """Return the tests that ran on the same worker just before this one, the last one first."""
        columns = ("id", "name", "folder", "status", "elapsed")
        rest = f'WHERE "thread_id" = ? AND "id" < ? ORDER BY "thread_id" DESC, "id" DESC LIMIT {_BEFORE}'
        return self._rows("result", columns, rest, (row["thread"], row["id"]))

    def artifacts(self, result_ids: Sequence[int]) -> dict[int, str]:
        """Return the artifacts of these tests, as JSON texts."""
        if not result_ids:
            return {}
        rows = self._rows("result", ("id", "artifacts"), f'WHERE "id" IN ({marks(result_ids)})', result_ids)
        return {row["id"]: row["artifacts"] for row in rows if row["artifacts"]}

    def _rows(self, table: str, columns: tuple[str, ...], rest: str, values: Sequence[object]) -> list[Json]:
        return select_rows(self._connection, table, columns, rest, values)
