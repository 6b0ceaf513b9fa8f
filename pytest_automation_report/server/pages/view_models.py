"""What templates get: rows of the store as the words, tones and links of a page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pytest_automation_report.server.pages.texts import plain, rerun_command, steps
from pytest_automation_report.server.store.artifact_urls import content_hash
from pytest_automation_report.server.store.media_types import DOWNLOAD, is_picture, is_video
from pytest_automation_report.server.store.statuses import (
    STATUS_SLOTS,
    ResultStatus,
    RunStatus,
    StatusTable,
    slot_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.pages.queries import Rows
    from pytest_automation_report.server.pages.run_url import RunState
    from pytest_automation_report.server.store.artifact_rows import StoredContent
    from pytest_automation_report.server.store.reads import RunRecord

Tone: TypeAlias = Literal["pass", "fail", "skip", "warn", "block", "idle", "live"]

THREADS_SHOWN: Final = 100
"""How many threads a page of a run shows."""

ATTACHMENTS_SHOWN: Final = 200
"""How many fields, artifacts or links of a run its page shows."""

_MESSAGE_LENGTH: Final = 200
_TONES: Mapping[str, Tone] = {
    "untested": "idle",
    "passed": "pass",
    "failed": "fail",
    "retest": "warn",
    "blocked": "block",
    "skipped": "skip",
}
_RUN_WORDS: Mapping[int, tuple[str, Tone]] = {
    RunStatus.SUCCESS: ("Passed", "pass"),
    RunStatus.FAILURE: ("Failed", "fail"),
    RunStatus.RUNNING: ("Running", "live"),
}
_TEXT_TYPES: Final = (2, 3, 4)
_HTML: Final = 3
_NOT_RUN: Final = "Not run"  # the field in which sessions say how many tests they did not come to
_is_number = re.compile(r"[0-9]{1,9}").fullmatch
_ADDRESS: Final = 5


@dataclass(frozen=True, slots=True)
class Status:
    """A result status as a page shows it."""

    id: int
    name: str
    tone: Tone


def shown_status(table: StatusTable, number: int) -> Status:
    """Return a status by its id, known to the project or not."""
    status = table.by_id.get(number) or ResultStatus(number, f"Status {number}", (f"status{number}",))
    tone = _TONES.get(status.system_name)
    if tone is None or status.is_passed or status.is_failed:
        tone = "pass" if status.is_passed else "fail" if status.is_failed else tone or "skip"
    return Status(number, status.name, tone)


def ranked(table: StatusTable) -> list[Status]:
    """Return all statuses that results may have: those that mean a failure first, those that mean a pass last."""
    rank = {"fail": 0, "block": 1, "warn": 2, "skip": 3, "idle": 4, "pass": 5, "live": 6}
    every = [shown_status(table, number) for number in range(1, STATUS_SLOTS + 1)]
    return sorted(every, key=lambda status: (rank[status.tone], status.id))


def parts(row: Mapping[str, Any], table: StatusTable) -> list[dict[str, Any]]:
    """Return status, tone and amount of each status that a run or thread has results of."""
    counted = [(status, int(row[slot_name(status.id)])) for status in ranked(table)]
    return [{"status": status, "tone": status.tone, "amount": amount} for status, amount in counted if amount]


def run_summary(record: RunRecord, table: StatusTable, source: str) -> dict[str, Any]:
    """Return what is told of a run in one row."""
    row = record.row
    word, tone = _RUN_WORDS.get(row["status"], ("Unknown", "idle"))
    fields, links = attached(record, "fields"), attached(record, "links")
    return {
        "id": row["id"],
        "project": row["project"],
        "name": row["name"],
        "source": source,
        "source_id": row["source"],
        "word": word,
        "tone": tone,
        "is_open": not row["is_completed"],
        "tags": json.loads(row["tags"]),
        "branch": next((each["value"] for each in fields if each["name"].lower() == "branch"), None),
        "link": next(iter(links), None),
        "parts": parts(row, table),
        "total": row["total_count"],
        "elapsed": row["elapsed"],
        "created": row["created"],
        "completed": row["completed"],
    }


def run_details(record: RunRecord, table: StatusTable) -> dict[str, Any]:
    """Return what the page of a run tells besides its tests."""
    threads = [_thread(record, row, table) for row in record.threads]
    return {
        "threads": threads,
        "thread_total": record.row["thread_count"],
        "not_run": _not_run(record),
        "fields": attached(record, "fields")[:ATTACHMENTS_SHOWN],
        "artifacts": attached(record, "artifacts")[:ATTACHMENTS_SHOWN],
        "links": attached(record, "links")[:ATTACHMENTS_SHOWN],
    }


def _not_run(record: RunRecord) -> int:
    """Return how many tests sessions did not come to; in a run of several jobs each says it in a thread of its own.

    Threads that the page does not show are not read.
    """
    bodies = (json.loads(each["body"]) for each in record.attachments if each["kind"] == "fields")
    return sum(int(each["value"]) for each in bodies if each["name"] == _NOT_RUN and _is_number(each["value"] or ""))


def attached(record: RunRecord, kind: str, thread: int | None = None) -> list[Json]:
    """Return the fields, artifacts or links of a run, or of one of its threads."""
    found = (each for each in record.attachments if each["thread"] == thread and each["kind"] == kind)
    return [_whole(json.loads(each["body"])) for each in found]


def sections(
    rows: Rows, messages: Mapping[int, str], table: StatusTable, state: RunState, amounts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Return the tests of a page status by status; passed ones are closed unless they are what was asked for.

    ``amounts`` says how many tests of a status there are on all pages, where that is known.
    """
    found: dict[int, dict[str, Any]] = {}
    for row in rows.items:
        status = shown_status(table, row["status"])
        section = found.setdefault(status.id, {"status": status, "rows": [], "amount": amounts.get(status.id, 0)})
        section["rows"].append({**row, "message": messages.get(row["id"], "")})
    every = list(found.values())
    for section in every:
        is_asked_for = len(every) == 1 or state.is_filtered or state.page > 1
        section["is_open"] = section["status"].tone != "pass" or is_asked_for
    return every


