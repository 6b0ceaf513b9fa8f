"""Fields, artifacts and links of runs, threads and tests, as templates read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.reads import RunRecord


def attached(record: RunRecord, kind: str, thread: int | None = None) -> list[Json]:
    """Return the fields, artifacts or links of a run, or of one of its threads."""
    return [
        with_defaults(json.loads(attachment["body"]))
        for attachment in record.attachments
        if attachment["thread"] == thread and attachment["kind"] == kind
    ]


def with_defaults(entry: Json) -> Json:
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
