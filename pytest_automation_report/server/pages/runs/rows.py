"""Turn runs into the rows of lists, and suites into cards: what changed, what fails, is flaky or slow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.sentences import commit_text
from pytest_automation_report.findings.times import HISTORY, LAST, median
from pytest_automation_report.findings.verdict import MINE
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, failure_trend
from pytest_automation_report.server.pages.words import (
    Part,
    attached,
    comparable_time,
    counts_of,
    own_name,
    parts_of,
    run_values,
)
from pytest_automation_report.server.store.compared import flaky_of_source, main_branch, names_of
from pytest_automation_report.server.store.findings import summaries, verdict_in_list
from pytest_automation_report.server.store.histories import Series, histories
from pytest_automation_report.server.store.reads import RunRecord, find_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.documents import FindingsSummary
    from pytest_automation_report.server.pages.queries import PageReader

_is_count = re.compile(r"[0-9]{1,9}").fullmatch


def run_row(
    record: RunRecord, source: str, summary: FindingsSummary | None, bases: Mapping[int, Json]
) -> dict[str, Any]:
    """Return the values of a run in a list; ``summary`` is of its findings, ``bases`` has rows of bases by id."""
    row, fields = record.row, {field["name"].lower(): field["value"] for field in attached(record, "fields")}
    links = attached(record, "links")
    collected, not_run = (_count(fields.get(name)) for name in ("collected", "not run"))
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    is_open, said = not row["is_completed"], verdict_in_list(row, summary)
    missing = not_run or 0
    if is_open:
        missing = max(0, (collected or 0) - row["total_count"])
    elif summary is not None:
        missing = summary["not_run"]
    parts = parts_of(counts_of(row))
    if missing:
        parts.append(Part("idle", "To come" if is_open else "Not run", missing))
    return {
        **run_values(row, source),
        "said": said,
        "word": "Running" if said["kind"] == "running" else said["short"].capitalize(),
        "tone": said["tone"],
        "is_open": is_open,
        "tags": json.loads(row["tags"]),
        "total": row["total_count"],
        "parts": parts,
        "title": own_name(row["name"], source, row["branch"] or ""),
        "commit": commit_text(row["commit"], row["changes"]),
        "subject": fields.get("commit subject", ""),
        "commit_link": next((link["url"] for link in links if link["name"].lower() == "commit"), ""),
        "link": next((link for link in links if link["name"].lower() != "commit"), None),
        "not_run": 0 if is_open else missing,
        "failed": row["failure_count"],
        "is_uncomputed": summary is None and not is_open,
        "changes": change_words(row, summary),
        "base": None if base is None else base["id"],
        "before": None if base is None else comparable_time(row, base),
        # What the counts beside it do not show.
        "state": said["short"] if said["kind"] not in {"passed", "failed", "running"} else "",
        "is_part": bool(row["selection"]),
    }


def change_words(row: Json, summary: FindingsSummary | None) -> list[tuple[int, str, str]]:
    """Return whose failures a completed run has, and what passes again: numbers, words and tones.

    Without a base these are only its failures.
    """
    if summary is None or not summary["base"]:
        words = [(row["failure_count"], "failed", "fail")]
    else:
        inks = {"new": "fail", "flaky": "flaky"}
        words = [(summary["mine"][name], word, inks.get(name, "skip")) for name, word in MINE.items()]
        words += [(summary["counts"][name], name.replace("_", " "), "pass") for name in ("fixed", "passed_again")]
    return [word for word in words if word[0]]


def _count(text: str | None) -> int | None:
    return int(text) if text and _is_count(text) else None


RAIL_TESTS: Final = 10  # most flaky and slow tests beside the runs of a suite


def branch_values(reader: PageReader, source_id: int, branch: str) -> Json:
    """Return a branch's completed runs, as rows and as points of a trend, and what is known of the last whole one.

    A run of a part of the suite knows of its own tests alone, so it is the last one only if each run is such a part.
    """
    rows = reader.completed_trend(source_id, branch)
    whole = [row for row in rows if not row["selection"]] or rows
    last = whole[-1] if whole else None
    known = summaries(reader.connection, [row["id"] for row in rows])
    summary = None if last is None else known.get(last["id"])
    return {
        "rows": whole,
        "part": rows[-1] if rows and rows[-1] is not last else None,
        "points": failure_trend(rows, known),
        "last": last,
        "summary": summary,
        "said": None if last is None else verdict_in_list(last, summary),
    }


def card_of(reader: PageReader, source: Json) -> Json:
    """Return the values of a suite's card: the last run of its main branch, its trend and its time."""
    branch = main_branch(reader.connection, source["id"])
    values = branch_values(reader, source["id"], branch)
    newest = reader.newest(source["id"], None)
    last, summary = values["last"], values["summary"]
    times = [row["elapsed"] for row in values["rows"][:-1] if row["elapsed"]]
    is_part = summary is not None and bool(summary["not_run"] or summary["verdict"]["part"])
    return {
        **values,
        "id": source["id"],
        "name": source["name"],
        "branch": branch,
        "running": newest if newest is not None and not newest["is_completed"] else None,
        "flaky": summary["counts"]["flaky"] if summary and not is_part else None,
        "failing": None if last is None else last["failure_count"],
        "usual": int(median(times)) if times else None,
    }


def flaky_rows(reader: PageReader, source_id: int, branch: str, series: Series) -> list[dict[str, Any]]:
    """Return the flaky tests of a suite's branch with their evidence, most expensive first."""
    shown = flaky_of_source(reader.connection, source_id, branch, states=("flaky",), limit=RAIL_TESTS)
    cases = find_cases(reader.connection, source_id, [entry["key"] for entry in shown])
    known = histories(reader.connection, series, cases.values(), last=STRIP_RUNS)
    return [
        {
            **entry,
            "case": cases[entry["key"]],
            "letters": known[cases[entry["key"]]].letters[-STRIP_RUNS:],
            "words": evidence_words(entry),
        }
        for entry in shown
    ]


def slowest_rows(reader: PageReader, series: Series) -> list[dict[str, Any]]:
    """Return the slowest tests of a suite by their usual duration, with their share of the slowest one."""
    # The very last run may be one of a part of the suite.
    last = [run.id for run in series.runs[-LAST:]]
    # The usual times of five times as many tests as are shown are compared.
    slow = reader.slowest(last, LAST * 5 * RAIL_TESTS)
    known = histories(reader.connection, series, slow, last=HISTORY)
    medians = {case: usual for case in slow if (usual := known[case].usual()) is not None}
    chosen = sorted(medians, key=lambda case: (-medians[case], case))[:RAIL_TESTS]
    names = names_of(reader.connection, chosen)
    return [
        {"name": names[case][2], "case": case, "median": medians[case], "share": medians[case] / medians[chosen[0]]}
        for case in chosen
    ]
