"""Runs that many jobs have joined, made in a moment."""

from msgspec import convert

from pytest_automation_report.server.api.bodies import RunBody
from pytest_automation_report.server.store.database import StoreConnection
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.values import ThreadSubmission
from pytest_automation_report.server.store.writes import Writer

FIELDS = 3
"""How many fields each thread has."""

_BODY = '{"type":1,"name":"Job","value":"20261125T160407-0000abcd"}'


def create_crowded_runs(store: Store, runs: int, threads: int, **properties: object) -> list[int]:
    """Make open runs of project 1, each with so many open threads without a result; return their ids."""
    body = {"name": "a crowd", "source": "suite", "fields": [{"type": 1, "name": "Branch", "value": "main"}]}

    def one(writer: Writer) -> int:
        run_id = writer.create_run(1, convert({**body, **properties}, RunBody).submission())
        first = writer.create_thread(run_id, ThreadSubmission())
        _multiply(writer.connection, run_id, first, threads)
        return run_id

    return [store.write(one) for _ in range(runs)]


def _multiply(connection: StoreConnection, run_id: int, first: int, threads: int) -> None:
    thread = connection.cursor("SELECT * FROM thread WHERE id = ?", (first,))
    assert thread.description is not None
    columns = ", ".join(f'"{column[0]}"' for column in thread.description if column[0] not in {"id", "position"})
    connection.execute(
        f'INSERT INTO "thread" ("position", {columns}) WITH RECURSIVE "n" ("x") AS'
        f' (SELECT 2 UNION ALL SELECT "x" + 1 FROM "n" WHERE "x" < {threads})'
        f' SELECT "x", {columns} FROM "thread", "n" WHERE "id" = {first}'
    )
    counts = "UPDATE run SET thread_count = ?, thread_active_count = ? WHERE id = ?"
    connection.change(counts, (threads, threads, run_id))
    fields = (
        "INSERT INTO attachment (run_id, thread_id, kind, body) SELECT run_id, id, 'fields', ? FROM thread"
        " WHERE run_id = ? ORDER BY id"
    )
    for _ in range(FIELDS):
        connection.change(fields, (_BODY, run_id))
