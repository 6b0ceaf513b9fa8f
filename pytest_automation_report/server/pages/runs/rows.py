"""Turn runs into the rows of lists: what changed in each, how long it took, what a running one has done so far."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.findings.verdict import MINE
from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.run_summary import comparable_time, run_summary
from pytest_automation_report.text.names import SHORT_COMMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.values import StatusTable

_COMMIT_LINK: Final = "commit"
_is_count = re.compile(r"[0-9]{1,9}").fullmatch
_is_time = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?").fullmatch


class ChangeWords(NamedTuple):
    """A number of tests with its word, and the tone of both."""

    number: int
    word: str
    tone: str


def run_row(
    record: RunRecord, table: StatusTable, source: str, summary: Json | None, bases: Mapping[int, Json]
) -> dict[str, Any]:
    """Return the values of a run in a list.

    ``summary`` is that of its findings, None before they were computed; ``bases`` has the rows of bases by id.
    """
    row, fields = record.row, {field["name"].lower(): field["value"] for field in attached(record, "fields")}
    links = attached(record, "links")
    collected, not_run = (_count(fields.get(name)) for name in ("collected", "not run"))
    summed = run_summary(record, table, source, summary)
    shown = [{**part, "href": None} for part in summed["parts"]]
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    missing = not_run or 0
    if summed["is_open"]:
        missing = max(0, (collected or 0) - row["total_count"])
    elif summary is not None:
        missing = summary["counts"]["not_run"]
    if missing:
        shown.append({"tone": "idle", "count": missing, "href": None})
    return {
        **summed,
        "parts": shown,
        "words": ", ".join(f"{part['count']:,} {part['status'].name.lower()}" for part in summed["parts"])
        or "no tests",
        "title": "" if is_default_name(row["name"], source, summed["branch"] or "") else row["name"],
        "commit": (row["commit"] or "")[:SHORT_COMMIT],
        "subject": fields.get("commit subject", ""),
        "commit_link": next((link["url"] for link in links if link["name"].lower() == _COMMIT_LINK), ""),
        "link": next((link for link in links if link["name"].lower() != _COMMIT_LINK), None),
        "collected": collected,
        "not_run": 0 if summed["is_open"] else missing,
        "failed": row["failure_count"],
        "is_uncomputed": summary is None and not summed["is_open"],
        "changes": change_words(row, summary),
        "before": None if base is None else comparable_time(row, base),
        # What the counts beside it do not show.
        "state": summed["said"]["short"] if summed["said"]["kind"] not in {"passed", "failed", "running"} else "",
        "is_part": bool(row["selection"]),
    }


def change_words(row: Json, summary: Json | None) -> list[ChangeWords]:
    """Return what a completed run changed: whose its failures are, and what passes again.

    A run that nothing can be compared with has its failures only.
    """
    if summary is None or not summary["base"]:
        words = [ChangeWords(row["failure_count"], "failed", "fail")]
    else:
        inks = {"new": "fail", "flaky": "flaky"}
        words = [ChangeWords(summary["mine"][name], name, inks.get(name, "skip")) for name in MINE]
        words += [
            ChangeWords(summary["counts"]["fixed"], "fixed", "pass"),
            ChangeWords(summary["counts"]["passed_again"], "passed again", "pass"),
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
