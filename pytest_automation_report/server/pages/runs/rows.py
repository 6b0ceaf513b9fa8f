"""Turn runs into the rows of lists, and suites into cards: what changed, what fails, is flaky or slow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.findings.flakiness import evidence_words
from pytest_automation_report.findings.sentences import commit_text
from pytest_automation_report.findings.times import HISTORY, LAST, median
from pytest_automation_report.findings.verdict import MINE
from pytest_automation_report.server.pages.drawings import STRIP_RUNS, failure_trend
from pytest_automation_report.server.pages.words import attached, comparable_time, run_summary
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
_is_time = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?").fullmatch


class ChangeWords(NamedTuple):
    """A number of tests with its word, and the tone of both."""

    number: int
    word: str
    tone: str


def run_row(
    record: RunRecord, source: str, summary: FindingsSummary | None, bases: Mapping[int, Json]
) -> dict[str, Any]:
    """Return the values of a run in a list; ``summary`` is that of its findings, ``bases`` has rows of bases by id."""
    row, fields = record.row, {field["name"].lower(): field["value"] for field in attached(record, "fields")}
    links = attached(record, "links")
    collected, not_run = (_count(fields.get(name)) for name in ("collected", "not run"))
    summed = run_summary(record, source, summary)
    shown = [{**part, "href": None} for part in summed["parts"]]
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    missing = not_run or 0
    if summed["is_open"]:
        missing = max(0, (collected or 0) - row["total_count"])
    elif summary is not None:
        missing = summary["not_run"]
    if missing:
        shown.append({"tone": "idle", "count": missing, "href": None})
    return {
        **summed,
        "parts": shown,
        "words": ", ".join(f"{part['count']:,} {part['status'].name.lower()}" for part in summed["parts"])
        or "no tests",
        "title": "" if is_default_name(row["name"], source, summed["branch"] or "") else row["name"],
        "commit": commit_text(row["commit"], row["changes"]),
        "subject": fields.get("commit subject", ""),
        "commit_link": next((link["url"] for link in links if link["name"].lower() == "commit"), ""),
        "link": next((link for link in links if link["name"].lower() != "commit"), None),
        "collected": collected,
        "not_run": 0 if summed["is_open"] else missing,
        "failed": row["failure_count"],
        "is_uncomputed": summary is None and not summed["is_open"],
        "changes": change_words(row, summary),
        "base": None if base is None else base["id"],
        "before": None if base is None else comparable_time(row, base),
        # What the counts beside it do not show.
        "state": summed["said"]["short"] if summed["said"]["kind"] not in {"passed", "failed", "running"} else "",
        "is_part": bool(row["selection"]),
    }


def change_words(row: Json, summary: FindingsSummary | None) -> list[ChangeWords]:
    """Return whose failures a completed run has, and what passes again; without a base only its failures."""
    if summary is None or not summary["base"]:
        words = [ChangeWords(row["failure_count"], "failed", "fail")]
    else:
        inks = {"new": "fail", "flaky": "flaky"}
        words = [ChangeWords(summary["mine"][name], word, inks.get(name, "skip")) for name, word in MINE.items()]
        words += [
            ChangeWords(summary["counts"][name], name.replace("_", " "), "pass") for name in ("fixed", "passed_again")
        ]
    return [word for word in words if word.number]


def is_default_name(name: str, source: str, branch: str) -> bool:
    """Whether a run has the name that clients derive: source, then branch and number of the build, or the time."""
    if not name.startswith(source):
        return False
    rest = name[len(source) :].strip()
    if not rest or _is_time(rest):
        return True
    words = rest.split(" ")
    return all(word == branch or (word.startswith("#") and word[1:].isdecimal()) for word in words)


def _count(text: str | None) -> int | None:
    return int(text) if text and _is_count(text) else None


RAIL_TESTS: Final = 10  # most flaky and slow tests beside the runs of a suite


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
    # A run of a part of the suite, or one that was cut short, knows of its own tests alone.
    is_part = summary is not None and bool(summary["not_run"] or summary["verdict"]["part"])
    return {
        "id": source["id"],
        "name": source["name"],
        "branch": branch,
        "said": said,
        "last": last,
        "running": newest if newest is not None and not newest["is_completed"] else None,
        "flaky": summary["counts"]["flaky"] if summary and not is_part else None,
        "failing": None if last is None else last["failure_count"],
        "usual": int(median(times)) if times else None,
        "points": failure_trend(rows, known),
    }


def flaky_rows(reader: PageReader, source_id: int, branch: str, series: Series) -> list[dict[str, Any]]:
    """Return the flaky tests of a suite's branch with their evidence, those that cost most first."""
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
