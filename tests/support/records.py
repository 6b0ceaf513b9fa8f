"""Records as they stand in the files of a session: by their kinds and the members of their JSON, and of attempts."""

import json
from typing import Any

from pytest_automation_report.api.models import decode
from pytest_automation_report.spool.ledger import LEDGER_KINDS
from pytest_automation_report.spool.records import (
    SPOOL_KINDS,
    Attempt,
    FinishRecord,
    Record,
    StartRecord,
    framed,
    unframed,
)


def line(kind: str, **members: Any) -> bytes:  # noqa: ANN401 - whatever stands in a record
    """Return the line of a record, be it as its kind declares it or not."""
    return framed(json.dumps({"k": kind, **members}, separators=(",", ":")).encode())


def members_in(data: bytes) -> list[dict[str, Any]]:
    payloads = map(unframed, data.split(b"\n"))
    return [json.loads(payload) for payload in payloads if payload]


def spool_record(kind: str, **members: Any) -> Record:  # noqa: ANN401 - members of any type
    """Return a record of a spool as its reader decodes it; raises `ValueError` if it is not as its kind declares it."""
    record: Record = decode(json.dumps({"k": kind, **members}), SPOOL_KINDS)
    return record


def ledger_record(kind: str, **members: Any) -> Record:  # noqa: ANN401 - members of any type
    """Return a record of a ledger as its reader decodes it; raises `ValueError` if it does not fit its kind."""
    record: Record = decode(json.dumps({"k": kind, **members}), LEDGER_KINDS)
    return record


def start_line(number: int, moment: int, nodeid: str, file: str, lineno: int | None = None) -> bytes:
    return StartRecord(number, moment, nodeid, file, lineno).framed()


def finish_line(
    number: int,
    moment: int,
    nodeid: str,
    file: str,
    lineno: int | None,
    attempt: Attempt,
    *,
    began: int = 0,
    **more: Any,  # noqa: ANN401 - members of the record
) -> bytes:
    return FinishRecord(number, moment, nodeid, attempt, began, file, lineno, **more).framed()
