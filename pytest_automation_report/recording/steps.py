"""The steps and subtests of a test (floor 1): each is counted, each failing subtest has its own traceback."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from html import escape, unescape
from typing import TYPE_CHECKING, Protocol, cast

from pytest_automation_report.api.limits import FIELD_LIMIT, STEP_LIMIT
from pytest_automation_report.api.models import Field, FieldType
from pytest_automation_report.recording.phases import phase
from pytest_automation_report.text.limits import TEXT_UNITS, cut_end, string, utf16_length
from pytest_automation_report.text.redaction import safe_str

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_automation_report.recording.annotations import Annotations, StepStatus
    from pytest_automation_report.recording.phases import Phase, Report
    from pytest_automation_report.text.redaction import TextCleaner

_STEP_UNITS = 300
# Room for the last step, which counts those that have no place.
_REST_UNITS = 200
_FIRST, _LAST = "<test-steps>", "</test-steps>"
_STEP = re.compile(r'<test-step status="(\w+)">(.*?)</test-step>', re.DOTALL)


class Context(Protocol):
    """What a subtest was called with."""

    @property
    @abstractmethod
    def msg(self) -> object:
        """The first argument, None without one."""

    @property
    @abstractmethod
    def kwargs(self) -> Mapping[str, object]:
        """The named arguments."""


def context_of(report: Report) -> Context | None:
    """Return the context of a subtest's report, None for the report of a test."""
    context = getattr(report, "context", None)
    if context is None or not hasattr(context, "kwargs") or not hasattr(context, "msg"):
        return None
    return cast("Context", context)


class Subtests:
    """Counts the subtests of one attempt; owned by the recorder."""

    def __init__(self) -> None:
        self.output: list[tuple[str, str]] = []
        self._counts: Counter[StepStatus] = Counter()
        self._steps: list[tuple[StepStatus, str]] = []
        self._failures: list[tuple[str, Phase]] = []

    @property
    def has_failed(self) -> bool:
        """Whether any subtest failed."""
        return self._counts["failed"] > 0

    def add(self, report: Report, context: Context, texts: TextCleaner) -> None:
        """Count one subtest and take its texts while there is room for them."""
        status = _status(report.outcome)
        described = texts.string(_description(context))
        self._counts[status] += 1
        if len(self._steps) < STEP_LIMIT:
            self._steps.append((status, described))
        if status == "failed" and len(self._failures) < FIELD_LIMIT and (told := phase(report, texts)) is not None:
            self._failures.append((described, told))

    def fields(self, room: int, added: Annotations | None = None) -> list[Field]:
        """Return at most ``room`` fields (3 at least): the counts, the steps, and the failures first to last.

        The steps that a user has added stand before the subtests.
        """
        total = sum(self._counts.values())
        counted = Field("Subtests", f"{total}: {_sums(self._counts)}")
        before, all_counts = (added.steps, self._counts + Counter(added.counts)) if added else ((), self._counts)
        steps = steps_field([*before, *self._steps], all_counts)
        room = max(1, room - 2)
        shown = self._failures if self._counts["failed"] <= room else self._failures[: room - 1]
        failures = [told.field(string(f"Failure [{described}]")) for described, told in shown]
        if (missing := self._counts["failed"] - len(shown)) > 0:
            failures.append(Field("Failures left out", f"{missing} more failing subtests", is_highlight=True))
        return [*failures, counted, steps]


def steps_field(steps: Sequence[tuple[StepStatus, str]], counts: Mapping[StepStatus, int]) -> Field:
    """Return the field of the server's markup for steps, whole at every length; ``counts`` are of all steps."""
    markup = [_FIRST]
    room = TEXT_UNITS - len(_FIRST) - len(_LAST) - _REST_UNITS
    shown: Counter[StepStatus] = Counter()
    for status, described in steps[: STEP_LIMIT if sum(counts.values()) <= STEP_LIMIT else STEP_LIMIT - 1]:
        step = _step(status, cut_end(described, _STEP_UNITS))
        room -= utf16_length(step)
        if room < 0:
            break
        markup.append(step)
        shown[status] += 1
    rest = Counter(counts) - shown
    if rest:
        markup.append(_step(_worst(rest), f"{sum(rest.values())} more: {_sums(rest)}"))
    return Field("Steps", "".join((*markup, _LAST)), FieldType.HTML)


def steps_text(markup: str) -> str:
    """Return the markup of `steps_field` as lines of text."""
    return "\n".join(f"[{status}] {unescape(text)}" for status, text in _STEP.findall(markup))


def _status(outcome: str) -> StepStatus:
    """Return a step's status; an unknown outcome is never a pass."""
    if outcome == "passed":
        return "passed"
    return "skipped" if outcome == "skipped" else "failed"


def _worst(counts: Counter[StepStatus]) -> StepStatus:
    """Return the status that stands for several steps."""
    if counts["failed"]:
        return "failed"
    return "passed" if counts["passed"] else "skipped"


def _sums(counts: Counter[StepStatus]) -> str:
    """Return the counts that are not zero in words."""
    statuses: tuple[StepStatus, ...] = ("passed", "failed", "skipped")
    return ", ".join(f"{counts[each]} {each}" for each in statuses if counts[each])


def _step(status: StepStatus, text: str) -> str:
    """Return one step's markup."""
    return f'<test-step status="{status}">{escape(text)}</test-step>'


def _description(context: Context) -> str:
    """Return what tells a subtest from the others: its message and its arguments."""
    arguments = ", ".join(f"{name}={safe_str(value)}" for name, value in context.kwargs.items())
    if context.msg is None:
        return arguments or "<subtest>"
    message = safe_str(context.msg)
    return f"{message} ({arguments})" if arguments else message
