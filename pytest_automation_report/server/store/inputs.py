"""Define the values that the store gets from a valid request body, and build them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from pytest_automation_report.server.store.statuses import DEFAULT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.server.store.statuses import StatusTable

INT64_MAX = 2**63 - 1
"""Largest integer that a column can hold."""

Kind: TypeAlias = Literal["fields", "artifacts", "links"]

_PROPERTIES: Mapping[Kind, tuple[str, ...]] = {
    "fields": ("type", "name", "value", "meta", "is_highlight"),
    "artifacts": ("name", "note", "url", "mime_type", "size"),
    "links": ("name", "note", "url"),
}


# A tuple, since an append can have 50,000 tests, whose values go into the database by position.
class StoredTest(NamedTuple):
    """One test of an append; ``status`` is an id, ``elapsed`` in microseconds, ``fields`` and ``artifacts`` are JSON.

    The order is that of the columns in `inserts`.
    """

    key: str
    name: str
    folder: str
    status: int
    elapsed: int | None = None
    file: str | None = None
    line: int | None = None
    assertions: int | None = None
    fields: str | None = None
    artifacts: str | None = None


class StoredAttachment(NamedTuple):
    """One field, artifact or link of a run or thread; ``body`` is a JSON object."""

    kind: Kind
    body: str


@dataclass(frozen=True, slots=True)
class RunSubmission:
    """A run to create; ids win over names; ``tags`` is JSON, ``tag_names`` has each tag once."""

    name: str
    source: str
    config: str | None
    config_id: int | None
    milestone: str | None
    milestone_id: int | None
    tags: str
    attachments: tuple[StoredAttachment, ...]
    tag_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadSubmission:
    """The content of a new thread or of an append to a thread; durations in microseconds.

    The tests were validated with ``statuses`` and must be counted with the same ones.
    """

    observed: int | None
    computed: int | None
    attachments: tuple[StoredAttachment, ...]
    tests: Sequence[StoredTest] = ()
    statuses: StatusTable = DEFAULT_STATUSES


def json_text(value: object) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def entries_text(kind: Kind, entries: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Return entries as a JSON list without properties that are not in the contract; None if there are no entries."""
    return json_text([_known(kind, entry) for entry in entries]) if entries else None


def test_from(loaded: Mapping[str, Any], statuses: StatusTable) -> StoredTest:
    """Return the test of a body that was validated with these statuses."""
    get = loaded.get
    return StoredTest(
        loaded["key"],
        loaded["name"],
        loaded["folder"],
        statuses.by_alias[loaded["status"]].id,
        get("elapsed"),
        get("file"),
        get("line"),
        get("assertions"),
        entries_text("fields", get("fields")),
        entries_text("artifacts", get("artifacts")),
    )


def run_from(loaded: Mapping[str, Any]) -> RunSubmission:
    """Return the run of a validated body; an empty name of a configuration or milestone means none."""
    tags = loaded.get("tags", [])
    return RunSubmission(
        loaded["name"],
        loaded["source"],
        loaded.get("config") or None,
        loaded.get("config_id"),
        loaded.get("milestone") or None,
        loaded.get("milestone_id"),
        json_text(tags),
        attachments_from(loaded),
        tuple(dict.fromkeys(tags)),
    )


def thread_from(
    loaded: Mapping[str, Any], tests: Sequence[StoredTest] = (), statuses: StatusTable = DEFAULT_STATUSES
) -> ThreadSubmission:
    """Return the new thread, or the addition to a thread, of a validated body."""
    return ThreadSubmission(
        loaded.get("elapsed_observed"),
        loaded.get("elapsed_computed"),
        attachments_from(loaded),
        tests,
        statuses,
    )


def attachments_from(loaded: Mapping[str, Any]) -> tuple[StoredAttachment, ...]:
    """Return the fields, artifacts and links of a validated body."""
    return tuple(
        StoredAttachment(kind, json_text(_known(kind, entry))) for kind in _PROPERTIES for entry in loaded.get(kind, ())
    )


def _known(kind: Kind, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in _PROPERTIES[kind] if name in entry}
