"""Compute the overview of a run for its pages, in one walk over its results, and store it once the run is completed.

With 100,000 tests the walk takes half a second; a page then reads one row.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from msgspec import Struct, field

from pytest_automation_report.findings.flakiness import JOB, MOST_VALUES, find_axes, places
from pytest_automation_report.findings.times import (
    BlockKind,
    TimedResult,
    Waste,
    estimate_starts,
    find_waste,
    join_blocks,
)
from pytest_automation_report.server.store.database import StoreConnection, marks
from pytest_automation_report.server.store.reads import (
    IS_NO_TEST,
    began_at,
    keep_document,
    run_row,
    session_spans,
    stored_documents,
    thread_rows,
)
from pytest_automation_report.server.store.stored import FACTS
from pytest_automation_report.server.store.values import ResultClass, StoredField

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.findings.documents import (
        BlockRow,
        Cell,
        FileTests,
        RunLanes,
        RunOverview,
        SlowTest,
        TestCells,
        TestFamily,
        WorkerWaste,
    )
    from pytest_automation_report.server.store.store import Store
    from pytest_automation_report.server.store.stored import StoredRun, StoredThread

VERSION: Final = 8  # version of the document; documents of an earlier one are computed anew
MAX_LANES: Final = 64  # most workers with a lane: those that ran for the longest time
_MAX_SLOWEST: Final = 50
_MAX_FLAKY: Final = 200
_MAX_FAMILIES: Final = 50
_MAX_CELLS: Final = 1_000
_MAX_FACT: Final = 60  # longest text of a field that selects
_MAX_FACTS: Final = 4  # fields that lists offer
_FREQUENT_SHARE: Final = 0.05  # least share of the tests that a parameter divides, to be offered

BROWSERS: Final = ("chromium", "firefox", "webkit")
"""Parameters that are values of the field ``browser``, as pytest-playwright has them."""

XPASS: Final = "xpass"
"""The word for a test that passed although it is marked xfail."""

XPASS_CAUSE: Final = f'%"kind":"{XPASS}"%'
"""A pattern of the causes of such a test: their texts have no such quotes."""

FACTS_VALUES: Final = ('%"type":1,%', XPASS_CAUSE)

_BROWSERS: Final = frozenset(BROWSERS)
_OUR_FIELDS: Final = frozenset({"Node id", "Subtests"})
_is_field = re.compile("[A-Za-z][A-Za-z0-9_ -]*").fullmatch
_is_word = re.compile(r"[A-Za-z][\w.]{0,19}").fullmatch

_NAMED: Final = 'SELECT "id", "case_id", "name", "folder", "file", "elapsed" FROM "result" WHERE "id" IN'
_RESULTS: Final = (
    'SELECT "id", "thread_id", "status", "result_class", "elapsed", "created", "file", "folder", "name",'
    f' "failed_attempts", "started", "status" <> 1 AND NOT {IS_NO_TEST}, "is_replaced",'
    f" {FACTS}"
    ' FROM "result" WHERE "run_id" = ?'
    # In PostgreSQL an order by the id alone would be served by the primary key: see `database`.
    ' ORDER BY "run_id", "id"'
)


def overview(store: Store, run_id: int) -> RunOverview:
    """Return the overview of a run, with times since it began; raises `ApiError` (404) for an unknown run."""
    stored: RunOverview | None = store.read(
        lambda connection: stored_documents(connection, "overview", [run_id], VERSION).get(run_id), is_single=True
    )
    if stored is not None:
        return stored
    run, document = store.read(partial(_computed, run_id=run_id))
    if run.is_completed:
        store.write(lambda writer: keep_document(writer.connection, run, "overview", VERSION, document))
    return document


_NO_FACTS: Final[Mapping[str, str]] = {}  # one for all tests: nearly all have none


class _Parametrized(NamedTuple):
    """A test with parameters, or one that several jobs have; ``facts`` are its fields and its job."""

    result: int
    kind: BlockKind
    parameters: str
    facts: Mapping[str, str]


class _Walk(Struct):
    """All that one walk over the results of a run collects."""

    began: int
    # When the session of each thread began, in microseconds since 1970; and its job, of a run of several.
    sessions: dict[int, int | None]
    jobs: dict[int, str]
    files: dict[str, FileTests] = field(default_factory=dict)
    threads: dict[int, list[TimedResult]] = field(default_factory=dict)
    functions: dict[tuple[str, str, str], list[_Parametrized]] = field(default_factory=dict)
    flaky: list[int] = field(default_factory=list)
    facts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, row: tuple[Any, ...]) -> None:
        result_id, thread, status, result_class, elapsed, created, path, folder, name, failed_attempts, *rest = row
        started, is_test, is_replaced, *told = rest
        kind = _kind(result_class, failed_attempts)
        if is_test:  # neither a module, nor a test that did not run: these are no worker's time
            session = self.sessions.get(thread)
            start = None if started is None or session is None else max(0, session + started - self.began)
            timed = TimedResult(result_id, kind, elapsed or 0, created - self.began, start)
            self.threads.setdefault(thread, []).append(timed)
        if is_replaced:
            return
        file = self.files.get(path or folder)
        if file is None:
            file = self.files[path or folder] = {
                "file": path, "folder": folder, "counts": Counter(), "flaky": 0, "elapsed": 0,
                "first": result_id, "last": result_id,
            }  # fmt: skip
        file["counts"][str(status)] += 1
        file["last"] = result_id
        file["elapsed"] += elapsed or 0
        if kind == "flaky":
            file["flaky"] += 1
            self.flaky.append(result_id)
        facts = dict(facts_of(*told))
        for fact, value in facts.items():
            self.facts.setdefault(fact, Counter())[value] += 1
        function, bracket, parameters = name.partition("[")
        if bracket or self.jobs:
            if thread in self.jobs:
                facts[JOB] = self.jobs[thread]
            parametrized = _Parametrized(result_id, kind, parameters.removesuffix("]"), facts or _NO_FACTS)
            self.functions.setdefault((path or "", folder, function), []).append(parametrized)


def facts_of(fields: str | None, owner: str | None, is_xpass: object) -> list[tuple[str, str]]:
    """Return what lists select by: short texts of a test's markers and its author, its owner, and ``is:xpass``."""
    facts: list[tuple[str, str]] = [("is", XPASS)] if is_xpass else []
    for each in json.loads(fields) if fields else ():
        name = each["name"]
        if name not in _OUR_FIELDS and _is_field(name) and _is_short(each):
            facts.append((name.lower().replace(" ", "-"), each["value"]))
    if owner and len(owner) <= _MAX_FACT:
        facts.append(("owner", owner))
    return facts


