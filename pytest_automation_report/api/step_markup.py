"""Write and parse the HTML in which the API stores the steps of a test.

The server and the official tool share this form; any other HTML is shown as text.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Final

from pytest_automation_report.text.patterns import lazy_pattern

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
