"""Derive from the fields of runs and results what findings need as columns: branch, attempts, reason of a failure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from pytest_automation_report.api.models import ATTEMPTS_META, COLLECTED_FIELD, DIED_NOTE, NOTE_FIELD
from pytest_automation_report.server.store.statuses import ResultClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_automation_report.api.models import Json
    from pytest_automation_report.findings.fingerprints import Kind
    from pytest_automation_report.server.store.inputs import StoredAttachment, StoredTest

_RUN_FIELDS: Final = {
    "Branch": "branch", "Commit": "commit", "Target branch": "target_branch", "Selection": "selection"
}  # fmt: skip
_PHASES: Final[Mapping[str, Kind]] = {"setup": "setup", "call": "call", "teardown": "teardown"}
_CHANGES: Final = "Uncommitted changes"
_MAX_MESSAGE: Final = 200
# Of a traceback its end has the innermost frames.
_MAX_TEXT: Final = 20_000
_WHOLE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


class Derived(NamedTuple):
    """Columns of a result, in the order of those in `inserts`; ``fingerprint`` is a signed number of 64 bits."""

    failed_attempts: int | None = None
    phase: str | None = None
    message: str | None = None
    fingerprint: int | None = None


NOTHING: Final = Derived()
"""Columns of a test that passed at its first attempt, as nearly all do."""


def derived(test: StoredTest, result_class: int) -> Derived:
    """Return the derived columns of a result.

    The fields are parsed only if they can have something: of 10,000 tests that passed none is.
    """
    is_failure = result_class == ResultClass.FAILURE
    if not is_failure and (test.fields is None or '"counts"' not in test.fields):
        return NOTHING
    fields: list[Json] = json.loads(test.fields) if test.fields else []
    attempts = next((field["value"] for field in fields if field.get("meta") == ATTEMPTS_META), None)
    failed_attempts = None
    if isinstance(attempts, str) and _WHOLE_NUMBER.fullmatch(attempts):
        failed_attempts = int(attempts) - 1 or None
    if not is_failure:
        return Derived(failed_attempts)
    # Its expressions take 10 ms to compile: a session whose tests all pass does not pay for them.
    from pytest_automation_report.findings.fingerprints import failure_of, fingerprint_of  # noqa: PLC0415

    cause = _cause(fields)
    meta: Mapping[str, str] = cause.get("meta") or {}
    text = str(cause.get("value") or "")
    message = meta.get("message") or text
    failure = failure_of(
        message,
        meta.get("type", ""),
        text[-_MAX_TEXT:],
        file=test.file or "",
        name=test.name,
        # pytest's own name for a module that could not be collected stands in both, as in its JUnit XML.
        is_collection=test.folder == test.name or test.folder.endswith(f".{test.name}"),
    )
    phase = _PHASES.get(meta.get("phase", ""))
    if phase is not None and failure.kind in _PHASES:
        failure = replace(failure, kind=phase)  # as the client knows it, and not as its message begins
    fingerprint = int.from_bytes(bytes.fromhex(fingerprint_of(failure).value), "big", signed=True)
    return Derived(failed_attempts, failure.kind, failure.line[:_MAX_MESSAGE], fingerprint)


def _cause(fields: Sequence[Json]) -> Json:
    """Return the field with the failure: the first that is highlighted, else the first with a message."""
    highlights = (field for field in fields if field.get("is_highlight"))
    messages = (field for field in fields if (field.get("meta") or {}).get("message"))
    return next(highlights, None) or next(messages, None) or {}


def run_columns(attachments: Iterable[StoredAttachment]) -> dict[str, str | bool | int]:
    """Return the columns of a run that its new fields set; an empty value sets none."""
    columns: dict[str, str | bool | int] = {}
    for attachment in attachments:
        if attachment.kind != "fields":
            continue
        field: Json = json.loads(attachment.body)
        name, value = field.get("name"), field.get("value")
        if name in _RUN_FIELDS and isinstance(value, str) and value:
            columns[_RUN_FIELDS[name]] = value
        elif name == COLLECTED_FIELD and isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            columns["collected"] = int(value)
        elif name == _CHANGES and value:
            columns["is_changed"] = True
    return columns


def says_death(field: Json) -> bool:
    """Whether a field of a run or thread says that pytest was killed before its session ended."""
    return field.get("name") == NOTE_FIELD and str(field.get("value") or "").startswith(DIED_NOTE)
