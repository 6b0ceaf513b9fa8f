"""Turn texts of a store of the first release into typed values: steps of a migration, for `Ranges` of ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from msgspec.json import decode, encode

from pytest_automation_report.api.models import Ending, Json, Step
from pytest_automation_report.api.results import EarlierAttempt
from pytest_automation_report.api.sessions import (
    COLLECTED_FIELD,
    DESELECTED_FIELD,
    SESSION_FIELDS,
    cut_of,
    session_from,
    worst_cut,
)
from pytest_automation_report.api.text_fields import known_from, read_result
from pytest_automation_report.server.store.values import ResultClass, json_text

if TYPE_CHECKING:
    from pytest_automation_report.server.store.database import StoreConnection

_KNOWN: Final = 'SELECT "id", "fields" FROM "result" WHERE "id" BETWEEN ? AND ? AND "fields" LIKE ?'
_SET_KNOWN: Final = 'UPDATE "result" SET "fields" = ?, "known" = ?, "is_excused" = ? WHERE "id" = ?'
_HAS_NAME: Final = " OR ".join(['"body" LIKE ?'] * len(SESSION_FIELDS))
_FIELDS: Final = (
    'SELECT "id", "run_id", "thread_id", "body" FROM "attachment"'
    f' WHERE "id" BETWEEN ? AND ? AND "kind" = \'fields\' AND ({_HAS_NAME}) ORDER BY "id"'
)
_RESULTS: Final = (
    'SELECT "id", "result_class", "fields", "steps", "attempts" FROM "result"'
    ' WHERE "id" BETWEEN ? AND ? AND "fields" IS NOT NULL'
)
_RETYPE: Final = (
    'UPDATE "result" SET "fields" = ?, "steps" = ?, "attempts" = ?, "causes" = ?, "output" = ?, "owner" = ?'
    ' WHERE "id" = ?'
)


def fill_sessions(connection: StoreConnection, first: int, last: int) -> None:
    """Fill the columns of sessions from the fields of runs and threads, which are removed."""
    likes = [f'%"{name}"%' for name in SESSION_FIELDS]
    for attachment_id, run_id, thread_id, body in connection.execute(_FIELDS, (first, last, *likes)):
        field = json.loads(body)
        name, value = field["name"], field.get("value")
        # The columns of a run have these numbers; no session of that release told them of a thread.
        is_counted = thread_id is None and name in {COLLECTED_FIELD, DESELECTED_FIELD}
        told = session_from([(name, value)])
        if told.ending is not None:
            _add_ending(connection, run_id, thread_id, told.ending)
        elif told.not_run:
            table, record_id = ("run", run_id) if thread_id is None else ("thread", thread_id)
            sql = f'UPDATE "{table}" SET "not_run" = COALESCE("not_run", 0) + ? WHERE "id" = ?'
            connection.execute(sql, (told.not_run, record_id))
        elif not is_counted:
            continue
        connection.execute('DELETE FROM "attachment" WHERE "id" = ?', (attachment_id,))


def _add_ending(connection: StoreConnection, run_id: int, thread_id: int | None, ending: Ending) -> None:
    """Store how a session ended; of several of one record the worst."""
    table, record_id = ("run", run_id) if thread_id is None else ("thread", thread_id)
    ((stored,),) = connection.execute(f'SELECT "ending" FROM "{table}" WHERE "id" = ?', (record_id,))
    if stored is None or worst_cut([ending, decode(stored, type=Ending)]) == cut_of(ending):
        connection.execute(f'UPDATE "{table}" SET "ending" = ? WHERE "id" = ?', (encode(ending).decode(), record_id))


def fill_known(connection: StoreConnection, first: int, last: int) -> None:
    """Fill the columns of known failures from the fields of results, which are removed."""
    for result_id, text in connection.execute(_KNOWN, (first, last, '%nown until"%')):
        fields = json.loads(text)
        for field in fields:
            known = known_from(field["name"], field.get("value"))
            if known is not None:
                others = json_text([each for each in fields if each is not field]) if len(fields) > 1 else None
                connection.execute(_SET_KNOWN, (others, encode(known).decode(), not known.is_past, result_id))
                break


def retype_results(connection: StoreConnection, first: int, last: int) -> None:
    """Turn the fields of results that say why a test failed, what it printed or did, and whose it is, into columns."""
    for result_id, result_class, fields, steps, attempts in connection.execute(_RESULTS, (first, last)):
        connection.execute(_RETYPE, (*_retyped(result_class, json.loads(fields), steps, attempts), result_id))


def _retyped(result_class: int, fields: list[Json], steps: str | None, attempts: str | None) -> list[str | None]:
    """Return fields, steps, attempts, causes, output and owner."""
    # Their decoders are made here: at import they would cost each sender of an embedded store half a millisecond.
    read = read_result(
        fields,
        decode(steps, type=tuple[Step, ...]) if steps else (),
        decode(attempts, type=tuple[EarlierAttempt, ...]) if attempts else (),
        has_failed=result_class == ResultClass.FAILURE,
        has_passed=result_class == ResultClass.SUCCESS,
    )
    values = (read.fields, read.steps, read.attempts, read.causes, read.output)
    return [*(encode(value).decode() if value else None for value in values), read.owner or None]
