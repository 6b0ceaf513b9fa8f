"""Define what the store takes and returns: its errors, result statuses, and the values of valid request bodies.

Only this module translates between ids of result statuses, result classes, and states of runs and threads.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypedDict
from urllib.parse import quote

from msgspec import Struct

from pytest_automation_report.api.models import ARTIFACTS_PATH, EMBEDDED_ORIGIN, Amount, ShortText, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from typing_extensions import Required


class ApiError(Exception):
    """A 4xx response: nothing was stored. ``errors`` maps dotted paths of a body, or query parameters, to messages.

    ``kind`` names the state of the store that causes it, for log and metrics: "database", "disk" or "" for none.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Mapping[str, Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        kind: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors or {}
        self.headers = headers or {}
        self.kind = kind

    @property
    def document(self) -> Mapping[str, object]:
        """The JSON of its response."""
        return {"message": self.message, **({"errors": self.errors} if self.errors else {})}


def not_found(noun: str) -> ApiError:
    """Return the error (404) for a URL whose record does not exist."""
    return ApiError(404, f"There is no {noun} with this id.")


def already_completed(noun: str) -> ApiError:
    """Return the error (422) for a change to a completed run or thread."""
    return ApiError(422, f"The {noun} is completed and takes no changes.")


def validation_error(errors: Mapping[str, Sequence[str]]) -> ApiError:
    """Return the error (422) for a request with invalid values."""
    return ApiError(422, "The request has values that cannot be used.", errors)


# Clients repeat a request after 429. After a 5xx they would have to find out first whether it was applied.
def unreachable() -> ApiError:
    """Return the error (429) for a database that cannot be reached."""
    return ApiError(429, "The database of the store cannot be reached.", {}, {"Retry-After": "5"}, "database")


def disk_full() -> ApiError:
    """Return the error (429) for a full disk: the transaction was rolled back, so the request is safe to repeat."""
    message = "The disk is full: free space where the store is. Nothing of this request was stored."
    return ApiError(429, message, {}, {"Retry-After": "30"}, "disk")


def try_again(message: str = "The store is busy with other writers.") -> ApiError:
    """Return the error (429) for a locked store: nothing was stored, so the request is safe to repeat."""
    return ApiError(429, message, {}, {"Retry-After": "1"})


class RunStatus(IntEnum):
    """State of a run or thread."""

    SUCCESS = 2
    FAILURE = 3
    RUNNING = 4


class ResultClass(IntEnum):
    """Meaning of a result, which does not depend on the name of its status."""

    NEUTRAL = 1
    SUCCESS = 2
    FAILURE = 3


class ResultStatus(Struct, frozen=True):
    """One result status; clients send a test with one of its ``aliases``; ``color`` is ``#rrggbb``."""

    id: int
    name: str
    aliases: tuple[str, ...]
    color: str
    is_final: bool = True
    is_untested: bool = False
    is_passed: bool = False
    is_failed: bool = False

    @property
    def system_name(self) -> str:
        """The name for programs."""
        return self.name.lower()

    @property
    def result_class(self) -> ResultClass:
        """The class of results with this status."""
        if self.is_passed:
            return ResultClass.SUCCESS
        return ResultClass.FAILURE if self.is_failed else ResultClass.NEUTRAL

    @property
    def counts(self) -> tuple[str, ...]:
        """The names of the counts that grow by one with each result of this status."""
        sums = (
            ("success_count", self.is_passed),
            ("failure_count", self.is_failed),
            ("completed_count", self.is_final),
            ("total_count", True),
        )
        return (slot_name(self.id), *(name for name, is_counted in sums if is_counted))


RESULT_STATUSES: Final = {
    status.id: status
    for status in (
        ResultStatus(1, "Untested", ("untested",), "#9aa0a6", is_final=False, is_untested=True),
        ResultStatus(2, "Passed", ("passed", "pass", "success", "ok"), "#2e9e5b", is_passed=True),
        ResultStatus(3, "Failed", ("failed", "fail", "failure", "error"), "#d64545", is_failed=True),
        ResultStatus(4, "Retest", ("retest",), "#d99a00", is_final=False),
        ResultStatus(5, "Blocked", ("blocked",), "#8b5cf6"),
        ResultStatus(6, "Skipped", ("skipped", "skip"), "#6b7f99"),
    )
}
"""The result statuses by id, as an instance has them that changed none; no request changes them."""

# The ids of the statuses by alias; case matters.
STATUS_IDS: Final = {alias: status.id for status in RESULT_STATUSES.values() for alias in status.aliases}


def slot_name(status_id: int) -> str:
    """Return the name of a status' count: in the contract, ``status1_count`` belongs to the status with id 2."""
    return "untested_count" if status_id == 1 else f"status{status_id - 1}_count"


_SUMS: Final = ("success_count", "failure_count", "completed_count", "total_count")
# Every count of a run or thread, in the contract's order: it has 25 statuses.
COUNT_NAMES: Final = (*map(slot_name, range(1, 26)), *_SUMS)
STORED_COUNTS: Final = (*map(slot_name, RESULT_STATUSES), *_SUMS)  # the counts of a run or thread that are not always 0
_COUNTS_OF_STATUSES: Final = {status.id: status.counts for status in RESULT_STATUSES.values()}


FIXTURE_COUNTS: Final = ("status2_count", "failure_count")
"""The counts that a failed fixture increases: the sums are of tests, by which clients know that all arrived."""


def increments(status_ids: Iterable[int], fixtures: int = 0) -> Counter[str]:
    """Return by how much results with these statuses increase each count, and failures of fixtures that tests share."""
    counts = Counter(name for status_id in status_ids for name in _COUNTS_OF_STATUSES[status_id])
    if fixtures:
        counts.update(dict.fromkeys(FIXTURE_COUNTS, fixtures))
    return counts


def final_status(failure_count: int) -> RunStatus:
    """Return the state of a completed run or thread."""
    return RunStatus.FAILURE if failure_count else RunStatus.SUCCESS


INT64_MAX = 2**63 - 1  # largest integer that a column can hold
PartKind: TypeAlias = Literal["fields", "artifacts", "links"]


# A tuple, since an append can have 50,000 tests, whose values go into the database by position.
class StoredTest(NamedTuple):
    """One test of an append by the columns of ``result``; ``elapsed`` in microseconds, the last are extensions."""

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
    known: str | None = None
    is_excused: bool | None = None
    causes: str | None = None
    output: str | None = None
    owner: str | None = None
    failed_attempts: int | None = None
    paused: int | None = None
    is_fixture: bool = False  # of a fixture that tests share: no column


class StoredField(TypedDict, total=False):
    """The JSON of a stored field of a run, thread or test."""

    type: Required[int]
    name: Required[str]
    value: str | None
    meta: dict[str, str]
    is_highlight: bool


class StoredAttachment(NamedTuple):
    """One field, artifact or link of a run or thread; ``body`` is a JSON object."""

    kind: PartKind
    body: str


class RunSubmission(Struct, frozen=True):
    """A run to create; ids win over names, and ``extensions`` are its columns."""

    name: str
    source: str
    config: str | None = None
    config_id: int | None = None
    milestone: str | None = None
    milestone_id: int | None = None
    tags: tuple[str, ...] = ()
    attachments: tuple[StoredAttachment, ...] = ()
    extensions: Mapping[str, str | int] = {}


class RunAddition(Struct, frozen=True):
    """An append to a run; ``extensions`` are its columns."""

    attachments: tuple[StoredAttachment, ...] = ()
    extensions: Mapping[str, str | int] = {}


class ThreadSubmission(Struct, frozen=True):
    """A new thread or an append to one; ``durations`` in microseconds and ``extensions`` are its columns.

    ``of_run`` are columns of its run.
    """

    durations: Mapping[str, int] = {}
    attachments: tuple[StoredAttachment, ...] = ()
    tests: Sequence[StoredTest] = ()
    extensions: Mapping[str, str | int] = {}
    of_run: Mapping[str, str | int] = {}


class Extension(Struct, frozen=True, omit_defaults=True, gc=False):
    """An object within an extension; properties of newer clients are ignored."""


class RunningTest(Extension, frozen=True):
    """A test that runs; ``since`` is in microseconds since the session of its thread began."""

    key: ShortText
    name: ShortText
    folder: ShortText
    since: Amount


EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)  # the time 0, from which all stored times are microseconds
DAY_US: Final = 24 * 3600 * 1_000_000  # a day in microseconds


