"""Read what the page of a suite and its card show: trends, failures with their first run, flaky and slow tests."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.charts import TrendPoint
from pytest_automation_report.server.pages.links import link
from pytest_automation_report.server.pages.numbers import duration
from pytest_automation_report.server.pages.run.sentences import flaky_evidence
from pytest_automation_report.server.pages.runs.queries import RunListReader
from pytest_automation_report.server.pages.runs.rows import summary_sentence
from pytest_automation_report.server.store.findings import summaries
from pytest_automation_report.server.store.flaky import flaky_of_source, main_branch, names_of
from pytest_automation_report.server.store.histories import CaseHistory, series_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import Reader

__all__ = ["RAIL_TESTS", "card_of", "duration_trend", "failure_trend", "flaky_rows", "green_runs", "slowest_rows"]

RAIL_TESTS: Final = 10
"""Most flaky and slow tests beside the runs of a suite."""

_STRIP_RUNS: Final = 20


def card_of(reader: Reader, source: Json) -> dict[str, Any]:
    """Return the values of a suite's card: the last run of its main branch, its trend and its time."""
    branch, runs = main_branch(reader.connection, source["id"]), RunListReader(reader.connection)
    rows = runs.trend(source["id"], branch)
    newest = runs.newest(source["id"], None)
    last = rows[-1] if rows else None
    summary = None if last is None else summaries(reader.connection, [last["id"]]).get(last["id"])
    tone, sentence = summary_sentence(last, summary)
    times = [row["elapsed"] for row in rows[:-1] if row["elapsed"]]
    return {
        "id": source["id"],
        "name": source["name"],
        "branch": branch,
        "tone": tone,
        "sentence": sentence,
        "last": last,
        "running": newest if newest is not None and not newest["is_completed"] else None,
        "flaky": summary["counts"]["flaky"] if summary else None,
        "failing": None if last is None else last["failure_count"],
        "usual": int(median(times)) if times else None,
        "points": failure_trend(rows),
    }


def failure_trend(rows: Sequence[Json]) -> list[TrendPoint]:
    """Return the failed tests of some runs, oldest first."""
    return [
        TrendPoint(
            row["id"],
            row["failure_count"],
            f"{row['failure_count']:,} failed" if row["failure_count"] else f"{row['success_count']:,} passed",
            "fail" if row["failure_count"] else "pass" if row["total_count"] else "idle",
            link("run", row["id"]),
            f"{row['failure_count']:,}",
        )
        for row in rows
    ]


def duration_trend(rows: Sequence[Json]) -> list[TrendPoint]:
    """Return the durations of some runs, oldest first."""
    return [
        TrendPoint(row["id"], row["elapsed"] or 0, duration(row["elapsed"]), "skip", link("run", row["id"]))
        for row in rows
    ]


def green_runs(rows: Sequence[Json]) -> int:
    """Return the number of the last runs in which nothing failed."""
    count = 0
    for row in reversed(rows):
        if row["failure_count"] or not row["total_count"]:
            break
        count += 1
    return count


def _series_columns(run: Json) -> Json:
    """Return the columns of a run, by its row, that name its series."""
    return {"source_id": run["source"], "config_id": run["config"], "branch": run["branch"]}


def flaky_rows(reader: Reader, source_id: int, branch: str) -> list[dict[str, Any]]:
    """Return the flaky tests of a suite with their evidence, those that cost most first."""
    newest = RunListReader(reader.connection).trend(source_id, branch)[-1:]
    shown = flaky_of_source(reader.connection, source_id, branch, states=("flaky",), limit=RAIL_TESTS)
    series = series_of(reader.connection, _series_columns(newest[0])) if newest else None
    if series is None:
        return []
    known = RunListReader(reader.connection).histories(series, [entry["key"] for entry in shown], source_id)
    rows = []
    for entry in shown:
        history = known.get(entry["key"])
        letters = (
            "" if history is None else CaseHistory(history["position"], history["outcomes"]).letters(series.length)
        )
        rows.append(
            {
                **entry,
                "case": None if history is None else history["case"],
                "letters": letters[-_STRIP_RUNS:],
                "words": flaky_evidence(entry),
            }
        )
    return rows


def slowest_rows(reader: Reader, source_id: int, branch: str) -> list[dict[str, Any]]:
    """Return the slowest tests of a suite by their usual duration, with their share of the slowest one."""
    runs = RunListReader(reader.connection)
    newest = runs.trend(source_id, branch)[-1:]
    series = series_of(reader.connection, _series_columns(newest[0])) if newest else None
    if series is None:
        return []
    rows = runs.slowest(series, RAIL_TESTS)
    names = names_of(reader.connection, [row["case"] for row in rows])
    most = max((row["median"] for row in rows), default=0) or 1
    return [
        {**names[row["case"]], "case": row["case"], "median": row["median"], "share": row["median"] / most}
        for row in rows
        if row["case"] in names
    ]
