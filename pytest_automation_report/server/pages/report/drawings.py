"""Write the small drawings of a report's pages as letters and numbers, of which its script makes the SVG again.

A page of a failure has a bar for each of its last runs, a list a strip for each test: as SVG they are half of all text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pytest_automation_report.server.pages.run.strips import STRIP_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BESIDE_DRAWING", "OWN_ID", "packed_strips", "shown_letters"]

BESIDE_DRAWING: Final = "\x1d"
"""The character at both ends of a packed drawing. Pages show control characters escaped, so no text has it."""

OWN_ID: Final = "\x1c"
"""The character that stands for the id of a page's result on this page."""

_STRIP: Final = re.compile(
    r'<svg class="strip" width="([0-9]+)" height="23" viewBox="0 0 \1 23" role="img" aria-label="last [^"]*">'
    r'((?:<path class="[a-z]+" d="[Mhvz0-9 -]+"/>)+)</svg>'
)
_PATH: Final = re.compile(r'<path class="([a-z]+)" d="([^"]*)"/>')
_MARK: Final = re.compile(r"M([0-9]+) ")
_LETTERS: Final[Mapping[str, str]] = {"fail": "f", "flaky": "r", "pass": "p", "skip": "s", "idle": "."}
_STEP: Final = 6


def packed_strips(line: str) -> str:
    """Return a line of a page with letters for its strips."""
    return _STRIP.sub(lambda match: _packed(match[1], match[2]), line) if 'class="strip"' in line else line


def shown_letters(letters: str) -> str:
    """Return the letters of a strip for the outcomes of a test; empty if it has none."""
    return letters[-STRIP_RUNS:].lstrip(".").replace("w", "f")


@lru_cache(maxsize=4096)
def _packed(width: str, paths: str) -> str:
    letters = ["."] * ((int(width) + 2) // _STEP)
    has_now = False
    for tone, path in _PATH.findall(paths):
        has_now = has_now or tone == "now"
        for x in _MARK.findall(path) if tone != "now" else ():
            letters[int(x) // _STEP] = _LETTERS[tone]
    return f"{BESIDE_DRAWING}{''.join(letters)}{'!' if has_now else ''}{BESIDE_DRAWING}"
