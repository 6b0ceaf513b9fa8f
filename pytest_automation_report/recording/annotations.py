"""The fields, artifacts and steps that a user adds to one attempt of a test.

All texts are clean: they were cut and redacted when they were added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_automation_report.api.models import Artifact, Field
    from pytest_automation_report.spool.record_kinds import Step, StepStatus


class Annotations(Struct, frozen=True):
    """Fields, artifacts and steps of one attempt.

    ``steps`` holds the first steps in their order, ``timed_steps`` the same as trees; ``counts`` are of all steps.
    ``key`` and ``folder`` replace those of the result unless they are None.
    """

    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[tuple[StepStatus, str], ...] = ()
    counts: Mapping[StepStatus, int] = field(default_factory=dict)
    key: str | None = None
    folder: str | None = None
    timed_steps: tuple[Step, ...] = ()


def merged(parts: Iterable[Annotations | None]) -> Annotations | None:
    """Merge several annotations into one, None if there are none; the last key and the last folder win."""
    present = [part for part in parts if part is not None]
    if len(present) < 2:  # noqa: PLR2004 - nothing to merge
        return present[0] if present else None
    counts: dict[StepStatus, int] = {}
    for part in present:
        for status, count in part.counts.items():
            counts[status] = counts.get(status, 0) + count
    return Annotations(
        fields=tuple(field_ for part in present for field_ in part.fields),
        artifacts=tuple(artifact for part in present for artifact in part.artifacts),
        steps=tuple(step for part in present for step in part.steps),
        counts=counts,
        key=next((part.key for part in reversed(present) if part.key is not None), None),
        folder=next((part.folder for part in reversed(present) if part.folder is not None), None),
        timed_steps=tuple(_merged_steps(present)),
    )


def _merged_steps(parts: Iterable[Annotations]) -> Iterator[Step]:
    count = 0
    for part in parts:
        yield from (_moved(step, count) for step in part.timed_steps) if count else part.timed_steps
        count += len(part.artifacts)


def _moved(step: Step, count: int) -> Step:
    """Return a step after ``count`` artifacts were put before those of its attempt."""
    steps = tuple(_moved(inner, count) for inner in step.steps)
    return replace(step, steps=steps, files=tuple(place + count for place in step.files))
