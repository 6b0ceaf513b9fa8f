"""Compute the overview of a run for its pages, in one walk over its results, and store that of a completed run.

It has the tests by file, the lanes of the workers, the slowest tests and the parametrized functions with failures. With
100,000 tests the walk takes half a second; a page then reads one row.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.lanes import TimedResult, blocks_of, starts_of, waste_of
from pytest_automation_report.server.store.database import execute
from pytest_automation_report.server.store.errors import not_found
from pytest_automation_report.server.store.inputs import json_text
from pytest_automation_report.server.store.statuses import ResultClass
from pytest_automation_report.server.store.tables import ResultRow, RunOverviewRow, RunRow, ThreadRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peewee import Database

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.lanes import Kind
    from pytest_automation_report.server.store.store import Store

VERSION: Final = 2
"""Version of the document; documents of an earlier one are computed anew."""

MAX_LANES: Final = 64
"""Most workers with a lane: those that ran for the longest time."""

_MAX_SLOWEST: Final = 50
_MAX_FLAKY: Final = 200
_MAX_FAMILIES: Final = 50
_MAX_CELLS: Final = 1_000

_RESULTS: Final = (
    'SELECT "id", "thread_id", "status", "result_class", "elapsed", "created", "file", "folder", "name",'
    ' "failed_attempts", "started" FROM "result" WHERE "run_id" ='
)
# In PostgreSQL an order by the id alone would be served by the primary key: see `database.within`.
_IN_ORDER: Final = 'ORDER BY "run_id", "id"'


def overview(store: Store, run_id: int) -> Json:
    """Return the overview of a run; raises `ApiError` (404) for an unknown run.

    ``files`` has the tests of each file, or of each folder if they have no file: counts by status id (a text, as each
    key of JSON), of flaky tests, sum of durations, ids of the first and of the last result. ``workers`` and ``lanes``
    stand in one order; times are microseconds since the run began.
    """
    stored = store.read(lambda reader: _stored(reader.database, run_id))
    if stored is not None:
        return stored
    document, is_completed = store.read(lambda reader: _computed(reader.database, run_id))
    if is_completed:
        store.write(lambda writer: _keep(writer.database, run_id, document))
    return document


def _stored(database: Database, run_id: int) -> Json | None:
    rows: Any = RunOverviewRow.select().where(RunOverviewRow.run == run_id).dicts().execute(database)
    row: Json | None = next(iter(rows), None)
    if row is None or row["version"] != VERSION:
        return None
    document: Json = json.loads(row["body"])
    return document


def _keep(database: Database, run_id: int, document: Json) -> None:
    # Another page of the same run may have stored it a moment ago; and the run may be gone.
    if not RunRow.select(RunRow.id).where(RunRow.id == run_id).count(database):
        return
    RunOverviewRow.delete().where(RunOverviewRow.run == run_id).execute(database)
    RunOverviewRow.insert(run=run_id, version=VERSION, body=json_text(document)).on_conflict_ignore().execute(database)


@dataclass(slots=True)
class _File:
    file: str | None
    folder: str
    first: int
    last: int = 0
    elapsed: int = 0
    flaky: int = 0
    counts: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class _Walk:
    """All that one walk over the results of a run collects."""

    began: int
    # When the session of each thread began, in microseconds since 1970.
    sessions: dict[int, int | None]
    files: dict[str, _File] = field(default_factory=dict)
    threads: dict[int, list[TimedResult]] = field(default_factory=dict)
    functions: dict[tuple[str, str, str], list[tuple[int, Kind, str]]] = field(default_factory=dict)
    flaky: list[int] = field(default_factory=list)
    flaky_count: int = 0

    def add(self, row: tuple[Any, ...]) -> None:
        result_id, thread, status, result_class, elapsed, created, path, folder, name, failed_attempts, started = row
        kind = _kind(result_class, failed_attempts)
        key = path or folder
        file = self.files.get(key)
        if file is None:
            file = self.files[key] = _File(path, folder, result_id)
        file.counts[status] += 1
        file.last = result_id
        file.elapsed += elapsed or 0
        if kind == "flaky":
            file.flaky += 1
            self.flaky_count += 1
            self.flaky.append(result_id)
        session = self.sessions.get(thread)
        start = None if started is None or session is None else max(0, session + started - self.began)
        timed = TimedResult(result_id, kind, elapsed or 0, created - self.began, start)
        self.threads.setdefault(thread, []).append(timed)
        function, bracket, parameters = name.partition("[")
        if bracket:
            self.functions.setdefault((path or "", folder, function), []).append((result_id, kind, parameters))


def _kind(result_class: int, failed_attempts: int | None) -> Kind:
    if result_class == ResultClass.FAILURE:
        return "failed"
    if result_class == ResultClass.SUCCESS:
        return "flaky" if failed_attempts else "passed"
    return "skipped"


def _computed(database: Database, run_id: int) -> tuple[Json, bool]:
    runs: Any = RunRow.select().where(RunRow.id == run_id).dicts().execute(database)
    run: Json | None = next(iter(runs), None)
    if run is None:
        raise not_found("automation run")
    query: Any = ThreadRow.select().where(ThreadRow.run == run_id).order_by(ThreadRow.id).dicts()
    threads: list[Json] = list(query.execute(database))
    sessions = {row["id"]: row["session_started"] for row in threads}
    # The run is created with its first results: its session began before.
    began = min([run["created"], *(start for start in sessions.values() if start is not None)])
    walk = _Walk(began, sessions)
    mark = "%s" if database.for_update else "?"
    for row in execute(database, f"{_RESULTS} {mark} {_IN_ORDER}", (run_id,)):
        walk.add(row)
    document = {
        "version": VERSION,
        "files": [
            {
                "file": file.file,
                "folder": file.folder,
                "counts": {str(status): count for status, count in sorted(file.counts.items())},
                "flaky": file.flaky,
                "elapsed": file.elapsed,
                "first": file.first,
                "last": file.last,
            }
            for file in walk.files.values()
        ],
        "flaky": {"count": walk.flaky_count, "results": walk.flaky[-_MAX_FLAKY:]},
        "slowest": _slowest(database, walk),
        "families": _families(walk),
        **_lanes(database, run, threads, walk),
    }
    return document, bool(run["is_completed"])


def _slowest(database: Database, walk: _Walk) -> list[Json]:
    """Return the tests that took longest, those first."""
    results = (result for results in walk.threads.values() for result in results if result.elapsed)
    ids = [result.result for result in sorted(results, key=lambda result: -result.elapsed)[:_MAX_SLOWEST]]
    names = _rows(database, ids)
    return [names[result_id] for result_id in ids if result_id in names]


def _rows(database: Database, ids: Sequence[int]) -> dict[int, Json]:
    if not ids:
        return {}
    columns = (ResultRow.id, ResultRow.case, ResultRow.name, ResultRow.folder, ResultRow.file, ResultRow.elapsed)
    rows: Any = ResultRow.select(*columns).where(ResultRow.id.in_(list(ids))).dicts().execute(database)
    return {row["id"]: row for row in rows}


def _families(walk: _Walk) -> list[Json]:
    """Return the parametrized functions with failures, those with most failures first."""
    failures = {key: sum(kind == "failed" for _, kind, _ in cells) for key, cells in walk.functions.items()}
    keys = [key for key, count in failures.items() if count and len(walk.functions[key]) > 1]
    keys.sort(key=lambda key: (-failures[key], key))
    return [
        {
            "file": key[0],
            "folder": key[1],
            "function": key[2],
            "failed": failures[key],
            "count": len(walk.functions[key]),
            "cells": _cells(walk.functions[key]),
        }
        for key in keys[:_MAX_FAMILIES]
    ]


def _cells(tests: Sequence[tuple[int, Kind, str]]) -> list[list[int | str]]:
    """Return a cell for each test, [id, two letters of its kind], by parameters: workers run them in any order."""
    by_parameters = sorted(tests, key=lambda test: natural_key(test[2]))
    return [[result_id, kind[:2]] for result_id, kind, _ in by_parameters[:_MAX_CELLS]]


def natural_key(text: str) -> list[tuple[int, str]]:
    """Return a key for sorting by which ``[9]`` stands before ``[10]``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]{1,18})", text)]


