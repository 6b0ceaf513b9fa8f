"""Turn texts of a store of the first release into columns: steps of a migration, for `Ranges` of ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from msgspec.json import decode, encode

from pytest_automation_report.api.models import Ending
from pytest_automation_report.api.sessions import (
    COLLECTED_FIELD,
    DESELECTED_FIELD,
    SESSION_FIELDS,
    cut_of,
    session_from,
    worst_cut,
)
from pytest_automation_report.api.text_fields import known_from
from pytest_automation_report.server.store.values import json_text

if TYPE_CHECKING:
    from pytest_automation_report.server.store.database import StoreConnection

_KNOWN: Final = 'SELECT "id", "fields" FROM "result" WHERE "id" BETWEEN ? AND ? AND "fields" LIKE ?'
_SET_KNOWN: Final = 'UPDATE "result" SET "fields" = ?, "known" = ?, "is_excused" = ? WHERE "id" = ?'
_HAS_NAME: Final = " OR ".join(['"body" LIKE ?'] * len(SESSION_FIELDS))
_FIELDS: Final = (
    'SELECT "id", "run_id", "thread_id", "body" FROM "attachment"'
    f' WHERE "id" BETWEEN ? AND ? AND "kind" = \'fields\' AND ({_HAS_NAME}) ORDER BY "id"'
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
