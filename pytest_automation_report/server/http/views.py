"""Turn rows of the store into the contract's JSON."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from msgspec.json import Decoder

from pytest_automation_report.server.store.references import USER_ID
from pytest_automation_report.server.store.statuses import COUNT_NAMES, ResultClass, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import Kind
    from pytest_automation_report.server.store.reads import Item, Page, RunRecord

_decode = Decoder(dict[str, Any]).decode
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ZONE_LENGTH = len("+00:00")
_PROPERTIES: Mapping[Kind, tuple[str, ...]] = {
    "fields": ("type", "name", "value", "meta"),
    "artifacts": ("name", "note", "url", "mime_type", "size"),
    "links": ("name", "note", "url"),
}
_SOURCE_STATUSES: Mapping[int | None, ResultClass] = {
    RunStatus.SUCCESS: ResultClass.SUCCESS,
    RunStatus.FAILURE: ResultClass.FAILURE,
}


def page_view(page: Page[Item], view: Callable[[Item], Json]) -> Json:
    """Return a page with its numbers; they are null for an empty list, which has no pages."""
    last = -(-page.total // page.size) or None  # rounded up
    return {
        "page": page.number if last else None,
        "prev_page": min(page.number - 1, last) if last and page.number > 1 else None,
        "next_page": page.number + 1 if last and page.number < last else None,
        "last_page": last,
        "per_page": page.size,
        "total": page.total,
        "result": [view(item) for item in page.items],
    }


def run_view(record: RunRecord) -> Json:
    """Return a run with its threads."""
    row = record.row
    attachments = [attachment for attachment in record.attachments if attachment["thread"] is None]
    return {
        "id": row["id"],
        "project_id": row["project"],
        "source_id": row["source"],
        "name": row["name"],
        "status": row["status"],
        "config_id": row["config"],
        "milestone_id": row["milestone"],
        "elapsed": row["elapsed"],
        "is_completed": row["is_completed"],
        **_counts(row),
        "artifacts": _attached("artifacts", attachments),
        "fields": _attached("fields", attachments),
        "links": _attached("links", attachments),
        "tags": json.loads(row["tags"]),
        "threads": _thread_views(record),
        "thread_count": row["thread_count"],
        "thread_active_count": row["thread_active_count"],
        "thread_completed_count": row["thread_count"] - row["thread_active_count"],
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "updated_at": iso_time(row["updated"]),
        "updated_by": _user(row["updated"]),
        "completed_at": iso_time(row["completed"]),
        "completed_by": _user(row["completed"]),
    }


def test_view(row: Mapping[str, Any]) -> Json:
    """Return one result of a run."""
    return {
        "automation_test_id": row["id"],
        "automation_case_id": row["case"],
        "repository_case_id": None,
        "repository_case_ids": [],
        "key": row["key"],
        "name": row["name"],
        "folder": row["folder"],
        "status": row["result_class"],
        "elapsed": row["elapsed"],
        "thread_id": row["thread"],
        "created_at": iso_time(row["created"]),
    }


def source_view(row: Mapping[str, Any]) -> Json:
    """Return a source with the status of its latest run."""
    return {
        "id": row["id"],
        "project_id": row["project"],
        "name": row["name"],
        "status": int(_SOURCE_STATUSES.get(row["last_run_status"], ResultClass.NEUTRAL)),
        "is_retired": False,
        "run_count": row["run_count"],
        "test_count_average": _rounded(row["test_average"]),
        "elapsed_average": _rounded(row["elapsed_average"]),
        "ran_at": iso_time(row["ran"]),
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "updated_at": None,
        "updated_by": None,
        "retired_at": None,
        "retired_by": None,
    }


def iso_time(microseconds: int | None) -> str | None:
    """Return a time, in microseconds since 1970, in the contract's form with whole milliseconds; None for None."""
    if microseconds is None:
        return None
    time = _EPOCH + timedelta(microseconds=microseconds)
    return f"{time.isoformat(timespec='milliseconds')[:-_ZONE_LENGTH]}Z"


def _thread_views(record: RunRecord) -> list[Json]:
    attachments: dict[int, list[Json]] = {thread["id"]: [] for thread in record.threads}
    for attachment in record.attachments:
        if attachment["thread"] is not None:
            attachments[attachment["thread"]].append(attachment)
    return [_thread_view(thread, attachments[thread["id"]]) for thread in record.threads]


def _thread_view(row: Mapping[str, Any], attachments: Sequence[Json]) -> Json:
    observed = row["elapsed_observed"]
    return {
        "id": row["id"],
        "index": row["position"],
        "name": f"Thread {row['position']}",
        "status": row["status"],
        "elapsed": row["elapsed_computed"] if observed is None else observed,
        "is_completed": row["is_completed"],
        **_counts(row),
        "artifacts": _attached("artifacts", attachments),
        "fields": _attached("fields", attachments),
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "completed_at": iso_time(row["completed"]),
        "completed_by": _user(row["completed"]),
    }


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in COUNT_NAMES}


def _attached(kind: Kind, attachments: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Return attachments of one kind; a property that was not sent is null, and a missing ``meta`` is empty."""
    views: list[Json] = []
    for attachment in attachments:
        if attachment["kind"] == kind:
            body = _decode(attachment["body"])
            views.append({name: body.get(name, {} if name == "meta" else None) for name in _PROPERTIES[kind]})
    return views


def _user(time_us: int | None) -> int | None:
    """Return the user of a change; None if there was no change."""
    return None if time_us is None else USER_ID


def _rounded(average: float | None) -> int | None:
    return None if average is None else round(average)