def _lanes(database: Database, run: Json, threads: Sequence[Json], walk: _Walk) -> Json:
    """Return the workers, their lanes, and the test that kept the others waiting."""
    chosen = sorted(threads, key=lambda row: -(row["elapsed_computed"] or 0))[:MAX_LANES]
    rows = sorted((row for row in chosen if row["id"] in walk.threads), key=lambda row: row["position"])
    placed: dict[int, list[tuple[int, TimedResult]]] = {}
    for row in rows:
        results = walk.threads[row["id"]]
        starts = starts_of(results, row["elapsed_observed"])
        placed[row["id"]] = sorted(zip(starts, results, strict=True))
    ends = {key: max(start + result.elapsed for start, result in lane) for key, lane in placed.items()}
    wall = max([run["elapsed"] or 0, *ends.values()])
    waste = waste_of(placed, wall)
    return {
        "wall": wall,
        "is_exact": all(result.started is not None for lane in placed.values() for _, result in lane),
        "worker_count": len(threads),
        "workers": [
            {
                "thread": row["id"],
                "position": row["position"],
                "tests": len(placed[row["id"]]),
                "busy": sum(result.elapsed for _, result in placed[row["id"]]),
                "start": placed[row["id"]][0][0],
                "end": ends[row["id"]],
            }
            for row in rows
        ],
        "lanes": [
            [[block.start, block.end, block.kind[:2], block.count, block.result, block.last] for block in blocks]
            for blocks in blocks_of(list(placed.values()), wall)
        ],
        "waste": None if waste is None else {**asdict(waste), **_named(database, waste.result)},
    }


def _named(database: Database, result_id: int) -> Mapping[str, Any]:
    row = _rows(database, [result_id]).get(result_id)
    return {} if row is None else {"name": row["name"], "elapsed": row["elapsed"]}
