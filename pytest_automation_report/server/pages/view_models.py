"""Turn rows of the store into the values of templates: words, tones, counts and links.

A tone is the name of a colour in the style sheet.
"""

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
"""Most threads that the page of a run shows."""

ATTACHMENTS_SHOWN: Final = 200
"""Most fields, artifacts or links of a run that its page shows."""

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
# Types of fields, as the API numbers them.
_TEXT_TYPES: Final = (2, 3, 4)
_HTML: Final = 3
# Name of the field with the number of tests that a session did not run.
_NOT_RUN: Final = "Not run"
_is_number = re.compile(r"[0-9]{1,9}").fullmatch


@dataclass(frozen=True, slots=True)
class Status:
    """A result status with its name and tone."""

    id: int
    name: str
    tone: Tone


def shown_status(table: StatusTable, number: int) -> Status:
    """Return a status by its id, also one that the project does not have."""
    status = table.by_id.get(number) or ResultStatus(number, f"Status {number}", (f"status{number}",))
    tone = _TONES.get(status.system_name)
    # A project may have renamed a status and changed its meaning: the meaning decides.
    if tone is None or status.is_passed or status.is_failed:
        tone = "pass" if status.is_passed else "fail" if status.is_failed else tone or "skip"
    return Status(number, status.name, tone)


def ranked(table: StatusTable) -> list[Status]:
    """Return all possible statuses, failures first and passes last."""
    rank = {"fail": 0, "block": 1, "warn": 2, "skip": 3, "idle": 4, "pass": 5, "live": 6}
    statuses = [shown_status(table, number) for number in range(1, STATUS_SLOTS + 1)]
    return sorted(statuses, key=lambda status: (rank[status.tone], status.id))


def parts(row: Mapping[str, Any], table: StatusTable) -> list[dict[str, Any]]:
    """Return the parts of the bar of a run or thread: status, tone and number of results, without empty ones."""
    counts = [(status, int(row[slot_name(status.id)])) for status in ranked(table)]
    return [{"status": status, "tone": status.tone, "count": count} for status, count in counts if count]


def run_summary(record: RunRecord, table: StatusTable, source: str) -> dict[str, Any]:
    """Return the values of a run in a list, and in the head of its page."""
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
        "branch": next((field["value"] for field in fields if field["name"].lower() == "branch"), None),
        "link": next(iter(links), None),
        "parts": parts(row, table),
        "total": row["total_count"],
        "elapsed": row["elapsed"],
        "created": row["created"],
        "completed": row["completed"],
    }


def run_details(record: RunRecord, table: StatusTable) -> dict[str, Any]:
    """Return the other values of a run's page, without its tests."""
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
    """Return the number of tests that the sessions of a run did not run.

    Each session of a run with several jobs has the field in its own thread. Threads that the page does not show are not
    read, so the number may be too small.
    """
    attachments = (attachment for attachment in record.attachments if attachment["kind"] == "fields")
    fields = (json.loads(attachment["body"]) for attachment in attachments)
    return sum(
        int(field["value"]) for field in fields if field["name"] == _NOT_RUN and _is_number(field["value"] or "")
    )


def attached(record: RunRecord, kind: str, thread: int | None = None) -> list[Json]:
    """Return the fields, artifacts or links of a run, or of one of its threads."""
    return [
        _with_defaults(json.loads(attachment["body"]))
        for attachment in record.attachments
        if attachment["thread"] == thread and attachment["kind"] == kind
    ]


