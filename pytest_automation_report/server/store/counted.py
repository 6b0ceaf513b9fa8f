"""Read how much of its suite a run ran: modules, tests that did not run, and how its sessions ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_automation_report.api.models import COLLECTED_FIELD, NOT_RUN_FIELD, NOTE_FIELD
from pytest_automation_report.findings.verdict import RunNumbers, ending_of
from pytest_automation_report.server.store.reads import IS_REPLACED
from pytest_automation_report.server.store.records import rows_of
from pytest_automation_report.server.store.values import ResultClass
from pytest_automation_report.text.terminal import is_torn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import WholeRun
    from pytest_automation_report.server.store.database import StoreConnection
    from pytest_automation_report.server.store.histories import Series

# pytest's own name for a module that could not be collected, or skipped itself, stands in folder and name, and is that
# of its file: Jest writes the name of a test twice, too. A function of that name has a line.
IS_MODULE: Final = (
    '("folder" = "name" OR substr("folder", length("folder") - length("name")) = \'.\' || "name")'
    " AND replace(COALESCE(\"file\", ''), '/', '.') IN (\"name\", \"name\" || '.py')"
    ' AND "line" IS NULL AND "result_class" <> 2 AND "status" <> 1'
)
"""Condition of results that are of a module, in statements on the table of results alone."""

# As the counts of a run: without results that a later attempt of their job replaced.
_MODULES: Final = (
    f'SELECT "case_id", "result_class", "file" FROM "result" WHERE "run_id" = ? AND {IS_MODULE} AND NOT {IS_REPLACED}'  # nosec B608
)
_KILLED: Final = (
    'SELECT COUNT(*) FROM "result" WHERE "run_id" = ? AND "result_class" = 3 AND "phase" = \'crash\''
    f" AND NOT {IS_REPLACED}"  # nosec B608
)
_OF_FILES: Final = f'SELECT "case_id" FROM "result" WHERE "file" IN ({{ids}}) AND "run_id" = ? AND NOT ({IS_MODULE})'  # nosec B608
_FIELDS: Final = 'SELECT "body" FROM "attachment" WHERE "run_id" = ? AND "kind" = \'fields\''
# A file that has not been collected for longer has no tests that anybody misses.
_EARLIER_RUNS: Final = 10


class Modules(NamedTuple):
    """The cases of a run that are of modules, and the files that could not be collected, each with its case.

    ``results`` and ``failures`` count their results: several jobs may have one of each module.
    """

    cases: frozenset[int] = frozenset()
    broken: Mapping[str, int] = {}
    results: int = 0
    failures: int = 0


def modules_of(connection: StoreConnection, run_id: int) -> Modules:
    """Return the modules that stand among the results of a run."""
    rows = connection.execute(_MODULES, (run_id,))
    broken = [(file, case_id) for case_id, result_class, file in rows if result_class == ResultClass.FAILURE]
    return Modules(frozenset(case_id for case_id, _, _ in rows), dict(broken), len(rows), len(broken))


def tests_in(connection: StoreConnection, files: Iterable[str], run_id: int) -> set[int]:
    """Return the cases of the tests that a run has of these files."""
    return {case_id for (case_id,) in rows_of(connection, _OF_FILES, sorted(files), (run_id,))}


def lost_tests(connection: StoreConnection, series: Series, files: Iterable[str]) -> set[int]:
    """Return the tests of files that could not be collected, each by the last run of the series that has some of it."""
    lost, missing = set[int](), set(files)
    for run in reversed(series.runs[-_EARLIER_RUNS - 1 : -1]):
        for file in sorted(missing):
            found = tests_in(connection, [file], run.id)
            lost |= found
            missing -= {file} if found else set()
    return lost


def numbers_of(
    connection: StoreConnection, run: Json, modules: Modules, whole: WholeRun | None, *, lost: int, reasons: int
) -> RunNumbers:
    """Return the numbers of a run by its row; ``whole`` is what its jobs prove, None if they do not say enough."""
    fields = [json.loads(body) for (body,) in connection.execute(_FIELDS, (run["id"],))]
    torn = is_torn(whole)
    # What jobs together have run says more than how one of their attempts ended.
    ending = ending_of(_texts(fields, NOTE_FIELD) if whole is None or torn else ())
    killed = connection.execute(_KILLED, (run["id"],))[0][0] if ending[0] == "died" else 0
    finished = run["total_count"] - run["untested_count"] - modules.results - killed
    if whole is not None:
        collected: int | None = whole["tests"]
        missing = whole["missing"]
    else:
        collected = _sum(fields, COLLECTED_FIELD)
        not_run = _sum(fields, NOT_RUN_FIELD) or 0
        missing = not_run if collected is None else max(0, collected - finished - killed)
    return RunNumbers(
        finished=finished,
        failed=run["failure_count"] - modules.failures - killed,
        passed=run["success_count"],
        skipped=run["status5_count"] - modules.results + modules.failures,
        collected=collected,
        not_run=missing + lost,
        files=len(modules.broken),
        lost=lost,
        reasons=reasons,
        ending=ending,
        selection=run["selection"] or "",
        is_open=not run["is_completed"],
        is_torn=torn,
    )


def _sum(fields: Sequence[Json], name: str) -> int | None:
    numbers = [int(text) for text in _texts(fields, name) if text.isdecimal()]
    return sum(numbers) if numbers else None


def _texts(fields: Sequence[Json], name: str) -> list[str]:
    return [str(field.get("value") or "") for field in fields if field.get("name") == name]
