"""Runs that many jobs have joined, made in a moment."""

from msgspec import convert
from peewee import Database

from pytest_automation_report.server.http.schemas import RunBody
from pytest_automation_report.server.store.database import execute
from pytest_automation_report.server.store.inputs import ThreadSubmission
from pytest_automation_report.server.store.store import Store
from pytest_automation_report.server.store.tables import AttachmentRow, RunRow, ThreadRow
from pytest_automation_report.server.store.writes import Writer

FIELDS = 3
"""How many fields each thread has."""

_BODY = '{"type":1,"name":"Job","value":"20261125T160407-0000abcd"}'


def create_crowded_runs(store: Store, runs: int, threads: int, **properties: object) -> list[int]:
    """Make open runs of project 1, each with so many open threads without a result; return their ids."""
    body = {"name": "a crowd", "source": "suite", "fields": [{"type": 1, "name": "Branch", "value": "main"}]}

    def one(writer: Writer) -> int:
        run_id = writer.create_run(1, convert({**body, **properties}, RunBody).submission())
        first = writer.create_thread(run_id, ThreadSubmission(None, None, ()))
        _multiply(writer.database, run_id, first, threads)
        return run_id

    return [store.write(one) for _ in range(runs)]


def _multiply(database: Database, run_id: int, first: int, threads: int) -> None:
    columns = ", ".join(
        f'"{field.column_name}"' for field in ThreadRow._meta.sorted_fields if field.name not in {"id", "position"}
    )
    execute(
        database,
        f'INSERT INTO "thread" ("position", {columns}) WITH RECURSIVE "n" ("x") AS'
        f' (SELECT 2 UNION ALL SELECT "x" + 1 FROM "n" WHERE "x" < {threads})'
        f' SELECT "x", {columns} FROM "thread", "n" WHERE "id" = {first}',
    )
    RunRow.update(thread_count=threads, thread_active_count=threads).where(RunRow.id == run_id).execute(database)
    ids = [thread.id for thread in ThreadRow.select(ThreadRow.id).where(ThreadRow.run == run_id).execute(database)]
    rows = [(run_id, thread_id, "fields", _BODY) for thread_id in ids for _ in range(FIELDS)]
    for begin in range(0, len(rows), 5_000):
        chosen = [AttachmentRow.run, AttachmentRow.thread, AttachmentRow.kind, AttachmentRow.body]
        AttachmentRow.insert_many(rows[begin : begin + 5_000], fields=chosen).execute(database)