def iso_time(microseconds: int | None) -> str | None:
    """Return a time, in microseconds since 1970, in the contract's form with whole milliseconds; None for None."""
    if microseconds is None:
        return None
    time = EPOCH + timedelta(milliseconds=microseconds // 1000)
    return f"{time.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def json_text(value: object) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def hexadecimal(fingerprint: int) -> str:
    """Return a stored fingerprint as its 16 digits."""
    return fingerprint.to_bytes(8, "big", signed=True).hex()


KILLED: Final = -0x4C92471975094132
"""Fingerprint of the tests that were running when their process died: nobody knows whether it was their fault."""

ADDRESS: Final = f"{EMBEDDED_ORIGIN}{ARTIFACTS_PATH}/"  # beginning of the URL of every stored content
_content = re.compile(rf"{re.escape(ADDRESS)}([0-9a-f]{{64}})(?:/([A-Za-z0-9._~%-]{{1,900}}))?").fullmatch
_hashes = re.compile("/([0-9a-f]{64})(?![0-9a-f])").findall


def content_address(content_hash: str, name: str) -> str:
    """Return the URL of a content; the name is only for people and may be any text."""
    return f"{ADDRESS}{content_hash}/{quote(file_name(name), safe='')}"


def content_hash(address: str) -> str | None:
    """Return the hash in the URL of a stored content; None for every other URL."""
    match = _content(address)
    return match[1] if match else None


def content_path(address: str) -> str | None:
    """Return the path at which this server shows a stored content; None for every other URL."""
    match = _content(address)
    if match is None:
        return None
    # A browser would resolve `.` and `..` and ask for another path.
    has_name = match[2] not in (None, ".", "..")
    return f"{ARTIFACTS_PATH}/{match[1]}/{match[2]}" if has_name else f"{ARTIFACTS_PATH}/{match[1]}"


def hashes_in(text: str | None) -> set[str]:
    """Return the hashes of all contents whose URLs stand in a text: those stored here, and those in buckets."""
    return set(_hashes(text)) if text else set()
