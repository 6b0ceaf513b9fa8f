"""Foreign texts as they may stand on a terminal or in a CI job's log (floor 0, pure).

A server's message, a test's id or a file's name may hold what a terminal or a CI runner takes for a command. Everything
foreign that is printed or logged passes here.

Numbers of things in words (floor 0, pure): what is told of one is told in the singular.
"""

from __future__ import annotations

import re
from typing import Final

from pytest_automation_report.text.limits import cut_end, visible

__all__ = [
    "FOREIGN_UNITS",
    "pluralize",
    "printable",
    "sanitize",
]

FOREIGN_UNITS: Final = 200
"""Longest foreign text within a line, in UTF-16 units."""

# What runners take for commands wherever they stand in a line, such as ##[error], ##vso[...] and ##teamcity[...].
_ANYWHERE: Final = re.compile(r"##(?=\w{0,16}\[)")
# And at a line's beginning only: GitHub's ::add-mask::, GitLab's section_start:, the groups of Buildkite.
_AT_START: Final = re.compile(r"\s*(?:::|section_(?:start|end):|---|\+\+\+|~~~|\^\^\^)")
# Marks that change the order or joining of letters and that `visible` leaves to texts.
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2028\u2029\u2060-\u2064\u061c\ufeff\ufff9-\ufffb]")


def sanitize(text: str, units: int = FOREIGN_UNITS) -> str:
    r"""Return a foreign text as one line without commands, with controls spelled (``\x1b``), cut with a remark."""
    return cut_end(printable(text), units)


def printable(text: str) -> str:
    """Return a line that holds foreign texts, whole, as it can be printed: no terminal or runner obeys it."""
    shown = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    shown = _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)
    shown = _ANYWHERE.sub("# #", shown)
    return f"| {shown}" if _AT_START.match(shown) else shown


def pluralize(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 result``, ``2 results``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
