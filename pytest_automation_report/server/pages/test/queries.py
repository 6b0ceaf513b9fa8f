"""Read one test and its history, inside a read transaction of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.tables import CaseRow, ResultRow, RunRow

if TYPE_CHECKING:
    from peewee import Database

    from pytest_automation_report.api.models import Json

HISTORY_ROWS: Final = 20
"""Most results of one test that its page shows."""


class TestReader:
    """Read tests and their histories from one store."""

    __test__ = False  # pytest must not collect it

    def __init__(self, database: Database) -> None:
        self._database = database

    def test(self, result_id: int) -> Json:
        """Return the whole row of one test, with its key and source; raises `ApiError` (404) for an unknown id."""
        rows = self._rows(
            ResultRow.select(ResultRow, CaseRow.key, CaseRow.source).join(CaseRow).where(ResultRow.id == result_id)
        )
        if not rows:
            raise not_found("test")
        return rows[0]

    def history(self, case_id: int) -> list[Json]:
        """Return the last results of a test in its source, latest first."""
        return self._rows(query_history(case_id))

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return list(query.dicts().execute(self._database))


def query_history(case_id: int) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for the last results of a test, with the runs that they belong to."""
    columns = (
        ResultRow.id,
        ResultRow.status,
        ResultRow.elapsed,
        ResultRow.created,
        RunRow.id.alias("run_id"),
        RunRow.name,
    )
    rows = ResultRow.select(*columns).join(RunRow).where(ResultRow.case == case_id)
    return rows.order_by(ResultRow.id.desc()).limit(HISTORY_ROWS)
