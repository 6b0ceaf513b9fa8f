"""Read one test, its history and its neighbours, inside a read transaction of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from peewee import fn

from pytest_automation_report.server.pages.run.queries import NEAR
from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.tables import AttachmentRow, CaseRow, ResultRow, RunRow, ThreadRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json

HISTORY_ROWS: Final = 300
"""Most results of one test that its pages look at."""

_MOST_FAILURES: Final = 2_000
_SIBLINGS: Final = 60
_SAME_REASON: Final = 8
_BEFORE: Final = 3


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

    def case(self, case_id: int) -> Json:
        """Return key and source of a test, whatever the run; raises `ApiError` (404) for an unknown id."""
        rows = self._rows(CaseRow.select().where(CaseRow.id == case_id))
        if not rows:
            raise not_found("test")
        return rows[0]

    def history(self, case_id: int) -> list[Json]:
        """Return the last results of a test in its source, latest first."""
        return self._rows(query_history(case_id))

    def thread(self, thread_id: int) -> Json:
        """Return the row of a thread."""
        return self._rows(ThreadRow.select().where(ThreadRow.id == thread_id))[0]

    def thread_fields(self, thread_id: int) -> list[str]:
        """Return the fields of a thread, as JSON texts."""
        query = AttachmentRow.select(AttachmentRow.body).where(
            (AttachmentRow.thread == thread_id) & (AttachmentRow.kind == "fields")
        )
        return [str(row["body"]) for row in self._rows(query)]

    def failures(self, run_id: int, statuses: Sequence[int]) -> list[Json]:
        """Return id and fingerprint of the tests of a run with these statuses, in the order of their arrival."""
        query = ResultRow.select(ResultRow.id, ResultRow.fingerprint).where(
            (ResultRow.run == run_id) & ResultRow.status.in_(list(statuses))
        )
        # In PostgreSQL an order by the id alone would be served by the primary key: see `database.within`.
        return self._rows(query.order_by(ResultRow.run, ResultRow.id).limit(_MOST_FAILURES))

    def known_reasons(self, run_id: int, fingerprints: Collection[int]) -> set[int]:
        """Return those of these fingerprints that failures of another run have."""
        query = ResultRow.select(ResultRow.fingerprint).distinct()
        rows = self._rows(query.where(ResultRow.fingerprint.in_(list(fingerprints)) & (ResultRow.run == run_id)))
        return {row["fingerprint"] for row in rows}

    def same_reason(self, row: Json) -> tuple[list[Json], int]:
        """Return some other tests of the run that failed for the same reason, and the number of all of them."""
        if row["fingerprint"] is None:
            return [], 0
        is_same = (
            (ResultRow.fingerprint == row["fingerprint"]) & (ResultRow.run == row["run"]) & (ResultRow.id != row["id"])
        )
        columns = (ResultRow.id, ResultRow.name, ResultRow.folder, ResultRow.elapsed)
        order = (ResultRow.fingerprint, ResultRow.id)
        rows = self._rows(ResultRow.select(*columns).where(is_same).order_by(*order).limit(_SAME_REASON))
        if len(rows) < _SAME_REASON:
            return rows, len(rows)
        return rows, int(ResultRow.select().where(is_same).count(self._database))

    def siblings(self, row: Json) -> list[Json]:
        """Return the results of the same function with other parameters, of those that arrived about the same time.

        A run of 100,000 tests has no index by name, so the rows near this one are looked through.
        """
        function = str(row["name"]).partition("[")[0]
        if function == row["name"]:
            return []
        prefix = f"{function}["
        columns = (ResultRow.id, ResultRow.name, ResultRow.status, ResultRow.elapsed)
        query = ResultRow.select(*columns).where(
            (ResultRow.id.between(row["id"] - NEAR, row["id"] + NEAR))
            & (ResultRow.run == row["run"])
            & (ResultRow.folder == row["folder"])
            & (fn.SUBSTR(ResultRow.name, 1, len(prefix)) == prefix)
        )
        return self._rows(query.order_by(ResultRow.id).limit(_SIBLINGS))

    def before(self, row: Json) -> list[Json]:
        """Return the tests that ran on the same worker just before this one, the last one first."""
        columns = (ResultRow.id, ResultRow.name, ResultRow.folder, ResultRow.status, ResultRow.elapsed)
        query = ResultRow.select(*columns).where((ResultRow.thread == row["thread"]) & (ResultRow.id < row["id"]))
        return self._rows(query.order_by(ResultRow.thread.desc(), ResultRow.id.desc()).limit(_BEFORE))

    def artifacts(self, result_ids: Sequence[int]) -> dict[int, str]:
        """Return the artifacts of these tests, as JSON texts."""
        query = ResultRow.select(ResultRow.id, ResultRow.artifacts).where(ResultRow.id.in_(list(result_ids)))
        return {row["id"]: row["artifacts"] for row in self._rows(query) if row["artifacts"]}

    def _rows(self, query: Any) -> list[Json]:  # noqa: ANN401 - peewee's queries have no common type
        return list(query.dicts().execute(self._database))


def query_history(case_id: int) -> Any:  # noqa: ANN401 - peewee's queries have no common type
    """Return the query for the last results of a test, with branch and commit of their runs."""
    columns = (
        ResultRow.id,
        ResultRow.run,
        ResultRow.name,
        ResultRow.folder,
        ResultRow.file,
        ResultRow.line,
        ResultRow.status,
        ResultRow.result_class,
        ResultRow.elapsed,
        ResultRow.created,
        ResultRow.failed_attempts,
        ResultRow.fingerprint,
        ResultRow.message,
        RunRow.branch,
        RunRow.commit,
    )
    rows = ResultRow.select(*columns).join(RunRow).where(ResultRow.case == case_id)
    return rows.order_by(ResultRow.id.desc()).limit(HISTORY_ROWS)