def _is_short(field: StoredField) -> bool:
    return field["type"] == 1 and 0 < len(field.get("value") or "") <= _MAX_FACT and not field.get("meta")


def _differing(walk: _Walk) -> dict[str, dict[str, int]]:
    """Return the fields that differ among the tests of a run, with their values and the number of tests of each."""
    total = sum(sum(file["counts"].values()) for file in walk.files.values())
    facts: dict[str, Counter[str]] = {}
    for name, values in walk.facts.items():
        if set(values) == {"yes"}:  # a marker without arguments
            facts.setdefault("mark", Counter())[name] = values["yes"]
        else:
            facts[name] = values
    _add_parameters(facts, walk, total)
    differing: dict[str, dict[str, int]] = {}
    for name, values in facts.items():
        # Each marker is a field by itself, which the other tests do not have.
        own = Counter({value: count for value, count in values.items() if 1 < count < total or name == "is"})
        if name in {"is", "mark"} or (1 < len(values) <= MOST_VALUES and len(own) == len(values)):
            differing[name] = dict(own.most_common(MOST_VALUES))
    order = sorted(differing, key=lambda name: (name != "is", name == "param", -sum(differing[name].values())))
    return {name: differing[name] for name in order[:_MAX_FACTS] if differing[name]}


def _add_parameters(facts: dict[str, Counter[str]], walk: _Walk, total: int) -> None:
    """Add browsers, and the parameters of most tests that together have few values."""
    by_values: dict[frozenset[str], Counter[str]] = {}
    for results in walk.functions.values():
        for column in places(result.parameters for result in results):
            values = frozenset(column)
            if values <= _BROWSERS:
                facts.setdefault("browser", Counter()).update(column)
            elif 1 < len(values) <= MOST_VALUES and all(map(_is_word, values)):
                by_values.setdefault(values, Counter()).update(column)
    chosen: Counter[str] = Counter()
    for counts in sorted(by_values.values(), key=Counter.total, reverse=True):
        is_frequent = min(counts.values()) > 1 and counts.total() >= total * _FREQUENT_SHARE
        if is_frequent and len(chosen | counts) <= MOST_VALUES:
            chosen += counts
    if chosen:
        facts["param"] = chosen


def _kind(result_class: int, failed_attempts: int | None) -> BlockKind:
    if result_class == ResultClass.FAILURE:
        return "failed"
    if result_class == ResultClass.SUCCESS:
        return "flaky" if failed_attempts else "passed"
    return "skipped"


def _computed(connection: StoreConnection, run_id: int) -> tuple[StoredRun, RunOverview]:
    run = run_row(connection, run_id)
    threads = thread_rows(connection, run_id)
    sessions = {row.id: row.session_started for row in threads}
    jobs = {row.id: row.job for row in threads if row.job}
    walk = _Walk(began_at(run, threads), sessions, jobs if len({*jobs.values()}) > 1 else {})
    for row in connection.execute(_RESULTS, (*FACTS_VALUES, run_id)):
        walk.add(row)
    document: RunOverview = {
        "version": VERSION,
        "files": [*walk.files.values()],
        "flaky": {"count": len(walk.flaky), "results": walk.flaky[-_MAX_FLAKY:]},
        "slowest": _slowest(connection, walk),
        "families": _families(walk),
        "facts": _differing(walk),
        **_lanes(connection, run, threads, walk),
    }
    return run, document


