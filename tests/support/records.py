"""Records as they stand in the files of a session: by their kinds and the members of their JSON."""

from collections.abc import Mapping
from typing import Any

from pytest_automation_report.spool.ledger_records import LEDGER_KINDS
from pytest_automation_report.spool.record_kinds import SPOOL_KINDS
from pytest_automation_report.spool.records import Record, UnknownRecord, plain_record, record_from, unframed


def spool_record(kind: str, test: str = "", **members: Any) -> Record:  # noqa: ANN401 - whatever stands in a record
    """Return a record of a spool as its reader decodes it; raises `JsonError` if it is not as its kind declares it."""
    payload = unframed(plain_record(kind, **members)[:-1])
    assert payload is not None
    record = record_from(f'{payload[:-1]},"test":{test}}}' if test else payload, SPOOL_KINDS)
    assert record is not None
    return record


def ledger_record(kind: str, **members: Any) -> Record:  # noqa: ANN401 - as above
    """Return a record of a ledger as its reader decodes it; raises `JsonError` if it is not as its kind declares it."""
    document = {"k": kind, **members}
    return LEDGER_KINDS[kind].from_body(document) if kind in LEDGER_KINDS else UnknownRecord(document)


def members_of(record: Record) -> Mapping[str, Any]:
    """Return the members of a record that was read without a table of kinds."""
    assert isinstance(record, UnknownRecord)
    return record.members
