"""Turn the row of a test into the values of its page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.attachments import with_defaults
from pytest_automation_report.server.pages.statuses import shown_status
from pytest_automation_report.server.pages.texts import rerun_command, steps
from pytest_automation_report.server.store.artifact_urls import content_hash
from pytest_automation_report.server.store.media_types import DOWNLOAD, is_picture, is_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.server.store.artifact_rows import StoredContent
    from pytest_automation_report.server.store.statuses import StatusTable

# Types of fields, as the API numbers them.
_TEXT_TYPES: Final = (2, 3, 4)
_HTML: Final = 3


def test_details(row: Mapping[str, Any], table: StatusTable, contents: Mapping[str, StoredContent]) -> dict[str, Any]:
    """Return the values of a test's page; ``contents`` are the artifacts that the store has, by hash."""
    fields = [with_defaults(field) for field in json.loads(row["fields"] or "[]")]
    artifacts = [with_defaults(artifact) for artifact in json.loads(row["artifacts"] or "[]")]
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
