"""Turn rows of the store into the contract's JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw, Struct, field
from msgspec.json import Decoder, Encoder

from pytest_automation_report.server.store.references import USER_ID
from pytest_automation_report.server.store.statuses import COUNT_NAMES, ResultClass, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.inputs import Kind
    from pytest_automation_report.server.store.reads import Item, Page
    from pytest_automation_report.server.store.whole_runs import AttachedText, ThreadLine, WholeRun


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


_encode: Final = Encoder().encode
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


def run_view(run: WholeRun) -> Json:
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
        "threads": _threads(run.threads, attached),
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


def _threads(threads: Sequence[ThreadLine], attached: Mapping[tuple[Kind, int | None], Sequence[object]]) -> Raw:
    """Return the threads of a run as JSON, which is put together from texts: a run can have thousands of threads."""
    return Raw(f"[{','.join(_thread(thread, attached) for thread in threads)}]".encode())


def _thread(thread: ThreadLine, attached: Mapping[tuple[Kind, int | None], Sequence[object]]) -> str:
    artifacts, fields = attached["artifacts", thread.id], attached["fields", thread.id]
    completed = "null" if thread.completed is None else f'"{iso_time(thread.completed)}"'
    return (
        f'{{"id":{thread.id},"index":{thread.position},"name":"Thread {thread.position}","status":{thread.status},'
        f'"elapsed":{"null" if thread.elapsed is None else thread.elapsed},'
        f'"is_completed":{"true" if thread.is_completed else "false"},{thread.counts},'
        f'"artifacts":{_encode(artifacts).decode()},"fields":{_encode(fields).decode()},'
        f'"created_at":"{iso_time(thread.created)}","created_by":{USER_ID},'
        f'"completed_at":{completed},"completed_by":{_user(thread.completed) or "null"}}}'
    )


def _attached(attachments: Sequence[AttachedText]) -> Mapping[tuple[Kind, int | None], list[object]]:
    """Return the fields, artifacts and links of a run by their kind and thread, in the order of their arrival."""
    views: defaultdict[tuple[Kind, int | None], list[object]] = defaultdict(list)
    for kind, decoder in _DECODERS.items():
        of_kind = [(thread, body) for _, thread, its_kind, body in attachments if its_kind == kind]
        # All at once, which takes half the time.
        bodies = decoder.decode(f"[{','.join([body for _, body in of_kind])}]")
        for (thread, _), body in zip(of_kind, bodies, strict=True):
            views[kind, thread].append(body)
    return views


def _user(time_us: int | None) -> int | None:
    """Return the user of a change; None if there was no change."""
    return None if time_us is None else USER_ID


def _rounded(average: float | None) -> int | None:
    return None if average is None else round(average)
