"""Define the values that the store gets from a valid request body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from pytest_automation_report.server.store.statuses import DEFAULT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_automation_report.server.store.statuses import StatusTable

INT64_MAX = 2**63 - 1
"""Largest integer that a column can hold."""

Kind: TypeAlias = Literal["fields", "artifacts", "links"]


# A tuple, since an append can have 50,000 tests, whose values go into the database by position.
class StoredTest(NamedTuple):
    """One test of an append; ``status`` is an id, ``elapsed`` in microseconds, ``fields`` and ``artifacts`` are JSON.

    The order is that of the columns in `inserts`. The last seven are extensions, as in `ResultRow`.
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
    started: int | None = None
    setup: int | None = None
    teardown: int | None = None
    steps: str | None = None
    comparison: str | None = None
    colours: str | None = None
    attempts: str | None = None


class StoredAttachment(NamedTuple):
    """One field, artifact or link of a run or thread; ``body`` is a JSON object."""

    kind: Kind
    body: str


class RunSubmission(Struct, frozen=True):
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


class ThreadSubmission(Struct, frozen=True):
    """The content of a new thread or of an append to a thread; durations in microseconds.

    The tests were validated with ``statuses`` and must be counted with the same ones. The members after them are
    extensions, as in `ThreadRow`; None changes nothing.
    """

    observed: int | None
    computed: int | None
    attachments: tuple[StoredAttachment, ...]
    tests: Sequence[StoredTest] = ()
    statuses: StatusTable = DEFAULT_STATUSES
    session_started: int | None = None
    job: str | None = None
    attempt: int | None = None
    running: str | None = None
    collection: str | None = None

    @property
    def extensions(self) -> dict[str, str | int]:
        """The columns of the thread that it sets."""
        names = ("session_started", "job", "attempt", "running", "collection")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def json_text(value: object) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