def message_of(fields: str | None) -> str:
    """Return the first line of what a test's fields say went wrong."""
    for field in json.loads(fields or "[]"):
        told = (field.get("meta") or {}).get("message")
        if told:
            return plain(str(told)).strip().split("\n", 1)[0][:_MESSAGE_LENGTH]
    return ""


def folder_rows(rows: Rows, table: StatusTable) -> list[dict[str, Any]]:
    """Return the folders of a page with their bars."""
    order = ranked(table)
    return [
        {
            "folder": row["folder"],
            "parts": [
                {"status": status, "tone": status.tone, "amount": row["amounts"][status.id]}
                for status in order
                if row["amounts"].get(status.id)
            ],
            "total": sum(row["amounts"].values()),
        }
        for row in rows.items
    ]


def test_details(row: Mapping[str, Any], table: StatusTable, contents: Mapping[str, StoredContent]) -> dict[str, Any]:
    """Return what the page of a test tells; ``contents`` are those of its artifacts that the store keeps."""
    fields = [_whole(each) for each in json.loads(row["fields"] or "[]")]
    told = next((each for each in fields if each["meta"].get("message")), None)
    return {
        "row": row,
        "status": shown_status(table, row["status"]),
        "message": told["meta"]["message"] if told else "",
        "kind": told["meta"].get("type", "") if told else "",
        "blocks": [_block(each) for each in fields if each["type"] in _TEXT_TYPES],
        "pairs": [each for each in fields if each["type"] not in _TEXT_TYPES],
        "artifacts": [_shown_artifact(_whole(each), contents) for each in json.loads(row["artifacts"] or "[]")],
        "command": rerun_command(row, fields),
    }


def paging(page: int, total: int | None, size: int, *, has_more: bool = False) -> dict[str, int | None]:
    """Return the numbers of the page before and after, and of the last one where it is known."""
    last = None if total is None else max(1, -(-total // size))
    is_followed = has_more if last is None else page < last
    return {"page": page, "before": page - 1 or None, "after": page + 1 if is_followed else None, "last": last}


def _block(field: Json) -> dict[str, Any]:
    """Return a long text; HTML is text too, but for the one structure that is known."""
    found: Sequence[object] | None = steps(field["value"]) if field["type"] == _HTML else None
    return {**field, "steps": found, "is_attempt": field["name"].startswith("Attempt ")}


def _shown_artifact(artifact: Json, contents: Mapping[str, StoredContent]) -> Json:
    """Return an artifact with what a page does with its content, where the store keeps it."""
    wanted = content_hash(artifact["url"])
    if wanted is None:
        return artifact
    found = contents.get(wanted)
    if found is None:
        return {**artifact, "note": artifact["note"] or "no longer kept", "url": ""}
    shown = "picture" if is_picture(found.media_type) else "video" if is_video(found.media_type) else "link"
    told = artifact["mime_type"] if found.media_type == DOWNLOAD else found.mime_type
    return {**artifact, "shown": shown, "mime_type": told, "size": found.size}


def _thread(record: RunRecord, row: Mapping[str, Any], table: StatusTable) -> dict[str, Any]:
    word, tone = _RUN_WORDS.get(row["status"], ("Unknown", "idle"))
    observed = row["elapsed_observed"]
    return {
        "position": row["position"],
        "word": word,
        "tone": tone,
        "parts": parts(row, table),
        "total": row["total_count"],
        "elapsed": row["elapsed_computed"] if observed is None else observed,
        "fields": attached(record, "fields", row["id"]),
        "artifacts": attached(record, "artifacts", row["id"]),
    }


def _whole(entry: Json) -> Json:
    """Return a field, artifact or link with all that it may have."""
    missing: Json = {
        "type": 1,
        "value": "",
        "meta": {},
        "url": "",
        "note": "",
        "mime_type": "",
        "size": None,
        "shown": "",
    }
    return {**missing, **{name: value for name, value in entry.items() if value is not None}}
