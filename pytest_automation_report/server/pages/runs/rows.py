"""Turn runs into the rows of lists: what changed in each, how long it took, what a running one has done so far."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.numbers import quantity
from pytest_automation_report.server.pages.run_summary import comparable_time, is_part_of, run_summary
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
    summed = run_summary(record, table, source)
    shown = [{**part, "href": None} for part in summed["parts"]]
    base = bases.get(summary["base"]) if summary and summary["base"] else None
    missing = max(0, (collected or 0) - row["total_count"]) if summed["is_open"] else not_run or 0
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
        "is_part": base is not None and is_part_of(row, base),
    }


def change_words(row: Json, summary: Json | None) -> list[ChangeWords]:
    """Return what a completed run changed: new and earlier failures, and fixed tests.

    A run that nothing can be compared with has its failures only.
    """
    counts = {} if summary is None else summary["counts"]
    if summary is not None and summary["base"]:
        words = [
            ChangeWords(counts["newly_failing"], "new", "fail"),
            ChangeWords(counts["still_failing"], "still", "skip"),
            ChangeWords(counts["fixed"], "fixed", "pass"),
        ]
    else:
        words = [ChangeWords(row["failure_count"], "failed", "fail")]
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


def summary_sentence(row: Json | None, summary: Json | None) -> tuple[str, str]:
    """Return the tone and the sentence of a suite's last run; ``row`` is None if it has none."""
    if row is None:
        return "idle", "No run yet"
    total, failed = row["total_count"], row["failure_count"]
    if not row["is_completed"]:
        return "live", f"{quantity(total, 'test')} ran, {failed:,} failed"
    if not total:
        return "idle", "The last run has no tests"
    if not failed:
        passed = row["success_count"]
        return "pass", f"{'All ' if passed > 1 else ''}{quantity(passed, 'test')} passed"
    reasons = summary["reasons"] if summary else 0
    why = f", for {quantity(reasons, 'reason')}" if reasons else ""
    return "fail", f"{failed:,} of {quantity(total, 'test')} failed{why}"


def _count(text: str | None) -> int | None:
    return int(text) if text and _is_count(text) else None
