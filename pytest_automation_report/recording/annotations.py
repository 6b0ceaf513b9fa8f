"""What a user adds to one attempt of a test (floor 1): a value of clean texts that can travel on a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_automation_report.api.models import Artifact, Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_automation_report.api.models import Json

StepStatus: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Fields, artifacts and steps of one attempt.

    ``steps`` are the first ones, in the order in which they are shown, ``counts`` are of all; ``key`` and ``folder``
    take the place of the result's own where they are given.
    """

    fields: tuple[Field, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[tuple[StepStatus, str], ...] = ()
    counts: Mapping[StepStatus, int] = field(default_factory=dict)
    key: str | None = None
    folder: str | None = None

    def to_json(self) -> Json:
        """Return plain data that any process can carry."""
        return {
            "fields": [each.body() for each in self.fields],
            "artifacts": [each.body() for each in self.artifacts],
            "steps": [list(each) for each in self.steps],
            "counts": dict(self.counts),
            "key": self.key,
            "folder": self.folder,
        }

    @classmethod
    def from_json(cls, body: Json) -> Annotations:
        """Return what `to_json` wrote."""
        return cls(
            fields=tuple(Field.from_body(each) for each in body["fields"]),
            artifacts=tuple(Artifact(**each) for each in body["artifacts"]),
            steps=tuple((status, name) for status, name in body["steps"]),
            counts=dict(body["counts"]),
            key=body["key"],
            folder=body["folder"],
        )


def merged(parts: Iterable[Annotations | None]) -> Annotations | None:
    """Return several as one, None when there is nothing; the last key and folder count."""
    found = [each for each in parts if each is not None]
    if len(found) < 2:  # noqa: PLR2004 - one needs no joining
        return found[0] if found else None
    counts: dict[StepStatus, int] = {}
    for each in found:
        for status, number in each.counts.items():
            counts[status] = counts.get(status, 0) + number
    return Annotations(
        fields=tuple(one for each in found for one in each.fields),
        artifacts=tuple(one for each in found for one in each.artifacts),
        steps=tuple(one for each in found for one in each.steps),
        counts=counts,
        key=next((each.key for each in reversed(found) if each.key is not None), None),
        folder=next((each.folder for each in reversed(found) if each.folder is not None), None),
    )
