"""Fields in which a Testmo instance shows attempts and steps: their words, and how they are read again.

Servers of ours take typed values. Texts are read where nothing else is known: of a Testmo instance, of results of
other clients, and once of what older stores have.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING, Final

from pytest_automation_report.api.models import KNOWN_FIELD, PAST_FIELD, Field, FieldType, Known
from pytest_automation_report.text.dates import day_from
from pytest_automation_report.text.limits import STRING_UNITS, fits_in
from pytest_automation_report.unpatched import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_automation_report.api.models import Step, StepStatus

# Meta of the field with the number of attempts of a test: a field of that name alone is an author's.
ATTEMPTS_META: Final = {"counts": "attempts"}


def known_field(known: Known) -> Field:
    """Return the field that says until when a failure is, or was, known."""
    text = f"{known.until} {known.reason}".rstrip()
    type_ = FieldType.STRING if fits_in(text, STRING_UNITS) else FieldType.TEXT
    return Field(PAST_FIELD if known.is_past else KNOWN_FIELD, text, type_)


def known_from(name: str, value: str | None) -> Known | None:
    """Return what a field, or a property of a result file, says of a known failure; None for any other one."""
    day, _, reason = (value or "").partition(" ")
    if name not in {KNOWN_FIELD, PAST_FIELD}:
        return None
    try:
        day_from(day)
    except ValueError:
        return None
    return Known(day, reason, is_past=name == PAST_FIELD)


INDENT: Final = "\u203a "
"""Stands before a step once for each step around it."""

OPENING_TAG: Final = "<test-steps>"
CLOSING_TAG: Final = "</test-steps>"
_WHOLE = lazy_pattern(f"{OPENING_TAG}(.*){CLOSING_TAG}", re.DOTALL)
_STEP = lazy_pattern(r'\s*<test-step status="(passed|failed|skipped)">([^<]*)</test-step>\s*')


def step_markup(status: str, text: str) -> str:
    """Return the markup of one step."""
    return f'<test-step status="{status}">{escape(text)}</test-step>'


def parse_steps(markup: str) -> list[tuple[str, str]] | None:
    """Return the steps of a field, each as its status and text; None if it has anything but steps in it."""
    whole = _WHOLE.fullmatch(markup.strip())
    if whole is None:
        return None
    position, steps = 0, list[tuple[str, str]]()
    while position < len(whole[1]):
        step = _STEP.match(whole[1], position)
        if step is None:
            return None
        steps.append((step[1], unescape(step[2])))
        position = step.end()
    return steps


def listed_steps(steps: Sequence[Step], depth: int = 0) -> Iterator[tuple[StepStatus, str]]:
    """Yield status and text of steps and of those inside them, in their order."""
    for step in steps:
        unfinished = " (not finished)" if step.is_open else ""
        yield step.status, f"{INDENT * depth}{step.name}{unfinished}"
        yield from listed_steps(step.steps, depth + 1)
