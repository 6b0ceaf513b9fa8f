"""The typed values of a test's result that a server of ours takes beside the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence  # noqa: TC003 - msgspec reads annotations
from typing import Annotated, Final, TypeAlias, get_args

from msgspec import Meta, Struct, field

from pytest_automation_report.api.models import (
    Amount,
    Cause,
    Field,
    Json,
    Known,
    OutputName,
    ShortText,
    Step,
    StepStatus,
    Test,
    first_cause,
)

OUTPUTS: Final[tuple[OutputName, ...]] = get_args(OutputName)

INDENT: Final = "\u203a "
"""Stands in a list of steps before a step, once for each step around it."""

_Style: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9]{1,3}(;[0-9]{1,3}){0,5}\Z")]
ColourSpans: TypeAlias = dict[ShortText, tuple[tuple[Amount, Amount, _Style], ...]]
"""The coloured parts of texts, by the names of causes, outputs and fields: first character, one after last, style."""

Streams: TypeAlias = dict[OutputName, str]


class Phases(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The parts of a test's time, in microseconds; together they are its ``elapsed``."""

    setup: Amount
    call: Amount
    teardown: Amount


class AttemptParts(Struct, frozen=True, omit_defaults=True):
    """An attempt of a test; ``status`` is pytest's outcome, ``number`` counts from 1.

    Clients before this release name neither ``status``, ``elapsed``, ``causes`` nor ``fields``.
    """

    number: Annotated[int, Meta(ge=1, le=999_999_999)]
    status: ShortText = ""
    elapsed: Amount | None = None
    causes: tuple[Cause, ...] = ()
    fields: tuple[Field, ...] = ()
    output: Streams = field(default_factory=dict)
    phases: Phases | None = None
    steps: tuple[Step, ...] = ()
    colours: ColourSpans = field(default_factory=dict)

    @property
    def cause(self) -> Cause | None:
        """The first cause for which it did not pass."""
        return first_cause(self.causes)

    @property
    def text(self) -> str:
        """What it was as one text: its causes, then its steps and its author's fields."""
        causes = [(cause.name, cause.text) for cause in self.causes if cause.kind != "xpass"]
        fields = (f"{each.name}: {each.value or ''}" for each in self.fields)
        added = [*map(step_line, listed_steps(self.steps)), *fields]
        return attempt_text(self.status, causes, added)


def attempt_text(status: str, causes: Sequence[tuple[str, str]], added: Sequence[str]) -> str:
    """Return what an attempt was as one text: its causes, each a name and a text, and below them the added lines."""
    if len(causes) > 1:
        text = "\n\n".join(map("\n".join, causes))
    else:
        text = causes[0][1] if causes else f"This attempt ended as {status}."
    return "\n\n".join([text, "\n".join(added)]) if added else text


def step_line(step: tuple[StepStatus, str]) -> str:
    """Return a step in such a text."""
    return f"[{step[0]}] {step[1]}"


class EarlierAttempt(AttemptParts, frozen=True, omit_defaults=True):
    """An attempt before the last one, with the comparison that failed it as its client sends it."""

    comparison: Json | None = None


class TypedTest(Test, frozen=True):
    """A result as a server of ours takes it: without fields for what these members hold.

    ``paused`` are the microseconds of ``elapsed`` in which Python collected garbage, in whichever test that fell.
    """

    started: Amount | None = None
    phases: Phases | None = None
    steps: tuple[Step, ...] = ()
    comparison: Json | None = None
    colours: Mapping[str, tuple[tuple[int, int, str], ...]] = field(default_factory=dict)
    attempts: tuple[EarlierAttempt, ...] = ()
    causes: tuple[Cause, ...] = ()
    output: Mapping[OutputName, str] = field(default_factory=dict)
    owner: str = ""
    known: Known | None = None
    paused: int | None = None

    @classmethod
    def of(cls, test: Test) -> TypedTest:
        """Return a result that has no more than the contract's members."""
        return cls(*(getattr(test, name) for name in Test.__struct_fields__))


MEMBERS: Final = frozenset(TypedTest.__struct_fields__) - frozenset(Test.__struct_fields__)
"""The members that the contract does not have."""


def listed_steps(steps: Sequence[Step], depth: int = 0) -> Iterator[tuple[StepStatus, str]]:
    """Yield status and text of steps and of those inside them, in their order."""
    for step in steps:
        unfinished = " (not finished)" if step.is_open else ""
        yield step.status, f"{INDENT * depth}{step.name}{unfinished}"
        yield from listed_steps(step.steps, depth + 1)


def failed_attempts(attempts: Sequence[AttemptParts]) -> int | None:
    """Return how many attempts there were before the last one, None for a test that ran once."""
    return max((attempt.number for attempt in attempts), default=None)
