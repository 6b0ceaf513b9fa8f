"""The fields, artifacts and steps that a user adds to one attempt of a test.

All texts are clean: they were cut and redacted when they were added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.values import Value, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_automation_report.api.models import Artifact, Field

StepStatus: TypeAlias = 'Literal["passed", "failed", "skipped"]'
"""Status of a step, as the server's markup has it."""


class TimedStep(Value):
    """A step with those inside it; ``elapsed_us`` is None if it did not end.

    ``files`` are the places of the artifacts that were attached in it, among the artifacts of its attempt.
    """

    name: str
    status: StepStatus
    elapsed_us: int | None
    steps: tuple[TimedStep, ...]
    files: tuple[int, ...] = ()

    def moved(self, count: int) -> TimedStep:
        """Return the step after ``count`` artifacts were put before those of its attempt."""
        steps = tuple(step.moved(count) for step in self.steps)
        return replace(self, steps=steps, files=tuple(place + count for place in self.files))


class Annotations(Value):
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
    timed_steps: tuple[TimedStep, ...] = ()


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


def _merged_steps(parts: Iterable[Annotations]) -> Iterator[TimedStep]:
    count = 0
    for part in parts:
        yield from (step.moved(count) for step in part.timed_steps) if count else part.timed_steps
        count += len(part.artifacts)
