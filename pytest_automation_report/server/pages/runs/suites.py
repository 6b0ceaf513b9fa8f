"""Read what the page of a suite and its card show: trends, failures with their first run, flaky and slow tests."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.durations import HISTORY, LAST
from pytest_automation_report.server.pages.charts import failure_trend
from pytest_automation_report.server.pages.run.sentences import flaky_evidence
from pytest_automation_report.server.pages.run_summary import verdict_in_list
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of
from pytest_automation_report.server.store.findings import summaries
from pytest_automation_report.server.store.histories import histories, series_of
from pytest_automation_report.server.store.records import find_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import PageReader
    from pytest_automation_report.server.store.histories import Series

RAIL_TESTS: Final = 10
"""Most flaky and slow tests beside the runs of a suite."""

_STRIP_RUNS: Final = 20
# Of so many times as many tests that were slow in the last runs the usual times are compared.
_MEASURED: Final = 5


def card_of(reader: PageReader, source: Json) -> dict[str, Any]:
    """Return the values of a suite's card: the last run of its main branch, its trend and its time."""
    branch = main_branch(reader.connection, source["id"])
    rows = reader.completed_trend(source["id"], branch)
    newest = reader.newest(source["id"], None)
    last = rows[-1] if rows else None
    known = summaries(reader.connection, [row["id"] for row in rows])
    summary = None if last is None else known.get(last["id"])
    said = None if last is None else verdict_in_list(last, summary)
    times = [row["elapsed"] for row in rows[:-1] if row["elapsed"]]
    return {
        "id": source["id"],
        "name": source["name"],
        "branch": branch,
        "said": said,
        "last": last,
        "running": newest if newest is not None and not newest["is_completed"] else None,
        "flaky": summary["counts"]["flaky"] if summary else None,
        "failing": None if last is None else last["failure_count"],
        "usual": int(median(times)) if times else None,
        "points": failure_trend(rows, known),
    }


def green_runs(rows: Sequence[Json]) -> int:
    """Return the number of the last runs in which nothing failed."""
    count = 0
    for row in reversed(rows):
        if row["failure_count"] or not row["total_count"]:
            break
        count += 1
    return count


def _series(reader: PageReader, source_id: int, branch: str) -> Series | None:
    """Return the series of the newest run of a suite's branch; None if it has none."""
    newest = reader.completed_trend(source_id, branch)[-1:]
    if not newest:
        return None
    return series_of(reader.connection, {**newest[0], "source_id": source_id, "config_id": newest[0]["config"]})


def flaky_rows(reader: PageReader, source_id: int, branch: str) -> list[dict[str, Any]]:
    """Return the flaky tests of a suite with their evidence, those that cost most first."""
    series = _series(reader, source_id, branch)
    if series is None:
        return []
    shown = flaky_of_source(reader.connection, source_id, branch, states=("flaky",), limit=RAIL_TESTS)
    cases = find_cases(reader.connection, source_id, [entry["key"] for entry in shown])
    known = histories(reader.connection, series, cases.values(), last=_STRIP_RUNS)
    return [
        {
            **entry,
            "case": cases[entry["key"]],
            "letters": known[cases[entry["key"]]].letters[-_STRIP_RUNS:],
            "words": flaky_evidence(entry),
        }
        for entry in shown
    ]


def slowest_rows(reader: PageReader, source_id: int, branch: str) -> list[dict[str, Any]]:
    """Return the slowest tests of a suite by their usual duration, with their share of the slowest one."""
    series = _series(reader, source_id, branch)
    if series is None:
        return []
    # The very last run may be one of a part of the suite.
    last = [run.id for run in series.runs[-LAST:]]
    slow = reader.slowest(last, LAST * _MEASURED * RAIL_TESTS)
    known = histories(reader.connection, series, slow, last=HISTORY)
    medians = {case: median for case in slow if (median := known[case].median) is not None}
    chosen = sorted(medians, key=lambda case: (-medians[case], case))[:RAIL_TESTS]
    names = names_of(reader.connection, chosen)
    return [
        {**names[case], "case": case, "median": medians[case], "share": medians[case] / medians[chosen[0]]}
        for case in chosen
    ]
