"""Read the whole results of a run for exports: fields, artifacts and places of tests, in pages of bounded size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.store.database import marks
from pytest_automation_report.server.store.reads import IS_REPLACED
from pytest_automation_report.server.store.reasons import hexadecimal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader

PAGE_RESULTS: Final = 1000
"""Most results of one page."""

PAGE_CHARACTERS: Final = 4 * 1024 * 1024
"""Length of fields and artifacts after which a page ends: clients read no response of more than 16 MiB."""


class WholeResults:
    """The results of a run that no later attempt of a job replaces; raises `ApiError` (404) for an unknown run."""

    def __init__(self, reader: Reader, run_id: int) -> None:
        self._connection = reader.connection
        self._run_id = run_id
        self._statuses = reader.statuses(reader.run_row(run_id)["project"]).by_id

    def page(self, after: int = 0, classes: Collection[int] | None = None) -> tuple[list[Json], int | None]:
        """Return results in the order of their ids, and the id after which the next page begins; None on the last.

        ``classes`` restricts the page to results of these classes.
        """
        results: list[Json] = []
        characters = 0
        for row in self._rows(after, classes):
            if len(results) == PAGE_RESULTS or characters > PAGE_CHARACTERS:
                return results, results[-1]["automation_test_id"]
            characters += len(row["fields"] or "") + len(row["artifacts"] or "")
            results.append(self._item(row))
        return results, None

    def _rows(self, after: int, classes: Collection[int] | None) -> Iterator[Json]:
        chosen = f'AND "result"."result_class" IN ({marks(classes)})' if classes is not None else ""
        sql = (
            'SELECT "result".*, "case"."key" FROM "result" JOIN "case" ON "case"."id" = "result"."case_id"'
            f' WHERE "result"."run_id" BETWEEN ? AND ? AND "result"."id" > ? AND NOT {IS_REPLACED} {chosen}'
            f' ORDER BY "result"."run_id", "result"."id" LIMIT {PAGE_RESULTS + 1}'
        )
        return self._connection.each(sql, (self._run_id, self._run_id, after, *(classes or ())))

    def _item(self, row: Json) -> Json:
        status = self._statuses.get(row["status"])
        return {
            "automation_test_id": row["id"],
            "automation_case_id": row["case"],
            "thread_id": row["thread"],
            "key": row["key"],
            "folder": row["folder"],
            "name": row["name"],
            "status": row["result_class"],
            "status_name": f"status{row['status']}" if status is None else status.system_name,
            "elapsed": row["elapsed"],
            "file": row["file"],
            "line": row["line"],
            "assertions": row["assertions"],
            "fields": json.loads(row["fields"] or "[]"),
            "artifacts": json.loads(row["artifacts"] or "[]"),
            "phase": row["phase"],
            "fingerprint": None if row["fingerprint"] is None else hexadecimal(row["fingerprint"]),
        }
