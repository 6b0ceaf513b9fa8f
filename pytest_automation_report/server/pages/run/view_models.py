"""Turn rows of a run and its tests into the values of templates."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pytest_automation_report.server.pages.attachments import attached
from pytest_automation_report.server.pages.statuses import RUN_WORDS, parts, ranked, shown_status
from pytest_automation_report.server.pages.texts import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_automation_report.server.pages.run.queries import Rows
    from pytest_automation_report.server.pages.run.url import RunState
    from pytest_automation_report.server.store.reads import RunRecord
    from pytest_automation_report.server.store.statuses import StatusTable

THREADS_SHOWN: Final = 100
"""Most threads that the page of a run shows."""

ATTACHMENTS_SHOWN: Final = 200
"""Most fields, artifacts or links of a run that its page shows."""

_MESSAGE_LENGTH: Final = 200
# Name of the field with the number of tests that a session did not run.
_NOT_RUN: Final = "Not run"
_is_number = re.compile(r"[0-9]{1,9}").fullmatch


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


def _thread(record: RunRecord, row: Mapping[str, Any], table: StatusTable) -> dict[str, Any]:
    word, tone = RUN_WORDS.get(row["status"], ("Unknown", "idle"))
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
