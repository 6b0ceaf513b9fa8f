"""Declare the extensions of request bodies, and turn them into the columns of the store.

The contract lets servers ignore properties that they do not know. An extension that is malformed or too large is
ignored for the same reason, so that its result is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Encoder

from pytest_automation_report.server.store.inputs import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_EXTENSION_BYTES: Final = 64 * 1024
"""Largest JSON of one extension that is stored; our clients send at most half of it."""

MAX_ATTEMPTS_BYTES: Final = 256 * 1024
"""Largest JSON of all earlier attempts of a test."""

MAX_EXTENSION_DEPTH: Final = 32
"""How deep steps and values may be nested."""

MAX_RUNNING: Final = 100
"""Most tests that run at the same time in one thread."""

_NAME_LENGTH: Final = 4096
_Name = Annotated[str, Meta(max_length=_NAME_LENGTH)]
_Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
_Style = Annotated[str, Meta(pattern=r"\A[0-9]{1,3}(;[0-9]{1,3}){0,5}\Z")]


class _Extension(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An object within an extension; properties of newer clients are ignored."""


class StepBody(_Extension, frozen=True, kw_only=True):
    """A step with the steps inside it; ``elapsed`` is in microseconds.

    ``files`` are places in the list of the artifacts of its attempt, from 0.
    """

    name: _Name
    status: Literal["passed", "failed", "skipped"]
    elapsed: _Count | UnsetType = UNSET
    files: tuple[_Count, ...] = ()
    steps: tuple[StepBody, ...] = ()


class ValueBody(_Extension, frozen=True, kw_only=True):
    """A value or a part of one; see `failures.values.Value` for the properties."""

    type: _Name
    text: str | UnsetType = UNSET
    items: tuple[ValueBody, ...] | UnsetType = UNSET
    entries: tuple[tuple[ValueBody, ValueBody], ...] | UnsetType = UNSET
    fields: tuple[tuple[_Name, ValueBody], ...] | UnsetType = UNSET
    size: _Count | UnsetType = UNSET
    start: _Count = 0


class ComparisonBody(_Extension, frozen=True, kw_only=True):
    """The sides of a comparison that failed."""

    operator: _Name
    left: ValueBody
    right: ValueBody


class RunningBody(_Extension, frozen=True, kw_only=True):
    """A test that runs; ``since`` is in microseconds since its session began."""

    key: _Name
    name: _Name
    folder: _Name
    since: _Count


class JobBody(_Extension, frozen=True, kw_only=True):
    """The job whose results a thread has; see `api.extensions.JOB`."""

    name: Annotated[str, Meta(min_length=1, max_length=_NAME_LENGTH)]
    attempt: _Count = 1


class CollectionBody(_Extension, frozen=True, kw_only=True):
    """The tests that a session collected, by their digest and number, and how many of them it was to run."""

    digest: Annotated[str, Meta(pattern=r"\A[0-9a-f]{16,64}\Z")]
    tests: _Count
    chosen: _Count


Colours = dict[_Name, tuple[tuple[_Count, _Count, _Style], ...]]


class AttemptBody(_Extension, frozen=True, kw_only=True):
    """An attempt before the last one: its captured output by the names of fields, and its other extensions.

    ``colours`` are those of the output, and of the text of the field ``Attempt N`` by the name ``Text``.
    """

    number: Annotated[int, Meta(ge=1, le=999_999_999)]
    output: dict[_Name, str] | UnsetType = UNSET
    phases: tuple[_Count, _Count, _Count] | UnsetType = UNSET
    steps: tuple[StepBody, ...] = ()
    comparison: ComparisonBody | UnsetType = UNSET
    colours: Colours | UnsetType = UNSET


Started = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Phases = tuple[_Count, _Count, _Count]
Steps = tuple[StepBody, ...]
Attempts = tuple[AttemptBody, ...]
Running = Annotated[tuple[RunningBody, ...], Meta(max_length=MAX_RUNNING)]

_encode: Final = Encoder().encode


def phase_columns(phases: Phases | UnsetType, elapsed: int | UnsetType) -> tuple[int | None, int | None]:
    """Return the microseconds of setup and teardown, None for both if they are more than the whole test took."""
    if phases is UNSET or elapsed is UNSET or phases[0] + phases[2] > elapsed:
        return None, None
    return phases[0], phases[2]


def steps_column(steps: Steps | UnsetType) -> str | None:
    """Return steps as JSON, None if there are none or they are too large."""
    return _text(steps) if steps is not UNSET and steps and _are_flat(steps) else None


def comparison_column(comparison: ComparisonBody | UnsetType) -> str | None:
    """Return a comparison as JSON, None if there is none or it is too large."""
    return _text(comparison) if comparison is not UNSET and _is_flat(comparison) else None


def colours_column(colours: Colours | UnsetType) -> str | None:
    """Return coloured parts of fields as JSON, None if there are none or they are too large."""
    return _text(colours) if colours is not UNSET and colours else None


def attempts_column(attempts: Attempts | UnsetType) -> str | None:
    """Return earlier attempts as JSON, None if there are none, or if they are too large or nested too deeply."""
    if attempts is UNSET or not attempts:
        return None
    is_flat = all(
        _are_flat(attempt.steps) and (attempt.comparison is UNSET or _is_flat(attempt.comparison))
        for attempt in attempts
    )
    return _text(attempts, MAX_ATTEMPTS_BYTES) if is_flat else None


def running_column(running: Running | UnsetType) -> str | None:
    """Return the running tests as JSON, None if the request has nothing about them."""
    return None if running is UNSET else _text(running)


def collection_column(collection: CollectionBody | UnsetType) -> str | None:
    """Return the collected tests as JSON, None if the request has nothing about them."""
    return None if collection is UNSET else _text(collection)


def _are_flat(steps: Sequence[StepBody]) -> bool:
    """Whether steps are nested no deeper than the limit."""
    level = steps
    for _ in range(MAX_EXTENSION_DEPTH):
        level = tuple(step for parent in level for step in parent.steps)
        if not level:
            return True
    return False


def _is_flat(comparison: ComparisonBody) -> bool:
    """Whether the values of a comparison are nested no deeper than the limit."""
    level: list[ValueBody] = [comparison.left, comparison.right]
    for _ in range(MAX_EXTENSION_DEPTH):
        level = [part for value in level for part in _parts(value)]
        if not level:
            return True
    return False


def _parts(value: ValueBody) -> tuple[ValueBody, ...]:
    items = () if value.items is UNSET else value.items
    entries = () if value.entries is UNSET else value.entries
    fields = () if value.fields is UNSET else value.fields
    return (*items, *(part for entry in entries for part in entry), *(part for _, part in fields))


def _text(value: object, most_bytes: int = MAX_EXTENSION_BYTES) -> str | None:
    body = _encode(value)
    return body.decode() if len(body) <= most_bytes else None