def _slowest(connection: StoreConnection, walk: _Walk) -> list[SlowTest]:
    results = (result for results in walk.threads.values() for result in results if result.elapsed)
    ids = [result.result for result in sorted(results, key=lambda result: -result.elapsed)[:_MAX_SLOWEST]]
    names = _rows(connection, ids)
    return [names[result_id] for result_id in ids if result_id in names]


def _rows(connection: StoreConnection, ids: Sequence[int]) -> dict[int, SlowTest]:
    rows = cast("list[SlowTest]", connection.rows(f"{_NAMED} ({marks(ids)})", ids))
    return {row["id"]: row for row in rows}


def _families(walk: _Walk) -> list[TestFamily]:
    failures = {key: sum(test.kind == "failed" for test in tests) for key, tests in walk.functions.items()}
    keys = [key for key, count in failures.items() if count and len(walk.functions[key]) > 1]
    keys.sort(key=lambda key: (-failures[key], key))
    return [
        {
            "file": key[0],
            "folder": key[1],
            "function": key[2],
            "parameters": len({test.parameters for test in walk.functions[key]}),
            "count": len(walk.functions[key]),
            **_cells(walk.functions[key]),
        }
        for key in keys[:_MAX_FAMILIES]
    ]


def _cells(tests: Sequence[_Parametrized]) -> TestCells:
    """Return a cell for each test by its parameters, which workers run in any order; of too many failures first."""
    shown = sorted(tests, key=lambda test: test.kind != "failed")[:_MAX_CELLS] if len(tests) > _MAX_CELLS else tests
    shown = sorted(shown, key=lambda test: natural_key(test.parameters))
    is_whole = len(shown) == len(tests)
    axes = find_axes([test.parameters for test in shown], [test.facts for test in shown]) if is_whole else []
    return {
        "cells": cast("list[Cell]", [[test.result, test.kind[:2]] for test in shown]),
        "axes": [
            {"name": axis.name, "values": [*axis.values], "of": [axis.values.index(value) for value in column]}
            for axis, column in axes[:_MAX_FACTS]
        ],
    }


def natural_key(text: str) -> list[tuple[int, str]]:
    """Return a key for sorting by which ``[9]`` stands before ``[10]``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]{1,18})", text)]


def _lanes(connection: StoreConnection, run: StoredRun, threads: Sequence[StoredThread], walk: _Walk) -> RunLanes:
    chosen = sorted(threads, key=lambda row: -(row.elapsed_computed or 0))[:MAX_LANES]
    shown = [row for row in chosen if row.id in walk.threads]
    rows = sorted(shown, key=lambda row: (natural_key(row.job or ""), row.position))
    placed: dict[int, list[tuple[int, TimedResult]]] = {}
    for row in rows:
        results = walk.threads[row.id]
        starts = estimate_starts(results, row.elapsed_observed)
        placed[row.id] = sorted(zip(starts, results, strict=True))
    ends = {key: max(start + result.elapsed for start, result in lane) for key, lane in placed.items()}
    wall = max([run.elapsed or 0, *ends.values()])
    spans, longest = session_spans(run, threads), max(ends, key=lambda key: ends[key], default=0)
    # A job that ended does not wait for another one.
    waste = find_waste({key: lane for key, lane in placed.items() if spans[key] == spans[longest]}, wall)
    # Lists, as JSON has them: a document that was just computed equals the stored one.
    lanes = [
        [[block.start, block.end, block.kind[:2], block.count, block.result, block.last] for block in blocks]
        for blocks in join_blocks(list(placed.values()), wall)
    ]
    return {
        "wall": wall,
        "is_exact": all(result.started is not None for lane in placed.values() for _, result in lane),
        "worker_count": len(walk.threads),
        "workers": [
            {
                "thread": row.id,
                "position": row.position,
                "tests": len(placed[row.id]),
                "busy": sum(result.elapsed for _, result in placed[row.id]),
                "start": placed[row.id][0][0],
                "end": ends[row.id],
                "began": spans[row.id][0],
                "over": spans[row.id][1],
            }
            for row in rows
        ],
        "lanes": cast("list[list[BlockRow]]", lanes),
        "waste": None if waste is None else _waste(connection, waste),
    }


def _waste(connection: StoreConnection, waste: Waste) -> WorkerWaste:
    row = _rows(connection, [waste["result"]])[waste["result"]]
    return {**waste, "name": row["name"], "elapsed": row["elapsed"]}
