"""Turn the steps and subtests of a test into fields: counts, the steps' markup, one traceback a failing subtest.

A test can have any number of both. All are counted; texts are stored only as long as the result has room for them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_automation_report.api.models import (
    CLOSING_TAG,
    FIELD_LIMIT,
    OPENING_TAG,
    STEP_LIMIT,
    Field,
    FieldType,
    step_markup,
)
from pytest_automation_report.recording.phases import read_phase
from pytest_automation_report.text.limits import TEXT_UNITS, cut_end, string, utf16_length
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from abc import abstractmethod
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Protocol

    from pytest_automation_report.api.models import Artifact
    from pytest_automation_report.recording.phases import Phase, Report
    from pytest_automation_report.spool.records import Step, StepStatus
    from pytest_automation_report.text.redaction import TextCleaner


if TYPE_CHECKING:

    class Context(Protocol):
        """The arguments of a subtest."""

        @property
        @abstractmethod
        def msg(self) -> object:
            """The message, None if there is none."""

        @property
        @abstractmethod
        def kwargs(self) -> Mapping[str, object]:
            """The keyword arguments."""


_STEP_UNITS = 300
# Reserved for the last step, which counts the steps that are not shown.
_REST_UNITS = 200


def context_of(report: Report) -> Context | None:
    """Return the context of a subtest's report, None for the report of a phase.

    By its attributes and not by its class: pytest 9 and pytest-subtests have a class each.
    """
    context = getattr(report, "context", None)
    if context is None or not hasattr(context, "kwargs") or not hasattr(context, "msg"):
        return None
    return cast("Context", context)


class Subtests:
    """Count the subtests of one attempt and collect their failures; owned by the recorder."""

    def __init__(self) -> None:
        # Captured output: headings and texts, in their order.
        self.output: list[tuple[str, str]] = []
        self._counts: Counter[StepStatus] = Counter()
        self._steps: list[tuple[StepStatus, str]] = []
        self._failures: list[tuple[str, Phase]] = []

    @property
    def has_failed(self) -> bool:
        """Whether any subtest failed."""
        return self._counts["failed"] > 0

    def add(self, report: Report, context: Context, cleaner: TextCleaner) -> None:
        """Count one subtest, and store its texts while there is room for them."""
        status = _status(report.outcome)
        description = cleaner.string(_description(context))
        self._counts[status] += 1
        if len(self._steps) < STEP_LIMIT:
            self._steps.append((status, description))
        if status == "failed" and len(self._failures) < FIELD_LIMIT:
            failure = read_phase(report, cleaner)
            if failure is not None:
                self._failures.append((description, failure))

    def fields(self, max_fields: int, annotations: Annotations | None = None) -> list[Field]:
        """Return the failures, first to last, the counts and the steps: ``max_fields`` fields at most, but 3 at least.

        The steps of ``annotations`` stand before the subtests.
        """
        failed = self._counts["failed"]
        user_steps = annotations.steps if annotations is not None else ()
        counts = self._counts + Counter(annotations.counts) if annotations is not None else self._counts
        total = Field("Subtests", f"{sum(self._counts.values())}: {_count_text(self._counts)}")
        steps = steps_field([*user_steps, *self._steps], counts)
        # Two places are for the counts and the steps; if failures are left out, one more shows how many.
        max_failures = max(1, max_fields - 2)
        shown = self._failures if failed <= max_failures else self._failures[: max_failures - 1]
        failures = [failure.field(string(f"Failure [{description}]")) for description, failure in shown]
        if failed > len(shown):
            failures.append(
                Field("Failures left out", f"{failed - len(shown)} more failing subtests", is_highlight=True)
            )
        return [*failures, total, steps]


def steps_field(steps: Sequence[tuple[StepStatus, str]], counts: Mapping[StepStatus, int]) -> Field:
    """Return the field with the server's markup for steps; ``counts`` are of all steps, ``steps`` may be fewer.

    The markup is complete at every length: cut markup would be shown as text. Steps that do not fit are counted in a
    last step.
    """
    markup = [OPENING_TAG]
    remaining_units = TEXT_UNITS - len(OPENING_TAG) - len(CLOSING_TAG) - _REST_UNITS
    shown: Counter[StepStatus] = Counter()
    max_shown = STEP_LIMIT if sum(counts.values()) <= STEP_LIMIT else STEP_LIMIT - 1
    for status, description in steps[:max_shown]:
        step = step_markup(status, cut_end(description, _STEP_UNITS))
        remaining_units -= utf16_length(step)
        if remaining_units < 0:
            break
        markup.append(step)
        shown[status] += 1
    rest = Counter(counts) - shown
    if rest:
        markup.append(step_markup(_worst(rest), f"{sum(rest.values())} more: {_count_text(rest)}"))
    return Field("Steps", "".join((*markup, CLOSING_TAG)), FieldType.HTML)


def _status(outcome: str) -> StepStatus:
    """Return the status of a step. An unknown outcome counts as failed, never as passed."""
    if outcome == "passed":
        return "passed"
    return "skipped" if outcome == "skipped" else "failed"


def _worst(counts: Counter[StepStatus]) -> StepStatus:
    """Return one status for several steps: failed before passed before skipped."""
    # "passed" before "skipped": the rest of the steps counts as skipped only if nothing in it ran.
    if counts["failed"]:
        return "failed"
    return "passed" if counts["passed"] else "skipped"


def _count_text(counts: Counter[StepStatus]) -> str:
    """Return the counts that are not zero as text: ``3 passed, 1 failed``."""
    statuses: tuple[StepStatus, ...] = ("passed", "failed", "skipped")
    return ", ".join(f"{counts[status]} {status}" for status in statuses if counts[status])


def _description(context: Context) -> str:
    """Return the message and the arguments of a subtest, which distinguish it from the others."""
    arguments = ", ".join(f"{name}={safe_str(value)}" for name, value in context.kwargs.items())
    if context.msg is None:
        return arguments or "<subtest>"
    message = safe_str(context.msg)
    return f"{message} ({arguments})" if arguments else message


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
