"""Turn rows of the store into the contract's JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct, field
from msgspec.json import Decoder

from pytest_automation_report.server.store.references import USER_ID
from pytest_automation_report.server.store.statuses import COUNT_NAMES, ResultClass, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import Kind
    from pytest_automation_report.server.store.reads import Item, Page, RunRecord

    _Attached: TypeAlias = defaultdict[tuple[Kind, "int | None"], list[object]]


# A property that was not sent is null, and a missing ``meta`` is empty; those that responses do not have are dropped.


class _FieldView(Struct, gc=False):
    type: Any = None
    name: Any = None
    value: Any = None
    meta: Any = field(default_factory=dict)


class _ArtifactView(Struct, gc=False):
    name: Any = None
    note: Any = None
    url: Any = None
    mime_type: Any = None
    size: Any = None


class _LinkView(Struct, gc=False):
    name: Any = None
    note: Any = None
    url: Any = None


_DECODERS: Final[Mapping[Kind, Decoder[Any]]] = {
    "fields": Decoder(list[_FieldView]),
    "artifacts": Decoder(list[_ArtifactView]),
    "links": Decoder(list[_LinkView]),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MINUTE_US: Final = 60_000_000
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


def run_view(run: RunRecord) -> Json:
    """Return a run with its threads."""
    row, attached = run.row, _attached(run.attachments)
    # A run that late results have opened again keeps the time of its completion in the store.
    completed = row["completed"] if row["is_completed"] else None
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
        **{name: row[name] for name in COUNT_NAMES},
        "artifacts": attached["artifacts", None],
        "fields": attached["fields", None],
        "links": attached["links", None],
        "tags": json.loads(row["tags"]),
        "threads": [_thread(thread, attached) for thread in run.threads],
        "thread_count": row["thread_count"],
        "thread_active_count": row["thread_active_count"],
        "thread_completed_count": row["thread_count"] - row["thread_active_count"],
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "updated_at": iso_time(row["updated"]),
        "updated_by": _user(row["updated"]),
        "completed_at": iso_time(completed),
        "completed_by": _user(completed),
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
    minute, rest = divmod(microseconds, _MINUTE_US)
    return f"{_minute(minute)}:{rest // 1_000_000:02d}.{rest // 1000 % 1000:03d}Z"


@lru_cache(maxsize=1024)
def _minute(minutes: int) -> str:
    """Return the beginning of a time: the threads of a run began in the same few minutes."""
    return (_EPOCH + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M")


def _thread(row: Json, attached: _Attached) -> Json:
    elapsed = row["elapsed_computed"] if row["elapsed_observed"] is None else row["elapsed_observed"]
    return {
        "id": row["id"],
        "index": row["position"],
        "name": f"Thread {row['position']}",
        "status": row["status"],
        "elapsed": elapsed,
        "is_completed": row["is_completed"],
        **{name: row[name] for name in COUNT_NAMES},
        "artifacts": attached["artifacts", row["id"]],
        "fields": attached["fields", row["id"]],
        "created_at": iso_time(row["created"]),
        "created_by": USER_ID,
        "completed_at": iso_time(row["completed"]),
        "completed_by": _user(row["completed"]),
    }


def _attached(attachments: Sequence[Json]) -> _Attached:
    """Return the fields, artifacts and links of a run by their kind and thread, in the order of their arrival."""
    views: _Attached = defaultdict(list)
    for kind, decoder in _DECODERS.items():
        of_kind = [row for row in attachments if row["kind"] == kind]
        # All at once, which takes half the time.
        bodies = decoder.decode(f"[{','.join([row['body'] for row in of_kind])}]")
        for row, body in zip(of_kind, bodies, strict=True):
            views[kind, row["thread"]].append(body)
    return views


def _user(time_us: int | None) -> int | None:
    """Return the user of a change; None if there was no change."""
    return None if time_us is None else USER_ID


def _rounded(average: float | None) -> int | None:
    return None if average is None else round(average)
