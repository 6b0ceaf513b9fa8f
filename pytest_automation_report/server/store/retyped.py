"""Make typed values of the fields in which releases before version 11 of the tables stored results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from msgspec.json import Decoder, encode

from pytest_automation_report.api.models import Json, Step
from pytest_automation_report.api.results import EarlierAttempt
from pytest_automation_report.api.text_fields import read_result
from pytest_automation_report.server.store.values import ResultClass

if TYPE_CHECKING:
    from pytest_automation_report.server.store.database import StoreConnection

_attempts: Final = Decoder(tuple[EarlierAttempt, ...]).decode
_steps: Final = Decoder(tuple[Step, ...]).decode
_ROWS: Final = (
    'SELECT "id", "result_class", "fields", "steps", "attempts" FROM "result"'
    ' WHERE "id" BETWEEN ? AND ? AND "fields" IS NOT NULL'
)
_UPDATE: Final = (
    'UPDATE "result" SET "fields" = ?, "steps" = ?, "attempts" = ?, "causes" = ?, "output" = ?, "owner" = ?'
    ' WHERE "id" = ?'
)


def retype_results(connection: StoreConnection, first: int, last: int) -> None:
    """Change the results with these ids and those between them."""
    for result_id, result_class, fields, steps, attempts in connection.execute(_ROWS, (first, last)):
        connection.execute(_UPDATE, (*_retyped(result_class, json.loads(fields), steps, attempts), result_id))


def _retyped(result_class: int, fields: list[Json], steps: str | None, attempts: str | None) -> list[str | None]:
    """Return fields, steps, attempts, causes, output and owner."""
    read = read_result(
        fields,
        _steps(steps or "[]"),
        _attempts(attempts or "[]"),
        has_failed=result_class == ResultClass.FAILURE,
        has_passed=result_class == ResultClass.SUCCESS,
    )
    values = (read.fields, read.steps, read.attempts, read.causes, read.output)
    return [*(encode(value).decode() if value else None for value in values), read.owner or None]