def sections(
    rows: Rows, messages: Mapping[int, str], table: StatusTable, state: RunState, counts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Return the tests of a page in one section per status.

    ``counts`` has the number of tests by status on all pages, empty if unknown. The section of passed tests is closed,
    unless it is alone or the user has filtered or turned the page.
    """
    sections_by_status: dict[int, dict[str, Any]] = {}
    for row in rows.items:
        status = shown_status(table, row["status"])
        section = sections_by_status.setdefault(
            status.id, {"status": status, "rows": [], "count": counts.get(status.id, 0)}
        )
        section["rows"].append({**row, "message": messages.get(row["id"], "")})
    is_chosen = len(sections_by_status) == 1 or state.is_filtered or state.page > 1
    for section in sections_by_status.values():
        section["is_open"] = section["status"].tone != "pass" or is_chosen
    return list(sections_by_status.values())


def message_of(fields: str | None) -> str:
    """Return the first line of the error message in a test's fields, which are JSON; empty if there is no message."""
    for field in json.loads(fields or "[]"):
        message = (field.get("meta") or {}).get("message")
        if message:
            return plain(str(message)).strip().split("\n", 1)[0][:_MESSAGE_LENGTH]
    return ""


def folder_rows(rows: Rows, table: StatusTable) -> list[dict[str, Any]]:
    """Return the folders of a page with the parts of their bars."""
    statuses = ranked(table)
    return [
        {
            "folder": row["folder"],
            "parts": [
                {"status": status, "tone": status.tone, "count": row["counts"][status.id]}
                for status in statuses
                if row["counts"].get(status.id)
            ],
            "total": sum(row["counts"].values()),
        }
        for row in rows.items
    ]


def test_details(row: Mapping[str, Any], table: StatusTable, contents: Mapping[str, StoredContent]) -> dict[str, Any]:
    """Return the values of a test's page; ``contents`` are the artifacts that the store has, by hash."""
    fields = [_with_defaults(field) for field in json.loads(row["fields"] or "[]")]
    artifacts = [_with_defaults(artifact) for artifact in json.loads(row["artifacts"] or "[]")]
    error = next((field for field in fields if field["meta"].get("message")), None)
    return {
        "row": row,
        "status": shown_status(table, row["status"]),
        "message": error["meta"]["message"] if error else "",
        "error_type": error["meta"].get("type", "") if error else "",
        "blocks": [_block(field) for field in fields if field["type"] in _TEXT_TYPES],
        "pairs": [field for field in fields if field["type"] not in _TEXT_TYPES],
        "artifacts": [_shown_artifact(artifact, contents) for artifact in artifacts],
        "command": rerun_command(row, fields),
    }


def paging(page: int, total: int | None, size: int, *, has_more: bool = False) -> dict[str, int | None]:
    """Return the numbers of this page, of its neighbours and of the last one; None if missing or unknown.

    ``total`` is None for a list of unknown length: then ``has_more`` shows whether another page follows.
    """
    last = None if total is None else max(1, -(-total // size))
    is_followed = has_more if last is None else page < last
    return {"page": page, "before": page - 1 or None, "after": page + 1 if is_followed else None, "last": last}


def _block(field: Json) -> dict[str, Any]:
    """Return a field with a long text; HTML is shown as text, except for steps."""
    parsed_steps: Sequence[object] | None = steps(field["value"]) if field["type"] == _HTML else None
    return {**field, "steps": parsed_steps, "is_attempt": field["name"].startswith("Attempt ")}


def _shown_artifact(artifact: Json, contents: Mapping[str, StoredContent]) -> Json:
    """Return an artifact with the way in which a page shows its file: as a picture, a video or a link."""
    hash_ = content_hash(artifact["url"])
    if hash_ is None:  # stored somewhere else
        return artifact
    content = contents.get(hash_)
    if content is None:
        return {**artifact, "note": artifact["note"] or "no longer stored", "url": ""}
    shown = "picture" if is_picture(content.media_type) else "video" if is_video(content.media_type) else "link"
    # A file of no recognised type keeps the type that the test named.
    mime_type = artifact["mime_type"] if content.media_type == DOWNLOAD else content.mime_type
    return {**artifact, "shown": shown, "mime_type": mime_type, "size": content.size}


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


def _with_defaults(entry: Json) -> Json:
    """Return a field, artifact or link with defaults for missing properties, which templates may not read."""
    defaults: Json = {
        "type": 1,
        "value": "",
        "meta": {},
        "url": "",
        "note": "",
        "mime_type": "",
        "size": None,
        "shown": "",
    }
    return {**defaults, **{name: value for name, value in entry.items() if value is not None}}
